//! The writer: groups, a queue that is full, a disk that is full, a commit that fails, the end.

use std::sync::mpsc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use rusqlite::params;

use super::super::writer::QUEUE_LENGTH;
use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// Holds the writer up inside of a command, until the sender is dropped. What is written meanwhile
/// waits in the queue and then joins the command's group.
async fn hold(store: &Arc<SqliteMetadataStore>) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (started, running) = tokio::sync::oneshot::channel();
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let mut started = Some(started);
        let waiting = move |_: &rusqlite::Connection| {
            let _ = started.take().map(|started| started.send(()));
            let _ = held.recv_timeout(LIMIT);
            Ok(())
        };
        // Some tests have its group fail.
        let _ = store.writer.write(Kind::Adds, waiting).await;
    });
    running.await.unwrap();
    release
}

fn shared_store() -> (TempDir, Arc<SqliteMetadataStore>) {
    let (directory, store) = new_store();
    (directory, Arc::new(store))
}

#[tokio::test]
async fn a_command_that_fails_takes_no_other_of_its_group_with_it() {
    let (_directory, store) = shared_store();
    let release = hold(&store).await;
    let records: Vec<_> = (0..20).map(pending).collect();
    let inserts = join_all(records.iter().map(|record| store.insert(record)));
    let failing = store.writer.write(Kind::Adds, |connection| {
        connection.execute("UPDATE files SET declared_length = -1", [])
    });
    let twice = store.insert(&records[3]);
    // Polled in order: ten before the failing one would be no different from twenty.
    let all = async { tokio::join!(inserts, failing, twice) };
    tokio::pin!(all);
    assert!(all.as_mut().now_or_never().is_none(), "the writer is held");
    drop(release);
    let (inserts, failing, twice) = all.await;

    assert!(failing.is_err());
    assert!(matches!(twice, Err(StoreError::AlreadyExists { .. })));
    for (outcome, record) in inserts.into_iter().zip(&records) {
        outcome.unwrap();
        assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(record));
    }
}

#[tokio::test]
async fn nothing_is_visible_or_answered_before_its_commit() {
    let (_directory, store) = shared_store();
    let record = pending(0);
    let release = hold(&store).await;
    let mut insert = store.insert(&record);
    assert!(insert.as_mut().now_or_never().is_none());
    assert_eq!(store.get(record.id).await.unwrap(), None);
    drop(release);
    insert.await.unwrap();
    assert_eq!(store.get(record.id).await.unwrap(), Some(record));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_holds() {
    let (_directory, store) = shared_store();
    let release = hold(&store).await;
    let records: Vec<_> = (0..QUEUE_LENGTH).map(|i| pending(i as i64)).collect();
    let mut inserts: Vec<_> = records.iter().map(|record| store.insert(record)).collect();
    for insert in &mut inserts {
        assert!(insert.as_mut().now_or_never().is_none());
    }
    let refused = store.insert(&pending(0)).now_or_never();
    assert!(
        matches!(refused, Some(Err(StoreError::Unavailable { .. }))),
        "{refused:?}"
    );

    drop(release);
    for outcome in join_all(inserts).await {
        outcome.unwrap();
    }
    store.insert(&pending(0)).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_fails_its_group_and_no_later_one() {
    let (_directory, store) = shared_store();
    store
        .writer
        .write(Kind::Adds, |connection| {
            connection.execute_batch(
                "CREATE TEMP TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TEMP TABLE child (
                     parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED
                 );",
            )
        })
        .await
        .unwrap();
    let release = hold(&store).await;
    let record = pending(0);
    let insert = store.insert(&record);
    // The reference is looked at when the transaction commits.
    let dangling = store.writer.write(Kind::Adds, |connection| {
        connection.execute("INSERT INTO child VALUES (1)", [])
    });
    let group = async { tokio::join!(insert, dangling) };
    tokio::pin!(group);
    assert!(group.as_mut().now_or_never().is_none());
    drop(release);
    let (insert, dangling) = group.await;
    assert!(
        matches!(insert, Err(StoreError::Unavailable { .. })),
        "{insert:?}"
    );
    assert!(dangling.is_err());
    assert_eq!(store.get(record.id).await.unwrap(), None);

    store.insert(&record).await.unwrap();
    assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(&record));
}

