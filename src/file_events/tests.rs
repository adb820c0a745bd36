//! What is kept of what happens to files, and how much of it.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::windows::{MAX_CALLERS_OF_A_FILE, PendingCount, REFRESH, WINDOW, Windows};
use super::*;
use crate::clock::ManualClock;
use crate::domain::from_millis;
use crate::item_store::memory::MemoryItemStore;
use crate::item_store::{ItemKey, ItemKind};

fn at(seconds: u64) -> Timestamp {
    from_millis(1_790_000_000_123).unwrap() + Duration::from_secs(seconds)
}

fn person(n: usize) -> EventActor {
    EventActor {
        caller: Some(UserId::of("i", &n.to_string()).to_string()),
        token: None,
    }
}

fn download(file: FileId, by: usize, seconds: u64) -> Note {
    Note {
        file,
        kind: EventKind::Downloaded,
        at: at(seconds),
        by: person(by),
        request_id: Some("r".into()),
        owner: None,
    }
}

fn key(n: usize) -> ItemKey {
    ItemKey::new(ItemKind::Event, &format!("{n}")).unwrap()
}

/// Counts it, and gives whom a new event names.
fn count(windows: &mut Windows, note: &Note, n: usize) -> Option<EventActor> {
    let by = windows.count(note)?;
    let before = windows.begin(note, by.clone(), key(n));
    assert_eq!(before, None);
    Some(by)
}

#[test]
fn what_somebody_does_again_within_an_hour_is_counted_in_the_event_that_is_there() {
    let mut windows = Windows::default();
    let (file, other) = (FileId::new(at(0)), FileId::new(at(0)));
    assert_eq!(
        count(&mut windows, &download(file, 1, 0), 0),
        Some(person(1))
    );
    for seconds in [1, 2, 700] {
        assert_eq!(count(&mut windows, &download(file, 1, seconds), 1), None);
    }
    // Another one, and another file.
    assert!(count(&mut windows, &download(file, 2, 3), 2).is_some());
    assert!(count(&mut windows, &download(other, 1, 3), 3).is_some());
    assert_eq!(windows.due(at(REFRESH.as_secs() - 1), false), []);
    let more = PendingCount {
        key: key(0),
        count: 3,
        last_at: at(700),
    };
    assert_eq!(windows.due(at(REFRESH.as_secs()), false), [more]);
    assert_eq!(windows.due(at(REFRESH.as_secs()), true), []);
    // From an hour on it is another event; what was left to count is told.
    let later = WINDOW.as_secs();
    assert_eq!(count(&mut windows, &download(file, 1, later - 1), 4), None);
    let note = download(file, 1, later);
    let by = windows.count(&note).unwrap();
    let before = windows.begin(&note, by, key(5)).unwrap();
    assert_eq!((before.key, before.count), (key(0), 1));
}

#[test]
fn an_event_that_a_wrong_clock_dated_ahead_takes_no_counts_once_it_is_right_again() {
    let mut windows = Windows::default();
    let file = FileId::new(at(0));
    let ahead = 10 * 365 * 24 * 60 * 60;
    assert!(count(&mut windows, &download(file, 1, ahead), 0).is_some());
    assert!(count(&mut windows, &download(file, 2, ahead), 1).is_some());
    let note = download(file, 1, 0);
    let by = windows.count(&note).expect("an event of its own");
    assert_eq!(windows.begin(&note, by, key(2)), None);
    assert_eq!(windows.due(at(1), true), []);
    assert!(count(&mut windows, &download(file, 2, 1), 3).is_some());
}

#[test]
fn a_file_that_everybody_fetches_has_so_many_events_an_hour_and_no_more() {
    let mut windows = Windows::default();
    let file = FileId::new(at(0));
    let named: Vec<_> = (0..1_000)
        .filter_map(|n| count(&mut windows, &download(file, n, 0), n))
        .collect();
    assert_eq!(named.len(), MAX_CALLERS_OF_A_FILE + 1);
    assert_eq!(named.last().unwrap().caller, None);
    let others = windows.due(at(60), true);
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].count as usize, 1_000 - MAX_CALLERS_OF_A_FILE - 1);
}

#[test]
fn however_many_files_are_fetched_so_many_are_counted_in_and_no_more() {
    let mut windows = Windows::default();
    let mut keys = BTreeSet::new();
    for n in 0..10_100 {
        let note = download(FileId::new(at(0)), 0, 0);
        // What finds no room is an event each time.
        for again in 0..2 {
            if count(&mut windows, &note, n).is_some() {
                keys.insert((n, again));
            }
        }
    }
    assert_eq!(keys.len(), 10_100 + 100);
    windows.due(at(WINDOW.as_secs()), false);
    assert!(count(&mut windows, &download(FileId::new(at(0)), 0, 0), 0).is_some());
}

