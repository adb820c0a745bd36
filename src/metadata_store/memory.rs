//! Records in memory: the reference that says what a metadata store does, in as few lines as
//! possible. For tests.
//!
//! Invariant: passes the same suite as the real stores. Nothing in production can select it, since
//! it is compiled for tests only.

mod hand_ins;
mod outbox;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::outbox::{Message, MessageId};
use super::{
    DueRecord, EarlierRequest, KeyedInsert, MetadataStore, Page, PageRequest, StoreError,
    TransitionOutcome,
};
use crate::domain::{
    BoxId, FileId, FileRecord, Hold, KeyedRequest, Status, Timestamp, Transition, UserId,
};
use crate::store_marker::{MarkedStore, Marker};

type Records = BTreeMap<FileId, FileRecord>;

/// Records in memory, none at first. It reads no clock: a record goes only when it is removed.
#[derive(Default)]
pub struct MemoryMetadataStore {
    records: Mutex<Records>,
    /// By the digest of the key.
    keys: Mutex<BTreeMap<[u8; 32], (KeyedRequest, FileId)>>,
    marker: Mutex<Option<Marker>>,
    open_boxes: Mutex<BTreeSet<BoxId>>,
    messages: Mutex<BTreeMap<MessageId, Message>>,
    /// By how many files and bytes somebody's usage is off.
    usage_off: Mutex<BTreeMap<UserId, (i64, i64)>>,
    /// The fault that every call has while it is set.
    fault: Mutex<Option<&'static str>>,
}

