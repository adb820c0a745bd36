//! What is said of files: to upload, list, download and delete them, and of their receipts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Secret;
use crate::file_end::FileEnd;

/// What stands before the first `=`, and what behind it. The service judges both.
fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be a name, = and a text, such as course=INF-1".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Upload {
    /// Files; folders with everything in them; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How many to upload at a time
    #[arg(long, short, default_value_t = 4, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=32))]
    pub jobs: u16,
    /// The name that people see, if only one file is uploaded; needed for standard input
    #[arg(long)]
    pub name: Option<String>,
    /// How many bytes standard input has; any other number is refused before anything is sent
    #[arg(long, value_name = "BYTES")]
    pub size: Option<u64>,
    /// When the service is to delete the files: after a time, such as 12h or 7d, or at one, such as
    /// 2027-01-31T09:05:00+01:00
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub delete_after: Option<FileEnd>,
    /// What the service keeps with each file: up to 16 texts by name, which `info` shows
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub metadata: Vec<(String, String)>,
    /// Show the QR code of each link as well, on standard error
    #[arg(long, conflicts_with = "json")]
    pub qr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only files with this status
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N", conflicts_with = "all")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The file's ID, or its link
    #[arg(value_name = "ID|URL")]
    pub file: String,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Status {
    Pending,
    Available,
    Rejected,
    Withdrawn,
    Expired,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The file's ID, or its link, or a link that somebody passed on
    #[arg(value_name = "ID|URL")]
    pub file: String,
    /// Where to write it: a file, a folder, or `-` for standard output; else a file of its name here
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, short)]
    pub force: bool,
    /// The password of a link that somebody passed on. Others on this machine can see arguments: set the variable
    #[arg(long, env = "FILE_SHARE_LINK_PASSWORD", hide_env_values = true)]
    pub password: Option<Secret>,
}

#[derive(Debug, Args)]
pub(crate) struct Receipt {
    /// The file's ID, or its link
    #[arg(value_name = "ID|URL")]
    pub file: String,
    /// Where to write it: a file, or a folder; else standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, short)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The receipt; `-` for standard input
    #[arg(value_name = "RECEIPT")]
    pub receipt: PathBuf,
    /// A file that may be the one of the receipt
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A file with the service's keys, instead of asking the service for them
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The files' IDs, or their links
    #[arg(required = true, value_name = "ID|URL")]
    pub files: Vec<String>,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The files' IDs, or their links
    #[arg(required = true, value_name = "ID|URL")]
    pub files: Vec<String>,
    /// Why, such as the number of a case: a line of at most 500 characters, which only those see who run the service
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Unhold {
    /// The files' IDs, or their links
    #[arg(required = true, value_name = "ID|URL")]
    pub files: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// The files' IDs, or their links
    #[arg(required = true, value_name = "ID|URL")]
    pub files: Vec<String>,
    /// Until when: for a time from now, such as 90d, or until one, such as 2036-01-31T09:05:00+01:00. It can be moved
    /// forward later, and never back
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub until: FileEnd,
}
