//! `fshare doctor --aws`: whether bucket, queue and table are set up as the service needs them, as the
//! service's own program says (`file-share check --json --setup`).
//!
//! **Invariant:** every line of that program's is said as a check of this one's, and what it doesn't say is
//! never ✓. It ends with this program, and its output is bounded.
//!
//! **Absent on purpose:** calls to AWS. Only the service's programs need its SDK.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::report::{CheckFailure, Report};
use crate::arguments;
use crate::error::CliError;

/// The most that is read of the program's output.
const MAX_OUTPUT: u64 = 1024 * 1024;
/// The most that is shown of what it said when it failed.
const MAX_COMPLAINT: u64 = 1_000;
const NAME: &str = "aws";

/// A program that is running, and ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has `file-share check --setup` look at bucket, queue and table, and passes on what it finds.
///
/// # Errors
/// Nobody reads what is said any more.
pub(super) async fn look(
    arguments: &arguments::Aws,
    limit: Duration,
    report: &mut Report<'_>,
) -> Result<(), CliError> {
    let program = &arguments.file_share;
    let mut child = match start(arguments) {
        Ok(child) => Running(child),
        Err(error) => {
            let failure_of = CheckFailure::Hidden {
                because: format!("{} can't be started: {error}", program.display()),
                remedy: "install the service's program `file-share` here, or name it with --file-share or \
                       FILE_SHARE_PROGRAM"
                    .to_owned(),
            };
            return report.finding(NAME, failure_of);
        }
    };
    let mut lines = lines_of(&mut child.0);
    let complaint = complaint_of(&mut child.0);
    let mut seen = 0;
    loop {
        let Ok(line) = timeout(limit, lines.recv()).await else {
            let said = format!(
                "{} said nothing for {} s",
                program.display(),
                limit.as_secs()
            );
            let remedy = "see the network from here to AWS, or allow more with --check-limit";
            return report.finding(NAME, CheckFailure::wrong(said, remedy));
        };
        let Some(line) = line else { break };
        let value = serde_json::from_str(&line).unwrap_or(Value::Null);
        if !report.relay(&value)? {
            let said = format!("{} says something else than checks", program.display());
            return report.finding(NAME, CheckFailure::wrong(said, SAME_VERSION));
        }
        seen += 1;
    }
    // It has closed its output, and is about to end.
    let ended = tokio::task::spawn_blocking(move || child.0.wait());
    let code = ended.await.ok().and_then(|ended| ended.ok()?.code());
    let complaint = complaint.await.unwrap_or_default();
    match code {
        Some(0 | 1) if seen > 0 => Ok(()),
        code => {
            let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
            let said = format!("{} ended with {code}: {complaint}", program.display());
            report.finding(NAME, CheckFailure::wrong(said, SAME_VERSION))
        }
    }
}

const SAME_VERSION: &str = "correct the settings that it names; if it names none, see that it is the service's program, and as new as this one";

/// With this program's environment, which has credentials and region.
fn start(arguments: &arguments::Aws) -> std::io::Result<Child> {
    Command::new(&arguments.file_share)
        .args(["check", "--json", "--setup"])
        .env("MODE", "aws")
        .env("BUCKET_NAME", &arguments.bucket_name)
        .env("TABLE_NAME", &arguments.table_name)
        .env(
            "QUEUE_URL",
            arguments.queue_url.as_deref().unwrap_or_default(),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// The lines of its standard output, as they come.
fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let lines = BufReader::new(output.take(MAX_OUTPUT)).lines();
            for line in lines.map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

/// The beginning of what it says on standard error. All of it is read, else it would stand still.
fn complaint_of(child: &mut Child) -> oneshot::Receiver<String> {
    let (sender, receiver) = oneshot::channel();
    if let Some(mut errors) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut complaint = Vec::new();
            let mut beginning = errors.by_ref().take(MAX_COMPLAINT);
            let _ = beginning.read_to_end(&mut complaint);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            let complaint = String::from_utf8_lossy(&complaint);
            let words: Vec<&str> = complaint.split_whitespace().collect();
            let _ = sender.send(words.join(" "));
        });
    }
    receiver
}