impl MemoryMetadataStore {
    /// From now on every call fails with this, or works again.
    pub fn set_fault(&self, fault: Option<&'static str>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many records there are, tombstones included.
    pub fn count(&self) -> usize {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Loses a record, as a table from an old backup does.
    pub fn forget(&self, id: FileId) {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    fn open_boxes(&self) -> MutexGuard<'_, BTreeSet<BoxId>> {
        self.open_boxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn locked_marker(&self) -> MutexGuard<'_, Option<Marker>> {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn records(&self) -> Result<MutexGuard<'_, Records>, StoreError> {
        match *self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(cause) => Err(StoreError::unavailable("the metadata store", cause)),
            None => Ok(self.records.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

fn earlier_of((request, id): &(KeyedRequest, FileId)) -> EarlierRequest {
    EarlierRequest {
        id: *id,
        fingerprint: request.fingerprint,
    }
}

#[async_trait]
impl MarkedStore for MemoryMetadataStore {
    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        drop(self.records()?);
        Ok(self.locked_marker().clone())
    }

    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        drop(self.records()?);
        self.locked_marker().get_or_insert_with(|| marker.clone());
        Ok(())
    }

    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        drop(self.records()?);
        *self.locked_marker() = Some(marker.clone());
        Ok(())
    }
}

#[async_trait]
impl MetadataStore for MemoryMetadataStore {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        let mut records = self.records()?;
        if records.contains_key(&record.id) {
            return Err(StoreError::AlreadyExists {
                store: "the metadata store",
            });
        }
        records.insert(record.id, record.clone());
        Ok(())
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        let mut records = self.records()?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, (request, _)| now < request.expires_at);
        let key = *request.key.digest().as_bytes();
        if let Some(earlier) = keys.get(&key) {
            return Ok(KeyedInsert::KeyTaken(earlier_of(earlier)));
        }
        if records.contains_key(&record.id) {
            return Err(StoreError::AlreadyExists {
                store: "the metadata store",
            });
        }
        records.insert(record.id, record.clone());
        keys.insert(key, (*request, record.id));
        Ok(KeyedInsert::Inserted)
    }

    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        let _records = self.records()?;
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = keys.get(request.key.digest().as_bytes());
        let earlier = earlier.filter(|(request, _)| now < request.expires_at);
        Ok(earlier.map(earlier_of))
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        Ok(self.records()?.get(&id).cloned())
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        let records = self.records()?;
        let mut found: Vec<FileRecord> = records
            .values()
            .rev()
            .filter(|r| request.before.is_none_or(|before| r.id < before))
            .filter(|r| r.status().is_listed())
            .filter(|r| {
                let is_listed = |owner| r.owner == Some(owner) && r.in_box().is_none();
                request.owner.is_none_or(is_listed)
            })
            .filter(|r| request.status.is_none_or(|status| r.status() == status))
            .take(request.limit + 1)
            .cloned()
            .collect();
        let more = found.len() > request.limit;
        found.truncate(request.limit);
        let next = found.last().map(|r| r.id).filter(|_| more);
        Ok(Page {
            records: found,
            next,
        })
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let mut records = self.records()?;
        let pending = records
            .get_mut(&id)
            .filter(|r| r.status() == Status::Pending);
        Ok(pending.map(|record| {
            record.upload_expires_at = record.upload_expires_at.max(upload_expires_at);
            record.clone()
        }))
    }

    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        Ok(outbox::transition(&mut *self.records()?, id, transition))
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut records = self.records()?;
        Ok(outbox::delete(
            &mut records,
            id,
            now,
            purge_at,
            upload_grace,
            as_of,
        ))
    }

    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError> {
        let mut records = self.records()?;
        let record = records.get_mut(&id).filter(|r| r.status().may_have_bytes());
        Ok(record.map(|record| {
            let since = record.hold.as_ref().map_or(hold.since, |held| held.since);
            record.hold = Some(Hold {
                since,
                ..hold.clone()
            });
            record.clone()
        }))
    }

    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let mut records = self.records()?;
        let record = records
            .get_mut(&id)
            .filter(|r| r.status() != Status::Deleted);
        Ok(record.map(|record| {
            if record.hold.as_ref() == Some(hold) {
                record.hold = None;
                if record.status() == Status::Withdrawn {
                    record.reconcile_at = Some(due_at);
                }
            }
            record.clone()
        }))
    }

    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        let mut records = self.records()?;
        let record = records.get_mut(&id).filter(|r| {
            r.status() == Status::Available && r.keep_until.is_none_or(|at| at <= keep_until)
        });
        Ok(record.map(|record| {
            record.keep_until = Some(keep_until);
            record.clone()
        }))
    }

    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut records = self.records()?;
        let record = records
            .get_mut(&id)
            .filter(|r| r.status() == Status::Available && r.reconcile_at == Some(seen));
        Ok(record
            .map(|record| record.reconcile_at = Some(reconcile_at))
            .is_some())
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        let records = self.records()?;
        let mut due: Vec<DueRecord> = records
            .values()
            .filter_map(|r| {
                r.reconcile_at.map(|reconcile_at| DueRecord {
                    reconcile_at,
                    id: r.id,
                })
            })
            .filter(|due_record| {
                due_record.reconcile_at <= until && after.is_none_or(|a| *due_record > a)
            })
            .collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let mut records = self.records()?;
        let pending = records
            .get_mut(&id)
            .filter(|r| r.status() == Status::Pending);
        Ok(pending
            .map(|record| {
                let end = record.upload_expires_at + upload_grace;
                record.reconcile_at = Some(reconcile_at.min(end));
            })
            .is_some())
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut records = self.records()?;
        if let Some(record) = records.get_mut(&id).filter(|r| is_over(r, status)) {
            record.reconcile_at = Some(reconcile_at);
            record.state.keep_until(purge_at);
        }
        Ok(())
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        let mut records = self.records()?;
        if records.get(&id).is_some_and(|r| is_over(r, status)) {
            records.remove(&id);
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.records().map(drop)
    }
}

/// Whether the record has this status, and it is one that isn't to have bytes.
fn is_over(record: &FileRecord, status: Status) -> bool {
    record.status() == status && !status.may_have_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::conformance::{Fixture, Isolation};
    use super::*;

    async fn open(_: Isolation) -> Fixture {
        Fixture {
            store: Arc::new(MemoryMetadataStore::default()),
            keep: Box::new(()),
        }
    }

    crate::metadata_store_conformance!(open);

    mod hand_ins {
        use super::super::super::hand_ins::conformance::Opened;
        use super::*;

        async fn open() -> Opened<MemoryMetadataStore> {
            Opened {
                store: Arc::new(MemoryMetadataStore::default()),
                keep: Box::new(()),
            }
        }

        crate::hand_in_store_conformance!(open);
    }

    mod usage {
        use super::super::super::usage::conformance::Opened;
        use super::*;

        async fn open() -> Opened<MemoryMetadataStore> {
            Opened {
                store: Arc::new(MemoryMetadataStore::default()),
                keep: Box::new(()),
            }
        }

        crate::usage_conformance!(open);
    }

    mod outbox {
        use super::super::super::outbox::conformance::Opened;
        use super::*;

        async fn open() -> Opened<MemoryMetadataStore> {
            Opened {
                store: Arc::new(MemoryMetadataStore::default()),
                keep: Box::new(()),
            }
        }

        crate::outbox_conformance!(open);
    }
}
