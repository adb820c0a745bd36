//! What a form isn't good for. Everything here answers as S3 and leaves nothing on disk.

use std::time::Duration;

use file_share::local_mode::{ACCESS_KEY_ID, SigningSecret};
use file_share::presigned_url::SigningCredentials;

use crate::support::local_store::{
    Connection, DOWNLOAD_LIFETIME, Form, LocalStore, UPLOAD_LIFETIME, digest_of, new_key, presigner,
};

async fn form(store: &LocalStore) -> Form {
    let digest = digest_of(b"12345");
    store.form(new_key(), b"12345", Some(digest)).await
}

#[tokio::test]
async fn a_file_of_another_length_than_declared_in_a_form() {
    let mut store = LocalStore::start().await;
    let long = vec![b'x'; 3 << 20];
    for (bytes, code) in [
        (&b"1234"[..], "EntityTooSmall"),
        (b"", "EntityTooSmall"),
        (b"123456", "EntityTooLarge"),
        (&long, "EntityTooLarge"),
    ] {
        let request = form(&store).await.file(bytes).request();
        store.assert_refused(request, 400, code).await;
    }
}

#[tokio::test]
async fn other_bytes_than_the_digest_in_the_form_says() {
    let mut store = LocalStore::start().await;
    let request = form(&store).await.file(b"54321").request();
    store.assert_refused(request, 400, "BadDigest").await;
}

