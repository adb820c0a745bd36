//! The sweep for objects without records: what goes, what stays, and when it keeps its hands off.

use super::disturbed::{Done, disturbed, goes_to_its_end};
use super::*;

const LIMIT: usize = 100;
const DAY: Duration = MIN_AGE;

/// One whole sweep.
pub(super) async fn sweep(sweeper: &mut OrphanSweeper) -> SweepReport {
    for _ in 0..1_000 {
        if let SweepStep::Done(report) = sweeper.run_once().await.unwrap() {
            return report;
        }
    }
    panic!("a thousand steps weren't enough");
}

/// A file that is newer than every object without a record, as there is wherever files come.
async fn newer_file(fixture: &OperationsFixture) {
    available(fixture, 1).await;
}

fn sweeper(fixture: &OperationsFixture) -> OrphanSweeper {
    OrphanSweeper::new(fixture.stores.clone(), LIMIT)
}

async fn available(fixture: &OperationsFixture, count: usize) -> Vec<FileId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let id = fixture.create().await;
        fixture.put(id, HELLO);
        fixture.finalize(id).await;
        ids.push(id);
    }
    ids
}

/// Objects that no record names.
fn orphans(fixture: &OperationsFixture, count: usize) -> Vec<FileId> {
    // Older than the records that are made at the same time.
    let before = fixture.clock.now() - Duration::from_millis(1);
    let ids: Vec<_> = (0..count).map(|_| FileId::new(before)).collect();
    for id in &ids {
        fixture.put(*id, HELLO);
    }
    ids
}

#[tokio::test]
async fn an_object_that_no_record_names_is_set_aside_in_all_its_versions_after_a_day() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    let orphan = orphans(&fixture, 1)[0];
    fixture.put(orphan, "another version");
    fixture.clock.advance(DAY - Duration::from_millis(1));
    let report = sweep(&mut sweeper(&fixture)).await;
    assert_eq!(
        (report.young, report.orphans, report.quarantined),
        (21, 0, 0)
    );
    fixture.clock.advance(Duration::from_millis(1));
    let report = sweep(&mut sweeper(&fixture)).await;
    assert_eq!(
        (report.recorded, report.orphans, report.quarantined),
        (20, 1, 1)
    );
    assert_eq!(report.suspicion, None);
    assert_eq!(fixture.objects.count(), 20);
    assert_eq!(sweep(&mut sweeper(&fixture)).await.orphans, 0);
}

#[tokio::test]
async fn an_old_object_with_new_bytes_and_a_new_id_with_an_old_object_are_young() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    let renewed = orphans(&fixture, 1)[0];
    let from_the_future = FileId::new(fixture.clock.now() + 3 * DAY);
    fixture.put(from_the_future, HELLO);
    fixture.clock.advance(DAY);
    fixture.put(renewed, "new bytes");
    fixture.clock.advance(DAY / 2);
    let report = sweep(&mut sweeper(&fixture)).await;
    assert_eq!((report.young, report.orphans), (2, 0));
    assert_eq!(fixture.objects.count(), 23);
}

#[tokio::test]
async fn whatever_a_record_or_a_tombstone_names_and_foreign_keys_are_left_alone() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    let pending = fixture.create().await;
    fixture.put(pending, HELLO);
    let deleted = fixture.create().await;
    delete_file(&fixture.stores, &fixture.context, deleted)
        .await
        .unwrap();
    fixture.put(deleted, HELLO);
    for key in ["uploads/report.pdf", "uploads/", "elsewhere/x"] {
        fixture.objects.put_foreign(key);
    }
    fixture.clock.advance(3 * DAY);
    let report = sweep(&mut sweeper(&fixture)).await;
    assert_eq!((report.recorded, report.foreign), (22, 3));
    assert_eq!((report.orphans, report.quarantined), (0, 0));
    assert_eq!(fixture.objects.count(), 25);
}

#[tokio::test]
async fn with_the_wrong_or_an_empty_table_nothing_is_deleted() {
    for count in [1, 3, 50, 1_200] {
        let fixture = OperationsFixture::new();
        orphans(&fixture, count);
        fixture.clock.advance(2 * DAY);
        let report = sweep(&mut sweeper(&fixture)).await;
        assert_eq!(report.suspicion, Some(Suspicion::NoRecordAtAll), "{count}");
        assert_eq!(report.orphans, count as u64);
        assert_eq!(fixture.objects.count(), count);
    }
}

#[tokio::test]
async fn with_a_table_from_a_backup_nothing_is_deleted() {
    for (recorded, lost, suspicion) in [
        (1, 4, Some(Suspicion::TooLargeAShare)),
        (100, 12, Some(Suspicion::TooLargeAShare)),
        (100, 11, None),
        (1, 3, None),
        (1_500, 101, Some(Suspicion::TooMany)),
        (1_500, 100, None),
    ] {
        let fixture = OperationsFixture::new();
        available(&fixture, recorded).await;
        orphans(&fixture, lost);
        fixture.clock.advance(2 * DAY);
        let report = sweep(&mut sweeper(&fixture)).await;
        assert_eq!(report.suspicion, suspicion, "{lost} beside {recorded}");
        let left = if suspicion.is_some() { lost } else { 0 };
        assert_eq!(fixture.objects.count(), recorded + left);
    }
}

