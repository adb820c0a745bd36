//! Two uploads under one key, one after the other was deleted: what is said of the one is never true of
//! the other.

use std::fs;

use file_share::domain::ObjectKey;

use crate::support::local_store::{Answer, LocalStore, new_key};

fn place(store: &LocalStore, key: ObjectKey) -> std::path::PathBuf {
    let id = key.file_id().to_string();
    store
        .data_dir
        .path()
        .join(format!("objects/{}/{id}", &id[34..]))
}

fn version(answer: &Answer) -> String {
    answer.header("x-amz-version-id").unwrap().to_owned()
}

#[tokio::test]
async fn a_url_of_one_upload_never_brings_another_one_under_its_key() {
    let store = LocalStore::start().await;
    let key = new_key();
    let put = store.put(key, b"first").await;
    let first = put.send().await;
    assert_eq!(first.status, 200);
    let get_first = store.get_version(key, Some(&version(&first))).await;
    let got = get_first.send().await;
    assert_eq!((got.status, &got.body[..]), (200, &b"first"[..]));
    assert_eq!(version(&got), version(&first));
    fs::remove_dir_all(place(&store, key)).unwrap();
    assert_eq!(get_first.send().await.status, 404);

    let second = put.body(b"other").send().await;
    assert_eq!(second.status, 200);
    assert_ne!(version(&second), version(&first));
    assert_ne!(second.header("etag"), first.header("etag"));
    let gone = get_first.send().await;
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("<Code>NoSuchVersion</Code>"));
    // A record from before there were versions.
    let unversioned = store.get_version(key, None).await.send().await;
    assert!(unversioned.text().contains("<Code>NoSuchVersion</Code>"));
    let current = store.get(key).await.send().await;
    assert_eq!(current.body, b"other");
    assert_eq!(version(&current), version(&second));
    assert_eq!(current.header("etag"), second.header("etag"));
}

#[tokio::test]
async fn an_object_from_before_there_were_versions_comes_by_the_url_of_its_record() {
    let store = LocalStore::start().await;
    let key = new_key();
    fs::write(place(&store, key), b"old").unwrap();
    for get in [store.get(key).await, store.get_version(key, None).await] {
        let got = get.send().await;
        assert_eq!((got.status, &got.body[..]), (200, &b"old"[..]));
        assert_eq!(got.header("x-amz-version-id"), None);
        assert!(got.header("etag").is_some());
    }
    let refused = store.put(key, b"new").await.send().await;
    assert_eq!(refused.status, 412);
    let named = store.get_version(key, Some(&"0".repeat(32))).await;
    assert_eq!(named.send().await.status, 404);
}
