//! Forms: where they are handed out, and what becomes of one that is sent again.

use super::*;
use crate::domain::StoredObject;
use crate::object_store::ObjectStore;

async fn create_for_a_form(
    fixture: &OperationsFixture,
    key: Option<&str>,
) -> Result<CreatedFile, OperationError> {
    let new = NewFile {
        upload_method: UploadMethod::Post,
        ..NewFile::sample(Declaration::sample())
    };
    let (stores, presigner, context) = (&fixture.stores, &fixture.presigner, &fixture.context);
    let key = key.map(|key| crate::domain::IdempotencyKey::parse(key).unwrap());
    create_file(stores, presigner, context, new, key).await
}

async fn available_version(fixture: &OperationsFixture, id: FileId) -> StoredObject {
    let record = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    match record.state {
        FileState::Available(object) => object,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_form_is_refused_where_it_could_overwrite_and_nothing_is_written() {
    let fixture = OperationsFixture::with_versions(false);
    for key in [None, Some("k")] {
        let refused = create_for_a_form(&fixture, key).await;
        assert!(matches!(refused, Err(OperationError::FormNotSafe)));
    }
    assert_eq!(fixture.metadata.count(), 0);
    let id = fixture.create().await;
    let (presigner, context) = (&fixture.presigner, &fixture.context);
    let refused = renew_upload(&fixture.stores, presigner, context, id, UploadMethod::Post).await;
    assert!(matches!(refused, Err(OperationError::FormNotSafe)));
    let put = renew_upload(&fixture.stores, presigner, context, id, UploadMethod::Put).await;
    assert_eq!(put.unwrap().kind.method(), UploadMethod::Put);
}

#[tokio::test]
async fn a_store_that_does_not_say_whether_it_keeps_versions_gets_no_form() {
    let fixture = OperationsFixture::new();
    fixture.objects.set_fault(Some("away"));
    let refused = create_for_a_form(&fixture, None).await;
    assert!(matches!(refused, Err(OperationError::Store(_))));
    assert_eq!(fixture.metadata.count(), 0);
}

#[tokio::test]
async fn a_key_gives_the_same_kind_of_upload_again_and_not_another() {
    let fixture = OperationsFixture::new();
    let first = create_for_a_form(&fixture, Some("k")).await.unwrap();
    let again = create_for_a_form(&fixture, Some("k")).await.unwrap();
    assert_eq!(again.record.id, first.record.id);
    assert_eq!(again.upload.unwrap().kind.method(), UploadMethod::Post);
    let refused = fixture.create_once("hello.txt", "k").await;
    assert!(matches!(refused, Err(OperationError::IdempotencyKeyReused)));
    // Keys that came before there was this field stand for the same requests as ever.
    let declared = Declaration::sample().named("hello.txt").of_length(5);
    let new = NewFile::sample(declared.of_type("text/plain"));
    assert_eq!(new.fingerprint().to_hex(), FINGERPRINT_WITHOUT_THE_FIELD);
}

/// SHA-256 over the prefix and each field with its length before it, computed elsewhere.
const FINGERPRINT_WITHOUT_THE_FIELD: &str =
    "731ec2067d0111bd2e77b7fa87a4c7426f9215eb5ce49f7348753d02d6f3b25d";

#[tokio::test]
async fn a_form_that_is_sent_again_after_the_file_is_settled_changes_nothing_and_leaves_nothing() {
    let fixture = OperationsFixture::new();
    let id = create_for_a_form(&fixture, None).await.unwrap().record.id;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let before = available_version(&fixture, id).await;
    // Bytes that pass for the declared ones: no digest came with the file.
    fixture.put(id, "HELLO");
    fixture.put(id, "hallo");
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AlreadySettled);
    assert_eq!(available_version(&fixture, id).await, before);
    assert_eq!(fixture.objects.count(), 1);
    // The version that the record names is the current one again, so no lifecycle rule takes it away.
    let head = fixture
        .objects
        .head(ObjectKey::new(id))
        .await
        .unwrap()
        .found();
    assert_eq!(head.unwrap().version_id, before.version_id);
}

#[tokio::test]
async fn of_forms_that_come_before_the_file_is_settled_the_last_counts_and_the_others_go() {
    let mut fixture = OperationsFixture::new();
    let id = create_for_a_form(&fixture, None).await.unwrap().record.id;
    fixture.put(id, "HELLO");
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    let settled = available_version(&fixture, id).await;
    assert_eq!(settled.sha256.to_hex(), HELLO_SHA256);
    fixture.reconcile().await;
    sweep_a_day_later(&fixture).await;
    assert_eq!(fixture.objects.count(), 1);
    assert_eq!(available_version(&fixture, id).await, settled);
}

#[tokio::test]
async fn what_a_form_brings_late_and_without_a_notification_goes_with_the_daily_sweep() {
    let fixture = OperationsFixture::new();
    let id = create_for_a_form(&fixture, None).await.unwrap().record.id;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    let settled = available_version(&fixture, id).await;
    fixture.put(id, "HELLO");
    sweep_a_day_later(&fixture).await;
    assert_eq!(fixture.objects.count(), 1);
    let head = fixture
        .objects
        .head(ObjectKey::new(id))
        .await
        .unwrap()
        .found();
    assert_eq!(head.unwrap().version_id, settled.version_id);
}

async fn sweep_a_day_later(fixture: &OperationsFixture) {
    fixture.clock.advance(MIN_AGE);
    let mut sweeper = OrphanSweeper::new(fixture.stores.clone(), 100);
    while sweeper.run_once().await.unwrap() == SweepStep::More {}
}
