//! The count of what everybody has: in a database of a program before, and where it can't be kept.

use super::*;
use crate::domain::Quota;
use crate::metadata_store::conformance::{keyed_request, moment};
use crate::metadata_store::usage::{ChargedInsert, NewRecord, UsageStore};

const NO_END: Quota = Quota {
    max_files: Some(u64::MAX),
    max_bytes: Some(u64::MAX),
};

/// As a program before had it in a database with quotas.
const TRIGGER_ADDS: &str = "
CREATE TRIGGER usage_added AFTER INSERT ON files
WHEN NEW.owner IS NOT NULL AND (NEW.status = 'pending' OR NEW.status = 'available')
BEGIN
    INSERT INTO owner_usage (owner, files, bytes) VALUES (NEW.owner, 1, NEW.declared_length)
        ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;
";

fn person() -> UserId {
    UserId::of("https://id.example.org", "alice")
}

fn reopened(directory: &TempDir, usage: KeepUsage) -> SqliteMetadataStore {
    let options = SqliteOptions {
        usage,
        ..SqliteOptions::default()
    };
    SqliteMetadataStore::open_with(&file_in(directory), options).unwrap()
}

async fn tampered(store: &SqliteMetadataStore, sql: &'static str) {
    let tamper = move |connection: &rusqlite::Connection| connection.execute_batch(sql);
    store.writer.write(Kind::Adds, tamper).await.unwrap();
}

fn of_person() -> FileRecord {
    pending(0).owned_by(Some(person()))
}

async fn add(
    store: &SqliteMetadataStore,
    record: &FileRecord,
) -> Result<ChargedInsert, StoreError> {
    let new = NewRecord {
        record,
        request: None,
        max_files_in_box: None,
        now: moment(0),
    };
    store.insert_charged(new, &NO_END).await
}

#[tokio::test]
async fn a_database_whose_triggers_counted_what_was_added_counts_it_once() {
    let directory = tempfile::tempdir().unwrap();
    for (n, usage) in [(1, KeepUsage::Yes), (2, KeepUsage::AsBefore)] {
        let store = reopened(&directory, KeepUsage::Yes);
        tampered(&store, TRIGGER_ADDS).await;
        drop(store);
        let store = reopened(&directory, usage);
        let added = add(&store, &of_person()).await;
        assert_eq!(added.unwrap(), ChargedInsert::Inserted);
        assert_eq!(store.usage(person()).await.unwrap().files, n as u64);
        let recounted = store.recount().await.unwrap();
        assert!(
            recounted.iter().all(|it| it.kept == it.counted),
            "{recounted:?}"
        );
    }
}

#[tokio::test]
async fn where_quotas_are_turned_off_and_on_again_what_was_added_between_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    for usage in [KeepUsage::Yes, KeepUsage::No, KeepUsage::No] {
        let store = reopened(&directory, usage);
        store.insert(&of_person()).await.unwrap();
    }
    let store = reopened(&directory, KeepUsage::Yes);
    assert_eq!(store.usage(person()).await.unwrap().files, 3);
}

#[tokio::test]
async fn a_record_that_cannot_be_counted_is_not_added() {
    let directory = tempfile::tempdir().unwrap();
    let store = reopened(&directory, KeepUsage::Yes);
    let added = add(&store, &of_person()).await;
    assert_eq!(added.unwrap(), ChargedInsert::Inserted);
    // What is above the largest number there is doesn't fit its column.
    tampered(&store, "UPDATE owner_usage SET bytes = 9223372036854775807").await;
    let (charged, plain, keyed) = (of_person(), of_person(), of_person());
    assert!(add(&store, &charged).await.is_err());
    assert!(store.insert(&plain).await.is_err());
    let request = keyed_request("a-key-of-one", 60);
    let with_key = store.insert_keyed(&keyed, &request, moment(0)).await;
    assert!(with_key.is_err());
    for record in [charged, plain, keyed] {
        assert_eq!(store.get(record.id).await.unwrap(), None);
    }
    let nobodys = pending(4);
    store.insert(&nobodys).await.unwrap();
    assert_eq!(store.get(nobodys.id).await.unwrap(), Some(nobodys));
}
