//! Starts that can't work, with the real programs and the stack's users: what is wrong is named, all at
//! once, and the program ends; what is merely away is waited for.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use file_share::aws::{AwsSettings, dynamodb_client, load_sdk_config, s3_client};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::curl_status;
use crate::support::fault_proxy::{ProxyMode, TcpFaultProxy};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::Program;

const PATIENCE: Duration = Duration::from_secs(40);

/// What the API, and what the worker, says before it ends with a failure.
fn refusals(deployment: &Deployment, settings: &[(&str, &str)]) -> [String; 2] {
    [
        Program::aws_api_refuses(deployment, settings),
        Program::worker_refuses(deployment, settings),
    ]
}

fn assert_says(message: &str, parts: &[&str]) {
    assert!(message.contains("can't start"), "{message}");
    assert!(message.contains("pointed at"), "{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

fn lines(message: &str) -> usize {
    message
        .lines()
        .filter(|line| line.starts_with("  "))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_a_bucket_and_a_queue_that_are_missing_are_all_named_at_once() {
    let deployment = Deployment::shared().await;
    let admin = Deployment {
        api: deployment.admin.clone(),
        worker: deployment.admin.clone(),
        ..deployment.clone()
    };
    let queue = format!("{}-nowhere", deployment.queue_url);
    let settings = [
        ("TABLE_NAME", "NoSuchTable"),
        ("BUCKET_NAME", "no-such-bucket"),
        ("QUEUE_URL", queue.as_str()),
    ];
    let [api, worker] = refusals(&admin, &settings);
    for message in [&api, &worker] {
        assert_says(
            message,
            &[
                "table NoSuchTable: there is none in us-east-1",
                "bucket no-such-bucket: there is none in us-east-1",
                "correct TABLE_NAME",
                "correct BUCKET_NAME",
                "deploy/stack.yaml",
            ],
        );
    }
    assert_says(
        &worker,
        &[&format!("queue {queue}: there is none"), "QUEUE_URL"],
    );
    assert_eq!((lines(&api), lines(&worker)), (2, 3), "{api}{worker}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_permission_that_is_missing_is_named_with_the_policy_that_has_it() {
    let deployment = Deployment::shared().await;
    // Each with the other's policy.
    let swapped = Deployment {
        api: deployment.worker.clone(),
        worker: deployment.api.clone(),
        ..deployment.clone()
    };
    let [api, worker] = refusals(&swapped, &[]);
    assert_says(
        &api,
        &[
            "dynamodb:PutItem",
            "dynamodb:Query on index/byTime",
            "dynamodb:Query on index/byStatus",
            "dynamodb:Query on index/byParent",
            "ApiPolicy",
            &format!("table {}", deployment.table),
        ],
    );
    assert_says(
        &worker,
        &[
            "dynamodb:Query on index/byReview",
            "sqs:GetQueueAttributes",
            "WorkerPolicy",
        ],
    );
    assert_eq!((lines(&api), lines(&worker)), (4, 2), "{api}{worker}");

    // A user of another stack may do nothing here.
    let other = MiniStack::shared().await.deploy("others").await;
    let foreign = Deployment {
        api: other.api,
        worker: other.worker,
        ..deployment.clone()
    };
    let [api, worker] = refusals(&foreign, &[]);
    for (message, own) in [
        (&api, "dynamodb:PutItem"),
        (&worker, "sqs:GetQueueAttributes"),
    ] {
        assert_says(
            message,
            &[
                own,
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:UpdateItem",
                "dynamodb:DeleteItem",
                "s3:GetObject",
                "s3:ListBucketVersions",
            ],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_missing_or_wrong_are_named_once() {
    let deployment = Deployment::shared().await;
    let mut unknown = deployment.clone();
    for user in [&mut unknown.api, &mut unknown.worker] {
        user.access_key_id = "AKIAUNKNOWNUNKNOWN00".into();
    }
    for message in refusals(&unknown, &[]) {
        assert_says(&message, &["AWS credentials: AWS doesn't accept them"]);
        assert!(!message.contains(&deployment.api.secret_access_key));
    }
    let none = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", "/nonexistent"),
    ];
    for message in refusals(deployment, &none) {
        assert_says(
            &message,
            &["AWS credentials: there are none", "AWS_PROFILE"],
        );
        assert_eq!(lines(&message), 1, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_another_region_is_named_with_that_region() {
    let deployment = Deployment::shared().await;
    let elsewhere = load_sdk_config(AwsSettings {
        endpoint_url: Some(deployment.endpoint.clone()),
        region: Some("eu-west-1".into()),
        credentials: sdk_config(deployment, &deployment.admin)
            .await
            .credentials_provider(),
    });
    let bucket = format!("elsewhere-{:08x}", fastrand::u32(..));
    let create = s3_client(&elsewhere.await.unwrap()).create_bucket();
    create
        .bucket(&bucket)
        .create_bucket_configuration(
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::EuWest1)
                .build(),
        )
        .send()
        .await
        .unwrap();
    let admin = Deployment {
        api: deployment.admin.clone(),
        worker: deployment.admin.clone(),
        ..deployment.clone()
    };
    for message in refusals(&admin, &[("BUCKET_NAME", &bucket)]) {
        assert_says(
            &message,
            &[&format!("bucket {bucket}: it is in "), "not in us-east-1"],
        );
    }
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    let element = KeySchemaElement::builder();
    element.attribute_name(name).key_type(kind).build().unwrap()
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    let definition = AttributeDefinition::builder();
    definition
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_another_key_or_without_its_indexes_is_named_with_what_is_missing() {
    let deployment = Deployment::shared().await;
    let admin = Deployment {
        api: deployment.admin.clone(),
        worker: deployment.admin.clone(),
        ..deployment.clone()
    };
    let client = dynamodb_client(&sdk_config(deployment, &deployment.admin).await);
    let number = fastrand::u32(..);
    let make = |table: &str, hash: &str| {
        client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute(hash, ScalarAttributeType::S))
            .key_schema(key(hash, KeyType::Hash))
    };
    let other = format!("other-key-{number}");
    make(&other, "id").send().await.unwrap();
    for message in refusals(&admin, &[("TABLE_NAME", &other)]) {
        assert_says(&message, &[&format!("table {other}: its key isn't fileId")]);
    }

    let bare = format!("no-index-{number}");
    make(&bare, "fileId").send().await.unwrap();
    for message in refusals(&admin, &[("TABLE_NAME", &bare)]) {
        for index in ["byTime", "byStatus", "byReview", "byParent"] {
            assert_says(&message, &[&format!("the index {index} is missing")]);
        }
    }

    // One that has the name, and neither the key nor all of an item.
    let wrong = format!("wrong-index-{number}");
    let index = |name: &str, hash: &str, range: &str, projection| {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(key(hash, KeyType::Hash))
            .key_schema(key(range, KeyType::Range))
            .projection(Projection::builder().projection_type(projection).build())
            .build()
            .unwrap()
    };
    make(&wrong, "fileId")
        .attribute_definitions(attribute("timeShard", ScalarAttributeType::S))
        .attribute_definitions(attribute("reviewShard", ScalarAttributeType::S))
        .attribute_definitions(attribute("reviewAt", ScalarAttributeType::S))
        .global_secondary_indexes(index(
            "byTime",
            "timeShard",
            "fileId",
            ProjectionType::KeysOnly,
        ))
        .global_secondary_indexes(index(
            "byReview",
            "reviewShard",
            "reviewAt",
            ProjectionType::All,
        ))
        .send()
        .await
        .unwrap();
    for message in refusals(&admin, &[("TABLE_NAME", &wrong)]) {
        assert_says(
            &message,
            &[
                "the index byTime doesn't hold whole items",
                "the index byStatus is missing",
                "the key of the index byReview isn't reviewShard and reviewAt",
                "the index byParent is missing. Update the stack from deploy/stack.yaml",
            ],
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_are_away_are_no_reason_not_to_start() {
    let deployment = Deployment::shared().await;
    for mode in [ProxyMode::Closed, ProxyMode::Silent] {
        let proxy = TcpFaultProxy::to(&deployment.endpoint, mode).await;
        let url = proxy.url();
        let settings = [("AWS_ENDPOINT_URL", url.as_str())];
        let (api, worker) = tokio::task::block_in_place(|| {
            (
                Program::aws_api(deployment, &settings),
                Program::worker(deployment, &settings),
            )
        });
        assert_eq!(curl_status(&[&format!("{}/healthz", api.base)]), "200");
        assert_eq!(curl_status(&[&format!("{}/readyz", api.base)]), "503");
        let deadline = Instant::now() + PATIENCE;
        while !worker.log().contains("consumes event notifications") {
            assert!(Instant::now() < deadline, "{}", worker.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        proxy.set(ProxyMode::Open);
        while curl_status(&[&format!("{}/readyz", api.base)]) != "200" {
            assert!(
                Instant::now() < deadline,
                "it doesn't get well: {}",
                api.log()
            );
        }
        assert!(worker.terminate().success());
        assert!(api.terminate().success());
    }
}
