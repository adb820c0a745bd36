//! What the disk store promises beyond the port: write-once, nothing left behind, one process.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, future::join_all, stream};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::domain::{FileId, Sha256Digest};
use crate::object_store::conformance::Fixture;

mod kept_bytes;

struct DiskFixture {
    store: DiskObjectStore,
    data_dir: TempDir,
}

impl DiskFixture {
    fn new() -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let store = DiskObjectStore::open(data_dir.path()).unwrap();
        Self { store, data_dir }
    }

    fn files(&self) -> usize {
        count_files(self.data_dir.path()) - 1 // the lock
    }
}

#[async_trait]
impl Fixture for DiskFixture {
    fn store(&self) -> &dyn ObjectStore {
        &self.store
    }

    fn has_versions(&self) -> bool {
        true
    }

    /// A second time as an operator brings a version back beside the one that is there.
    async fn put(&self, key: ObjectKey, bytes: Bytes, sha256: Option<Sha256Digest>) {
        let length = bytes.len() as u64;
        let created = self
            .store
            .create_once(key, length, sha256, whole(bytes.clone()));
        match created.await {
            Err(CreateError::AlreadyExists) => {
                let dir = self.store.dir.object_path(key);
                fs::write(dir.join(versions::new_version().0), bytes).unwrap();
            }
            created => drop(created.expect("the object is created")),
        }
    }
}

crate::object_store_conformance!(DiskFixture::new());

impl DiskObjectStore {
    /// The one file of an object.
    fn file(&self, key: ObjectKey) -> std::path::PathBuf {
        let mut versions = fs::read_dir(self.dir.object_path(key)).unwrap();
        versions.next().unwrap().unwrap().path()
    }

    async fn put(&self, key: ObjectKey, bytes: &'static [u8]) -> Result<ObjectHead, CreateError> {
        let body = whole(Bytes::from_static(bytes));
        self.create_once(key, bytes.len() as u64, None, body).await
    }

    async fn absent_as_of(&self, key: ObjectKey) -> Timestamp {
        match self.head(key).await.unwrap() {
            Lookup::Absent { as_of } => as_of,
            Lookup::Found(head) => panic!("{head:?}"),
        }
    }
}

fn count_files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => count_files(&entry.path()),
            false => 1,
        })
        .sum()
}

fn key() -> ObjectKey {
    ObjectKey::new(FileId::new(chrono::Utc::now()))
}

fn whole(bytes: Bytes) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::once(async { Ok(bytes) })
}