struct Recorded {
    events: FileEvents,
    items: Arc<MemoryItemStore>,
    clock: ManualClock,
    stop: CancellationToken,
    writing: tokio::task::JoinHandle<()>,
}

fn recorded(of: KeptOf) -> Recorded {
    let items = Arc::new(MemoryItemStore::default());
    let clock = ManualClock::at(at(0));
    let (events, writer) =
        FileEvents::kept_in(items.clone() as _, of, Arc::new(clock.clone()) as _);
    let stop = CancellationToken::new();
    let writing = tokio::spawn(writer.run(stop.clone()));
    Recorded {
        events,
        items,
        clock,
        stop,
        writing,
    }
}

#[tokio::test]
async fn where_nothing_runs_between_two_answers_what_was_noted_is_written_behind_each() {
    let items = Arc::new(MemoryItemStore::default());
    let clock = Arc::new(ManualClock::at(at(0)));
    let (events, mut writer) = FileEvents::kept_in(items, KeptOf::AllFiles, clock);
    let Some(recorder) = &events.0 else {
        panic!("none are kept");
    };
    let file = FileId::new(at(0));
    // The second and third are counted in the first, once somebody writes that down.
    for seconds in [1, 2, 3] {
        let noting = async { recorder.notes.try_send(download(file, 1, seconds)).is_ok() };
        assert!(writer.write_beside(noting).await);
        writer.write_out().await;
        let seen = walk(&events, file, 10).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].count, seconds);
    }
}

