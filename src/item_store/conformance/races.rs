//! One key and many writers at once.
//!
//! Invariant: whatever the order turns out to be, each condition held for exactly the writers that were told so.

use std::sync::Arc;

use futures_util::future::join_all;

use super::{Store, get, item, later, moment, put};
use crate::item_store::{Item, ItemBody};

const WRITERS: usize = 32;

/// Runs the writers as tasks of their own, so that they can be on several threads at once.
async fn all_at_once<T, F>(writers: impl Iterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = writers.map(tokio::spawn).collect();
    let joined = join_all(tasks).await.into_iter();
    joined.map(|it| it.expect("no writer panics")).collect()
}

/// As many variants of the item as there are writers.
fn variants(of: &Item) -> impl Iterator<Item = Item> + use<'_> {
    (0..WRITERS).map(|writer| Item {
        body: ItemBody::of(&writer).expect("a valid body"),
        ..of.clone()
    })
}

pub async fn of_many_new_items_with_one_key_exactly_one_wins(store: &Store) {
    let base = item();
    assert_eq!(winners_of_put(store, &base, 0).await, 1);
}

pub async fn of_many_new_items_in_the_place_of_one_that_is_over_exactly_one_wins(store: &Store) {
    let over = Item {
        expires_at: moment(60),
        ..item()
    };
    let over = put(store, over).await;
    let base = Item {
        expires_at: later(),
        ..over
    };
    assert_eq!(winners_of_put(store, &base, 60).await, 1);
}

async fn winners_of_put(store: &Store, base: &Item, seconds: i64) -> usize {
    let outcomes = all_at_once(variants(base).map(|it| {
        let (store, it) = (Arc::clone(store), it.with_fresh_version());
        async move {
            let won = store.put_new(&it, moment(seconds)).await;
            won.expect("a put is answered").then_some(it)
        }
    }))
    .await;
    let winners: Vec<_> = outcomes.into_iter().flatten().collect();
    let stored = get(store, base).await.expect("somebody won");
    assert!(winners.contains(&stored), "{winners:?}");
    winners.len()
}

pub async fn of_many_replacements_with_one_version_exactly_one_wins(store: &Store) {
    let read = put(store, item()).await;
    let outcomes = all_at_once(variants(&read).map(|it| {
        let store = Arc::clone(store);
        async move {
            let won = store.replace(&it, moment(0)).await;
            won.expect("a replacement is answered").then_some(it.body)
        }
    }))
    .await;
    let winners: Vec<_> = outcomes.into_iter().flatten().collect();
    let stored = get(store, &read).await.expect("it is there");
    assert_eq!(winners, [stored.body]);
}

pub async fn of_many_who_count_in_one_item_no_step_is_lost(store: &Store) {
    const COUNTERS: usize = 8;
    let start = Item {
        body: ItemBody::of(&0).expect("a valid body"),
        ..item()
    };
    let start = put(store, start).await;
    all_at_once((0..COUNTERS).map(|_| {
        let (store, start) = (Arc::clone(store), start.clone());
        async move {
            loop {
                let seen = get(&store, &start).await.expect("it is there");
                let count: usize = seen.body.read().expect("a number");
                let counted = Item {
                    body: ItemBody::of(&(count + 1)).expect("a valid body"),
                    ..seen
                };
                if store.replace(&counted, moment(0)).await.unwrap() {
                    return;
                }
            }
        }
    }))
    .await;
    let stored = get(store, &start).await.expect("it is there");
    assert_eq!(stored.body.read(), Ok(COUNTERS));
}
