//! What is withdrawn and held, or has to be kept: its bytes stay as long as that, out of everybody's reach.

use super::rescanning::{ALL, EndsBeforeTheDeletion, Rescanned};
use super::sweep_orphans::sweep;
use super::*;
use crate::clock::SkewedClock;
use crate::domain::HoldReason;
use crate::scanner::probes::eicar;

#[tokio::test]
async fn the_bytes_of_a_withdrawn_file_that_is_held_stay_out_of_reach_until_it_is_released() {
    let mut rescanned = Rescanned::new(true);
    let (stores, context) = (
        rescanned.fixture.stores.clone(),
        rescanned.fixture.context.clone(),
    );
    let clock = rescanned.fixture.clock.clone();
    let id = rescanned.takes(&eicar()).await;
    let reason = HoldReason::given("case 4711").unwrap();
    hold_file(&stores, &context, id, reason).await.unwrap();
    assert_eq!(rescanned.run(&ALL).await.0.withdrawn, 1);
    assert!(rescanned.download(id).await.is_err());
    // Longer than a record of a withdrawn file stays otherwise.
    for _ in 0..40 {
        rescanned.fixture.reconcile().await;
        clock.advance(Duration::from_secs(24 * 60 * 60));
    }
    assert!(rescanned.has_bytes(id).await);
    let refused = delete_file(&stores, &context, id).await;
    assert!(matches!(refused, Err(OperationError::Held)), "{refused:?}");

    // It is looked at now and then, and stays for as long as one that is withdrawn now.
    let purge_at = rescanned.record(id).await.purge_at().unwrap();
    assert!(purge_at <= clock.now() + RETENTION + Duration::from_secs(60 * 60));
    release_file(&stores, &context, id).await.unwrap();
    assert!(!rescanned.has_bytes(id).await);
}

#[tokio::test]
async fn the_bytes_of_a_withdrawn_file_go_soon_after_its_release_whatever_dies_then() {
    let mut rescanned = Rescanned::new(true);
    let id = rescanned.takes(&eicar()).await;
    let stores = rescanned.fixture.stores.clone();
    let dying = Stores {
        objects: Arc::new(Intercepted {
            store: rescanned.fixture.objects.clone(),
            interceptor: EndsBeforeTheDeletion,
        }),
        ..stores.clone()
    };
    let context = rescanned.fixture.context.clone();
    let reason = HoldReason::given("case 4711").unwrap();
    hold_file(&stores, &context, id, reason).await.unwrap();
    rescanned.run(&ALL).await;
    let released = release_file(&dying, &context, id).await.unwrap();
    assert_eq!(released.hold, None);
    assert!(rescanned.has_bytes(id).await);
    rescanned.fixture.reconcile().await;
    assert!(!rescanned.has_bytes(id).await);
}

