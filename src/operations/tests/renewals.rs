//! A URL that is renewed at the worst moment.

use super::*;

impl House {
    /// Stores at whose every look at the clock somebody renews the upload URL.
    fn stores_with_renewals(&self, id: FileId) -> Stores {
        Stores {
            clock: Arc::new(RenewingClock {
                clock: self.clock.clone(),
                metadata: self.metadata.clone(),
                id,
            }),
            ..self.stores.clone()
        }
    }
}

/// A clock at whose every reading some client renews the upload URL: a renewal between any two
/// steps of an operation.
struct RenewingClock {
    clock: ManualClock,
    metadata: Arc<MemoryMetadataStore>,
    id: FileId,
}

impl Clock for RenewingClock {
    fn now(&self) -> crate::domain::Timestamp {
        let now = self.clock.now();
        let renewal = self.metadata.renew_upload(self.id, now + UPLOAD_TTL);
        renewal.now_or_never().unwrap().unwrap();
        now
    }
}

#[tokio::test]
async fn a_url_renewed_during_the_delete_brings_nothing_back_either() {
    let mut house = House::new();
    let id = house.create().await;
    // The first URL is dead and the reconciler hasn't come by yet.
    house.clock.advance(UPLOAD_TTL + GRACE);
    delete_file(&house.stores_with_renewals(id), id)
        .await
        .unwrap();
    house.put(id, HELLO);
    assert_eq!(
        house.finalize(id).await,
        FinalizeOutcome::LateArrivalDeleted
    );
    assert_eq!((house.objects.count(), house.status(id).await), (0, None));
    house.clock.advance(UPLOAD_TTL + GRACE);
    house.reconcile().await;
    assert_eq!(house.metadata.count(), 0);
}

#[tokio::test]
async fn a_url_renewed_while_wrong_bytes_are_measured_leaves_none_behind() {
    let mut house = House::new();
    let id = house.create_declaring(4, None).await;
    house.put(id, HELLO);
    // The first URL is dead, and the notification comes now.
    house.clock.advance(UPLOAD_TTL + GRACE);
    let stores = house.stores_with_renewals(id);
    let outcome = finalize_upload(&stores, ObjectKey::new(id)).await.unwrap();
    assert_eq!(outcome, FinalizeOutcome::Rejected);
    // The fresh URL brings more, and that notification is lost.
    house.put(id, HELLO);
    house.clock.advance(UPLOAD_TTL + GRACE);
    house.reconcile().await;
    assert_eq!(house.objects.count(), 0);
    assert_eq!(house.status(id).await, Some(Status::Rejected));
}