async fn content(store: &DiskObjectStore, key: ObjectKey) -> Vec<u8> {
    let reader = store.read(key, None).await.unwrap().found().unwrap();
    let chunks: Vec<Bytes> = reader.body.try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_exactly_one_wins_and_the_object_is_that_ones() {
    let fixture = DiskFixture::new();
    for _ in 0..10 {
        let key = key();
        let writers = (0..64_u8).map(|writer| {
            let store = fixture.store.clone();
            tokio::spawn(async move {
                let bytes = Bytes::from(vec![writer; 5000]);
                let created = store.create_once(key, 5000, None, whole(bytes)).await;
                (writer, created)
            })
        });
        let mut winners = Vec::new();
        for outcome in join_all(writers).await {
            match outcome.unwrap() {
                (writer, Ok(_)) => winners.push(writer),
                (_, Err(CreateError::AlreadyExists)) => {}
                (_, Err(other)) => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(content(&fixture.store, key).await, vec![winners[0]; 5000]);
    }
    assert_eq!(fixture.files(), 10);
}

#[tokio::test]
async fn an_object_is_never_replaced() {
    let fixture = DiskFixture::new();
    let key = key();
    fixture.put(key, Bytes::from_static(b"first"), None).await;
    let second = whole(Bytes::from_static(b"other"));
    let refused = fixture.store.create_once(key, 5, None, second).await;
    assert!(matches!(refused, Err(CreateError::AlreadyExists)));
    assert_eq!(content(&fixture.store, key).await, b"first");
}

#[tokio::test]
async fn what_is_not_as_declared_is_refused_and_leaves_nothing() {
    let fixture = DiskFixture::new();
    let digest = Some(Sha256Digest::from_bytes(Sha256::digest(b"12345").into()));
    let create = |length, digest, chunks: Vec<Result<&'static [u8], BodyError>>| {
        let body = stream::iter(chunks).map_ok(Bytes::from_static);
        fixture.store.create_once(key(), length, digest, body)
    };
    let short = create(6, None, vec![Ok(b"12345")]).await;
    assert!(matches!(short, Err(CreateError::TooShort { received: 5 })));
    let long = create(6, None, vec![Ok(b"12345"), Ok(b"67")]).await;
    assert!(matches!(long, Err(CreateError::TooLong)));
    let broken = create(5, None, vec![Ok(b"12345"), Err(BodyError::BrokenOff)]).await;
    assert!(matches!(broken, Err(CreateError::TooShort { received: 5 })));
    let slow = create(5, None, vec![Ok(b"1"), Err(BodyError::TooSlow)]).await;
    assert!(matches!(slow, Err(CreateError::TooSlow)));
    let other = create(5, digest, vec![Ok(b"12346")]).await;
    assert!(matches!(other, Err(CreateError::DigestMismatch { .. })));
    assert_eq!(fixture.files(), 0);
    create(5, digest, vec![Ok(b"12"), Ok(b""), Ok(b"345")])
        .await
        .unwrap();
    assert_eq!(fixture.files(), 1);
}

#[tokio::test]
async fn a_writer_that_is_cancelled_leaves_nothing() {
    let fixture = DiskFixture::new();
    let first = stream::iter([Ok(Bytes::from(vec![1; 600_000]))]);
    let body = first.chain(stream::pending());
    let mut writing = Box::pin(fixture.store.create_once(key(), 700_000, None, body));
    let limit = Instant::now() + Duration::from_secs(10);
    while fixture.files() == 0 {
        assert!((&mut writing).now_or_never().is_none());
        assert!(Instant::now() < limit, "nothing was written");
        tokio::task::yield_now().await;
    }
    drop(writing);
    while fixture.files() > 0 {
        assert!(Instant::now() < limit, "something was left");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn opening_removes_what_a_crash_left_and_keeps_the_objects() {
    let DiskFixture { store, data_dir } = DiskFixture::new();
    let key = key();
    let body = whole(Bytes::from_static(b"kept"));
    store.create_once(key, 4, None, body).await.unwrap();
    drop(store);
    let incoming = data_dir.path().join("incoming");
    fs::write(incoming.join("half"), b"half an upload").unwrap();
    fs::create_dir(incoming.join("dir")).unwrap();
    let store = DiskObjectStore::open(data_dir.path()).unwrap();
    assert_eq!(fs::read_dir(incoming).unwrap().count(), 0);
    assert_eq!(content(&store, key).await, b"kept");
}

#[test]
fn a_data_directory_has_one_user_at_a_time() {
    let data_dir = tempfile::tempdir().unwrap();
    let first = DiskObjectStore::open(data_dir.path()).unwrap();
    let second = DiskObjectStore::open(data_dir.path()).unwrap_err();
    assert!(matches!(&second, OpenError::InUse));
    assert!(second.to_string().contains("in use by another process"));
    drop(first);
    DiskObjectStore::open(data_dir.path()).unwrap();
}

#[tokio::test]
async fn only_the_owner_can_look_inside() {
    let parent = tempfile::tempdir().unwrap();
    let data_dir = parent.path().join("new/data");
    let store = DiskObjectStore::open(&data_dir).unwrap();
    let key = key();
    let body = whole(Bytes::from_static(b"x"));
    store.create_once(key, 1, None, body).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let object = store.file(key);
    assert_eq!(mode(&data_dir), 0o700);
    assert_eq!(mode(&data_dir.join("incoming")), 0o700);
    for dir in object.ancestors().skip(1).take(3) {
        assert_eq!(mode(dir), 0o700);
    }
    assert_eq!(mode(&data_dir.join("quarantine")), 0o700);
    assert_eq!(mode(&object), 0o600);
    assert_eq!(mode(&data_dir.join("lock")), 0o600);
}

#[tokio::test]
async fn what_is_no_file_is_never_read_through() {
    let fixture = DiskFixture::new();
    let secret = fixture.data_dir.path().join("secret");
    fs::write(&secret, b"of somebody else").unwrap();
    let (link, dir) = (key(), key());
    symlink(&secret, fixture.store.dir.object_path(link)).unwrap();
    fs::create_dir(fixture.store.dir.object_path(dir)).unwrap();
    fs::write(fixture.store.dir.object_path(dir).join("notes.txt"), "x").unwrap();
    let inside = key();
    fixture.put(inside, Bytes::from_static(b"x"), None).await;
    let version = fixture.store.file(inside);
    fs::remove_file(&version).unwrap();
    symlink(&secret, &version).unwrap();
    for key in [link, dir, inside] {
        let read = fixture.store.read(key, None).await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })));
    }
    // Nor written through.
    for key in [link, dir, inside] {
        let body = whole(Bytes::from_static(b"x"));
        let created = fixture.store.create_once(key, 1, None, body).await;
        assert!(created.is_err());
    }
    fixture.store.delete_all_versions(link).await.unwrap();
    fixture.store.delete_all_versions(inside).await.unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"of somebody else");
}