#[tokio::test]
async fn a_transaction_that_ends_by_itself_fails_what_was_in_it_and_nothing_that_follows() {
    let (_directory, store) = shared_store();
    let release = hold(&store).await;
    let records = [pending(0), pending(1)];
    let before = store.insert(&records[0]);
    // What SQLite does by itself after some I/O errors.
    let ended = store
        .writer
        .write(Kind::Adds, |connection| connection.execute("ROLLBACK", []));
    let after = store.insert(&records[1]);
    let group = async { tokio::join!(before, ended, after) };
    tokio::pin!(group);
    assert!(group.as_mut().now_or_never().is_none());
    drop(release);
    let (before, ended, after) = group.await;
    assert!(before.is_err() && ended.is_err(), "{before:?}, {ended:?}");
    assert_eq!(store.get(records[0].id).await.unwrap(), None);
    after.unwrap();
    store.insert(&records[0]).await.unwrap();
    for record in &records {
        assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(record));
    }
}

#[tokio::test]
async fn a_group_that_can_not_begin_says_why_and_is_over() {
    let (directory, store) = shared_store();
    let other = rusqlite::Connection::open(file_in(&directory)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.insert(&pending(0)).await.unwrap_err();
    assert!(
        format!("{refused:?}").contains("DatabaseBusy"),
        "{refused:?}"
    );
    other.execute_batch("ROLLBACK").unwrap();
    store.insert(&pending(0)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_stops_no_reader() {
    let (_directory, store) = shared_store();
    let limit_pages = |pages: i64| {
        store.writer.write(Kind::Adds, move |connection| {
            connection.query_row(
                &format!("PRAGMA max_page_count = {pages}"),
                params![],
                |_| Ok(()),
            )
        })
    };
    limit_pages(20).await.unwrap();
    let mut kept = Vec::new();
    let refusal = loop {
        let record = pending(kept.len() as i64);
        match store.insert(&record).await {
            Ok(()) => kept.push(record),
            Err(error) => break error,
        }
        assert!(kept.len() < 10_000, "the disk never filled up");
    };
    assert!(
        matches!(refusal, StoreError::OutOfSpace { .. }),
        "{}",
        refusal.chain()
    );
    for record in &kept {
        assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(record));
    }
    store.check().await.unwrap();

    limit_pages(1_000).await.unwrap();
    store.insert(&pending(0)).await.unwrap();
}

#[tokio::test]
async fn dropping_the_store_finishes_what_is_queued() {
    let (directory, store) = shared_store();
    let release = hold(&store).await;
    let records: Vec<_> = (0..300).map(pending).collect();
    for record in &records {
        // The caller gives up; the write is queued all the same.
        assert!(store.insert(record).now_or_never().is_none());
    }
    drop(release);
    // The held command's task has the other reference and lets go of it when it is answered.
    let mut store = store;
    let last = loop {
        match Arc::try_unwrap(store) {
            Ok(last) => break last,
            Err(shared) => store = shared,
        }
        tokio::task::yield_now().await;
    };
    drop(last);
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    for record in &records {
        assert_eq!(store.get(record.id).await.unwrap().as_ref(), Some(record));
    }
}

#[tokio::test]
async fn a_writer_that_died_shows_in_the_check_and_in_every_write() {
    let (_directory, store) = shared_store();
    let died = store.writer.write(Kind::Adds, |_| -> rusqlite::Result<()> {
        panic!("a bug, for this test")
    });
    assert!(matches!(died.await, Err(StoreError::Unavailable { .. })));
    let refused = store.insert(&pending(0)).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable { .. })),
        "{refused:?}"
    );
    tokio::time::timeout(LIMIT, async {
        while store.check().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the check goes on as if nothing had happened");
}