#[tokio::test]
async fn a_limit_of_none_only_counts() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    orphans(&fixture, 1);
    fixture.clock.advance(2 * DAY);
    let report = sweep(&mut OrphanSweeper::new(fixture.stores.clone(), 0)).await;
    assert_eq!((report.orphans, report.quarantined), (1, 0));
    assert_eq!(fixture.objects.count(), 21);
}

#[tokio::test]
async fn a_store_that_does_not_answer_makes_no_orphans_and_the_sweep_goes_on_where_it_was() {
    let fixture = OperationsFixture::new();
    available(&fixture, 1_100).await;
    orphans(&fixture, 2);
    fixture.clock.advance(2 * DAY);
    let mut sweeper = sweeper(&fixture);
    assert_eq!(sweeper.run_once().await.unwrap(), SweepStep::More);
    for _ in 0..3 {
        fixture.metadata.set_fault(Some("a test's fault"));
        sweeper.run_once().await.unwrap_err();
        fixture.metadata.set_fault(None);
        fixture.objects.set_fault(Some("a test's fault"));
        sweeper.run_once().await.unwrap_err();
        fixture.objects.set_fault(None);
    }
    let report = sweep(&mut sweeper).await;
    assert_eq!((report.recorded, report.quarantined), (1_100, 2));
    assert_eq!(fixture.objects.count(), 1_100);
}

#[tokio::test]
async fn what_could_not_be_deleted_is_left_to_the_next_sweep() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    orphans(&fixture, 2);
    fixture.clock.advance(2 * DAY);
    let mut sweeper = sweeper(&fixture);
    assert_eq!(sweeper.run_once().await.unwrap(), SweepStep::More);
    fixture.objects.set_fault(Some("a test's fault"));
    let report = sweep(&mut sweeper).await;
    assert_eq!((report.quarantined, report.failed), (0, 2));
    fixture.objects.set_fault(None);
    assert_eq!(sweep(&mut sweeper).await.quarantined, 2);
}

#[tokio::test]
async fn a_record_that_appears_before_the_deletion_saves_its_object() {
    let fixture = OperationsFixture::new();
    let mut records = Vec::new();
    for id in available(&fixture, 20).await {
        records.push(
            describe_file(&fixture.stores, &fixture.context, id)
                .await
                .unwrap(),
        );
    }
    // The operator restores the table between the look and the deletion.
    // Not the newest, which would look like a table of before; IDs of one millisecond are in no order.
    let lost = records.iter().min_by_key(|record| record.id).unwrap();
    fixture.metadata.forget(lost.id);
    fixture.clock.advance(2 * DAY);
    let mut sweeper = sweeper(&fixture);
    assert_eq!(sweeper.run_once().await.unwrap(), SweepStep::More);
    fixture.metadata.insert(lost).await.unwrap();
    let report = sweep(&mut sweeper).await;
    assert_eq!((report.orphans, report.quarantined), (1, 0));
    assert_eq!(fixture.objects.count(), 20);
}

#[tokio::test]
async fn each_step_is_bounded() {
    let fixture = OperationsFixture::new();
    available(&fixture, 1_950).await;
    orphans(&fixture, 150);
    fixture.clock.advance(2 * DAY);
    let mut sweeper = OrphanSweeper::new(fixture.stores.clone(), 150);
    let (mut steps, mut before) = (0, fixture.objects.count());
    let report = loop {
        let step = sweeper.run_once().await.unwrap();
        steps += 1;
        let now = fixture.objects.count();
        assert!(before - now <= 100, "{} were deleted at once", before - now);
        before = now;
        if let SweepStep::Done(report) = step {
            break report;
        }
    };
    // Five pages of at most 500, two rounds of setting aside, and the end of old quarantines.
    assert_eq!((steps, report.quarantined), (8, 150));
}

