//! The worker as an AWS Lambda function: messages of the queue that Lambda received, and what a schedule asks for.
//!
//! ```text
//! queue ──▶ Lambda ──▶ {"Records": […]}          ──▶ Consumer::settle ──▶ batchItemFailures
//! schedule ─────────▶ {"task": "reconcile"|…}    ──▶ one round of what a worker does beside its queue
//! ```
//!
//! Invariant: a message is named in `batchItemFailures` exactly if it is to come again, and by an ID that is one: an empty
//! one would bring all of them back. No message, however odd, is an error of the function's, which would as well. Whatever
//! isn't done in time is given back. Between two events nothing runs, so whatever a worker does on a timer is done when
//! the schedule asks for it.
//!
//! Absent on purpose: what a message says, which is the consumer's.

use std::sync::Arc;
use std::time::Duration;

use file_share::domain::from_millis;
use file_share::file_events::EventWriter;
use file_share::lambda_runtime::{EventError, Function, Invocation};
use file_share::metrics::DeliveryEnd;
use file_share::operations::{OrphanSweeper, Reconciler, Stores};
use file_share::scanner::MarkKeeper;
use file_share::store_error::StoreError;
use file_share::webhooks::Deliverer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::consumer::{Consumer, Finalize};
use crate::event_queue::{Delivery, EventQueue, ReceiptHandle};

/// How an event of SQS names where its messages come from.
const SQS: &str = "aws:sqs";
/// Who sends an event of a rule's schedule, where it says nothing of its own.
const SCHEDULE: &str = "aws.events";
/// How long the start waits until it is written that files are scanned.
const MARK_LIMIT: Duration = Duration::from_secs(2);

/// What a schedule can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// What is due every minute: files that wait, webhooks, and that files are scanned.
    Reconcile,
    /// What is due once a day: objects that no record names.
    Sweep,
}

/// What an event asks for.
#[derive(Debug)]
enum Asked {
    Settle(Vec<Message>),
    Do(Task),
}

/// A message of the event, as far as it can be read.
#[derive(Debug)]
struct Message {
    /// `None` if it can't be named.
    id: Option<String>,
    /// `None` if it can't be handled.
    delivery: Option<Delivery>,
}

