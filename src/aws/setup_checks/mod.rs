//! Whether bucket, queue and table are set up as the service needs them, for whoever set them up.
//!
//! Invariant: nothing is changed here, and no file or record is read: the stack's OperatorPolicy is
//! enough. A permission that is missing hides one check and not the others.
//!
//! Absent on purpose: `deploy/stack.yaml` as the measure of everything. What is looked at is what an upload
//! needs, however it was deployed.

mod bucket;
mod failed_call;
mod queue;
mod queue_policy;
mod table;

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use tokio::sync::OnceCell;

use super::{AwsSettings, dynamodb_client, load_sdk_config, s3_client, sqs_client};
use crate::start_check::{Finding, Flaw, Known, StartCheck};
use queue::Queue;

/// What was seen, or why it isn't well.
type Seen<T> = Result<T, Finding>;

fn wrong(said: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding::Wrong(Flaw::new(said, remedy))
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The bucket that holds the bytes.
    pub bucket_name: String,
    /// The DynamoDB table that holds the records.
    pub table_name: String,
    /// The SQS queue that the bucket's notifications come through.
    pub queue_url: String,
}

/// Region and credentials, without which nothing can be asked. The check says what was found.
///
/// # Errors
/// The check alone, if one of them is missing.
pub async fn access() -> Result<(SdkConfig, Known), Known> {
    let known = |finding| Known {
        name: "aws",
        subject: "region and credentials".into(),
        finding,
    };
    let Ok(sdk) = load_sdk_config(AwsSettings::default()).await else {
        return Err(known(wrong(
            "no AWS region is set",
            "set AWS_REGION, or a region in the AWS profile",
        )));
    };
    let has_credentials = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.is_ok(),
        None => false,
    };
    if !has_credentials {
        return Err(known(wrong(
            "there are no AWS credentials",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with \
             `aws sso login`",
        )));
    }
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let said = format!("a region ({region}) and credentials are set");
    Ok((sdk, known(Finding::Fine(said))))
}

/// Of a check that can't be made without [`access`].
pub fn without_access(name: &'static str) -> Known {
    Known {
        name,
        subject: name.into(),
        finding: Finding::Hidden(Flaw::new(
            "nothing can be asked without a region and credentials",
            "",
        )),
    }
}

/// All checks of the setup, with what [`access`] found.
pub async fn setup_checks(setup: Setup) -> Vec<Box<dyn StartCheck>> {
    let (sdk, access) = match access().await {
        Ok(found) => found,
        Err(known) => {
            let skipped = LOOKS.map(|look| Box::new(without_access(look.name())) as _);
            return std::iter::once(Box::new(known) as _)
                .chain(skipped)
                .collect();
        }
    };
    let target = Arc::new(Target {
        s3: s3_client(&sdk),
        sqs: sqs_client(&sdk),
        dynamodb: dynamodb_client(&sdk),
        setup,
        queue: OnceCell::new(),
    });
    let checks = LOOKS.map(|look| {
        let target = Arc::clone(&target);
        Box::new(SetupCheck { look, target }) as _
    });
    std::iter::once(Box::new(access) as _)
        .chain(checks)
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum Look {
    Queue,
    QueuePolicy,
    Redrive,
    BucketEvents,
    Versioning,
    PublicAccess,
    Indexes,
    Ttl,
}

const LOOKS: [Look; 8] = [
    Look::Queue,
    Look::QueuePolicy,
    Look::Redrive,
    Look::BucketEvents,
    Look::Versioning,
    Look::PublicAccess,
    Look::Indexes,
    Look::Ttl,
];

impl Look {
    fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::QueuePolicy => "queue-policy",
            Self::Redrive => "redrive",
            Self::BucketEvents => "bucket-events",
            Self::Versioning => "versioning",
            Self::PublicAccess => "public-access",
            Self::Indexes => "indexes",
            Self::Ttl => "ttl",
        }
    }
}

/// Where all of them look.
struct Target {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    setup: Setup,
    /// Asked for once, by whoever needs it first.
    queue: OnceCell<Seen<Queue>>,
}

impl Target {
    async fn found_queue(&self) -> &Seen<Queue> {
        let find = || queue::find(&self.sqs, &self.setup.queue_url);
        self.queue.get_or_init(find).await
    }

    /// For the checks that are about the queue besides the one that looks for it.
    async fn known_queue(&self) -> Seen<&Queue> {
        self.found_queue()
            .await
            .as_ref()
            .map_err(|_| Finding::Hidden(Flaw::new("it isn't known which queue it is about", "")))
    }
}

struct SetupCheck {
    look: Look,
    target: Arc<Target>,
}

#[async_trait]
impl StartCheck for SetupCheck {
    fn name(&self) -> &'static str {
        self.look.name()
    }

    fn subject(&self) -> String {
        let Setup {
            bucket_name,
            table_name,
            queue_url,
        } = &self.target.setup;
        match self.look {
            Look::Queue | Look::QueuePolicy | Look::Redrive => format!("the queue {queue_url}"),
            Look::BucketEvents | Look::Versioning | Look::PublicAccess => {
                format!("the bucket {bucket_name}")
            }
            Look::Indexes | Look::Ttl => format!("the table {table_name}"),
        }
    }

    async fn look(&self) -> Vec<Finding> {
        let seen = self.see().await;
        vec![seen.map_or_else(|finding| finding, Finding::Fine)]
    }
}

impl SetupCheck {
    async fn see(&self) -> Seen<String> {
        let target = &self.target;
        let (bucket, table) = (&target.setup.bucket_name, &target.setup.table_name);
        match self.look {
            Look::Queue => match target.found_queue().await {
                Ok(queue) => Ok(format!("{} is there", queue.arn)),
                Err(finding) => Err(finding.clone()),
            },
            Look::QueuePolicy => target.known_queue().await?.admits(bucket),
            Look::Redrive => target.known_queue().await?.redrive(&target.sqs).await,
            Look::BucketEvents => {
                let queue = target.known_queue().await?;
                bucket::notification(&target.s3, bucket, &queue.arn).await
            }
            Look::Versioning => bucket::versioning(&target.s3, bucket).await,
            Look::PublicAccess => bucket::public_access(&target.s3, bucket).await,
            Look::Indexes => table::indexes(&target.dynamodb, table).await,
            Look::Ttl => table::ttl(&target.dynamodb, table).await,
        }
    }
}
