//! The integration tests: everything that needs more than this process.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod access;
mod addresses;
mod api;
mod api_tokens;
mod architecture;
mod audit;
mod aws_faults;
mod boxes;
mod callers;
mod check;
mod clients;
mod cognito;
mod completion;
mod compose;
mod contract;
mod crash;
mod create_limits;
mod data_dir;
mod dead_letters;
mod documents;
mod dynamodb_store;
mod event_queue;
mod events;
mod explorer;
mod form_uploads;
mod full_disk;
mod fuzz_corpora;
mod guide;
mod hostile_http;
mod hosts;
mod idempotency;
mod infrastructure;
mod issuer_sessions;
mod issuer_sign_in;
mod items;
mod journey;
mod kept_files;
mod links;
mod local_endpoint;
mod local_faults;
mod local_versions;
mod metadata;
mod names;
mod oidc;
mod original_behaviours;
mod orphans;
mod other_pages;
mod overload;
mod packages;
mod pairing_stores;
mod pairings;
mod programs;
mod readme;
mod receipts;
mod refusal_log;
mod revocation_stores;
mod role_access;
mod s3_store;
mod schemathesis;
mod scrub;
mod security;
mod served_pages;
mod slow_uploads;
mod start_check;
mod store_markers;
mod store_sequences;
mod stores;
mod tokens;
mod web_page;

#[path = "../support"]
mod support {
    pub(crate) mod aws_clients;
    pub(crate) mod curl;
    pub(crate) mod fault_proxy;
    pub(crate) mod hang_up;
    pub(crate) mod issuer;
    pub(crate) mod local_store;
    pub(crate) mod ministack;
    pub(crate) mod node_tests;
    pub(crate) mod program;
    pub(crate) mod recording_proxy;
    pub(crate) mod reverse_proxy;
    pub(crate) mod small_disk;
}
