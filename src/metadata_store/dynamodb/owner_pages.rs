//! Pages of one person's records, from the index of lists.
//!
//! Invariant: one query a page, of a bounded number of items. Of records with one status there may be none among
//! those: then the page is empty and says where the next one goes on.
//!
//! Absent on purpose: shards. One person makes no thousand files a second for long, and an index that can't keep
//! up with one would throttle that person's creates alone if others had not the same partition.

use super::{
    DynamoDbMetadataStore,
    expression::{Condition, Placeholders},
    item::{Attributes, FILE_ID, STORE, from_item, string},
    items::{BY_PARENT, PARENT},
};
use crate::{
    aws::unavailable,
    domain::{FileId, UserId},
    metadata_store::{LOOKED_AT_FOR_STATUS, MAX_PAGE, Page, PageRequest, StoreError},
};

impl DynamoDbMetadataStore {
    pub(super) async fn read_owner_page(
        &self,
        owner: UserId,
        request: PageRequest,
    ) -> Result<Page, StoreError> {
        if request.status.is_some_and(|status| !status.is_listed()) {
            return Ok(Page {
                records: Vec::new(),
                next: None,
            });
        }
        let limit = request.limit.clamp(1, MAX_PAGE);
        // One more than asked for shows whether there is a next page.
        let looked_at = request.status.map_or(limit + 1, |_| LOOKED_AT_FOR_STATUS);
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_PARENT)
            .scan_index_forward(false)
            .limit(i32::try_from(looked_at).unwrap_or(i32::MAX))
            .expression_attribute_names("#parent", PARENT)
            .expression_attribute_values(":parent", string(owner));
        query = match request.before {
            None => query.key_condition_expression("#parent = :parent"),
            Some(id) => query
                .key_condition_expression("#parent = :parent AND #id < :before")
                .expression_attribute_names("#id", FILE_ID)
                .expression_attribute_values(":before", string(id)),
        };
        if let Some(status) = request.status {
            let mut placeholders = Placeholders::default();
            let has_status = Condition::StatusIs(status).expression(&mut placeholders);
            query = query.filter_expression(has_status);
            for (name, attribute) in placeholders.names {
                query = query.expression_attribute_names(name, attribute);
            }
            for (name, value) in placeholders.values {
                query = query.expression_attribute_values(name, value);
            }
        }
        let output = query
            .send()
            .await
            .map_err(|error| unavailable(STORE, "Query", &error))?;
        // Where the store stopped looking, which may be behind the last item that it gave.
        let stopped = match &output.last_evaluated_key {
            None => None,
            Some(key) => Some(Attributes(key).text_as(FILE_ID, FileId::parse)?),
        };
        let mut records = Vec::new();
        let mut last = None;
        for item in output.items() {
            if records.len() == limit {
                return Ok(Page {
                    records,
                    next: last,
                });
            }
            let id = Attributes(item).text_as(FILE_ID, FileId::parse)?;
            last = Some(id);
            let record = from_item(item).inspect_err(|error| {
                tracing::error!(file_id = %id, error = %error.chain(), "a record can't be read and is not listed");
            });
            records.extend(record.ok());
        }
        Ok(Page {
            records,
            next: stopped,
        })
    }
}
