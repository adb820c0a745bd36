//! The settings of `file-share check`: where bytes and records are, and what to look at.
//!
//! Invariant: as everywhere, it starts with all of them right or names all that aren't.

use clap::Args;

use super::scanner::scans_in_its_mode;
use super::{
    CommonArgs, CommonSettings, DownloadArgs, DownloadSettings, Mode, ModeArgs, Problems,
    needs_webhook_secret, url,
};

/// The flags of `file-share check`, as text.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Write one JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
    /// Look at how bucket, queue and table are set up instead (aws mode). The stack's operator policy is
    /// enough for it
    #[arg(long)]
    pub setup: bool,
    /// The URL of the SQS queue that the bucket's notifications come through, for --setup
    #[arg(long, env = "QUEUE_URL", value_name = "URL")]
    pub queue_url: Option<String>,
    /// Where bytes and records are.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Where downloads lead instead of the store.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of `file-share check`, judged.
#[derive(Debug, Clone)]
pub struct CheckSettings {
    /// Whether findings are written as JSON, one object a line.
    pub json: bool,
    /// The queue's URL, if it is the setup that is looked at.
    pub setup: Option<String>,
    /// Where bytes and records are; in aws mode without an endpoint for clients.
    pub mode: Mode,
    /// The distribution that downloads lead to; `None`: to the store.
    pub downloads: Option<DownloadSettings>,
    /// What every program takes.
    pub common: CommonSettings,
}

impl CheckArgs {
    /// Judges all flags. The setup is aws mode's alone, and needs a queue.
    ///
    /// # Errors
    /// Everything that isn't right, at once.
    pub fn judge(&self) -> Result<CheckSettings, Problems> {
        Problems::collected(|problems| self.judge_all(problems))
    }

    fn judge_all(&self, problems: &mut Problems) -> Option<CheckSettings> {
        let common = self.common.judge(problems);
        let mode = self.mode.judge(problems);
        let is_local = mode.as_ref().map(|mode| matches!(mode, Mode::Local { .. }));
        let downloads = self.downloads.judge(is_local, problems);
        if matches!(mode, Some(Mode::Local { .. })) {
            let webhooks = common.as_ref().and_then(|it| it.webhooks.as_ref());
            needs_webhook_secret(webhooks, problems);
            if let Some(common) = &common {
                scans_in_its_mode(&common.scanner, true, problems);
            }
        }
        if self.setup && matches!(mode, Some(Mode::Local { .. })) {
            problems.refuse("--setup", "is about aws mode; set MODE=aws");
        }
        let setup = match (self.setup, self.queue_url.as_deref().map(str::trim)) {
            (false, _) => Some(None),
            (true, None | Some("")) => {
                problems.refuse("QUEUE_URL", "is missing, and --setup needs it");
                None
            }
            (true, Some(text)) => problems
                .judge("QUEUE_URL", text, url)
                .map(|_| Some(text.to_owned())),
        };
        Some(CheckSettings {
            json: self.json,
            setup: setup?,
            mode: mode?,
            downloads: downloads?,
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
        args: CheckArgs,
    }

    fn judge(flags: &[&str]) -> Result<CheckSettings, Problems> {
        Cli::parse_from(std::iter::once(&"check").chain(flags))
            .args
            .judge()
    }

    #[test]
    fn the_setup_is_aws_modes_and_needs_a_queue() {
        let message = judge(&["--setup"]).unwrap_err().to_string();
        for name in ["  --setup: ", "  QUEUE_URL: "] {
            assert!(message.contains(name), "{message}");
        }
        let queue = "http://127.0.0.1:4566/1/q";
        let settings = judge(&["--setup", "--mode=aws", "--queue-url", queue]).unwrap();
        assert_eq!(settings.setup.as_deref(), Some(queue));
        let settings = judge(&["--queue-url", queue]).unwrap();
        assert_eq!(settings.setup, None);
    }
}
