//! Whether the table is the one that this service needs, and whether it may use it.
//!
//! Invariant: asking changes nothing. A permission to write is asked for with a write whose condition
//! doesn't hold: whoever may not write is refused before the condition is looked at.
//!
//! Absent on purpose: TTL and backups, without which everything works.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, IndexStatus, KeySchemaElement, KeyType, ProjectionType,
    ScalarAttributeType, TableDescription,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::future::join_all;

use super::{
    DynamoDbMetadataStore, NIL_ID,
    due::BY_DUE,
    expression::Placeholders,
    is_condition_failed,
    item::{FILE_ID, RECONCILE_AT, RECONCILE_SHARD, STATUS_SHARD, TIME_SHARD, string},
    items::{BY_PARENT, PARENT},
    pages::{BY_STATUS, BY_TIME},
};
use crate::aws::{Asked, StartupProblem, findings};
use crate::start_check::{Finding, StartCheck};

/// What a program does with the table, as far as the programs differ.
#[derive(Debug, Clone, Copy)]
pub struct TableUse {
    /// Whether it makes records.
    inserts: bool,
    indexes: &'static [&'static str],
    policy: &'static str,
}

impl TableUse {
    /// The API inserts records, lists files, and keeps small items.
    pub const API: Self = Self {
        inserts: true,
        indexes: &[BY_TIME, BY_STATUS, BY_PARENT],
        policy: "ApiPolicy",
    };
    /// The worker inserts nothing, and asks which records are due.
    pub const WORKER: Self = Self {
        inserts: false,
        indexes: &[BY_DUE],
        policy: "WorkerPolicy",
    };
}

/// The indexes with their keys, as deploy/stack.yaml defines them. The first key is the shard, or the parent.
const INDEXES: [(&str, &str, &str, ScalarAttributeType); 4] = [
    (BY_TIME, TIME_SHARD, FILE_ID, ScalarAttributeType::S),
    (BY_STATUS, STATUS_SHARD, FILE_ID, ScalarAttributeType::S),
    (
        BY_DUE,
        RECONCILE_SHARD,
        RECONCILE_AT,
        ScalarAttributeType::N,
    ),
    (BY_PARENT, PARENT, FILE_ID, ScalarAttributeType::S),
];

const UPDATE_STACK: &str = "Update the stack from deploy/stack.yaml.";

impl DynamoDbMetadataStore {
    /// Everything that stands in the way of using the table so.
    pub async fn check_start(&self, used: TableUse, region: &str) -> Vec<StartupProblem> {
        let resource = format!("table {}", self.table);
        let check = Check {
            store: self,
            resource: &resource,
            region,
            policy: used.policy,
        };
        let mut problems = match check.describe().await {
            Ok(description) => check.schema(&description),
            // Who may not describe the table may still lack other things: all of it is worth saying.
            // Where the table isn't there, they all say the same, which is said once.
            Err(problem) => {
                let mut problems = vec![problem];
                problems.extend(check.permissions(used).await);
                return problems;
            }
        };
        // What isn't our table isn't ours to use either.
        if problems.is_empty() {
            problems = check.permissions(used).await;
        }
        problems
    }
}

/// [`DynamoDbMetadataStore::check_start`], as one of the checks of a start.
pub struct TableCheck {
    /// The store whose table is looked at.
    pub store: Arc<DynamoDbMetadataStore>,
    /// Which permissions and indexes the program needs.
    pub used: TableUse,
    /// The region that the table is expected in, named in what is found.
    pub region: String,
}

#[async_trait]
impl StartCheck for TableCheck {
    fn name(&self) -> &'static str {
        "table"
    }

    fn subject(&self) -> String {
        format!("table {}", self.store.table)
    }

    async fn look(&self) -> Vec<Finding> {
        let problems = self.store.check_start(self.used, &self.region).await;
        findings(problems, || {
            format!(
                "table {} has its key and its indexes, and these credentials may use it",
                self.store.table
            )
        })
    }
}

struct Check<'a> {
    store: &'a DynamoDbMetadataStore,
    resource: &'a str,
    region: &'a str,
    policy: &'a str,
}

