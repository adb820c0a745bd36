//! From the store's 200 to the file's end: that it is noticed, scanned where there is a scanner, and locked where there is
//! a lock.
//!
//! **Invariant:** a file that waits is blamed on what it waits for, and one that is refused on who refused it.

use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use super::remedies::SEE_LOG;
use super::report::{CheckFailure, Passed};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::retry::Deadline;
use crate::wire::Record;

/// How often it is asked whether the file has come to its end: soon at first, then less and less.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the service says of a file whose bytes it has.
const SCANNING: &str = "scanning";
const LOCKING: &str = "locking";
/// Of a file that the scanner refused: for what it found, or since it couldn't look into it.
const BY_SCANNER: [&str; 2] = [INFECTED, "unscannable"];
const INFECTED: &str = "infected";

const NO_NOTIFICATION: &str = "see that a file-share-worker runs with this bucket and queue, that the bucket notifies the \
     queue, and that the queue admits it (`fshare doctor --aws` looks); in local mode, see the service's log. \
     --notification-limit waits longer";
const NO_VERDICT: &str = "see that the scanner runs where SCANNER names it, with its signatures: `file-share check` asks it, \
     and says what it doesn't find. Nothing is lost: files wait for it. --notification-limit waits longer";
const NO_LOCK: &str = "OBJECT_LOCK needs a bucket with Object Lock, and s3:PutObjectRetention for the worker (the stack's \
     parameter ObjectLock gives both; `fshare doctor --aws` looks); the worker's log says what S3 answered";
const NO_SCANNER: &str = "set SCANNER of what settles files (in aws mode that is the worker) to a clamd or to guardduty; \
     `file-share check` says whether that one finds what it has to";
const FALSE_ALARM: &str = "the test file has random bytes: see the scanner's settings and signatures with `file-share check`. \
     What it refused has to be uploaded again";
const CHANGED: &str = "something on the way changes bytes or lengths: a proxy, or a store that doesn't keep what it was sent";

/// Whether the store's notification brings the file to its end.
pub(super) async fn notification(
    service: &ApiClient,
    id: Uuid,
    limit: Duration,
) -> Result<Passed<()>, CheckFailure> {
    let began = Instant::now();
    let settling = Settling::watch(service, id, limit).await?;
    let record = &settling.record;
    if record.is_available() {
        let took = began.elapsed().as_millis();
        let stages = settling.in_words();
        return Ok(Passed::that(format!("it arrived after {took} ms{stages}")));
    }
    let why = record.why_unavailable();
    Err(match reason_code(record) {
        _ if !record.is_final() => settling.unfinished(limit),
        Some(code) if BY_SCANNER.contains(&code) => {
            CheckFailure::wrong(format!("harmless bytes were sent, and {why}"), FALSE_ALARM)
        }
        _ => CheckFailure::wrong(format!("the right bytes were sent, and {why}"), CHANGED),
    })
}

/// Whether the scanner keeps the test virus back.
pub(super) async fn is_found(
    service: &ApiClient,
    id: Uuid,
    limit: Duration,
) -> Result<Passed<()>, CheckFailure> {
    let settling = Settling::watch(service, id, limit).await?;
    let record = &settling.record;
    if record.is_available() {
        let said = "the test virus became available: nothing scans what people upload";
        return Err(CheckFailure::wrong(said, NO_SCANNER));
    }
    if !record.is_final() {
        return Err(settling.unfinished(limit));
    }
    let why = record.why_unavailable();
    match reason_code(record) {
        Some(INFECTED) => Ok(Passed::that(format!("the test virus is kept back: {why}"))),
        _ => Err(CheckFailure::wrong(
            format!("the test virus wasn't scanned, since {why}"),
            SEE_LOG,
        )),
    }
}

fn reason_code(record: &Record) -> Option<&str> {
    record.more.get("reasonCode").and_then(Value::as_str)
}

/// A file on its way to its end, as far as it was seen.
struct Settling {
    record: Record,
    was_scanned: bool,
    was_locked: bool,
}

impl Settling {
    /// Asks again and again, so that the time is known without anything that keeps answers back.
    async fn watch(service: &ApiClient, id: Uuid, limit: Duration) -> Result<Self, CheckFailure> {
        let watched = Self::until_its_end(service, id, Deadline::after(limit)).await;
        watched
            .map_err(|failure| CheckFailure::of(&failure, "the file can't be asked about", SEE_LOG))
    }

    async fn until_its_end(
        service: &ApiClient,
        id: Uuid,
        until: Deadline,
    ) -> Result<Self, CliError> {
        let (mut was_scanned, mut was_locked) = (false, false);
        let mut pause = FIRST_PAUSE;
        loop {
            let record = service.describe(id, until).await?;
            was_scanned |= record.stage() == Some(SCANNING);
            was_locked |= record.stage() == Some(LOCKING);
            if record.is_final() || until.left().is_zero() {
                return Ok(Self {
                    record,
                    was_scanned,
                    was_locked,
                });
            }
            tokio::time::sleep(pause.min(until.left())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What it went through. A stage that is shorter than our pauses isn't seen, so nothing is said of it.
    fn in_words(&self) -> &'static str {
        match (self.was_scanned, self.was_locked) {
            (false, false) => "",
            (true, false) => ", and was scanned on its way",
            (false, true) => ", and was locked on its way",
            (true, true) => ", and was scanned and locked on its way",
        }
    }

    /// That it has not come to its end.
    fn unfinished(&self, limit: Duration) -> CheckFailure {
        let limit = limit.as_secs();
        let state = self.record.state();
        let (what, remedy) = match self.record.stage() {
            Some(SCANNING) => ("no verdict of the scanner", NO_VERDICT),
            Some(LOCKING) => ("no lock", NO_LOCK),
            _ => ("no notification", NO_NOTIFICATION),
        };
        CheckFailure::wrong(
            format!("{what} came in {limit} s: the bytes are there, and the file is still {state}"),
            remedy,
        )
    }
}
