//! Items of one parent.

use super::{
    LIST_DELAY_LIMIT, LIST_POLL_INTERVAL, Store, get, item, later, moment, nth_of, parent, put,
};
use crate::domain::Timestamp;
use crate::item_store::{Item, ItemKey, ItemParent};

/// All that a list holds, page by page.
async fn walk(store: &Store, parent: &ItemParent, limit: usize, now: Timestamp) -> Vec<Item> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(parent, after.as_ref(), limit, now).await;
        let page = page.expect("a list is answered");
        assert!(page.items.len() <= limit);
        seen.extend(page.items);
        if page.next.is_none() {
            return seen;
        }
        assert!(page.next > after, "it goes on where it was");
        after = page.next;
    }
}

/// Waits until the list holds these items, because it may lag behind.
async fn comes_to_hold(store: &Store, parent: &ItemParent, expected: &[Item]) {
    let deadline = tokio::time::Instant::now() + LIST_DELAY_LIMIT;
    loop {
        let seen = walk(store, parent, 100, moment(0)).await;
        if seen == expected {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "expected {expected:?}, and it is still {seen:?}"
        );
        tokio::time::sleep(LIST_POLL_INTERVAL).await;
    }
}

async fn put_nth(store: &Store, parent: &ItemParent, order: &[usize]) -> Vec<Item> {
    let mut items = Vec::new();
    for n in order {
        items.push(put(store, nth_of(parent, *n)).await);
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items
}

pub async fn a_list_holds_its_items_in_the_order_of_their_keys_without_gaps(store: &Store) {
    let parent = parent();
    let items = put_nth(store, &parent, &[3, 0, 6, 1, 5, 2, 4]).await;
    comes_to_hold(store, &parent, &items).await;
    for limit in [1, 2, 3, 6, 7, 8, 100] {
        let seen = walk(store, &parent, limit, moment(0)).await;
        assert_eq!(seen, items, "{limit} at a time");
    }
}

pub async fn a_list_goes_on_behind_a_key_that_does_not_exist(store: &Store) {
    let parent = parent();
    let items = put_nth(store, &parent, &[1, 3]).await;
    comes_to_hold(store, &parent, &items).await;
    let behind = async |key: &ItemKey| {
        let page = store.list(&parent, Some(key), 10, moment(0)).await;
        page.unwrap().items
    };
    assert_eq!(behind(&nth_of(&parent, 0).key).await, items);
    assert_eq!(behind(&nth_of(&parent, 2).key).await, items[1..]);
    assert_eq!(behind(&items[0].key).await, items[1..]);
    assert_eq!(behind(&nth_of(&parent, 4).key).await, []);
}

pub async fn a_list_holds_no_other_items(store: &Store) {
    let (one, other) = (parent(), parent());
    let alone = put(store, item()).await;
    let of_one = put_nth(store, &one, &[0]).await;
    let of_other = put_nth(store, &other, &[0, 1]).await;
    comes_to_hold(store, &one, &of_one).await;
    comes_to_hold(store, &other, &of_other).await;
    comes_to_hold(store, &parent(), &[]).await;
    assert!(get(store, &alone).await.is_some());
}

pub async fn a_list_leaves_out_what_is_over_and_has_no_gap_there(store: &Store) {
    let parent = parent();
    let mut items = put_nth(store, &parent, &[0, 3, 6]).await;
    for n in [1, 2, 4, 5] {
        let short = Item {
            expires_at: moment(60),
            ..nth_of(&parent, n)
        };
        items.push(put(store, short).await);
    }
    items.sort_by(|a, b| a.key.cmp(&b.key));
    comes_to_hold(store, &parent, &items).await;
    let stay = |item: &Item| item.expires_at == later();
    let stay: Vec<_> = items.into_iter().filter(stay).collect();
    assert_eq!(stay.len(), 3);
    for limit in [1, 2, 3, 100] {
        assert_eq!(walk(store, &parent, limit, moment(60)).await, stay);
    }
}

pub async fn an_item_moves_from_list_to_list_and_out_of_them(store: &Store) {
    let (first, second) = (parent(), parent());
    let stays = put_nth(store, &first, &[1]).await;
    let mut seen = put(store, nth_of(&first, 0)).await;
    for to in [Some(&second), None, Some(&second)] {
        let moved = Item {
            parent: to.cloned(),
            ..seen
        };
        assert!(store.replace(&moved, moment(0)).await.unwrap());
        seen = get(store, &moved).await.expect("it is there");
        comes_to_hold(store, &first, &stays).await;
        let expected = to.map(|_| seen.clone());
        comes_to_hold(store, &second, expected.as_slice()).await;
    }
    assert!(store.remove(&seen.key, moment(0)).await.unwrap());
    comes_to_hold(store, &second, &[]).await;
}
