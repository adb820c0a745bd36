//! The file: what it holds after a stop or a crash, who may read it, and what is refused.

use rusqlite::Connection;

use super::*;
use crate::metadata_store::conformance::{every_state, in_state, keyed_request, moment};

pub(super) fn raw(directory: &TempDir) -> Connection {
    Connection::open(file_in(directory)).unwrap()
}

async fn fill(store: &SqliteMetadataStore) -> Vec<FileRecord> {
    let mut records = Vec::new();
    for state in every_state() {
        let record = in_state(pending(-10), state);
        store.insert(&record).await.unwrap();
        records.push(record);
    }
    records
}

async fn assert_holds(store: &SqliteMetadataStore, records: &[FileRecord]) {
    for record in records {
        assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(record));
    }
}

pub(super) fn refusal(directory: &TempDir) -> String {
    match SqliteMetadataStore::open(&file_in(directory)) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.chain(),
    }
}

#[tokio::test]
async fn reopening_keeps_every_record_and_leaves_one_file_behind() {
    let (directory, store) = new_store();
    let records = fill(&store).await;
    drop(store);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["metadata.sqlite"]);

    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    assert_holds(&store, &records).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_on_the_file_when_the_process_dies() {
    let (directory, store) = new_store();
    let records = fill(&store).await;
    // What a process leaves that ends here, with the log not yet moved into the file.
    let after_crash = tempfile::tempdir().unwrap();
    for name in ["metadata.sqlite", "metadata.sqlite-wal"] {
        std::fs::copy(directory.path().join(name), after_crash.path().join(name)).unwrap();
    }
    let reopened = SqliteMetadataStore::open(&file_in(&after_crash)).unwrap();
    assert_holds(&reopened, &records).await;
}

/// What a killed process leaves, but with a copy from before in place of its database.
async fn older_copy_beside_a_newer_log() -> (TempDir, Vec<u8>) {
    let (directory, store) = new_store();
    let copy = directory.path().join("copy");
    for _ in 0..200 {
        store.insert(&pending(-10)).await.unwrap();
    }
    raw(&directory)
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    for _ in 0..200 {
        fill(&store).await;
    }
    let killed = tempfile::tempdir().unwrap();
    let copy = std::fs::read(copy).unwrap();
    std::fs::write(file_in(&killed), &copy).unwrap();
    let log = "metadata.sqlite-wal";
    std::fs::copy(directory.path().join(log), killed.path().join(log)).unwrap();
    (killed, copy)
}

#[tokio::test]
async fn a_copy_from_before_beside_the_log_of_a_newer_file_is_refused_and_left_as_it_is() {
    let (directory, copy) = older_copy_beside_a_newer_log().await;
    for _ in 0..2 {
        let refused = refusal(&directory);
        assert!(refused.contains("metadata.sqlite-wal"), "{refused}");
        let read_only = SqliteMetadataStore::open_read_only(&file_in(&directory));
        let read_only = read_only.err().unwrap().chain();
        assert!(read_only.contains("metadata.sqlite-wal"), "{read_only}");
        assert!(std::fs::read(file_in(&directory)).unwrap() == copy);
    }
    // As it says: without the other's log it is the copy that it was.
    for companion in ["metadata.sqlite-wal", "metadata.sqlite-shm"] {
        let _ = std::fs::remove_file(directory.path().join(companion));
    }
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    let page = PageRequest {
        owner: None,
        status: None,
        before: None,
        limit: 100,
    };
    assert_eq!(store.page(page).await.unwrap().records.len(), 100);
}

#[tokio::test]
async fn an_acknowledged_write_is_seen_by_every_other_connection_at_once() {
    let (directory, store) = new_store();
    let other = raw(&directory);
    for count in 1..=20 {
        store.insert(&pending(0)).await.unwrap();
        let seen: i64 = other
            .query_row("SELECT count(*) FROM files", [], |row| row.get(0))
            .unwrap();
        assert_eq!(seen, count);
    }
}

