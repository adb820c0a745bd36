//! aws mode for a campaign: the stand-in, the stack in it, a fault proxy before it, and an operator's
//! view of what it holds.
//!
//! Invariant: the programs reach the stand-in only through the proxy, clients' presigned URLs
//! included, unless a scenario says otherwise. The operator's view goes past it, so it always sees what is there.

use std::collections::{BTreeMap, HashMap};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use file_share::aws::{dynamodb_client, s3_client, sqs_client};

use crate::fake_clock::FakeClock;
use crate::fault_proxy::FaultProxy;
use crate::recounts;
use crate::support::aws_clients::sdk_config;
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, recount_aws};

/// What SQS takes in one call.
pub(crate) const BATCH: usize = 10;

/// What the service itself keeps in the bucket and in the table, to know that they belong together.
const MARKER_OBJECT: &str = "store-marker";
const MARKER_ITEM: &str = "store#marker";

const OPERATOR_LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) struct Aws {
    ministack: MiniStack,
    /// As the programs see it: through the proxy.
    deployment: Deployment,
    pub proxy: FaultProxy,
    pub s3: aws_sdk_s3::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
}

impl Aws {
    /// A stand-in of this scenario's own. `settings` are those of the script that deploys the stack.
    pub(crate) async fn start(scenario: &str, settings: &[(&str, &str)]) -> Arc<Self> {
        Self::deployed_in(MiniStack::start().await, scenario, settings).await
    }

    /// The same, where the stand-in goes by another clock.
    pub(crate) async fn start_by(
        scenario: &str,
        settings: &[(&str, &str)],
        clock: &FakeClock,
    ) -> Arc<Self> {
        let ministack = MiniStack::start_with(&clock.settings()).await;
        Self::deployed_in(ministack, scenario, settings).await
    }

