//! Requests with an idempotency key, as items of their own in the table.
//!
//! Invariant: a record and its key are written in one transaction, so a key never names a record that
//! was never there, and a record that a client was told of by key is found by it. A key is an item
//! under `idempotency#` and the digest of the client's text, which no file's ID can be; it carries
//! none of the attributes of the indexes, so no page and no reconciliation sees it. TTL removes it, days late
//! at times: its own time is compared in the condition and after every read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::Put;

use super::{
    DynamoDbMetadataStore,
    expression::{Condition, Placeholders},
    item::{Attributes, EXPIRES_AT_MILLIS, FILE_ID, Item, STORE, expiry, millis, string},
};
use crate::{
    domain::{FileId, FileRecord, KeyedRequest, Sha256Digest, Timestamp},
    metadata_store::{
        EarlierRequest, KeyedInsert, StoreError,
        usage::{ChargedInsert, NewRecord},
    },
};

const KEY_PREFIX: &str = "idempotency#";
/// The file that the request made.
const MADE_FILE_ID: &str = "madeFileId";
const FINGERPRINT: &str = "fingerprint";

impl DynamoDbMetadataStore {
    pub(super) async fn insert_with_key(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        let new = NewRecord {
            record,
            request: Some(request),
            max_files_in_box: None,
            now,
        };
        match self.insert_all(new, None).await? {
            ChargedInsert::Inserted => Ok(KeyedInsert::Inserted),
            ChargedInsert::KeyTaken(earlier) => Ok(KeyedInsert::KeyTaken(earlier)),
            // It goes into no box, and is charged to nobody.
            other => Err(StoreError::unavailable(
                STORE,
                format!("an insert: {other:?}"),
            )),
        }
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