#[tokio::test]
async fn a_part_of_an_object_is_read_alone() {
    let fixture = DiskFixture::new();
    let bytes: Vec<u8> = (0..700_000_u32)
        .map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1])
        .collect();
    let key = key();
    fixture.put(key, bytes.clone().into(), None).await;
    let object = fixture
        .store
        .open_object(key, Wanted::Current)
        .await
        .unwrap()
        .unwrap();
    for range in [
        0..1,
        262_143..262_145,
        699_999..700_000,
        5..5,
        100..600_000_usize,
    ] {
        let part = range.start as u64..range.end as u64;
        let chunks: Vec<Bytes> = object.body(part).try_collect().await.unwrap();
        assert!(chunks.concat() == bytes[range.clone()], "{range:?}");
    }
}

#[tokio::test]
async fn an_object_that_was_cut_off_behind_our_back_is_an_error_and_no_short_body() {
    let fixture = DiskFixture::new();
    let key = key();
    fixture.put(key, vec![1; 300_000].into(), None).await;
    let reader = fixture
        .store
        .read(key, None)
        .await
        .unwrap()
        .found()
        .unwrap();
    let path = fixture.store.file(key);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(100).unwrap();
    let read: Result<Vec<Bytes>, _> = reader.body.try_collect().await;
    assert!(matches!(read, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_body_goes_on_after_its_object_was_deleted() {
    let fixture = DiskFixture::new();
    let key = key();
    fixture.put(key, vec![1; 2_000_000].into(), None).await;
    let reader = fixture
        .store
        .read(key, None)
        .await
        .unwrap()
        .found()
        .unwrap();
    fixture.store.delete_all_versions(key).await.unwrap();
    let chunks: Vec<Bytes> = reader.body.try_collect().await.unwrap();
    assert_eq!(chunks.concat().len(), 2_000_000);
    assert_eq!(fixture.files(), 0);
}

#[tokio::test]
async fn the_check_fails_when_the_directories_are_gone() {
    let fixture = DiskFixture::new();
    fs::remove_dir_all(fixture.data_dir.path().join("objects")).unwrap();
    assert!(fixture.store.check().await.is_err());
    let body = whole(Bytes::from_static(b"x"));
    let created = fixture.store.create_once(key(), 1, None, body).await;
    assert!(matches!(
        created,
        Err(CreateError::Store(StoreError::Unavailable { .. }))
    ));
}

#[tokio::test]
async fn what_is_no_object_of_ours_is_counted_and_not_listed() {
    let fixture = DiskFixture::new();
    let (listed, link, elsewhere) = (key(), key(), key());
    fixture.put(listed, Bytes::from_static(b"x"), None).await;
    let dir = &fixture.store.dir;
    symlink("/dev/null", dir.object_path(link)).unwrap();
    // In a shard where nobody looks for it.
    let [.., last] = *elsewhere.file_id().as_bytes();
    let wrong = dir.shard_dir(last.wrapping_add(1));
    fs::write(wrong.join(elsewhere.file_id().to_string()), b"x").unwrap();
    fs::write(dir.shard_dir(0).join("notes.txt"), b"x").unwrap();
    let mut found = Vec::new();
    let (mut foreign, mut after) = (0, None);
    loop {
        let page = fixture.store.list(after.as_ref(), 1).await.unwrap();
        found.extend(page.objects.iter().map(|object| object.key));
        foreign += page.foreign;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, foreign), (vec![listed], 3));
    fs::remove_dir_all(dir.shard_dir(0xaa)).unwrap();
    assert!(fixture.store.list(None, 1_000).await.is_err());
}

#[tokio::test]
async fn a_store_that_only_looks_reads_beside_its_owner_and_writes_nothing() {
    let fixture = DiskFixture::new();
    let (there, new) = (key(), key());
    fixture.put(there, Bytes::from_static(b"kept"), None).await;
    fs::write(fixture.data_dir.path().join("incoming/half"), b"ha").unwrap();
    let onlooker = DiskObjectStore::open_read_only(fixture.data_dir.path()).unwrap();
    assert_eq!(content(&onlooker, there).await, b"kept");
    assert!(onlooker.delete_all_versions(there).await.is_err());
    let body = whole(Bytes::from_static(b"x"));
    assert!(onlooker.create_once(new, 1, None, body).await.is_err());
    assert_eq!(fixture.files(), 2);
    let nowhere = fixture.data_dir.path().join("nowhere");
    assert!(DiskObjectStore::open_read_only(&nowhere).is_err());
    assert!(!nowhere.exists());
}
