//! `--aws`: each look with what it is for broken, and what can't be looked at.

use aws_sdk_dynamodb::types as table;
use aws_sdk_s3::types as bucket;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::{LOOKS, NOBODY, Stack, only_wrong, set_ttl, with};
use crate::support::{Ran, fshare};

#[tokio::test]
async fn a_bucket_that_does_not_notify_the_queue_is_found() {
    let stack = Stack::alone().await;
    let name = &stack.deployment.bucket;
    let get = stack.s3.get_bucket_notification_configuration();
    let was = get.bucket(name).send().await.unwrap();
    let was = was.queue_configurations.unwrap();
    let put = |configurations: Vec<bucket::QueueConfiguration>| {
        let configuration = bucket::NotificationConfiguration::builder()
            .set_queue_configurations(Some(configurations))
            .build();
        let put = stack.s3.put_bucket_notification_configuration();
        put.bucket(name)
            .notification_configuration(configuration)
            .send()
    };
    put(Vec::new()).await.unwrap();
    let none = stack.looks().await;
    // For other keys, and for other events.
    let rule = bucket::FilterRule::builder().name(bucket::FilterRuleName::Prefix);
    let key = bucket::S3KeyFilter::builder().filter_rules(rule.value("elsewhere/").build());
    let filter = bucket::NotificationConfigurationFilter::builder()
        .key(key.build())
        .build();
    let mut other_keys = was.clone();
    other_keys[0].filter = Some(filter);
    put(other_keys).await.unwrap();
    let elsewhere = stack.looks().await;
    let mut other_events = was.clone();
    other_events[0].events = vec![bucket::Event::from("s3:ObjectRemoved:*")];
    put(other_events).await.unwrap();
    let removed = stack.looks().await;
    put(was).await.unwrap();
    only_wrong(
        &none,
        "bucket-events",
        "doesn't notify",
        "s3:ObjectCreated:*",
    );
    only_wrong(&elsewhere, "bucket-events", "not of every PUT", "uploads/");
    only_wrong(&removed, "bucket-events", "not of every PUT", "uploads/");
    assert_eq!(with("ok", &stack.looks().await), LOOKS);
}

impl Stack {
    async fn attribute(&self, name: QueueAttributeName) -> String {
        let get = self.sqs.get_queue_attributes();
        let get = get
            .queue_url(&self.deployment.queue_url)
            .attribute_names(name.clone());
        let attributes = get.send().await.unwrap().attributes.unwrap();
        attributes[&name].clone()
    }

