//! What a power cut takes, and what another upload may still replace.

use super::*;

/// The digest of the bytes that the store has, and that the record names.
async fn stored_and_named(fixture: &OperationsFixture, id: FileId) -> (Option<String>, String) {
    let record = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    let FileState::Available(object) = record.state else {
        panic!("{:?}", record.state);
    };
    let read = fixture
        .stores
        .objects
        .read(ObjectKey::new(id), object.version_id.as_ref());
    let stored = match read.await.unwrap().found() {
        Some(reader) => {
            let hashed = super::super::measure::hash(reader.body).await;
            Some(hashed.unwrap().1.to_hex())
        }
        None => None,
    };
    (stored, object.sha256.to_hex())
}

#[tokio::test]
async fn what_is_called_available_is_there_after_a_power_cut() {
    for versioned in [true, false] {
        let fixture = OperationsFixture::with_versions(versioned);
        let id = fixture.create().await;
        // The PUT isn't answered yet, and somebody looks.
        fixture.objects.put_unsynced(ObjectKey::new(id), HELLO);
        assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
        fixture.objects.lose_power();
        let (stored, named) = stored_and_named(&fixture, id).await;
        assert_eq!(stored, Some(named));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_available_while_the_store_cannot_make_it_durable() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.objects.put_unsynced(ObjectKey::new(id), HELLO);
    // Each call in turn fails, or never answers.
    for at in 0.. {
        let stores = disturbed::disturbed(&fixture, Some((at, disturbed::Done::Before)));
        let finalizing = finalize_upload(&stores, ObjectKey::new(id));
        if disturbed::goes_to_its_end(finalizing).await {
            break;
        }
        assert_eq!(fixture.status(id).await, Some(Status::Pending), "call {at}");
        assert!(at < 20, "it doesn't end");
    }
    fixture.objects.lose_power();
    let (stored, named) = stored_and_named(&fixture, id).await;
    assert_eq!(stored, Some(named));
}

#[tokio::test]
async fn what_another_upload_may_still_replace_is_not_settled_before_none_can() {
    let mut fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.objects.suspend_versions();
    fixture.put(id, "HELLO");
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::NotYet);
    fixture.clock.advance(UPLOAD_TTL);
    let completed = complete_upload(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(completed.status(), Status::Pending);
    // The form is sent again, late, and takes the place of the first.
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::NotYet);
    assert_eq!(fixture.reconcile().await.finalized, 0);
    fixture.clock.advance(GRACE);
    assert_eq!(fixture.reconcile().await.finalized, 1);
    let (stored, named) = stored_and_named(&fixture, id).await;
    assert_eq!(named, HELLO_SHA256);
    assert_eq!(stored, Some(named));
}

#[tokio::test]
async fn a_completion_reads_the_record_once() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    // The record, the bytes, their durability, the settlement.
    let stores = disturbed::disturbed(&fixture, Some((4, disturbed::Done::Before)));
    let completed = complete_upload(&stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(
        completed,
        describe_file(&fixture.stores, &fixture.context, id)
            .await
            .unwrap()
    );
    assert_eq!(completed.status(), Status::Available);
}
