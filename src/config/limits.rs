//! Limits on what clients may leave: waiting, and for how long.
//!
//! Invariant: each can be turned off by a word and not by a number that nobody reaches.

use std::time::Duration;

use clap::Args;

use super::{Problems, duration};
use crate::domain::LONGEST_RETENTION;

/// The highest number of files that a limit can be set to.
const MOST: u64 = 100_000_000;
/// Between this and [`LONGEST_RETENTION`], how long a file is kept can be limited.
const SHORTEST_KEEP: Duration = Duration::from_secs(1);
/// An address may have one of so many of all files that may be pending, unless it is set.
const ADDRESS_PART: u64 = 10;

/// The flags that bound what clients may leave waiting, as text.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// How many files may wait for their bytes at a time; off: any number (local mode)
    #[arg(
        long,
        env = "MAX_PENDING_FILES",
        default_value = "100000",
        value_name = "FILES|off"
    )]
    pub max_pending_files: String,
    /// How many of them one address may have. Left out, a tenth of them. Behind a proxy that TRUSTED_PROXIES doesn't
    /// name all clients have one address (local mode)
    #[arg(long, env = "MAX_PENDING_PER_ADDRESS", value_name = "FILES|off")]
    pub max_pending_per_address: Option<String>,
    /// How long a file is kept at the most: from then on it is deleted, or sooner if whoever creates it says so.
    /// off: until somebody deletes it
    #[arg(long, env = "MAX_KEEP", default_value = "off", value_name = "TIME|off")]
    pub max_keep: String,
    /// How long a file has to be kept: nobody can delete it before, from when its bytes came. It holds for files that are
    /// created from then on. off: not at all
    #[arg(
        long,
        env = "RETENTION",
        default_value = "off",
        value_name = "TIME|off"
    )]
    pub retention: String,
}

/// `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// How many files may be pending at a time (local mode).
    pub max_pending_files: Option<u64>,
    /// How many of them one address may have (local mode); a tenth of all unless it was set.
    pub max_pending_per_address: Option<u64>,
    /// How long a file is kept at the most; `None`: until somebody deletes it.
    pub max_keep: Option<Duration>,
    /// How long a file has to be kept; `None`: not at all.
    pub retention: Option<Duration>,
}

impl LimitArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub fn judge(&self, problems: &mut Problems) -> Option<LimitSettings> {
        let all = problems.judge("MAX_PENDING_FILES", &self.max_pending_files, limit);
        let of_each = match self.max_pending_per_address.as_deref() {
            None | Some("") => all.map(|all| all.map(|files| (files / ADDRESS_PART).max(1))),
            Some(text) => problems.judge("MAX_PENDING_PER_ADDRESS", text, limit),
        };
        let max_keep = problems.judge("MAX_KEEP", &self.max_keep, time);
        let retention = problems.judge("RETENTION", &self.retention, time);
        if let (Some(Some(most)), Some(Some(least))) = (max_keep, retention)
            && most < least
        {
            let why = "must not be shorter than RETENTION: files can't be deleted before that";
            problems.refuse("MAX_KEEP", why);
            return None;
        }
        Some(LimitSettings {
            max_pending_files: all?,
            max_pending_per_address: of_each?,
            max_keep: max_keep?,
            retention: retention?,
        })
    }
}

/// How long; `None` for off.
fn time(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "off" => Ok(None),
        text => duration(text, SHORTEST_KEEP, LONGEST_RETENTION).map(Some),
    }
}

fn limit(text: &str) -> Result<Option<u64>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .ok()
        .filter(|files| (1..=MOST).contains(files))
        .map(Some)
        .ok_or_else(|| format!("must be a number of files from 1 to {MOST}, or off"))
}
