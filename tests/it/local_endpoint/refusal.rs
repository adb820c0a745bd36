//! What a presigned URL isn't good for. Everything here answers as S3 and leaves nothing on disk.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, as it should"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_s3::presigning::PresigningConfig;
use file_share::clock::Clock;
use file_share::local_mode::{ACCESS_KEY_ID, SigningSecret};
use file_share::presigned_url::{BucketUrl, DownloadMethod, SigningCredentials};

use crate::support::local_store::{
    BUCKET, Connection, DOWNLOAD_LIFETIME, LocalStore, REGION, Request, UPLOAD_LIFETIME, new_key,
    presigner,
};

/// For a line in the log.
const PATIENCE: Duration = Duration::from_secs(30);

async fn put(store: &LocalStore) -> Request {
    store.put(new_key(), b"12345").await
}

/// The request with the first digit of the signature changed.
fn forged(request: Request) -> Request {
    request.target(|target| {
        let (before, signature) = target.split_once("X-Amz-Signature=").unwrap();
        let digit = if signature.starts_with('0') { '1' } else { '0' };
        format!("{before}X-Amz-Signature={digit}{}", &signature[1..])
    })
}

#[tokio::test]
async fn another_length_than_the_signed_one() {
    let mut store = LocalStore::start().await;
    for body in [&b"1234"[..], b"123456", b""] {
        let length = body.len().to_string();
        let request = put(&store).await.with("content-length", &length).body(body);
        store
            .assert_refused(request, 403, "SignatureDoesNotMatch")
            .await;
    }
}

#[tokio::test]
async fn a_body_without_a_length() {
    let mut store = LocalStore::start().await;
    let chunked = put(&store)
        .await
        .without("content-length")
        .with("transfer-encoding", "chunked");
    let chunked = chunked.body(b"5\r\n12345\r\n0\r\n\r\n");
    store
        .assert_refused(chunked, 411, "MissingContentLength")
        .await;
    let none = put(&store).await.without("content-length").body(b"");
    store
        .assert_refused(none, 411, "MissingContentLength")
        .await;
    let both = put(&store).await.with("transfer-encoding", "chunked");
    let both = both.body(b"5\r\n12345\r\n0\r\n\r\n");
    store
        .assert_refused(both, 411, "MissingContentLength")
        .await;
}

#[tokio::test]
async fn a_signed_header_that_is_missing_or_different() {
    let mut store = LocalStore::start().await;
    for name in ["content-type", "if-none-match"] {
        let request = put(&store).await.without(name);
        store
            .assert_refused(request, 403, "SignatureDoesNotMatch")
            .await;
    }
    for (name, value) in [
        ("content-type", "text/html"),
        ("if-none-match", "\"an-etag\""),
        ("host", "elsewhere.example.org"),
    ] {
        let request = put(&store).await.with(name, value);
        store
            .assert_refused(request, 403, "SignatureDoesNotMatch")
            .await;
    }
    let mut twice = put(&store).await;
    twice
        .headers
        .push(("content-type".into(), "text/html".into()));
    store
        .assert_refused(twice, 403, "SignatureDoesNotMatch")
        .await;
    let undeclared = store.put_with_digest(new_key(), b"12345", b"12345").await;
    let undeclared = undeclared.without("x-amz-checksum-sha256");
    store
        .assert_refused(undeclared, 403, "SignatureDoesNotMatch")
        .await;
}