/// All pages, `limit` at a time.
async fn walk(events: &FileEvents, file: FileId, limit: usize) -> Vec<FileEvent> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = events.page(file, after, limit, at(10)).await.unwrap();
        assert!(page.are_kept && page.events.len() <= limit);
        all.extend(page.events);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_happened_to_a_file_is_listed_newest_first_page_by_page_and_of_that_file_alone() {
    let recorded = recorded(KeptOf::AllFiles);
    let (file, other) = (FileId::new(at(0)), FileId::new(at(0)));
    let operator = Caller::Operator;
    // The first three within one millisecond.
    for (kind, seconds) in [
        (EventKind::Created, 0),
        (EventKind::UploadRenewed, 0),
        (EventKind::Available, 0),
        (EventKind::Downloaded, 2),
        (EventKind::Downloaded, 3),
        (EventKind::Deleted, 4),
    ] {
        let moment = file.created_at() + Duration::from_secs(seconds);
        recorded
            .events
            .done_by(&operator, kind, file, None, "r-1", moment);
    }
    recorded
        .events
        .done_by(&operator, EventKind::Created, other, None, "r-2", at(0));
    recorded.stop.cancel();
    recorded.writing.await.unwrap();
    let expected = [
        ("file.deleted", 1),
        ("file.downloaded", 2),
        ("file.available", 1),
        ("file.upload_renewed", 1),
        ("file.created", 1),
    ];
    for limit in [1, 2, 4, 5, 100] {
        let all = walk(&recorded.events, file, limit).await;
        let seen: Vec<_> = all.iter().map(|it| (it.kind.as_str(), it.count)).collect();
        assert_eq!(seen, expected, "{limit} at a time");
        let fetched = &all[1];
        assert_eq!(fetched.last_at - fetched.at, chrono::TimeDelta::seconds(1));
        assert_eq!(fetched.by, EventActor::of(&operator));
        assert_eq!(fetched.request_id.as_deref(), Some("r-1"));
    }
    assert_eq!(walk(&recorded.events, other, 10).await.len(), 1);
    // They go by themselves.
    let ends: BTreeSet<_> = recorded
        .items
        .everything()
        .iter()
        .map(|it| it.expires_at)
        .collect();
    assert_eq!(ends.first().unwrap(), &(at(0) + EVENT_LIFETIME));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_or_slow_costs_events_and_no_call_its_time() {
    let recorded = recorded(KeptOf::AllFiles);
    let file = FileId::new(at(0));
    recorded.items.set_fault(Some("away"));
    let note = |kind| {
        recorded
            .events
            .done_by(&Caller::Operator, kind, file, None, "r", at(0))
    };
    // More than wait, and nobody reads meanwhile: this is no point at which another task could run.
    for _ in 0..2 * QUEUE_CAPACITY {
        note(EventKind::Deleted);
    }
    let left_out = &recorded.events.0.as_ref().unwrap().left_out;
    assert_eq!(left_out.load(Ordering::Relaxed), QUEUE_CAPACITY as u64);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(left_out.load(Ordering::Relaxed), 2 * QUEUE_CAPACITY as u64);
    recorded.items.set_fault(None);
    note(EventKind::Downloaded);
    recorded.stop.cancel();
    recorded.writing.await.unwrap();
    assert_eq!(recorded.items.everything().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn work_ends_in_time_beside_a_store_that_hangs_and_what_was_noted_is_written_after_it() {
    let items = Arc::new(MemoryItemStore::default());
    let clock = Arc::new(ManualClock::at(at(0)));
    let (events, mut writer) = FileEvents::kept_in(items, KeptOf::AllFiles, clock);
    let hanging = writer.all_room();
    let recorder = events.0.as_ref().unwrap();
    let (file, other) = (FileId::new(at(0)), FileId::new(at(1)));
    // More than may wait for room, were they not counted in one.
    for _ in 0..1_000 {
        let noted = recorder.notes.try_send(download(file, 1, 1));
        assert!(noted.is_ok());
    }
    assert!(recorder.notes.try_send(download(other, 1, 1)).is_ok());
    let work = tokio::time::sleep(Duration::from_secs(1));
    let worked = writer.write_beside(work);
    let worked = tokio::time::timeout(Duration::from_secs(2), worked).await;
    assert!(worked.is_ok(), "it waited for the store");
    writer.write_out().await;
    assert!(walk(&events, file, 10).await.is_empty());
    drop(hanging);
    writer.write_out().await;
    assert_eq!(recorder.left_out.load(Ordering::Relaxed), 0);
    for (file, count) in [(file, 1_000), (other, 1)] {
        let seen = walk(&events, file, 10).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].count, count);
    }
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_before_the_end_is_counted_as_left_out() {
    let items = Arc::new(MemoryItemStore::default());
    let clock = Arc::new(ManualClock::at(at(0)));
    let (events, mut writer) = FileEvents::kept_in(items, KeptOf::AllFiles, clock);
    let _hanging = writer.all_room();
    let recorder = events.0.as_ref().unwrap();
    let note = |n: u64| {
        let noted = recorder.notes.try_send(download(FileId::new(at(n)), 1, n));
        assert!(noted.is_ok());
    };
    (0..3).for_each(note);
    writer
        .write_beside(tokio::time::sleep(Duration::from_secs(1)))
        .await;
    writer.write_out().await;
    // Noted since.
    note(3);
    writer.give_up_the_rest();
    assert_eq!(recorder.left_out.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn what_would_be_counted_in_an_event_that_was_never_written_is_counted_as_left_out() {
    let recorded = recorded(KeptOf::AllFiles);
    let file = FileId::new(at(0));
    let fetched = || {
        let (operator, kind) = (Caller::Operator, EventKind::Downloaded);
        recorded
            .events
            .done_by(&operator, kind, file, None, "r", at(0));
    };
    let left_out = &recorded.events.0.as_ref().unwrap().left_out;
    recorded.items.set_fault(Some("away"));
    fetched();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(left_out.swap(0, Ordering::Relaxed), 1);
    recorded.items.set_fault(None);
    for _ in 0..3 {
        fetched();
    }
    recorded.clock.advance(REFRESH);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(left_out.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_count_is_shown_some_minutes_later_without_an_end_of_the_program() {
    let recorded = recorded(KeptOf::AllFiles);
    let file = FileId::new(at(0));
    for _ in 0..5 {
        let (operator, kind) = (Caller::Operator, EventKind::Downloaded);
        recorded
            .events
            .done_by(&operator, kind, file, None, "r", at(0));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let count = async || walk(&recorded.events, file, 10).await[0].count;
    assert_eq!(count().await, 1);
    recorded.clock.advance(REFRESH);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(count().await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_worker_keeps_what_happens_to_files_that_are_somebodys() {
    let recorded = recorded(KeptOf::OwnedFiles);
    let record = FileRecord::sample(at(0));
    let owned = FileRecord::sample(at(0)).owned_by(Some(UserId::of("i", "s")));
    for record in [&record, &owned] {
        let kind = EventKind::Available;
        recorded.events.done_by_the_program(kind, record, at(1));
    }
    recorded.stop.cancel();
    recorded.writing.await.unwrap();
    assert_eq!(walk(&recorded.events, record.id, 10).await, []);
    let seen = walk(&recorded.events, owned.id, 10).await;
    assert_eq!((seen.len(), &seen[0].by), (1, &EventActor::system()));
}

#[tokio::test]
async fn where_none_are_kept_nothing_is_written_and_there_is_nothing_to_see() {
    let events = FileEvents::off();
    let file = FileId::new(at(0));
    events.done_by(
        &Caller::Operator,
        EventKind::Created,
        file,
        None,
        "r",
        at(0),
    );
    let page = events.page(file, None, 10, at(1)).await.unwrap();
    assert_eq!(page, EventPage::default());
    assert!(!page.are_kept);
}
