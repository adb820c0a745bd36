//! Whether the queue is there, and whether these credentials may use it.
//!
//! Invariant: asking changes nothing. A permission to change a delivery is asked for with a receipt that
//! isn't one: whoever may not is refused before the receipt is looked at.
//!
//! Absent on purpose: a receive, which would count against every message that it meets.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use file_share::aws::{Asked, StartupProblem, findings};
use file_share::start_check::{Finding, StartCheck};

use super::SqsQueue;

const NO_RECEIPT: &str = "none";

/// [`SqsQueue::check_start`], as one of the checks of a start.
pub struct QueueCheck {
    /// The queue that is looked at.
    pub queue: Arc<SqsQueue>,
    /// The region that the queue is expected in, named in what is found.
    pub region: String,
}

#[async_trait]
impl StartCheck for QueueCheck {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn subject(&self) -> String {
        format!("queue {}", self.queue.queue_url)
    }

    async fn look(&self) -> Vec<Finding> {
        let problems = self.queue.check_start(&self.region).await;
        findings(problems, || {
            format!(
                "queue {} is there, and these credentials may use it",
                self.queue.queue_url
            )
        })
    }
}

impl SqsQueue {
    /// Everything that stands in the way.
    pub async fn check_start(&self, region: &str) -> Vec<StartupProblem> {
        let client = &self.client;
        let attributes = client.get_queue_attributes().queue_url(&self.queue_url);
        let described = attributes
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await;
        if let Err(error) = described {
            return vec![self.problem(
                "sqs:GetQueueAttributes",
                region,
                "GetQueueAttributes",
                &error,
            )];
        }
        let change = client.change_message_visibility();
        let change = change.queue_url(&self.queue_url).visibility_timeout(0);
        let delete = client.delete_message().queue_url(&self.queue_url);
        let (changed, deleted) = tokio::join!(
            change.receipt_handle(NO_RECEIPT).send(),
            delete.receipt_handle(NO_RECEIPT).send()
        );
        let changed = changed.err().map(|error| {
            let (action, operation) = ("sqs:ChangeMessageVisibility", "ChangeMessageVisibility");
            self.problem(action, region, operation, &error)
        });
        let deleted = deleted
            .err()
            .map(|error| self.problem("sqs:DeleteMessage", region, "DeleteMessage", &error));
        // All else that may come back here is about the receipt.
        let forbidden = [changed, deleted].into_iter().flatten();
        forbidden
            .filter(|problem| matches!(problem, StartupProblem::Wrong(_)))
            .collect()
    }

    fn problem<E>(
        &self,
        action: &str,
        region: &str,
        operation: &'static str,
        error: &SdkError<E, HttpResponse>,
    ) -> StartupProblem
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let resource = format!("queue {}", self.queue_url);
        let asked = Asked {
            resource: &resource,
            action,
            setting: "QUEUE_URL",
            region,
            policy: "WorkerPolicy",
        };
        StartupProblem::of(asked, operation, error)
    }
}
