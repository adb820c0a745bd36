//! `fshare doctor` on the way of aws mode, and its looks at bucket, queue and table.
//!
//! All of it happens in one deployment, one test at a time: each breaks one thing, lets the doctor look,
//! and mends it before it judges what was said.

use std::net::TcpListener;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as AwsCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types as table;
use aws_sdk_s3::types as bucket;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::aws_support::ministack::{Credentials, Deployment, MiniStack};
use crate::aws_support::program::Program;
use crate::support::{Ran, fshare};

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
            let deployment = MiniStack::shared().await.deploy("doctor").await;
            // The emulator's CloudFormation leaves it out.
            let dynamodb = aws_sdk_dynamodb::Client::new(&config_of(&deployment));
            set_ttl(&dynamodb, &deployment.table, true).await;
            deployment
        });
        let deployment = deployment.await;
        let config = config_of(deployment);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
        Self {
            deployment,
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sqs: aws_sdk_sqs::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            _alone: alone,
        }
    }

    /// The doctor at this address with `--json`, as the stack's operator.
    async fn doctor(&self, server: &str, arguments: &[&str]) -> (i32, Vec<Value>) {
        self.doctor_as(&self.deployment.operator, server, arguments)
            .await
    }

    async fn doctor_as(
        &self,
        user: &Credentials,
        server: &str,
        arguments: &[&str],
    ) -> (i32, Vec<Value>) {
        let deployment = self.deployment;
        let mut command = fshare(server);
        command
            // Far more than it needs, for a machine that is busy.
            .args(["doctor", "--json", "--check-limit", "120"])
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &deployment.endpoint)
            .env("AWS_REGION", &deployment.region)
            .env("AWS_ACCESS_KEY_ID", &user.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &user.secret_access_key)
            .env("BUCKET_NAME", &deployment.bucket)
            .env("TABLE_NAME", &deployment.table)
            .env("QUEUE_URL", &deployment.queue_url);
        // Programs of this test run on its threads' pipes, so it mustn't stand still.
        let output = tokio::task::spawn_blocking(move || command.output());
        let ran = Ran::of(output.await.unwrap().unwrap());
        (ran.code, ran.json())
    }

    /// What the doctor says of bucket, queue and table. Where the service is doesn't matter for that.
    async fn looks(&self) -> Vec<Value> {
        self.looks_as(&self.deployment.operator, &[]).await
    }

    async fn looks_as(&self, user: &Credentials, arguments: &[&str]) -> Vec<Value> {
        let arguments = [&["--aws"], arguments].concat();
        let (_, mut lines) = self.doctor_as(user, NOBODY, &arguments).await;
        let looks = lines.split_off(10);
        let names: Vec<_> = looks.iter().map(|line| line["check"].clone()).collect();
        assert_eq!(names, LOOKS, "each look is one line");
        looks
    }
}

const NOBODY: &str = "http://127.0.0.1:1";

