//! What is handed in to boxes, in memory.
//!
//! Invariant: a record is in a box as long as it says so itself, so places are counted and not kept. Which boxes take
//! something is all that is kept beside the records.

use async_trait::async_trait;

use super::MemoryMetadataStore;
use crate::domain::{BoxId, FileId, FileRecord, KeyedRequest, Quota, Timestamp, UserId};
use crate::metadata_store::hand_ins::{HandInInsert, HandInStore};
use crate::metadata_store::usage::NewRecord;
use crate::metadata_store::{Page, StoreError};

#[async_trait]
impl HandInStore for MemoryMetadataStore {
    async fn open_box(&self, id: BoxId) -> Result<(), StoreError> {
        let _records = self.records()?;
        self.open_boxes().insert(id);
        Ok(())
    }

    async fn shut_box(&self, id: BoxId) -> Result<(), StoreError> {
        let _records = self.records()?;
        self.open_boxes().remove(&id);
        Ok(())
    }

    async fn insert_hand_in(
        &self,
        record: &FileRecord,
        request: Option<&KeyedRequest>,
        max_files: u32,
        now: Timestamp,
    ) -> Result<HandInInsert, StoreError> {
        let new = NewRecord {
            record,
            request,
            max_files_in_box: Some(max_files),
            now,
        };
        Ok(self.add_charged(new, &Quota::default())?.into())
    }

    async fn box_page(
        &self,
        id: BoxId,
        before: Option<FileId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let records = self.records()?;
        let mut found: Vec<FileRecord> = records
            .values()
            .rev()
            .filter(|r| before.is_none_or(|before| r.id < before))
            .filter(|r| r.in_box() == Some(id) && r.status().is_listed())
            .take(limit + 1)
            .cloned()
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().map(|r| r.id).filter(|_| more);
        Ok(Page {
            records: found,
            next,
        })
    }

    async fn leave_box(
        &self,
        file: FileId,
        id: BoxId,
        _owner: Option<UserId>,
    ) -> Result<bool, StoreError> {
        let mut records = self.records()?;
        let record = records
            .get_mut(&file)
            .filter(|r| r.in_box() == Some(id) && r.status().is_listed());
        let hand_in = record.and_then(|record| record.hand_in.as_mut());
        Ok(hand_in.map(|hand_in| hand_in.in_box = None).is_some())
    }
}
