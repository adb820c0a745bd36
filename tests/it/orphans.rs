//! Objects that no record names, on real stores: which of them go, and who lets them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use bytes::Bytes;
use file_share::aws::{dynamodb_client, s3_client};
use file_share::clock::{Clock, SkewedClock, SystemClock};
use file_share::domain::{Declaration, FileId, FileRecord, Lifecycle, ObjectKey, Timestamp};
use file_share::metadata_store::MetadataStore;
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use file_share::object_store::StoreError;
use file_share::object_store::disk::DiskObjectStore;
use file_share::object_store::intercepted::{Call, Intercepted, Interceptor};
use file_share::object_store::s3::S3ObjectStore;
use file_share::operations::{MIN_AGE, OrphanSweeper, Stores, Suspicion, SweepReport, SweepStep};
use futures_util::stream;

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

const LIMIT: usize = 100;

fn pending(id: FileId) -> FileRecord {
    FileRecord::pending(
        id,
        Declaration::sample(),
        SystemClock.now() + Duration::from_secs(900),
        &Lifecycle::default(),
    )
}

async fn sweep(stores: Stores) -> SweepReport {
    let mut sweeper = OrphanSweeper::new(stores, LIMIT);
    loop {
        if let SweepStep::Done(report) = sweeper.run_once().await.unwrap() {
            return report;
        }
    }
}

const TWO_DAYS: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The same store when two days have gone by.
struct InTwoDays;

impl Interceptor for InTwoDays {
    async fn around<T: Send>(
        &self,
        _: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        made.await
    }

    fn store_time(&self, time: Timestamp) -> Timestamp {
        time + TWO_DAYS
    }
}

/// How many versions and delete markers there are under a key.
async fn versions(s3: &aws_sdk_s3::Client, deployment: &Deployment, key: &str) -> usize {
    let list = s3.list_object_versions().bucket(&deployment.bucket);
    let listed = list.prefix(key).send().await.unwrap();
    listed.versions().len() + listed.delete_markers().len()
}

#[tokio::test]
async fn on_s3_they_are_hidden_and_not_destroyed_with_the_permissions_of_the_worker() {
    let deployment = MiniStack::shared().await.deploy("orphans").await;
    let admin = sdk_config(&deployment, &deployment.admin).await;
    let (s3, dynamodb) = (s3_client(&admin), dynamodb_client(&admin));
    let put = async |key: &str| {
        let put = s3.put_object().bucket(&deployment.bucket).key(key);
        put.body(Bytes::from_static(b"hello").into())
            .send()
            .await
            .unwrap();
    };
    let hide = async |key: &str| {
        let delete = s3.delete_object().bucket(&deployment.bucket).key(key);
        delete.send().await.unwrap();
    };
    let new_key = || ObjectKey::new(FileId::new(SystemClock.now()));
    let table = DynamoDbMetadataStore::new(dynamodb.clone(), &deployment.table);
    let (recorded, deleted) = (new_key(), new_key());
    for key in [recorded, deleted] {
        table.insert(&pending(key.file_id())).await.unwrap();
        put(&key.to_string()).await;
    }
    let now = SystemClock.now();
    let later = now + Duration::from_secs(86_400 * 60);
    assert!(
        table
            .delete(deleted.file_id(), now, later, MIN_AGE, now)
            .await
            .unwrap()
    );
    let (plain, overwritten, hidden) = (new_key(), new_key(), new_key());
    for key in [plain, overwritten, overwritten, hidden] {
        put(&key.to_string()).await;
    }
    hide(&hidden.to_string()).await;
    put("uploads/report.pdf").await;
    // Files go on coming: orphans that are newer than all of them would be proof of a backup.
    let newest = ObjectKey::new(FileId::new(SystemClock.now() + Duration::from_millis(1)));
    table.insert(&pending(newest.file_id())).await.unwrap();
    put(&newest.to_string()).await;

    let sdk = sdk_config(&deployment, &deployment.worker).await;
    let bucket = || S3ObjectStore::new(s3_client(&sdk), &deployment.bucket);
    let today = |metadata| Stores {
        metadata,
        objects: Arc::new(bucket()),
        clock: Arc::new(SystemClock),
        lifecycle: Lifecycle::default(),
        events: file_share::file_events::FileEvents::off(),
        quotas: file_share::quotas::Quotas::off(),
        scans: file_share::scanner::Scans::off(),
        metrics: file_share::metrics::Metrics::off(),
    };
    let ahead = i64::try_from(TWO_DAYS.as_millis()).unwrap();
    let in_two_days = |metadata| Stores {
        objects: Arc::new(Intercepted {
            store: Arc::new(bucket()),
            interceptor: InTwoDays,
        }),
        clock: Arc::new(SkewedClock::new(Arc::new(SystemClock), ahead)),
        ..today(metadata)
    };
    let own = Arc::new(DynamoDbMetadataStore::new(
        dynamodb_client(&sdk),
        &deployment.table,
    ));

    // Today all of it is too young.
    let report = sweep(today(own.clone())).await;
    assert_eq!((report.young, report.orphans), (6, 0), "{report:?}");

    // An empty table, a table that isn't there, and one that may not be read.
    dynamodb
        .create_table()
        .table_name(format!("{}-empty", deployment.table))
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("fileId")
                .key_type(KeyType::Hash)
                .build()
                .unwrap(),
        )
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("fileId")
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap(),
        )
        .send()
        .await
        .unwrap();
    let empty = format!("{}-empty", deployment.table);
    let empty = Arc::new(DynamoDbMetadataStore::new(dynamodb.clone(), empty));
    let report = sweep(in_two_days(empty)).await;
    assert_eq!(
        report.suspicion,
        Some(Suspicion::NoRecordAtAll),
        "{report:?}"
    );
    for client in [&dynamodb, &dynamodb_client(&sdk)] {
        let absent = Arc::new(DynamoDbMetadataStore::new(
            client.clone(),
            "there-is-no-such-table",
        ));
        let mut sweeper = OrphanSweeper::new(in_two_days(absent), LIMIT);
        sweeper.run_once().await.unwrap_err();
    }
    assert_eq!(versions(&s3, &deployment, "uploads/").await, 9);

    let report = sweep(in_two_days(own)).await;
    assert_eq!((report.recorded, report.foreign), (3, 1), "{report:?}");
    assert_eq!((report.orphans, report.aside), (2, 1), "{report:?}");
    assert_eq!((report.left, report.quarantined), (0, 2), "{report:?}");
    // Nothing is gone: there is a delete marker more.
    for (key, left) in [
        (plain, 2),
        (overwritten, 3),
        (hidden, 2),
        (recorded, 1),
        (deleted, 1),
    ] {
        assert_eq!(versions(&s3, &deployment, &key.to_string()).await, left);
    }
    assert_eq!(versions(&s3, &deployment, "uploads/report.pdf").await, 1);
}

