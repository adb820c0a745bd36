//! One item and its time.

use super::{Store, get, item, later, moment, parent, put, unique};
use crate::item_store::{
    Item, ItemBody, ItemKey, ItemKind, MAX_ITEM_BODY_BYTES, MAX_ITEM_ID_BYTES,
};

pub async fn an_item_reads_back_as_it_was_put(store: &Store) {
    let alone = put(store, item()).await;
    let listed = Item {
        parent: Some(parent()),
        ..item()
    };
    let listed = put(store, listed).await;
    for item in [alone, listed] {
        assert_eq!(get(store, &item).await, Some(item));
    }
}

pub async fn the_largest_item_there_can_be_reads_back(store: &Store) {
    let id = format!("{:-<width$}", unique(), width = MAX_ITEM_ID_BYTES);
    let body = format!("\"{}\"", "é".repeat(MAX_ITEM_BODY_BYTES / 2 - 1));
    let item = Item {
        key: ItemKey::new(ItemKind::Pairing, &id).expect("a valid ID"),
        parent: Some(parent()),
        body: ItemBody::new(body).expect("a valid body"),
        ..item()
    };
    let item = put(store, item).await;
    assert_eq!(get(store, &item).await, Some(item));
}

pub async fn a_key_that_was_never_put_is_absent(store: &Store) {
    assert_eq!(get(store, &item()).await, None);
}

pub async fn a_key_is_taken_until_its_item_is_over_or_removed(store: &Store) {
    let first = put(store, item()).await;
    let second = Item {
        key: first.key.clone(),
        parent: Some(parent()),
        expires_at: later() + chrono::TimeDelta::hours(1),
        ..item()
    };
    let just_before = first.expires_at - chrono::TimeDelta::milliseconds(1);
    assert!(!store.put_new(&second, just_before).await.unwrap());
    assert_eq!(get(store, &first).await, Some(first.clone()));
    assert!(store.put_new(&second, first.expires_at).await.unwrap());
    assert_eq!(get(store, &second).await, Some(second.clone()));
    assert!(store.remove(&second.key, moment(0)).await.unwrap());
    assert!(store.put_new(&first, moment(0)).await.unwrap());
    assert_eq!(get(store, &first).await, Some(first));
}

pub async fn an_item_is_over_from_the_moment_itself(store: &Store) {
    let item = put(store, item()).await;
    let just_before = item.expires_at - chrono::TimeDelta::milliseconds(1);
    let at = async |now| store.get(&item.key, now).await.unwrap();
    assert_eq!(at(just_before).await.as_ref(), Some(&item));
    assert_eq!(at(item.expires_at).await, None);
}

pub async fn an_item_that_is_over_is_neither_replaced_nor_removed(store: &Store) {
    let item = put(store, item()).await;
    let prolonged = Item {
        expires_at: later() + chrono::TimeDelta::hours(1),
        ..item.clone()
    };
    assert!(!store.replace(&prolonged, item.expires_at).await.unwrap());
    assert!(!store.remove(&item.key, item.expires_at).await.unwrap());
}

pub async fn a_replacement_changes_all_but_the_key(store: &Store) {
    let item = put(store, item()).await;
    let changed = Item {
        parent: Some(parent()),
        expires_at: later() + chrono::TimeDelta::minutes(5),
        body: ItemBody::of(&[1, 2]).expect("a valid body"),
        ..item.clone()
    };
    assert!(store.replace(&changed, moment(0)).await.unwrap());
    let stored = get(store, &item).await.expect("it is there");
    assert_ne!(stored.version, item.version);
    let expected = Item {
        version: stored.version,
        ..changed
    };
    assert_eq!(stored, expected);
}

pub async fn a_replacement_holds_only_for_the_version_that_was_read(store: &Store) {
    let read = put(store, item()).await;
    assert!(store.replace(&read, moment(0)).await.unwrap());
    let stored = get(store, &read).await;
    // The same again, of somebody who read it before.
    assert!(!store.replace(&read, moment(0)).await.unwrap());
    assert_eq!(get(store, &read).await, stored);
    assert!(store.replace(&stored.unwrap(), moment(0)).await.unwrap());
}

pub async fn a_key_that_is_used_again_is_not_replaced_by_who_read_what_was_there_before(
    store: &Store,
) {
    let before = put(store, item()).await;
    assert!(store.remove(&before.key, moment(0)).await.unwrap());
    let after = Item {
        key: before.key.clone(),
        ..item()
    };
    let after = put(store, after).await;
    assert!(!store.replace(&before, moment(0)).await.unwrap());
    assert_eq!(get(store, &after).await, Some(after));
}

pub async fn what_is_absent_is_neither_replaced_nor_removed(store: &Store) {
    let item = item();
    assert!(!store.replace(&item, moment(0)).await.unwrap());
    assert!(!store.remove(&item.key, moment(0)).await.unwrap());
    assert_eq!(get(store, &item).await, None);
}

pub async fn an_item_is_removed_once(store: &Store) {
    let item = put(store, item()).await;
    assert!(store.remove(&item.key, moment(0)).await.unwrap());
    assert_eq!(get(store, &item).await, None);
    assert!(!store.remove(&item.key, moment(0)).await.unwrap());
}

pub async fn keys_of_different_kinds_are_different_keys(store: &Store) {
    let id = unique();
    let mut items = Vec::new();
    for kind in ItemKind::ALL {
        let item = Item {
            key: ItemKey::new(kind, &id).expect("a valid ID"),
            ..item()
        };
        items.push(put(store, item).await);
    }
    assert!(store.remove(&items[0].key, moment(0)).await.unwrap());
    for item in items.drain(1..) {
        assert_eq!(get(store, &item).await, Some(item));
    }
}
