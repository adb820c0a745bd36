//! Whether there is a virus in a file: the port to a program that knows, and what follows from its answers.
//!
//! Invariant: it fails closed. Only a whole answer of a scanner that was seen to work counts; whatever else comes, or
//! doesn't come, is a [`ScanFailure`], after which nobody knows more than before. Memory doesn't grow with the length
//! of a file, and everything that is waited for has a limit.
//!
//! Absent on purpose: what becomes of a file. `operations` reads it once, shows each chunk to a [`Scan`], and decides.

pub mod clamd;
#[cfg(any(test, feature = "conformance"))]
pub mod clamd_double;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(any(test, feature = "conformance"))]
pub mod double;
pub mod guardduty;
pub mod probes;
mod scan_mark;
mod scanner_check;
mod scans;
mod vetted;

use async_trait::async_trait;

pub use scan_mark::ScanMark;
use scan_mark::ScanMarkCheck;
pub use scanner_check::ScannerCheck;
pub use scans::{MarkKeeper, Objection, ScannerState, Scans};
pub use vetted::{VETTED_FOR, Vetted};

/// How much of what a scanner says about a file is kept, in characters.
const MAX_SAID_CHARS: usize = 120;

/// What a scanner found out about the whole of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It looked at all of it and found nothing.
    Clean,
    /// It found this.
    Infected(ScannerText),
    /// It can't look at all of it, now or ever: it is encrypted, or larger than it takes, for this reason.
    Unscannable(ScannerText),
}

/// Nothing is known: the scanner is away, too slow, or said what can't be right. To be asked again later.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ScanFailure(String);

impl ScanFailure {
    /// A failure in words, for a log.
    pub fn new(said: impl Into<String>) -> Self {
        Self(said.into())
    }
}

/// A few words of a scanner's, such as the name of a virus. They may be anybody's: who sends a file has an influence on
/// them. So no character steers a terminal or turns the direction of a text, and they are short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannerText(String);

impl ScannerText {
    /// The words, with what isn't a visible ASCII character escaped, and cut off where they are too long.
    pub fn of(said: &str) -> Self {
        let mut text = String::new();
        let (mut chars, mut is_cut) = (0, false);
        for c in said.trim().chars() {
            let escaped: String = match c {
                ' '..='~' => c.into(),
                _ => c.escape_unicode().collect(),
            };
            chars += escaped.len();
            if chars > MAX_SAID_CHARS {
                is_cut = true;
                break;
            }
            text.push_str(&escaped);
        }
        if is_cut {
            text.push('…');
        }
        Self(text)
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A program that knows viruses. Every implementation passes the suite in `conformance`.
#[async_trait]
pub trait Scanner: Send + Sync {
    /// Begins to scan a file of `length` bytes, in time, or fails: then nothing of the file has to be read.
    async fn begin(&self, length: u64) -> Result<Box<dyn Scan>, ScanFailure>;
}

/// One scan of one file. It is broken off by dropping it.
#[async_trait]
pub trait Scan: Send {
    /// Takes the next bytes of the file, of any number. Waits for as long as the scanner needs to take them, within
    /// a limit. After a failure there is no verdict.
    async fn add(&mut self, chunk: &[u8]) -> Result<(), ScanFailure>;

    /// What the scanner says once it has all of the file.
    async fn verdict(self: Box<Self>) -> Result<Verdict, ScanFailure>;
}

/// Scans what is here as a whole.
///
/// # Errors
/// As [`Scanner::begin`] and [`Scan`].
pub async fn scan_bytes(scanner: &dyn Scanner, bytes: &[u8]) -> Result<Verdict, ScanFailure> {
    let mut scan = scanner.begin(bytes.len() as u64).await?;
    scan.add(bytes).await?;
    scan.verdict().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scanner_says_neither_steers_a_terminal_nor_is_long() {
        for (said, shown) in [
            ("Eicar-Test-Signature", "Eicar-Test-Signature"),
            (" Win.Trojan.A-1\n", "Win.Trojan.A-1"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\0c", "a\\u{a}b\\u{0}c"),
            ("\u{202e}fdp", "\\u{202e}fdp"),
            ("Bösartig", "B\\u{f6}sartig"),
            ("", ""),
        ] {
            assert_eq!(ScannerText::of(said).as_str(), shown);
        }
        let long = ScannerText::of(&"x".repeat(5000));
        assert_eq!(long.as_str().chars().count(), MAX_SAID_CHARS + 1);
        let escaped = ScannerText::of(&"\u{7}".repeat(5000));
        assert!(escaped.as_str().chars().count() <= MAX_SAID_CHARS + 1);
        assert!(escaped.as_str().ends_with("\\u{7}…"));
    }
}
