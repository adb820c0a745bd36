//! Several reconcilers at a time, and rounds that are broken off at any step.

use super::disturbed::{Done, disturbed, goes_to_its_end};
use super::*;
use crate::metadata_store::MAX_PAGE;

/// What a file may be in the end; `None` is gone.
type Ends = &'static [Option<Status>];

/// One file for everything that a reconciler has to do, and what it has to come to.
async fn left_behind(fixture: &OperationsFixture) -> Vec<(FileId, Ends)> {
    // Broken off between the tombstone and the bytes.
    let deleted = fixture.create().await;
    fixture.put(deleted, HELLO);
    fixture.objects.set_fault(Some("a test's fault"));
    delete_file(&fixture.stores, &fixture.context, deleted)
        .await
        .unwrap();
    fixture.objects.set_fault(None);
    let late = fixture.create().await;
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    let mut settled = fixture.reconciler_of(&fixture.stores);
    settled.run_once(fixture.clock.now()).await.unwrap();
    assert_eq!(fixture.status(late).await, Some(Status::Expired));
    fixture.put(late, HELLO);
    let (arrived, wrong, never) = (
        fixture.create().await,
        fixture.create_declaring(4, None).await,
        fixture.create().await,
    );
    fixture.put(arrived, HELLO);
    fixture.put(wrong, HELLO);
    // For all of them something is due: for the expired one, its end.
    fixture.clock.advance(RETENTION);
    vec![
        (deleted, &[None]),
        // Whoever finds the bytes deletes them and keeps the record; whoever comes later finds none.
        (late, &[None, Some(Status::Expired)]),
        (arrived, &[Some(Status::Available)]),
        (wrong, &[Some(Status::Rejected)]),
        (never, &[Some(Status::Expired)]),
    ]
}

