//! How many records may be pending, and that room which they took is given back.

use std::time::{Duration, Instant};

use super::*;
use crate::metadata_store::conformance::{keyed_request, moment};

const LIMIT: Duration = Duration::from_secs(30);

fn limited(directory: &TempDir, max_pending: u64) -> SqliteMetadataStore {
    let options = SqliteOptions {
        max_pending: Some(max_pending),
        ..SqliteOptions::default()
    };
    SqliteMetadataStore::open_with(&file_in(directory), options).unwrap()
}

async fn is_refused(store: &SqliteMetadataStore) -> bool {
    match store.insert(&pending(0)).await {
        Ok(()) => false,
        Err(StoreError::TooManyPending { .. }) => true,
        Err(error) => panic!("{}", error.chain()),
    }
}

#[tokio::test]
async fn the_count_of_pending_records_is_exact_whatever_fails_and_after_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = limited(&directory, 3);
    let record = pending(0);
    store.insert(&record).await.unwrap();
    // None of these is one more.
    store.insert(&record).await.unwrap_err();
    let ended = |connection: &rusqlite::Connection| connection.execute("ROLLBACK", []);
    let another = pending(0);
    let (_, ended) = tokio::join!(
        store.insert(&another),
        store.writer.write(Kind::Adds, ended)
    );
    assert!(ended.is_err());
    let count = |store: &SqliteMetadataStore| {
        store
            .readers
            .point(|connection| {
                let sql = "SELECT count(*) FROM files WHERE status = 'pending'";
                connection.query_row(sql, [], |row| row.get::<_, i64>(0))
            })
            .unwrap()
    };
    while count(&store) < 3 {
        assert!(!is_refused(&store).await);
    }
    assert!(is_refused(&store).await);
    let earlier = keyed_request("a", 60);
    let refused = store.insert_keyed(&pending(0), &earlier, moment(0)).await;
    assert!(matches!(refused, Err(StoreError::TooManyPending { .. })));
    drop(store);

    let store = limited(&directory, 3);
    assert!(is_refused(&store).await);
    let deleted = store
        .delete(record.id, moment(0), moment(1), Duration::ZERO)
        .await;
    assert!(deleted.unwrap());
    // A second deletion gives nothing back.
    let again = store
        .delete(record.id, moment(0), moment(1), Duration::ZERO)
        .await;
    assert!(!again.unwrap());
    assert!(!is_refused(&store).await);
    assert!(is_refused(&store).await);
    assert_eq!(count(&store), 3);
}

#[tokio::test]
async fn a_file_gets_shorter_again_when_its_records_are_gone() {
    let (directory, store) = new_store();
    let length = || std::fs::metadata(file_in(&directory)).unwrap().len();
    store
        .writer
        .write(Kind::Adds, |connection| {
            for n in 0..30_000 {
                row::insert(connection, &pending(n))?;
            }
            Ok(())
        })
        .await
        .unwrap();
    // A stop moves the log into the file.
    drop(store);
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    let full = length();
    let emptied = |connection: &rusqlite::Connection| connection.execute("DELETE FROM files", []);
    store.writer.write(Kind::Essential, emptied).await.unwrap();
    assert!(full > 4 * 1024 * 1024, "{full}");
    let deadline = Instant::now() + LIMIT;
    while length() > full / 3 {
        assert!(
            Instant::now() < deadline,
            "{} of {full} bytes stay",
            length()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
