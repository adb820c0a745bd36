//! `file-share scrub` as a program: whom it names, with which exit code, and that it only looks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use file_share::access::Caller;
use file_share::aws::{dynamodb_client, s3_client};
use file_share::clock::{Clock, SystemClock};
use file_share::domain::{Declaration, FileId, FileRecord, FileState, Lifecycle};
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use file_share::object_store::disk::DiskObjectStore;
use file_share::object_store::s3::S3ObjectStore;
use file_share::operations::{Context, FinalizeOutcome, Stores, delete_file, finalize_upload};
use file_share::presigned_url::BucketUrl;
use futures_util::{StreamExt, stream};

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::MiniStack;
use crate::support::program::{Program, data_dir, scrub_aws, scrub_local};

/// A pending record for `length` bytes. `back` apart, so that the order is known.
async fn record(stores: &Stores, length: u64, back: u64) -> FileRecord {
    let now = SystemClock.now();
    let record = FileRecord::pending(
        FileId::new(now - Duration::from_secs(back)),
        Declaration::sample().of_length(length),
        now + Duration::from_secs(900),
        &stores.lifecycle,
    );
    stores.metadata.insert(&record).await.unwrap();
    record
}

/// Content of a length between 1 and 40,000 bytes; always the same for the same `n`.
fn content(n: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(n);
    let mut bytes = vec![0; random.usize(1..40_000)];
    random.fill(&mut bytes);
    bytes.into()
}

/// Available files in `data_dir`, as the service leaves them, newest first.
async fn fill(data_dir: &Path, count: u64) -> Vec<FileId> {
    let objects = DiskObjectStore::open(data_dir).unwrap();
    let metadata = SqliteMetadataStore::open(&data_dir.join("metadata.sqlite")).unwrap();
    let stores = Stores {
        metadata: Arc::new(metadata),
        objects: Arc::new(objects.clone()),
        clock: Arc::new(SystemClock),
        lifecycle: Lifecycle::default(),
        events: file_share::file_events::FileEvents::off(),
        quotas: file_share::quotas::Quotas::off(),
        scans: file_share::scanner::Scans::off(),
        metrics: file_share::metrics::Metrics::off(),
    };
    // Many at a time, since each waits for the disk.
    stream::iter(0..count)
        .map(async |n| {
            let bytes = content(n);
            let length = bytes.len() as u64;
            let record = record(&stores, length, n).await;
            let body = stream::iter([Ok(bytes)]);
            let created = objects.create_once(record.key(), length, None, body);
            created.await.unwrap();
            let outcome = finalize_upload(&stores, record.key()).await.unwrap();
            assert_eq!(outcome, FinalizeOutcome::Available);
            record.id
        })
        .buffered(32)
        .collect()
        .await
}

/// The one version of an object.
fn object_path(data_dir: &Path, id: FileId) -> PathBuf {
    let [.., last] = *id.as_bytes();
    let object = data_dir.join(format!("objects/{last:02x}/{id}"));
    let mut versions = std::fs::read_dir(object).unwrap();
    versions.next().unwrap().unwrap().path()
}

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = fastrand::usize(..bytes.len());
    bytes[at] ^= 1 << fastrand::u8(..8);
    std::fs::write(path, bytes).unwrap();
}

/// The ID at the beginning of each line of standard output.
fn named(output: &Output) -> BTreeSet<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let ids: Vec<String> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let set: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(set.len(), ids.len(), "named twice: {text}");
    set
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every file below the directory, with its length and the time of its last change.
fn footprint(dir: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut all = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                dirs.push(entry.path());
            }
            all.insert(entry.path(), (metadata.len(), metadata.modified().unwrap()));
        }
    }
    all
}

