//! What the clients of AWS do behind a store's call: how long each attempt takes, what is tried again, and how calls end.
//!
//! Invariant: a service and its operation are a pair of this list, or `other` twice; so is how a call ended. What the
//! clients say beside that is in no label.
//!
//! Absent on purpose: how long a call takes with all its attempts, which is the store's figure.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Buckets, Counters, Histograms, Metrics};

/// From an answer of the same zone to the time-out of an attempt, and a receive that waits for messages, in seconds.
const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// What is none of the list.
const OTHER: &str = "other";
/// The calls that the programs make while they run, as the clients name them. The last stands for all others, such as
/// those for credentials and those of a start.
const CALLS: [(&str, &str); 21] = [
    ("DynamoDB", "DeleteItem"),
    ("DynamoDB", "GetItem"),
    ("DynamoDB", "PutItem"),
    ("DynamoDB", "Query"),
    ("DynamoDB", "TransactWriteItems"),
    ("DynamoDB", "UpdateItem"),
    ("S3", "DeleteObject"),
    ("S3", "DeleteObjects"),
    ("S3", "GetBucketVersioning"),
    ("S3", "GetObject"),
    ("S3", "GetObjectRetention"),
    ("S3", "GetObjectTagging"),
    ("S3", "HeadObject"),
    ("S3", "ListObjectVersions"),
    ("S3", "ListObjectsV2"),
    ("S3", "PutObject"),
    ("S3", "PutObjectRetention"),
    ("SQS", "ChangeMessageVisibility"),
    ("SQS", "DeleteMessageBatch"),
    ("SQS", "ReceiveMessage"),
    (OTHER, OTHER),
];
/// How a call ends, by the clients' own names of what went wrong.
const ENDS: [&str; 6] = ["ok", "timeout", "connector", "response", "operation", OTHER];

pub(super) struct AwsInstruments {
    attempts: [Histogram; CALLS.len()],
    retries: [Counter; CALLS.len()],
    ends: [[Counter; ENDS.len()]; CALLS.len()],
}

impl AwsInstruments {
    pub(super) fn registered(registry: Option<&mut Registry>) -> Self {
        let attempts = Histograms::<2>::new_with_constructor(Buckets(BOUNDS));
        let retries = Counters::<2>::default();
        let ends = Counters::<3>::default();
        let labels = |(service, operation)| [("service", service), ("operation", operation)];
        let instruments = Self {
            attempts: CALLS.map(|call| attempts.get_or_create_owned(&labels(call))),
            retries: CALLS.map(|call| retries.get_or_create_owned(&labels(call))),
            ends: CALLS.map(|call| {
                ENDS.map(|end| {
                    let [service, operation] = labels(call);
                    ends.get_or_create_owned(&[service, operation, ("outcome", end)])
                })
            }),
        };
        if let Some(registry) = registry {
            registry.register(
                "file_share_aws_attempt_duration_seconds",
                "How long attempts of calls of AWS took until their answer began, by service and operation",
                attempts,
            );
            registry.register(
                "file_share_aws_retries",
                "Attempts that weren't the first of their call, by service and operation",
                retries,
            );
            registry.register(
                "file_share_aws_calls",
                "Calls of AWS with all their attempts, by service, operation and how they ended; a condition that doesn't hold ends one as operation",
                ends,
            );
        }
        instruments
    }
}

/// A call of AWS, by where it is in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsCall(usize);

impl AwsCall {
    /// Known by the names that the clients give.
    pub fn named(service: &str, operation: &str) -> Self {
        let known = CALLS.iter().position(|&call| call == (service, operation));
        Self(known.unwrap_or(CALLS.len() - 1))
    }
}

impl Metrics {
    /// An attempt of a call is over, the first or a later one.
    pub fn aws_attempted(&self, call: AwsCall, took: Duration, is_first: bool) {
        if let Some(instruments) = &self.0 {
            let of = &instruments.aws;
            of.attempts[call.0].observe(took.as_secs_f64());
            if !is_first {
                of.retries[call.0].inc();
            }
        }
    }

    /// A call is over with all its attempts. `error`: what went wrong, as the clients name it.
    pub fn aws_called(&self, call: AwsCall, error: Option<&str>) {
        if let Some(instruments) = &self.0 {
            let end = ENDS
                .iter()
                .position(|&end| end == error.unwrap_or("ok"))
                .unwrap_or(ENDS.len() - 1);
            instruments.aws.ends[call.0][end].inc();
        }
    }
}