    async fn set_attribute(&self, name: QueueAttributeName, value: &str) {
        let set = self.sqs.set_queue_attributes();
        let set = set
            .queue_url(&self.deployment.queue_url)
            .attributes(name, value);
        set.send().await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_that_does_not_admit_the_bucket_is_found() {
    let stack = Stack::alone().await;
    let policy = stack.attribute(QueueAttributeName::Policy).await;
    let other = policy.replace(&stack.deployment.bucket, "another-bucket");
    assert_ne!(policy, other);
    stack
        .set_attribute(QueueAttributeName::Policy, &other)
        .await;
    let for_another = stack.looks().await;
    stack.set_attribute(QueueAttributeName::Policy, "").await;
    let none = stack.looks().await;
    stack
        .set_attribute(QueueAttributeName::Policy, &policy)
        .await;
    only_wrong(
        &for_another,
        "queue-policy",
        "aws:SourceArn",
        "sqs:SendMessage",
    );
    only_wrong(&none, "queue-policy", "no policy", "sqs:SendMessage");
    assert_eq!(with("ok", &stack.looks().await), LOOKS);
}

#[tokio::test]
async fn a_queue_without_a_dead_letter_queue_is_found() {
    let stack = Stack::alone().await;
    let redrive = stack.attribute(QueueAttributeName::RedrivePolicy).await;
    let mut once: Value = serde_json::from_str(&redrive).unwrap();
    once["maxReceiveCount"] = 1.into();
    stack
        .set_attribute(QueueAttributeName::RedrivePolicy, &once.to_string())
        .await;
    let too_soon = stack.looks().await;
    stack
        .set_attribute(QueueAttributeName::RedrivePolicy, "")
        .await;
    let none = stack.looks().await;
    stack
        .set_attribute(QueueAttributeName::RedrivePolicy, &redrive)
        .await;
    only_wrong(&too_soon, "redrive", "fails 1 times", "maxReceiveCount");
    only_wrong(&none, "redrive", "no dead-letter queue", "RedrivePolicy");
    assert_eq!(with("ok", &stack.looks().await), LOOKS);
}

#[tokio::test]
async fn a_table_without_ttl_is_found() {
    let stack = Stack::alone().await;
    set_ttl(&stack.dynamodb, &stack.deployment.table, false).await;
    let looks = stack.looks().await;
    set_ttl(&stack.dynamodb, &stack.deployment.table, true).await;
    only_wrong(&looks, "ttl", "no TTL", "AttributeName=expiresAt");
}

#[tokio::test]
async fn an_index_that_is_missing_or_has_other_keys_is_found() {
    let stack = Stack::alone().await;
    delete_index(&stack).await;
    let missing = stack.looks().await;
    create_index(&stack, "reviewShard", "fileId").await;
    let other_keys = stack.looks().await;
    delete_index(&stack).await;
    create_index(&stack, "reviewShard", "reviewAt").await;
    only_wrong(
        &missing,
        "indexes",
        "lacks the index byReview",
        "deploy/stack.yaml",
    );
    only_wrong(
        &other_keys,
        "indexes",
        "aren't reviewShard and reviewAt",
        "made anew",
    );
    assert_eq!(with("ok", &stack.looks().await), LOOKS);
}

async fn delete_index(stack: &Stack) {
    let delete = table::DeleteGlobalSecondaryIndexAction::builder().index_name("byReview");
    let delete = table::GlobalSecondaryIndexUpdate::builder().delete(delete.build().unwrap());
    let update = stack
        .dynamodb
        .update_table()
        .table_name(&stack.deployment.table);
    let update = update.global_secondary_index_updates(delete.build());
    update.send().await.unwrap();
}

async fn create_index(stack: &Stack, partition: &str, sort: &str) {
    let key = |name: &str, kind| {
        let key = table::KeySchemaElement::builder().attribute_name(name);
        key.key_type(kind).build().unwrap()
    };
    let attribute = |name: &str, kind| {
        let attribute = table::AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(kind).build().unwrap()
    };
    let keys_only = table::Projection::builder();
    let create = table::CreateGlobalSecondaryIndexAction::builder()
        .index_name("byReview")
        .key_schema(key(partition, table::KeyType::Hash))
        .key_schema(key(sort, table::KeyType::Range))
        .projection(
            keys_only
                .projection_type(table::ProjectionType::KeysOnly)
                .build(),
        );
    let create = table::GlobalSecondaryIndexUpdate::builder().create(create.build().unwrap());
    let update = stack
        .dynamodb
        .update_table()
        .table_name(&stack.deployment.table);
    let mut update = update.global_secondary_index_updates(create.build());
    for name in ["fileId", "timeShard", "statusShard", "reviewShard"] {
        update = update.attribute_definitions(attribute(name, table::ScalarAttributeType::S));
    }
    if sort == "reviewAt" {
        update = update.attribute_definitions(attribute(sort, table::ScalarAttributeType::N));
    }
    update.send().await.unwrap();
}

#[tokio::test]
async fn a_bucket_that_keeps_no_versions_is_found() {
    let stack = Stack::alone().await;
    let set = |status| {
        let configuration = bucket::VersioningConfiguration::builder().status(status);
        let put = stack
            .s3
            .put_bucket_versioning()
            .bucket(&stack.deployment.bucket);
        put.versioning_configuration(configuration.build()).send()
    };
    set(bucket::BucketVersioningStatus::Suspended)
        .await
        .unwrap();
    let looks = stack.looks().await;
    set(bucket::BucketVersioningStatus::Enabled).await.unwrap();
    only_wrong(&looks, "versioning", "keeps no versions", "Status=Enabled");
}

#[tokio::test]
async fn a_bucket_that_is_open_to_the_public_is_found() {
    let stack = Stack::alone().await;
    let name = &stack.deployment.bucket;
    let set = |policies| {
        let block = bucket::PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(policies)
            .restrict_public_buckets(true);
        let put = stack.s3.put_public_access_block().bucket(name);
        put.public_access_block_configuration(block.build()).send()
    };
    set(false).await.unwrap();
    let one_off = stack.looks().await;
    let delete = stack.s3.delete_public_access_block().bucket(name);
    delete.send().await.unwrap();
    let none = stack.looks().await;
    set(true).await.unwrap();
    only_wrong(
        &one_off,
        "public-access",
        ": BlockPublicPolicy is off",
        "put-public-access-block",
    );
    only_wrong(
        &none,
        "public-access",
        "RestrictPublicBuckets is off",
        "put-public-access-block",
    );
}

// ---- what can't be looked at -----------------------------------------------------------------------

#[tokio::test]
async fn a_permission_that_is_missing_hides_its_look_alone_and_is_named() {
    let stack = Stack::alone().await;
    let looks = stack.looks_as(&stack.deployment.worker, &[]).await;
    assert_eq!(with("wrong", &looks), [""; 0], "{looks:#?}");
    // The worker may look at its queue and its table, and ask whether its bucket keeps versions.
    assert_eq!(
        with("ok", &looks),
        ["aws", "queue", "queue-policy", "versioning", "indexes"]
    );
    for (index, action) in [
        (3, "sqs:GetQueueUrl"),
        (4, "s3:GetBucketNotification"),
        (6, "s3:GetBucketPublicAccessBlock"),
        (8, "dynamodb:DescribeTimeToLive"),
    ] {
        let line = &looks[index];
        assert!(
            line["said"].as_str().unwrap().contains(action),
            "{action}: {line}"
        );
        assert!(
            line["mend"].as_str().unwrap().contains("OperatorPolicy"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_with_its_setting() {
    let stack = Stack::alone().await;
    let admin = &stack.deployment.admin;
    let queue = stack.deployment.queue_url.replace("fs-doctor", "nowhere");
    let names = [
        "--bucket-name",
        "nowhere",
        "--table-name",
        "nowhere",
        "--queue-url",
        &queue,
    ];
    let looks = stack.looks_as(admin, &names).await;
    let wrong = ["queue", "versioning", "public-access", "indexes", "ttl"];
    assert_eq!(with("wrong", &looks), wrong, "{looks:#?}");
    for (index, setting) in [(1, "QUEUE_URL"), (5, "BUCKET_NAME"), (7, "TABLE_NAME")] {
        assert!(
            looks[index]["mend"].as_str().unwrap().contains(setting),
            "{looks:#?}"
        );
    }
}

#[test]
fn without_credentials_or_a_region_nothing_is_looked_at() {
    let look = |settings: &[(&str, &str)]| {
        let mut command = fshare(NOBODY);
        command
            .args([
                "doctor",
                "--json",
                "--aws",
                "--queue-url",
                "http://127.0.0.1:1/1/q",
            ])
            // Else it would be looked for in the network.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(settings.iter().copied());
        Ran::of(command.output().unwrap()).json().split_off(12)
    };
    for (settings, said) in [
        (&[("AWS_REGION", "eu-central-1")], "no AWS credentials"),
        (&[("AWS_ACCESS_KEY_ID", "AKIA")], "no AWS region"),
    ] {
        let looks = look(settings);
        assert_eq!(with("wrong", &looks), ["aws"], "{looks:#?}");
        assert!(
            looks[0]["said"].as_str().unwrap().contains(said),
            "{looks:#?}"
        );
        assert_eq!(with("not_looked_at", &looks), LOOKS[1..]);
    }
    let ran = Ran::of(fshare(NOBODY).args(["doctor", "--aws"]).output().unwrap());
    assert_eq!(ran.code, 2, "which queue: {ran:?}");
}
