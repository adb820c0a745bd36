//! What the AWS implementations of the ports have in common: how clients are built, how a failed call
//! is put into words, what is counted of calls, and what time a service says that it is.
//!
//! Invariant: every call to AWS has a time-out and a bounded number of attempts.
//!
//! Absent on purpose: the ports themselves. They are in the folder of the port that they implement.

mod answer_date;
mod call_metrics;
mod clients;
mod failure;
mod refusal;
pub mod setup_checks;
mod startup_problem;

pub use answer_date::{AnswerDate, NoDate, refused_at};
pub use call_metrics::count_calls;
pub use clients::{
    AwsSettings, MissingRegion, dynamodb_client, load_sdk_config, s3_client, s3_endpoint_url,
    sqs_client,
};
pub use failure::{Failure, unavailable};
pub use refusal::Refusal;
pub use startup_problem::{Asked, ClockOff, StartupProblem, findings};
