//! Requests with an idempotency key, as items of their own in the table.
//!
//! Invariant: a record and its key are written in one transaction, so a key never names a record that
//! was never there, and a record that a client was told of by key is found by it. A key is an item
//! under `idempotency#` and the digest of the client's text, which no file's ID can be; it carries
//! none of the attributes of the indexes, so no page and no reconciliation sees it. TTL removes it, days late
//! at times: its own time is compared in the condition and after every read.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, Put, TransactWriteItem},
};

use super::{
    DynamoDbMetadataStore,
    expression::{Condition, Placeholders},
    item::{Attributes, EXPIRES_AT_MILLIS, FILE_ID, Item, STORE, expiry, millis, string, to_item},
};
use crate::{
    aws::unavailable,
    domain::{FileId, FileRecord, KeyedRequest, Sha256Digest, Timestamp},
    metadata_store::{EarlierRequest, KeyedInsert, StoreError},
};

const KEY_PREFIX: &str = "idempotency#";
/// The file that the request made.
const MADE_FILE_ID: &str = "madeFileId";
const FINGERPRINT: &str = "fingerprint";

/// How often a transaction is tried that met another one on the same key, or found a key that was
/// gone when it was looked at.
const MAX_ATTEMPTS: usize = 4;
/// The pause before the next attempt, times the number of those before.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Why a transaction wrote nothing.
enum Cancelled {
    RecordExists,
    KeyTaken,
    /// Another transaction was at the same items.
    Conflict,
}

impl DynamoDbMetadataStore {
    pub(super) async fn insert_with_key(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        for attempt in 1..=MAX_ATTEMPTS {
            match self.transact(record, request, now).await? {
                None => return Ok(KeyedInsert::Inserted),
                Some(Cancelled::RecordExists) => {
                    return Err(StoreError::AlreadyExists { store: STORE });
                }
                Some(Cancelled::KeyTaken | Cancelled::Conflict) => {
                    if let Some(earlier) = self.request_of_key(request, now).await? {
                        return Ok(KeyedInsert::KeyTaken(earlier));
                    }
                }
            }
            tokio::time::sleep(PAUSE * u32::try_from(attempt).unwrap_or(u32::MAX)).await;
        }
        Err(StoreError::unavailable(
            STORE,
            format!("{MAX_ATTEMPTS} transactions met others on the same key"),
        ))
    }

    /// `None` if both items were written. The client gives the transaction a token of its own, so an
    /// attempt that is sent again because its answer was lost gets that answer.
    async fn transact(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<Cancelled>, StoreError> {
        let mut of_record = Placeholders::default();
        let absent = Condition::Absent.expression(&mut of_record);
        let id = record.id;
        let record = self.put(to_item(record), absent, of_record)?;
        let key = key_put(self, id, request, now)?;
        let answer = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(record).build())
            .transact_items(TransactWriteItem::builder().put(key).build())
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(None),
            Err(error) => error,
        };
        let cancelled = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                why(cancelled.cancellation_reasons())
            }
            // Another transaction with this token is under way: an attempt before this one.
            _ if error.code() == Some("TransactionInProgressException") => {
                Some(Cancelled::Conflict)
            }
            _ => None,
        };
        match cancelled {
            Some(cancelled) => Ok(Some(cancelled)),
            None => Err(unavailable(STORE, "TransactWriteItems", &error)),
        }
    }

    pub(super) fn put(
        &self,
        item: Item,
        condition: String,
        placeholders: Placeholders,
    ) -> Result<Put, StoreError> {
        let values = placeholders.values;
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            // An empty map is refused.
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .build()
            .map_err(|error| StoreError::unavailable(STORE, error))
    }

    /// The request that the key stands for at `now`.
    pub(super) async fn request_of_key(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        let Some(item) = self.get_item(string(key_id(request))).await? else {
            return Ok(None);
        };
        let attributes = Attributes(&item);
        if attributes.millis(EXPIRES_AT_MILLIS)? <= now {
            return Ok(None);
        }
        Ok(Some(EarlierRequest {
            id: attributes.text_as(MADE_FILE_ID, FileId::parse)?,
            fingerprint: attributes.text_as(FINGERPRINT, Sha256Digest::parse_hex)?,
        }))
    }
}

/// Adds the key of a request that made this file, if it is free at `now`.
pub(super) fn key_put(
    store: &DynamoDbMetadataStore,
    id: FileId,
    request: &KeyedRequest,
    now: Timestamp,
) -> Result<Put, StoreError> {
    let mut placeholders = Placeholders::default();
    let absent = Condition::Absent.expression(&mut placeholders);
    let expiry = placeholders.name(EXPIRES_AT_MILLIS);
    let present = placeholders.value("now", millis(now));
    let free = format!("{absent} OR {expiry} <= {present}");
    store.put(key_item(id, request), free, placeholders)
}

fn key_id(request: &KeyedRequest) -> String {
    format!("{KEY_PREFIX}{}", request.key.digest())
}

fn key_item(id: FileId, request: &KeyedRequest) -> Item {
    HashMap::from_iter(
        [
            (FILE_ID, string(key_id(request))),
            (MADE_FILE_ID, string(id)),
            (FINGERPRINT, string(request.fingerprint)),
        ]
        .into_iter()
        .chain(expiry(request.expires_at))
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// The reasons come in the order of the items: the record's, then the key's. `None` for any other
/// reason, such as throttling.
fn why(reasons: &[CancellationReason]) -> Option<Cancelled> {
    let code = |at: usize| reasons.get(at).and_then(CancellationReason::code);
    let failed = |at| code(at) == Some("ConditionalCheckFailed");
    // The key first: a record whose ID is taken can be one that came with the same key.
    if failed(1) {
        return Some(Cancelled::KeyTaken);
    }
    if failed(0) {
        return Some(Cancelled::RecordExists);
    }
    [0, 1]
        .into_iter()
        .any(|at| code(at) == Some("TransactionConflict"))
        .then_some(Cancelled::Conflict)
}
