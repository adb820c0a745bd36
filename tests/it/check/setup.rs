//! `file-share check --setup`: each check with what it is for broken, and what can't be looked at.
//!
//! All of it happens in one deployment, one test at a time: each breaks one thing, lets the program look,
//! and mends it before it judges what was said.

use aws_sdk_dynamodb::types as table;
use aws_sdk_s3::types as bucket;
use aws_sdk_sqs::types::QueueAttributeName;
use file_share::aws::{dynamodb_client, s3_client, sqs_client};
use serde_json::Value;

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::{Checked, only_wrong, with};
use crate::support::aws_clients::sdk_config;
use crate::support::ministack::{Credentials, Deployment, MiniStack};
use crate::support::program::check_aws;

const LOOKS: [&str; 9] = [
    "aws",
    "queue",
    "queue-policy",
    "redrive",
    "bucket-events",
    "versioning",
    "public-access",
    "indexes",
    "ttl",
];

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
static DEPLOYMENT: OnceCell<Deployment> = OnceCell::const_new();

/// The deployment of these tests, for this test alone, and clients that may do everything in it.
struct Stack {
    deployment: &'static Deployment,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    _alone: MutexGuard<'static, ()>,
}

impl Stack {
    async fn alone() -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let deployment = DEPLOYMENT.get_or_init(|| async {
            let deployment = MiniStack::shared().await.deploy("setup").await;
            let sdk = sdk_config(&deployment, &deployment.admin).await;
            // The emulator's CloudFormation leaves it out.
            set_ttl(&dynamodb_client(&sdk), &deployment.table, true).await;
            deployment
        });
        let deployment = deployment.await;
        let sdk = sdk_config(deployment, &deployment.admin).await;
        Self {
            deployment,
            s3: s3_client(&sdk),
            sqs: sqs_client(&sdk),
            dynamodb: dynamodb_client(&sdk),
            _alone: alone,
        }
    }

    /// What is said to the stack's operator.
    async fn looks(&self) -> Vec<Value> {
        self.looks_as(&self.deployment.operator, &[]).await
    }

    async fn looks_as(&self, user: &Credentials, settings: &[(&str, &str)]) -> Vec<Value> {
        let deployment = self.deployment;
        let checked = Checked::of(&check_aws(
            deployment,
            user,
            settings,
            &["--setup", "--json"],
        ));
        let names: Vec<_> = checked.lines.iter().map(|line| &line["check"]).collect();
        assert_eq!(names, LOOKS, "each check is one line");
        let all_is_well = with("ok", &checked.lines).len() == LOOKS.len();
        assert_eq!(checked.code, i32::from(!all_is_well), "{checked:?}");
        checked.lines
    }
}

async fn set_ttl(client: &aws_sdk_dynamodb::Client, name: &str, enabled: bool) {
    let specification = table::TimeToLiveSpecification::builder()
        .enabled(enabled)
        .attribute_name("expiresAt")
        .build()
        .unwrap();
    let update = client.update_time_to_live().table_name(name);
    let update = update.time_to_live_specification(specification);
    update.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_deployed_stack_all_is_well_and_the_operators_policy_is_enough() {
    let stack = Stack::alone().await;
    assert_eq!(with("ok", &stack.looks().await), LOOKS);
    let deployment = stack.deployment;
    let shown = check_aws(deployment, &deployment.operator, &[], &["--setup"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.lines().count(), LOOKS.len(), "{shown}");
    assert!(shown.lines().all(|line| line.starts_with("✓ ")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
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

#[tokio::test(flavor = "multi_thread")]
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

#[tokio::test(flavor = "multi_thread")]
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

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_ttl_is_found() {
    let stack = Stack::alone().await;
    set_ttl(&stack.dynamodb, &stack.deployment.table, false).await;
    let looks = stack.looks().await;
    set_ttl(&stack.dynamodb, &stack.deployment.table, true).await;
    only_wrong(&looks, "ttl", "no TTL", "AttributeName=expiresAt");
}

#[tokio::test(flavor = "multi_thread")]
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
    for name in [
        "fileId",
        "timeShard",
        "statusShard",
        "reviewShard",
        "parent",
    ] {
        update = update.attribute_definitions(attribute(name, table::ScalarAttributeType::S));
    }
    if sort == "reviewAt" {
        update = update.attribute_definitions(attribute(sort, table::ScalarAttributeType::N));
    }
    update.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
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

#[tokio::test(flavor = "multi_thread")]
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

#[tokio::test(flavor = "multi_thread")]
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named_with_its_setting() {
    let stack = Stack::alone().await;
    let admin = &stack.deployment.admin;
    let queue = stack.deployment.queue_url.replace("fs-setup", "nowhere");
    let names = [
        ("BUCKET_NAME", "nowhere"),
        ("TABLE_NAME", "nowhere"),
        ("QUEUE_URL", &queue),
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

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_or_a_region_nothing_is_looked_at() {
    let deployment = Deployment::shared().await;
    let look = |missing: &[&str], arguments: &[&str]| {
        let mut settings: Vec<_> = missing.iter().map(|name| (*name, "")).collect();
        // Else they would be looked for in the network, and in the files of whoever runs the tests.
        settings.extend([
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("HOME", "/nonexistent"),
        ]);
        let arguments = [arguments, &["--json"]].concat();
        Checked::of(&check_aws(
            deployment,
            &deployment.operator,
            &settings,
            &arguments,
        ))
    };
    for (missing, said) in [
        (
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"][..],
            "no AWS credentials",
        ),
        (&["AWS_REGION"], "no AWS region"),
    ] {
        for (arguments, names) in [
            (&["--setup"][..], &LOOKS[..]),
            (&[], &["aws", "table", "bucket", "markers"]),
        ] {
            let checked = look(missing, arguments);
            assert_eq!(checked.code, 1);
            assert_eq!(with("wrong", &checked.lines), ["aws"], "{checked:?}");
            let first = checked.lines[0]["said"].as_str().unwrap();
            assert!(first.contains(said), "{checked:?}");
            assert_eq!(with("not_looked_at", &checked.lines), names[1..]);
        }
    }
}
