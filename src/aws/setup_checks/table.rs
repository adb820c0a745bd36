//! The table: its key, its indexes, and that what is over goes by itself.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    IndexStatus, KeySchemaElement, KeyType, TableDescription, TableStatus, TimeToLiveStatus,
};

use super::failed_call::Asked;
use super::{Seen, wrong};

const KEY: &str = "fileId";
const TTL_ATTRIBUTE: &str = "expiresAt";
/// Name, partition key and sort key of each.
const INDEXES: [(&str, &str, &str); 4] = [
    ("byTime", "timeShard", KEY),
    ("byStatus", "statusShard", KEY),
    ("byReview", "reviewShard", "reviewAt"),
    ("byParent", "parent", KEY),
];

fn asked<'a>(resource: &'a str, action: &'a str) -> Asked<'a> {
    Asked {
        resource,
        action,
        setting: "TABLE_NAME",
    }
}

pub(super) async fn indexes(client: &Client, table: &str) -> Seen<String> {
    let resource = format!("the table {table}");
    let asked = asked(&resource, "dynamodb:DescribeTable");
    let look = client.describe_table().table_name(table).send().await;
    let found = look.map_err(|error| asked.finding(&error))?.table;
    let Some(found) = found else {
        return Err(wrong(format!("{resource} has no description"), MEND));
    };
    match flaw_of(&found, &resource) {
        Some((said, mend)) => Err(wrong(said, mend)),
        None => Ok(format!(
            "{resource} has its key and its four indexes, all active"
        )),
    }
}

/// What is wrong with it, and how to mend it.
fn flaw_of(found: &TableDescription, resource: &str) -> Option<(String, &'static str)> {
    const WAIT: &str = "DynamoDB is still at work on it: wait, and look again";
    if found.table_status() != Some(&TableStatus::Active) {
        return Some((format!("{resource} isn't active"), WAIT));
    }
    if !has_keys(found.key_schema(), KEY, None) {
        return Some((format!("the key of {resource} isn't {KEY}"), MEND));
    }
    for (name, partition, sort) in INDEXES {
        let mut indexes = found.global_secondary_indexes().iter();
        let Some(index) = indexes.find(|index| index.index_name() == Some(name)) else {
            return Some((format!("{resource} lacks the index {name}"), MEND));
        };
        if !has_keys(index.key_schema(), partition, Some(sort)) {
            let said = format!("the keys of the index {name} aren't {partition} and {sort}");
            return Some((said, MEND));
        }
        // One that is being changed can be used; the emulator says nothing.
        let absent = [IndexStatus::Creating, IndexStatus::Deleting];
        if index
            .index_status()
            .is_some_and(|status| absent.contains(status))
        {
            return Some((format!("the index {name} isn't active"), WAIT));
        }
    }
    None
}

const MEND: &str = "deploy deploy/stack.yaml, or correct TABLE_NAME; the keys of a table or an index \
                    can't be changed, only made anew";

fn has_keys(schema: &[KeySchemaElement], partition: &str, sort: Option<&str>) -> bool {
    let named = |kind: &KeyType| {
        let key = schema.iter().find(|key| key.key_type() == kind);
        key.map(KeySchemaElement::attribute_name)
    };
    named(&KeyType::Hash) == Some(partition) && named(&KeyType::Range) == sort
}

pub(super) async fn ttl(client: &Client, table: &str) -> Seen<String> {
    let resource = format!("the table {table}");
    let asked = asked(&resource, "dynamodb:DescribeTimeToLive");
    let look = client
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await;
    let found = look.map_err(|error| asked.finding(&error))?;
    let found = found.time_to_live_description;
    let status = found.as_ref().and_then(|found| found.time_to_live_status());
    let attribute = found.as_ref().and_then(|found| found.attribute_name());
    let enabled = matches!(
        status,
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    );
    if enabled && attribute == Some(TTL_ATTRIBUTE) {
        return Ok(format!("what is over goes by {TTL_ATTRIBUTE}"));
    }
    let said = match attribute.filter(|_| enabled) {
        Some(other) => format!("{resource} goes by {other} and not by {TTL_ATTRIBUTE}"),
        None => format!("{resource} has no TTL: what is over stays in it"),
    };
    Err(wrong(
        said,
        format!(
            "aws dynamodb update-time-to-live --table-name {table} \
             --time-to-live-specification Enabled=true,AttributeName={TTL_ATTRIBUTE}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::GlobalSecondaryIndexDescription;

    use super::*;

    fn key(name: &str, kind: KeyType) -> KeySchemaElement {
        let key = KeySchemaElement::builder().attribute_name(name);
        key.key_type(kind).build().unwrap()
    }

    fn flaw(table: TableStatus, index: IndexStatus) -> String {
        let indexes = INDEXES.map(|(name, partition, sort)| {
            GlobalSecondaryIndexDescription::builder()
                .index_name(name)
                .key_schema(key(partition, KeyType::Hash))
                .key_schema(key(sort, KeyType::Range))
                .index_status(index.clone())
                .build()
        });
        let found = TableDescription::builder()
            .table_status(table)
            .key_schema(key(KEY, KeyType::Hash))
            .set_global_secondary_indexes(Some(indexes.to_vec()))
            .build();
        flaw_of(&found, "t").map_or_else(String::new, |(said, _)| said)
    }

    #[test]
    fn what_is_still_being_built_is_said_to_be_so() {
        use IndexStatus as Index;
        use TableStatus as Table;
        assert_eq!(flaw(Table::Active, Index::Active), "");
        assert_eq!(flaw(Table::Active, Index::Updating), "");
        assert!(flaw(Table::Creating, Index::Active).contains("t isn't active"));
        assert!(flaw(Table::Active, Index::Creating).contains("byTime isn't active"));
        assert!(flaw(Table::Active, Index::Deleting).contains("byTime isn't active"));
    }
}
