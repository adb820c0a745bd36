//! Where a bucket keeps no versions: what a download URL brings that was handed out before a deletion.

use super::*;
use crate::object_store::ObjectStore;

/// What the old download URL brings: whatever has the key, since it names no version.
async fn what_an_old_url_brings(house: &House, id: FileId) -> Option<u64> {
    let head = house.objects.head(ObjectKey::new(id)).await.unwrap();
    head.found().map(|head| head.content_length)
}

/// What a client does with its PUT URL, which signs that there is nothing yet.
async fn put_again(house: &House, id: FileId) {
    if what_an_old_url_brings(house, id).await.is_none() {
        house.put(id, "other");
    }
}

async fn deleted(house: &House, after: Duration) -> FileId {
    let id = house.create().await;
    house.put(id, HELLO);
    house.finalize(id).await;
    house.download(id).await.unwrap();
    house.clock.advance(after);
    delete_file(&house.stores, id).await.unwrap();
    id
}

#[tokio::test]
async fn the_key_of_a_deleted_file_stays_taken_until_no_url_can_bring_other_bytes() {
    let mut house = House::with_versions(false);
    let id = deleted(&house, Duration::from_secs(1)).await;
    assert_eq!(house.status(id).await, None, "it is gone for everybody");
    for _ in 0..30 {
        put_again(&house, id).await;
        // A doubled notification, a completion, a review, another deletion.
        assert_eq!(
            house.finalize(id).await,
            FinalizeOutcome::LateArrivalDeleted
        );
        let completed = complete_upload(&house.stores, id).await;
        assert!(matches!(completed, Err(OperationError::FileNotFound)));
        let again = delete_file(&house.stores, id).await;
        assert!(matches!(again, Err(OperationError::FileNotFound)));
        house.reconcile().await;
        let brings = what_an_old_url_brings(&house, id).await;
        assert_eq!(brings, Some(HELLO.len() as u64));
        house.clock.advance(Duration::from_secs(59));
    }
    house.clock.advance(Duration::from_secs(30));
    house.reconcile().await;
    assert_eq!((house.objects.count(), house.metadata.count()), (0, 0));
}

#[tokio::test]
async fn the_bytes_go_at_once_where_no_url_works_any_more_or_versions_tell_them_apart() {
    for (versioned, after) in [(false, UPLOAD_TTL + GRACE), (true, Duration::ZERO)] {
        let house = House::with_versions(versioned);
        let id = deleted(&house, after).await;
        assert_eq!(what_an_old_url_brings(&house, id).await, None);
    }
}

#[tokio::test]
async fn a_file_that_is_settled_while_it_is_deleted_keeps_its_key_taken_too() {
    let house = House::with_versions(false);
    let id = house.create().await;
    house.put(id, HELLO);
    // It was pending when it was read, and is available when the tombstone is written.
    let pending = describe_file(&house.stores, id).await.unwrap();
    house.finalize(id).await;
    let (now, grace) = (house.clock.now(), house.stores.lifecycle.upload_grace);
    let expires_at = house.stores.lifecycle.expires_at(&pending, now);
    let deleted = house.metadata.delete(id, now, expires_at, grace).await;
    assert!(deleted.unwrap());
    house.finalize(id).await;
    let brings = what_an_old_url_brings(&house, id).await;
    assert_eq!(brings, Some(HELLO.len() as u64));
}