#[tokio::test(start_paused = true)]
async fn several_sweepers_at_a_time_are_as_good_as_one() {
    for seed in 0..50 {
        fastrand::seed(seed);
        let fixture = OperationsFixture::new();
        available(&fixture, 20).await;
        orphans(&fixture, 3);
        fixture.clock.advance(2 * DAY);
        let stores = disturbed(&fixture, None);
        let mut all: Vec<_> = (0..3)
            .map(|_| OrphanSweeper::new(stores.clone(), LIMIT))
            .collect();
        let reports = futures_util::future::join_all(all.iter_mut().map(sweep)).await;
        assert!(
            reports.iter().all(|report| report.failed == 0),
            "{reports:?}"
        );
        assert_eq!(fixture.objects.count(), 20, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_was_broken_off_at_any_step_is_made_good_by_the_next_one() {
    let mut broken_off = 0;
    for done in [Done::Before, Done::After] {
        for at in 0.. {
            assert!(at < 200, "a sweep of a few objects doesn't end");
            let fixture = OperationsFixture::new();
            available(&fixture, 10).await;
            orphans(&fixture, 2);
            fixture.clock.advance(2 * DAY);
            let stores = disturbed(&fixture, Some((at, done)));
            let mut dying = OrphanSweeper::new(stores, LIMIT);
            if goes_to_its_end(sweep(&mut dying)).await {
                break;
            }
            drop(dying);
            broken_off += 1;
            sweep(&mut sweeper(&fixture)).await;
            assert_eq!(fixture.objects.count(), 10, "broken off at {at} ({done:?})");
        }
    }
    assert!(broken_off > 30, "only {broken_off} steps");
}

#[tokio::test(start_paused = true)]
async fn sweeps_come_once_an_interval_and_begin_at_different_times() {
    let mut first = Vec::new();
    for _ in 0..20 {
        let fixture = OperationsFixture::new();
        available(&fixture, 20).await;
        orphans(&fixture, 1);
        fixture.clock.advance(2 * DAY);
        let began = tokio::time::Instant::now();
        let stop = tokio_util::sync::CancellationToken::new();
        let running = tokio::spawn(sweeper(&fixture).run(DAY, stop.clone()));
        let passes = async |fixture: &OperationsFixture, files: usize, limit: Duration| {
            let began = tokio::time::Instant::now();
            while fixture.objects.count() > files {
                assert!(began.elapsed() < limit, "no sweep within {limit:?}");
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            began.elapsed()
        };
        passes(&fixture, 20, DAY / 24 + Duration::from_secs(60)).await;
        first.push(began.elapsed().as_secs() / 60);
        // A step after the one that looked sets aside, and the next sweep is a day away.
        orphans(&fixture, 1);
        newer_file(&fixture).await;
        fixture.clock.advance(2 * DAY);
        let pause = passes(&fixture, 21, DAY * 5 / 4).await;
        assert!(pause > DAY * 3 / 4, "again after {pause:?}");
        stop.cancel();
        running.await.unwrap();
    }
    first.sort_unstable();
    first.dedup();
    assert!(first.len() > 5, "they come together: {first:?}");
}

#[tokio::test]
async fn orphans_that_are_newer_than_every_record_prove_that_records_were_lost() {
    let fixture = OperationsFixture::new();
    let ids = available(&fixture, 30).await;
    fixture.clock.advance(Duration::from_secs(60));
    // Two uploads after the backup was made.
    orphans(&fixture, 2);
    fixture.clock.advance(2 * DAY);
    let report = sweep(&mut sweeper(&fixture)).await;
    assert_eq!(report.suspicion, Some(Suspicion::RecordsRolledBack));
    assert_eq!((report.orphans, report.quarantined), (2, 0));
    assert_eq!(fixture.objects.count(), ids.len() + 2);
}

#[tokio::test]
async fn what_was_set_aside_is_kept_for_thirty_days_and_then_destroyed() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    orphans(&fixture, 2);
    fixture.clock.advance(2 * DAY);
    assert_eq!(sweep(&mut sweeper(&fixture)).await.quarantined, 2);
    assert_eq!(fixture.objects.count_quarantined(), 2);
    fixture.clock.advance(QUARANTINE);
    assert_eq!(sweep(&mut sweeper(&fixture)).await.destroyed, 0);
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(sweep(&mut sweeper(&fixture)).await.destroyed, 2);
    assert_eq!(fixture.objects.count_quarantined(), 0);
    assert_eq!(fixture.objects.count(), 20);
}

#[tokio::test]
async fn as_long_as_somebody_suspects_something_nothing_is_set_aside_or_destroyed() {
    let fixture = OperationsFixture::new();
    available(&fixture, 20).await;
    orphans(&fixture, 1);
    newer_file(&fixture).await;
    fixture.clock.advance(2 * DAY);
    sweep(&mut sweeper(&fixture)).await;
    let second = orphans(&fixture, 1)[0];
    newer_file(&fixture).await;
    fixture.clock.advance(QUARANTINE + DAY);
    let (suspect, suspicion) = tokio::sync::watch::channel(Some(Suspicion::MarkersDiffer));
    let mut suspecting = sweeper(&fixture).suspecting(suspicion);
    let report = sweep(&mut suspecting).await;
    assert_eq!(report.suspicion, Some(Suspicion::MarkersDiffer));
    assert_eq!((report.quarantined, report.destroyed), (0, 0));
    assert_eq!(fixture.objects.count_quarantined(), 1);
    suspect.send_replace(None);
    let report = sweep(&mut suspecting).await;
    assert_eq!((report.quarantined, report.destroyed), (1, 1), "{second}");
}
