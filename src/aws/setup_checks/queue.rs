//! The queue: that it is there, whom it admits, and where messages go that nobody can handle.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::failed_call::Asked;
use super::queue_policy::{Event, refusal};
use super::{Seen, wrong};

/// With one delivery alone, whatever goes wrong once is a dead letter.
const MIN_RECEIVES: u64 = 2;

/// What its attributes say.
pub(super) struct Queue {
    pub arn: String,
    policy: Option<String>,
    redrive: Option<String>,
}

pub(super) async fn find(client: &Client, url: &str) -> Seen<Queue> {
    let resource = format!("the queue {url}");
    let asked = Asked {
        resource: &resource,
        action: "sqs:GetQueueAttributes",
        setting: "QUEUE_URL",
    };
    let look = client.get_queue_attributes().queue_url(url);
    let look = [
        QueueAttributeName::QueueArn,
        QueueAttributeName::Policy,
        QueueAttributeName::RedrivePolicy,
    ]
    .into_iter()
    .fold(look, |look, name| look.attribute_names(name));
    let found = look.send().await.map_err(|error| asked.finding(&error))?;
    let mut attributes = found.attributes.unwrap_or_default();
    let Some(arn) = attributes.remove(&QueueAttributeName::QueueArn) else {
        return Err(wrong(format!("{resource} has no ARN"), "correct QUEUE_URL"));
    };
    Ok(Queue {
        arn,
        policy: attributes.remove(&QueueAttributeName::Policy),
        redrive: attributes.remove(&QueueAttributeName::RedrivePolicy),
    })
}

impl Queue {
    /// Whether S3 may send events of `bucket`.
    pub(super) fn admits(&self, bucket: &str) -> Seen<String> {
        let policy = self.policy.as_deref().map(serde_json::from_str::<Value>);
        let event = Event::of(bucket, &self.arn);
        let refused = match policy {
            None => Some("it has no policy".to_owned()),
            Some(Err(_)) => Some("its policy can't be read".to_owned()),
            Some(Ok(policy)) => refusal(&policy, &event),
        };
        match refused {
            None => Ok(format!("S3 may send it the events of {bucket}")),
            Some(why) => Err(wrong(
                format!("S3 may not send the events of {bucket} to the queue: {why}"),
                format!(
                    "its policy must allow sqs:SendMessage to s3.amazonaws.com where aws:SourceArn is \
                     {}, as deploy/stack.yaml does",
                    event.bucket_arn
                ),
            )),
        }
    }

    /// Whether there is a dead-letter queue, and when it gets something.
    pub(super) async fn redrive(&self, client: &Client) -> Seen<String> {
        const MEND: &str = "set a RedrivePolicy with the ARN of a dead-letter queue and a \
                            maxReceiveCount of about 8, as deploy/stack.yaml does";
        let redrive: Value = self
            .redrive
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let Some(arn) = redrive["deadLetterTargetArn"].as_str() else {
            return Err(wrong(
                "the queue has no dead-letter queue: what nobody can handle comes again and again, \
                 and is lost in the end",
                MEND,
            ));
        };
        // AWS writes it as a number, and takes it as text.
        let receives = &redrive["maxReceiveCount"];
        let receives = receives
            .as_u64()
            .or_else(|| receives.as_str()?.parse().ok());
        let receives = receives.unwrap_or_default();
        if receives < MIN_RECEIVES {
            return Err(wrong(
                format!("a message that fails {receives} times is a dead letter already"),
                MEND,
            ));
        }
        let mut parts = arn.rsplitn(3, ':');
        let (name, account) = (parts.next().unwrap_or_default(), parts.next());
        let resource = format!("the dead-letter queue {arn}");
        let asked = Asked {
            resource: &resource,
            action: "sqs:GetQueueUrl",
            setting: "the RedrivePolicy of the queue",
        };
        let look = client.get_queue_url().queue_name(name);
        let look = look.set_queue_owner_aws_account_id(account.map(ToOwned::to_owned));
        look.send().await.map_err(|error| asked.finding(&error))?;
        Ok(format!(
            "after {receives} deliveries a message moves to {name}"
        ))
    }
}
