//! The suite that every [`ItemStore`] passes: each sentence of the port's contract as a behaviour that is a test
//! of its own.
//!
//! A store takes part with one line in its tests, [`item_store_conformance!`], and a function that opens a store
//! for one test.
//!
//! Invariant: a behaviour asserts what the port says and nothing about how a store does it. It uses keys and
//! lists of its own, so it stands whatever else lies in the same store, and it waits for what a list shows.
//!
//! Absent on purpose: faults, which are tested beside each store, and that items aren't files, which is for
//! those who know the records.
//!
//! [`item_store_conformance!`]: crate::item_store_conformance

#![allow(
    clippy::unwrap_used,
    reason = "a suite is a test: it fails where it unwraps"
)]
#![allow(
    missing_docs,
    reason = "a behaviour's name is the sentence that it checks"
)]

mod life;
mod lists;
mod races;

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Item, ItemBody, ItemKey, ItemKind, ItemList, ItemParent, ItemStore};
use crate::clock::{Clock, SystemClock};
use crate::domain::Timestamp;

pub use life::*;
pub use lists::*;
pub use races::*;

/// How long a list may take to show what was written.
const LIST_DELAY_LIMIT: Duration = Duration::from_secs(20);
const LIST_POLL_INTERVAL: Duration = Duration::from_millis(20);

type Store = Arc<dyn ItemStore>;

/// A store for one test, with whatever must live as long as it does.
pub struct Fixture {
    /// The store that the behaviour is tried on.
    pub store: Store,
    /// A temporary directory, a server. Dropped last.
    pub keep: Box<dyn Any + Send>,
}

/// Makes one test of every behaviour. `$open` is an `async fn() -> Fixture`.
#[macro_export]
macro_rules! item_store_conformance {
    ($open:path) => {
        $crate::item_store_conformance! { @tests $open;
            an_item_reads_back_as_it_was_put
            the_largest_item_there_can_be_reads_back
            a_key_that_was_never_put_is_absent
            a_key_is_taken_until_its_item_is_over_or_removed
            an_item_is_over_from_the_moment_itself
            an_item_that_is_over_is_neither_replaced_nor_removed
            a_replacement_changes_all_but_the_key
            a_replacement_holds_only_for_the_version_that_was_read
            a_key_that_is_used_again_is_not_replaced_by_who_read_what_was_there_before
            what_is_absent_is_neither_replaced_nor_removed
            an_item_is_removed_once
            keys_of_different_kinds_are_different_keys
            a_list_holds_its_items_in_the_order_of_their_keys_without_gaps
            a_list_goes_on_behind_a_key_that_does_not_exist
            a_list_holds_no_other_items
            a_list_leaves_out_what_is_over_and_has_no_gap_there
            an_item_moves_from_list_to_list_and_out_of_them
            of_many_new_items_with_one_key_exactly_one_wins
            of_many_new_items_in_the_place_of_one_that_is_over_exactly_one_wins
            of_many_replacements_with_one_version_exactly_one_wins
            of_many_who_count_in_one_item_no_step_is_lost
        }
    };
    (@tests $open:path; $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let fixture: $crate::item_store::conformance::Fixture = $open().await;
                $crate::item_store::conformance::$behaviour(&fixture.store).await;
                drop(fixture);
            }
        )*
    };
}

/// A moment near the present, moved by `seconds`. Near, because a store may remove by itself what is over.
pub fn moment(seconds: i64) -> Timestamp {
    static BASE: OnceLock<Timestamp> = OnceLock::new();
    *BASE.get_or_init(|| SystemClock.now()) + chrono::TimeDelta::seconds(seconds)
}

/// When the items of this suite are over, if nothing else is said: an hour from now, and some milliseconds.
fn later() -> Timestamp {
    moment(60 * 60) + chrono::TimeDelta::milliseconds(7)
}

/// A name that nobody else has.
fn unique() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn key() -> ItemKey {
    ItemKey::new(ItemKind::Token, &unique()).expect("a valid ID")
}

fn parent() -> ItemParent {
    ItemParent::new(ItemList::Tokens, &unique()).expect("a valid name")
}

/// An item under a key of its own, in no list.
pub fn item() -> Item {
    let body = ItemBody::of(&serde_json::json!({"label": "Ä \" \\ \u{1}", "n": 1}));
    Item::new(key(), None, later(), body.expect("a valid body"))
}

/// One in this list, under the `n`th key of it.
fn nth_of(parent: &ItemParent, n: usize) -> Item {
    let id = format!("{:05}-{}", n, unique());
    Item {
        key: ItemKey::new(ItemKind::Token, &id).expect("a valid ID"),
        parent: Some(parent.clone()),
        ..item()
    }
}

async fn put(store: &Store, item: Item) -> Item {
    let put = store.put_new(&item, moment(0)).await;
    assert!(put.expect("a put is answered"), "the key is free");
    item
}

async fn get(store: &Store, item: &Item) -> Option<Item> {
    let got = store.get(&item.key, moment(0)).await;
    got.expect("a read is answered")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_behaviour_is_in_the_list_that_makes_tests() {
        let (_, list) = include_str!("conformance.rs")
            .split_once("@tests $open;")
            .unwrap();
        let listed: Vec<&str> = list
            .lines()
            .take_while(|line| !line.starts_with("    };"))
            .map(str::trim)
            .collect();
        let behaviours: Vec<&str> = [
            include_str!("conformance/life.rs"),
            include_str!("conformance/lists.rs"),
            include_str!("conformance/races.rs"),
        ]
        .into_iter()
        .flat_map(|file| file.split("\npub async fn ").skip(1))
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .collect();
        assert!(behaviours.len() > 15, "the sources were not understood");
        for behaviour in behaviours {
            assert!(listed.contains(&behaviour), "{behaviour} is never run");
        }
    }
}