fn age(path: &Path) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - 2 * MIN_AGE).unwrap();
}

fn path_of(data_dir: &Path, id: FileId) -> std::path::PathBuf {
    let [.., last] = *id.as_bytes();
    data_dir.join(format!("objects/{last:02x}/{id}"))
}

/// Objects in a data directory: some with a record, one old one without, one young one without.
async fn fill(data_dir: &Path, recorded: usize) -> (Vec<FileId>, FileId, FileId) {
    let objects = DiskObjectStore::open(data_dir).unwrap();
    let records = SqliteMetadataStore::open(&data_dir.join("metadata.sqlite")).unwrap();
    let old = || FileId::new(SystemClock.now() - 3 * MIN_AGE);
    let create = async |id: FileId| {
        let body = stream::iter([Ok(Bytes::from_static(b"hello"))]);
        let created = objects.create_once(ObjectKey::new(id), 5, None, body);
        created.await.unwrap();
        let mut versions = std::fs::read_dir(path_of(data_dir, id)).unwrap();
        age(&versions.next().unwrap().unwrap().path());
    };
    let mut ids = Vec::new();
    for _ in 0..recorded {
        let id = old();
        records.insert(&pending(id)).await.unwrap();
        create(id).await;
        ids.push(id);
    }
    // Not newer than every record: that would be proof of a backup.
    let older = FileId::new(SystemClock.now() - 4 * MIN_AGE);
    let (orphan, young) = (older, FileId::new(SystemClock.now()));
    create(orphan).await;
    create(young).await;
    (ids, orphan, young)
}

#[tokio::test]
async fn in_local_mode_the_service_itself_sets_them_aside_and_nothing_else() {
    let dir = data_dir();
    let (recorded, orphan, young) = fill(dir.path(), 3).await;
    let foreign = dir.path().join("objects/00/notes.txt");
    std::fs::write(&foreign, "somebody's").unwrap();
    age(&foreign);
    let service = Program::local(dir.path(), &[("ORPHAN_SWEEP_INTERVAL", "1s")]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while path_of(dir.path(), orphan).exists() {
        assert!(Instant::now() < deadline, "it stays: {}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for id in recorded.into_iter().chain([young]) {
        assert!(path_of(dir.path(), id).exists(), "{id} is gone");
    }
    let aside = std::fs::read_dir(dir.path().join("quarantine")).unwrap();
    let aside: Vec<_> = aside.map(|it| it.unwrap().file_name()).collect();
    let is_it = |name: &std::ffi::OsString| name.to_string_lossy().contains(&orphan.to_string());
    assert!(aside.len() == 1 && is_it(&aside[0]), "{aside:?}");
    assert!(foreign.exists());
    let deadline = Instant::now() + Duration::from_secs(10);
    while !service.log().contains(&orphan.to_string()) {
        assert!(Instant::now() < deadline, "not logged: {}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn in_local_mode_nothing_goes_when_the_records_are_lost() {
    let dir = data_dir();
    let (recorded, orphan, _) = fill(dir.path(), 3).await;
    std::fs::remove_file(dir.path().join("metadata.sqlite")).unwrap();
    let service = Program::local(dir.path(), &[("ORPHAN_SWEEP_INTERVAL", "1s")]);
    let deadline = Instant::now() + Duration::from_secs(30);
    // It has looked, twice.
    while service.log().matches("nothing was set aside").count() < 2 {
        assert!(
            Instant::now() < deadline,
            "it doesn't look: {}",
            service.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for id in recorded.into_iter().chain([orphan]) {
        assert!(path_of(dir.path(), id).exists(), "{id} is gone");
    }
    assert!(service.log().contains("ERROR"), "{}", service.log());
}