impl Check<'_> {
    fn problem<E>(
        &self,
        action: &str,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> StartupProblem
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let asked = Asked {
            resource: self.resource,
            action,
            setting: "TABLE_NAME",
            region: self.region,
            policy: self.policy,
        };
        StartupProblem::of(asked, operation, error)
    }

    async fn describe(&self) -> Result<TableDescription, StartupProblem> {
        let request = self.store.client.describe_table();
        let answer = request.table_name(&self.store.table).send().await;
        let output = answer
            .map_err(|error| self.problem("dynamodb:DescribeTable", "DescribeTable", &error))?;
        output.table.ok_or_else(|| {
            StartupProblem::Wrong(format!(
                "{}: it was described without saying anything",
                self.resource
            ))
        })
    }

    fn schema(&self, table: &TableDescription) -> Vec<StartupProblem> {
        let types = table.attribute_definitions();
        if !is_key(
            table.key_schema(),
            types,
            &[(FILE_ID, ScalarAttributeType::S)],
        ) {
            return vec![StartupProblem::Wrong(format!(
                "{}: its key isn't {FILE_ID} (a string) alone, so it isn't this service's table. Correct \
                 TABLE_NAME, or deploy deploy/stack.yaml under another name.",
                self.resource
            ))];
        }
        let wrong = |what: String| Some(StartupProblem::Wrong(what));
        let problems = INDEXES.into_iter().filter_map(|(name, hash, range, range_type)| {
            let resource = self.resource;
            let indexes = table.global_secondary_indexes();
            let Some(index) = indexes.iter().find(|it| it.index_name() == Some(name)) else {
                return wrong(format!("{resource}: the index {name} is missing. {UPDATE_STACK}"));
            };
            let keys = [(hash, ScalarAttributeType::S), (range, range_type)];
            if !is_key(index.key_schema(), types, &keys) {
                return wrong(format!(
                    "{resource}: the key of the index {name} isn't {hash} and {range}. {UPDATE_STACK}"
                ));
            }
            let projects_all = index.projection().and_then(|it| it.projection_type())
                == Some(&ProjectionType::All);
            if name != BY_DUE && !projects_all {
                return wrong(format!(
                    "{resource}: the index {name} doesn't hold whole items. {UPDATE_STACK}"
                ));
            }
            if index.index_status() != Some(&IndexStatus::Active) {
                tracing::warn!(index = name, "an index is being built; what needs it has to wait");
            }
            None
        });
        problems.collect()
    }

    async fn permissions(&self, used: TableUse) -> Vec<StartupProblem> {
        let queries = join_all(used.indexes.iter().map(|index| self.may_query(index)));
        let insert = async {
            match used.inserts {
                true => self.may_insert().await,
                false => None,
            }
        };
        let (read, insert, update, delete, queries) = tokio::join!(
            self.may_read(),
            insert,
            self.may_update(),
            self.may_delete(),
            queries
        );
        let all = [read, insert, update, delete].into_iter().chain(queries);
        all.flatten().collect()
    }

    async fn may_read(&self) -> Option<StartupProblem> {
        let get = self.store.client.get_item().table_name(&self.store.table);
        let answer = get.key(FILE_ID, string(NIL_ID)).send().await;
        let error = answer.err()?;
        Some(self.problem("dynamodb:GetItem", "GetItem", &error))
    }

    async fn may_insert(&self) -> Option<StartupProblem> {
        let (condition, placeholders) = never();
        let put = self.store.client.put_item().table_name(&self.store.table);
        let answer = put
            .item(FILE_ID, string(NIL_ID))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .send()
            .await;
        let error = answer.err().filter(|error| !is_condition_failed(error))?;
        Some(self.problem("dynamodb:PutItem", "PutItem", &error))
    }

    async fn may_update(&self) -> Option<StartupProblem> {
        let (condition, placeholders) = never();
        let update = self
            .store
            .client
            .update_item()
            .table_name(&self.store.table);
        let answer = update
            .key(FILE_ID, string(NIL_ID))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .send()
            .await;
        let error = answer.err().filter(|error| !is_condition_failed(error))?;
        Some(self.problem("dynamodb:UpdateItem", "UpdateItem", &error))
    }

    async fn may_delete(&self) -> Option<StartupProblem> {
        let (condition, placeholders) = never();
        let delete = self
            .store
            .client
            .delete_item()
            .table_name(&self.store.table);
        let answer = delete
            .key(FILE_ID, string(NIL_ID))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(placeholders.names))
            .send()
            .await;
        let error = answer.err().filter(|error| !is_condition_failed(error))?;
        Some(self.problem("dynamodb:DeleteItem", "DeleteItem", &error))
    }

    async fn may_query(&self, index: &'static str) -> Option<StartupProblem> {
        let (_, partition, _, _) = INDEXES.into_iter().find(|(name, ..)| *name == index)?;
        let query = self.store.client.query().table_name(&self.store.table);
        let answer = query
            .index_name(index)
            .limit(1)
            .key_condition_expression("#partition = :partition")
            .expression_attribute_names("#partition", partition)
            .expression_attribute_values(":partition", string("none"))
            .send()
            .await;
        let error = answer.err()?;
        Some(self.problem(&format!("dynamodb:Query on index/{index}"), "Query", &error))
    }
}

/// A condition that doesn't hold for the item that no file has.
fn never() -> (String, Placeholders) {
    let mut placeholders = Placeholders::default();
    let id = placeholders.name(FILE_ID);
    (format!("attribute_exists({id})"), placeholders)
}

/// Whether a key is made of these attributes, the partition key first.
fn is_key(
    key: &[KeySchemaElement],
    types: &[AttributeDefinition],
    wanted: &[(&str, ScalarAttributeType)],
) -> bool {
    let kinds = [KeyType::Hash, KeyType::Range];
    key.len() == wanted.len()
        && wanted
            .iter()
            .zip(kinds)
            .all(|((name, kind_of_value), kind)| {
                key.iter()
                    .any(|it| it.attribute_name() == *name && *it.key_type() == kind)
                    && types.iter().any(|it| {
                        it.attribute_name() == *name && it.attribute_type() == kind_of_value
                    })
            })
}
