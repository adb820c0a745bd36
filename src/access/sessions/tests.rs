//! Sessions in a store that two processes share.

use super::*;
use crate::access::{Person, Role};
use crate::item_store::memory::MemoryItemStore;

fn at(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn alice() -> Caller {
    Caller::User(Arc::new(Person {
        id: UserId::of("https://id.example.org", "alice"),
        role: Role::Member,
        name: Some("Alice".into()),
    }))
}

/// Two processes beside one store.
fn two() -> [Sessions; 2] {
    let items = Arc::new(MemoryItemStore::default());
    [Sessions::new(items.clone()), Sessions::new(items)]
}

async fn begun(sessions: &Sessions, seconds: u64) -> SessionId {
    let begun = sessions.begin(&alice(), None, None, at(seconds)).await;
    begun.unwrap().0
}

async fn is_there(sessions: &Sessions, id: &SessionId, seconds: u64) -> bool {
    let found = sessions.get(id.expose(), None, at(seconds)).await.unwrap();
    found.is_some_and(|session| session.caller == alice())
}

#[tokio::test(start_paused = true)]
async fn a_session_lasts_while_it_is_used_and_eight_hours_at_most() {
    let processes = two();
    let id = begun(&processes[0], 0).await;
    for minute in (0..8 * 60).step_by(59) {
        // Now the one process is asked, and now the other.
        let process = &processes[minute as usize % 2];
        assert!(is_there(process, &id, minute * 60).await, "{minute}");
        tokio::time::advance(Duration::from_secs(59 * 60)).await;
    }
    assert!(!is_there(&processes[0], &id, 8 * 3600).await);

    let idle = begun(&processes[0], 0).await;
    assert!(is_there(&processes[1], &idle, 3599).await);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(!is_there(&processes[1], &idle, 3599 + 3600).await);
    assert!(!is_there(&processes[0], &idle, 3599 + 3600).await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_no_session_longer() {
    let [sessions, other] = two();
    let id = begun(&sessions, 7200).await;
    assert!(is_there(&sessions, &id, 7200 - 60).await);
    for process in [sessions, other] {
        assert!(!is_there(&process, &id, 7200 - 61).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_ended_is_over_here_at_once_and_elsewhere_within_half_a_minute() {
    let [here, elsewhere] = two();
    let (one, another) = (begun(&here, 0).await, begun(&here, 0).await);
    for process in [&here, &elsewhere] {
        assert!(is_there(process, &one, 1).await);
    }
    here.end(one.expose(), at(1)).await.unwrap();
    here.end("nobody's", at(1)).await.unwrap();
    assert!(!is_there(&here, &one, 1).await);
    tokio::time::advance(REMEMBERED_FOR).await;
    assert!(!is_there(&elsewhere, &one, 31).await);
    assert!(is_there(&here, &another, 31).await);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_ended_while_another_call_looks_it_up_is_over_at_once_all_the_same() {
    let sessions = &two()[0];
    let id = begun(sessions, 0).await;
    // The store lets others go first: the look finds the session, and is told so after it was ended.
    let used = at(USE_WRITTEN_EVERY.as_secs());
    let (looked, ended) = futures_util::join!(
        sessions.get(id.expose(), None, used),
        sessions.end(id.expose(), used)
    );
    assert!(looked.unwrap().is_some(), "the look came first");
    ended.unwrap();
    assert!(!is_there(sessions, &id, USE_WRITTEN_EVERY.as_secs()).await);
}

#[tokio::test]
async fn what_was_never_an_id_asks_no_store() {
    let store = Arc::new(MemoryItemStore::default());
    let sessions = Sessions::new(store);
    for id in ["", "a", "../../etc", &"g".repeat(64), &"a".repeat(65)] {
        assert_eq!(sessions.get(id, None, at(0)).await.unwrap(), None, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded_and_costs_no_session() {
    let sessions = &two()[0];
    let first = begun(sessions, 0).await;
    assert!(is_there(sessions, &first, 1).await);
    let known = sessions.lock().sessions.values().next().cloned();
    let known = known.unwrap();
    for n in 0..MAX_REMEMBERED {
        sessions.remember(SessionRef::of(&n.to_string()), known.clone(), 0);
    }
    assert!(sessions.lock().sessions.len() <= MAX_REMEMBERED);
    assert!(is_there(sessions, &first, 2).await);
}

#[tokio::test]
async fn an_id_and_a_token_are_in_no_print_and_the_id_is_not_kept() {
    let sessions = &two()[0];
    let alice = alice();
    let begun = sessions.begin(&alice, None, Some("a.b.c".into()), at(0));
    let (id, session) = begun.await.unwrap();
    assert_eq!(id.expose().len(), 64);
    assert!(!format!("{sessions:?} {id:?} {session:?}").contains(id.expose()));
    assert!(!format!("{session:?}").contains("a.b.c"));
    let item = sessions
        .items
        .get(&id.reference().key().unwrap(), at(1))
        .await;
    let item = item.unwrap().unwrap();
    assert!(!format!("{item:?}").contains(id.expose()));
}