async fn assert_came_to(fixture: &OperationsFixture, expected: &[(FileId, Ends)], when: &str) {
    for (n, (id, ends)) in expected.iter().enumerate() {
        let status = fixture.status(*id).await;
        assert!(ends.contains(&status), "file {n} is {status:?}, {when}");
    }
    assert_eq!(
        fixture.objects.count(),
        1,
        "only one file has bytes, {when}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_round_that_was_broken_off_at_any_step_is_made_good_by_the_next_one() {
    let mut broken_off = 0;
    for done in [Done::Before, Done::After] {
        for at in 0.. {
            assert!(at < 200, "a round of a few files doesn't end");
            let fixture = OperationsFixture::new();
            let expected = left_behind(&fixture).await;
            let now = fixture.clock.now();
            let mut dying = fixture.reconciler_of(&disturbed(&fixture, Some((at, done))));
            if goes_to_its_end(dying.run_once(now)).await {
                break;
            }
            drop(dying);
            broken_off += 1;
            let mut next = fixture.reconciler_of(&fixture.stores);
            let report = next.run_once(now).await.unwrap();
            assert_eq!(report.failed, 0);
            let when = format!("broken off at call {at} ({done:?})");
            assert_came_to(&fixture, &expected, &when).await;
        }
    }
    assert!(broken_off > 30, "only {broken_off} steps");
}

#[tokio::test(start_paused = true)]
async fn several_reconcilers_at_a_time_come_to_the_same_as_one() {
    for seed in 0..100 {
        fastrand::seed(seed);
        let fixture = OperationsFixture::new();
        let expected = left_behind(&fixture).await;
        let now = fixture.clock.now();
        let mut all: Vec<_> = (0..3)
            .map(|_| fixture.reconciler_of(&disturbed(&fixture, None)))
            .collect();
        let rounds = all.iter_mut().map(|one| one.run_once(now));
        let reports = futures_util::future::join_all(rounds).await;
        let reports: Vec<_> = reports.into_iter().map(Result::unwrap).collect();
        assert!(
            reports.iter().all(|report| report.failed == 0),
            "{reports:?}"
        );
        // Each file is settled by one of them, whoever it is.
        let finalized: usize = reports.iter().map(|report| report.finalized).sum();
        let expired: usize = reports.iter().map(|report| report.expired).sum();
        assert_eq!((finalized, expired), (2, 1), "seed {seed}: {reports:?}");
        assert_came_to(&fixture, &expected, &format!("seed {seed}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_of_many_reconcilers_spread_out() {
    // One that starts with the others is at another moment after a while: the pauses differ.
    const INTERVAL: Duration = Duration::from_secs(100);
    let mut moments = Vec::new();
    for _ in 0..20 {
        let fixture = OperationsFixture::new();
        let began = tokio::time::Instant::now();
        let stop = tokio_util::sync::CancellationToken::new();
        let running = tokio::spawn(
            fixture
                .reconciler_of(&fixture.stores)
                .run(INTERVAL, stop.clone()),
        );
        tokio::task::yield_now().await;
        // Becomes due after the first sweep, so that the second one takes it.
        fixture.clock.advance(Duration::from_secs(3600));
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        fixture.clock.advance(Duration::from_secs(3600));
        while fixture.status(id).await == Some(Status::Pending) {
            assert!(
                began.elapsed() < 2 * INTERVAL,
                "the second sweep doesn't come"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        moments.push(began.elapsed().as_secs());
        stop.cancel();
        running.await.unwrap();
    }
    moments.sort_unstable();
    assert!(moments[0] >= 79 && moments[19] <= 121, "{moments:?}");
    moments.dedup();
    assert!(moments.len() > 5, "they come together: {moments:?}");
}

#[tokio::test]
async fn rounds_go_through_everything_that_is_due_a_bounded_part_at_a_time() {
    let mut fixture = OperationsFixture::new();
    let mut ids = Vec::new();
    for _ in 0..2_300 {
        ids.push(fixture.create().await);
    }
    fixture.clock.advance(Duration::from_secs(61));
    // Only the newest arrived: those before it must not keep the reconciler from getting there.
    let newest = *ids.iter().max().unwrap();
    fixture.put(newest, HELLO);
    let mut rounds = 0;
    loop {
        let report = fixture.reconcile().await;
        assert!(report.reviewed <= 1_000);
        rounds += 1;
        assert!(rounds < 10, "the reconciler doesn't get to the end");
        if !report.more {
            break;
        }
    }
    assert_eq!(rounds, 3);
    assert_eq!(fixture.status(newest).await, Some(Status::Available));
}

#[tokio::test(start_paused = true)]
async fn the_sweep_at_a_start_takes_all_that_a_crash_left_however_much_it_is() {
    const LEFT_BEHIND: usize = 1_200;
    let fixture = OperationsFixture::new();
    for _ in 0..LEFT_BEHIND {
        let id = fixture.create().await;
        fixture.put(id, HELLO);
    }
    // Nothing is due yet, and the next sweep is an hour away.
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(
        fixture
            .reconciler
            .run(Duration::from_secs(3600), stop.clone()),
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    stop.cancel();
    running.await.unwrap();
    let pending = PageRequest {
        owner: None,
        status: Some(Status::Pending),
        before: None,
        limit: 1,
    };
    assert!(
        fixture
            .metadata
            .page(pending)
            .await
            .unwrap()
            .records
            .is_empty()
    );
    assert_eq!(fixture.objects.count(), LEFT_BEHIND);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_is_given_up_says_so_and_later_ones_make_it_good() {
    let fixture = OperationsFixture::new();
    let mut files = Vec::new();
    // One more than a round looks at before it finds that too much fails.
    for _ in 0..=MAX_PAGE {
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        files.push(id);
    }
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    let mut reconciler = fixture.reconciler_of(&fixture.stores);
    fixture.objects.set_fault(Some("away"));
    let given_up = reconciler.run_to_end().await.unwrap();
    assert!(given_up.has_failed(), "{given_up:?}");
    assert_eq!((given_up.failed, given_up.reviewed), (MAX_PAGE, MAX_PAGE));
    fixture.objects.set_fault(None);
    let (rest, left_out) = (
        reconciler.run_to_end().await.unwrap(),
        reconciler.run_to_end().await.unwrap(),
    );
    assert_eq!((rest.finalized, rest.failed), (1, 0));
    assert_eq!((left_out.finalized, left_out.failed), (MAX_PAGE, 0));
    for id in files {
        assert_eq!(fixture.status(id).await, Some(Status::Available));
    }
}

#[test]
fn one_file_that_fails_by_itself_is_no_failure_of_the_stores() {
    let report = |reviewed, failed| ReconcileReport {
        reviewed,
        failed,
        ..ReconcileReport::default()
    };
    for (reviewed, failed, has_failed) in [
        (0, 0, false),
        (1, 1, false),
        (2, 1, false),
        (2, 2, true),
        (60, 19, false),
        (60, 59, true),
        (1_000, 20, true),
    ] {
        let found = report(reviewed, failed).has_failed();
        assert_eq!(found, has_failed, "{failed} of {reviewed}");
    }
}
