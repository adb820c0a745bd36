//! What reads and writes cost: a page or a batch of due records is as dear among a hundred thousand records as
//! among few. Counted in steps of SQLite's virtual machine, which no busy machine can falsify.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, StatementStatus, ToSql};

use super::super::hand_ins::PAGE_OF_BOX;
use super::super::outbox::{DUE_MESSAGES, MESSAGES_AFTER};
use super::super::row::{self, INSERT};
use super::super::statements::{
    ABOVE_ALL_IDS, DELETE, DUE_RECORDS, GET, PAGE_BY_STATUS, PAGE_OF_OWNER, PAGE_OF_VISIBLE,
    PAGE_OF_WITHDRAWN, TRANSITION,
};
use super::*;
use crate::metadata_store::MAX_PAGE;
use crate::metadata_store::conformance::{every_state, in_state, moment};

const MANY: i64 = 100_000;

/// Every fifth is a tombstone, every fifth available, and so on; created a second apart.
fn nth(n: i64) -> FileRecord {
    let mut record = in_state(pending(-n), every_state()[n.rem_euclid(5) as usize].clone());
    if record.reconcile_at.is_some() {
        record.reconcile_at = Some(moment(-n));
    }
    // Every other one is a person's.
    record.owned_by((n % 2 == 0).then(person))
}

fn person() -> UserId {
    UserId::of("https://id.example.org", "alice")
}

/// Adds records in the store's own way, many to a command.
async fn insert_all(store: &SqliteMetadataStore, records: &[FileRecord]) {
    for chunk in records.chunks(5_000) {
        let chunk = chunk.to_vec();
        let inserted = store.writer.write(Kind::Adds, move |connection| {
            chunk
                .iter()
                .try_for_each(|record| row::insert(connection, record).map(drop))
        });
        inserted.await.unwrap();
    }
}

/// The steps that a statement takes to its last row, with the number of rows.
fn steps(connection: &Connection, sql: &str, params: &[(&str, &dyn ToSql)]) -> (i32, usize) {
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query(params).unwrap();
    let mut count = 0;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    drop(rows);
    assert_eq!(statement.get_status(StatementStatus::FullscanStep), 0);
    assert_eq!(statement.get_status(StatementStatus::Sort), 0);
    (statement.get_status(StatementStatus::VmStep), count)
}

/// The steps of every question, each for 50 rows from the place of the `n`th record on.
fn steps_of_each(connection: &Connection, n: i64) -> Vec<(&'static str, i32)> {
    let before = *FileId::new(moment(-n)).as_bytes();
    let (until, after_at) = (
        moment(0).timestamp_millis(),
        moment(-n - 500).timestamp_millis(),
    );
    let visible: &[(&str, &dyn ToSql)] = &[(":before", &before), (":limit", &50)];
    let by_status: &[(&str, &dyn ToSql)] = &[
        (":status", &"rejected"),
        (":before", &before),
        (":limit", &50),
    ];
    let owner = person().to_string();
    let of_owner: &[(&str, &dyn ToSql)] =
        &[(":owner", &owner), (":before", &before), (":limit", &50)];
    let due: &[(&str, &dyn ToSql)] = &[
        (":until", &until),
        (":after_at", &after_at),
        (":after_id", &ABOVE_ALL_IDS),
        (":limit", &50),
    ];
    [
        ("visible", PAGE_OF_VISIBLE, visible),
        ("by status", PAGE_BY_STATUS, by_status),
        ("of a person", PAGE_OF_OWNER, of_owner),
        ("due", DUE_RECORDS, due),
    ]
    .into_iter()
    .map(|(name, sql, params)| {
        let (steps, rows) = steps(connection, sql, params);
        assert_eq!(rows, 50, "{name}");
        (name, steps)
    })
    .collect()
}

