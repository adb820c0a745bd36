//! What is said of the service itself: who may, what is wrong with it, what it tells.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Secret;

const WEBHOOK: &str = "It says what to start the service with. What is signed by another secret, old or changed is shown and refused (401).
Ctrl-C ends it.";

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Receive them on this machine, and show each with whether its signature is right
    #[command(after_help = WEBHOOK)]
    Listen(WebhookListen),
}

#[derive(Debug, Args)]
pub(crate) struct WebhookListen {
    /// The port to listen on, on this machine alone; 0: any that is free
    #[arg(long, default_value_t = 9000, value_name = "PORT")]
    pub port: u16,
    /// What they are signed with, as the service's WEBHOOK_SECRET; left out, one is made and shown. Others on this
    /// machine can see flags, so set the variable
    #[arg(
        long,
        env = "WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRETS"
    )]
    pub secret: Option<Secret>,
}

#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    pub command: Option<TokensCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// End tokens for good
    Revoke {
        /// The tokens' IDs, from the list
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The origin of the pages that shall upload, if it isn't the service's own
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// How long any other check may take, in seconds; up and down, the test file may take 300 in any case
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    pub check_limit: u64,
    /// For how long to wait for the store's notification, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    pub notification_limit: u64,
    /// Also send the test file of EICAR, which every scanner calls a virus and which is none, and see that it is
    /// kept back. Virus scanners on the way, and on this machine, may notice it too
    #[arg(long)]
    pub scanner: bool,
    #[command(flatten)]
    pub aws: Aws,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct Aws {
    /// Also have the service's program look at bucket, queue and table (`file-share check --setup`), with
    /// the credentials and the region of the environment; the stack's OperatorPolicy is enough
    #[arg(long)]
    pub aws: bool,
    /// The service's program, for --aws
    #[arg(long, env = "FILE_SHARE_PROGRAM", value_name = "PROGRAM")]
    #[arg(default_value = "file-share")]
    pub file_share: PathBuf,
    /// As the service's
    #[arg(long, env, value_name = "NAME", default_value = "file-share-bucket")]
    pub bucket_name: String,
    /// As the service's
    #[arg(long, env, value_name = "NAME", default_value = "FileMetadata")]
    pub table_name: String,
    /// As the worker's
    #[arg(long, env, value_name = "URL", required_if_eq("aws", "true"))]
    pub queue_url: Option<String>,
}
