//! How much one rescan may withdraw, and that what it withdraws is told, whatever ends it.

use super::rescanning::{ALL, Rescanned};
use super::*;
use crate::metadata_store::intercepted as metadata_calls;
use crate::scanner::probes::eicar;

#[tokio::test]
async fn no_run_withdraws_more_than_its_limit_and_what_it_withdraws_is_told() {
    let rescanned = Rescanned::new(true);
    let mut ids = Vec::new();
    for _ in 0..9 {
        ids.push(rescanned.takes(&eicar()).await);
    }
    let limited = Rescan { limit: 3, ..ALL };
    let (report, end, found) = rescanned.run(&limited).await;
    let RescanEnd::LimitReached(over, _) = end else {
        panic!("{end:?}");
    };
    assert_eq!(report.withdrawn, 3);
    let told: Vec<FileId> = found
        .iter()
        .filter_map(|finding| match finding {
            RescanFinding::Withdrawn(id, _) => Some(*id),
            _ => None,
        })
        .collect();
    for id in &ids {
        let is_withdrawn = rescanned.record(*id).await.status() == Status::Withdrawn;
        assert_eq!(is_withdrawn, told.contains(id));
    }
    assert!(!told.contains(&over));
    // Looking is never limited, nor is it another run that is told to.
    let dry = Rescan {
        dry_run: true,
        ..limited.clone()
    };
    let (report, end, _) = rescanned.run(&dry).await;
    assert!(matches!(end, RescanEnd::Complete));
    assert_eq!(report.withdrawn, 6);
    let (report, end, _) = rescanned
        .run(&Rescan {
            limit: 6,
            ..limited
        })
        .await;
    assert!(matches!(end, RescanEnd::Complete));
    assert_eq!(report.withdrawn, 6);
    // None at all is a limit too.
    let id = rescanned.takes(&eicar()).await;
    let (report, end, _) = rescanned.run(&Rescan { limit: 0, ..ALL }).await;
    assert!(matches!(end, RescanEnd::LimitReached(found, _) if found == id));
    assert_eq!(report.withdrawn, 0);
}

/// A store that answers later than it wrote, and each time later than before.
#[derive(Default)]
struct AnswersLate(std::sync::atomic::AtomicUsize);

impl metadata_calls::Interceptor for AnswersLate {
    async fn around<T: Send>(
        &self,
        call: metadata_calls::Call<'_>,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let made = made.await;
        if matches!(call, metadata_calls::Call::Transition(..)) {
            let answers = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            for _ in 0..100 * (answers + 1) {
                tokio::task::yield_now().await;
            }
        }
        made
    }
}

async fn twenty_infected_in_a_late_store() -> (Rescanned, Vec<FileId>) {
    let mut rescanned = Rescanned::new(true);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(rescanned.takes(&eicar()).await);
    }
    rescanned.fixture.stores.metadata = Arc::new(metadata_calls::Intercepted {
        store: rescanned.fixture.metadata.clone(),
        interceptor: AnswersLate::default(),
    });
    (rescanned, ids)
}

#[tokio::test]
async fn a_withdrawal_that_is_under_way_when_something_ends_the_run_is_told() {
    let (rescanned, ids) = twenty_infected_in_a_late_store().await;
    let (report, end, found) = rescanned.run(&Rescan { limit: 1, ..ALL }).await;
    assert!(matches!(end, RescanEnd::LimitReached(..)), "{end:?}");
    assert_eq!(report.withdrawn, 1);
    let told = found.iter().find_map(|finding| match finding {
        RescanFinding::Withdrawn(id, _) => Some(*id),
        _ => None,
    });
    for id in ids {
        let is_withdrawn = rescanned.record(id).await.status() == Status::Withdrawn;
        assert_eq!(is_withdrawn, told == Some(id));
    }
    // And nothing more was begun than what was under way: the test files, and as many as are scanned at a time.
    let begun = rescanned.double.begun();
    assert!(begun <= 5 + 4, "{begun}");
}

#[tokio::test]
async fn a_withdrawal_that_is_under_way_when_somebody_stops_the_run_is_told() {
    let (rescanned, ids) = twenty_infected_in_a_late_store().await;
    let is_last = |finding: &RescanFinding| matches!(finding, RescanFinding::Withdrawn(..));
    let all = Rescan { limit: 20, ..ALL };
    let (report, end, found) = rescanned.run_until(&all, is_last).await;
    assert!(matches!(end, RescanEnd::Stopped), "{end:?}");
    let told = |id: FileId| {
        let is_it = |it: &RescanFinding| matches!(it, RescanFinding::Withdrawn(of, _) if *of == id);
        found.iter().any(is_it)
    };
    let mut withdrawn = 0;
    for id in ids {
        let is_withdrawn = rescanned.record(id).await.status() == Status::Withdrawn;
        assert_eq!(is_withdrawn, told(id));
        withdrawn += u64::from(is_withdrawn);
    }
    assert_eq!(report.withdrawn, withdrawn);
    assert!((2..20).contains(&withdrawn), "{withdrawn}");
}

/// A store that writes, and whose first answer is lost.
#[derive(Default)]
struct LosesAnAnswer(std::sync::atomic::AtomicBool);

impl metadata_calls::Interceptor for LosesAnAnswer {
    async fn around<T: Send>(
        &self,
        call: metadata_calls::Call<'_>,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let made = made.await;
        let is_first = || !self.0.swap(true, std::sync::atomic::Ordering::Relaxed);
        match matches!(call, metadata_calls::Call::Transition(..)) && is_first() {
            true => Err(StoreError::unavailable("the records", "an answer is lost")),
            false => made,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_whose_answer_was_lost_is_told_once() {
    let mut rescanned = Rescanned::new(true);
    let id = rescanned.takes(&eicar()).await;
    rescanned.fixture.stores.metadata = Arc::new(metadata_calls::Intercepted {
        store: rescanned.fixture.metadata.clone(),
        interceptor: LosesAnAnswer::default(),
    });
    let (report, _, found) = rescanned.run(&ALL).await;
    assert_eq!((report.withdrawn, report.gone), (1, 0));
    let is_it = |it: &&RescanFinding| matches!(it, RescanFinding::Withdrawn(of, _) if *of == id);
    assert_eq!(found.iter().filter(is_it).count(), 1);
    // What follows a withdrawal is done by the try that found it made.
    assert_eq!(rescanned.record(id).await.status(), Status::Withdrawn);
    assert_eq!(rescanned.fixture.objects.count(), 0, "its bytes are gone");
}
