//! What a presigned PUT does.

use std::sync::Arc;

use file_share::domain::{MAX_CONTENT_LENGTH, ObjectKey};
use file_share::presigned_url::BucketUrl;
use futures_util::future::join_all;

use crate::support::local_store::{Connection, LocalStore, Request, digest_of, new_key};

#[tokio::test]
async fn a_put_stores_the_bytes_and_tells_the_finalizer() {
    let mut store = LocalStore::start().await;
    let key = new_key();
    let answer = store
        .put_with_digest(key, b"12345", b"12345")
        .await
        .send()
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.body, b"");
    assert_eq!(answer.header("x-amz-request-id").map(str::len), Some(16));
    assert_eq!(
        answer.header("x-amz-checksum-sha256"),
        Some(digest_of(b"12345").to_base64().as_str())
    );
    let etag = answer.header("etag").unwrap().to_owned();
    assert_eq!(store.uploaded.recv().await, Some(key));
    assert_eq!(store.files(), [b"12345"]);
    let got = store.get(key).await.send().await;
    assert_eq!(got.body, b"12345");
    assert_eq!(got.header("etag"), Some(etag.as_str()));
}

#[tokio::test]
async fn sizes_from_nothing_to_the_limit_come_back_as_they_were() {
    let mut store = LocalStore::start().await;
    let largest = usize::try_from(MAX_CONTENT_LENGTH).unwrap();
    for size in [0, 1, 262_143, 262_144, 262_145, largest] {
        let mut bytes = vec![0; size];
        fastrand::Rng::with_seed(7).fill(&mut bytes);
        let key = new_key();
        let put = store.put_with_digest(key, &bytes, &bytes).await;
        assert_eq!(put.send().await.status, 200, "{size}");
        assert_eq!(store.uploaded.recv().await, Some(key));
        let got = store.get(key).await.send().await;
        assert_eq!((got.status, got.body.len()), (200, size));
        assert!(got.body == bytes, "{size}");
    }
}

#[tokio::test]
async fn a_url_is_good_until_its_last_second() {
    let store = LocalStore::start().await;
    let put = store.put(new_key(), b"12345").await;
    store.clock.advance(std::time::Duration::from_secs(898));
    assert_eq!(put.send().await.status, 200);
}

#[tokio::test]
async fn a_second_put_is_refused_and_changes_nothing() {
    let mut store = LocalStore::start().await;
    let key = new_key();
    let first = store.put(key, b"first").await;
    assert_eq!(first.send().await.status, 200);
    assert_eq!(store.uploaded.recv().await, Some(key));
    let second = first.body(b"other").send().await;
    assert_eq!(second.status, 412);
    assert!(second.text().contains("<Code>PreconditionFailed</Code>"));
    assert!(
        second
            .text()
            .contains("<Condition>If-None-Match</Condition>")
    );
    assert_eq!(store.files(), [b"first"]);
    assert!(store.uploaded.try_recv().is_err());
}

