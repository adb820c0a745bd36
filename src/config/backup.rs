//! The settings of `file-share backup` and `file-share restore`: from where, to where, and what goes along.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use std::path::PathBuf;

use clap::Args;

use super::mode::directory;
use super::{CommonArgs, CommonSettings, Mode, ModeArgs, Problems};

/// What an operator of aws mode is told.
const LOCAL_ALONE: &str = "must be local: in aws mode the table's point-in-time recovery and the bucket's versions are \
                           the backup";

/// The flags of `file-share backup`, as text.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The directory that the backup goes to: one that isn't there yet, or is empty
    #[arg(value_name = "DIRECTORY")]
    pub to: String,
    /// Take the secrets along as well: whoever reads the backup can then sign URLs, links and receipts
    #[arg(long)]
    pub with_secrets: bool,
    /// Where bytes and records are.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The flags of `file-share restore`, as text.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIRECTORY")]
    pub from: String,
    /// Read the whole backup and say whether it could be restored, and restore nothing
    #[arg(long)]
    pub check: bool,
    /// Where it is restored to: DATA_DIR must be a directory that isn't there yet, or is empty.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of `file-share backup`, judged.
#[derive(Debug, Clone)]
pub struct BackupSettings {
    /// The data directory of the service.
    pub from: PathBuf,
    /// The backup.
    pub to: PathBuf,
    /// Whether secrets go along.
    pub with_secrets: bool,
    /// What every program takes.
    pub common: CommonSettings,
}

/// The settings of `file-share restore`, judged.
#[derive(Debug, Clone)]
pub struct RestoreSettings {
    /// The backup.
    pub from: PathBuf,
    /// The data directory; `None`: the backup is only looked through.
    pub to: Option<PathBuf>,
    /// What every program takes.
    pub common: CommonSettings,
}

impl BackupArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<BackupSettings, Problems> {
        Problems::collected(|problems| {
            let common = quiet(&self.common, problems);
            let from = data_dir(&self.mode, problems);
            let to = problems.judge("DIRECTORY", &self.to, directory);
            Some(BackupSettings {
                from: from?,
                to: to?,
                with_secrets: self.with_secrets,
                common: common?,
            })
        })
    }
}

impl RestoreArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<RestoreSettings, Problems> {
        Problems::collected(|problems| {
            let common = quiet(&self.common, problems);
            let to = data_dir(&self.mode, problems);
            let from = problems.judge("DIRECTORY", &self.from, directory);
            Some(RestoreSettings {
                from: from?,
                to: Some(to?).filter(|_| !self.check),
                common: common?,
            })
        })
    }
}

/// What changes in a copy is nothing to tell: the service told it.
fn quiet(args: &CommonArgs, problems: &mut Problems) -> Option<CommonSettings> {
    let common = args.judge(problems)?;
    Some(CommonSettings {
        webhooks: None,
        ..common
    })
}

fn data_dir(args: &ModeArgs, problems: &mut Problems) -> Option<PathBuf> {
    match args.judge(problems)? {
        Mode::Local { data_dir } => Some(data_dir),
        Mode::Aws { .. } => problems.judge("MODE", &args.mode, |_| Err(LOCAL_ALONE.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    enum Cli {
        Backup(BackupArgs),
        Restore(RestoreArgs),
    }

    fn problems(words: &[&str]) -> Option<String> {
        let judged = match Cli::parse_from(std::iter::once(&"file-share").chain(words)) {
            Cli::Backup(args) => args.judge().map(drop),
            Cli::Restore(args) => args.judge().map(drop),
        };
        judged.err().map(|problems| problems.to_string())
    }

    #[test]
    fn only_local_mode_is_backed_up_and_restored() {
        for command in ["backup", "restore"] {
            assert_eq!(problems(&[command, "there", "--mode=local"]), None);
            let said = problems(&[command, "there", "--mode=aws"]).unwrap();
            assert!(said.contains("point-in-time recovery"), "{said}");
            let said = problems(&[command, "", "--data-dir="]).unwrap();
            assert!(
                said.contains("DIRECTORY") && said.contains("DATA_DIR"),
                "{said}"
            );
        }
    }
}
