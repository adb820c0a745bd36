//! What is said, to whom: results on standard output, everything about them on standard error.
//!
//! **Invariant:** standard output has results only (links, records, bytes), so that it can be piped;
//! what others wrote can't steer the terminal.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::failure::Failure;

/// How much of a name a progress bar has room for.
const NAME_CHARS: usize = 32;
const BAR: &str =
    "{prefix:32} [{bar:20}] {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} {eta:>4} {msg}";

#[derive(Debug, Clone)]
pub struct Output {
    pub json: bool,
    bars: MultiProgress,
}

impl Output {
    pub fn new(json: bool) -> Self {
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

    /// A result, on standard output. Bars are out of the way meanwhile.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub fn result(&self, line: &str) -> Result<(), Failure> {
        self.bars
            .suspend(|| {
                let mut output = io::stdout().lock();
                writeln!(output, "{line}").and_then(|()| output.flush())
            })
            .map_err(|error| Failure::of_standard_output(&error))
    }

    pub fn json_line(&self, value: &Value) -> Result<(), Failure> {
        self.result(&value.to_string())
    }

    /// Something that a person should know, on standard error.
    pub fn note(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{}", printable(line));
        });
    }

    /// Only if somebody watches.
    pub fn note_to_watcher(&self, line: &str) {
        if !self.bars.is_hidden() {
            self.note(line);
        }
    }

    pub fn bar(&self, name: &str, size: u64) -> ProgressBar {
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

/// Without what could steer a terminal or forge a line: controls, and marks that turn the direction.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Bytes for people.
pub fn human(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
