//! Objects in S3, as the worker sees them: with the worker's permissions and nothing more.

use std::{
    collections::VecDeque,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, ChecksumType,
        CompletedMultipartUpload, CompletedPart, VersioningConfiguration,
    },
};
use bytes::Bytes;
use file_share::{
    aws::{StartupProblem, s3_client},
    domain::{FileId, LockMode, ObjectKey, Sha256Digest, VersionId},
    object_store::{
        ListPosition, ListedObject, Lookup, ObjectStore, Quarantined, StoreError,
        conformance::Fixture, s3::S3ObjectStore,
    },
    object_store_conformance,
};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

mod quarantine;
mod scripted;

use crate::support::{
    aws_clients::sdk_config,
    ministack::{Credentials, Deployment},
};

/// Longer than an operation may take with all its attempts.
const TIME_LIMIT: Duration = Duration::from_secs(17);

/// A bucket, the store as the worker has it, and clients to prepare and check with.
struct Bucket {
    name: String,
    has_versions: bool,
    store: S3ObjectStore,
    store_of_the_api: S3ObjectStore,
    api: Client,
    admin: Client,
}

impl Bucket {
    async fn versioned() -> Self {
        let deployment = Deployment::shared().await;
        let worker = s3_client(&sdk_config(deployment, &deployment.worker).await);
        let api = s3_client(&sdk_config(deployment, &deployment.api).await);
        Self {
            name: deployment.bucket.clone(),
            has_versions: true,
            store: S3ObjectStore::new(worker, &deployment.bucket),
            store_of_the_api: S3ObjectStore::new(api.clone(), &deployment.bucket),
            api,
            admin: s3_client(&sdk_config(deployment, &deployment.admin).await),
        }
    }

    /// A bucket as it is before anybody turns versions on. The stack has none such, so only the
    /// emulator's root user can reach it.
    async fn unversioned() -> Self {
        let deployment = Deployment::shared().await;
        let admin = s3_client(&sdk_config(deployment, &deployment.admin).await);
        let name = format!("unversioned-{}", FileId::new(chrono::Utc::now()));
        admin.create_bucket().bucket(&name).send().await.unwrap();
        Self {
            store: S3ObjectStore::new(admin.clone(), &name),
            store_of_the_api: S3ObjectStore::new(admin.clone(), &name),
            name,
            has_versions: false,
            api: admin.clone(),
            admin,
        }
    }

    async fn put_text(&self, key: ObjectKey, text: &'static str) -> Option<String> {
        self.api
            .put_object()
            .bucket(&self.name)
            .key(key.to_string())
            .body(ByteStream::from_static(text.as_bytes()))
            .send()
            .await
            .unwrap()
            .version_id
    }

    /// What a plain delete does in a bucket with versions.
    async fn put_delete_marker(&self, key: ObjectKey) -> Option<String> {
        self.api
            .delete_object()
            .bucket(&self.name)
            .key(key.to_string())
            .send()
            .await
            .unwrap()
            .version_id
    }

    async fn count_versions(&self, prefix: &str) -> usize {
        let listed = self
            .admin
            .list_object_versions()
            .bucket(&self.name)
            .prefix(prefix)
            .send()
            .await
            .unwrap();
        listed.versions().len() + listed.delete_markers().len()
    }

    async fn read_text(&self, key: ObjectKey, version_id: Option<&VersionId>) -> Option<String> {
        let reader = self.store.read(key, version_id).await.unwrap().found()?;
        let chunks: Vec<Bytes> = reader.body.try_collect().await.unwrap();
        Some(String::from_utf8(chunks.concat()).unwrap())
    }
}

#[async_trait]
impl Fixture for Bucket {
    fn store(&self) -> &dyn ObjectStore {
        &self.store
    }

    fn store_of_the_signer(&self) -> &dyn ObjectStore {
        &self.store_of_the_api
    }

    fn has_versions(&self) -> bool {
        self.has_versions
    }

    fn may_read_tags(&self) -> bool {
        false
    }

    async fn put(&self, key: ObjectKey, bytes: Bytes, sha256: Option<Sha256Digest>) {
        self.api
            .put_object()
            .bucket(&self.name)
            .key(key.to_string())
            .set_checksum_sha256(sha256.map(Sha256Digest::to_base64))
            .body(bytes.into())
            .send()
            .await
            .unwrap();
    }
}

mod conformance_with_versions {
    use super::*;
    object_store_conformance!(Bucket::versioned().await);
}

mod conformance_without_versions {
    use super::*;
    object_store_conformance!(Bucket::unversioned().await);
}

fn new_key() -> ObjectKey {
    ObjectKey::new(FileId::new(chrono::Utc::now()))
}

