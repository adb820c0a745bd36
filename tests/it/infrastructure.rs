//! The stack of `deploy/stack.yaml`: what it creates, who may do what in it, and that an upload
//! leads to an event.
//!
//! The other tests rely on all of it without looking. When one of them fails together with one of
//! these, look here first.

use std::io::Write;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::Builder;

use file_share::item_store::conformance::{item, moment};
use file_share::item_store::{Item, ItemKind, ItemList, ItemParent, ItemStore};
use file_share::metadata_store::MetadataStore;
use file_share::metadata_store::conformance::pending;
use file_share::metadata_store::dynamodb::{DynamoDbMetadataStore, TableUse};

use crate::cognito::{is_forbidden, read_secret};
use crate::support::ministack::{Credentials, Deployment, MiniStack};

/// The settings that the three SDK clients have in common, of three types with the same methods.
macro_rules! client_config {
    ($sdk:ident, $deployment:expr, $credentials:expr) => {
        $sdk::config::Builder::new()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .endpoint_url(&$deployment.endpoint)
            .region($sdk::config::Region::new($deployment.region.clone()))
            .credentials_provider($sdk::config::Credentials::new(
                &$credentials.access_key_id,
                &$credentials.secret_access_key,
                None,
                None,
                "test",
            ))
    };
}

fn s3(deployment: &Deployment, credentials: &Credentials) -> aws_sdk_s3::Client {
    let config = client_config!(aws_sdk_s3, deployment, credentials).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

pub(crate) fn sqs(deployment: &Deployment, credentials: &Credentials) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::from_conf(client_config!(aws_sdk_sqs, deployment, credentials).build())
}