fn config_of(deployment: &Deployment) -> SdkConfig {
    let admin = &deployment.admin;
    let credentials = AwsCredentials::new(
        &admin.access_key_id,
        &admin.secret_access_key,
        None,
        None,
        "test",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(&deployment.endpoint)
        .region(Region::new(deployment.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
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

fn with<'a>(verdict: &str, lines: &'a [Value]) -> Vec<&'a str> {
    let those = lines.iter().filter(|line| line["verdict"] == verdict);
    those.map(|line| line["check"].as_str().unwrap()).collect()
}

/// Asserts that exactly this look is wrong, that it says what, and how to mend it.
fn only_wrong(lines: &[Value], check: &str, said: &str, mend: &str) {
    assert_eq!(with("wrong", lines), [check], "{lines:#?}");
    assert_eq!(with("not_looked_at", lines), [""; 0], "{lines:#?}");
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    assert!(line["said"].as_str().unwrap().contains(said), "{line}");
    assert!(line["mend"].as_str().unwrap().contains(mend), "{line}");
}

// ---- the way ---------------------------------------------------------------------------------------

#[tokio::test]
async fn the_whole_way_and_all_looks_are_well_in_a_deployed_stack() {
    let stack = Stack::alone().await;
    let api = Program::aws_api(stack.deployment, &[]);
    let _worker = Program::worker(stack.deployment, &[]);
    let (code, lines) = stack
        .doctor(&api.base, &["--aws", "--notification-limit", "120"])
        .await;
    assert_eq!(code, 0, "{lines:#?}");
    assert_eq!(lines.len(), 10 + LOOKS.len());
    assert!(
        lines.iter().all(|line| line["verdict"] == "ok"),
        "{lines:#?}"
    );
    let left = Ran::of(fshare(&api.base).arg("list").output().unwrap());
    assert_eq!((left.code, left.out.as_str()), (0, ""), "nothing is left");
}

#[tokio::test]
async fn without_a_worker_no_notification_arrives_and_the_rest_is_still_looked_at() {
    let stack = Stack::alone().await;
    let api = Program::aws_api(stack.deployment, &[]);
    let (code, lines) = stack
        .doctor(&api.base, &["--notification-limit", "1"])
        .await;
    assert_eq!(code, 1);
    only_wrong(
        &lines,
        "notification",
        "none arrived in 1 s",
        "file-share-worker",
    );
    let left = Ran::of(fshare(&api.base).arg("list").output().unwrap());
    assert_eq!((left.code, left.out.as_str()), (0, ""), "nothing is left");
}

#[tokio::test]
async fn a_store_that_clients_do_not_reach_is_named_by_its_address() {
    let stack = Stack::alone().await;
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let closed = format!("http://127.0.0.1:{port}");
    let api = Program::aws_api(stack.deployment, &[("S3_PUBLIC_ENDPOINT_URL", &closed)]);
    let (code, lines) = stack.doctor(&api.base, &[]).await;
    assert_eq!(code, 1);
    assert_eq!(with("wrong", &lines), ["store"], "{lines:#?}");
    let after = ["cors", "upload", "notification", "download"];
    assert_eq!(with("not_looked_at", &lines), after);
    let store = &lines[4];
    let said = store["said"].as_str().unwrap();
    assert!(
        said.contains(&format!("{closed} can't be reached")),
        "{said}"
    );
    let mend = store["mend"].as_str().unwrap();
    assert!(mend.contains("S3_PUBLIC_ENDPOINT_URL"), "{mend}");
}

#[tokio::test]
async fn a_bucket_that_lets_no_page_in_is_said_to_be_so() {
    let stack = Stack::alone().await;
    let name = &stack.deployment.bucket;
    let rules = stack
        .s3
        .get_bucket_cors()
        .bucket(name)
        .send()
        .await
        .unwrap();
    let delete = stack.s3.delete_bucket_cors().bucket(name);
    delete.send().await.unwrap();
    let api = Program::aws_api(stack.deployment, &[]);
    let _worker = Program::worker(stack.deployment, &[]);
    let (code, lines) = stack.doctor(&api.base, &[]).await;
    let rules = bucket::CorsConfiguration::builder().set_cors_rules(rules.cors_rules);
    let back = stack.s3.put_bucket_cors().bucket(name);
    let back = back.cors_configuration(rules.build().unwrap());
    back.send().await.unwrap();
    assert_eq!(code, 1);
    only_wrong(&lines, "cors", "the store refuses pages of", "CORS");
}

// ---- the looks -------------------------------------------------------------------------------------

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
    // The worker may look at its queue and its table.
    assert_eq!(
        with("ok", &looks),
        ["aws", "queue", "queue-policy", "indexes"]
    );
    for (index, action) in [
        (3, "sqs:GetQueueUrl"),
        (4, "s3:GetBucketNotification"),
        (5, "s3:GetBucketVersioning"),
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
        Ran::of(command.output().unwrap()).json().split_off(10)
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
