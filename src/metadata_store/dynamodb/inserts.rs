//! A record with what is written beside it: the key of its request, a place in a box, a charge to its owner.
//!
//! Invariant: one transaction, so all of it is there or nothing is. A transaction costs twice what its writes would
//! alone; it is what keeps a place or a charge from being left behind by a crash, and no time from having to pass until
//! somebody finds it.

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::DynamoDbMetadataStore;
use super::expression::{Condition, Placeholders};
use super::idempotency::key_put;
use super::item::{STORE, string, to_item};
use super::transactions::{MAX_ATTEMPTS, Written, contended, pause, put_of, update_in};
use super::usage::{CHARGED_TO, Charge};
use crate::domain::{BoxId, Quota, Usage};
use crate::metadata_store::StoreError;
use crate::metadata_store::usage::{ChargedInsert, NewRecord, UsageStore};

/// What an item of the transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Record,
    Place,
    Charge,
    Key,
}

impl DynamoDbMetadataStore {
    /// Adds a record with all that belongs to it. `None` charges nobody.
    pub(super) async fn insert_all(
        &self,
        new: NewRecord<'_>,
        quota: Option<&Quota>,
    ) -> Result<ChargedInsert, StoreError> {
        let place = match (new.max_files_in_box, new.record.in_box()) {
            (Some(_), None) => return Ok(ChargedInsert::BoxShut),
            (Some(max_files), Some(id)) => Some((id, max_files)),
            (None, _) => None,
        };
        let charge = Charge::for_record(new.record);
        let charge = quota.and_then(|quota| Some((charge?, quota)));
        if let Some((charge, quota)) = charge
            && !quota.takes(Usage::default(), charge.bytes)
        {
            let refused = self.refused_otherwise(new, place).await?;
            return Ok(refused.unwrap_or(ChargedInsert::QuotaExceeded));
        }
        for attempt in 1..=MAX_ATTEMPTS {
            let mut parts = vec![(Part::Record, self.record_of(new, charge.map(|it| it.0))?)];
            if let Some((id, max_files)) = place {
                let taking = self.taking_place(id, max_files)?;
                parts.push((Part::Place, update_in(taking)));
            }
            if let Some((charge, quota)) = charge {
                parts.push((Part::Charge, update_in(self.charging(charge, quota)?)));
            }
            if let Some(request) = new.request {
                let key = key_put(self, new.record.id, request, new.now)?;
                parts.push((Part::Key, put_of(key)));
            }
            let (parts, items): (Vec<Part>, Vec<TransactWriteItem>) = parts.into_iter().unzip();
            let written = self.write_all(items).await?;
            if matches!(written, Written::Done) {
                return Ok(ChargedInsert::Inserted);
            }
            if let Some(request) = new.request
                && let Some(earlier) = self.request_of_key(request, new.now).await?
            {
                return Ok(ChargedInsert::KeyTaken(earlier));
            }
            let failed = |part| match &written {
                Written::ConditionFailed(at) => at.iter().any(|at| parts.get(*at) == Some(&part)),
                _ => false,
            };
            if failed(Part::Record) {
                return Err(StoreError::AlreadyExists { store: STORE });
            }
            if failed(Part::Place)
                && let Some((id, max_files)) = place
                && let Some(why) = self.why_no_place(id, max_files).await?
            {
                return Ok(why);
            }
            if failed(Part::Charge)
                && let Some((charge, quota)) = charge
                && !quota.takes(self.usage(charge.owner).await?, charge.bytes)
            {
                return Ok(ChargedInsert::QuotaExceeded);
            }
            pause(attempt).await;
        }
        Err(contended())
    }

    /// What is told before anything about a quota.
    async fn refused_otherwise(
        &self,
        new: NewRecord<'_>,
        place: Option<(BoxId, u32)>,
    ) -> Result<Option<ChargedInsert>, StoreError> {
        if let Some(request) = new.request
            && let Some(earlier) = self.request_of_key(request, new.now).await?
        {
            return Ok(Some(ChargedInsert::KeyTaken(earlier)));
        }
        match place {
            Some((id, max_files)) => self.why_no_place(id, max_files).await,
            None => Ok(None),
        }
    }

    fn record_of(
        &self,
        new: NewRecord<'_>,
        charge: Option<Charge>,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut placeholders = Placeholders::default();
        let absent = Condition::Absent.expression(&mut placeholders);
        let mut item = to_item(new.record);
        item.extend(charge.map(|charge| (CHARGED_TO.to_owned(), string(charge.owner))));
        Ok(put_of(self.put(item, absent, placeholders)?))
    }
}
