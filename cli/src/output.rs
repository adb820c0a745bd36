//! What is said, to whom: results on standard output, everything about them on standard error.
//!
//! **Invariant:** standard output has results only (links, records, bytes), so that it can be piped;
//! what others wrote neither steers the terminal nor forges a line, on either of them. Bytes of a file
//! that somebody asks for on standard output go there as they are.

use std::io::{self, IsTerminal, Write};

use chrono::{DateTime, Local};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::error::{CliError, DONE};

/// How much of a name a progress bar has room for.
const NAME_CHARS: usize = 32;
const BAR: &str =
    "{prefix:32} [{bar:20}] {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} {eta:>4} {msg}";

#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub json: bool,
    bars: MultiProgress,
}

/// What a command does to each of several things.
pub(crate) struct Deed {
    /// For programs, such as `deleted`.
    pub field: &'static str,
    /// For people, such as `is deleted`.
    pub in_words: &'static str,
    /// Whether that it was done goes without saying where nobody watches.
    pub is_for_watchers: bool,
}

impl Deed {
    /// Of links and boxes.
    pub(crate) const ENDED: Self = Self {
        field: "ended",
        in_words: "is over",
        is_for_watchers: false,
    };
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let watched = !json && io::stderr().is_terminal();
        let target = if watched {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            json,
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// Whether results go to a terminal, where a person reads them.
    pub(crate) fn is_read_by_a_person(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// A result, on standard output.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(crate) fn result(&self, line: &str) -> Result<(), CliError> {
        self.write(&printable(line))
    }

    /// The same for programs.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(crate) fn json_line(&self, value: &Value) -> Result<(), CliError> {
        self.write(&as_json_text(value))
    }

    /// Lines of a picture that this program drew, colours included, as a result.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(crate) fn picture(&self, lines: &[String]) -> Result<(), CliError> {
        self.write(&lines.join("\n"))
    }

    /// The same on standard error.
    pub(crate) fn picture_beside(&self, lines: &[String]) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
        });
    }

    /// One line. Bars are out of the way meanwhile.
    fn write(&self, line: &str) -> Result<(), CliError> {
        self.bars
            .suspend(|| {
                let mut output = io::stdout().lock();
                writeln!(output, "{line}").and_then(|()| output.flush())
            })
            .map_err(|error| CliError::of_standard_output(&error))
    }

    /// Something that a person should know, on standard error.
    pub(crate) fn note(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{}", printable(line));
        });
    }

    /// Only if somebody watches.
    pub(crate) fn note_to_watcher(&self, line: &str) {
        if !self.bars.is_hidden() {
            self.note(line);
        }
    }

    /// Says what became of one of several things, and gives its exit code.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub(crate) fn outcome(
        &self,
        id: &str,
        deed: &Deed,
        outcome: Result<(), CliError>,
    ) -> Result<u8, CliError> {
        if self.json {
            let error = outcome.as_ref().err().map(CliError::as_json);
            let line = json!({ "id": id, deed.field: error.is_none(), "error": error });
            self.json_line(&line)?;
        } else {
            match &outcome {
                Err(failure) => self.note(&format!("✗ {id}: {failure}")),
                Ok(()) if deed.is_for_watchers => {
                    self.note_to_watcher(&format!("✓ {id} {}", deed.in_words));
                }
                Ok(()) => self.note(&format!("✓ {id} {}", deed.in_words)),
            }
        }
        Ok(outcome.map_or_else(|failure| failure.exit_code(), |()| DONE))
    }

    pub(crate) fn bar(&self, name: &str, size: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(size));
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style.progress_chars("=> "));
        }
        let shown = printable(name);
        let length = shown.chars().count();
        bar.set_prefix(if length > NAME_CHARS {
            let end: String = shown.chars().skip(length + 1 - NAME_CHARS).collect();
            format!("…{end}")
        } else {
            shown
        });
        bar
    }
}

/// Whether a terminal could be steered, or a line forged, by this character: controls (C0, DEL, C1), marks
/// that turn the direction of text, and the separators that some programs take for the end of a line.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line in which such characters are replaced by one that shows.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if steers(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// JSON of the same meaning in which such characters are escaped. They stand within strings only.
fn as_json_text(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if steers(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

/// A time of the service's in this machine's time zone, with its offset; as it came if it is none.
pub(crate) fn local_time(rfc3339: &str) -> String {
    match DateTime::parse_from_rfc3339(rfc3339) {
        Ok(time) => {
            let local = time.with_timezone(&Local);
            local.format("%Y-%m-%d %H:%M:%S %:z").to_string()
        }
        Err(_) => rfc3339.to_owned(),
    }
}

/// Bytes for people.
pub(crate) fn human(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
