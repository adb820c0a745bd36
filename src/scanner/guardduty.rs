//! GuardDuty Malware Protection for S3: it reads objects by itself, and tags each version with what it found.
//!
//! Invariant: of what a tag can say only one thing means clean. No tag, and whatever isn't known here, is no verdict, and
//! the file waits.
//!
//! Absent on purpose: its events. One is a hint that there may be a tag, and says nothing that is believed.

use super::{ScanFailure, ScannerText, Verdict};

/// The name of the tag.
pub const TAG: &str = "GuardDutyMalwareScanStatus";

/// What the tag of a version says; `None`: it has none.
///
/// # Errors
/// Nothing that a file can be settled by.
pub fn verdict(tag: Option<&str>) -> Result<Verdict, ScanFailure> {
    match tag {
        Some("NO_THREATS_FOUND") => Ok(Verdict::Clean),
        // What it found is in GuardDuty's findings, and not in the tag.
        Some("THREATS_FOUND") => Ok(Verdict::Infected(ScannerText::of("a threat"))),
        Some("UNSUPPORTED") => Ok(Verdict::Unscannable(ScannerText::of(
            "it is encrypted, or larger or deeper than GuardDuty looks",
        ))),
        Some(other) => Err(ScanFailure::new(format!(
            "GuardDuty says {}",
            ScannerText::of(other).as_str()
        ))),
        None => Err(ScanFailure::new("GuardDuty hasn't tagged it yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_that_a_tag_can_say_one_thing_means_clean() {
        assert_eq!(verdict(Some("NO_THREATS_FOUND")).ok(), Some(Verdict::Clean));
        let found = verdict(Some("THREATS_FOUND"));
        assert!(matches!(found, Ok(Verdict::Infected(_))), "{found:?}");
        let found = verdict(Some("UNSUPPORTED"));
        assert!(matches!(found, Ok(Verdict::Unscannable(_))), "{found:?}");
        for other in [
            None,
            Some(""),
            Some("FAILED"),
            Some("ACCESS_DENIED"),
            Some("no_threats_found"),
            Some("NO_THREATS_FOUND "),
            Some("CLEAN"),
            Some("\u{202e}"),
        ] {
            let unknown = verdict(other);
            assert!(unknown.is_err(), "{other:?}: {unknown:?}");
        }
    }
}
