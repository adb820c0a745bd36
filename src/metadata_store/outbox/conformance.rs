//! The suite that every [`Outbox`] passes, on a store that has the records too.
//!
//! Invariant: a behaviour asserts what the port says, and nothing about how a store does it. Each looks at messages of
//! its own alone, so it stands whatever else lies in the same store.

#![allow(
    clippy::unwrap_used,
    reason = "a suite is a test: it fails where it unwraps"
)]
#![allow(
    missing_docs,
    reason = "a behaviour's name is the sentence that it checks"
)]

use std::any::Any;
use std::sync::Arc;

use super::super::conformance::races::all_at_once;
use super::super::conformance::{
    GRACE, eventually, every_settlement, far_expiry, moment, object, pending,
};
use super::super::hand_ins::HandInStore;
use super::super::{MetadataStore, TransitionOutcome};
use super::{MAX_DUE_MESSAGES, MAX_MESSAGE_BYTES, Message, MessageId, Outbox};
use crate::domain::{
    BoxId, FileRecord, HandIn, Status, Submitter, SubmitterName, Timestamp, Transition,
};

/// A store for one test, with whatever must live as long as it does.
pub struct Opened<S> {
    pub store: Arc<S>,
    /// Dropped last.
    pub keep: Box<dyn Any + Send>,
}

/// Makes one test of every behaviour. `$open` is an `async fn() -> Opened<S>`, for a store that no other test uses.
#[macro_export]
macro_rules! outbox_conformance {
    ($open:path) => {
        $crate::outbox_conformance! { @tests $open;
            a_change_and_its_messages_are_there_together
            a_change_that_is_not_made_tells_nothing
            a_change_without_messages_is_a_change_as_any_other
            of_many_told_changes_one_tells
            a_file_in_a_box_ends_with_its_messages_and_gives_its_place_back
            a_message_reads_back_and_one_of_its_id_changes_nothing
            messages_are_due_from_their_moment_on_and_the_earliest_first
            messages_that_are_due_beyond_a_moment_are_found_the_latest_first
            of_many_who_take_a_message_up_exactly_one_does
            a_message_that_was_removed_is_gone_and_taken_up_by_nobody
            a_message_is_no_record_and_never_reconciled
        }
    };
    (@tests $open:path; $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let opened = $open().await;
                $crate::metadata_store::outbox::conformance::$behaviour(&opened.store).await;
                drop(opened);
            }
        )*
    };
}

/// Longer ago than anything else that is due, so that messages of other tests are behind them.
fn long_ago(seconds: i64) -> Timestamp {
    moment(seconds - 100 * 365 * 24 * 60 * 60)
}