#[tokio::test]
async fn commits_reach_the_disk_before_they_are_answered() {
    let (_directory, store) = new_store();
    let settings = store
        .writer
        .write(Kind::Adds, |connection| {
            let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            let synchronous =
                connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
            Ok::<(String, i64), _>((mode, synchronous))
        })
        .await
        .unwrap();
    assert_eq!(settings, ("wal".to_owned(), 2));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    // One that was there before, and is too open.
    std::fs::write(file_in(&directory), "").unwrap();
    std::fs::set_permissions(file_in(&directory), PermissionsExt::from_mode(0o644)).unwrap();
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    store.insert(&pending(0)).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert_eq!(seen, 4, "the file, its log, the log's index, and the note");
}

#[test]
fn that_pages_are_given_back_is_written_with_what_a_new_file_gets_anyway() {
    let directory = tempfile::tempdir().unwrap();
    let new = raw(&directory);
    vacuum::prepare(&new).unwrap();
    let length = || std::fs::metadata(file_in(&directory)).unwrap().len();
    assert_eq!(length(), 0, "written in a transaction of its own");
    new.execute_batch("PRAGMA journal_mode = wal").unwrap();
    drop(new);
    assert_eq!(schema::pragma(&raw(&directory), "auto_vacuum"), Ok(2));
}

#[tokio::test]
async fn keys_that_are_over_are_removed_by_the_inserts_that_follow() {
    let (directory, store) = new_store();
    let count = || {
        raw(&directory)
            .query_row("SELECT count(*) FROM idempotency_keys", [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap()
    };
    let insert = async |name: &str, now: i64| {
        let request = keyed_request(name, 60);
        let inserted = store.insert_keyed(&pending(0), &request, moment(now)).await;
        assert_eq!(inserted.unwrap(), KeyedInsert::Inserted);
    };
    for i in 0..100 {
        insert(&i.to_string(), 0).await;
    }
    assert_eq!(count(), 100);
    // What is over at the time of these is removed, a bounded part at a time.
    for i in 0..100 {
        let request = KeyedRequest {
            expires_at: moment(200),
            ..keyed_request(&format!("later-{i}"), 60)
        };
        let inserted = store.insert_keyed(&pending(0), &request, moment(60)).await;
        assert_eq!(inserted.unwrap(), KeyedInsert::Inserted);
        if i == 0 {
            assert!((80..100).contains(&count()), "{}", count());
        }
    }
    assert_eq!(count(), 100);
}

#[tokio::test]
async fn a_keyed_insert_that_fails_half_way_leaves_neither_record_nor_key() {
    let (directory, store) = new_store();
    raw(&directory)
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON idempotency_keys
             BEGIN SELECT RAISE(FAIL, 'a test says no'); END",
        )
        .unwrap();
    let record = pending(0);
    let other = pending(0);
    let request = keyed_request("a", 60);
    // In one group with a write that succeeds.
    let (failed, inserted) = tokio::join!(
        store.insert_keyed(&record, &request, moment(0)),
        store.insert(&other)
    );
    assert!(failed.is_err());
    inserted.unwrap();
    assert_eq!(store.get(record.id).await.unwrap(), None);
    assert_eq!(store.get(other.id).await.unwrap(), Some(other));
    raw(&directory).execute_batch("DROP TRIGGER full").unwrap();
    let again = store.insert_keyed(&record, &request, moment(0)).await;
    assert_eq!(again.unwrap(), KeyedInsert::Inserted);
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    raw(&directory)
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    let before = std::fs::read(file_in(&directory)).unwrap();
    let message = refusal(&directory);
    assert!(message.contains("another program"), "{message}");
    assert_eq!(std::fs::read(file_in(&directory)).unwrap(), before);

    std::fs::write(
        file_in(&directory),
        "Dear diary, this is no database.".repeat(40),
    )
    .unwrap();
    let message = refusal(&directory);
    assert!(message.contains("can't be read"), "{message}");
}

#[test]
fn a_directory_that_does_not_exist_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing").join("metadata.sqlite");
    assert!(matches!(
        SqliteMetadataStore::open(&missing),
        Err(StoreError::Unavailable { .. })
    ));
}

