//! What the checks found, one line each: ✓, ! with what to know, ✗ with how to mend it, or – with why it wasn't looked
//! at.
//!
//! **Invariant:** a check that takes longer than its limit is ✗; what wasn't looked at is never ✓. A warning alone is
//! no failure, since what it is about may be meant so.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{CliError, DONE, SOME_FAILED};
use crate::output::Output;

/// The longest name of a check.
const NAME_CHARS: usize = 13;

/// All is well here; what was seen, and what later checks need of it.
pub(super) struct Passed<T> {
    pub said: String,
    pub value: T,
}

impl Passed<()> {
    pub(super) fn that(said: impl Into<String>) -> Self {
        Self {
            said: said.into(),
            value: (),
        }
    }
}

/// Why a check isn't ✓.
pub(super) enum CheckFailure {
    Wrong {
        said: String,
        remedy: String,
        exit_code: u8,
    },
    /// It works, and whoever runs the service should know this of it.
    Warning { said: String, remedy: String },
    /// It couldn't be looked at, and what would change that.
    Hidden { because: String, remedy: String },
}

impl CheckFailure {
    pub(super) fn wrong(said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Wrong {
            said: said.into(),
            remedy: remedy.into(),
            exit_code: SOME_FAILED,
        }
    }

    /// What failed, and how to mend it; where a proxy answered, how to mend that.
    pub(super) fn of(failure: &CliError, what: &str, remedy: &str) -> Self {
        match failure {
            CliError::Intermediary { said, remedy } => {
                Self::wrong(format!("{what}: {said}"), remedy)
            }
            other => Self::wrong(format!("{what}: {other}"), remedy),
        }
    }
}

pub(super) struct Report<'a> {
    output: &'a Output,
    exit_code: u8,
}

impl<'a> Report<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self {
            output,
            exit_code: DONE,
        }
    }

    /// 0 only if every check was made and found nothing that is wrong; the worst that was found otherwise.
    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Makes a check, says what came of it, and hands on what was seen.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(super) async fn check<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        check: impl Future<Output = Result<Passed<T>, CheckFailure>>,
    ) -> Result<Option<T>, CliError> {
        let began = Instant::now();
        let found = tokio::time::timeout(limit, check).await;
        let took = began.elapsed();
        let found = found.unwrap_or_else(|_| {
            Err(CheckFailure::wrong(
                format!("it took longer than {} s", limit.as_secs()),
                "see what is slow on the way: the network, a proxy, or the service (its log)",
            ))
        });
        match found {
            Ok(Passed { said, value }) => {
                self.say('✓', "ok", name, &said, None, Some(took))?;
                Ok(Some(value))
            }
            Err(failure_of) => {
                self.say_flaw(name, failure_of, Some(took))?;
                Ok(None)
            }
        }
    }

    fn say_flaw(
        &mut self,
        name: &str,
        failure_of: CheckFailure,
        took: Option<Duration>,
    ) -> Result<(), CliError> {
        match failure_of {
            CheckFailure::Wrong {
                said,
                remedy,
                exit_code,
            } => {
                self.exit_code = self.exit_code.max(exit_code);
                self.say('✗', "wrong", name, &said, Some(&remedy), took)
            }
            CheckFailure::Warning { said, remedy } => {
                self.say('!', "warning", name, &said, Some(&remedy), took)
            }
            CheckFailure::Hidden { because, remedy } => {
                self.exit_code = self.exit_code.max(SOME_FAILED);
                let said = not_looked_at(&because);
                self.say('–', "not_looked_at", name, &said, Some(&remedy), took)
            }
        }
    }

    /// Says what is known already.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(super) fn finding(&mut self, name: &str, failure_of: CheckFailure) -> Result<(), CliError> {
        self.say_flaw(name, failure_of, None)
    }

    /// Says what another program found, if that is a line of a check. Says nothing else, and whether it was.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(super) fn relay(&mut self, line: &Value) -> Result<bool, CliError> {
        let text = |name: &str| line[name].as_str();
        let (Some(name), Some(verdict), Some(said)) =
            (text("check"), text("verdict"), text("said"))
        else {
            return Ok(false);
        };
        let mark = match verdict {
            "ok" => '✓',
            "wrong" => '✗',
            "not_looked_at" => '–',
            _ => return Ok(false),
        };
        if mark != '✓' {
            self.exit_code = self.exit_code.max(SOME_FAILED);
        }
        let took = line["milliseconds"].as_u64().map(Duration::from_millis);
        self.say(mark, verdict, name, said, text("mend"), took)?;
        Ok(true)
    }

    /// Checks that aren't made, because of another one.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(super) fn skip(&mut self, names: &[&'static str], because: &str) -> Result<(), CliError> {
        self.exit_code = self.exit_code.max(SOME_FAILED);
        let said = not_looked_at(because);
        names
            .iter()
            .try_for_each(|name| self.say('–', "not_looked_at", name, &said, None, None))
    }

    fn say(
        &self,
        mark: char,
        verdict: &str,
        name: &str,
        said: &str,
        remedy: Option<&str>,
        took: Option<Duration>,
    ) -> Result<(), CliError> {
        if self.output.json {
            let milliseconds = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            return self.output.json_line(&json!({
                "check": name,
                "verdict": verdict,
                "said": said,
                "mend": remedy,
                "milliseconds": milliseconds,
            }));
        }
        self.output
            .result(&format!("{mark} {name:NAME_CHARS$}  {said}"))?;
        match remedy {
            Some(remedy) => self.output.result(&format!("    → {remedy}")),
            None => Ok(()),
        }
    }
}

fn not_looked_at(because: &str) -> String {
    format!("not looked at, because {because}")
}
