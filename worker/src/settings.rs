//! The worker's settings: those of both programs, and the queue.
//!
//! Invariant: as everywhere, the program starts with all of them right or names all that aren't.

use clap::Args;
use file_share::config::{self, CommonArgs, CommonSettings, Problems};

#[derive(Debug, Clone, Args)]
pub struct WorkerArgs {
    /// The URL of the SQS queue that the bucket's notifications come through (required)
    #[arg(long, env = "QUEUE_URL", value_name = "URL")]
    pub queue_url: Option<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub queue_url: String,
    pub common: CommonSettings,
}

impl WorkerArgs {
    /// # Errors
    /// Everything that is wrong or missing, at once.
    pub fn judge(&self) -> Result<WorkerSettings, Problems> {
        let mut problems = Problems::default();
        let settings = self.judge_all(&mut problems);
        settings.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn judge_all(&self, problems: &mut Problems) -> Option<WorkerSettings> {
        let queue_url = match self.queue_url.as_deref().map(str::trim) {
            None | Some("") => {
                problems.missing("QUEUE_URL", "is missing, and has no default");
                None
            }
            // The SDK takes the URL as text; this only makes sure that it is one.
            Some(text) => problems
                .judge("QUEUE_URL", text, config::url)
                .map(|_| text.to_owned()),
        };
        let common = self.common.judge(problems);
        Some(WorkerSettings {
            queue_url: queue_url?,
            common: common?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: WorkerArgs,
    }

    fn judge(flags: &[&str]) -> Result<WorkerSettings, Problems> {
        Cli::parse_from(std::iter::once(&"file-share-worker").chain(flags))
            .args
            .judge()
    }

    #[test]
    fn everything_that_is_wrong_or_missing_is_named_at_once() {
        let message = judge(&[
            "--bucket-name=My_Bucket",
            "--table-name=t",
            "--reconcile-interval=soon",
            "--upload-grace=-1s",
            "--log-format=xml",
        ])
        .unwrap_err()
        .to_string();
        for name in [
            "QUEUE_URL",
            "BUCKET_NAME",
            "TABLE_NAME",
            "RECONCILE_INTERVAL",
            "UPLOAD_GRACE",
            "LOG_FORMAT",
        ] {
            assert!(message.contains(name), "{name} is missing in {message}");
        }
    }

    #[test]
    fn a_queue_that_is_no_url_is_refused() {
        for text in ["--queue-url=", "--queue-url=my-queue"] {
            let message = judge(&[text]).unwrap_err().to_string();
            assert!(message.contains("QUEUE_URL"), "{message}");
        }
    }

    #[test]
    fn only_the_queue_has_no_default() {
        let url = "https://sqs.eu-central-1.amazonaws.com/111122223333/file-share-events";
        let settings = judge(&["--queue-url", url, "--upload-grace=20m"]).unwrap();
        assert_eq!(settings.queue_url, url);
        assert_eq!(settings.common.bucket_name, "file-share-bucket");
        assert_eq!(
            settings.common.lifecycle.upload_grace,
            Duration::from_secs(20 * 60)
        );
    }
}
