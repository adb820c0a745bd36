//! The worker's settings: those of both programs, and the queue.
//!
//! Invariant: as everywhere, the program starts with all of them right or names all that aren't.

use std::time::Duration;

use clap::Args;
use file_share::config::{self, CommonArgs, CommonSettings, Problems};

use crate::event_queue::MAX_DELAY;

/// The shortest visibility timeout. It is renewed when half of it is over, and a renewal may take a
/// second or two.
const MIN_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Args)]
pub struct WorkerArgs {
    /// The URL of the SQS queue that the bucket's notifications come through (required)
    #[arg(long, env = "QUEUE_URL", value_name = "URL")]
    pub queue_url: Option<String>,
    /// How long a message stays hidden from the other workers once this one has it; renewed while
    /// the work goes on. It is also how long the messages of a worker that was killed are waited for
    #[arg(
        long,
        env = "VISIBILITY_TIMEOUT",
        default_value = "60s",
        value_name = "TIME"
    )]
    pub visibility_timeout: String,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub queue_url: String,
    pub visibility_timeout: Duration,
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
        let visibility_timeout =
            problems.judge("VISIBILITY_TIMEOUT", &self.visibility_timeout, |text| {
                config::duration(text, MIN_VISIBILITY_TIMEOUT, MAX_DELAY)
            });
        let common = self.common.judge(problems);
        Some(WorkerSettings {
            queue_url: queue_url?,
            visibility_timeout: visibility_timeout?,
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
            "--visibility-timeout=4s",
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
            "VISIBILITY_TIMEOUT",
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
    fn a_message_is_hidden_for_5_seconds_to_12_hours() {
        let url = "--queue-url=http://127.0.0.1:9/queue";
        for (text, is_right) in [("5s", true), ("12h", true), ("4s", false), ("13h", false)] {
            let judged = judge(&[url, &format!("--visibility-timeout={text}")]);
            assert_eq!(judged.is_ok(), is_right, "{text}");
        }
    }

    #[test]
    fn only_the_queue_has_no_default() {
        let url = "https://sqs.eu-central-1.amazonaws.com/111122223333/file-share-events";
        let settings = judge(&["--queue-url", url, "--upload-grace=20m"]).unwrap();
        assert_eq!(settings.queue_url, url);
        assert_eq!(settings.visibility_timeout, Duration::from_secs(60));
        assert_eq!(settings.common.bucket_name, "file-share-bucket");
        assert_eq!(
            settings.common.lifecycle.upload_grace,
            Duration::from_secs(20 * 60)
        );
    }
}
