//! Objects in memory: a double for tests, with or without versions, that can lose power.
//!
//! Invariant: passes the same suite as the real stores. Nothing in production can select it, since
//! it is compiled for tests only.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use super::{
    ListPosition, ListedObject, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore,
    Quarantined, StoreError,
};
use crate::clock::Clock;
use crate::domain::{ObjectKey, Sha256Digest, Timestamp, VersionId};

const CHUNK_BYTES: usize = 64 * 1024;

/// Objects in memory, empty at first; their times come from the clock that it is given.
pub struct MemoryObjectStore {
    clock: Arc<dyn Clock>,
    versioned: AtomicBool,
    /// From then on what comes has no version, and takes the place of what has none.
    suspended: AtomicBool,
    /// Whether versions are locked when that is asked for.
    locks: AtomicBool,
    objects: Mutex<HashMap<String, Vec<Version>>>,
    /// What was quarantined, and when.
    aside: Mutex<Vec<(Timestamp, String, Vec<Version>)>>,
    /// The fault that every call has while it is set.
    fault: Mutex<Option<&'static str>>,
}

#[derive(Clone)]
struct Version {
    head: ObjectHead,
    bytes: Bytes,
    /// Whether it survives a power cut.
    durable: bool,
    /// Until when it can't be deleted.
    locked_until: Option<Timestamp>,
    tags: HashMap<String, String>,
}

impl MemoryObjectStore {
    /// With `versioned`, a second object under a key stands beside the first; without, it takes its place.
    pub fn new(clock: Arc<dyn Clock>, versioned: bool) -> Self {
        Self {
            clock,
            versioned: AtomicBool::new(versioned),
            suspended: AtomicBool::new(false),
            locks: AtomicBool::new(false),
            objects: Mutex::default(),
            aside: Mutex::default(),
            fault: Mutex::default(),
        }
    }

    /// Puts bytes as a client does; `sha256` stands for a digest that the store verified.
    pub fn put(&self, key: ObjectKey, bytes: impl Into<Bytes>, sha256: Option<Sha256Digest>) {
        self.add(key, bytes.into(), sha256, true);
    }

    /// Puts bytes that a power cut takes away again, as before a PUT is answered, unless somebody makes
    /// them durable.
    pub fn put_unsynced(&self, key: ObjectKey, bytes: impl Into<Bytes>) {
        self.add(key, bytes.into(), None, false);
    }

    /// Takes away what isn't durable.
    pub fn lose_power(&self) {
        let mut objects = self.objects();
        for versions in objects.values_mut() {
            versions.retain(|version| version.durable);
        }
        objects.retain(|_, versions| !versions.is_empty());
    }

    /// An operator suspends versions: what was handed out before may then replace what comes now.
    pub fn suspend_versions(&self) {
        self.suspended.store(true, SeqCst);
    }

    /// An operator has versions kept from now on: others may stand before what came without one.
    pub fn enable_versions(&self) {
        self.versioned.store(true, SeqCst);
        for version in self.objects().values_mut().flatten() {
            version.head.replaceable = version.head.version_id.is_none();
        }
    }

    /// From now on versions are locked where that is asked for.
    pub fn enable_locks(&self) {
        self.locks.store(true, SeqCst);
    }

    /// Until when each version of the object is locked.
    pub fn locked_until(&self, key: ObjectKey) -> Vec<Option<Timestamp>> {
        let objects = self.objects();
        let versions = objects.get(&key.to_string());
        versions.map_or_else(Vec::new, |versions| {
            versions
                .iter()
                .map(|version| version.locked_until)
                .collect()
        })
    }