#[tokio::test]
async fn a_field_that_has_another_value_than_the_policy() {
    let mut store = LocalStore::start().await;
    let other_key = new_key().to_string();
    for (name, value) in [
        ("key", other_key.as_str()),
        ("key", "uploads/${filename}"),
        ("key", ""),
        ("Content-Type", "text/html"),
        ("success_action_status", "200"),
        ("x-amz-checksum-algorithm", "CRC32"),
        (
            "x-amz-checksum-sha256",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
        ("bucket", "another-bucket"),
    ] {
        let request = form(&store).await.with(name, value).request();
        store.assert_refused(request, 403, "AccessDenied").await;
    }
    let without = [
        "Content-Type",
        "success_action_status",
        "x-amz-checksum-sha256",
    ];
    for name in without {
        let request = form(&store).await.without(name).request();
        let text = request.send().await.text();
        assert!(
            text.contains("Policy Condition failed: [&quot;eq&quot;"),
            "{text}"
        );
        store.assert_refused(request, 403, "AccessDenied").await;
    }
}

#[tokio::test]
async fn a_field_that_the_policy_does_not_have() {
    let mut store = LocalStore::start().await;
    for (name, value) in [
        ("acl", "public-read"),
        ("tagging", "<Tagging/>"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-meta-colour", "red"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-copy-source", "/a-bucket/uploads/x"),
        ("x-amz-website-redirect-location", "https://evil.example"),
        ("success_action_redirect", "https://evil.example"),
        ("Content-Encoding", "gzip"),
        ("Cache-Control", "public"),
        ("x-amz-security-token", "a token"),
        ("If-None-Match", "*"),
        ("submit", "Upload"),
    ] {
        let request = form(&store).await.with(name, value).request();
        let text = request.send().await.text();
        let expected = format!("Extra input fields: {}", name.to_lowercase());
        assert!(text.contains(&expected), "{text}");
        store.assert_refused(request, 403, "AccessDenied").await;
    }
}

#[tokio::test]
async fn a_form_that_lacks_a_field_or_has_one_twice() {
    let mut store = LocalStore::start().await;
    let names = [
        "policy",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-signature",
    ];
    for name in names {
        let request = form(&store).await.without(name).request();
        store.assert_refused(request, 400, "InvalidArgument").await;
    }
    let unsigned = form(&store)
        .await
        .without("policy")
        .without("x-amz-signature");
    store
        .assert_refused(unsigned.request(), 403, "AccessDenied")
        .await;
    for name in ["key", "Key", "policy"] {
        let mut twice = form(&store).await;
        twice.fields.push((name.into(), "uploads/x".into()));
        store
            .assert_refused(twice.request(), 400, "MalformedPOSTRequest")
            .await;
    }
}

#[tokio::test]
async fn a_form_without_a_file_or_with_fields_only_behind_it() {
    let mut store = LocalStore::start().await;
    let form = form(&store).await;
    let fields = form.field_parts();
    let no_file = form.made_of(&[fields.clone(), Form::end()]);
    store.assert_refused(no_file, 400, "InvalidArgument").await;
    let other_name = Form::part("datei", b"12345");
    let other_name = form.made_of(&[fields.clone(), other_name, Form::end()]);
    store
        .assert_refused(other_name, 400, "InvalidArgument")
        .await;
    // Two more dashes make no boundary of it, but a part of the field before.
    let dashes = [b"--".to_vec(), form.file_part()].concat();
    let dashes = form.made_of(&[fields.clone(), dashes, Form::end()]);
    store.assert_refused(dashes, 400, "InvalidArgument").await;
    let first = form.made_of(&[form.file_part(), fields, Form::end()]);
    store.assert_refused(first, 403, "AccessDenied").await;
    let mut last = form.clone();
    let signature = last.fields.pop().unwrap();
    let behind = Form::part(&signature.0, signature.1.as_bytes());
    let in_between = last.made_of(&[last.field_parts(), last.file_part(), behind, Form::end()]);
    store
        .assert_refused(in_between, 400, "InvalidArgument")
        .await;
}

#[tokio::test]
async fn a_form_that_was_changed_or_signed_by_somebody_else() {
    let mut store = LocalStore::start().await;
    let own = form(&store).await;
    let mut signature = own.value("x-amz-signature").to_owned();
    let digit = if signature.starts_with('0') { "1" } else { "0" };
    signature.replace_range(..1, digit);
    let forged = own.clone().with("x-amz-signature", &signature);
    store
        .assert_refused(forged.request(), 403, "SignatureDoesNotMatch")
        .await;
    let policy = own.value("policy").replacen('A', "B", 1);
    let changed = own.clone().with("policy", &policy);
    store
        .assert_refused(changed.request(), 403, "SignatureDoesNotMatch")
        .await;
    for (name, value) in [
        ("x-amz-algorithm", "AWS4-HMAC-SHA1"),
        ("x-amz-date", "yesterday"),
        ("x-amz-date", "20200131T090500Z"),
        ("x-amz-credential", "local"),
        (
            "x-amz-credential",
            "local/20260101/elsewhere/s3/aws4_request",
        ),
    ] {
        let mutated = own.clone().with(name, value).request();
        store.assert_refused(mutated, 400, "InvalidArgument").await;
    }
    for (id, code) in [
        (ACCESS_KEY_ID, "SignatureDoesNotMatch"),
        ("AKIA", "InvalidAccessKeyId"),
    ] {
        let credentials = SigningCredentials::fixed(id, &"0".repeat(64));
        let foreign = presigner(credentials, UPLOAD_LIFETIME, DOWNLOAD_LIFETIME);
        let foreign = store.form_by(&foreign, new_key(), b"12345", None).await;
        store.assert_refused(foreign.request(), 403, code).await;
    }
    let secret = SigningSecret::load_or_create(store.data_dir.path()).unwrap();
    let lifetime = UPLOAD_LIFETIME + Duration::from_secs(1);
    let generous = presigner(secret.credentials(), lifetime, lifetime);
    let generous = store.form_by(&generous, new_key(), b"12345", None).await;
    store
        .assert_refused(generous.request(), 400, "InvalidPolicyDocument")
        .await;
}

#[tokio::test]
async fn a_form_whose_time_is_over_or_has_not_come() {
    let mut store = LocalStore::start().await;
    let own = form(&store).await;
    store.clock.advance(UPLOAD_LIFETIME);
    let text = own.request().send().await.text();
    assert!(text.contains("Policy expired"), "{text}");
    store
        .assert_refused(own.request(), 403, "AccessDenied")
        .await;
}

#[tokio::test]
async fn a_form_without_a_length_or_that_is_none() {
    let mut store = LocalStore::start().await;
    let own = form(&store).await.request();
    let body = String::from_utf8(own.body.clone()).unwrap();
    let chunked = own
        .clone()
        .without("content-length")
        .with("transfer-encoding", "chunked")
        .body(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
    store
        .assert_refused(chunked, 411, "MissingContentLength")
        .await;
    let none = own.clone().without("content-length").body(b"");
    store
        .assert_refused(none, 411, "MissingContentLength")
        .await;
    for content_type in [
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=a",
        "multipart/form-data",
        "text/plain",
    ] {
        let request = own.clone().with("content-type", content_type);
        store
            .assert_refused(request, 412, "PreconditionFailed")
            .await;
    }
    let request = own.clone().without("content-type");
    store
        .assert_refused(request, 412, "PreconditionFailed")
        .await;
    for header in ["x-amz-acl", "x-amz-copy-source", "x-amz-meta-a"] {
        let request = own.clone().with(header, "a");
        store.assert_refused(request, 403, "AccessDenied").await;
    }
    // The address of an object, and one with a query, take no forms.
    for target in ["/a-bucket/uploads/x", "/a-bucket/?delete", "/a-bucket//"] {
        let request = own.clone().target(|_| target.into());
        store.assert_refused(request, 403, "AccessDenied").await;
    }
}

#[tokio::test]
async fn a_form_that_is_malformed_or_ends_before_its_last_boundary() {
    let mut store = LocalStore::start().await;
    let own = form(&store).await;
    let (fields, file) = (own.field_parts(), own.file_part());
    let cut = |parts: &[u8], by: usize| parts[..parts.len() - by].to_vec();
    for body in [
        vec![],
        vec![b"hello".to_vec()],
        vec![Form::end()[2..].to_vec()],
        vec![fields.clone()],
        vec![cut(&fields, 30)],
        vec![fields.clone(), file.clone()],
        vec![fields.clone(), cut(&file, 2)],
        vec![fields.clone(), cut(&file, 4)],
        vec![fields.clone(), file.clone(), cut(&Form::end(), 4)],
        vec![fields.clone(), file.clone(), Form::part("more", b"x")],
        vec![fields, file, b"garbage".to_vec(), Form::end()],
    ] {
        let request = own.made_of(&body);
        store
            .assert_refused(request, 400, "MalformedPOSTRequest")
            .await;
    }
    let mut not_text = form(&store).await;
    let binary = Form::part("x-ignore-a", b"\xff\xfe");
    not_text.fields.truncate(3);
    let request = not_text.made_of(&[not_text.field_parts(), binary, not_text.file_part()]);
    store
        .assert_refused(request, 400, "MalformedPOSTRequest")
        .await;
}

#[tokio::test]
async fn a_form_that_breaks_off_leaves_nothing() {
    let mut store = LocalStore::start().await;
    let body = vec![1; 1_000_000];
    let own = store.form(new_key(), &body, None).await;
    let request = own.request();
    let fields = own.field_parts().len();
    let whole = request.body.len();
    for sent in [0, 100, fields, fields + 300_000, whole - 1000, whole - 10] {
        let mut connection = Connection::open(store.address).await;
        connection.write(&request.head_bytes()).await;
        connection.write(&request.body[..sent]).await;
        drop(connection);
        store.assert_nothing_stored().await;
    }
    // The form hasn't been used up.
    assert_eq!(request.send().await.status, 201);
}

#[tokio::test]
async fn more_before_the_file_than_a_form_needs() {
    let mut store = LocalStore::start().await;
    let own = form(&store).await;
    let code = "MaxPostPreDataLengthExceededError";
    for length in [21 * 1024, 3 << 20] {
        let long = own.clone().with("x-ignore-a", &"x".repeat(length));
        store.assert_refused(long.request(), 400, code).await;
    }
    let mut many = own.clone();
    for index in 0..40 {
        many = many.with(&format!("x-ignore-{index}"), "");
    }
    store.assert_refused(many.request(), 400, code).await;
    let preamble = vec![b'-'; 1 << 20];
    let request = own.made_of(&[preamble, own.field_parts(), own.file_part(), Form::end()]);
    store.assert_refused(request, 400, code).await;
    // The headers of a part, which have no end here.
    let endless = format!("--{}\r\nx: {}", Form::BOUNDARY, "x".repeat(1 << 20));
    let request = own.made_of(&[endless.into()]);
    store.assert_refused(request, 400, code).await;
    let behind = Form::part("more", &vec![b'x'; 3 << 20]);
    let request = own.made_of(&[own.field_parts(), own.file_part(), behind, Form::end()]);
    store.assert_refused(request, 400, code).await;
}
