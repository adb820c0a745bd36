//! File Share Service: a control plane that hands out presigned URLs and keeps metadata, while the
//! bytes go straight between clients and the object store.
//!
//! An upload has two steps. A client creates a file and gets a presigned PUT; it sends the bytes to
//! the store. The store's own notification then makes `finalize_upload` measure and hash what
//! arrived, and only then is the file available.

pub mod access;
#[cfg(feature = "server")]
pub mod adopt;
#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod audit_verify;
pub mod aws;
#[cfg(feature = "server")]
pub mod backup;
#[cfg(feature = "server")]
pub mod boxes;
#[cfg(feature = "server")]
pub mod capability_token;
#[cfg(feature = "server")]
pub mod capacity;
#[cfg(feature = "server")]
pub mod check;
pub mod client_address;
pub mod clock;
pub mod config;
#[cfg(feature = "server")]
pub mod cors;
#[cfg(feature = "server")]
pub mod create_limits;
#[cfg(feature = "server")]
pub mod disk_space;
pub mod domain;
pub mod file_events;
pub mod file_types;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod https_client;
pub mod item_store;
#[cfg(feature = "server")]
pub mod links;
#[cfg(feature = "server")]
pub mod local_mode;
pub mod metadata_store;
#[cfg(feature = "server")]
pub mod network_addresses;
pub mod object_store;
pub mod operations;
pub mod own_paths;
#[cfg(feature = "server")]
pub mod owner_only_files;
#[cfg(feature = "server")]
pub mod passwords;
pub mod presigned_url;
pub mod quotas;
pub mod rate_limits;
#[cfg(feature = "server")]
pub mod receipt;
#[cfg(feature = "server")]
pub mod recount;
#[cfg(feature = "server")]
pub mod request_host;
#[cfg(feature = "server")]
pub mod request_log;
#[cfg(feature = "server")]
pub mod rescan;
pub mod scanner;
#[cfg(feature = "server")]
pub mod scrub;
#[cfg(feature = "server")]
pub mod secret_file;
#[cfg(feature = "server")]
pub mod service;
pub mod shutdown;
pub mod start_check;
pub mod store_error;
pub mod store_marker;
pub mod stores;
pub mod telemetry;
#[cfg(feature = "server")]
pub mod web_page;
pub mod webhooks;
