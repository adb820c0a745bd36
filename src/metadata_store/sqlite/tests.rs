//! What SQLite itself has to hold, besides the suite that every metadata store passes.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use rusqlite::{StatementStatus, params};

use rusqlite::Connection;

use super::*;
use crate::domain::{
    ContentLength, ContentType, FileName, FileState, MAX_CONTENT_LENGTH, RejectionReason,
    Sha256Digest, StoredObject, VersionId, from_millis,
};
use crate::metadata_store::conformance::{Fixture, Isolation};

async fn open(_: Isolation) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    Fixture {
        store: Arc::new(SqliteMetadataStore::open(&dir.path().join("metadata.sqlite")).unwrap()),
        keep: Box::new(dir),
    }
}

crate::metadata_store_conformance!(open);

fn at(millis: i64) -> Timestamp {
    from_millis(1_790_000_000_000 + millis).unwrap()
}

fn record(millis: i64, state: FileState) -> FileRecord {
    FileRecord {
        id: FileId::new(at(millis)),
        filename: FileName::parse("a.txt").unwrap(),
        declared_length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
        content_type: ContentType::parse("text/plain").unwrap(),
        declared_sha256: None,
        upload_expires_at: at(900_000),
        state,
        review_at: Some(at(60_000)),
    }
}

fn first_page(limit: usize) -> PageRequest {
    PageRequest {
        status: None,
        before: None,
        limit,
    }
}

/// Fills the table in one transaction, past the writer: a test of reads needs no durable rows.
fn fill(path: &Path, count: i64) {
    let mut connection = schema::open_for_writing(path).unwrap();
    let transaction = connection.transaction().unwrap();
    for number in 0..count {
        statements::insert(&transaction, &record(number, FileState::Pending)).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.sqlite");
    let written = record(0, FileState::Pending);
    let store = SqliteMetadataStore::open(&path).unwrap();
    store.insert(&written).await.unwrap();
    drop(store);
    assert!(
        !path.with_extension("sqlite-wal").exists(),
        "the log was moved into the file"
    );
    let store = SqliteMetadataStore::open(&path).unwrap();
    assert_eq!(store.get(written.id).await.unwrap(), Some(written));
}

#[tokio::test]
async fn an_answered_write_is_seen_by_other_connections_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.sqlite");
    let store = SqliteMetadataStore::open(&path).unwrap();
    let other = schema::open_for_reading(&path).unwrap();
    for number in 0..50 {
        let written = record(number, FileState::Pending);
        store.insert(&written).await.unwrap();
        assert_eq!(statements::get(&other, written.id).unwrap(), Some(written));
    }
}

#[tokio::test]
async fn a_write_that_fails_takes_none_of_its_group_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&dir.path().join("metadata.sqlite")).unwrap();
    let bad = store
        .writer
        .write(|connection| connection.execute("INSERT INTO nowhere VALUES (1)", []));
    let records: Vec<_> = (0..20).map(|n| record(n, FileState::Pending)).collect();
    let good = futures_util::future::join_all(records.iter().map(|r| store.insert(r)));
    let (bad, good) = tokio::join!(bad, good);
    assert!(matches!(bad, Err(StoreError::Unavailable { .. })));
    assert!(good.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_full_disk_is_told_to_everybody_in_the_group_and_nothing_is_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&dir.path().join("metadata.sqlite")).unwrap();
    let pages: i64 = store
        .writer
        .write(|connection| {
            let pages = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            connection.pragma_update(None, "max_page_count", pages)?;
            Ok(pages)
        })
        .await
        .unwrap();
    assert!(pages > 0);
    let records: Vec<_> = (0..200).map(|n| record(n, FileState::Pending)).collect();
    let outcomes = futures_util::future::join_all(records.iter().map(|r| store.insert(r))).await;
    assert!(
        outcomes
            .iter()
            .any(|o| matches!(o, Err(StoreError::OutOfSpace { .. })))
    );
    for (record, outcome) in records.iter().zip(&outcomes) {
        let stored = store.get(record.id).await.unwrap();
        assert_eq!(
            stored.is_some(),
            outcome.is_ok(),
            "what was answered is what is there"
        );
    }
    // Room again: the same store goes on.
    store
        .writer
        .write(|connection| connection.pragma_update(None, "max_page_count", 1_000_000))
        .await
        .unwrap();
    store
        .insert(&record(1_000, FileState::Pending))
        .await
        .unwrap();
}

