//! What every [`ObjectStore`] does, as tests that each implementation runs.
//!
//! A new store is done when `object_store_conformance!` passes for it. Each behaviour is a function
//! of its own, so that a failing test names what is broken.
//!
//! Invariant: the suite asks for nothing that one of the stores can't do. What only a store with
//! versions can do is asked only of a [`Fixture`] that has them.

#![allow(
    missing_docs,
    reason = "a behaviour's name is the sentence that it checks"
)]

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use sha2::{Digest, Sha256};

use super::{ListedObject, Listing, Lookup, ObjectHead, ObjectStore};
use crate::domain::{FileId, MAX_CONTENT_LENGTH, ObjectKey, Sha256Digest, VersionId, whole_millis};

/// No chunk of a body may be larger, in bytes: what a reader holds doesn't grow with the file.
pub const LARGEST_CHUNK: usize = 4 * 1024 * 1024;

/// How far the store's clock may be from this machine's.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// A store under test, and a way to put bytes into it, which the port doesn't have.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store under test.
    fn store(&self) -> &dyn ObjectStore;

    /// The store as the program has it that signs uploads, where that has permissions of its own.
    fn store_of_the_signer(&self) -> &dyn ObjectStore {
        self.store()
    }

    /// Whether putting to a key again makes a new version. Without versions, the suite puts to a
    /// key again only after it was deleted.
    fn has_versions(&self) -> bool;

    /// Whether the store may ask for tags: the stack allows it only where GuardDuty scans.
    fn may_read_tags(&self) -> bool {
        true
    }

    /// Puts `bytes` as a client does; with `sha256` as a digest that the store has to verify, if
    /// there is one.
    async fn put(&self, key: ObjectKey, bytes: Bytes, sha256: Option<Sha256Digest>);
}

/// Makes a test of every behaviour in the suite. `$fixture` is an expression, evaluated in async
/// code anew for each test, that gives a [`Fixture`] with a store of its own or a shared one: no
/// test looks at keys other than its own.
#[macro_export]
macro_rules! object_store_conformance {
    ($fixture:expr) => {
        $crate::object_store_conformance! { $fixture;
            a_missing_object_has_no_head_and_no_body
            head_and_read_say_the_same_of_one_object
            an_empty_object_exists_and_has_no_bytes
            the_largest_object_is_streamed_in_bounded_chunks
            a_body_that_is_dropped_half_way_harms_nobody
            several_readers_get_the_whole_object_each
            the_version_that_the_head_names_can_be_read
            a_part_of_an_object_is_that_part_of_that_version
            a_version_that_nobody_tagged_has_no_tag_and_one_that_is_gone_is_absent
            a_digest_that_the_store_shows_is_that_of_the_bytes
            deleting_takes_the_object_away
            deleting_twice_or_nothing_is_no_error
            deleting_one_key_leaves_the_others
            what_arrives_after_a_delete_can_be_deleted_too
            every_version_can_be_read_until_all_are_deleted
            only_the_others_of_a_named_version_are_deleted
            where_the_named_version_is_missing_none_is_deleted
            bytes_stay_where_a_store_says_that_it_keeps_them
            every_object_is_listed_once_however_short_the_pages
            what_was_deleted_is_not_listed_and_what_has_old_versions_is_listed_once
            a_working_store_passes_its_check
        }
    };
    ($fixture:expr; $($behaviour:ident)+) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                $crate::object_store::conformance::$behaviour(&$fixture).await;
            }
        )+
    };
}

fn new_key() -> ObjectKey {
    ObjectKey::new(FileId::new(chrono::Utc::now()))
}

/// Bytes without a pattern that a lost or doubled chunk could hide in.
fn content(length: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(length as u64);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes.into()
}

fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::from_bytes(Sha256::digest(bytes).into())
}

async fn head(fixture: &impl Fixture, key: ObjectKey) -> Option<ObjectHead> {
    let head = fixture.store().head(key).await.expect("head answers");
    head.found()
}

async fn read(
    fixture: &impl Fixture,
    key: ObjectKey,
    version_id: Option<&VersionId>,
) -> Option<(ObjectHead, Bytes)> {
    let reader = fixture.store().read(key, version_id).await;
    let mut reader = reader.expect("read answers").found()?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = reader.body.try_next().await.expect("the body goes on") {
        bytes.extend_from_slice(&chunk);
    }
    Some((reader.head, bytes.freeze()))
}

async fn read_bytes(fixture: &impl Fixture, key: ObjectKey) -> Option<Bytes> {
    read(fixture, key, None).await.map(|(_, bytes)| bytes)
}

