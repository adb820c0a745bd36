//! Whether lines are those that were written.
//!
//! Invariant: memory grows with the number of runs and not with that of lines.

use std::collections::HashMap;
use std::fmt;

use super::chain::{Last, Line, What, hash};
use super::key::is_signed;

/// Something that isn't as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A line before this one was changed, removed, or put elsewhere.
    BrokenChain {
        /// The run that the line is of.
        chain: String,
        /// Its number.
        seq: u64,
    },
    /// A run begins somewhere else than at its first line.
    NoBeginning {
        /// The run.
        chain: String,
    },
    /// A run says that it follows another line than the last one of the run before: lines at that one's end are
    /// missing, or were changed.
    MissingTail {
        /// The run whose end is missing.
        chain: String,
        /// The number of the last line that it had.
        seq: u64,
    },
    /// A checkpoint isn't signed by the key.
    BadSignature {
        /// The run.
        chain: String,
        /// The number of the checkpoint's line.
        seq: u64,
    },
    /// The ordinary log has a checkpoint that isn't among the lines.
    MissingCheckpoint {
        /// The run.
        chain: String,
        /// The number of the checkpoint's line.
        seq: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokenChain { chain, seq } => write!(
                f,
                "line {seq} of run {chain} doesn't follow the line before it: one was changed, removed or moved"
            ),
            Self::NoBeginning { chain } => write!(f, "the beginning of run {chain} is missing"),
            Self::MissingTail { chain, seq } => write!(
                f,
                "run {chain} had lines up to {seq}, as the run after it says, and they aren't all here"
            ),
            Self::BadSignature { chain, seq } => write!(
                f,
                "the checkpoint in line {seq} of run {chain} isn't signed by the key"
            ),
            Self::MissingCheckpoint { chain, seq } => write!(
                f,
                "the log has a checkpoint of run {chain} at line {seq}, which isn't here: the end was cut off, or changed"
            ),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verification {
    /// What isn't as it was written, in the order in which it was met.
    pub problems: Vec<Problem>,
    /// Lines of the audit log.
    pub lines: u64,
    /// Other lines, and some that were cut off.
    pub other_lines: u64,
    /// Checkpoints that are signed.
    pub checkpoints: u64,
    /// Lines behind the last checkpoint of their run, which no signature covers.
    pub unsigned: u64,
    /// Refusals that have no line of their own.
    pub left_out: u64,
    /// The keys that signed, as hex.
    pub keys: Vec<String>,
}

/// The most problems that are kept.
const MAX_PROBLEMS: usize = 100;

/// Takes lines, and says at the end what was found.
#[derive(Debug, Default)]
pub struct Verifier {
    key: Option<String>,
    /// The last line of each run.
    last: HashMap<String, Run>,
    /// Checkpoints that the ordinary log has.
    expected: HashMap<(String, u64), String>,
    found: Verification,
}

#[derive(Debug)]
struct Run {
    seq: u64,
    hash: String,
    unsigned: u64,
}

impl Verifier {
    /// `key`: the one that has to have signed, as hex; without it any one that signs.
    pub fn new(key: Option<String>) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }

    /// Takes a line of the ordinary log, which may say that there was a checkpoint. To be told before the lines.
    pub fn expect(&mut self, log_line: &str) {
        if !log_line.contains("checkpoint of the audit log") {
            return;
        }
        let field = |name: &str| value_of(log_line, name);
        let (Some(chain), Some(seq), Some(hash)) = (field("chain"), field("seq"), field("hash"))
        else {
            return;
        };
        if let Ok(seq) = seq.parse() {
            self.expected
                .insert((chain.to_owned(), seq), hash.to_owned());
        }
    }

    /// Takes the next line.
    pub fn take(&mut self, text: &str) {
        let Some(line) = Line::read(text) else {
            self.found.other_lines += u64::from(!text.is_empty());
            return;
        };
        self.found.lines += 1;
        self.found.left_out += line.left_out.unwrap_or_default();
        self.judge_place(&line);
        let hash = hash(text);
        let mut unsigned = self.last.get(&line.chain).map_or(0, |run| run.unsigned) + 1;
        if let What::Checkpoint { checkpoint } = &line.what {
            let key = self.key.as_deref().unwrap_or(&checkpoint.public_key);
            if is_signed(
                key,
                &checkpoint.signature,
                &line.chain,
                line.seq,
                &line.prev,
            ) {
                unsigned = 0;
                self.found.checkpoints += 1;
                if !self.found.keys.iter().any(|known| known == key) {
                    self.found.keys.push(key.to_owned());
                }
            } else {
                self.report(Problem::BadSignature {
                    chain: line.chain.clone(),
                    seq: line.seq,
                });
            }
        }
        let place = (line.chain.clone(), line.seq);
        if self
            .expected
            .get(&place)
            .is_some_and(|expected| *expected == hash)
        {
            self.expected.remove(&place);
        }
        let run = Run {
            seq: line.seq,
            hash,
            unsigned,
        };
        self.last.insert(line.chain, run);
    }

    fn judge_place(&mut self, line: &Line) {
        match (self.last.get(&line.chain), &line.what) {
            (Some(run), _) => {
                if line.seq != run.seq + 1 || line.prev != run.hash {
                    self.report(Problem::BrokenChain {
                        chain: line.chain.clone(),
                        seq: line.seq,
                    });
                }
            }
            (None, What::Start { start }) if line.seq == 0 => {
                if let Some(before) = &start.follows
                    // Of the first run nobody knows what was before: that is in files that weren't given.
                    && !self.last.is_empty()
                    && !self.ends_with(before, &line.prev)
                {
                    self.report(Problem::MissingTail {
                        chain: before.chain.clone(),
                        seq: before.seq,
                    });
                }
            }
            (None, _) => self.report(Problem::NoBeginning {
                chain: line.chain.clone(),
            }),
        }
    }

    fn ends_with(&self, before: &Last, prev: &str) -> bool {
        let last = self.last.get(&before.chain);
        last.is_some_and(|run| {
            run.seq == before.seq && run.hash == before.hash && before.hash == prev
        })
    }

    fn report(&mut self, problem: Problem) {
        if self.found.problems.len() < MAX_PROBLEMS {
            self.found.problems.push(problem);
        }
    }

    /// What was found in all.
    pub fn finish(mut self) -> Verification {
        let mut missing: Vec<(String, u64)> = self.expected.keys().cloned().collect();
        missing.sort_unstable();
        for (chain, seq) in missing {
            self.report(Problem::MissingCheckpoint { chain, seq });
        }
        self.found.unsigned = self.last.values().map(|run| run.unsigned).sum();
        self.found
    }
}

/// The value of a field in a line of the log, as text (`chain="…"`) or as JSON (`"chain":"…"`).
fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let forms = [format!("\"{name}\":"), format!("{name}=")];
    let behind = forms
        .iter()
        .find_map(|form| Some(&line[line.find(form)? + form.len()..]))?;
    let value = behind.trim_start_matches('"');
    let end = value.find(|c: char| !c.is_ascii_alphanumeric());
    Some(&value[..end.unwrap_or(value.len())])
}
