//! `fshare doctor` on the way of aws mode, with what the service's program says of bucket, queue and table.
//!
//! All of it happens in one deployment, one test at a time: each breaks one thing, lets the doctor look,
//! and mends it before it judges what was said.

mod checks;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as AwsCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types as table;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::aws_support::ministack::{Deployment, MiniStack};
use crate::support::{Ran, fshare, service_program};

const AWS_CHECKS: [&str; 9] = [
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
            _alone: alone,
        }
    }

    /// The doctor at this address with `--json`, as the stack's operator.
    async fn doctor(&self, server: &str, arguments: &[&str]) -> (i32, Vec<Value>) {
        let (deployment, user) = (self.deployment, &self.deployment.operator);
        let mut command = fshare(server);
        command
            // Far more than it needs, for a machine that is busy.
            .args(["doctor", "--json", "--check-limit", "120"])
            .args(arguments)
            .env("FILE_SHARE_PROGRAM", service_program())
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
}

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

/// Asserts that exactly this check is wrong, that it says what, and how to mend it.
fn only_wrong(lines: &[Value], check: &str, said: &str, remedy: &str) {
    assert_eq!(with("wrong", lines), [check], "{lines:#?}");
    assert_eq!(with("not_looked_at", lines), [""; 0], "{lines:#?}");
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    assert!(line["said"].as_str().unwrap().contains(said), "{line}");
    assert!(line["mend"].as_str().unwrap().contains(remedy), "{line}");
}
