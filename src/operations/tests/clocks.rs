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

impl House {
    /// The stores as a process sees them whose clock is ahead of the store's.
    fn stores_ahead_by(&self, millis: i64) -> Stores {
        Stores {
            clock: Arc::new(SkewedClock::new(self.stores.clock.clone(), millis)),
            ..self.stores.clone()
        }
    }

    /// Reviews whatever there is, as a process does whose clock is ahead.
    async fn reconcile_ahead_by(&self, millis: i64) -> ReconcileReport {
        let until = self.clock.now() + Duration::from_secs(400 * 86_400);
        let mut reconciler = self.reconciler_of(&self.stores_ahead_by(millis));
        reconciler.run_once(until).await.unwrap()
    }
}

#[tokio::test]
async fn nothing_expires_while_the_store_would_still_take_its_bytes() {
    for wrong in WRONG {
        let house = House::new();
        let id = house.create().await;
        let ends = UPLOAD_TTL + GRACE - Duration::from_millis(1);
        for _ in 0..2 {
            let report = house.reconcile_ahead_by(wrong).await;
            assert_eq!((report.expired, report.failed), (0, 0), "{wrong} ms");
            assert_eq!(house.status(id).await, Some(Status::Pending), "{wrong} ms");
            if house.clock.now() == id.created_at() {
                house.clock.advance(ends);
            }
        }
        // A slow PUT that began in time.
        house.put(id, HELLO);
        assert_eq!(house.finalize(id).await, FinalizeOutcome::Available);
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_less_than_a_minute_never_makes_anything_expire_early() {
    for off in [-59_000, -1_000, 1_000, 59_000] {
        let house = House::new();
        let id = house.create().await;
        house
            .clock
            .advance(UPLOAD_TTL + GRACE - Duration::from_millis(1));
        house.reconcile_ahead_by(off).await;
        assert_eq!(house.status(id).await, Some(Status::Pending), "{off} ms");
        house.clock.advance(Duration::from_secs(60));
        house.reconcile_ahead_by(off).await;
        assert_eq!(house.status(id).await, Some(Status::Expired), "{off} ms");
    }
}

#[tokio::test]
async fn whoever_has_a_wrong_clock_finalizes_what_arrived_and_expires_and_removes_nothing() {
    for wrong in WRONG {
        let mut house = House::new();
        let (arrived, other, never) = (
            house.create().await,
            house.create_declaring(4, None).await,
            house.create().await,
        );
        let deleted = house.create().await;
        delete_file(&house.stores_ahead_by(wrong), deleted)
            .await
            .unwrap();
        house.put(arrived, HELLO);
        house.put(other, HELLO);
        house.clock.advance(UPLOAD_TTL + GRACE);
        let report = house.reconcile_ahead_by(wrong).await;
        assert_eq!((report.finalized, report.expired), (2, 0), "{wrong} ms");
        assert_eq!(house.objects.count(), 1, "the wrong bytes are gone");
        assert_eq!(house.metadata.count(), 4, "no record is gone");
        assert_eq!(house.status(never).await, Some(Status::Pending));
        // One whose clock is right does the rest.
        house.reconcile().await;
        assert_eq!(house.status(never).await, Some(Status::Expired));
        assert_eq!(house.metadata.count(), 3, "the tombstone is gone");
    }
}

#[tokio::test]
async fn a_tombstone_outlives_every_url_whatever_clock_the_process_has_that_deletes() {
    for wrong in WRONG {
        let mut house = House::new();
        let id = house.create().await;
        house.clock.advance(UPLOAD_TTL);
        let stores = house.stores_ahead_by(wrong);
        delete_file(&stores, id).await.unwrap();
        // The notification of a slow PUT, and then a review.
        house.put(id, HELLO);
        let finalized = finalize_upload(&stores, ObjectKey::new(id)).await;
        assert_eq!(finalized.unwrap(), FinalizeOutcome::LateArrivalDeleted);
        house.reconcile_ahead_by(wrong).await;
        assert_eq!(house.metadata.count(), 1, "{wrong} ms");
        house.put(id, HELLO);
        house.clock.advance(GRACE);
        house.reconcile().await;
        let left = (house.objects.count(), house.metadata.count());
        assert_eq!(left, (0, 0), "{wrong} ms");
    }
}

#[tokio::test]
async fn a_sweeper_with_a_wrong_clock_touches_nothing_and_says_why() {
    for wrong in WRONG {
        let house = House::new();
        for _ in 0..20 {
            let id = house.create().await;
            house.put(id, HELLO);
            house.finalize(id).await;
        }
        house.put(FileId::new(house.clock.now()), HELLO);
        house.clock.advance(2 * MIN_AGE);
        let mut sweeper = OrphanSweeper::new(house.stores_ahead_by(wrong), 100);
        let SweepStep::Done(report) = sweeper.run_once().await.unwrap() else {
            panic!("it goes on");
        };
        assert_eq!(report.suspicion, Some(Suspicion::ClocksDiffer));
        assert_eq!(house.objects.count(), 21);
    }
}

#[tokio::test]
async fn an_object_is_young_by_the_stores_clock() {
    // The sweeper's clock is ahead by less than what it would say.
    let house = House::new();
    let known = house.create().await;
    house.put(known, HELLO);
    house.finalize(known).await;
    house.put(FileId::new(house.clock.now()), HELLO);
    house.clock.advance(MIN_AGE - Duration::from_secs(30));
    let mut sweeper = OrphanSweeper::new(house.stores_ahead_by(MINUTE - 1), 100);
    let report = super::sweep_orphans::sweep(&mut sweeper).await;
    assert_eq!((report.young, report.orphans), (2, 0));
}

#[tokio::test]
async fn the_difference_of_the_clocks_can_be_asked_for() {
    let house = House::new();
    let right = house.stores.compare_clocks().await.unwrap();
    assert_eq!(right.unwrap().timestamp(), house.clock.now());
    let ahead = house.stores_ahead_by(31 * MINUTE);
    let differ = ahead.compare_clocks().await.unwrap().unwrap_err();
    assert_eq!(differ.store, house.clock.now());
    assert_eq!((differ.own - differ.store).num_minutes(), 31);
}