#[tokio::test]
async fn what_has_to_be_kept_outlives_its_withdrawal_out_of_reach_and_goes_then() {
    const DAY: Duration = Duration::from_secs(86_400);
    let year = 365 * DAY;
    for versioned in [true, false] {
        let mut rescanned = Rescanned::new(versioned);
        rescanned.fixture.stores.lifecycle.min_keep = Some(year);
        let id = rescanned.takes(&eicar()).await;
        let until = rescanned.record(id).await.keep_until.unwrap();
        assert_eq!(rescanned.run(&ALL).await.0.withdrawn, 1);
        let (stores, context) = (
            rescanned.fixture.stores.clone(),
            rescanned.fixture.context.clone(),
        );
        let clock = rescanned.fixture.clock.clone();
        // From the first write on the record stays that long, whoever comes by.
        let purge_at = rescanned.record(id).await.purge_at().unwrap();
        assert!(purge_at >= until + RETENTION, "{purge_at}");
        let mut looks = 0;
        for _ in 0..364 {
            // A clock that is ahead ends nothing.
            let ahead = Stores {
                clock: Arc::new(SkewedClock::new(
                    stores.clock.clone(),
                    2 * year.as_millis() as i64,
                )),
                ..stores.clone()
            };
            let record = rescanned.record(id).await;
            clean_up::clean_up(&ahead, &record).await.unwrap();
            looks += rescanned.fixture.reconcile().await.reviewed;
            assert!(rescanned.has_bytes(id).await);
            clock.advance(DAY);
        }
        assert!(looks <= 2, "{looks} looks in a year");
        assert_eq!(rescanned.record(id).await.purge_at(), Some(purge_at));
        let gone = rescanned.download(id).await.unwrap_err();
        assert!(matches!(gone, OperationError::FileWithdrawn(_)), "{gone}");
        let refused = delete_file(&stores, &context, id).await;
        assert!(
            matches!(refused, Err(OperationError::Retained(at)) if at == until),
            "{refused:?}"
        );
        clock.advance(2 * DAY);
        rescanned.fixture.reconcile().await;
        assert!(!rescanned.has_bytes(id).await);
        assert_eq!(rescanned.record(id).await.status(), Status::Withdrawn);
        clock.advance(RETENTION);
        rescanned.fixture.reconcile().await;
        assert_eq!(rescanned.fixture.metadata.get(id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_a_form_brings_for_a_withdrawn_file_that_is_held_goes_and_what_is_held_stays() {
    let mut rescanned = Rescanned::new(true);
    let (stores, context) = (
        rescanned.fixture.stores.clone(),
        rescanned.fixture.context.clone(),
    );
    let id = rescanned.takes(&eicar()).await;
    let FileState::Available(before) = rescanned.record(id).await.state else {
        panic!("it isn't available");
    };
    let reason = HoldReason::given("case 4711").unwrap();
    hold_file(&stores, &context, id, reason).await.unwrap();
    rescanned.run(&ALL).await;
    let FileState::Withdrawn { was, .. } = rescanned.record(id).await.state else {
        panic!("it isn't withdrawn");
    };
    assert_eq!(was.version_id, before.version_id);
    for by_notification in [true, false] {
        rescanned.fixture.put(id, HELLO);
        match by_notification {
            true => {
                let late = rescanned.fixture.finalize(id).await;
                assert_eq!(late, FinalizeOutcome::LateArrivalDeleted);
            }
            false => {
                rescanned
                    .fixture
                    .clock
                    .advance(Duration::from_secs(60 * 60));
                rescanned.fixture.reconcile().await;
            }
        }
        let head = rescanned.fixture.objects.head(ObjectKey::new(id)).await;
        let head = head.unwrap().found().unwrap();
        assert_eq!(head.version_id, before.version_id);
        assert_eq!(rescanned.fixture.objects.count(), 1);
    }
}

#[tokio::test]
async fn bytes_without_a_version_that_were_held_keep_others_away_after_their_release_too() {
    let mut rescanned = Rescanned::new(false);
    let (stores, context) = (
        rescanned.fixture.stores.clone(),
        rescanned.fixture.context.clone(),
    );
    let id = rescanned.takes(&eicar()).await;
    let reason = HoldReason::given("case 4711").unwrap();
    hold_file(&stores, &context, id, reason).await.unwrap();
    rescanned.run(&ALL).await;
    release_file(&stores, &context, id).await.unwrap();
    for _ in 0..2 {
        assert!(rescanned.has_bytes(id).await);
        rescanned.fixture.reconcile().await;
        rescanned.fixture.clock.advance((UPLOAD_TTL + GRACE) / 2);
    }
    rescanned.fixture.reconcile().await;
    assert!(!rescanned.has_bytes(id).await);
}

#[tokio::test]
async fn what_a_form_brings_for_what_has_to_be_kept_goes_with_the_daily_sweep_if_nobody_hears_of_it()
 {
    let mut rescanned = Rescanned::new(true);
    rescanned.fixture.stores.lifecycle.min_keep = Some(Duration::from_secs(365 * 86_400));
    let id = rescanned.takes(&eicar()).await;
    rescanned.run(&ALL).await;
    let record = rescanned.record(id).await;
    // It stands before the version that has to be kept, which a lifecycle rule then removes some day.
    rescanned.fixture.put(id, HELLO);
    rescanned.fixture.clock.advance(MIN_AGE);
    let mut sweeper = OrphanSweeper::new(rescanned.fixture.stores.clone(), 100);
    sweep(&mut sweeper).await;
    let head = rescanned.fixture.objects.head(ObjectKey::new(id)).await;
    let head = head.unwrap().found().unwrap();
    assert_eq!(head.version_id.as_ref(), record.named_version());
    assert_eq!(rescanned.fixture.objects.count(), 1);
}
