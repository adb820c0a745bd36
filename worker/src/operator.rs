//! `file-share-worker inspect` and `… redrive`: settings → queues → what a person asked for → an
//! exit code.
//!
//! Invariant: what was asked for goes to standard output, everything else to standard error; a
//! message's body is shown only to somebody who asks for it, and then without anything that a
//! terminal could take for a command.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use file_share::aws::{AwsSettings, load_sdk_config, sqs_client};
use tokio_util::sync::CancellationToken;

use crate::dead_letters::{
    InspectReport, RedriveOptions, RedriveReport, VISIBILITY_TIMEOUT, inspect, redrive,
};
use crate::event_queue::sqs::{SqsQueue, dead_letter_queue_url};
use crate::event_queue::{EventQueue, MessageSender};
use crate::settings::{DeadLetterSettings, InspectArgs, RedriveArgs};

/// What `--help` says of both commands behind the flags.
pub const AFTER_HELP: &str = "\
The standard AWS variables keep their meaning, among them AWS_REGION and AWS_PROFILE; the stack's
operator policy is enough. Settings that only the worker needs are taken and have no effect.

Exit codes:
  0  done
  1  not all of it could be done: standard error says why
  2  the settings aren't right";

/// How long a receive waits for messages. An empty answer after that means that there are none:
/// unlike one that doesn't wait, it asks all of SQS's servers.
const WAIT_TIME: Duration = Duration::from_secs(2);

struct Queues {
    dead_letters: Arc<dyn EventQueue>,
    queue: Arc<dyn MessageSender>,
}

/// Shows what is in the dead-letter queue, and why.
pub async fn run_inspect(args: &InspectArgs, settings: &DeadLetterSettings) -> ExitCode {
    let queues = match open(settings).await {
        Ok(queues) => queues,
        Err(why) => return failed("inspect", &why),
    };
    let stop = file_share::shutdown::on_signal();
    let reader_went_away = stop.clone();
    let bucket = &settings.worker.common.bucket_name;
    let report = inspect(
        &queues.dead_letters,
        bucket,
        settings.limit,
        &stop,
        |dead_letter, body| {
            let mut lines = format!("{dead_letter}\n");
            if args.body {
                lines += &format!("  {}\n", body.escape_debug());
            }
            if std::io::stdout().write_all(lines.as_bytes()).is_err() {
                reader_went_away.cancel();
            }
        },
    )
    .await;
    match report {
        Ok(report) => {
            eprintln!("{}", inspected(&report));
            ended(&stop)
        }
        Err(error) => failed("inspect", &error.chain()),
    }
}

fn inspected(report: &InspectReport) -> String {
    let InspectReport {
        seen,
        understood,
        more,
    } = report;
    let more = if *more {
        "; there may be more (--limit)"
    } else {
        ""
    };
    format!(
        "{seen} messages in the dead-letter queue: {understood} look fine now, {} aren't \
         understood{more}",
        seen - understood
    )
}

/// Moves messages from the dead-letter queue back to the queue.
pub async fn run_redrive(args: &RedriveArgs, settings: &DeadLetterSettings) -> ExitCode {
    let queues = match open(settings).await {
        Ok(queues) => queues,
        Err(why) => return failed("redrive", &why),
    };
    let stop = file_share::shutdown::on_signal();
    let options = RedriveOptions {
        limit: settings.limit,
        only_understood: args.only_understood,
    };
    let bucket = &settings.worker.common.bucket_name;
    let (report, failure) =
        redrive(&queues.dead_letters, &queues.queue, bucket, options, &stop).await;
    // Nobody may be reading, and what was done is done.
    let _ = writeln!(std::io::stdout(), "{}", redriven(&report));
    if let Some(error) = failure {
        return failed("redrive", &error.chain());
    }
    if report.not_sent + report.doubled > 0 {
        return ExitCode::FAILURE;
    }
    ended(&stop)
}

fn redriven(report: &RedriveReport) -> String {
    let mut text = format!("{} messages were moved back to the queue", report.moved);
    for (count, what) in [
        (report.left, "aren't understood and were left"),
        (report.not_sent, "couldn't be sent and stay"),
        (
            report.doubled,
            "were sent and couldn't be deleted, so they are in both queues, which is harmless",
        ),
    ] {
        if count > 0 {
            text += &format!("; {count} {what}");
        }
    }
    if report.more {
        text += "; there may be more (--limit)";
    }
    text
}

fn ended(stop: &CancellationToken) -> ExitCode {
    if stop.is_cancelled() {
        eprintln!("stopped before the end");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn failed(command: &str, why: &str) -> ExitCode {
    eprintln!("file-share-worker {command} failed: {why}");
    ExitCode::FAILURE
}

async fn open(settings: &DeadLetterSettings) -> Result<Queues, String> {
    let sdk = load_sdk_config(AwsSettings::default())
        .await
        .map_err(|error| error.to_string())?;
    let client = sqs_client(&sdk);
    let queue_url = &settings.worker.queue_url;
    let dead_letter_url = match &settings.dead_letter_queue_url {
        Some(url) => url.clone(),
        None => dead_letter_queue_url(&client, queue_url)
            .await
            .map_err(|error| {
                format!(
                    "the dead-letter queue can't be found by the queue's redrive policy (set \
                     DEAD_LETTER_QUEUE_URL): {}",
                    error.chain()
                )
            })?
            .ok_or("the queue has no dead-letter queue: set DEAD_LETTER_QUEUE_URL")?,
    };
    let dead_letters = SqsQueue::new(client.clone(), dead_letter_url, VISIBILITY_TIMEOUT);
    Ok(Queues {
        dead_letters: Arc::new(dead_letters.with_wait_time(WAIT_TIME)),
        queue: Arc::new(SqsQueue::new(client, queue_url, VISIBILITY_TIMEOUT)),
    })
}
