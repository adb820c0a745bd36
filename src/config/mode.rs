//! Where bytes and records are kept.
//!
//! Invariant: every program and command understands `MODE` and `DATA_DIR` alike.

use std::path::PathBuf;

use clap::Args;
use http::Uri;

use super::Problems;

/// Where bytes and records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// On this machine: objects and a database in one directory, used by one process at a time.
    Local {
        /// Where both are, with the signing secret. The service makes it if it isn't there.
        data_dir: PathBuf,
    },
    /// In S3 and DynamoDB, of any number of processes.
    Aws {
        /// The endpoint that URLs are signed for; `None`: the one that the service itself uses.
        s3_public_endpoint_url: Option<Uri>,
    },
}

/// The flags of commands that open the stores and hand out no URLs.
#[derive(Debug, Clone, Args)]
pub struct ModeArgs {
    /// Where bytes and records are kept: local (this machine) or aws (S3 and DynamoDB)
    #[arg(long, env = "MODE", default_value = "local", value_name = "local|aws")]
    pub mode: String,
    /// Where local mode keeps files and records
    #[arg(
        long,
        env = "DATA_DIR",
        default_value = "data",
        value_name = "DIRECTORY"
    )]
    pub data_dir: String,
}

impl ModeArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub fn judge(&self, problems: &mut Problems) -> Option<Mode> {
        let data_dir = problems.judge("DATA_DIR", &self.data_dir, directory);
        let is_local = problems.judge("MODE", &self.mode, is_local)?;
        Some(match is_local {
            true => Mode::Local {
                data_dir: data_dir?,
            },
            false => Mode::Aws {
                s3_public_endpoint_url: None,
            },
        })
    }
}

pub(super) fn is_local(text: &str) -> Result<bool, String> {
    match text {
        "local" => Ok(true),
        "aws" => Ok(false),
        _ => Err("must be local or aws".into()),
    }
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("must name a directory".into()),
        text => Ok(PathBuf::from(text)),
    }
}
