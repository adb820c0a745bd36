//! What a review costs, how rare it becomes, and that nothing is missed between two of them.

use super::disturbed::{counted, goes_to_its_end, slow};
use super::*;

const ROUND: Duration = Duration::from_secs(30);
/// How long an expired record stays for which nothing came.
const EMPTY_RETENTION: Duration = Duration::from_secs(86_400);

/// All calls to AWS that one abandoned create may cost, but for the query of what is due, which all share.
const CALLS_OF_AN_ABANDONED_CREATE: usize = 12;

#[tokio::test]
async fn a_create_that_is_left_costs_twelve_calls_at_most_until_its_record_is_gone() {
    let mut house = House::new();
    let (stores, calls) = counted(&house);
    house.stores = stores.clone();
    house.create().await;
    let mut reconciler = house.reconciler_of(&stores);
    let mut rounds = 0;
    while house.metadata.count() > 0 {
        house.clock.advance(ROUND);
        reconciler.run_once(house.clock.now()).await.unwrap();
        rounds += 1;
        assert!(rounds < 10_000, "the record stays");
    }
    let lived = ROUND * rounds;
    let over = UPLOAD_TTL + GRACE + EMPTY_RETENTION;
    assert!(lived >= over && lived <= over + 2 * ROUND, "{lived:?}");
    let calls = calls.without_lists();
    assert!(calls <= CALLS_OF_AN_ABANDONED_CREATE, "{calls} calls");
    assert!(calls >= 8, "only {calls}: it isn't looked at often enough");
}

#[tokio::test]
async fn whatever_arrives_without_a_notification_is_found_by_the_end_of_its_uploads() {
    let ends = (UPLOAD_TTL + GRACE).as_secs();
    for arrives in [0, 30, 59, 61, 200, 359, 361, 900, 1_700, ends - 1] {
        let mut house = House::new();
        let id = house.create().await;
        let mut put = false;
        for second in (0..=ends + 60).step_by(30) {
            if second >= arrives && !put {
                house.put(id, HELLO);
                put = true;
            }
            house.reconcile().await;
            house.clock.advance(ROUND);
        }
        let status = house.status(id).await;
        assert_eq!(status, Some(Status::Available), "after {arrives} s");
    }
}

#[tokio::test]
async fn a_renewed_url_keeps_the_record_until_its_own_end_and_is_reviewed_there() {
    let mut house = House::new();
    let id = house.create().await;
    for _ in 0..20 {
        house.clock.advance(UPLOAD_TTL - ROUND);
        house.reconcile().await;
        let renewal = renew_upload(
            &house.stores,
            &house.presigner,
            &house.context,
            id,
            UploadMethod::Put,
        );
        renewal.await.unwrap();
    }
    house.clock.advance(UPLOAD_TTL + GRACE - ROUND);
    house.reconcile().await;
    assert_eq!(house.status(id).await, Some(Status::Pending));
    house.put(id, HELLO);
    // The last review was up to an hour ago, and the next is at the end at the latest.
    house.clock.advance(ROUND);
    house.reconcile().await;
    house.reconcile().await;
    assert_eq!(house.status(id).await, Some(Status::Available));
}

#[tokio::test]
async fn a_record_for_which_nothing_came_vanishes_after_a_day_and_without_a_deletion_of_bytes() {
    let mut house = House::new();
    let id = house.create().await;
    house.clock.advance(UPLOAD_TTL + GRACE);
    assert_eq!(house.reconcile().await.expired, 1);
    assert_eq!(house.reconcile().await.reviewed, 0, "settled in one write");
    house.clock.advance(EMPTY_RETENTION - ROUND);
    house.reconcile().await;
    assert_eq!(house.status(id).await, Some(Status::Expired));
    house.clock.advance(ROUND);
    assert_eq!(house.status(id).await, None);
    house.reconcile().await;
    assert_eq!(house.metadata.count(), 0);
}

#[tokio::test]
async fn an_expired_record_whose_bytes_came_too_late_stays_for_thirty_days_and_they_go() {
    for notified in [true, false] {
        let mut house = House::new();
        let id = house.create().await;
        house.clock.advance(UPLOAD_TTL + GRACE);
        house.reconcile().await;
        house.clock.advance(ROUND);
        house.put(id, HELLO);
        if notified {
            assert_eq!(
                house.finalize(id).await,
                FinalizeOutcome::LateArrivalDeleted
            );
        } else {
            house.clock.advance(EMPTY_RETENTION);
            house.reconcile().await;
        }
        assert_eq!(house.objects.count(), 0);
        house.clock.advance(RETENTION - ROUND);
        house.reconcile().await;
        assert_eq!(house.status(id).await, Some(Status::Expired), "{notified}");
        house.clock.advance(ROUND);
        house.reconcile().await;
        assert_eq!(house.metadata.count(), 0, "{notified}");
    }
}

#[tokio::test(start_paused = true)]
async fn however_much_is_due_a_reconciler_rests_for_most_of_the_time() {
    const DUE: usize = 1_500;
    const CALL: Duration = Duration::from_millis(1);
    let house = House::new();
    for _ in 0..DUE {
        house.create().await;
    }
    house.clock.advance(Duration::from_secs(61));
    let mut reconciler = house.reconciler_of(&slow(&house, CALL));
    let began = tokio::time::Instant::now();
    let (mut rounds, mut more) = (0, true);
    while more {
        more = reconciler.run_once(house.clock.now()).await.unwrap().more;
        rounds += 1;
        assert!(rounds < 10, "it doesn't get to the end");
    }
    // Four reviews at a time, each of a look and a write.
    let worked = CALL * 2 * (DUE as u32) / 4;
    let took = began.elapsed();
    assert!(took >= worked * 19, "{took:?} for {worked:?} of work");
    assert!(took < worked * 25, "{took:?} for {worked:?} of work");
    assert!(goes_to_its_end(reconciler.run_once(house.clock.now())).await);
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_that_finds_what_arrived_does_not_rest() {
    let house = House::new();
    for _ in 0..300 {
        let id = house.create().await;
        house.put(id, HELLO);
    }
    house.clock.advance(Duration::from_secs(61));
    let mut reconciler = house.reconciler_of(&slow(&house, Duration::from_millis(1)));
    let began = tokio::time::Instant::now();
    let report = reconciler.run_once(house.clock.now()).await.unwrap();
    assert_eq!(report.finalized, 300);
    assert!(began.elapsed() < Duration::from_secs(1));
}
