//! An object store of which each call can be seen, held up, refused or measured.
//!
//! Invariant: the calls are those of the store behind; an interceptor decides when and whether one is made.
//! Of an answer it can change what a store may do at any time: a body can break off, and its clock go
//! another way.
//!
//! Absent on purpose: what to do at a call. Each user brings an [`Interceptor`] of its own.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    ListPosition, Listing, Lookup, ObjectHead, ObjectReader, ObjectStore, Quarantined, StoreError,
};
use crate::domain::{ObjectKey, Timestamp, VersionId};
use crate::metrics::named_calls;

/// A call of the port, with what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`ObjectStore::head`], of this object.
    Head(ObjectKey),
    /// [`ObjectStore::read`], of this object.
    Read(ObjectKey),
    /// [`ObjectStore::read_range`], of this object.
    ReadRange(ObjectKey),
    /// [`ObjectStore::tag`], of this object.
    Tag(ObjectKey),
    /// [`ObjectStore::make_durable`], of this object.
    MakeDurable(ObjectKey),
    /// [`ObjectStore::keeps_what_it_has`].
    KeepsWhatItHas,
    /// [`ObjectStore::lock`], of this object.
    Lock(ObjectKey),
    /// [`ObjectStore::delete_all_versions`], of this object.
    DeleteAllVersions(ObjectKey),
    /// [`ObjectStore::quarantine`], of this object.
    Quarantine(ObjectKey),
    /// [`ObjectStore::end_quarantine`].
    EndQuarantine,
    /// [`ObjectStore::delete_other_versions`], of this object.
    DeleteOtherVersions(ObjectKey),
    /// [`ObjectStore::list`].
    List,
    /// [`ObjectStore::check`].
    Check,
}

named_calls! { Call:
    Self::Head(_) => "head",
    Self::Read(_) => "read",
    Self::ReadRange(_) => "read_range",
    Self::Tag(_) => "tag",
    Self::MakeDurable(_) => "make_durable",
    Self::KeepsWhatItHas => "keeps_what_it_has",
    Self::Lock(_) => "lock",
    Self::DeleteAllVersions(_) => "delete_all_versions",
    Self::Quarantine(_) => "quarantine",
    Self::EndQuarantine => "end_quarantine",
    Self::DeleteOtherVersions(_) => "delete_other_versions",
    Self::List => "list",
    Self::Check => "check",
}

impl Call {
    /// The object that it is about; `None` if it is about several or none.
    pub fn key(&self) -> Option<ObjectKey> {
        match self {
            Self::Head(key)
            | Self::Read(key)
            | Self::ReadRange(key)
            | Self::Tag(key)
            | Self::MakeDurable(key)
            | Self::Lock(key)
            | Self::DeleteAllVersions(key)
            | Self::Quarantine(key)
            | Self::DeleteOtherVersions(key) => Some(*key),
            Self::KeepsWhatItHas | Self::EndQuarantine | Self::List | Self::Check => None,
        }
    }
}

/// What happens around each call.
pub trait Interceptor: Send + Sync {
    /// Makes the call by awaiting `made`, or doesn't.
    fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// The reader that the caller gets in place of the store's.
    fn reader(&self, reader: ObjectReader) -> ObjectReader {
        reader
    }

    /// What the caller is told of the store's own time.
    fn store_time(&self, time: Timestamp) -> Timestamp {
        time
    }
}

/// A store behind an interceptor.
pub struct Intercepted<S: ?Sized, I> {
    /// The store that the calls go to.
    pub store: Arc<S>,
    /// Sees each of them first.
    pub interceptor: I,
}

#[async_trait]
impl<S: ObjectStore + ?Sized, I: Interceptor> ObjectStore for Intercepted<S, I> {
    async fn head(&self, key: ObjectKey) -> Result<Lookup<ObjectHead>, StoreError> {
        let made = self.store.head(key);
        self.interceptor.around(Call::Head(key), made).await
    }

    async fn read(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
    ) -> Result<Lookup<ObjectReader>, StoreError> {
        let made = self.store.read(key, version_id);
        let found = self.interceptor.around(Call::Read(key), made).await?;
        Ok(found.map(|reader| self.interceptor.reader(reader)))
    }

    async fn read_range(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        range: Range<u64>,
    ) -> Result<Lookup<Bytes>, StoreError> {
        let made = self.store.read_range(key, version_id, range);
        self.interceptor.around(Call::ReadRange(key), made).await
    }

    async fn tag(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
        name: &str,
    ) -> Result<Lookup<Option<String>>, StoreError> {
        let made = self.store.tag(key, version_id, name);
        self.interceptor.around(Call::Tag(key), made).await
    }

    async fn make_durable(&self, key: ObjectKey) -> Result<(), StoreError> {
        let made = self.store.make_durable(key);
        self.interceptor.around(Call::MakeDurable(key), made).await
    }

    fn locks(&self) -> bool {
        self.store.locks()
    }

    async fn lock(
        &self,
        key: ObjectKey,
        version_id: Option<&VersionId>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let made = self.store.lock(key, version_id, until);
        self.interceptor.around(Call::Lock(key), made).await
    }

    async fn keeps_what_it_has(&self) -> Result<bool, StoreError> {
        let made = self.store.keeps_what_it_has();
        self.interceptor.around(Call::KeepsWhatItHas, made).await
    }

    async fn delete_all_versions(&self, key: ObjectKey) -> Result<Timestamp, StoreError> {
        let made = self.store.delete_all_versions(key);
        let call = Call::DeleteAllVersions(key);
        let time = self.interceptor.around(call, made).await?;
        Ok(self.interceptor.store_time(time))
    }

    async fn quarantine(&self, key: ObjectKey) -> Result<Quarantined, StoreError> {
        let made = self.store.quarantine(key);
        self.interceptor.around(Call::Quarantine(key), made).await
    }

    async fn end_quarantine(&self, before: Timestamp) -> Result<usize, StoreError> {
        let made = self.store.end_quarantine(before);
        self.interceptor.around(Call::EndQuarantine, made).await
    }

    async fn delete_other_versions(
        &self,
        key: ObjectKey,
        version_id: &VersionId,
    ) -> Result<(), StoreError> {
        let made = self.store.delete_other_versions(key, version_id);
        let call = Call::DeleteOtherVersions(key);
        self.interceptor.around(call, made).await
    }

    async fn list(
        &self,
        after: Option<&ListPosition>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let made = self.store.list(after, limit);
        let listing = self.interceptor.around(Call::List, made).await?;
        Ok(Listing {
            as_of: self.interceptor.store_time(listing.as_of),
            ..listing
        })
    }

    async fn check(&self) -> Result<(), StoreError> {
        let made = self.store.check();
        self.interceptor.around(Call::Check, made).await
    }
}