fn message(name: &str, at: Timestamp) -> Message {
    let id = MessageId::parse(&format!("msg_{:016x}_{name}", fastrand::u64(..))).unwrap();
    Message::new(id, format!(r#"{{"name":"{name}"}}"#), at).unwrap()
}

/// Those of these that are due at the moment.
async fn due_of<S: Outbox>(store: &S, at: Timestamp, these: &[&Message]) -> Vec<Message> {
    let due = store.due_messages(at, MAX_DUE_MESSAGES).await.unwrap();
    let is_one = |it: &Message| these.iter().any(|one| one.id == it.id);
    due.into_iter().filter(is_one).collect()
}

async fn are_due<S: Outbox>(store: &S, at: Timestamp, expected: &[&Message]) {
    let messages: Vec<Message> = expected.iter().map(|it| (*it).clone()).collect();
    eventually(messages, || due_of(store, at, expected)).await;
}

async fn inserted<S: MetadataStore>(store: &S) -> FileRecord {
    let record = pending(0);
    store.insert(&record).await.unwrap();
    record
}

async fn status_of<S: MetadataStore>(store: &S, record: &FileRecord) -> Status {
    store.get(record.id).await.unwrap().unwrap().status()
}

pub async fn a_change_and_its_messages_are_there_together<S>(store: &Arc<S>)
where
    S: MetadataStore + Outbox,
{
    for n in 0..3 {
        let record = inserted(&**store).await;
        let settlement = &every_settlement(&record)[n];
        let (one, two) = (message("a", long_ago(0)), message("b", long_ago(1)));
        let told = [one.clone(), two.clone()];
        let outcome = store.transition_told(record.id, settlement, &told).await;
        assert_eq!(outcome.unwrap(), TransitionOutcome::Applied);
        let settled = store.get(record.id).await.unwrap();
        assert_eq!(settled, Some(settlement.apply_to(record.clone())));
        are_due(&**store, long_ago(1), &[&one, &two]).await;

        let three = message("c", long_ago(2));
        let told = [three.clone()];
        let deleting =
            store.delete_told(record.id, moment(1), far_expiry(), GRACE, moment(1), &told);
        assert!(deleting.await.unwrap());
        assert_eq!(status_of(&**store, &record).await, Status::Deleted);
        are_due(&**store, long_ago(2), &[&one, &two, &three]).await;
        for message in [one, two, three] {
            store.remove_message(&message.id).await.unwrap();
        }
    }
}

pub async fn a_change_that_is_not_made_tells_nothing<S>(store: &Arc<S>)
where
    S: MetadataStore + Outbox,
{
    let record = inserted(&**store).await;
    let available = Transition::available(object(), None);
    store.transition(record.id, &available).await.unwrap();
    let told = message("no", long_ago(0));
    let messages = [told.clone()];
    let again = store.transition_told(record.id, &available, &messages);
    assert_eq!(again.await.unwrap(), TransitionOutcome::Unchanged);
    let absent = pending(0).id;
    let nothing = store.transition_told(absent, &available, &messages);
    assert_eq!(nothing.await.unwrap(), TransitionOutcome::Unchanged);
    let end = far_expiry();
    assert!(
        store
            .delete(record.id, moment(1), end, GRACE, moment(1))
            .await
            .unwrap()
    );
    for id in [record.id, absent] {
        let deleting = store.delete_told(id, moment(1), end, GRACE, moment(1), &messages);
        assert!(!deleting.await.unwrap());
    }
    // What was added after it is there.
    let later = message("later", long_ago(1));
    store.add_message(&later).await.unwrap();
    are_due(&**store, long_ago(1), &[&later]).await;
    assert!(due_of(&**store, moment(0), &[&told]).await.is_empty());
}

pub async fn a_change_without_messages_is_a_change_as_any_other<S>(store: &Arc<S>)
where
    S: MetadataStore + Outbox,
{
    let record = inserted(&**store).await;
    let available = Transition::available(object(), None);
    let made = store.transition_told(record.id, &available, &[]).await;
    assert_eq!(made.unwrap(), TransitionOutcome::Applied);
    let deleting = store.delete_told(record.id, moment(1), far_expiry(), GRACE, moment(1), &[]);
    assert!(deleting.await.unwrap());
    assert_eq!(status_of(&**store, &record).await, Status::Deleted);
}

pub async fn of_many_told_changes_one_tells<S>(store: &Arc<S>)
where
    S: MetadataStore + Outbox + 'static,
{
    const WRITERS: usize = 12;
    let record = inserted(&**store).await;
    let messages: Vec<Message> = (0..WRITERS).map(|_| message("m", long_ago(0))).collect();
    let outcomes = all_at_once(messages.clone().into_iter().map(|message| {
        let (store, id) = (Arc::clone(store), record.id);
        async move {
            let available = Transition::available(object(), None);
            let messages = [message.clone()];
            let told = store.transition_told(id, &available, &messages).await;
            (told.unwrap() == TransitionOutcome::Applied).then_some(message)
        }
    }))
    .await;
    let winners: Vec<Message> = outcomes.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    are_due(&**store, long_ago(0), &[&winners[0]]).await;
    let all: Vec<&Message> = messages.iter().collect();
    assert_eq!(due_of(&**store, long_ago(0), &all).await, winners);
}

pub async fn a_file_in_a_box_ends_with_its_messages_and_gives_its_place_back<S>(store: &Arc<S>)
where
    S: MetadataStore + HandInStore + Outbox,
{
    let mut bytes = [0; 14];
    bytes.fill_with(|| fastrand::u8(..));
    let id = BoxId::from_bytes(bytes);
    store.open_box(id).await.unwrap();
    let handed_in = || {
        pending(0).handed_in(Some(HandIn {
            in_box: Some(id),
            submitter: Submitter::Named(SubmitterName::given("Ada").unwrap()),
        }))
    };
    let only_place = 1;
    let record = handed_in();
    let put = |record: FileRecord| async move {
        let inserting = store.insert_hand_in(&record, None, only_place, moment(0));
        inserting.await.unwrap()
    };
    use super::super::hand_ins::HandInInsert::{BoxFull, Inserted};
    assert_eq!(put(record.clone()).await, Inserted);
    let (one, two) = (message("here", long_ago(0)), message("gone", long_ago(1)));
    let available = Transition::available(object(), None);
    let messages = [one.clone()];
    let told = store.transition_told(record.id, &available, &messages);
    assert_eq!(told.await.unwrap(), TransitionOutcome::Applied);
    assert_eq!(put(handed_in()).await, BoxFull);
    let deleting = [two.clone()];
    let deleting = store.delete_told(
        record.id,
        moment(1),
        far_expiry(),
        GRACE,
        moment(1),
        &deleting,
    );
    assert!(deleting.await.unwrap());
    are_due(&**store, long_ago(1), &[&one, &two]).await;

    let next = handed_in();
    assert_eq!(put(next.clone()).await, Inserted);
    // Also where the box is gone by then.
    store.shut_box(id).await.unwrap();
    let three = message("shut", long_ago(2));
    let [_, rejected, _] = every_settlement(&next);
    let messages = [three.clone()];
    let told = store.transition_told(next.id, &rejected, &messages);
    assert_eq!(told.await.unwrap(), TransitionOutcome::Applied);
    are_due(&**store, long_ago(2), &[&three]).await;
}

pub async fn a_message_reads_back_and_one_of_its_id_changes_nothing<S: Outbox>(store: &Arc<S>) {
    let longest = Message {
        body: "é\"\n\u{0}".repeat(MAX_MESSAGE_BYTES / 5),
        ..message("long", long_ago(0))
    };
    store.add_message(&longest).await.unwrap();
    are_due(&**store, long_ago(0), &[&longest]).await;
    let other = Message {
        body: "{}".into(),
        ..longest.due_at(long_ago(-5))
    };
    store.add_message(&other).await.unwrap();
    assert_eq!(
        due_of(&**store, long_ago(0), &[&longest]).await,
        std::slice::from_ref(&longest)
    );
    let tried = longest.not_taken(moment(3), long_ago(1));
    assert!(store.replace_message(&longest, &tried).await.unwrap());
    are_due(&**store, long_ago(1), &[&tried]).await;
    assert_eq!((tried.attempts, tried.tried_since), (1, Some(moment(3))));
}

pub async fn messages_are_due_from_their_moment_on_and_the_earliest_first<S>(store: &Arc<S>)
where
    S: Outbox,
{
    let of = |n: i64| message(&format!("n{n}"), long_ago(n));
    let messages: Vec<Message> = (0..20).map(of).collect();
    for message in messages.iter().rev() {
        store.add_message(message).await.unwrap();
    }
    let all: Vec<&Message> = messages.iter().collect();
    are_due(&**store, long_ago(19), &all).await;
    let just_before = long_ago(10) - std::time::Duration::from_millis(1);
    assert_eq!(due_of(&**store, just_before, &all).await, messages[..10]);
    assert_eq!(due_of(&**store, long_ago(10), &all).await, messages[..11]);
    let few = store.due_messages(long_ago(19), 3).await.unwrap();
    assert_eq!(few, messages[..3]);
}

pub async fn messages_that_are_due_beyond_a_moment_are_found_the_latest_first<S>(store: &Arc<S>)
where
    S: Outbox,
{
    // Later than anything else, so that messages of other tests are behind them.
    let far = |n: i64| moment(n + 100 * 365 * 24 * 60 * 60);
    let messages: Vec<Message> = (0..10).map(|n| message(&format!("n{n}"), far(n))).collect();
    for message in &messages {
        store.add_message(message).await.unwrap();
    }
    let latest = |n: usize| messages.iter().rev().take(n).cloned().collect::<Vec<_>>();
    let beyond = |at: Timestamp, limit: usize| {
        let found = store.messages_after(at, limit);
        async move { found.await.unwrap() }
    };
    eventually(latest(10), || beyond(far(-1), MAX_DUE_MESSAGES)).await;
    assert_eq!(beyond(far(6), MAX_DUE_MESSAGES).await, latest(3));
    assert_eq!(beyond(far(-1), 2).await, latest(2));
    let brought = messages[9].due_at(long_ago(0));
    assert!(store.replace_message(&messages[9], &brought).await.unwrap());
    eventually(vec![], || beyond(far(8), MAX_DUE_MESSAGES)).await;
    for message in &messages {
        store.remove_message(&message.id).await.unwrap();
    }
}

pub async fn of_many_who_take_a_message_up_exactly_one_does<S>(store: &Arc<S>)
where
    S: Outbox + 'static,
{
    const WRITERS: i64 = 12;
    let seen = message("m", long_ago(0));
    store.add_message(&seen).await.unwrap();
    let outcomes = all_at_once((0..WRITERS).map(|n| {
        let (store, seen) = (Arc::clone(store), seen.clone());
        async move {
            let taken = seen.due_at(long_ago(100 + n));
            let took = store.replace_message(&seen, &taken).await;
            took.unwrap().then_some(taken)
        }
    }))
    .await;
    let winners: Vec<Message> = outcomes.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    are_due(&**store, long_ago(200), &[&winners[0]]).await;
}

pub async fn a_message_that_was_removed_is_gone_and_taken_up_by_nobody<S: Outbox>(store: &Arc<S>) {
    let seen = message("m", long_ago(0));
    store.add_message(&seen).await.unwrap();
    for _ in 0..2 {
        store.remove_message(&seen.id).await.unwrap();
    }
    let taken = seen.due_at(long_ago(1));
    assert!(!store.replace_message(&seen, &taken).await.unwrap());
    let gone = [&seen];
    eventually(vec![], || due_of(&**store, long_ago(1), &gone)).await;
}

pub async fn a_message_is_no_record_and_never_reconciled<S>(store: &Arc<S>)
where
    S: MetadataStore + Outbox,
{
    let seen = message("m", long_ago(0));
    store.add_message(&seen).await.unwrap();
    are_due(&**store, long_ago(0), &[&seen]).await;
    let due = store.due_records(long_ago(0), None, 1).await.unwrap();
    assert!(due.is_empty());
}
