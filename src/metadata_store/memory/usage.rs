//! How much everybody has, by counting.
//!
//! Invariant: the records are all there is, so nothing is off but what [`mend_usage`](UsageStore::mend_usage) was told.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use async_trait::async_trait;

use super::{MemoryMetadataStore, Records, earlier_of};
use crate::domain::{FileRecord, Quota, Usage, UserId};
use crate::metadata_store::StoreError;
use crate::metadata_store::usage::{ChargedInsert, NewRecord, Recounted, UsageStore};

fn counted_in(records: &Records, owner: UserId) -> Usage {
    let counts = records
        .values()
        .filter(|record| record.owner == Some(owner) && record.status().may_have_bytes());
    counts.fold(Usage::default(), |usage, record| Usage {
        files: usage.files + 1,
        bytes: usage.bytes + record.declared.length.bytes(),
    })
}

impl MemoryMetadataStore {
    /// As it is kept, which is by how much it was put off.
    fn usage_in(&self, records: &Records, owner: UserId) -> Usage {
        let counted = counted_in(records, owner);
        let off = self
            .usage_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (files, bytes) = off.get(&owner).copied().unwrap_or_default();
        Usage {
            files: counted.files.saturating_add_signed(files),
            bytes: counted.bytes.saturating_add_signed(bytes),
        }
    }

    /// Adds a record, with its key, its place in a box, and its charge: all or nothing.
    pub(super) fn add_charged(
        &self,
        new: NewRecord<'_>,
        quota: &Quota,
    ) -> Result<ChargedInsert, StoreError> {
        let NewRecord {
            record,
            request,
            max_files_in_box,
            now,
        } = new;
        let mut records = self.records()?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = request.and_then(|it| keys.get(it.key.digest().as_bytes()));
        if let Some(earlier) = earlier.filter(|(it, _)| now < it.expires_at) {
            return Ok(ChargedInsert::KeyTaken(earlier_of(earlier)));
        }
        if let Some(max_files) = max_files_in_box {
            let open = record.in_box().filter(|id| self.open_boxes().contains(id));
            if open.is_none() {
                return Ok(ChargedInsert::BoxShut);
            }
            let holds_place =
                |it: &&FileRecord| it.in_box() == open && it.status().may_have_bytes();
            if records.values().filter(holds_place).count() >= max_files as usize {
                return Ok(ChargedInsert::BoxFull);
            }
        }
        let length = record.declared.length.bytes();
        let fits = |owner| quota.takes(self.usage_in(&records, owner), length);
        if !record.owner.is_none_or(fits) {
            return Ok(ChargedInsert::QuotaExceeded);
        }
        if records.contains_key(&record.id) {
            return Err(StoreError::AlreadyExists {
                store: "the metadata store",
            });
        }
        records.insert(record.id, record.clone());
        if let Some(request) = request {
            keys.insert(*request.key.digest().as_bytes(), (*request, record.id));
        }
        Ok(ChargedInsert::Inserted)
    }
}

#[async_trait]
impl UsageStore for MemoryMetadataStore {
    async fn insert_charged(
        &self,
        new: NewRecord<'_>,
        quota: &Quota,
    ) -> Result<ChargedInsert, StoreError> {
        self.add_charged(new, quota)
    }

    async fn usage(&self, owner: UserId) -> Result<Usage, StoreError> {
        Ok(self.usage_in(&*self.records()?, owner))
    }

    async fn recount(&self) -> Result<Vec<Recounted>, StoreError> {
        let records = self.records()?;
        let owners: BTreeSet<UserId> = records.values().filter_map(|it| it.owner).collect();
        let recounted = owners.into_iter().map(|owner| Recounted {
            owner,
            kept: self.usage_in(&records, owner),
            counted: counted_in(&records, owner),
            uncharged: 0,
        });
        Ok(recounted.collect())
    }

    async fn charge_all(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn mend_usage(&self, found: &Recounted) -> Result<(), StoreError> {
        let Recounted { kept, counted, .. } = found;
        let mut off = self
            .usage_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (files, bytes) = off.entry(found.owner).or_default();
        *files += counted.files.cast_signed() - kept.files.cast_signed();
        *bytes += counted.bytes.cast_signed() - kept.bytes.cast_signed();
        Ok(())
    }
}
