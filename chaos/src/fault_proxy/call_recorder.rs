//! What went through: which calls there were, and which changes of state the table committed.
//!
//! Invariant: a settlement counts when the table answered 200 to it, whether or not anybody got that
//! answer. The same write, sent again with the same token, is the same settlement.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;

use super::{AwsService, Call, FaultAction};

#[derive(Default)]
pub(crate) struct CallRecorder {
    seen: Mutex<Recorded>,
}

#[derive(Default)]
struct Recorded {
    /// By file: the tokens of the writes that settled it.
    settled: HashMap<String, HashSet<String>>,
    /// Settlements that the table refused, because the file wasn't pending any more.
    too_late: usize,
    /// Messages that the queue says it has removed.
    acknowledged: usize,
    calls: usize,
    /// Of these, by the file that they name.
    about: HashMap<String, usize>,
    faults: usize,
    /// How many calls are being held, by the file that they are about, if they are about one.
    held: HashMap<Option<String>, usize>,
}

impl CallRecorder {
    pub(super) fn saw(&self, call: &Call, action: FaultAction) {
        let mut seen = self.seen.lock().expect("nobody panics in here");
        seen.calls += 1;
        if let Some(id) = &call.file_id {
            *seen.about.entry(id.clone()).or_default() += 1;
        }
        match action {
            FaultAction::Pass | FaultAction::Slow(_) | FaultAction::Hold => {}
            FaultAction::Refuse(_)
            | FaultAction::Hang
            | FaultAction::LoseAnswer
            | FaultAction::FlipByte => seen.faults += 1,
        }
    }

    /// A call is being held, until this is dropped.
    pub(super) fn holding(&self, call: &Call) -> Held<'_> {
        let file_id = call.file_id.clone();
        let mut seen = self.seen.lock().expect("nobody panics in here");
        *seen.held.entry(file_id.clone()).or_default() += 1;
        Held {
            recorder: self,
            file_id,
        }
    }

    pub(super) fn answered(&self, call: &Call, status: StatusCode, body: &Bytes) {
        let mut seen = self.seen.lock().expect("nobody panics in here");
        if call.is(AwsService::DynamoDb, "UpdateItem")
            && let Some(id) = &call.file_id
            && is_settlement(&call.body)
        {
            if status == StatusCode::OK {
                let tokens = seen.settled.entry(id.clone()).or_default();
                tokens.insert(token(&call.body));
            } else if String::from_utf8_lossy(body).contains("ConditionalCheckFailed") {
                seen.too_late += 1;
            }
        }
        if call.is(AwsService::Sqs, "DeleteMessageBatch") && status == StatusCode::OK {
            let answer: Value = serde_json::from_slice(body).unwrap_or_default();
            seen.acknowledged += answer["Successful"].as_array().map_or(0, Vec::len);
        }
    }

    /// Files that were settled by more than one write.
    pub(crate) fn settled_twice(&self) -> usize {
        let seen = self.seen.lock().expect("nobody panics in here");
        seen.settled
            .values()
            .filter(|writes| writes.len() > 1)
            .count()
    }

    /// Files that were settled.
    pub(crate) fn settled(&self) -> usize {
        self.seen
            .lock()
            .expect("nobody panics in here")
            .settled
            .len()
    }

    /// Attempts to settle a file that was settled or deleted already, all of which the table refused.
    pub(crate) fn too_late(&self) -> usize {
        self.seen.lock().expect("nobody panics in here").too_late
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.seen
            .lock()
            .expect("nobody panics in here")
            .acknowledged
    }

    /// Calls that named this file, whatever became of them.
    pub(crate) fn calls_about(&self, id: &str) -> usize {
        let seen = self.seen.lock().expect("nobody panics in here");
        seen.about.get(id).copied().unwrap_or_default()
    }

    /// Files of which a call is being held now. One whose caller gave up is held no more.
    pub(crate) fn held(&self) -> usize {
        let seen = self.seen.lock().expect("nobody panics in here");
        seen.held.keys().flatten().count()
    }

    /// The share of calls that were made to fail.
    pub(crate) fn share_of_faults(&self) -> f64 {
        let seen = self.seen.lock().expect("nobody panics in here");
        seen.faults as f64 / seen.calls.max(1) as f64
    }
}

pub(super) struct Held<'a> {
    recorder: &'a CallRecorder,
    file_id: Option<String>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Not a place to panic in.
        let Ok(mut seen) = self.recorder.seen.lock() else {
            return;
        };
        if let Some(count) = seen.held.get_mut(&self.file_id) {
            *count -= 1;
            if *count == 0 {
                seen.held.remove(&self.file_id);
            }
        }
    }
}

/// Whether an update takes a file out of `pending`. Deletion isn't one of these: it may follow.
fn is_settlement(update: &Value) -> bool {
    let status = update["ExpressionAttributeValues"][":status"]["S"].as_str();
    matches!(status, Some("available" | "rejected" | "expired"))
}

fn token(update: &Value) -> String {
    let token = update["ExpressionAttributeValues"][":ownToken"]["S"].as_str();
    token.unwrap_or_default().to_owned()
}
