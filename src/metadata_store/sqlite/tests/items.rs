//! Small items on a real file: the suite of their port, and that they and the records don't meet.

use rusqlite::{Connection, StatementStatus, named_params};

use super::super::items::{GET_ITEM, ITEMS_OF_PARENT, REMOVE_ITEMS_OVER};
use super::file::raw;
use super::*;
use crate::item_store::conformance::{Fixture, item};
use crate::item_store::{Item, ItemKey, ItemKind, ItemList, ItemParent, ItemStore};
use crate::metadata_store::conformance::moment;

mod contract {
    crate::item_store_conformance!(super::open_items);
}

async fn open_items() -> Fixture {
    let (directory, store) = new_store();
    Fixture {
        store: Arc::new(store),
        keep: Box::new(directory),
    }
}

fn nth(n: usize) -> Item {
    Item {
        key: ItemKey::new(ItemKind::Token, &format!("{n:06}")).unwrap(),
        parent: Some(ItemParent::new(ItemList::Tokens, "usr_a").unwrap()),
        expires_at: moment(n as i64),
        ..item()
    }
}

fn count(directory: &TempDir) -> i64 {
    let count = "SELECT count(*) FROM items";
    raw(directory)
        .query_row(count, [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn an_item_is_kept_over_a_stop_and_is_in_no_list_of_files() {
    let (directory, store) = new_store();
    let item = item();
    assert!(store.put_new(&item, moment(0)).await.unwrap());
    drop(store);
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    let got = ItemStore::get(&store, &item.key, moment(0)).await;
    assert_eq!(got.unwrap(), Some(item));
    for status in [None, Some(Status::Pending), Some(Status::Available)] {
        let request = PageRequest {
            owner: None,
            status,
            before: None,
            limit: 10,
        };
        let page = store.page(request).await.unwrap();
        assert_eq!((page.records, page.next), (Vec::new(), None));
    }
    let due = store.due_records(Timestamp::MAX_UTC, None, 10).await;
    assert_eq!(due.unwrap(), []);
}

#[tokio::test]
async fn items_that_are_over_go_with_those_that_come() {
    let (directory, store) = new_store();
    for n in 1..=100 {
        assert!(store.put_new(&nth(n), moment(0)).await.unwrap());
    }
    assert_eq!(count(&directory), 100);
    // All are over but the last; each that comes takes up to eight along.
    for n in 1_000..1_020 {
        assert!(store.put_new(&nth(n), moment(99)).await.unwrap());
    }
    assert_eq!(count(&directory), 21);
}

#[tokio::test]
async fn no_question_about_items_scans_or_sorts_and_each_costs_the_same_among_many() {
    let (directory, store) = new_store();
    let connection = raw(&directory);
    let steps = |connection: &Connection, sql: &str, params: &[(&str, &dyn rusqlite::ToSql)]| {
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = statement.query(params).unwrap();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        assert_eq!(
            statement.get_status(StatementStatus::FullscanStep),
            0,
            "{sql}"
        );
        assert_eq!(statement.get_status(StatementStatus::Sort), 0, "{sql}");
        statement.get_status(StatementStatus::VmStep)
    };
    let all = || {
        let (nothing, now) = (i64::MIN, moment(0).timestamp_millis());
        [
            steps(
                &connection,
                GET_ITEM,
                named_params! { ":key": "token#000050", ":now": now },
            ),
            steps(
                &connection,
                ITEMS_OF_PARENT,
                named_params! { ":parent": "tokens#usr_a", ":after": "token#000010", ":limit": 20 },
            ),
            steps(
                &connection,
                REMOVE_ITEMS_OVER,
                named_params! { ":now": nothing, ":limit": 8 },
            ),
        ]
    };
    let put = async |range: std::ops::RangeInclusive<usize>| {
        for n in range {
            assert!(store.put_new(&nth(n), moment(0)).await.unwrap());
        }
    };
    put(1..=100).await;
    let among_few = all();
    put(101..=2_000).await;
    assert_eq!(all(), among_few);
}

#[tokio::test]
async fn an_item_that_can_not_be_read_is_named_and_does_not_take_the_list_away() {
    let (directory, store) = new_store();
    for n in 1..=5 {
        assert!(store.put_new(&nth(n), moment(0)).await.unwrap());
    }
    let damaged = "UPDATE items SET body = '{' WHERE key = 'token#000003'";
    raw(&directory).execute(damaged, []).unwrap();
    let got = ItemStore::get(&store, &nth(3).key, moment(0)).await;
    assert!(matches!(got, Err(StoreError::Corrupt { .. })));
    let parent = nth(1).parent.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&parent, after.as_ref(), 1, moment(0)).await;
        let page = page.unwrap();
        seen.extend(page.items.into_iter().map(|item| item.key));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 4, 5].map(|n| nth(n).key));
}