async fn delete(fixture: &impl Fixture, key: ObjectKey) {
    let deleted = fixture.store().delete_all_versions(key).await;
    deleted.expect("delete answers");
}

pub async fn a_missing_object_has_no_head_and_no_body(fixture: &impl Fixture) {
    assert_eq!(head(fixture, new_key()).await, None);
    assert!(read(fixture, new_key(), None).await.is_none());
}

pub async fn head_and_read_say_the_same_of_one_object(fixture: &impl Fixture) {
    let (key, bytes) = (new_key(), content(100_003));
    fixture.put(key, bytes.clone(), None).await;
    let head = head(fixture, key).await.expect("the object is there");
    let (read_head, read_bytes) = read(fixture, key, None).await.expect("it can be read");
    assert_eq!(head.content_length, 100_003);
    assert_eq!(read_head.content_length, head.content_length);
    assert_eq!(read_head.version_id, head.version_id);
    assert_eq!(read_head.last_modified, head.last_modified);
    assert!(read_bytes == bytes, "other bytes came back");
    assert_eq!(head.version_id.is_some(), fixture.has_versions());
    assert_eq!(whole_millis(head.last_modified), head.last_modified);
    let age = (chrono::Utc::now() - head.last_modified).abs();
    assert!(
        age.to_std().unwrap_or(Duration::MAX) < CLOCK_TOLERANCE,
        "{age}"
    );
}

pub async fn an_empty_object_exists_and_has_no_bytes(fixture: &impl Fixture) {
    let key = new_key();
    fixture.put(key, Bytes::new(), None).await;
    let head = head(fixture, key).await.expect("the object is there");
    assert_eq!(head.content_length, 0);
    assert_eq!(read_bytes(fixture, key).await, Some(Bytes::new()));
}

pub async fn the_largest_object_is_streamed_in_bounded_chunks(fixture: &impl Fixture) {
    let length = usize::try_from(MAX_CONTENT_LENGTH).expect("20 MiB fit");
    let (key, bytes) = (new_key(), content(length));
    fixture.put(key, bytes.clone(), None).await;
    let reader = fixture.store().read(key, None).await.expect("read answers");
    let mut body = reader.found().expect("the object is there").body;
    let (mut received, mut hasher) = (0, Sha256::new());
    while let Some(chunk) = body.try_next().await.expect("the body goes on") {
        assert!(chunk.len() <= LARGEST_CHUNK, "{} in one piece", chunk.len());
        received += chunk.len();
        hasher.update(&chunk);
    }
    assert_eq!(received, length);
    let received = Sha256Digest::from_bytes(hasher.finalize().into());
    assert_eq!(received, digest_of(&bytes));
}

pub async fn a_body_that_is_dropped_half_way_harms_nobody(fixture: &impl Fixture) {
    let (key, bytes) = (new_key(), content(3_000_000));
    fixture.put(key, bytes.clone(), None).await;
    let reader = fixture.store().read(key, None).await.expect("read answers");
    let mut body = reader.found().expect("the object is there").body;
    let first = body.next().await.expect("there is a chunk");
    assert!(bytes.starts_with(&first.expect("the chunk is good")));
    drop(body);
    assert!(read_bytes(fixture, key).await == Some(bytes));
}

pub async fn several_readers_get_the_whole_object_each(fixture: &impl Fixture) {
    let (key, bytes) = (new_key(), content(1_500_000));
    fixture.put(key, bytes.clone(), None).await;
    let readers = (0..8).map(|_| read_bytes(fixture, key));
    for received in join_all(readers).await {
        assert!(received.as_ref() == Some(&bytes));
    }
}

pub async fn the_version_that_the_head_names_can_be_read(fixture: &impl Fixture) {
    let (key, bytes) = (new_key(), content(10));
    fixture.put(key, bytes.clone(), None).await;
    let head = head(fixture, key).await.expect("the object is there");
    let (read_head, read_bytes) = read(fixture, key, head.version_id.as_ref())
        .await
        .expect("the version is there");
    assert_eq!(read_head.version_id, head.version_id);
    assert_eq!(read_bytes, bytes);
}

