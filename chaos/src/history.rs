//! What clients were told, word for word, in the order in which they were told it.
//!
//! Invariant: append-only. A line is written when an answer was read, and never before; what a line
//! says, the service has said, and has to stand by.
//!
//! Absent on purpose: presigned URLs and content. A history is kept after a run, for whoever looks
//! into a failure.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::support::ministack::project_root;

/// What one answer said of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Observation {
    /// 201: there is such a file. With it, what will be sent.
    Created { size: usize, sha256: String },
    /// The store has the bytes: 200, or 412 to a repetition.
    Stored,
    /// A settled record was shown.
    Settled {
        status: String,
        sha256: Option<String>,
    },
    /// The bytes came whole, and hash to this.
    Downloaded { sha256: String },
    /// Not an answer: a deletion was sent, and its answer may get lost.
    DeleteSent,
    /// 204, or 404 to a repetition.
    Deleted,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    told: Observation,
}

pub(crate) struct History {
    path: PathBuf,
    file: Mutex<File>,
}

impl History {
    /// A new history for a scenario, in place of the one of its last run.
    pub(crate) fn open(scenario: &str) -> Self {
        let folder = project_root().join("target/chaos");
        std::fs::create_dir_all(&folder).expect("target/ is writable");
        let path = folder.join(format!("{scenario}.jsonl"));
        let file = File::create(&path).expect("a history can be made");
        Self {
            path,
            file: Mutex::new(file),
        }
    }

    pub(crate) fn append(&self, id: &str, told: Observation) {
        let line = Line {
            id: id.to_owned(),
            told,
        };
        let mut text = serde_json::to_string(&line).expect("a line is plain data");
        text.push('\n');
        let mut file = self.file.lock().expect("nobody panics while writing");
        file.write_all(text.as_bytes()).expect("the disk has room");
    }

    /// All of it, by file.
    pub(crate) fn read(&self) -> BTreeMap<String, Vec<Observation>> {
        let file = File::open(&self.path).expect("the history is there");
        let mut told: BTreeMap<String, Vec<Observation>> = BTreeMap::new();
        for line in BufReader::new(file).lines() {
            let line = line.expect("the history can be read");
            let line: Line = serde_json::from_str(&line).expect("we wrote it");
            told.entry(line.id).or_default().push(line.told);
        }
        told
    }
}