    /// Tags one version, as whoever may do that in S3; of no other one.
    pub fn set_tag(&self, key: ObjectKey, version_id: &VersionId, name: &str, value: &str) {
        let mut objects = self.objects();
        let versions = objects.get_mut(&key.to_string()).into_iter().flatten();
        for version in versions.filter(|it| it.head.version_id.as_ref() == Some(version_id)) {
            version.tags.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Deletes all versions but those that are wanted, and those that are locked.
    fn delete_versions(
        &self,
        key: ObjectKey,
        is_wanted: impl Fn(&Version) -> bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut objects = self.objects();
        let Some(versions) = objects.get_mut(&key.to_string()) else {
            return Ok(());
        };
        let is_locked = |version: &Version| version.locked_until.is_some_and(|until| now < until);
        versions.retain(|version| is_wanted(version) || is_locked(version));
        let left = versions.iter().filter(|version| !is_wanted(version));
        let until = left.filter_map(|version| version.locked_until).max();
        if versions.is_empty() {
            objects.remove(&key.to_string());
        }
        match until {
            None => Ok(()),
            Some(until) => Err(StoreError::Locked {
                store: "the object store",
                until,
            }),
        }
    }

    fn keeps_versions(&self) -> bool {
        self.versioned.load(SeqCst) && !self.suspended.load(SeqCst)
    }

    fn add(&self, key: ObjectKey, bytes: Bytes, sha256: Option<Sha256Digest>, durable: bool) {
        let mut objects = self.objects();
        let versions = objects.entry(key.to_string()).or_default();
        let version_id = self
            .keeps_versions()
            .then(|| VersionId(format!("{:016x}", fastrand::u64(..))));
        if version_id.is_none() {
            versions.retain(|version| version.head.version_id.is_some());
        }
        versions.push(Version {
            head: ObjectHead {
                content_length: bytes.len() as u64,
                sha256,
                replaceable: self.versioned.load(SeqCst) && version_id.is_none(),
                version_id,
                last_modified: self.clock.now(),
            },
            bytes,
            durable,
            locked_until: None,
            tags: HashMap::new(),
        });
    }

    /// Puts something under a key that isn't this service's.
    pub fn put_foreign(&self, key: &str) {
        let version = Version {
            head: ObjectHead {
                version_id: None,
                content_length: 0,
                sha256: None,
                replaceable: false,
                last_modified: self.clock.now(),
            },
            bytes: Bytes::new(),
            durable: true,
            locked_until: None,
            tags: HashMap::new(),
        };
        self.objects().insert(key.to_owned(), vec![version]);
    }

    /// How many objects are in quarantine.
    pub fn count_quarantined(&self) -> usize {
        self.aside().len()
    }

    /// How many objects there are, old versions included.
    pub fn count(&self) -> usize {
        self.objects().values().map(Vec::len).sum()
    }

    /// From now on every call fails with this, or works again.
    pub fn set_fault(&self, fault: Option<&'static str>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<String, Vec<Version>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn aside(&self) -> MutexGuard<'_, Vec<(Timestamp, String, Vec<Version>)>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) -> Result<(), StoreError> {
        match *self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(cause) => Err(StoreError::unavailable("the object store", cause)),
            None => Ok(()),
        }
    }

    fn lookup(&self, key: ObjectKey, id: Option<&VersionId>) -> Lookup<Version> {
        match self.version(key, id) {
            Some(version) => Lookup::Found(version),
            None => Lookup::Absent {
                as_of: self.clock.now(),
            },
        }
    }

    fn version(&self, key: ObjectKey, id: Option<&VersionId>) -> Option<Version> {
        let objects = self.objects();
        let versions = objects.get(&key.to_string())?;
        match id {
            None => versions.last().cloned(),
            Some(id) => versions
                .iter()
                .find(|v| v.head.version_id.as_ref() == Some(id))
                .cloned(),
        }
    }
}

#[async_trait]
impl ObjectStore for MemoryObjectStore {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        self.works()?;
        Ok(self.lookup(key, None).map(|version| version.head))
    }

    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        self.works()?;
        Ok(self
            .lookup(key, version_id)
            .map(|Version { head, bytes, .. }| {
                let chunks: Vec<_> = bytes
                    .chunks(CHUNK_BYTES)
                    .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
                    .collect();
                ObjectReader {
                    head,
                    body: Box::pin(stream::iter(chunks)),
                }
            }))
    }

    async fn read_range(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        range: Range<u64>,
    ) -> Result<Lookup<Bytes>, StoreError> {
        self.works()?;
        let found = match self.lookup(key, version_id) {
            Lookup::Found(version) => version,
            Lookup::Absent { as_of } => return Ok(Lookup::Absent { as_of }),
        };
        let part = [range.start, range.end].map(usize::try_from);
        match part {
            [Ok(from), Ok(to)] if from < to && to <= found.bytes.len() => {
                Ok(Lookup::Found(found.bytes.slice(from..to)))
            }
            _ => Err(StoreError::unavailable("the object store", "no such part")),
        }
    }

    async fn tag(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
        name: &str,
    ) -> Result<Lookup<Option<String>>, StoreError> {
        self.works()?;
        let found = self.lookup(key, Some(version_id));
        Ok(found.map(|mut version| version.tags.remove(name)))
    }

    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        self.works()?;
        Ok(self.keeps_versions())
    }

    fn locks(&self) -> bool {
        self.locks.load(SeqCst)
    }

    async fn lock(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.works()?;
        let mut objects = self.objects();
        let versions = objects.get_mut(&key.to_string()).into_iter().flatten();
        for version in versions.filter(|it| it.head.version_id.as_ref() == version_id) {
            version.locked_until = version.locked_until.max(Some(until));
        }
        Ok(())
    }

    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError> {
        self.works()?;
        if let Some(versions) = self.objects().get_mut(&key.to_string()) {
            for version in versions {
                version.durable = true;
            }
        }
        Ok(())
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        self.works()?;
        let as_of = self.clock.now();
        self.delete_versions(key, |_| false)?;
        Ok(as_of)
    }

    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError> {
        self.works()?;
        let key = key.to_string();
        if let Some(versions) = self.objects().remove(&key) {
            self.aside().push((self.clock.now(), key, versions));
        }
        Ok(Quarantined::Aside)
    }

    async fn end_quarantine(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.works()?;
        let mut aside = self.aside();
        let all = aside.len();
        aside.retain(|(since, ..)| *since >= before);
        Ok(all - aside.len())
    }

    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError> {
        self.works()?;
        let is_it = |version: &Version| version.head.version_id.as_ref() == Some(version_id);
        match self.version(key, Some(version_id)) {
            Some(_) => self.delete_versions(key, is_it),
            None => Ok(()),
        }
    }

    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        self.works()?;
        let objects = self.objects();
        let mut keys: Vec<&String> = objects
            .keys()
            .filter(|key| after.is_none_or(|after| **key > after.0))
            .collect();
        keys.sort();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let ours = keys.iter().filter_map(|text| {
            let key = ObjectKey::parse(text).ok()?;
            let last_modified = objects[*text].iter().map(|v| v.head.last_modified).max()?;
            let has_others = objects[*text].len() > 1;
            Some(ListedObject {
                key,
                last_modified,
                has_others,
                is_quarantined: false,
            })
        });
        let ours: Vec<_> = ours.collect();
        Ok(Listing {
            as_of: self.clock.now(),
            foreign: keys.len() - ours.len(),
            objects: ours,
            next: keys
                .last()
                .filter(|_| more)
                .map(|key| ListPosition((*key).clone())),
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.works()
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance::Fixture;
    use super::*;
    use crate::clock::SystemClock;

    struct Memory(MemoryObjectStore);

    #[async_trait]
    impl Fixture for Memory {
        fn store(&self) -> &dyn ObjectStore {
            &self.0
        }

        fn has_versions(&self) -> bool {
            self.0.versioned.load(SeqCst)
        }

        async fn put(&self, key: ObjectKey, bytes: Bytes, sha256: Option<Sha256Digest>) {
            self.0.put(key, bytes, sha256);
        }
    }

    fn memory(versioned: bool) -> Memory {
        Memory(MemoryObjectStore::new(Arc::new(SystemClock), versioned))
    }

    mod with_versions {
        use super::*;
        crate::object_store_conformance!(memory(true));
    }

    mod without_versions {
        use super::*;
        crate::object_store_conformance!(memory(false));
    }
}
