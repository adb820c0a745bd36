//! The bucket: whom it notifies, whether it keeps versions, and that nobody gets in without a URL.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    BucketVersioningStatus, FilterRuleName, PublicAccessBlockConfiguration, QueueConfiguration,
};

use super::failed_call::Asked;
use super::{Seen, wrong};
use crate::start_check::{Finding, Flaw};

/// Where all keys begin.
const PREFIX: &str = "uploads/";
/// An upload by one of the service's URLs is a PUT.
const EVENTS: [&str; 2] = ["s3:ObjectCreated:*", "s3:ObjectCreated:Put"];

fn asked<'a>(resource: &'a str, action: &'a str) -> Asked<'a> {
    Asked {
        resource,
        action,
        setting: "BUCKET_NAME",
    }
}

pub(super) async fn notification(client: &Client, bucket: &str, queue_arn: &str) -> Seen<String> {
    let resource = format!("the bucket {bucket}");
    let asked = asked(&resource, "s3:GetBucketNotification");
    let look = client
        .get_bucket_notification_configuration()
        .bucket(bucket);
    let found = look.send().await.map_err(|error| asked.finding(&error))?;
    let to_queue: Vec<_> = found
        .queue_configurations()
        .iter()
        .filter(|to| to.queue_arn() == queue_arn)
        .collect();
    if to_queue.iter().any(|to| is_for_uploads(to)) {
        return Ok(format!(
            "{resource} notifies the queue of what comes below {PREFIX}"
        ));
    }
    let takes_a_detour =
        !found.topic_configurations().is_empty() || found.event_bridge_configuration().is_some();
    if to_queue.is_empty() && takes_a_detour {
        return Err(Finding::Hidden(Flaw::new(
            format!("{resource} notifies through SNS or EventBridge, which isn't followed here"),
            "if the check `notification` of `fshare doctor` is ✓, the way works",
        )));
    }
    Err(wrong(
        if to_queue.is_empty() {
            format!("{resource} doesn't notify {queue_arn}")
        } else {
            format!("{resource} notifies the queue, but not of every PUT below {PREFIX}")
        },
        format!(
            "let the bucket send s3:ObjectCreated:* with the prefix {PREFIX} and no suffix to the \
             queue, as deploy/stack.yaml does"
        ),
    ))
}

fn is_for_uploads(to: &QueueConfiguration) -> bool {
    let rules = to.filter().and_then(|filter| filter.key());
    let every_key = rules.is_none_or(|key| {
        key.filter_rules().iter().all(|rule| {
            let value = rule.value().unwrap_or_default();
            // The emulators and AWS write these names in different cases.
            match rule.name().map(FilterRuleName::as_str) {
                Some(name) if name.eq_ignore_ascii_case("prefix") => PREFIX.starts_with(value),
                _ => value.is_empty(),
            }
        })
    });
    every_key
        && to
            .events()
            .iter()
            .any(|event| EVENTS.contains(&event.as_str()))
}

pub(super) async fn versioning(client: &Client, bucket: &str) -> Seen<String> {
    let resource = format!("the bucket {bucket}");
    let asked = asked(&resource, "s3:GetBucketVersioning");
    let look = client.get_bucket_versioning().bucket(bucket).send().await;
    let found = look.map_err(|error| asked.finding(&error))?;
    if found.status() == Some(&BucketVersioningStatus::Enabled) {
        return Ok(format!("{resource} keeps versions"));
    }
    Err(wrong(
        format!(
            "{resource} keeps no versions: an object that is written over by hand takes the bytes of a file with it"
        ),
        format!(
            "aws s3api put-bucket-versioning --bucket {bucket} \
             --versioning-configuration Status=Enabled"
        ),
    ))
}

pub(super) async fn public_access(client: &Client, bucket: &str) -> Seen<String> {
    let resource = format!("the bucket {bucket}");
    let asked = asked(&resource, "s3:GetBucketPublicAccessBlock");
    let look = client.get_public_access_block().bucket(bucket).send().await;
    let found = match look {
        Ok(found) => found.public_access_block_configuration,
        Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => None,
        Err(error) => return Err(asked.finding(&error)),
    };
    let open = found.map_or_else(
        || SETTINGS.map(|(name, _)| name).to_vec(),
        |found| open(&found),
    );
    if open.is_empty() {
        return Ok(format!("{resource} is closed to the public"));
    }
    Err(wrong(
        format!(
            "{resource} isn't closed to the public: {} is off",
            open.join(", ")
        ),
        format!(
            "aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        ),
    ))
}

type Setting = fn(&PublicAccessBlockConfiguration) -> Option<bool>;
const SETTINGS: [(&str, Setting); 4] = [
    ("BlockPublicAcls", |block| block.block_public_acls),
    ("IgnorePublicAcls", |block| block.ignore_public_acls),
    ("BlockPublicPolicy", |block| block.block_public_policy),
    ("RestrictPublicBuckets", |block| {
        block.restrict_public_buckets
    }),
];

fn open(block: &PublicAccessBlockConfiguration) -> Vec<&'static str> {
    let off = SETTINGS
        .iter()
        .filter(|(_, is_on)| is_on(block) != Some(true));
    off.map(|(name, _)| *name).collect()
}
