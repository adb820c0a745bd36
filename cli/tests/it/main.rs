//! The command line as people and programs use it: the real `fshare` against the real service in local
//! mode, or against a stub where the service doesn't misbehave on demand.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod boxes;
mod doctor;
mod doctor_aws;
mod doctoring_setup;
mod download_targets;
mod downloads;
mod folders;
mod forward_proxies;
mod future_service;
mod holds;
mod hostile_server;
mod interfaces;
mod links;
mod opening;
mod qr;
mod receipts;
mod reverse_proxies;
mod signing_in;
mod stub;
mod support;
mod uploads;
mod webhooks;

/// The AWS stand-in, the programs in aws mode, reverse proxies, and curl.
#[allow(
    dead_code,
    reason = "the integration tests' support, of which these need a part"
)]
#[path = "../../../tests/support"]
mod aws_support {
    pub(crate) mod clamd;
    pub(crate) mod curl;
    pub(crate) mod ministack;
    pub(crate) mod program;
    pub(crate) mod reverse_proxy;
}
