//! The settings of `file-share scrub`: where bytes and records are, and how to go through them.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use std::num::NonZeroU64;

use clap::Args;

use super::{CommonArgs, CommonSettings, Mode, ModeArgs, Problems, bytes};
use crate::domain::FileId;

/// The flags of `file-share scrub`, as text.
#[derive(Debug, Clone, Args)]
pub struct ScrubArgs {
    /// Go on behind this file, with the older ones: the ID that the end of an earlier scrub names
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// The most that is read on average a second, in bytes or as 10MiB; as fast as it goes where it is
    /// left out
    #[arg(long, value_name = "SIZE")]
    pub max_bytes_per_second: Option<String>,
    /// Where bytes and records are.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of `file-share scrub`, judged.
#[derive(Debug, Clone)]
pub struct ScrubSettings {
    /// The file to go on behind, with older ones; `None` begins at the newest.
    pub after: Option<FileId>,
    /// The most that is read on average, in bytes a second; `None`: no limit.
    pub max_bytes_per_second: Option<NonZeroU64>,
    /// Where bytes and records are; in aws mode without an endpoint for clients.
    pub mode: Mode,
    /// What every program takes.
    pub common: CommonSettings,
}

impl ScrubArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<ScrubSettings, Problems> {
        Problems::collected(|problems| self.judge_all(problems))
    }

    fn judge_all(&self, problems: &mut Problems) -> Option<ScrubSettings> {
        let common = self.common.judge(problems);
        let mode = self.mode.judge(problems);
        let after = match &self.after {
            None => Some(None),
            Some(text) => problems
                .judge("--after", text, |text| {
                    FileId::parse(text).map_err(|error| error.to_string())
                })
                .map(Some),
        };
        let rate = match &self.max_bytes_per_second {
            None => Some(None),
            Some(text) => problems
                .judge("--max-bytes-per-second", text, |text| {
                    let rate = bytes(text, 1, u64::MAX)?;
                    NonZeroU64::new(rate).ok_or_else(|| "must be 1 or more".to_owned())
                })
                .map(Some),
        };
        Some(ScrubSettings {
            after: after?,
            max_bytes_per_second: rate?,
            mode: mode?,
            common: common?,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ScrubArgs,
    }

    fn judge(flags: &[&str]) -> Result<ScrubSettings, Problems> {
        Cli::parse_from(std::iter::once(&"scrub").chain(flags))
            .args
            .judge()
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let message = judge(&[
            "--after=hello.txt",
            "--max-bytes-per-second=0",
            "--mode=cloud",
            "--data-dir=",
        ])
        .unwrap_err()
        .to_string();
        for name in ["--after", "--max-bytes-per-second", "MODE", "DATA_DIR"] {
            assert!(
                message.contains(&format!("  {name}:")),
                "{name} isn't named in:\n{message}"
            );
        }
    }

    #[test]
    fn a_scrub_begins_at_the_newest_file_and_is_as_fast_as_it_can_be() {
        let settings = judge(&[]).unwrap();
        assert_eq!(settings.after, None);
        assert_eq!(settings.max_bytes_per_second, None);
        let id = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";
        let settings = judge(&["--after", id, "--max-bytes-per-second=1000000"]).unwrap();
        assert_eq!(settings.after.unwrap().to_string(), id);
        assert_eq!(settings.max_bytes_per_second, NonZeroU64::new(1_000_000));
    }
}