fn dynamodb(deployment: &Deployment, credentials: &Credentials) -> aws_sdk_dynamodb::Client {
    let config = client_config!(aws_sdk_dynamodb, deployment, credentials);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// That AWS refused for want of a permission. DynamoDB's code has a suffix that the others' lack.
macro_rules! assert_forbidden {
    ($call:expr) => {{
        let error = $call
            .send()
            .await
            .expect_err(concat!(stringify!($call), " should have been refused"));
        assert!(
            error
                .code()
                .is_some_and(|code| code.starts_with("AccessDenied")),
            "{}: {error:?}",
            stringify!($call)
        );
    }};
}

fn one_byte() -> ByteStream {
    ByteStream::from_static(b"x")
}

fn string(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A query of one shard of an index.
fn query(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    (index, shard_attribute, shard): (&str, &str, &str),
) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
    client
        .query()
        .table_name(table)
        .index_name(index)
        .key_condition_expression("#shard = :shard")
        .expression_attribute_names("#shard", shard_attribute)
        .expression_attribute_values(":shard", string(shard))
}

#[tokio::test]
async fn an_upload_leads_to_one_event_and_other_keys_to_none() {
    let deployment = MiniStack::shared().await.deploy("events").await;
    let outside = s3(&deployment, &deployment.admin);
    let put = outside.put_object().bucket(&deployment.bucket);
    put.key("elsewhere/x")
        .body(one_byte())
        .send()
        .await
        .unwrap();
    let api = s3(&deployment, &deployment.api);
    let put = api.put_object().bucket(&deployment.bucket);
    let stored = put
        .key("uploads/x")
        .if_none_match("*")
        .body(one_byte())
        .send()
        .await
        .unwrap();
    assert!(stored.version_id().is_some(), "versioning is off");

    let worker = sqs(&deployment, &deployment.worker);
    let mut keys = Vec::new();
    // The first message is S3's test event, and the two may come in one delivery or in two.
    while keys.is_empty() {
        let received = worker
            .receive_message()
            .queue_url(&deployment.queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(5)
            .send()
            .await
            .unwrap();
        assert!(!received.messages().is_empty(), "no event came");
        for message in received.messages() {
            let body: serde_json::Value = serde_json::from_str(message.body().unwrap()).unwrap();
            let records = body["Records"].as_array().cloned().unwrap_or_default();
            keys.extend(records.iter().map(|r| r["s3"]["object"]["key"].clone()));
            worker
                .delete_message()
                .queue_url(&deployment.queue_url)
                .receipt_handle(message.receipt_handle().unwrap())
                .send()
                .await
                .unwrap();
        }
    }
    assert_eq!(keys, ["uploads/x"]);
}

#[tokio::test]
async fn a_delivery_that_nobody_settles_ends_in_the_dead_letter_queue() {
    let deployment = MiniStack::shared().await.deploy("dead-letters").await;
    let admin = sqs(&deployment, &deployment.admin);
    let worker = sqs(&deployment, &deployment.worker);
    admin
        .send_message()
        .queue_url(&deployment.queue_url)
        .message_body("poison")
        .send()
        .await
        .unwrap();

    // Five receives are allowed; the one after them moves the message.
    // One more than the stack's MaxReceiveCount: that one moves it.
    for _ in 0..9 {
        let receive = worker.receive_message().queue_url(&deployment.queue_url);
        let received = receive
            .max_number_of_messages(10)
            .wait_time_seconds(0)
            .send()
            .await
            .unwrap();
        for message in received.messages() {
            worker
                .change_message_visibility()
                .queue_url(&deployment.queue_url)
                .receipt_handle(message.receipt_handle().unwrap())
                .visibility_timeout(0)
                .send()
                .await
                .unwrap();
        }
    }

    let dead = admin
        .receive_message()
        .queue_url(&deployment.dead_letter_queue_url)
        .max_number_of_messages(10)
        .wait_time_seconds(5)
        .send()
        .await
        .unwrap();
    assert!(dead.messages().iter().any(|m| m.body() == Some("poison")));
}

#[tokio::test]
async fn both_programs_may_read_and_delete_uploads_and_tell_missing_from_forbidden() {
    let deployment = Deployment::shared().await;
    let bucket = &deployment.bucket;
    for (program, credentials) in [("api", &deployment.api), ("worker", &deployment.worker)] {
        let key = format!("uploads/permissions-of-{program}");
        let put = s3(deployment, &deployment.api).put_object().bucket(bucket);
        let stored = put.key(&key).body(one_byte()).send().await.unwrap();
        let version = stored.version_id().unwrap();

        let client = s3(deployment, credentials);
        let head = client.head_object().bucket(bucket).key(&key);
        head.version_id(version).send().await.unwrap();
        let get = client.get_object().bucket(bucket).key(&key);
        get.send().await.unwrap();
        let list = client.list_object_versions().bucket(bucket);
        let listed = list.prefix(&key).send().await.unwrap();
        assert_eq!(listed.versions().len(), 1);
        let versioning = client.get_bucket_versioning().bucket(bucket);
        versioning.send().await.unwrap();
        let hide = client.delete_object().bucket(bucket).key(&key);
        let marker = hide.send().await.unwrap();
        for version in [version, marker.version_id().unwrap()] {
            let delete = client.delete_object().bucket(bucket).key(&key);
            delete.version_id(version).send().await.unwrap();
        }

        let head = client.head_object().bucket(bucket).key(&key);
        let missing = head.send().await.unwrap_err();
        assert_eq!(missing.raw_response().unwrap().status().as_u16(), 404);

        assert_forbidden!(client.list_object_versions().bucket(bucket));
        assert_forbidden!(client.get_object().bucket(bucket).key("elsewhere/x"));
        assert_forbidden!(client.delete_object().bucket(bucket).key("elsewhere/x"));
        assert_forbidden!(client.delete_bucket_policy().bucket(bucket));
    }
}

/// MiniStack leaves the rule out, so the template itself is looked at.
#[test]
fn what_a_delete_marker_hides_is_kept_for_thirty_days_and_what_is_current_for_ever() {
    let template = include_str!("../../deploy/stack.yaml");
    let section = |from: &str, to: &str| {
        let (_, rest) = template.split_once(from).expect(from);
        rest.split_once(to).expect(to).0
    };
    let parameter = section("\n  NoncurrentVersionDays:\n", "\n  RequireTls:\n");
    for line in ["    Default: 30\n", "    MinValue: 30\n"] {
        assert!(parameter.contains(line), "no {line:?} in {parameter}");
    }
    let rule = section(
        "      LifecycleConfiguration:\n",
        "      NotificationConfiguration:\n",
    );
    assert!(rule.contains("NoncurrentDays: !Ref NoncurrentVersionDays\n"));
    assert!(rule.contains("ExpiredObjectDeleteMarker: true\n"));
    for by_age in [
        "ExpirationInDays",
        "ExpirationDate",
        "NewerNoncurrentVersions",
    ] {
        assert!(!rule.contains(by_age), "{by_age}");
    }
}

/// MiniStack leaves Object Lock out of a stack's bucket, so the template itself is looked at.
#[test]
fn the_bucket_locks_only_what_the_service_says_and_nobody_may_go_round_a_lock() {
    let template = include_str!("../../deploy/stack.yaml");
    let enabled = "ObjectLockEnabled: !If [LocksObjects, true, !Ref AWS::NoValue]\n";
    assert!(template.contains(enabled));
    for never in [
        "ObjectLockConfiguration:",
        "BypassGovernanceRetention",
        "s3:PutObjectLegalHold",
    ] {
        assert!(!template.contains(never), "{never}");
    }
    // Neither program may lock anything where that isn't wanted.
    for action in ["s3:PutObjectRetention", "s3:GetObjectRetention"] {
        let allowed: Vec<_> = template.match_indices(action).collect();
        assert_eq!(allowed.len(), 2, "{action}");
        for (at, _) in allowed {
            let before = &template[..at];
            let (_, statement) = before.rsplit_once("- !If\n").unwrap();
            assert!(
                statement.trim_start().starts_with("- LocksObjects\n"),
                "{statement}"
            );
            assert!(statement.contains("Sid: LockWhatIsKept\n"), "{statement}");
        }
    }
}

/// MiniStack doesn't know the key of this condition, so the template itself is looked at.
#[test]
fn the_worker_may_neither_read_nor_write_what_people_sign_in_with() {
    let template = include_str!("../../deploy/stack.yaml");
    let (_, policy) = template.split_once("\n  WorkerPolicy:\n").unwrap();
    let (_, statement) = policy.split_once("Sid: LeaveItemsToTheApi\n").unwrap();
    let (statement, _) = statement.split_once("- Sid:").unwrap();
    let (_, rest) = policy.split_once("Sid: SettleRecords\n").unwrap();
    let (allowed, _) = rest.split_once("Resource:").unwrap();
    let lines = |of: &'static str| of.lines().map(str::trim).map(str::to_owned);
    for action in lines(allowed).filter(|line| line.ends_with("Item")) {
        assert!(lines(statement).any(|line| line == action), "{action}");
    }
    // What happens to files is no secret of theirs, and the worker has a part in it. That files are scanned is its own.
    let kinds = ItemKind::ALL.into_iter();
    let kinds = kinds.filter(|kind| !matches!(kind, ItemKind::Event | ItemKind::Scanning));
    let kinds = kinds.map(|kind| format!("- \"{}#*\"", kind.prefix()));
    let fixed = ["Effect: Deny", "Resource: !GetAtt Table.Arn"].map(str::to_owned);
    let key = ["ForAnyValue:StringLike:", "dynamodb:LeadingKeys:"].map(str::to_owned);
    for wanted in kinds.chain(fixed).chain(key) {
        assert!(lines(statement).any(|line| line == wanted), "no {wanted}");
    }
}

/// The template as it was before there were small items.
fn template_before_items() -> String {
    let mut template = include_str!("../../deploy/stack.yaml").to_owned();
    let mut cut = |from: &str, to: &str| {
        let start = template.find(from).expect(from);
        let end = start + template[start..].find(to).expect(to);
        template.replace_range(start..end, "");
    };
    cut(
        "        - AttributeName: parent\n          AttributeType",
        "      KeySchema:\n",
    );
    cut(
        "        # What belongs to somebody",
        "\n  # ---- permissions",
    );
    cut(
        "              - !Sub \"${Table.Arn}/index/byParent\"\n",
        "          # A presigned URL",
    );
    assert!(!template.contains("byParent"));
    template
}

#[tokio::test]
async fn a_table_in_use_gets_the_index_of_items_by_an_update_of_the_stack() {
    let mut before = tempfile::NamedTempFile::new().unwrap();
    before
        .write_all(template_before_items().as_bytes())
        .unwrap();
    let ministack = MiniStack::shared().await;
    let path = before.path().to_str().unwrap();
    let settings = [("STACK_TEMPLATE", path)];
    let deployment = ministack.deploy_with("before", &settings).await;
    let store =
        DynamoDbMetadataStore::new(dynamodb(&deployment, &deployment.api), &deployment.table);
    let record = pending(0);
    store.insert(&record).await.unwrap();
    let missing = store.check_start(TableUse::API, &deployment.region).await;
    let missing = format!("{missing:?}");
    assert!(
        missing.contains("the index byParent is missing"),
        "{missing}"
    );
    assert!(missing.contains("Update the stack"), "{missing}");

    ministack.deploy_again(&deployment).await;
    let flaws = store.check_start(TableUse::API, &deployment.region).await;
    assert_eq!(flaws, []);
    let stored = MetadataStore::get(&store, record.id).await;
    assert_eq!(stored.unwrap(), Some(record));
    let item = item();
    let parent = ItemParent::new(ItemList::Tokens, "usr_a").unwrap();
    let listed = Item {
        parent: Some(parent.clone()),
        ..item
    };
    assert!(store.put_new(&listed, moment(0)).await.unwrap());
    let page = store.list(&parent, None, 10, moment(0)).await.unwrap();
    assert_eq!(page.items, [listed]);
}

#[tokio::test]
async fn only_the_api_may_upload_and_only_under_uploads() {
    let deployment = Deployment::shared().await;
    let (api, worker) = (
        s3(deployment, &deployment.api).put_object(),
        s3(deployment, &deployment.worker).put_object(),
    );
    let api = api.bucket(&deployment.bucket).body(one_byte());
    let worker = worker.bucket(&deployment.bucket).body(one_byte());
    assert_forbidden!(api.key("elsewhere/x"));
    assert_forbidden!(worker.key("uploads/x"));
}

#[tokio::test]
async fn only_the_worker_may_consume_and_only_the_main_queue() {
    let deployment = Deployment::shared().await;
    let (queue, dead_letters) = (&deployment.queue_url, &deployment.dead_letter_queue_url);
    let api = sqs(deployment, &deployment.api);
    assert_forbidden!(api.receive_message().queue_url(queue));
    assert_forbidden!(api.receive_message().queue_url(dead_letters));
    let worker = sqs(deployment, &deployment.worker);
    assert_forbidden!(worker.receive_message().queue_url(dead_letters));
    assert_forbidden!(worker.send_message().queue_url(queue).message_body("x"));
    let attributes = worker.get_queue_attributes().queue_url(queue);
    let attributes = attributes.attribute_names(QueueAttributeName::VisibilityTimeout);
    attributes.send().await.unwrap();
}

#[tokio::test]
async fn the_operator_may_empty_the_dead_letter_queue_into_the_main_one_and_nothing_else() {
    let deployment = Deployment::shared().await;
    let (queue, dead_letters) = (&deployment.queue_url, &deployment.dead_letter_queue_url);
    let operator = sqs(deployment, &deployment.operator);
    let receive = operator.receive_message().queue_url(dead_letters);
    receive.wait_time_seconds(0).send().await.unwrap();
    assert_forbidden!(operator.receive_message().queue_url(queue));
    let attributes = operator.get_queue_attributes().queue_url(queue);
    let attributes = attributes.attribute_names(QueueAttributeName::RedrivePolicy);
    attributes.send().await.unwrap();
    let send = operator.send_message().queue_url(dead_letters);
    assert_forbidden!(send.message_body("x"));
    assert_forbidden!(operator.purge_queue().queue_url(dead_letters));
    let s3 = s3(deployment, &deployment.operator);
    assert_forbidden!(s3.list_object_versions().bucket(&deployment.bucket));
    let dynamodb = dynamodb(deployment, &deployment.operator);
    let get = dynamodb.get_item().table_name(&deployment.table);
    assert_forbidden!(get.key("fileId", string("x")));
}

#[tokio::test]
async fn the_operator_may_look_at_how_bucket_and_table_are_set_up_and_not_change_it() {
    let deployment = Deployment::shared().await;
    let (bucket, table) = (&deployment.bucket, &deployment.table);
    let s3 = s3(deployment, &deployment.operator);
    let notification = s3.get_bucket_notification_configuration();
    notification.bucket(bucket).send().await.unwrap();
    let versioning = s3.get_bucket_versioning().bucket(bucket);
    versioning.send().await.unwrap();
    let public_access = s3.get_public_access_block().bucket(bucket);
    public_access.send().await.unwrap();
    assert_forbidden!(s3.delete_public_access_block().bucket(bucket));
    assert_forbidden!(s3.get_bucket_policy().bucket(bucket));
    assert_forbidden!(s3.get_object().bucket(bucket).key("uploads/x"));
    let dynamodb = dynamodb(deployment, &deployment.operator);
    let table_look = dynamodb.describe_table().table_name(table);
    table_look.send().await.unwrap();
    let ttl = dynamodb.describe_time_to_live().table_name(table);
    ttl.send().await.unwrap();
    assert_forbidden!(dynamodb.delete_table().table_name(table));
    assert_forbidden!(dynamodb.scan().table_name(table));
}

#[tokio::test]
async fn each_program_may_query_its_own_indexes_and_nobody_may_scan() {
    const BY_TIME: (&str, &str, &str) = ("byTime", "timeShard", "permissions");
    const BY_STATUS: (&str, &str, &str) = ("byStatus", "statusShard", "permissions");
    const BY_PARENT: (&str, &str, &str) = ("byParent", "parent", "permissions");
    const BY_DUE: (&str, &str, &str) = ("byReview", "reviewShard", "permissions");

    let deployment = Deployment::shared().await;
    let table = &deployment.table;
    let api = dynamodb(deployment, &deployment.api);
    let worker = dynamodb(deployment, &deployment.worker);
    let id = string("permissions");
    api.put_item()
        .table_name(table)
        .item("fileId", id.clone())
        .item("timeShard", string("permissions"))
        .item("statusShard", string("permissions"))
        .item("parent", string("permissions"))
        .item("reviewShard", string("permissions"))
        .item("reviewAt", AttributeValue::N("1".to_owned()))
        .send()
        .await
        .unwrap();

    for index in [BY_TIME, BY_STATUS, BY_PARENT] {
        assert_eq!(query(&api, table, index).send().await.unwrap().count(), 1);
        assert_forbidden!(query(&worker, table, index));
    }
    let due = query(&worker, table, BY_DUE);
    assert_eq!(due.clone().send().await.unwrap().count(), 1);
    assert_forbidden!(query(&api, table, BY_DUE));
    assert_forbidden!(api.scan().table_name(table));
    assert_forbidden!(worker.scan().table_name(table));
    assert_forbidden!(
        worker
            .put_item()
            .table_name(table)
            .item("fileId", id.clone())
    );

    // Out of the index, and out of the table.
    let update = worker.update_item().table_name(table);
    let update = update.key("fileId", id.clone());
    let update = update.update_expression("REMOVE reviewShard, reviewAt");
    update.send().await.unwrap();
    assert_eq!(due.send().await.unwrap().count(), 0);
    let delete = worker.delete_item().table_name(table).key("fileId", id);
    delete.send().await.unwrap();
}

#[tokio::test]
async fn only_what_starts_the_worker_may_read_the_secret_of_webhooks_and_nothing_else() {
    let ministack = MiniStack::shared().await;
    let settings = [("WEBHOOKS", "on")];
    let deployment = ministack.deploy_with("secret-of-webhooks", &settings).await;
    let arn = deployment.output("WebhookSecretArn");
    let starts_worker = deployment.worker_execution.as_ref().unwrap();
    let secret = read_secret(ministack, starts_worker, arn).await.unwrap();
    // Letters and digits of base64, which makes 48 bytes of them. MiniStack leaves out that they are no others.
    assert_eq!(secret.len(), 64);
    let template = include_str!("../../deploy/stack.yaml");
    let (_, rest) = template.split_once("\n  WebhookSecret:\n").unwrap();
    let (resource, _) = rest.split_once("\n\n").unwrap();
    for line in ["    ExcludePunctuation: true", "    PasswordLength: 64"] {
        assert!(
            resource.contains(&format!("\n    {line}\n")) || resource.ends_with(line),
            "{line}"
        );
    }
    for (program, user) in [
        ("api", &deployment.api),
        ("worker", &deployment.worker),
        ("operator", &deployment.operator),
        ("what starts the API", &deployment.execution),
    ] {
        let read = read_secret(ministack, user, arn).await;
        assert!(is_forbidden(&read), "{program}: {read:?}");
    }
    for other in ["SessionSecretArn", "LinkSecretArn", "ReceiptKeyArn"] {
        let read = read_secret(ministack, starts_worker, deployment.output(other)).await;
        assert!(is_forbidden(&read), "{other}: {read:?}");
    }
    let bucket = [
        "s3api",
        "list-object-versions",
        "--bucket",
        &deployment.bucket,
    ];
    let listed = ministack.aws(starts_worker, &bucket).await;
    assert!(is_forbidden(&listed), "{listed:?}");
    // An update that says nothing of webhooks leaves them on, and receivers know this one.
    ministack.deploy_again(&deployment).await;
    let kept = read_secret(ministack, starts_worker, arn).await;
    assert_eq!(kept.unwrap(), secret);
}

#[tokio::test]
async fn without_webhooks_there_is_neither_a_secret_nor_a_policy_of_them() {
    let deployment = Deployment::shared().await;
    assert_eq!(deployment.worker_execution, None);
    let outputs = deployment.outputs.as_object().unwrap();
    let names = outputs
        .keys()
        .filter(|name| name.contains("Webhook") || name.contains("WorkerExecution"));
    assert_eq!(names.count(), 0, "{outputs:?}");
    let ministack = MiniStack::shared().await;
    let refused = ministack.refuses_to_deploy(&[("WEBHOOKS", "yes")]).await;
    assert!(refused.is_some(), "webhooks are on or off");
}

#[tokio::test]
async fn a_page_of_another_origin_may_use_an_upload_url() {
    let deployment = Deployment::shared().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (method, path) in [("PUT", "uploads/x"), ("POST", "")] {
        let url = format!("{}/{}/{path}", deployment.endpoint, deployment.bucket);
        let preflight = client
            .request(reqwest::Method::OPTIONS, url)
            .header("origin", "https://page.example")
            .header("access-control-request-method", method)
            .header(
                "access-control-request-headers",
                "content-type,if-none-match,x-amz-checksum-sha256",
            )
            .send()
            .await
            .unwrap();
        assert_eq!(preflight.status(), 200, "{method}");
        assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    }
}
