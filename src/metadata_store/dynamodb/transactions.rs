//! Several items written together, or none.
//!
//! Invariant: a transaction that wrote nothing says whose conditions didn't hold, or that it met another one; anything
//! else is the store's fault.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put, TransactWriteItem, Update};

use super::DynamoDbMetadataStore;
use super::expression::Placeholders;
use super::item::{FILE_ID, Item, STORE};
use crate::aws::unavailable;
use crate::metadata_store::StoreError;

/// How often a transaction is tried that met another one on the same box or the same usage.
pub(super) const MAX_ATTEMPTS: u32 = 12;
/// The pause before the next attempt, times the number of those before; each waits for half of it to one and a half.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn pause(attempt: u32) {
    tokio::time::sleep(PAUSE.mul_f64(f64::from(attempt) * (0.5 + fastrand::f64()))).await;
}

pub(super) fn contended() -> StoreError {
    StoreError::unavailable(
        STORE,
        format!("{MAX_ATTEMPTS} transactions met others on the same items"),
    )
}

/// What became of a transaction.
pub(super) enum Written {
    Done,
    /// The conditions of the items at these positions didn't hold; at least one.
    ConditionFailed(Vec<usize>),
    /// Another transaction was at the same items.
    Conflict,
}

pub(super) fn put_of(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

pub(super) fn update_in(update: Update) -> TransactWriteItem {
    TransactWriteItem::builder().update(update).build()
}

impl DynamoDbMetadataStore {
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

    pub(super) fn update_of(
        &self,
        key: AttributeValue,
        update: String,
        condition: Option<String>,
        placeholders: Placeholders,
    ) -> Result<Update, StoreError> {
        let values = placeholders.values;
        Update::builder()
            .table_name(&self.table)
            .key(FILE_ID, key)
            .update_expression(update)
            .set_condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .build()
            .map_err(|error| StoreError::unavailable(STORE, error))
    }

    /// The client gives the transaction a token of its own, so an attempt that is sent again because its answer was
    /// lost gets that answer.
    pub(super) async fn write_all(
        &self,
        items: Vec<TransactWriteItem>,
    ) -> Result<Written, StoreError> {
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(Written::Done),
            Err(error) => error,
        };
        let written = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                why(cancelled.cancellation_reasons())
            }
            // Another transaction with this token is under way: an attempt before this one.
            _ if error.code() == Some("TransactionInProgressException") => Some(Written::Conflict),
            _ => None,
        };
        written.ok_or_else(|| unavailable(STORE, "TransactWriteItems", &error))
    }
}

/// The reasons come in the order of the items. `None` for any other reason, such as throttling.
fn why(reasons: &[CancellationReason]) -> Option<Written> {
    let with = |code: &'static str| {
        let reasons = reasons.iter().enumerate();
        reasons.filter(move |(_, reason)| reason.code() == Some(code))
    };
    let failed: Vec<usize> = with("ConditionalCheckFailed").map(|(at, _)| at).collect();
    if !failed.is_empty() {
        return Some(Written::ConditionFailed(failed));
    }
    let met_another = with("TransactionConflict").next().is_some();
    met_another.then_some(Written::Conflict)
}
