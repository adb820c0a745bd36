//! The worker's settings: those of both programs, and the queue.
//!
//! Invariant: as everywhere, the program starts with all of them right or names all that aren't.

use std::time::Duration;

use clap::Args;
use file_share::config::{self, CommonArgs, CommonSettings, Problems, needs_webhook_secret};

use crate::event_queue::MAX_DELAY;

/// The shortest visibility timeout. It is renewed when half of it is over, and a renewal may take a
/// second or two.
const MIN_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

/// The flags of the worker, as text.
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
    /// What every program takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The settings of the worker, judged.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The SQS queue that the bucket's notifications come through.
    pub queue_url: String,
    /// How long a delivery hides its message from other workers.
    pub visibility_timeout: Duration,
    /// What every program takes.
    pub common: CommonSettings,
}

/// What the commands about the dead-letter queue need besides.
#[derive(Debug, Clone, Args)]
pub struct DeadLetterArgs {
    /// The URL of the dead-letter queue; left out, it is the one that the queue's redrive policy names
    #[arg(long, env = "DEAD_LETTER_QUEUE_URL", value_name = "URL")]
    pub dead_letter_queue_url: Option<String>,
    /// The worker's own flags.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// The flags of `file-share-worker inspect`, as text.
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// How many messages to look at, at most 1000
    #[arg(long, default_value = "100", value_name = "MESSAGES")]
    pub limit: String,
    /// Show the bodies as well, with what can't be printed escaped. They may hold anything
    #[arg(long)]
    pub body: bool,
    /// Which queues.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
}

/// The flags of `file-share-worker redrive`, as text.
#[derive(Debug, Clone, Args)]
pub struct RedriveArgs {
    /// How many messages to look at, at most 1000000
    #[arg(long, default_value = "10000", value_name = "MESSAGES")]
    pub limit: String,
    /// Leave messages that this version doesn't understand either: they would only come back
    #[arg(long)]
    pub only_understood: bool,
    /// Which queues.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
}

/// The most that one inspection looks at: it holds on to every message until it ends.
const MAX_INSPECTED: usize = 1_000;
const MAX_REDRIVEN: usize = 1_000_000;

/// The settings of `inspect` and `redrive`, judged.
#[derive(Debug, Clone)]
pub struct DeadLetterSettings {
    /// The worker's own settings.
    pub worker: WorkerSettings,
    /// The dead-letter queue; `None`: the one that the queue's redrive policy names.
    pub dead_letter_queue_url: Option<String>,
    /// How many messages are looked at, at most.
    pub limit: usize,
}

impl InspectArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that is wrong or missing, at once.
    pub fn judge(&self) -> Result<DeadLetterSettings, Problems> {
        self.dead_letters.judge(&self.limit, MAX_INSPECTED)
    }
}

impl RedriveArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that is wrong or missing, at once.
    pub fn judge(&self) -> Result<DeadLetterSettings, Problems> {
        self.dead_letters.judge(&self.limit, MAX_REDRIVEN)
    }
}

impl DeadLetterArgs {
    fn judge(&self, limit: &str, most: usize) -> Result<DeadLetterSettings, Problems> {
        Problems::collected(|problems| self.judge_all(limit, most, problems))
    }

    fn judge_all(
        &self,
        limit: &str,
        most: usize,
        problems: &mut Problems,
    ) -> Option<DeadLetterSettings> {
        let worker = self.worker.judge_all(problems);
        let dead_letter_queue_url = match self.dead_letter_queue_url.as_deref().map(str::trim) {
            None | Some("") => Some(None),
            Some(text) => problems
                .judge("DEAD_LETTER_QUEUE_URL", text, config::url)
                .map(|_| Some(text.to_owned())),
        };
        let limit = problems.judge("--limit", limit, |text| {
            text.parse()
                .ok()
                .filter(|limit| (1..=most).contains(limit))
                .ok_or_else(|| format!("must be a number of messages from 1 to {most}"))
        });
        Some(DeadLetterSettings {
            worker: worker?,
            dead_letter_queue_url: dead_letter_queue_url?,
            limit: limit?,
        })
    }
}

impl WorkerArgs {
    /// Judges all flags.
    ///
    /// # Errors
    /// Everything that is wrong or missing, at once.
    pub fn judge(&self) -> Result<WorkerSettings, Problems> {
        Problems::collected(|problems| self.judge_all(problems))
    }

    fn judge_all(&self, problems: &mut Problems) -> Option<WorkerSettings> {
        let queue_url = match self.queue_url.as_deref().map(str::trim) {
            None | Some("") => {
                problems.refuse("QUEUE_URL", "is missing, and has no default");
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
        let webhooks = common.as_ref().and_then(|it| it.webhooks.as_ref());
        needs_webhook_secret(webhooks, problems);
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

    #[derive(Parser)]
    struct Redrive {
        #[command(flatten)]
        args: RedriveArgs,
    }

    #[test]
    fn what_is_wrong_with_a_command_about_dead_letters_is_named_at_once_too() {
        let judge = |flags: &[&str]| {
            let args = Redrive::parse_from(std::iter::once(&"redrive").chain(flags)).args;
            args.judge().map_err(|problems| problems.to_string())
        };
        let message =
            judge(&["--limit=0", "--dead-letter-queue-url=x", "--bucket-name=B"]).unwrap_err();
        for name in [
            "--limit",
            "DEAD_LETTER_QUEUE_URL",
            "QUEUE_URL",
            "BUCKET_NAME",
        ] {
            let line = format!("\n  {name}:");
            assert!(message.contains(&line), "{name} is missing in {message}");
        }
        let queue = "--queue-url=https://sqs.eu-central-1.amazonaws.com/111122223333/events";
        let settings = judge(&[queue]).unwrap();
        assert_eq!(
            (settings.limit, settings.dead_letter_queue_url),
            (10_000, None)
        );
        assert!(judge(&[queue, "--limit=1000001"]).is_err());
    }
}
