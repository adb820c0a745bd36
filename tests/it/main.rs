//! The integration tests: everything that needs more than this process.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod api;
mod architecture;
mod contract;
mod dynamodb_store;
mod infrastructure;
mod journey;
mod s3_store;

#[path = "../support"]
mod support {
    pub mod aws_clients;
    pub mod curl;
    pub mod ministack;
    pub mod program;
}