#[derive(Deserialize)]
struct SomeEvent {
    #[serde(rename = "Records")]
    records: Option<Vec<Value>>,
    task: Option<Task>,
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord {
    message_id: String,
    receipt_handle: String,
    body: String,
    #[serde(default)]
    attributes: SqsAttributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SqsAttributes {
    approximate_receive_count: Option<String>,
    sent_timestamp: Option<String>,
}

/// What of a worker answers events.
pub struct WorkerFunction {
    work: Work,
    event_writer: EventWriter,
}

struct Work {
    consumer: Consumer,
    reconciler: Reconciler,
    /// `None`: there are no sweeps.
    sweeper: Option<OrphanSweeper>,
    /// `None`: nothing is told.
    deliverer: Option<Deliverer>,
    mark: MarkKeeper,
}

/// What a [`WorkerFunction`] is made of.
pub struct FunctionParts {
    /// Where messages are put off that are to come again.
    pub queue: Arc<dyn EventQueue>,
    /// What the work is done on.
    pub stores: Stores,
    /// The bucket that the messages are about.
    pub bucket: String,
    /// How many orphaned objects one sweep may set aside; `None`: there are no sweeps.
    pub sweeps: Option<usize>,
    /// What tells what happens, if anything is told.
    pub deliverer: Option<Deliverer>,
    /// Writes what happens to files.
    pub event_writer: EventWriter,
}

impl WorkerFunction {
    /// Puts it together. What others have to know of this program is said before this returns.
    pub async fn start(parts: FunctionParts) -> Self {
        let stores = parts.stores;
        let finalizer: Arc<dyn Finalize> = Arc::new(stores.clone());
        let mut mark = stores.scans.mark_keeper();
        keep(&mut mark, Instant::now() + MARK_LIMIT).await;
        let sweeper = |limit| OrphanSweeper::new(stores.clone(), limit);
        Self {
            work: Work {
                consumer: Consumer::of_received(parts.queue, finalizer, parts.bucket),
                reconciler: Reconciler::new(stores.clone()),
                sweeper: parts.sweeps.map(sweeper),
                deliverer: parts.deliverer,
                mark,
            },
            event_writer: parts.event_writer,
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TaskEnd {
    Complete,
    /// There was more to do than time, and the next one goes on.
    Unfinished,
    /// A store failed.
    Failed,
}

impl TaskEnd {
    /// Of a work whose failures are logged with these words.
    fn of<T>(ended: Result<Result<T, StoreError>, Elapsed>, failed: &'static str) -> Self {
        match ended {
            Ok(Ok(_)) => Self::Complete,
            Ok(Err(error)) => {
                tracing::warn!(error = %error.chain(), "{failed}");
                Self::Failed
            }
            Err(_) => Self::Unfinished,
        }
    }
}

impl Work {
    /// # Errors
    /// A task failed. Nobody reads the answer to a schedule, so an error of the function is what is seen of it: its alarm
    /// says that the stores are away.
    async fn act(&mut self, asked: Asked, until: Instant) -> Result<Value, EventError> {
        let task = match asked {
            Asked::Settle(messages) => {
                return Ok(failures(settle(&self.consumer, messages, until).await));
            }
            Asked::Do(task) => task,
        };
        let ended = match task {
            Task::Reconcile => self.reconcile(until).await,
            Task::Sweep => self.sweep(until).await,
        };
        match ended {
            TaskEnd::Complete => {}
            TaskEnd::Unfinished => tracing::warn!(
                ?task,
                "a task wasn't finished; the next one goes on with it"
            ),
            TaskEnd::Failed => {
                return Err(EventError {
                    kind: "TaskFailed",
                    message: format!("{task:?} failed, as the lines before this one say"),
                });
            }
        }
        Ok(json!({"task": task, "isComplete": ended == TaskEnd::Complete}))
    }

    /// The worst end of its parts.
    async fn reconcile(&mut self, until: Instant) -> TaskEnd {
        let reconciling = async {
            let ended = timeout_at(until, self.reconciler.run_to_end()).await;
            match ended {
                Ok(Ok(all)) if all.has_failed() => TaskEnd::Failed,
                ended => TaskEnd::of(ended, "reconciling failed and is tried again"),
            }
        };
        let telling = async {
            match &self.deliverer {
                None => TaskEnd::Complete,
                Some(deliverer) => TaskEnd::of(
                    timeout_at(until, deliverer.run_to_end()).await,
                    "webhooks wait: what is due can't be read",
                ),
            }
        };
        let (reconciled, told, kept) =
            tokio::join!(reconciling, telling, keep(&mut self.mark, until));
        reconciled.max(told).max(kept)
    }

    async fn sweep(&mut self, until: Instant) -> TaskEnd {
        let Some(sweeper) = &mut self.sweeper else {
            tracing::info!("nothing is swept: ORPHAN_SWEEP_INTERVAL is off");
            return TaskEnd::Complete;
        };
        let ended = timeout_at(until, sweeper.run_to_end()).await;
        TaskEnd::of(
            ended,
            "looking for orphaned objects failed and is tried again",
        )
    }
}

async fn keep(mark: &mut MarkKeeper, until: Instant) -> TaskEnd {
    let ended = timeout_at(until, mark.keep()).await;
    TaskEnd::of(
        ended,
        "whether files are scanned can't be written down or seen",
    )
}

impl Function for WorkerFunction {
    async fn answer(&mut self, invocation: &Invocation) -> Result<Vec<u8>, EventError> {
        let asked = read(&invocation.event)?;
        let acting = self.work.act(asked, invocation.answer_by);
        // Beside it, else what is noted in a long round would have no room.
        let answer = self.event_writer.write_beside(acting).await?;
        Ok(answer.to_string().into_bytes())
    }

    async fn settle(&mut self) {
        self.event_writer.write_out().await;
    }
}

/// What became of each message, by its ID.
async fn settle(
    consumer: &Consumer,
    messages: Vec<Message>,
    until: Instant,
) -> Vec<(Option<String>, Option<DeliveryEnd>)> {
    let (mut handled, mut others) = (Vec::new(), Vec::new());
    let mut deliveries = Vec::new();
    for message in messages {
        match message.delivery {
            Some(delivery) => {
                handled.push(message.id);
                deliveries.push(delivery);
            }
            None => others.push((message.id, None)),
        }
    }
    let endings = consumer.settle(deliveries, until).await;
    others.extend(handled.into_iter().zip(endings));
    others
}

/// The answer to an event of SQS: Lambda acknowledges all messages that it doesn't name.
fn failures(endings: Vec<(Option<String>, Option<DeliveryEnd>)>) -> Value {
    let mut again: Vec<String> = Vec::new();
    for (id, ending) in endings {
        match (id, ending) {
            (_, Some(DeliveryEnd::Acknowledged)) => {}
            (Some(id), _) if !again.contains(&id) => again.push(id),
            (Some(_), _) => {}
            (None, _) => tracing::error!(
                "a message without an ID can't be asked for again; the reconciler looks after its file"
            ),
        }
    }
    let again = again.iter().map(|id| json!({"itemIdentifier": id}));
    json!({"batchItemFailures": again.collect::<Vec<_>>()})
}

fn read(event: &[u8]) -> Result<Asked, EventError> {
    let unknown = || {
        EventError {
        kind: "UnknownEvent",
        message: "the event is neither one of SQS nor a task: {\"task\":\"reconcile\"} or {\"task\":\"sweep\"}"
            .into(),
    }
    };
    let event: SomeEvent = serde_json::from_slice(event).map_err(|_| unknown())?;
    match (event.records, event.task, event.source.as_deref()) {
        (Some(records), None, None) if !records.is_empty() && records.iter().all(is_of_sqs) => {
            Ok(Asked::Settle(records.into_iter().map(message).collect()))
        }
        (None, Some(task), _) => Ok(Asked::Do(task)),
        (None, None, Some(SCHEDULE)) => Ok(Asked::Do(Task::Reconcile)),
        _ => Err(unknown()),
    }
}

fn is_of_sqs(record: &Value) -> bool {
    record["eventSource"] == SQS
}

fn message(record: Value) -> Message {
    let id = record["messageId"].as_str().filter(|id| !id.is_empty());
    let id = id.map(str::to_owned);
    let delivery = serde_json::from_value(record).ok().map(delivery);
    if delivery.is_none() {
        tracing::error!(message_id = id, "a message can't be read as one of SQS");
    }
    Message { id, delivery }
}

fn delivery(record: SqsRecord) -> Delivery {
    let attributes = record.attributes;
    let count = attributes.approximate_receive_count;
    let sent_at = attributes.sent_timestamp.and_then(|it| it.parse().ok());
    Delivery {
        body: record.body,
        receipt_handle: ReceiptHandle::new(record.receipt_handle),
        message_id: record.message_id,
        receive_count: count.and_then(|it| it.parse().ok()).unwrap_or(1),
        sent_at: sent_at.and_then(from_millis),
    }
}

#[cfg(test)]
mod tests;