#[tokio::test]
async fn no_question_scans_or_sorts() {
    let (directory, _store) = new_store();
    let connection = Connection::open(file_in(&directory)).unwrap();
    for (sql, along) in [
        (GET, "SEARCH files USING PRIMARY KEY (id=?)"),
        (
            PAGE_OF_VISIBLE,
            "SEARCH files USING INDEX files_visible (id<?)",
        ),
        (
            PAGE_BY_STATUS,
            "SEARCH files USING INDEX files_by_status (status=? AND id<?)",
        ),
        (
            PAGE_OF_WITHDRAWN,
            "SEARCH files USING INDEX files_withdrawn (id<?)",
        ),
        (
            PAGE_OF_OWNER,
            "SEARCH files USING INDEX files_by_owner (owner=? AND id<?)",
        ),
        (
            PAGE_OF_BOX,
            "SEARCH files USING INDEX files_by_box (box_id=? AND id<?)",
        ),
        (
            DUE_RECORDS,
            "SEARCH files USING COVERING INDEX files_by_review ((review_at,id)>(?,?) AND review_at<?)",
        ),
        (
            DUE_MESSAGES,
            "SEARCH outbox USING INDEX outbox_by_due (due_at<?)",
        ),
        (
            MESSAGES_AFTER,
            "SEARCH outbox USING INDEX outbox_by_due (due_at>?)",
        ),
    ] {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let plan: Vec<String> = statement
            .raw_query()
            .mapped(|row| row.get("detail"))
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(plan, [along]);
    }
}

#[tokio::test]
async fn a_write_builds_no_tables_to_check_a_row() {
    let (directory, _store) = new_store();
    let connection = Connection::open(file_in(&directory)).unwrap();
    let opcodes = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
        let rows = statement.raw_query().mapped(|row| row.get("opcode"));
        rows.collect::<Result<_, _>>().unwrap()
    };
    let builds = |sql: &str| opcodes(sql).iter().any(|code| code == "OpenEphemeral");
    // What a check with `IN` comes to.
    assert!(builds(
        "SELECT 1 FROM files WHERE status IN ('a', 'b', 'c')"
    ));
    for sql in [INSERT, TRANSITION, DELETE] {
        assert!(!builds(sql), "{sql}");
    }
}

#[tokio::test]
async fn a_question_costs_the_same_among_many_records_and_deep_among_them() {
    let (directory, store) = new_store();
    let records: Vec<_> = (0..MANY).map(nth).collect();
    insert_all(&store, &records[..1_000]).await;
    let connection = Connection::open(file_in(&directory)).unwrap();
    let among_few = steps_of_each(&connection, 0);
    insert_all(&store, &records[1_000..]).await;
    for n in [0, 50_000, MANY - 1_000] {
        assert_eq!(steps_of_each(&connection, n), among_few, "{n} records deep");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_records_are_each_on_one_page_while_others_are_added() {
    let (_directory, store) = new_store();
    let store = Arc::new(store);
    let earlier: Vec<_> = (1..=MANY).map(nth).collect();
    insert_all(&store, &earlier).await;

    let stop = Arc::new(AtomicBool::new(false));
    let adding = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut added = 0;
            while !stop.load(Ordering::Relaxed) {
                store.insert(&pending(added)).await.unwrap();
                store.insert(&pending(-added * 1_000 % MANY)).await.unwrap();
                added += 1;
            }
            added
        }
    });

    let mut shown = Vec::new();
    let mut before = None;
    loop {
        let request = PageRequest {
            owner: None,
            status: None,
            before,
            limit: MAX_PAGE,
        };
        let page = store.page(request).await.unwrap();
        shown.extend(page.records.into_iter().map(|record| record.id));
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(adding.await.unwrap() > 0);

    assert!(shown.is_sorted_by(|a, b| a > b), "out of order or doubled");
    let shown: HashSet<_> = shown.into_iter().collect();
    for record in &earlier {
        let visible = record.status() != Status::Deleted;
        assert_eq!(shown.contains(&record.id), visible, "{record:?}");
    }
}
