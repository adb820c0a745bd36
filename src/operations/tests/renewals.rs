//! A URL that is renewed at the worst moment.

use super::*;

impl OperationsFixture {
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
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    // The first URL is dead and the reconciler hasn't come by yet.
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    delete_file(&fixture.stores_with_renewals(id), &fixture.context, id)
        .await
        .unwrap();
    fixture.put(id, HELLO);
    assert_eq!(
        fixture.finalize(id).await,
        FinalizeOutcome::LateArrivalDeleted
    );
    assert_eq!(
        (fixture.objects.count(), fixture.status(id).await),
        (0, None)
    );
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    assert_eq!(fixture.metadata.count(), 0);
}

#[tokio::test]
async fn a_url_renewed_while_wrong_bytes_are_measured_leaves_none_behind() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create_declaring(4, None).await;
    fixture.put(id, HELLO);
    // The first URL is dead, and the notification comes now.
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    let stores = fixture.stores_with_renewals(id);
    let outcome = finalize_upload(&stores, ObjectKey::new(id)).await.unwrap();
    assert_eq!(outcome, FinalizeOutcome::Rejected);
    // The fresh URL brings more, and that notification is lost.
    fixture.put(id, HELLO);
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    assert_eq!(fixture.objects.count(), 0);
    assert_eq!(fixture.status(id).await, Some(Status::Rejected));
}
