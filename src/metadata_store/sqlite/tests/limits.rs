//! How many records may be pending and how many messages may wait, and that room which they took is given back.

use std::time::{Duration, Instant};

use super::*;
use crate::metadata_store::conformance::{every_settlement, keyed_request, moment};
use crate::metadata_store::outbox::{Message, MessageId, Outbox};

const LIMIT: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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
        .delete(record.id, moment(0), moment(1), Duration::ZERO, moment(0))
        .await;
    assert!(deleted.unwrap());
    // A second deletion gives nothing back.
    let again = store
        .delete(record.id, moment(0), moment(1), Duration::ZERO, moment(0))
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

fn with_room_for(directory: &TempDir, max_messages: u64) -> SqliteMetadataStore {
    let options = SqliteOptions {
        max_messages,
        ..SqliteOptions::default()
    };
    SqliteMetadataStore::open_with(&file_in(directory), options).unwrap()
}

fn message(name: &str) -> Message {
    let id = MessageId::parse(&format!("msg_{name}")).unwrap();
    Message::new(id, "{}".into(), moment(0)).unwrap()
}

async fn waiting(store: &SqliteMetadataStore) -> Vec<String> {
    let due = store.due_messages(moment(1), 100).await.unwrap();
    due.iter().map(|it| it.id.to_string()).collect()
}

#[tokio::test]
async fn what_waits_to_be_told_stays_and_what_there_is_no_room_for_is_left_out_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_room_for(&directory, 2);
    let (one, two) = (pending(0), pending(0));
    store.insert(&one).await.unwrap();
    store.insert(&two).await.unwrap();
    let settle = |record: &FileRecord| every_settlement(record)[0].clone();
    let messages = [message("a"), message("b"), message("c")];
    let change = settle(&one);
    let told = store.transition_told(one.id, &change, &messages);
    assert_eq!(told.await.unwrap(), TransitionOutcome::Applied);
    assert_eq!(waiting(&store).await, ["msg_a", "msg_b"]);
    assert_eq!(store.outbox.total_left_out(), 1);
    // Whatever there is no room for, the change itself is made.
    let messages = [message("d")];
    let change = settle(&two);
    let told = store.transition_told(two.id, &change, &messages);
    assert_eq!(told.await.unwrap(), TransitionOutcome::Applied);
    let messages = [message("e")];
    let told = store.delete_told(one.id, moment(1), moment(9), DAY, moment(1), &messages);
    assert!(told.await.unwrap());
    store.add_message(&message("f")).await.unwrap();
    assert_eq!(store.outbox.total_left_out(), 4);
    // What waits already is no more by being told again, and nothing is left out of what isn't made.
    store.add_message(&message("a")).await.unwrap();
    let messages = [message("g")];
    let again = store.delete_told(one.id, moment(1), moment(9), DAY, moment(1), &messages);
    assert!(!again.await.unwrap());
    assert_eq!(waiting(&store).await, ["msg_a", "msg_b"]);
    assert_eq!(store.outbox.total_left_out(), 4);
    drop(store);

    // A start counts what is there.
    let store = with_room_for(&directory, 2);
    store.add_message(&message("h")).await.unwrap();
    assert_eq!(store.outbox.total_left_out(), 1);
    for _ in 0..2 {
        store.remove_message(&message("a").id).await.unwrap();
    }
    store.add_message(&message("i")).await.unwrap();
    store.add_message(&message("j")).await.unwrap();
    assert_eq!(waiting(&store).await, ["msg_b", "msg_i"]);
    assert_eq!(store.outbox.total_left_out(), 2);
}

#[tokio::test]
async fn a_change_that_fails_takes_no_room_of_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let store = with_room_for(&directory, 1);
    let record = pending(0);
    store.insert(&record).await.unwrap();
    let ended = |connection: &rusqlite::Connection| connection.execute("ROLLBACK", []);
    // In one group with what ends its transaction, or before it.
    let first = message("a");
    let (added, ended) = tokio::join!(
        store.add_message(&first),
        store.writer.write(Kind::Adds, ended)
    );
    assert!(ended.is_err());
    drop(added);
    let there = waiting(&store).await.len();
    for name in ["b", "c"] {
        store.add_message(&message(name)).await.unwrap();
    }
    assert_eq!(waiting(&store).await.len(), 1);
    assert_eq!(store.outbox.total_left_out(), 1 + there as u64);
}