    async fn deployed_in(
        ministack: MiniStack,
        scenario: &str,
        settings: &[(&str, &str)],
    ) -> Arc<Self> {
        let deployment = ministack.deploy_with(scenario, settings).await;
        // An operator waits for longer than a program, on a machine that is busy with scenarios.
        let limits = TimeoutConfig::builder()
            .operation_attempt_timeout(OPERATOR_LIMIT)
            .operation_timeout(OPERATOR_LIMIT * 2)
            .read_timeout(OPERATOR_LIMIT)
            .build();
        let admin = sdk_config(&deployment, &deployment.admin).await;
        let admin = admin.into_builder().timeout_config(limits).build();
        let proxy = FaultProxy::to(&deployment.endpoint).await;
        let through_proxy = Deployment {
            endpoint: proxy.url(),
            ..deployment
        };
        let this = Arc::new(Self {
            ministack,
            deployment: through_proxy,
            proxy,
            s3: s3_client(&admin),
            dynamodb: dynamodb_client(&admin),
            sqs: sqs_client(&admin),
        });
        recounts::add_stack(&this);
        this
    }

    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.deployment.bucket
    }

    pub(crate) fn queue_url(&self) -> &str {
        &self.deployment.queue_url
    }

    /// A worker behind a proxy of its own.
    pub(crate) fn worker_behind(&self, proxy: &FaultProxy, settings: &[(&str, &str)]) -> Program {
        let deployment = Deployment {
            endpoint: proxy.url(),
            ..self.deployment.clone()
        };
        tokio::task::block_in_place(|| Program::worker(&deployment, settings))
    }

    pub(crate) fn api(&self, settings: &[(&str, &str)]) -> Program {
        tokio::task::block_in_place(|| Program::aws_api(&self.deployment, settings))
    }

    pub(crate) fn worker(&self, settings: &[(&str, &str)]) -> Program {
        tokio::task::block_in_place(|| Program::worker(&self.deployment, settings))
    }

    /// `file-share recount`, by somebody who may read the whole table, past the proxy and its faults.
    pub(crate) fn recount(&self) -> Output {
        recount_aws(&self.without_proxy(), &[])
    }

    fn without_proxy(&self) -> Deployment {
        Deployment {
            endpoint: self.ministack.endpoint().to_owned(),
            ..self.deployment.clone()
        }
    }

    /// The versions of files that lie in the bucket, by file ID. Delete markers count: they are left behind
    /// by a deletion that names no version, which the service must not do.
    pub(crate) async fn versions(&self) -> BTreeMap<String, Vec<String>> {
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut key, mut version) = (None, None);
        loop {
            let page = self
                .s3
                .list_object_versions()
                .bucket(self.bucket())
                .set_key_marker(key)
                .set_version_id_marker(version)
                .send()
                .await
                .expect("an operator can list versions");
            let listed = page.versions().iter().map(|it| (it.key(), it.version_id()));
            let markers = page.delete_markers().iter();
            for (key, version) in listed.chain(markers.map(|it| (it.key(), it.version_id()))) {
                if key == Some(MARKER_OBJECT) {
                    continue;
                }
                let id = key.unwrap_or_default().trim_start_matches("uploads/");
                let of_file = versions.entry(id.to_owned()).or_default();
                of_file.push(version.unwrap_or_default().to_owned());
            }
            if page.is_truncated() != Some(true) {
                return versions;
            }
            key = page.next_key_marker;
            version = page.next_version_id_marker;
        }
    }

    /// A worker that speaks to the stand-in itself.
    pub(crate) fn worker_without_proxy(&self, settings: &[(&str, &str)]) -> Program {
        let deployment = self.without_proxy();
        tokio::task::block_in_place(|| Program::worker(&deployment, settings))
    }

    /// All items of files in the table, by file ID.
    pub(crate) async fn items(&self) -> BTreeMap<String, Item> {
        let mut items = BTreeMap::new();
        let mut start = None;
        loop {
            let page = self
                .dynamodb
                .scan()
                .table_name(&self.deployment.table)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .expect("an operator can scan");
            for item in page.items.unwrap_or_default() {
                if text(&item, "fileId") != MARKER_ITEM {
                    items.insert(text(&item, "fileId").to_owned(), item);
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return items;
            }
        }
    }

    /// Messages of a queue that can be received, and those that somebody has in hand.
    pub(crate) async fn queued(&self, queue_url: &str) -> (usize, usize) {
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let hidden = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(queue_url)
            .attribute_names(visible.clone())
            .attribute_names(hidden.clone())
            .send()
            .await
            .expect("an operator can look at a queue");
        let counts = answer.attributes.unwrap_or_default();
        let count = |name| counts.get(name).and_then(|text| text.parse().ok());
        (
            count(&visible).unwrap_or_default(),
            count(&hidden).unwrap_or_default(),
        )
    }

    /// Takes up to ten messages out of a queue for good; waits up to a second for the first.
    pub(crate) async fn take(&self, queue_url: &str) -> Vec<Message> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(BATCH as i32)
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .expect("an operator can receive");
        let messages = received.messages.unwrap_or_default();
        let entries: Vec<_> = (0..)
            .zip(&messages)
            .map(|(index, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .build()
                    .expect("both fields are set")
            })
            .collect();
        if !entries.is_empty() {
            let delete = self.sqs.delete_message_batch().queue_url(queue_url);
            let deleted = delete.set_entries(Some(entries)).send().await;
            deleted.expect("an operator can delete");
        }
        messages
    }

    /// Takes messages out of a queue until `count` are there, or a while passes without any.
    pub(crate) async fn take_all(&self, queue_url: &str, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut last = Instant::now();
        while messages.len() < count && last.elapsed() < Duration::from_secs(10) {
            let taken = self.take(queue_url).await;
            if !taken.is_empty() {
                last = Instant::now();
            }
            messages.extend(taken);
        }
        messages
    }

    pub(crate) async fn send(&self, queue_url: &str, bodies: &[String]) {
        for batch in bodies.chunks(BATCH) {
            let entries = (0..)
                .zip(batch)
                .map(|(index, body)| {
                    SendMessageBatchRequestEntry::builder()
                        .id(index.to_string())
                        .message_body(body)
                        .build()
                        .expect("both fields are set")
                })
                .collect();
            let send = self.sqs.send_message_batch().queue_url(queue_url);
            let sent = send.set_entries(Some(entries)).send().await;
            let sent = sent.expect("an operator can send");
            assert!(sent.failed().is_empty(), "{:?}", sent.failed());
        }
    }
}

/// A text attribute of an item; empty if it isn't there.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).unwrap_or_default()
}
