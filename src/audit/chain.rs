//! The lines of one process run, each of which names the one before.
//!
//! Invariant: pure. What a line says of its place follows from the lines that were written.

use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Entry;
use super::key::AuditKey;
use crate::domain::{Timestamp, format_timestamp};

/// Tells these lines from others on one standard output.
const TARGET: &str = "audit";
/// What stands in place of a digest where there is no line before.
pub(super) const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The last line of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) chain: String,
    pub(super) seq: u64,
    /// Of the line, without its end.
    pub(super) hash: String,
}

/// One line, as it is written and read. Times are RFC 3339 in UTC, digests SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) target: String,
    pub(super) chain: String,
    /// From 0 on, without a gap.
    pub(super) seq: u64,
    /// Of the line before; in a chain's first one of the last line of the run before.
    pub(super) prev: String,
    pub(super) time: String,
    #[serde(flatten)]
    pub(super) what: What,
    /// So many refusals before this line have none of their own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) left_out: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum What {
    #[serde(rename_all = "camelCase")]
    Done {
        request_id: String,
        caller: String,
        action: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        resource: Option<String>,
        outcome: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        source: Option<String>,
    },
    Start {
        start: Start,
    },
    Checkpoint {
        checkpoint: Checkpoint,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) version: String,
    pub(super) follows: Option<Last>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checkpoint {
    pub(super) public_key: String,
    pub(super) signature: String,
}

impl Line {
    /// JSON in ASCII: what could move a terminal's cursor or turn a line's direction around is escaped.
    pub(super) fn text(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut text = String::with_capacity(json.len());
        for c in json.chars() {
            match c {
                ' '..='~' => text.push(c),
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        text
    }

    /// Reads what [`Self::text`] writes; `None` for any other line.
    pub(super) fn read(text: &str) -> Option<Self> {
        let line: Self = serde_json::from_str(text).ok()?;
        (line.target == TARGET).then_some(line)
    }
}

pub(super) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Where a chain stands.
#[derive(Debug)]
pub(super) struct Chain {
    id: String,
    next: u64,
    prev: String,
    follows: Option<Last>,
}

impl Chain {
    /// A new chain behind the last line of the one before.
    pub(super) fn begin(follows: Option<Last>) -> io::Result<Self> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        Ok(Self {
            id: hex::encode(id),
            next: 0,
            prev: follows
                .as_ref()
                .map_or_else(|| NO_LINE.to_owned(), |last| last.hash.clone()),
            follows,
        })
    }

    pub(super) fn start(&self, now: Timestamp) -> Line {
        let start = Start {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            follows: self.follows.clone(),
        };
        self.line(now, What::Start { start })
    }

    pub(super) fn entry(&self, entry: &Entry<'_>) -> Line {
        let what = What::Done {
            request_id: entry.request_id.to_owned(),
            caller: entry.caller.to_string(),
            action: entry.action.to_owned(),
            resource: entry.resource.clone(),
            outcome: entry.outcome.to_owned(),
            source: entry.source.map(|source| source.to_string()),
        };
        self.line(entry.time, what)
    }

    pub(super) fn checkpoint(&self, key: &AuditKey, now: Timestamp) -> Line {
        let checkpoint = Checkpoint {
            public_key: key.public(),
            signature: key.sign(&self.id, self.next, &self.prev),
        };
        self.line(now, What::Checkpoint { checkpoint })
    }

    fn line(&self, time: Timestamp, what: What) -> Line {
        Line {
            target: TARGET.to_owned(),
            chain: self.id.clone(),
            seq: self.next,
            prev: self.prev.clone(),
            time: format_timestamp(time),
            what,
            left_out: None,
        }
    }

    /// The line is there: the next one follows it.
    pub(super) fn wrote(&mut self, text: &str) {
        self.prev = hash(text);
        self.next += 1;
    }

    /// The line that was written last.
    pub(super) fn last(&self) -> Last {
        Last {
            chain: self.id.clone(),
            seq: self.next.saturating_sub(1),
            hash: self.prev.clone(),
        }
    }
}