fn assert_unavailable<T>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(error @ StoreError::Unavailable { .. }) => error.chain(),
        Err(error) => panic!("another error: {}", error.chain()),
        Ok(_) => panic!("no error"),
    }
}

#[tokio::test]
async fn all_versions_and_delete_markers_of_a_key_go_and_its_neighbours_stay() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    bucket.put_text(key, "first").await;
    bucket.put_text(key, "second").await;
    bucket.put_delete_marker(key).await;
    let neighbour = format!("{key}-draft");
    bucket
        .admin
        .put_object()
        .bucket(&bucket.name)
        .key(&neighbour)
        .send()
        .await
        .unwrap();
    assert_eq!(bucket.count_versions(&key.to_string()).await, 4);

    bucket.store.delete_all_versions(key).await.unwrap();

    assert_eq!(bucket.count_versions(&key.to_string()).await, 1);
    assert_eq!(bucket.count_versions(&neighbour).await, 1);
}

#[tokio::test]
async fn more_versions_than_one_listing_shows_go_too() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    for _ in 0..1_001 {
        bucket.put_text(key, "again").await;
    }

    bucket.store.delete_all_versions(key).await.unwrap();

    assert_eq!(bucket.count_versions(&key.to_string()).await, 0);
}

#[tokio::test]
async fn versions_from_before_versioning_was_suspended_go_with_the_one_from_after() {
    let bucket = Bucket::unversioned().await;
    let key = new_key();
    for (status, text) in [
        (BucketVersioningStatus::Enabled, "with a version ID"),
        (BucketVersioningStatus::Suspended, "without"),
    ] {
        let versioning = VersioningConfiguration::builder().status(status).build();
        bucket
            .admin
            .put_bucket_versioning()
            .bucket(&bucket.name)
            .versioning_configuration(versioning)
            .send()
            .await
            .unwrap();
        bucket.put_text(key, text).await;
    }
    assert_eq!(bucket.count_versions(&key.to_string()).await, 2);
    let head = bucket.store.head(key).await.unwrap().found().unwrap();
    assert_eq!(head.version_id, None);

    bucket.store.delete_all_versions(key).await.unwrap();

    assert_eq!(bucket.count_versions(&key.to_string()).await, 0);
}

#[tokio::test]
async fn only_a_bucket_with_versions_keeps_what_it_has() {
    let bucket = Bucket::unversioned().await;
    for (status, keeps) in [
        (None, false),
        (Some(BucketVersioningStatus::Enabled), true),
        (Some(BucketVersioningStatus::Suspended), false),
    ] {
        if let Some(status) = status {
            let versioning = VersioningConfiguration::builder().status(status).build();
            let put = bucket.admin.put_bucket_versioning().bucket(&bucket.name);
            let put = put.versioning_configuration(versioning);
            put.send().await.unwrap();
        }
        assert_eq!(bucket.store.keeps_what_it_has().await.unwrap(), keeps);
    }
}

#[tokio::test]
async fn the_others_of_a_version_are_deleted_also_where_there_are_more_than_one_listing_has() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    let named = VersionId(bucket.put_text(key, "named").await.unwrap());
    for _ in 0..1_001 {
        bucket.put_text(key, "again").await;
    }
    bucket.put_delete_marker(key).await;
    let deleted = bucket.store.delete_other_versions(key, &named).await;
    deleted.unwrap();
    assert_eq!(bucket.count_versions(&key.to_string()).await, 1);
    let head = bucket.store.head(key).await.unwrap().found().unwrap();
    assert_eq!(head.version_id, Some(named));
}

#[tokio::test]
async fn a_digest_that_the_store_verified_is_seen_by_head_and_by_read() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    let digest = Sha256Digest::from_bytes(Sha256::digest(b"hello").into());
    bucket
        .put(key, Bytes::from_static(b"hello"), Some(digest))
        .await;

    let head = bucket.store.head(key).await.unwrap().found().unwrap();
    assert_eq!(head.sha256, Some(digest));
    let reader = bucket.store.read(key, None).await.unwrap().found().unwrap();
    assert_eq!(reader.head, head);
}

