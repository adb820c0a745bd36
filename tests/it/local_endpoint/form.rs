//! What a form does that is as it was handed out.

use file_share::domain::MAX_CONTENT_LENGTH;

use super::upload::one_of_64_wins;
use crate::support::local_store::{BUCKET, Connection, Form, LocalStore, digest_of, new_key};

#[tokio::test]
async fn a_form_stores_the_bytes_and_tells_the_finalizer() {
    let mut store = LocalStore::start().await;
    let key = new_key();
    let form = store.form(key, b"12345", Some(digest_of(b"12345"))).await;
    let answer = form.request().send().await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.header("x-amz-checksum-sha256"),
        Some(digest_of(b"12345").to_base64().as_str())
    );
    let etag = answer.header("etag").unwrap().to_owned();
    let location = format!("{}/{key}", store.bucket);
    assert_eq!(answer.header("location"), Some(location.as_str()));
    let quoted = etag.replace('"', "&quot;");
    assert_eq!(
        answer.text(),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{location}</Location>\
             <Bucket>{BUCKET}</Bucket><Key>{key}</Key><ETag>{quoted}</ETag></PostResponse>"
        )
    );
    assert_eq!(store.uploaded.recv().await, Some(key));
    assert_eq!(store.files(), [b"12345"]);
    let got = store.get(key).await.send().await;
    assert_eq!(got.body, b"12345");
    assert_eq!(got.header("etag"), Some(etag.as_str()));
}

#[tokio::test]
async fn files_of_all_sizes_come_back_as_they_were_sent_in_a_form() {
    let mut store = LocalStore::start().await;
    let largest = usize::try_from(MAX_CONTENT_LENGTH).unwrap();
    for size in [0, 1, 20 * 1024, 262_144, largest] {
        let mut bytes = vec![0; size];
        fastrand::Rng::with_seed(7).fill(&mut bytes);
        let key = new_key();
        let form = store.form(key, &bytes, Some(digest_of(&bytes))).await;
        let answer = form.request().send().await;
        assert_eq!(answer.status, 201, "{size}: {}", answer.text());
        assert_eq!(store.uploaded.recv().await, Some(key));
        let got = store.get(key).await.send().await;
        assert!(got.body == bytes, "{size}");
    }
}

#[tokio::test]
async fn bytes_that_look_like_a_boundary_are_bytes() {
    let store = LocalStore::start().await;
    let boundary = Form::BOUNDARY;
    for bytes in [
        format!("\r\n--{}", &boundary[..boundary.len() - 1]),
        format!("--{boundary}--\r\n"),
        "\r\n\r\n--\r\r\n-".repeat(10_000),
    ] {
        let key = new_key();
        let form = store.form(key, bytes.as_bytes(), None).await;
        let mut connection = Connection::open(store.address).await;
        let request = form.request();
        // In pieces, so that they end anywhere.
        connection.write(&request.head_bytes()).await;
        for piece in request.body.chunks(1_009) {
            connection.write(piece).await;
        }
        assert_eq!(connection.answer("POST").await.status, 201);
        let got = store.get(key).await.send().await;
        assert!(got.body == bytes.as_bytes());
    }
}

#[tokio::test]
async fn a_second_form_is_refused_and_changes_nothing() {
    let mut store = LocalStore::start().await;
    let key = new_key();
    let form = store.form(key, b"first", None).await;
    assert_eq!(form.request().send().await.status, 201);
    assert_eq!(store.uploaded.recv().await, Some(key));
    let second = form.file(b"other").request().send().await;
    assert_eq!(second.status, 412);
    let text = second.text();
    assert!(text.contains("<Code>PreconditionFailed</Code>"), "{text}");
    assert_eq!(store.files(), [b"first"]);
    assert!(store.uploaded.try_recv().is_err());
}

/// The form, and the PUT URL of the same file.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_forms_and_puts_at_a_time_exactly_one_wins() {
    const SIZE: usize = 1000;
    let mut store = LocalStore::start().await;
    for puts in [0, 32] {
        let key = new_key();
        let form = store.form(key, &[0; SIZE], None).await;
        let put = store.put(key, &[0; SIZE]).await;
        let writer = |writer: u8| match writer < puts {
            true => put.clone().body(&[writer; SIZE]),
            false => form.clone().file(&[writer; SIZE]).request(),
        };
        one_of_64_wins::<SIZE>(&mut store, key, writer, &format!("{puts} PUTs")).await;
    }
    assert_eq!(store.files().len(), 2);
}

#[tokio::test]
async fn fields_come_in_any_order_and_what_follows_the_file_is_ignored() {
    let store = LocalStore::start().await;
    let mut form = store.form(new_key(), b"12345", None).await;
    form.fields.reverse();
    let behind = [
        Form::part("x-amz-acl", b"public-read"),
        form.clone().file(b"another").file_part(),
    ]
    .concat();
    let answer = form
        .made_of(&[form.field_parts(), form.file_part(), behind, Form::end()])
        .send()
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(store.files(), [b"12345"]);
    // The address without the slash is the bucket's, too.
    let form = store.form(new_key(), b"12345", None).await;
    let request = form.request().target(|_| format!("/{BUCKET}"));
    assert_eq!(request.send().await.status, 201);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send_forms_and_read_the_answers() {
    let store = LocalStore::with_origins(&["https://a.example"]).await;
    let form = store.form(new_key(), b"12345", None).await;
    let asked = form
        .request
        .clone()
        .method("OPTIONS")
        .with("access-control-request-method", "POST")
        .with("origin", "https://a.example");
    let allowed = asked.send().await;
    assert_eq!(allowed.status, 200);
    let methods = allowed.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("POST"), "{methods}");
    for (file, status) in [(b"12345", 201), (b"12345", 412)] {
        let request = form.clone().file(file).request();
        let answer = request.with("origin", "https://a.example").send().await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://a.example")
        );
    }
}

#[tokio::test]
async fn a_client_that_asks_first_sends_its_form_and_a_connection_goes_on_behind_it() {
    let store = LocalStore::start().await;
    let mut connection = Connection::open(store.address).await;
    for _ in 0..2 {
        let form = store.form(new_key(), b"12345", None).await;
        let request = form.request().with("expect", "100-continue");
        connection.write(&request.head_bytes()).await;
        assert_eq!(connection.answer("POST").await.status, 100);
        connection.write(&request.body).await;
        assert_eq!(connection.answer("POST").await.status, 201);
    }
}