/// Sends what each of 64 writers has, all at a time. A writer's bytes are its number.
pub(super) async fn one_of_64_wins<const SIZE: usize>(
    store: &mut LocalStore,
    key: ObjectKey,
    request: impl Fn(u8) -> Request,
    when: &str,
) {
    let writers = (0..64_u8).map(|writer| {
        let request = request(writer);
        tokio::spawn(async move { (writer, request.send().await.status) })
    });
    let mut winners = Vec::new();
    for outcome in join_all(writers).await {
        match outcome.unwrap() {
            (writer, 200 | 201) => winners.push(writer),
            (_, status) => assert_eq!(status, 412),
        }
    }
    assert_eq!(winners.len(), 1, "{when}");
    assert_eq!(store.uploaded.recv().await, Some(key));
    assert!(store.uploaded.try_recv().is_err());
    assert_eq!(store.get(key).await.send().await.body, [winners[0]; SIZE]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_writers_on_one_url_exactly_one_wins_in_each_of_50_rounds() {
    const SIZE: usize = 1000;
    let mut store = LocalStore::start().await;
    for round in 0..50 {
        let key = new_key();
        let put = store.put(key, &[0; SIZE]).await;
        let writer = |writer: u8| put.clone().body(&[writer; SIZE]);
        one_of_64_wins::<SIZE>(&mut store, key, writer, &format!("round {round}")).await;
    }
    assert_eq!(store.files().len(), 50);
}

#[tokio::test]
async fn bytes_beyond_the_signed_length_never_become_part_of_the_file() {
    let store = LocalStore::start().await;
    let put = store
        .put(new_key(), b"12345")
        .await
        .body(b"12345SMUGGLED\r\n\r\n");
    let mut connection = Connection::open(store.address).await;
    assert_eq!(connection.send(&put).await.status, 200);
    assert_eq!(store.files(), [b"12345"]);
    // What follows is taken for another request, and isn't one.
    let next = connection.try_answer("PUT").await;
    assert!(next.is_none_or(|answer| answer.status == 400));
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let mut store = LocalStore::start().await;
    let body = vec![1; 1_000_000];
    let put = store.put(new_key(), &body).await;
    for sent in [0, 1, 300_000, 999_999] {
        let mut connection = Connection::open(store.address).await;
        connection.write(&put.head_bytes()).await;
        connection.write(&body[..sent]).await;
        drop(connection);
        store.assert_nothing_stored().await;
    }
    // The URL hasn't been used up.
    assert_eq!(put.send().await.status, 200);
}

#[tokio::test]
async fn an_upload_that_ends_early_is_answered_if_at_all_with_incomplete_body() {
    let mut store = LocalStore::start().await;
    let put = store.put(new_key(), b"12345").await;
    let mut connection = Connection::open(store.address).await;
    connection.write(&put.head_bytes()).await;
    connection.write(b"1234").await;
    tokio::io::AsyncWriteExt::shutdown(&mut connection.0)
        .await
        .unwrap();
    if let Some(answer) = connection.try_answer("PUT").await {
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("<Code>IncompleteBody</Code>"));
    }
    store.assert_nothing_stored().await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_is_refused_at_once() {
    let mut store = LocalStore::start().await;
    let key = new_key();
    let put = store
        .put(key, b"12345")
        .await
        .with("expect", "100-continue");
    let mut connection = Connection::open(store.address).await;
    connection.write(&put.head_bytes()).await;
    assert_eq!(connection.answer("PUT").await.status, 100);
    connection.write(&put.body).await;
    assert_eq!(connection.answer("PUT").await.status, 200);
    assert_eq!(store.uploaded.recv().await, Some(key));
    // Taken now, which is known before a byte has to be sent.
    let mut connection = Connection::open(store.address).await;
    connection.write(&put.head_bytes()).await;
    let refused = connection.answer("PUT").await;
    assert_eq!(refused.status, 412);
    assert_eq!(refused.header("connection"), Some("close"));
}

#[tokio::test]
async fn an_upload_is_accepted_when_the_finalizer_is_behind() {
    let mut store = LocalStore::start().await;
    for _ in 0..70 {
        assert_eq!(store.put(new_key(), b"x").await.send().await.status, 200);
    }
    assert_eq!(store.files().len(), 70);
    let mut told = 0;
    while store.uploaded.try_recv().is_ok() {
        told += 1;
    }
    assert_eq!(told, 64);
}

#[tokio::test]
async fn urls_and_files_survive_a_restart() {
    let public = BucketUrl::path_style("http://files.example.org", "a-bucket").unwrap();
    let data_dir = Arc::new(tempfile::tempdir().unwrap());
    let mut store = LocalStore::start_in(Arc::clone(&data_dir), Some(public.clone()), &[]).await;
    let key = store.stored(b"12345").await;
    let (mut get, mut put) = (store.get(key).await, store.put(new_key(), b"67").await);
    store.stop().await;
    let store = LocalStore::start_in(data_dir, Some(public), &[]).await;
    (get.address, put.address) = (store.address, store.address);
    assert_eq!(get.send().await.body, b"12345");
    assert_eq!(put.send().await.status, 200);
    // Behind a proxy that sends its own name for the host.
    assert_eq!(get.with("host", "10.0.0.1:8000").send().await.status, 200);
}
