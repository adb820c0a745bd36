//! The marker of the records: an item whose key is no file's and that is in no index.
//!
//! Invariant: the item that is there first stays, whoever adds another.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use super::{
    DynamoDbMetadataStore, StoreError, is_condition_failed,
    item::{FILE_ID, STORE, string},
};
use crate::{
    aws::unavailable,
    store_marker::{MarkedStore, Marker},
};

/// A file's key is a UUID. The operator's policy names this one.
const KEY: &str = "store#marker";
const ID: &str = "markerId";
const STARTS: &str = "starts";

impl DynamoDbMetadataStore {
    async fn put_marker(&self, marker: &Marker, only_new: bool) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(FILE_ID, string(KEY))
            .item(ID, string(marker.id))
            .item(STARTS, AttributeValue::N(marker.starts.to_string()))
            .set_condition_expression(only_new.then(|| format!("attribute_not_exists({FILE_ID})")));
        match put.send().await {
            Err(error) if is_condition_failed(&error) => Ok(()),
            answer => answer
                .map(drop)
                .map_err(|error| unavailable(STORE, "PutItem", &error)),
        }
    }
}

#[async_trait]
impl MarkedStore for DynamoDbMetadataStore {
    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        let Some(item) = self.get_item(string(KEY)).await? else {
            return Ok(None);
        };
        let id = item.get(ID).and_then(|value| value.as_s().ok());
        let id = id.and_then(|text| Uuid::try_parse(text).ok());
        let starts = item.get(STARTS).and_then(|value| value.as_n().ok());
        let starts = starts.and_then(|text| text.parse().ok());
        match (id, starts) {
            (Some(id), Some(starts)) => Ok(Some(Marker { id, starts })),
            _ => Err(StoreError::corrupt(STORE, "its marker")),
        }
    }

    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        self.put_marker(marker, true).await
    }

    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        self.put_marker(marker, false).await
    }
}