#[tokio::test]
async fn a_damaged_row_is_an_error_by_itself_and_does_not_hide_the_others() {
    for damage in [
        "filename = '../x'",
        "filename = ''",
        "declared_length = 99999999999",
        "content_type = 'x'",
        "declared_sha256 = x'00'",
        "upload_expires_at = 9223372036854775807",
        "status = 'lost'",
        "status = 'available'",
        "sha256 = NULL",
        "uploaded_at = NULL",
        "filename = CAST(x'ff' AS TEXT)",
    ] {
        let (directory, store) = new_store();
        let records = fill(&store).await;
        let damaged = &records[1];
        let connection = raw(&directory);
        connection
            .pragma_update(None, "ignore_check_constraints", 1)
            .unwrap();
        // A pending record that calls itself available, or an available one without its parts.
        let target = if damage == "status = 'available'" {
            &records[0]
        } else {
            damaged
        };
        let changed = connection
            .execute(
                &format!("UPDATE files SET {damage} WHERE id = ?1"),
                [target.id.as_bytes()],
            )
            .unwrap();
        assert_eq!(changed, 1);

        let answer = store.get(target.id).await;
        assert!(
            matches!(answer, Err(StoreError::Corrupt { .. })),
            "{damage}: {answer:?}"
        );
        let request = PageRequest {
            owner: None,
            status: None,
            before: None,
            limit: 3,
        };
        let first = store.page(request).await.unwrap();
        let rest = store
            .page(PageRequest {
                before: first.next,
                ..request
            })
            .await
            .unwrap();
        let mut shown: Vec<_> = first.records.into_iter().chain(rest.records).collect();
        let mut expected: Vec<_> = records[..5]
            .iter()
            .filter(|record| record.id != target.id)
            .cloned()
            .collect();
        shown.sort_by_key(|record| record.id);
        expected.sort_by_key(|record| record.id);
        assert_eq!(shown, expected, "{damage}");
    }
}

#[tokio::test]
async fn a_read_only_store_reads_with_and_without_the_owner_and_writes_nothing() {
    let (directory, store) = new_store();
    let records = fill(&store).await;
    let read_only = SqliteMetadataStore::open_read_only(&file_in(&directory)).unwrap();
    assert_holds(&read_only, &records).await;
    // What comes later is seen as well.
    let later = pending(1);
    store.insert(&later).await.unwrap();
    assert_holds(&read_only, std::slice::from_ref(&later)).await;
    read_only.insert(&pending(2)).await.unwrap_err();
    drop(store);
    assert_holds(&read_only, &records).await;
    let page = PageRequest {
        owner: None,
        status: Some(Status::Available),
        before: None,
        limit: 10,
    };
    assert!(!read_only.page(page).await.unwrap().records.is_empty());
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["metadata.sqlite"]);
    // The owner comes back.
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    store
        .delete(
            later.id,
            later.upload_expires_at,
            later.upload_expires_at,
            std::time::Duration::ZERO,
            later.upload_expires_at,
        )
        .await
        .unwrap();
    let now = read_only.get(later.id).await.unwrap().unwrap();
    assert_eq!(now.status(), Status::Deleted);
}

#[test]
fn a_read_only_store_makes_no_file_and_refuses_what_opening_refuses() {
    let directory = tempfile::tempdir().unwrap();
    assert!(SqliteMetadataStore::open_read_only(&file_in(&directory)).is_err());
    assert!(!file_in(&directory).exists());
    raw(&directory)
        .execute_batch("CREATE TABLE notes (text TEXT)")
        .unwrap();
    let refused = SqliteMetadataStore::open_read_only(&file_in(&directory));
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
}

#[test]
fn what_was_read_while_another_process_began_to_write_does_not_count() {
    let (directory, store) = new_store();
    drop(store);
    let read = read_only::read(&file_in(&directory), |_| {
        // Kept open beyond the read.
        Ok(SqliteMetadataStore::open(&file_in(&directory)).unwrap())
    });
    assert!(read.is_err());
}
