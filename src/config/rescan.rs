//! The settings of `file-share rescan`: where bytes and records are, which files are meant, and what is done with them.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't. It doesn't start without a
//! scanner, since it would call everything clean.

use clap::Args;

use super::{CommonArgs, CommonSettings, Mode, ModeArgs, Problems, ScannedBy};
use crate::domain::{FileId, Timestamp};

/// It tags what comes, once.
const NO_CLAMD: &str =
    "guardduty scans by itself, when a file comes: name a clamd to scan files again";

/// The flags of `file-share rescan`, as text.
#[derive(Debug, Clone, Args)]
pub struct RescanArgs {
    /// The files to scan again; all that are available where none is named
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Only files that were created then or later, such as 2026-05-01 or 2026-05-01T08:00:00Z
    #[arg(long, value_name = "DATE", conflicts_with = "ids")]
    pub since: Option<String>,
    /// Go on behind this file, with the older ones: the ID that the end of an earlier rescan names
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    pub after: Option<String>,
    /// Only say what would be withdrawn. In local mode that can be done while the service runs
    #[arg(long)]
    pub dry_run: bool,
    /// Withdraw also what the scanner can't look into, where SCAN_UNSCANNABLE=reject. Left out, it is named and stays
    #[arg(long)]
    pub withdraw_unscannable: bool,
    /// The most files that are withdrawn in this run: something found in one more ends it
    #[arg(long, value_name = "NUMBER", default_value = "10")]
    pub limit: String,
    /// Where bytes and records are.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of `file-share rescan`, judged.
#[derive(Debug, Clone)]
pub struct RescanSettings {
    /// The files that are meant; none: all.
    pub ids: Vec<FileId>,
    /// None that was created before.
    pub since: Option<Timestamp>,
    /// The file to go on behind, with older ones; `None` begins at the newest.
    pub after: Option<FileId>,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// Whether those are withdrawn too that the scanner can't look into.
    pub withdraw_unscannable: bool,
    /// The most files that are withdrawn.
    pub limit: u64,
    /// Where bytes and records are; in aws mode without an endpoint for clients.
    pub mode: Mode,
    /// What every program takes.
    pub common: CommonSettings,
}

impl RescanArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<RescanSettings, Problems> {
        Problems::collected(|problems| self.judge_all(problems))
    }

    fn judge_all(&self, problems: &mut Problems) -> Option<RescanSettings> {
        let common = self.common.judge(problems);
        let mode = self.mode.judge(problems);
        let file_id = |text: &str| FileId::parse(text).map_err(|error| error.to_string());
        let ids: Option<Vec<FileId>> = self
            .ids
            .iter()
            .map(|text| problems.judge("ID", text, file_id))
            .collect::<Vec<_>>()
            .into_iter()
            .collect();
        let after = match &self.after {
            None => Some(None),
            Some(text) => problems.judge("--after", text, file_id).map(Some),
        };
        let since = match &self.since {
            None => Some(None),
            Some(text) => problems.judge("--since", text, moment).map(Some),
        };
        let limit = problems.judge("--limit", &self.limit, |text| {
            let number = text.parse().map_err(|_| "must be a number of files");
            number.map_err(str::to_owned)
        });
        let common = common?;
        let text = self.common.scanner.scanner.as_deref().unwrap_or_default();
        problems.judge("SCANNER", text, |_| match common.scanner.by {
            ScannedBy::Clamd(_) => Ok(()),
            ScannedBy::GuardDuty => Err(NO_CLAMD.to_owned()),
            ScannedBy::NotSaid | ScannedBy::Nothing => {
                Err("has to name what scans, such as clamd:127.0.0.1:3310".to_owned())
            }
        })?;
        Some(RescanSettings {
            ids: ids?,
            since: since?,
            after: after?,
            dry_run: self.dry_run,
            withdraw_unscannable: self.withdraw_unscannable,
            limit: limit?,
            mode: mode?,
            common,
        })
    }
}

/// A day begins at midnight in UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = match text.contains('T') {
        true => text.to_owned(),
        false => format!("{text}T00:00:00Z"),
    };
    chrono::DateTime::parse_from_rfc3339(&whole)
        .map(|at| at.to_utc())
        .map_err(|_| {
            "must be a date, such as 2026-05-01, or a time, such as 2026-05-01T08:00:00Z".into()
        })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::domain::format_timestamp;

    const ID: &str = "0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";
    const SCANNER: &str = "--scanner=clamd:127.0.0.1:3310";

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: RescanArgs,
    }

    fn judge(flags: &[&str]) -> Result<RescanSettings, Problems> {
        Cli::parse_from(std::iter::once(&"rescan").chain(flags))
            .args
            .judge()
    }

    #[test]
    fn without_a_scanner_nothing_is_rescanned() {
        for flags in [&[][..], &["--scanner=off"]] {
            let message = judge(flags).unwrap_err().to_string();
            assert!(message.contains("\n  SCANNER:"), "{message}");
        }
        let guardduty = judge(&["--scanner=guardduty", "--mode=aws"]);
        let message = guardduty.unwrap_err().to_string();
        assert!(message.contains("name a clamd"), "{message}");
        assert!(judge(&[SCANNER]).unwrap().ids.is_empty());
    }

    #[test]
    fn few_files_are_withdrawn_unless_more_are_allowed() {
        assert_eq!(judge(&[SCANNER]).unwrap().limit, 10);
        assert_eq!(judge(&[SCANNER, "--limit=500"]).unwrap().limit, 500);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let wrong = [
            SCANNER,
            "--after=x",
            "--since=yesterday",
            "--mode=cloud",
            "--limit=many",
        ];
        let message = judge(&wrong).unwrap_err().to_string();
        for name in ["--after", "--since", "MODE", "--limit"] {
            assert!(message.contains(&format!("\n  {name}:")), "{message}");
        }
        let message = judge(&[SCANNER, "x", ID]).unwrap_err().to_string();
        assert!(message.contains("\n  ID:"), "{message}");
    }

    #[test]
    fn files_are_named_or_those_since_a_day() {
        assert_eq!(judge(&[SCANNER, ID]).unwrap().ids[0].to_string(), ID);
        for (text, at) in [
            ("2026-05-01", "2026-05-01T00:00:00.000Z"),
            ("2026-05-01T08:00:00+02:00", "2026-05-01T06:00:00.000Z"),
        ] {
            let since = judge(&[SCANNER, "--since", text]).unwrap().since.unwrap();
            assert_eq!(format_timestamp(since), at);
        }
    }
}
