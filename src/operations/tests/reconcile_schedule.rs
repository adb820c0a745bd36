//! What a reconciliation costs, how rare it becomes, and that nothing is missed between two of them.

use super::disturbed::{counted, goes_to_its_end, slow};
use super::*;

const ROUND: Duration = Duration::from_secs(30);
/// How long an expired record stays for which nothing came.
const EMPTY_RETENTION: Duration = Duration::from_secs(86_400);

/// All calls to AWS that one abandoned create may cost, but for the query of what is due, which all share.
const CALLS_OF_AN_ABANDONED_CREATE: usize = 12;

#[tokio::test]
async fn a_create_that_is_left_costs_twelve_calls_at_most_until_its_record_is_gone() {
    let mut fixture = OperationsFixture::new();
    let (stores, calls) = counted(&fixture);
    fixture.stores = stores.clone();
    fixture.create().await;
    let mut reconciler = fixture.reconciler_of(&stores);
    let mut rounds = 0;
    while fixture.metadata.count() > 0 {
        fixture.clock.advance(ROUND);
        reconciler.run_once(fixture.clock.now()).await.unwrap();
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
        let mut fixture = OperationsFixture::new();
        let id = fixture.create().await;
        let mut put = false;
        for second in (0..=ends + 60).step_by(30) {
            if second >= arrives && !put {
                fixture.put(id, HELLO);
                put = true;
            }
            fixture.reconcile().await;
            fixture.clock.advance(ROUND);
        }
        let status = fixture.status(id).await;
        assert_eq!(status, Some(Status::Available), "after {arrives} s");
    }
}

#[tokio::test]
async fn a_renewed_url_keeps_the_record_until_its_own_end_and_is_reconciled_there() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    for _ in 0..20 {
        fixture.clock.advance(UPLOAD_TTL - ROUND);
        fixture.reconcile().await;
        let renewal = renew_upload(
            &fixture.stores,
            &fixture.presigner,
            &fixture.context,
            id,
            UploadMethod::Put,
        );
        renewal.await.unwrap();
    }
    fixture.clock.advance(UPLOAD_TTL + GRACE - ROUND);
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    fixture.put(id, HELLO);
    // The last reconciliation was up to an hour ago, and the next is at the end at the latest.
    fixture.clock.advance(ROUND);
    fixture.reconcile().await;
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Available));
}

#[tokio::test]
async fn a_record_for_which_nothing_came_vanishes_after_a_day_and_without_a_deletion_of_bytes() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    assert_eq!(fixture.reconcile().await.expired, 1);
    assert_eq!(
        fixture.reconcile().await.reviewed,
        0,
        "settled in one write"
    );
    fixture.clock.advance(EMPTY_RETENTION - ROUND);
    fixture.reconcile().await;
    assert_eq!(fixture.status(id).await, Some(Status::Expired));
    fixture.clock.advance(ROUND);
    assert_eq!(fixture.status(id).await, None);
    fixture.reconcile().await;
    assert_eq!(fixture.metadata.count(), 0);
}

#[tokio::test]
async fn an_expired_record_whose_bytes_came_too_late_stays_for_thirty_days_and_they_go() {
    for notified in [true, false] {
        let mut fixture = OperationsFixture::new();
        let id = fixture.create().await;
        fixture.clock.advance(UPLOAD_TTL + GRACE);
        fixture.reconcile().await;
        fixture.clock.advance(ROUND);
        fixture.put(id, HELLO);
        if notified {
            assert_eq!(
                fixture.finalize(id).await,
                FinalizeOutcome::LateArrivalDeleted
            );
        } else {
            fixture.clock.advance(EMPTY_RETENTION);
            fixture.reconcile().await;
        }
        assert_eq!(fixture.objects.count(), 0);
        fixture.clock.advance(RETENTION - ROUND);
        fixture.reconcile().await;
        assert_eq!(
            fixture.status(id).await,
            Some(Status::Expired),
            "{notified}"
        );
        fixture.clock.advance(ROUND);
        fixture.reconcile().await;
        assert_eq!(fixture.metadata.count(), 0, "{notified}");
    }
}

#[tokio::test(start_paused = true)]
async fn however_much_is_due_a_reconciler_rests_for_most_of_the_time() {
    const DUE: usize = 1_500;
    const CALL: Duration = Duration::from_millis(1);
    let fixture = OperationsFixture::new();
    for _ in 0..DUE {
        fixture.create().await;
    }
    fixture.clock.advance(Duration::from_secs(61));
    let mut reconciler = fixture.reconciler_of(&slow(&fixture, CALL));
    let began = tokio::time::Instant::now();
    let (mut rounds, mut more) = (0, true);
    while more {
        more = reconciler.run_once(fixture.clock.now()).await.unwrap().more;
        rounds += 1;
        assert!(rounds < 10, "it doesn't get to the end");
    }
    // Four reconciliations at a time, each of a look and a write.
    let worked = CALL * 2 * (DUE as u32) / 4;
    let took = began.elapsed();
    assert!(took >= worked * 19, "{took:?} for {worked:?} of work");
    assert!(took < worked * 25, "{took:?} for {worked:?} of work");
    assert!(goes_to_its_end(reconciler.run_once(fixture.clock.now())).await);
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_that_finds_what_arrived_does_not_rest() {
    let fixture = OperationsFixture::new();
    for _ in 0..300 {
        let id = fixture.create().await;
        fixture.put(id, HELLO);
    }
    fixture.clock.advance(Duration::from_secs(61));
    let mut reconciler = fixture.reconciler_of(&slow(&fixture, Duration::from_millis(1)));
    let began = tokio::time::Instant::now();
    let report = reconciler.run_once(fixture.clock.now()).await.unwrap();
    assert_eq!(report.finalized, 300);
    assert!(began.elapsed() < Duration::from_secs(1));
}