#[tokio::test]
async fn a_header_of_amazons_that_was_not_signed() {
    let mut store = LocalStore::start().await;
    for (name, value) in [
        (
            "x-amz-copy-source",
            "/a-bucket/uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
        ),
        ("x-amz-meta-colour", "red"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-acl", "public-read"),
        (
            "x-amz-checksum-sha256",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-website-redirect-location", "https://evil.example"),
    ] {
        let request = put(&store).await.with(name, value);
        let answer = request.send().await.text();
        let named = format!("<HeadersNotSigned>{name}</HeadersNotSigned>");
        assert!(answer.contains(&named), "{answer}");
        store.assert_refused(request, 403, "AccessDenied").await;
    }
}

#[tokio::test]
async fn another_md5_than_the_bytes_have() {
    let mut store = LocalStore::start().await;
    for value in [
        "",
        "5",
        "gnzLDuqKcGxMNKFokfhOew",
        "not-base64-but-as-long==",
        "Z256TERxS2NHeE1OS0Zva2ZoT2V3",
    ] {
        let request = put(&store).await.with("content-md5", value);
        store.assert_refused(request, 400, "InvalidDigest").await;
    }
    let request = put(&store)
        .await
        .with("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    let answer = request.send().await.text();
    // What `12345` has.
    let observed = "gnzLDuqKcGxMNKFokfhOew==";
    assert!(
        answer.contains(&format!("<CalculatedDigest>{observed}</CalculatedDigest>")),
        "{answer}"
    );
    store.assert_refused(request, 400, "BadDigest").await;
    let right = put(&store).await.with("content-md5", observed);
    assert_eq!(right.send().await.status, 200);
}

#[tokio::test]
async fn a_second_signature_in_the_headers() {
    let mut store = LocalStore::start().await;
    for value in [
        "Bearer x",
        "Basic dTpw",
        "AWS4-HMAC-SHA256 Credential=x",
        "",
    ] {
        let request = put(&store).await.with("authorization", value);
        store.assert_refused(request, 400, "InvalidArgument").await;
        if value != "Bearer x" {
            let request = store.get(new_key()).await.with("authorization", value);
            store.assert_refused(request, 400, "InvalidArgument").await;
        }
    }
    // Behind a proxy that asks for a password, browsers send it along.
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let public = BucketUrl::path_style("http://files.example.org", BUCKET).unwrap();
    let mut store = LocalStore::start_in(dir, Some(public), &[]).await;
    let token = put(&store).await.with("authorization", "Bearer x");
    store.assert_refused(token, 400, "InvalidArgument").await;
    let password = put(&store).await.with("authorization", "Basic dTpw");
    assert_eq!(password.send().await.status, 200);
}

/// The redirect to the bytes leads to the same origin, where clients keep what they showed the API.
#[tokio::test]
async fn a_token_that_a_client_keeps_on_the_redirect_counts_for_nothing() {
    let mut store = LocalStore::start().await;
    let key = store.stored(b"hello").await;
    for request in [store.get(key).await, store.head(key).await] {
        let kept = request.clone().with("authorization", "Bearer x");
        assert_eq!(kept.send().await.status, 200);
        let other = request.clone().with("authorization", "Basic dTpw");
        assert_eq!(other.send().await.status, 400);
        // Nor does it make up for a signature.
        let forged = forged(request).with("authorization", "Bearer x");
        assert_eq!(forged.send().await.status, 403);
    }
}

#[tokio::test]
async fn a_url_that_was_changed() {
    let mut store = LocalStore::start().await;
    let request = forged(put(&store).await);
    store
        .assert_refused(request, 403, "SignatureDoesNotMatch")
        .await;

    let (key, other) = (new_key().to_string(), new_key().to_string());
    assert_ne!(key, other);
    let request = put(&store).await;
    let own = request.target.split(['?']).next().unwrap().to_owned();
    let moved = request.target(|target| target.replacen(&own, &format!("/{BUCKET}/{other}"), 1));
    store
        .assert_refused(moved, 403, "SignatureDoesNotMatch")
        .await;

    let longer = put(&store)
        .await
        .target(|t| t.replace("X-Amz-Expires=900", "X-Amz-Expires=899"));
    store
        .assert_refused(longer, 403, "SignatureDoesNotMatch")
        .await;

    let acl = put(&store).await.target(|target| format!("{target}&acl="));
    store
        .assert_refused(acl, 403, "SignatureDoesNotMatch")
        .await;

    let get = store.get(new_key()).await;
    let shown = get
        .clone()
        .target(|target| target.replacen("attachment", "inline", 1));
    store
        .assert_refused(shown, 403, "SignatureDoesNotMatch")
        .await;
    let typed = get.target(|target| target.replacen("text%2Fplain", "text%2Fhtml", 1));
    store
        .assert_refused(typed, 403, "SignatureDoesNotMatch")
        .await;
}

#[tokio::test]
async fn a_path_that_goes_round_about() {
    let mut store = LocalStore::start().await;
    for (from, to) in [
        ("/uploads/", "/uploads/../uploads/"),
        ("/uploads/", "/./uploads/"),
        ("/uploads/", "//uploads/"),
        ("/uploads/", "/uploads%2F"),
        ("/uploads/", "/uploads%2f..%2fuploads%2f"),
        ("/uploads/", "/%75ploads/"),
        ("/uploads/", "/uploads/%2e%2e/uploads/"),
        ("/a-bucket/", "/a-bucket/../a-bucket/"),
        ("/uploads/", "/uploads/../../../../etc/"),
    ] {
        let request = put(&store)
            .await
            .target(|target| target.replacen(from, to, 1));
        store
            .assert_refused(request, 403, "SignatureDoesNotMatch")
            .await;
    }
}

#[tokio::test]
async fn a_url_that_ran_out_or_is_not_valid_yet() {
    let mut store = LocalStore::start().await;
    let (upload, download) = (put(&store).await, store.get(new_key()).await);
    store.clock.advance(Duration::from_secs(301));
    store.assert_refused(download, 403, "AccessDenied").await;
    store.clock.advance(Duration::from_secs(600));
    let answer = upload.send().await.text();
    assert!(answer.contains("<Message>Request has expired"), "{answer}");
    assert!(answer.contains("<Expires>20"), "{answer}");
    store.assert_refused(upload, 403, "AccessDenied").await;

    // Signed by a machine whose clock is an hour ahead.
    let ahead = store.clock.now() + Duration::from_secs(3600);
    let upload = store
        .put_at(ahead, &store.presigner, new_key(), b"12345", None)
        .await;
    let answer = upload.send().await.text();
    assert!(
        answer.contains("<Message>Request is not valid yet"),
        "{answer}"
    );
    store.assert_refused(upload, 403, "AccessDenied").await;
}

#[tokio::test]
async fn a_url_that_lives_longer_than_is_allowed_here() {
    let mut store = LocalStore::start().await;
    let secret = SigningSecret::load_or_create(store.data_dir.path()).unwrap();
    let second = Duration::from_secs(1);
    let generous = presigner(
        secret.credentials(),
        UPLOAD_LIFETIME + second,
        DOWNLOAD_LIFETIME + second,
    );
    let upload = store.put_by(&generous, new_key(), b"12345", None).await;
    store
        .assert_refused(upload, 400, "AuthorizationQueryParametersError")
        .await;
    let download = store
        .download_by(&generous, DownloadMethod::Get, new_key())
        .await;
    store
        .assert_refused(download, 400, "AuthorizationQueryParametersError")
        .await;
}

#[tokio::test]
async fn a_url_that_somebody_else_signed() {
    let mut store = LocalStore::start().await;
    for (id, code) in [
        (ACCESS_KEY_ID, "SignatureDoesNotMatch"),
        ("AKIA", "InvalidAccessKeyId"),
    ] {
        let credentials = SigningCredentials::fixed(id, &"0".repeat(64));
        let foreign = presigner(credentials, UPLOAD_LIFETIME, DOWNLOAD_LIFETIME);
        let request = store.put_by(&foreign, new_key(), b"12345", None).await;
        store.assert_refused(request, 403, code).await;
    }
}

#[tokio::test]
async fn no_signature_or_half_of_one() {
    let mut store = LocalStore::start().await;
    for method in ["PUT", "GET", "HEAD", "DELETE", "POST", "PATCH"] {
        let request = put(&store).await.method(method);
        let request = request.target(|target| target.split('?').next().unwrap().to_owned());
        store.assert_refused(request, 403, "AccessDenied").await;
    }
    for path in ["", "/", "/?list-type=2", "/uploads/", "/uploads/?uploads"] {
        let request = store.request("GET", &format!("http://{}/{BUCKET}{path}", store.address));
        store.assert_refused(request, 403, "AccessDenied").await;
    }
    for lost in ["X-Amz-Signature=", "X-Amz-Date=", "X-Amz-SignedHeaders="] {
        let request = put(&store)
            .await
            .target(|target| target.replace(lost, "x="));
        store
            .assert_refused(request, 400, "AuthorizationQueryParametersError")
            .await;
    }
}

#[tokio::test]
async fn another_method_than_the_signed_one() {
    let mut store = LocalStore::start().await;
    let key = new_key();
    let (get, head) = (store.get(key).await, store.head(key).await);
    for (request, method) in [
        (&get, "HEAD"),
        (&get, "DELETE"),
        (&get, "POST"),
        (&head, "GET"),
        (&head, "DELETE"),
    ] {
        let request = request.clone().method(method);
        store
            .assert_refused(request, 403, "SignatureDoesNotMatch")
            .await;
    }
    for method in ["GET", "HEAD", "DELETE", "POST"] {
        let request = put(&store).await.method(method);
        store
            .assert_refused(request, 403, "SignatureDoesNotMatch")
            .await;
    }
    // Such a URL doesn't even sign what a PUT has to.
    let upload = get.method("PUT").with("content-length", "5").body(b"12345");
    store.assert_refused(upload, 403, "AccessDenied").await;
}

#[tokio::test]
async fn bytes_that_have_another_digest() {
    let mut store = LocalStore::start().await;
    let large = vec![1; 600_000];
    for body in [&b"12345"[..], &large] {
        let request = store.put_with_digest(new_key(), body, b"others").await;
        store.assert_refused(request, 400, "BadDigest").await;
    }
}

#[tokio::test]
async fn a_large_body_that_is_refused_is_answered_and_the_connection_goes_on() {
    let mut store = LocalStore::start().await;
    let body = vec![1; 20 * 1024 * 1024];
    let refused = forged(store.put(new_key(), &body).await);
    let mut connection = Connection::open(store.address).await;
    let answer = connection.send(&refused).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("<Code>SignatureDoesNotMatch</Code>"));
    store.assert_nothing_stored().await;
    let accepted = put(&store).await;
    assert_eq!(connection.send(&accepted).await.status, 200);
}

/// AWS's presigner, with the secret that signs here: what a URL would be good for if the service
/// ever handed out another kind.
fn sdk(store: &LocalStore) -> aws_sdk_s3::Client {
    use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
    let secret = std::fs::read_to_string(store.data_dir.path().join("signing-secret")).unwrap();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(format!("http://{}", store.address))
        .force_path_style(true)
        .credentials_provider(Credentials::new(
            ACCESS_KEY_ID,
            secret.trim(),
            None,
            None,
            "test",
        ))
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[tokio::test]
async fn what_the_service_never_signs_even_if_it_is_signed() {
    let mut store = LocalStore::start().await;
    let key = store.stored(b"12345").await;
    let client = sdk(&store);
    let presigning = || PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();

    let deletion = client.delete_object().bucket(BUCKET).key(key.to_string());
    let deletion = deletion.presigned(presigning()).await.unwrap();
    let answer = store.request("DELETE", deletion.uri()).send().await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT"));
    assert!(answer.text().contains("<Code>MethodNotAllowed</Code>"));

    let many_times = client.put_object().bucket(BUCKET).key(key.to_string());
    let many_times = many_times.content_length(5).content_type("text/plain");
    let many_times = many_times.presigned(presigning()).await.unwrap();
    let mut request = store.request("PUT", many_times.uri()).body(b"other");
    for (name, value) in many_times.headers() {
        request = request.with(name, value);
    }
    let answer = request.send().await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.text().contains("if-none-match</HeadersNotSigned>"),
        "{}",
        answer.text()
    );

    // Signed, and another condition than the one that makes a key write-once.
    let conditional = client.put_object().bucket(BUCKET).key(key.to_string());
    let conditional = conditional.content_length(5).content_type("text/plain");
    let conditional = conditional.if_none_match("\"another-etag\"");
    let conditional = conditional.presigned(presigning()).await.unwrap();
    let mut request = store.request("PUT", conditional.uri()).body(b"other");
    for (name, value) in conditional.headers() {
        request = request.with(name, value);
    }
    let answer = request.send().await;
    assert_eq!(answer.status, 501, "{}", answer.text());
    assert!(answer.text().contains("<Code>NotImplemented</Code>"));

    for foreign in [
        "report.pdf",
        "uploads/report.pdf",
        "uploads/../../signing-secret",
    ] {
        let get = client.get_object().bucket(BUCKET).key(foreign);
        let get = get.presigned(presigning()).await.unwrap();
        assert_eq!(
            store.request("GET", get.uri()).send().await.status,
            404,
            "{foreign}"
        );
    }
    let version = client
        .get_object()
        .bucket(BUCKET)
        .key(key.to_string())
        .version_id("1");
    let version = version.presigned(presigning()).await.unwrap();
    let answer = store.request("GET", version.uri()).send().await;
    assert!(answer.text().contains("<Code>NoSuchVersion</Code>"));
    assert_eq!(store.files(), [b"12345"]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_gives_away_a_url() {
    // With only one subscriber alive, tracing lets another test's thread, which has none, decide for
    // good that a line interests nobody. With two it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("file_share=trace,poem=trace")
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let store = LocalStore::start().await;
    let key = new_key();
    let request = store.put(key, b"12345").await;
    assert_eq!(request.send().await.status, 200);
    assert_eq!(request.send().await.status, 412);
    assert_eq!(store.get(key).await.send().await.status, 200);
    let written = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // Lines about refused requests are limited in the whole process, and other tests run in it.
    let forged = forged(request);
    let deadline = Instant::now() + PATIENCE;
    while !written().contains("SignatureDoesNotMatch") {
        assert!(Instant::now() < deadline, "{}", written());
        assert_eq!(forged.send().await.status, 403);
    }
    let written = written();
    assert!(!written.contains("X-Amz-"), "{written}");
    assert!(!written.contains("response-content"), "{written}");
}