#[tokio::test]
async fn beside_the_running_service_exactly_the_damaged_files_are_named() {
    let dir = data_dir();
    let ids = fill(dir.path(), 300).await;
    let service = Program::local(dir.path(), &[]);
    let sound = scrub_local(dir.path(), &[]);
    assert_eq!(sound.status.code(), Some(0), "{}", said(&sound));
    assert_eq!(named(&sound).len(), 0);
    assert!(said(&sound).contains("300 sound"), "{}", said(&sound));

    let mut damaged = BTreeSet::new();
    for id in ids.iter().step_by(29) {
        flip_a_byte(&object_path(dir.path(), *id));
        damaged.insert(id.to_string());
    }
    let (truncated, missing, link) = (ids[7], ids[8], ids[9]);
    let path = object_path(dir.path(), truncated);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    std::fs::remove_file(object_path(dir.path(), missing)).unwrap();
    // The right bytes, and somewhere else: what a link leads to can change at any time.
    let elsewhere = dir.path().join("elsewhere");
    let place = object_path(dir.path(), link);
    std::fs::rename(&place, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, place).unwrap();
    damaged.extend([truncated, missing, link].map(|id| id.to_string()));

    let output = scrub_local(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(named(&output), damaged);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let what = |id: FileId| {
        let line = text.lines().find(|line| line.starts_with(&id.to_string()));
        line.unwrap().split_once(' ').unwrap().1.to_owned()
    };
    assert!(what(ids[0]).starts_with("wrong digest"), "{text}");
    assert!(what(truncated).starts_with("wrong length"), "{text}");
    assert!(what(missing).starts_with("missing"), "{text}");
    assert!(what(link).starts_with("unreadable"), "{text}");

    // The older half alone, slowly enough to see that it waits for nothing when it may be fast.
    let after = ids[150].to_string();
    let flags = ["--after", &after, "--max-bytes-per-second", "1000000000"];
    let output = scrub_local(dir.path(), &flags);
    let older = ids[151..].iter().map(FileId::to_string);
    let older: BTreeSet<_> = older.filter(|id| damaged.contains(id)).collect();
    assert_eq!(named(&output), older);
    drop(service);
}

#[tokio::test]
async fn nothing_is_written_whether_the_service_stopped_or_was_killed() {
    let dir = data_dir();
    let ids = fill(dir.path(), 20).await;
    flip_a_byte(&object_path(dir.path(), ids[4]));
    for killed in [false, true] {
        let service = Program::local(dir.path(), &[]);
        // In the log, where the service is killed before it comes to the file itself.
        crate::support::curl::create(
            &service.base,
            &serde_json::json!({"filename": "a", "size": 1}),
        );
        if killed {
            service.kill();
        } else {
            assert!(service.terminate().success());
        }
        let log = dir.path().join("metadata.sqlite-wal");
        assert_eq!(log.exists(), killed);
        let before = footprint(dir.path());
        let output = scrub_local(dir.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert_eq!(named(&output), BTreeSet::from([ids[4].to_string()]));
        let mut after = footprint(dir.path());
        // The memory that SQLite shares between processes: a reader after a crash rebuilds it from
        // the log.
        let shared = dir.path().join("metadata.sqlite-shm");
        if let (Some(after), Some(before)) = (after.get_mut(&shared), before.get(&shared)) {
            *after = *before;
        }
        assert_eq!(after, before);
    }
}

#[test]
fn what_can_not_be_looked_at_has_an_exit_code_of_its_own() {
    let dir = data_dir();
    let output = scrub_local(&dir.path().join("nowhere"), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("couldn't look"), "{}", said(&output));
    assert!(!dir.path().join("nowhere").exists(), "it was made");
    // Objects and no records.
    std::fs::create_dir(dir.path().join("objects")).unwrap();
    assert_eq!(scrub_local(dir.path(), &[]).status.code(), Some(3));
    // A flag of the service isn't one of the scrub, nor is it silently left aside before it.
    for flags in [&["--after=x"][..], &["--listen=127.0.0.1:1"]] {
        assert_eq!(scrub_local(dir.path(), flags).status.code(), Some(2));
    }
    let mixed = std::process::Command::new(env!("CARGO_BIN_EXE_file-share"))
        .args(["--data-dir=x", "scrub"])
        .output()
        .unwrap();
    assert_eq!(mixed.status.code(), Some(2), "{}", said(&mixed));
    let help = scrub_local(dir.path(), &["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    for code in ["  0  ", "  1  ", "  2  ", "  3  "] {
        assert!(help.contains(code), "{code} isn't explained in:\n{help}");
    }
}

/// A bucket with versions keeps the promised bytes whatever is put over them, so damage is made by
/// deleting a version, and by changing what the record says of one.
#[tokio::test]
async fn in_aws_mode_the_promised_version_is_read_with_the_permissions_of_the_api() {
    let deployment = MiniStack::shared().await.deploy("scrub").await;
    let sdk = sdk_config(&deployment, &deployment.api).await;
    let (s3, dynamodb) = (s3_client(&sdk), dynamodb_client(&sdk));
    let metadata = DynamoDbMetadataStore::new(dynamodb.clone(), &deployment.table);
    let stores = Stores {
        metadata: Arc::new(metadata),
        objects: Arc::new(S3ObjectStore::new(s3.clone(), &deployment.bucket)),
        clock: Arc::new(SystemClock),
        lifecycle: Lifecycle::default(),
        events: file_share::file_events::FileEvents::off(),
        quotas: file_share::quotas::Quotas::off(),
        scans: file_share::scanner::Scans::off(),
        metrics: file_share::metrics::Metrics::off(),
    };
    let put = async |record: &FileRecord, bytes: Bytes| {
        let put = s3.put_object().bucket(&deployment.bucket);
        let put = put.key(record.key().to_string()).body(bytes.into());
        put.send().await.unwrap();
    };
    let mut records = Vec::new();
    for n in 0..30 {
        let bytes = content(n);
        let record = record(&stores, bytes.len() as u64, n).await;
        put(&record, bytes).await;
        let outcome = finalize_upload(&stores, record.key()).await.unwrap();
        assert_eq!(outcome, FinalizeOutcome::Available);
        records.push(stores.metadata.get(record.id).await.unwrap().unwrap());
    }

    let (wrong, gone, hidden, overwritten, deleted) = (
        &records[3],
        &records[9],
        &records[14],
        &records[20],
        &records[25],
    );
    dynamodb
        .update_item()
        .table_name(&deployment.table)
        .key("fileId", AttributeValue::S(wrong.id.to_string()))
        .update_expression("SET sha256 = :other")
        .expression_attribute_values(":other", AttributeValue::S("0".repeat(64)))
        .send()
        .await
        .unwrap();
    let FileState::Available(object) = &gone.state else {
        panic!("not available");
    };
    let delete = s3.delete_object().bucket(&deployment.bucket);
    let delete = delete.key(gone.key().to_string());
    let version = object.version_id.clone().unwrap().0;
    delete.version_id(version).send().await.unwrap();
    // Under a delete marker and under other bytes the promised version is still there.
    let hide = s3.delete_object().bucket(&deployment.bucket);
    hide.key(hidden.key().to_string()).send().await.unwrap();
    put(overwritten, Bytes::from_static(b"other bytes")).await;
    let operator = Context::new(
        Caller::Operator,
        None,
        BucketUrl::path_style("http://localhost:8000", "bucket"),
        String::new(),
    );
    delete_file(&stores, &operator, deleted.id).await.unwrap();

    let output = scrub_aws(&deployment, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let expected = [wrong.id.to_string(), gone.id.to_string()];
    assert_eq!(
        named(&output),
        BTreeSet::from(expected),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("27 sound"), "{}", said(&output));

    let mut elsewhere = deployment.clone();
    elsewhere.bucket = "there-is-no-such-bucket".into();
    // Two files are enough to be told.
    let after = records[27].id.to_string();
    let output = scrub_aws(&elsewhere, &["--after", &after]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(named(&output).len(), 0);
}
