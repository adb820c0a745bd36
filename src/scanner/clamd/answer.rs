//! What clamd answers, and what it means.
//!
//! Invariant: bounded, and strict: what isn't one of the answers that clamd is known to give is no verdict.

use crate::scanner::{ScanFailure, ScannerText, Verdict};

/// The longest answer that is read. clamd's own are far below 200 bytes.
pub(super) const MAX_ANSWER_BYTES: usize = 1024;

/// Ends an answer to a command that began with `z`.
const END: u8 = 0;
/// What clamd calls a file that came as a stream.
const STREAM: &str = "stream: ";
/// The stream was longer than `StreamMaxLength`.
const TOO_LONG: &str = "INSTREAM size limit exceeded. ERROR";
/// Names that stand for what clamd couldn't look at, with `AlertExceedsMax` and `AlertEncrypted`
/// (clamd.conf(5)); what they begin with, and what they mean.
const NOT_LOOKED_AT: [(&str, &str); 2] = [
    ("Heuristics.Limits.Exceeded", "it is too large inside"),
    ("Heuristics.Encrypted", "it is encrypted"),
];
/// A file that took longer than `MaxScanTime`, and always will.
const TOO_SLOW: &str = "time limit";

/// An answer as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// Takes what was read.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), ScanFailure> {
        self.0.extend_from_slice(bytes);
        match self.0.len() > MAX_ANSWER_BYTES {
            true => Err(ScanFailure::new("clamd's answer is too long")),
            false => Ok(()),
        }
    }

    /// Whether its end was read.
    pub(super) fn is_whole(&self) -> bool {
        self.0.contains(&END)
    }

    /// What it means.
    pub(super) fn verdict(&self) -> Result<Verdict, ScanFailure> {
        let Some(said) = self.0.strip_suffix(&[END]) else {
            return Err(ScanFailure::new(
                "clamd's answer has no end, or goes on behind it",
            ));
        };
        let said = String::from_utf8_lossy(said);
        if said == TOO_LONG {
            let why = "it is larger than the scanner takes";
            return Ok(Verdict::Unscannable(ScannerText::of(why)));
        }
        let said = said.strip_prefix(STREAM);
        let said = said.ok_or_else(|| not_understood(&String::from_utf8_lossy(&self.0)))?;
        if said == "OK" {
            return Ok(Verdict::Clean);
        }
        if let Some(name) = said.strip_suffix(" FOUND").filter(|name| !name.is_empty()) {
            let mut known = NOT_LOOKED_AT.iter();
            let not_looked_at = known.find(|(prefix, _)| name.starts_with(prefix));
            return Ok(match not_looked_at {
                Some((_, why)) => Verdict::Unscannable(ScannerText::of(&format!("{why} ({name})"))),
                None => Verdict::Infected(ScannerText::of(name)),
            });
        }
        if said.ends_with(" ERROR") && said.to_ascii_lowercase().contains(TOO_SLOW) {
            let why = "it takes too long to look into";
            return Ok(Verdict::Unscannable(ScannerText::of(why)));
        }
        Err(not_understood(said))
    }
}

fn not_understood(said: &str) -> ScanFailure {
    ScanFailure::new(format!(
        "clamd answered: {}",
        ScannerText::of(said).as_str()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(said: &[u8]) -> Result<Verdict, ScanFailure> {
        let mut answer = Answer::default();
        answer.add(said)?;
        answer.verdict()
    }

    #[test]
    fn each_answer_of_clamd_means_one_thing() {
        let infected = |name| Some(Verdict::Infected(ScannerText::of(name)));
        let unscannable = |why| Some(Verdict::Unscannable(ScannerText::of(why)));
        for (said, meant) in [
            ("stream: OK\0", Some(Verdict::Clean)),
            (
                "stream: Win.Test.EICAR_HDB-1 FOUND\0",
                infected("Win.Test.EICAR_HDB-1"),
            ),
            ("stream: a\x1b[2Jb FOUND\0", infected("a\\u{1b}[2Jb")),
            ("stream: OK FOUND\0", infected("OK")),
            (
                "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
                unscannable("it is too large inside (Heuristics.Limits.Exceeded.MaxFileSize)"),
            ),
            (
                "stream: Heuristics.Encrypted.Zip FOUND\0",
                unscannable("it is encrypted (Heuristics.Encrypted.Zip)"),
            ),
            (
                "INSTREAM size limit exceeded. ERROR\0",
                unscannable("it is larger than the scanner takes"),
            ),
            (
                "stream: Exceeded time limit ERROR\0",
                unscannable("it takes too long to look into"),
            ),
            ("stream: Can't allocate memory ERROR\0", None),
            ("UNKNOWN COMMAND\0", None),
            ("COMMAND READ TIMED OUT\0", None),
            ("PONG\0", None),
            ("OK\0", None),
            ("stream: OK", None),
            ("stream: OK\n", None),
            ("stream: O\0", None),
            ("stream: ok\0", None),
            ("stream: OK \0", None),
            ("stream: OK\0stream: OK\0", None),
            ("stream: OK\0x", None),
            ("stream:  FOUND\0", None),
            ("stream: \0", None),
            ("\0", None),
            ("", None),
        ] {
            assert_eq!(verdict(said.as_bytes()).ok(), meant, "{said:?}");
        }
    }

    #[test]
    fn an_answer_that_does_not_end_is_given_up() {
        let mut answer = Answer::default();
        assert!(answer.add(&[b'x'; MAX_ANSWER_BYTES]).is_ok());
        assert!(answer.add(b"x").is_err());
    }

    proptest! {
        #[test]
        fn nothing_but_the_one_answer_means_clean(said in proptest::collection::vec(any::<u8>(), 0..40)) {
            if said != b"stream: OK\0" {
                prop_assert_ne!(verdict(&said).ok(), Some(Verdict::Clean));
            }
        }
    }
}