#[tokio::test]
async fn more_writes_than_the_queue_holds_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&dir.path().join("metadata.sqlite")).unwrap();
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let held = store.writer.write(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    let flood = async {
        let records: Vec<_> = (0..2_000).map(|n| record(n, FileState::Pending)).collect();
        let inserts = records.iter().map(|r| store.insert(r));
        let mut inserts = Box::pin(futures_util::future::join_all(inserts));
        // One poll queues them all; the gate opens only after that.
        let pending = futures_util::poll!(&mut inserts).is_pending();
        assert!(pending);
        assert!(store.check().await.is_err());
        release.send(()).unwrap();
        inserts.await
    };
    let (held, outcomes) = tokio::join!(held, flood);
    held.unwrap();
    let refused = outcomes
        .iter()
        .filter(|o| matches!(o, Err(StoreError::Unavailable { .. })))
        .count();
    assert!((900..=1_100).contains(&refused), "{refused} were refused");
    assert_eq!(
        outcomes.iter().filter(|o| o.is_ok()).count(),
        2_000 - refused
    );
    store.check().await.unwrap();
}

#[test]
fn the_file_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.sqlite");
    let _store = SqliteMetadataStore::open(&path).unwrap();
    for name in [
        "metadata.sqlite",
        "metadata.sqlite-wal",
        "metadata.sqlite-shm",
    ] {
        let mode = dir
            .path()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_file_of_another_program_or_a_newer_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign.sqlite");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();
    let newer = dir.path().join("newer.sqlite");
    drop(SqliteMetadataStore::open(&newer).unwrap());
    Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let text = dir.path().join("text.sqlite");
    std::fs::write(
        &text,
        "not a database, and long enough to be read as one".repeat(100),
    )
    .unwrap();
    for path in [foreign, newer, text] {
        let before = std::fs::read(&path).unwrap();
        let refused = SqliteMetadataStore::open(&path).map(drop);
        assert!(
            matches!(refused, Err(StoreError::Corrupt { .. })),
            "{path:?}: {refused:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_damaged_row_is_said_to_be_one_and_the_others_stay_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.sqlite");
    let store = SqliteMetadataStore::open(&path).unwrap();
    let (good, bad) = (record(0, FileState::Pending), record(1, FileState::Pending));
    store.insert(&good).await.unwrap();
    store.insert(&bad).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute(
            "UPDATE files SET content_type = 'nonsense' WHERE id = ?1",
            params![bad.id.as_bytes()],
        )
        .unwrap();
    assert!(matches!(
        store.get(bad.id).await,
        Err(StoreError::Corrupt { .. })
    ));
    assert_eq!(store.get(good.id).await.unwrap(), Some(good));
}

#[test]
fn no_page_and_no_review_scans_or_sorts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.sqlite");
    fill(&path, 10);
    let connection = schema::open_for_reading(&path).unwrap();
    for sql in [
        statements::get_sql(),
        statements::page_sql(),
        statements::page_by_status_sql(),
        statements::DUE_FOR_REVIEW_SQL.to_owned(),
    ] {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let plan: Vec<String> = statement
            .raw_query()
            .mapped(|row| row.get(3))
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let plan = plan.join("; ");
        assert!(plan.contains("SEARCH"), "{sql}: {plan}");
        assert!(
            !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
            "{sql}: {plan}"
        );
    }
}

