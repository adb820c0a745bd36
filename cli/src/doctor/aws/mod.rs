//! `fshare doctor --aws`: whether bucket, queue and table are set up as the service needs them.
//!
//! **Invariant:** nothing is changed here, and no file or record is read: the stack's OperatorPolicy is
//! enough. A permission that is missing hides one line and not the others.
//!
//! **Absent on purpose:** `deploy/stack.yaml` as the measure of everything. What is looked at is what
//! an upload needs, however it was deployed.

mod bucket;
mod clients;
mod queue;
mod queue_policy;
mod refusal;
mod table;

use std::time::Duration;

use super::report::Report;
use crate::arguments;
use crate::failure::Failure;

use clients::Clients;

const AFTER_AWS: [&str; 8] = [
    "queue",
    "queue-policy",
    "redrive",
    "bucket-events",
    "versioning",
    "public-access",
    "indexes",
    "ttl",
];

/// # Errors
/// Nobody reads what is said any more.
pub async fn look(
    arguments: &arguments::Aws,
    limit: Duration,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let Some(Clients { s3, sqs, dynamodb }) =
        report.check("aws", limit, Clients::load(limit)).await?
    else {
        return report.skip(
            &AFTER_AWS,
            "nothing can be asked without a region and credentials",
        );
    };
    let queue_url = arguments.queue_url.as_deref().unwrap_or_default();
    let (bucket, table) = (&arguments.bucket_name, &arguments.table_name);
    let found = report
        .check("queue", limit, queue::find(&sqs, queue_url))
        .await?;
    if let Some(queue) = found {
        let policy = async { queue.admits(bucket) };
        report.check("queue-policy", limit, policy).await?;
        report.check("redrive", limit, queue.redrive(&sqs)).await?;
        let notification = bucket::notification(&s3, bucket, &queue.arn);
        report.check("bucket-events", limit, notification).await?;
    } else {
        let after = ["queue-policy", "redrive", "bucket-events"];
        report.skip(&after, "it isn't known which queue it is about")?;
    }
    report
        .check("versioning", limit, bucket::versioning(&s3, bucket))
        .await?;
    report
        .check("public-access", limit, bucket::public_access(&s3, bucket))
        .await?;
    report
        .check("indexes", limit, table::indexes(&dynamodb, table))
        .await?;
    report
        .check("ttl", limit, table::ttl(&dynamodb, table))
        .await?;
    Ok(())
}
