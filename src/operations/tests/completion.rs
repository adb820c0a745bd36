//! Waiting for the end of an upload, and saying that the bytes have arrived.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::Timestamp;
use crate::object_store::{Lookup, ObjectHead, ObjectReader, Quarantined};

/// A program that isn't told to stop.
fn never() -> CancellationToken {
    CancellationToken::new()
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_once_when_the_program_stops() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    let stop = CancellationToken::new();
    let waiting = await_settled(
        &fixture.stores,
        &fixture.context,
        id,
        Duration::from_secs(20),
        &stop,
    );
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.cancel();
    };
    let started = tokio::time::Instant::now();
    let (record, ()) = tokio::join!(waiting, stopping);
    assert_eq!(record.unwrap().status(), Status::Pending);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn waiting_goes_on_when_a_look_fails_on_the_way() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    let never = never();
    let waiting = await_settled(
        &fixture.stores,
        &fixture.context,
        id,
        Duration::from_secs(20),
        &never,
    );
    let failing = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        fixture.metadata.set_fault(Some("away for two seconds"));
        tokio::time::sleep(Duration::from_secs(2)).await;
        fixture.metadata.set_fault(None);
        fixture.put(id, HELLO);
        fixture.finalize(id).await
    };
    let (record, _) = tokio::join!(waiting, failing);
    assert_eq!(record.unwrap().status(), Status::Available);
}

#[tokio::test]
async fn a_completion_measures_what_arrived_and_can_be_repeated() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    let record = complete_upload(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(record.status(), Status::Available);
    assert_eq!(
        complete_upload(&fixture.stores, &fixture.context, id)
            .await
            .unwrap(),
        record
    );
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AlreadySettled);
}

#[tokio::test]
async fn a_completion_without_bytes_changes_nothing() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    let before = describe_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(
        complete_upload(&fixture.stores, &fixture.context, id)
            .await
            .unwrap(),
        before
    );
    assert_eq!(
        describe_file(&fixture.stores, &fixture.context, id)
            .await
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn a_completion_of_other_bytes_rejects_the_file() {
    let fixture = OperationsFixture::new();
    let id = fixture.create_declaring(4, None).await;
    fixture.put(id, HELLO);
    let record = complete_upload(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(record.status(), Status::Rejected);
    assert_eq!(fixture.objects.count(), 0);
}

#[tokio::test]
async fn a_completion_of_what_is_gone_finds_no_file() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    fixture.put(id, HELLO);
    let unknown = FileId::new(fixture.clock.now());
    for id in [id, unknown] {
        let completed = complete_upload(&fixture.stores, &fixture.context, id).await;
        assert!(matches!(completed, Err(OperationError::FileNotFound)));
    }
}

/// A store that never answers.
struct SilentObjects;

#[async_trait::async_trait]
impl crate::object_store::ObjectStore for SilentObjects {
    async fn head(&self, _: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        std::future::pending().await
    }

    async fn read(
        &self,
        _: ObjectKey,
        _: Option<&crate::domain::VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        std::future::pending().await
    }

    async fn read_range(
        &self,
        _: ObjectKey,
        _: Option<&crate::domain::VersionId>,
        _: std::ops::Range<u64>,
    ) -> Result<Lookup<bytes::Bytes>, StoreError> {
        std::future::pending().await
    }

    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        std::future::pending().await
    }

    async fn delete_other_versions(
        &self,
        _: ObjectKey,
        _: &crate::domain::VersionId,
    ) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn delete_all_versions(&self, _: ObjectKey) -> Result<Timestamp, StoreError> {
        std::future::pending().await
    }

    async fn tag(
        &self,
        _: ObjectKey,
        _: &crate::domain::VersionId,
        _: &str,
    ) -> Result<Lookup<Option<String>>, StoreError> {
        std::future::pending().await
    }

    async fn make_durable(&self, _: ObjectKey) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn quarantine(&self, _: ObjectKey) -> Result<Quarantined, StoreError> {
        std::future::pending().await
    }

    async fn end_quarantine(&self, _: Timestamp) -> Result<usize, StoreError> {
        std::future::pending().await
    }

    async fn list(
        &self,
        _: Option<&crate::object_store::ListPosition>,
        _: usize,
    ) -> Result<crate::object_store::Listing, StoreError> {
        std::future::pending().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_takes_too_long_answers_with_the_pending_record() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    let stores = Stores {
        objects: Arc::new(SilentObjects),
        ..fixture.stores.clone()
    };
    let started = tokio::time::Instant::now();
    let record = complete_upload(&stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(started.elapsed(), COMPLETION_LIMIT);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_settlement_or_with_the_time() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    let started = tokio::time::Instant::now();
    let record = await_settled(
        &fixture.stores,
        &fixture.context,
        id,
        Duration::from_secs(3),
        &never(),
    )
    .await
    .unwrap();
    assert_eq!(record.status(), Status::Pending);
    assert_eq!(started.elapsed().as_secs(), 3);

    fixture.put(id, HELLO);
    let never = never();
    let waiting = await_settled(
        &fixture.stores,
        &fixture.context,
        id,
        Duration::from_secs(60),
        &never,
    );
    let settling = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        fixture.finalize(id).await
    };
    let started = tokio::time::Instant::now();
    let (record, _) = tokio::join!(waiting, settling);
    assert_eq!(record.unwrap().status(), Status::Available);
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_completion_says_that_a_store_failed_and_can_be_repeated() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    fixture.put(id, HELLO);
    // The bytes can't be read and the record can: that it is pending would be no answer.
    fixture.objects.set_fault(Some("a test's fault"));
    let failed = complete_upload(&fixture.stores, &fixture.context, id).await;
    assert!(matches!(failed, Err(OperationError::Store(_))));
    fixture.objects.set_fault(None);
    let record = complete_upload(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(record.status(), Status::Available);
}