pub async fn a_part_of_an_object_is_that_part_of_that_version(fixture: &impl Fixture) {
    let key = new_key();
    let part = async |version: Option<&VersionId>, range: Range<u64>| {
        let part = fixture.store().read_range(key, version, range).await;
        part.map(Lookup::found)
    };
    assert_eq!(part(None, 0..1).await.expect("it answers"), None);
    let bytes = content(200_003);
    // Also of one whose digest the store knows.
    let digest = digest_of(&bytes);
    fixture.put(key, bytes.clone(), Some(digest)).await;
    let version = head(fixture, key).await.expect("it is there").version_id;
    if fixture.has_versions() {
        fixture.put(key, content(200_001), None).await;
    }
    for range in [
        0..1,
        0..65_536,
        134_467..200_003,
        200_002..200_003,
        0..200_003,
    ] {
        let found = part(version.as_ref(), range.clone()).await;
        let expected = bytes.slice(range.start as usize..range.end as usize);
        assert_eq!(found.expect("it answers"), Some(expected), "{range:?}");
    }
    // What isn't there whole is no part.
    for range in [200_000..200_004, 300_000..300_001] {
        assert!(
            part(version.as_ref(), range.clone()).await.is_err(),
            "{range:?}"
        );
    }
    delete(fixture, key).await;
    assert_eq!(
        part(version.as_ref(), 0..1).await.expect("it answers"),
        None
    );
}

pub async fn a_version_that_nobody_tagged_has_no_tag_and_one_that_is_gone_is_absent(
    fixture: &impl Fixture,
) {
    if !fixture.has_versions() || !fixture.may_read_tags() {
        return;
    }
    let key = new_key();
    fixture.put(key, content(10), None).await;
    let version = head(fixture, key).await.expect("it is there").version_id;
    let version = version.expect("it has a version");
    let tag = async || fixture.store().tag(key, &version, "a-tag").await;
    assert_eq!(tag().await.expect("it answers").found(), Some(None));
    delete(fixture, key).await;
    assert_eq!(tag().await.expect("it answers").found(), None);
}

pub async fn a_digest_that_the_store_shows_is_that_of_the_bytes(fixture: &impl Fixture) {
    for declared in [true, false] {
        let (key, bytes) = (new_key(), content(4_321));
        let digest = digest_of(&bytes);
        fixture.put(key, bytes, declared.then_some(digest)).await;
        let head = head(fixture, key).await.expect("the object is there");
        assert!(head.sha256.is_none_or(|shown| shown == digest));
        let (read_head, _) = read(fixture, key, None).await.expect("it can be read");
        assert!(read_head.sha256.is_none_or(|shown| shown == digest));
    }
}

pub async fn deleting_takes_the_object_away(fixture: &impl Fixture) {
    let key = new_key();
    fixture.put(key, content(10), None).await;
    delete(fixture, key).await;
    assert_eq!(head(fixture, key).await, None);
    assert!(read(fixture, key, None).await.is_none());
}

pub async fn deleting_twice_or_nothing_is_no_error(fixture: &impl Fixture) {
    delete(fixture, new_key()).await;
    let key = new_key();
    fixture.put(key, content(10), None).await;
    delete(fixture, key).await;
    delete(fixture, key).await;
    assert_eq!(head(fixture, key).await, None);
}

pub async fn deleting_one_key_leaves_the_others(fixture: &impl Fixture) {
    let (gone, kept) = (new_key(), new_key());
    fixture.put(gone, content(10), None).await;
    fixture.put(kept, content(20), None).await;
    delete(fixture, gone).await;
    assert_eq!(head(fixture, gone).await, None);
    assert_eq!(read_bytes(fixture, kept).await, Some(content(20)));
}

pub async fn what_arrives_after_a_delete_can_be_deleted_too(fixture: &impl Fixture) {
    let key = new_key();
    fixture.put(key, content(10), None).await;
    delete(fixture, key).await;
    fixture.put(key, content(11), None).await;
    assert_eq!(read_bytes(fixture, key).await, Some(content(11)));
    delete(fixture, key).await;
    assert_eq!(head(fixture, key).await, None);
}

pub async fn every_version_can_be_read_until_all_are_deleted(fixture: &impl Fixture) {
    if !fixture.has_versions() {
        return;
    }
    let key = new_key();
    let mut versions = Vec::new();
    for length in [10, 20, 30] {
        fixture.put(key, content(length), None).await;
        let head = head(fixture, key).await.expect("the object is there");
        versions.push((length, head.version_id.expect("it has a version")));
    }
    for (length, version) in &versions {
        let (head, bytes) = read(fixture, key, Some(version))
            .await
            .expect("the version is there");
        assert_eq!(bytes, content(*length));
        assert_eq!(head.version_id.as_ref(), Some(version));
    }
    delete(fixture, key).await;
    assert_eq!(head(fixture, key).await, None);
    for (_, version) in &versions {
        assert!(read(fixture, key, Some(version)).await.is_none());
    }
}

