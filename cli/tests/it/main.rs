//! The command line as people and programs use it: the real `fshare` against the real service in local
//! mode, or against a stub where the service doesn't misbehave on demand.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod doctoring;
mod downloads;
mod interfaces;
mod opening;
mod stub;
mod support;
mod uploads;