/// The steps of SQLite's machine that a page costs: the same on every machine, however busy.
fn steps_of_page(path: &Path, before: [u8; 16]) -> i32 {
    let connection = schema::open_for_reading(path).unwrap();
    let mut statement = connection.prepare(&statements::page_sql()).unwrap();
    let rows = statement
        .query_map(params![before, 51], row::record)
        .unwrap();
    assert_eq!(rows.map(Result::unwrap).count(), 51);
    statement.get_status(StatementStatus::VmStep)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_records_are_paged_once_each_while_others_are_added() {
    const RECORDS: i64 = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.sqlite");
    fill(&path, RECORDS);
    let store = Arc::new(SqliteMetadataStore::open(&path).unwrap());

    let adding = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for number in 0..2_000 {
                store
                    .insert(&record(RECORDS + number, FileState::Pending))
                    .await
                    .unwrap();
            }
        }
    });
    let mut request = first_page(100);
    let mut seen = BTreeSet::new();
    let mut previous = None;
    loop {
        let page = store.page(request).await.unwrap();
        for record in page.records {
            assert!(previous.is_none_or(|p| record.id < p), "newest first");
            previous = Some(record.id);
            assert!(seen.insert(record.id), "shown twice");
        }
        match page.next {
            Some(next) => request.before = Some(next),
            None => break,
        }
    }
    adding.await.unwrap();
    let there_before = seen
        .iter()
        .filter(|id| id.created_at() < at(RECORDS))
        .count();
    assert_eq!(there_before, usize::try_from(RECORDS).unwrap());

    let first = steps_of_page(&path, [0xFF; 16]);
    let deep = steps_of_page(&path, *seen.iter().nth(60).unwrap().as_bytes());
    let small = dir.path().join("small.sqlite");
    fill(&small, 100);
    assert_eq!(first, deep, "a page at the end costs what the first costs");
    assert_eq!(
        first,
        steps_of_page(&small, [0xFF; 16]),
        "and what one of a hundred records costs"
    );
}

fn states() -> impl Strategy<Value = FileState> {
    let moment = (0_i64..1 << 40).prop_map(|millis| from_millis(millis).unwrap());
    prop_oneof![
        Just(FileState::Pending),
        (
            any::<[u8; 32]>(),
            proptest::option::of("[!-~]{1,40}"),
            moment.clone()
        )
            .prop_map(|(digest, version, at)| {
                FileState::Available(StoredObject {
                    sha256: Sha256Digest::from_bytes(digest),
                    version_id: version.map(VersionId),
                    uploaded_at: at,
                })
            }),
        (".{1,60}", moment.clone()).prop_map(|(reason, expires_at)| FileState::Rejected {
            reason: RejectionReason(reason),
            expires_at,
        }),
        moment
            .clone()
            .prop_map(|expires_at| FileState::Expired { expires_at }),
        moment.prop_map(|expires_at| FileState::Deleted { expires_at }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_reads_back_as_it_was(
        state in states(),
        name in "\\PC{1,40}",
        length in 0..=MAX_CONTENT_LENGTH,
        digest in proptest::option::of(any::<[u8; 32]>()),
        review in proptest::option::of(0_i64..1 << 40),
    ) {
        let Ok(filename) = FileName::parse(&name) else { return Ok(()) };
        let record = FileRecord {
            filename,
            declared_length: ContentLength::new(length, MAX_CONTENT_LENGTH).unwrap(),
            declared_sha256: digest.map(Sha256Digest::from_bytes),
            review_at: review.map(|millis| from_millis(millis).unwrap()),
            ..record(0, state)
        };
        let dir = tempfile::tempdir().unwrap();
        let connection = schema::open_for_writing(&dir.path().join("metadata.sqlite")).unwrap();
        prop_assert!(statements::insert(&connection, &record).unwrap());
        prop_assert_eq!(statements::get(&connection, record.id).unwrap(), Some(record));
    }
}