/// Everything that is listed, in pages of `limit`. Others may put and delete meanwhile.
async fn list_all(fixture: &impl Fixture, limit: usize) -> Vec<ListedObject> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let listed = fixture.store().list(after.as_ref(), limit).await;
        let Listing {
            objects,
            foreign,
            next,
            ..
        } = listed.expect("list answers");
        assert!(objects.len() + foreign <= limit, "more than {limit}");
        all.extend(objects);
        match next {
            Some(_) if next == after => panic!("the listing stands still at {next:?}"),
            Some(_) => after = next,
            None => return all,
        }
    }
}

pub async fn only_the_others_of_a_named_version_are_deleted(fixture: &impl Fixture) {
    if !fixture.has_versions() {
        return;
    }
    let key = new_key();
    for length in [1, 2, 3] {
        fixture.put(key, content(length), None).await;
    }
    let newest = head(fixture, key).await.expect("it is there");
    fixture.put(key, content(4), None).await;
    let named = newest.version_id.as_ref().expect("a version");
    // Again changes nothing.
    for _ in 0..2 {
        let deleted = fixture.store().delete_other_versions(key, named).await;
        deleted.expect("the others are deleted");
        assert_eq!(head(fixture, key).await.as_ref(), Some(&newest));
        let (_, bytes) = read(fixture, key, Some(named)).await.expect("it is there");
        assert_eq!(bytes, content(3));
    }
}

pub async fn where_the_named_version_is_missing_none_is_deleted(fixture: &impl Fixture) {
    let (key, gone) = (new_key(), new_key());
    fixture.put(key, content(5), None).await;
    fixture.put(gone, content(5), None).await;
    let of_another = head(fixture, gone).await.expect("it is there").version_id;
    let named = of_another.unwrap_or_else(|| VersionId("none".into()));
    fixture
        .store()
        .delete_all_versions(gone)
        .await
        .expect("deleted");
    for key in [key, gone] {
        let deleted = fixture.store().delete_other_versions(key, &named).await;
        deleted.expect("that is no error");
    }
    assert_eq!(read_bytes(fixture, key).await, Some(content(5)));
    assert_eq!(head(fixture, gone).await, None);
}

pub async fn bytes_stay_where_a_store_says_that_it_keeps_them(fixture: &impl Fixture) {
    let keeps = fixture.store_of_the_signer().keeps_what_it_has().await;
    let keeps = keeps.expect("the store knows");
    assert!(keeps || !fixture.has_versions());
    if !fixture.has_versions() {
        // One that takes a key once only is tried where it takes it.
        return;
    }
    let key = new_key();
    fixture.put(key, content(1), None).await;
    let first = head(fixture, key).await.expect("it is there").version_id;
    fixture.put(key, content(2), None).await;
    let (_, bytes) = read(fixture, key, first.as_ref())
        .await
        .expect("it is there");
    assert_eq!(bytes, content(1));
}

pub async fn every_object_is_listed_once_however_short_the_pages(fixture: &impl Fixture) {
    let mut keys: Vec<_> = (0..5).map(|_| new_key()).collect();
    for key in &keys {
        fixture.put(*key, content(10), None).await;
    }
    keys.sort_by_key(ObjectKey::file_id);
    for limit in [5, 1_000] {
        let mut listed = list_all(fixture, limit).await;
        listed.retain(|object| keys.contains(&object.key));
        listed.sort_by_key(|object| object.key.file_id());
        let found: Vec<_> = listed.iter().map(|object| object.key).collect();
        assert_eq!(found, keys, "in pages of {limit}");
        for object in listed {
            let head = head(fixture, object.key).await.expect("it is there");
            assert_eq!(
                object.last_modified.timestamp(),
                head.last_modified.timestamp()
            );
        }
    }
}

pub async fn what_was_deleted_is_not_listed_and_what_has_old_versions_is_listed_once(
    fixture: &impl Fixture,
) {
    let (gone, kept) = (new_key(), new_key());
    fixture.put(gone, content(10), None).await;
    fixture.put(kept, content(10), None).await;
    if fixture.has_versions() {
        for length in [20, 30] {
            fixture.put(kept, content(length), None).await;
        }
    }
    delete(fixture, gone).await;
    // The shorter pages end between two versions of a key.
    for limit in [2, 1_000] {
        let listed = list_all(fixture, limit).await;
        let times = |key| listed.iter().filter(|object| object.key == key).count();
        assert_eq!((times(gone), times(kept)), (0, 1), "in pages of {limit}");
        let has_others = listed.iter().any(|it| it.key == kept && it.has_others);
        assert!(has_others || !fixture.has_versions(), "in pages of {limit}");
    }
}

pub async fn a_working_store_passes_its_check(fixture: &impl Fixture) {
    fixture.store().check().await.expect("the check passes");
}