#[tokio::test]
async fn the_checksum_of_a_multipart_upload_is_not_taken_for_a_digest() {
    let bucket = Bucket::versioned().await;
    let (key, admin) = (new_key(), &bucket.admin);
    let upload = admin
        .create_multipart_upload()
        .bucket(&bucket.name)
        .key(key.to_string())
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .checksum_type(ChecksumType::Composite)
        .send()
        .await
        .unwrap();
    let upload_id = upload.upload_id().unwrap();
    let part = admin
        .upload_part()
        .bucket(&bucket.name)
        .key(key.to_string())
        .upload_id(upload_id)
        .part_number(1)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag().map(str::to_owned))
        .set_checksum_sha256(part.checksum_sha256().map(str::to_owned))
        .build();
    admin
        .complete_multipart_upload()
        .bucket(&bucket.name)
        .key(key.to_string())
        .upload_id(upload_id)
        .multipart_upload(CompletedMultipartUpload::builder().parts(part).build())
        .send()
        .await
        .unwrap();

    let shown = admin
        .head_object()
        .bucket(&bucket.name)
        .key(key.to_string())
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .unwrap();
    assert!(shown.checksum_sha256().is_some());

    let head = bucket.store.head(key).await.unwrap().found().unwrap();
    assert_eq!(head.content_length, 5);
    assert_eq!(head.sha256, None);
    assert_eq!(bucket.read_text(key, None).await, Some("hello".into()));
}

#[tokio::test]
async fn a_version_that_is_gone_and_a_delete_marker_are_no_objects() {
    let bucket = Bucket::versioned().await;
    let key = new_key();
    let gone = VersionId(bucket.put_text(key, "gone").await.unwrap());
    let kept = VersionId(bucket.put_text(key, "kept").await.unwrap());
    bucket
        .admin
        .delete_object()
        .bucket(&bucket.name)
        .key(key.to_string())
        .version_id(&gone.0)
        .send()
        .await
        .unwrap();
    let marker = VersionId(bucket.put_delete_marker(key).await.unwrap());

    assert_eq!(bucket.read_text(key, Some(&gone)).await, None);
    assert_eq!(bucket.read_text(key, Some(&marker)).await, None);
    assert_eq!(bucket.read_text(key, None).await, None);
    assert_eq!(bucket.store.head(key).await.unwrap().found(), None);
    assert_eq!(
        bucket.read_text(key, Some(&kept)).await,
        Some("kept".into())
    );
}

#[tokio::test]
async fn a_missing_bucket_is_not_taken_for_a_missing_object() {
    let bucket = Bucket::versioned().await;
    let store = S3ObjectStore::new(bucket.admin.clone(), "there-is-no-such-bucket");
    for told in [
        assert_unavailable(store.head(new_key()).await),
        assert_unavailable(store.read(new_key(), None).await),
        assert_unavailable(store.delete_all_versions(new_key()).await),
        assert_unavailable(store.check().await),
    ] {
        assert!(told.contains("NoSuchBucket"), "{told}");
    }
}

#[tokio::test]
async fn the_api_may_check_and_delete_as_well() {
    let bucket = Bucket::versioned().await;
    let store = S3ObjectStore::new(bucket.api.clone(), &bucket.name);
    let key = new_key();
    bucket.put_text(key, "hello").await;
    store.check().await.unwrap();
    store.delete_all_versions(key).await.unwrap();
    assert_eq!(store.head(key).await.unwrap().found(), None);
}

#[tokio::test]
async fn wrong_credentials_are_an_error_with_advice_and_without_the_secret() {
    let deployment = Deployment::shared().await;
    let forged = Credentials {
        access_key_id: deployment.worker.access_key_id.clone(),
        secret_access_key: "not-the-secret-of-this-key".into(),
    };
    let client = s3_client(&sdk_config(deployment, &forged).await);
    let store = S3ObjectStore::new(client, &deployment.bucket);
    for told in [
        assert_unavailable(store.head(new_key()).await),
        assert_unavailable(store.read(new_key(), None).await),
        assert_unavailable(store.check().await),
    ] {
        assert!(told.contains("s3:ListBucket"), "{told}");
        assert!(!told.contains(&forged.secret_access_key));
    }
    assert_unavailable(store.delete_all_versions(new_key()).await);
}

/// A store whose endpoint is `address`, with credentials that nobody checks.
async fn store_at(address: impl std::fmt::Display) -> S3ObjectStore {
    let mut deployment = Deployment::shared().await.clone();
    deployment.endpoint = format!("http://{address}");
    let client = s3_client(&sdk_config(&deployment, &deployment.worker).await);
    S3ObjectStore::new(client, "bucket")
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_is_unavailable_soon() {
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    let store = store_at(address).await;
    let started_at = Instant::now();
    assert_unavailable(store.head(new_key()).await);
    assert!(started_at.elapsed() < TIME_LIMIT);
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_unavailable_within_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = store_at(silent.local_addr().unwrap()).await;
    let started_at = Instant::now();
    assert_unavailable(store.head(new_key()).await);
    assert!(started_at.elapsed() < TIME_LIMIT);
}
