//! Processes whose own clock is wrong. The store's is right, and so is the client's.

use super::*;
use crate::clock::SkewedClock;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// By how many milliseconds a clock may be off, and must do no harm.
const WRONG: [i64; 6] = [
    2 * MINUTE,
    -2 * MINUTE,
    31 * MINUTE,
    -31 * MINUTE,
    3 * DAY,
    -3 * DAY,
];

impl OperationsFixture {
    /// The stores as a process sees them whose clock is ahead of the store's.
    fn stores_ahead_by(&self, millis: i64) -> Stores {
        Stores {
            clock: Arc::new(SkewedClock::new(self.stores.clock.clone(), millis)),
            ..self.stores.clone()
        }
    }

    /// Reconciliations whatever there is, as a process does whose clock is ahead.
    async fn reconcile_ahead_by(&self, millis: i64) -> ReconcileReport {
        let until = self.clock.now() + Duration::from_secs(400 * 86_400);
        let mut reconciler = self.reconciler_of(&self.stores_ahead_by(millis));
        reconciler.run_once(until).await.unwrap()
    }
}

#[tokio::test]
async fn nothing_expires_while_the_store_would_still_take_its_bytes() {
    for wrong in WRONG {
        let fixture = OperationsFixture::new();
        let id = fixture.create().await;
        let ends = UPLOAD_TTL + GRACE - Duration::from_millis(1);
        for _ in 0..2 {
            let report = fixture.reconcile_ahead_by(wrong).await;
            assert_eq!((report.expired, report.failed), (0, 0), "{wrong} ms");
            assert_eq!(
                fixture.status(id).await,
                Some(Status::Pending),
                "{wrong} ms"
            );
            if fixture.clock.now() == id.created_at() {
                fixture.clock.advance(ends);
            }
        }
        // A slow PUT that began in time.
        fixture.put(id, HELLO);
        assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_less_than_a_minute_never_makes_anything_expire_early() {
    for off in [-59_000, -1_000, 1_000, 59_000] {
        let fixture = OperationsFixture::new();
        let id = fixture.create().await;
        fixture
            .clock
            .advance(UPLOAD_TTL + GRACE - Duration::from_millis(1));
        fixture.reconcile_ahead_by(off).await;
        assert_eq!(fixture.status(id).await, Some(Status::Pending), "{off} ms");
        fixture.clock.advance(Duration::from_secs(60));
        fixture.reconcile_ahead_by(off).await;
        assert_eq!(fixture.status(id).await, Some(Status::Expired), "{off} ms");
    }
}

#[tokio::test]
async fn whoever_has_a_wrong_clock_finalizes_what_arrived_and_expires_and_removes_nothing() {
    for wrong in WRONG {
        let mut fixture = OperationsFixture::new();
        let (arrived, other, never) = (
            fixture.create().await,
            fixture.create_declaring(4, None).await,
            fixture.create().await,
        );
        let deleted = fixture.create().await;
        delete_file(&fixture.stores_ahead_by(wrong), &fixture.context, deleted)
            .await
            .unwrap();
        fixture.put(arrived, HELLO);
        fixture.put(other, HELLO);
        fixture.clock.advance(UPLOAD_TTL + GRACE);
        let report = fixture.reconcile_ahead_by(wrong).await;
        assert_eq!((report.finalized, report.expired), (2, 0), "{wrong} ms");
        assert_eq!(fixture.objects.count(), 1, "the wrong bytes are gone");
        assert_eq!(fixture.metadata.count(), 4, "no record is gone");
        assert_eq!(fixture.status(never).await, Some(Status::Pending));
        // One whose clock is right does the rest.
        fixture.reconcile().await;
        assert_eq!(fixture.status(never).await, Some(Status::Expired));
        assert_eq!(fixture.metadata.count(), 3, "the tombstone is gone");
    }
}

#[tokio::test]
async fn a_tombstone_outlives_every_url_whatever_clock_the_process_has_that_deletes() {
    for wrong in WRONG {
        let mut fixture = OperationsFixture::new();
        let id = fixture.create().await;
        fixture.clock.advance(UPLOAD_TTL);
        let stores = fixture.stores_ahead_by(wrong);
        delete_file(&stores, &fixture.context, id).await.unwrap();
        // The notification of a slow PUT, and then a reconciliation.
        fixture.put(id, HELLO);
        let finalized = finalize_upload(&stores, ObjectKey::new(id)).await;
        assert_eq!(finalized.unwrap(), FinalizeOutcome::LateArrivalDeleted);
        fixture.reconcile_ahead_by(wrong).await;
        assert_eq!(fixture.metadata.count(), 1, "{wrong} ms");
        fixture.put(id, HELLO);
        fixture.clock.advance(GRACE);
        fixture.reconcile().await;
        let left = (fixture.objects.count(), fixture.metadata.count());
        assert_eq!(left, (0, 0), "{wrong} ms");
    }
}

#[tokio::test]
async fn a_sweeper_with_a_wrong_clock_touches_nothing_and_says_why() {
    for wrong in WRONG {
        let fixture = OperationsFixture::new();
        for _ in 0..20 {
            let id = fixture.create().await;
            fixture.put(id, HELLO);
            fixture.finalize(id).await;
        }
        fixture.put(FileId::new(fixture.clock.now()), HELLO);
        fixture.clock.advance(2 * MIN_AGE);
        let mut sweeper = OrphanSweeper::new(fixture.stores_ahead_by(wrong), 100);
        let SweepStep::Done(report) = sweeper.run_once().await.unwrap() else {
            panic!("it goes on");
        };
        assert_eq!(report.suspicion, Some(Suspicion::ClocksDiffer));
        assert_eq!(fixture.objects.count(), 21);
    }
}

#[tokio::test]
async fn an_object_is_young_by_the_stores_clock() {
    // The sweeper's clock is ahead by less than what it would say.
    let fixture = OperationsFixture::new();
    let known = fixture.create().await;
    fixture.put(known, HELLO);
    fixture.finalize(known).await;
    fixture.put(FileId::new(fixture.clock.now()), HELLO);
    fixture.clock.advance(MIN_AGE - Duration::from_secs(30));
    let mut sweeper = OrphanSweeper::new(fixture.stores_ahead_by(MINUTE - 1), 100);
    let report = super::sweep_orphans::sweep(&mut sweeper).await;
    assert_eq!((report.young, report.orphans), (2, 0));
}

#[tokio::test]
async fn the_difference_of_the_clocks_can_be_asked_for() {
    let fixture = OperationsFixture::new();
    let right = fixture.stores.compare_clocks().await.unwrap();
    assert_eq!(right.unwrap().timestamp(), fixture.clock.now());
    let ahead = fixture.stores_ahead_by(31 * MINUTE);
    let differ = ahead.compare_clocks().await.unwrap().unwrap_err();
    assert_eq!(differ.store, fixture.clock.now());
    assert_eq!((differ.own - differ.store).num_minutes(), 31);
}
