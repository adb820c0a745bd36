//! Sizes and times as people read them, for those parts of the pages that the service writes itself.
//!
//! Invariant: a size is written as `web/format.js` writes it, so that nothing moves when that takes over. A moment is
//! written to the second and in UTC, since only the reader's own machine knows the zone that it is in.

use crate::domain::Timestamp;

use super::words::{Language, Words};

/// Sizes count by 1024, as file managers do.
const STEP: f64 = 1024.0;
/// `bytes`, KB, MB, GB.
const UNITS: usize = 4;

impl Language {
    /// Such as `1.2 MB`.
    pub fn size(self, bytes: u64) -> String {
        // No file has more bytes than a double has whole numbers.
        let mut value = bytes as f64;
        let mut unit = 0;
        // Up to where rounding would show the next unit's 1 as 1,024 of this one.
        while value >= STEP - 0.5 && unit < UNITS - 1 {
            value /= STEP;
            unit += 1;
        }
        if unit == 0 {
            return self.exact_size(bytes);
        }
        let rounded = match value < 99.95 {
            true => format!("{:.1}", (value * 10.0).round() / 10.0),
            false => format!("{:.0}", value.round()),
        };
        let (whole, tenths) = rounded.split_once('.').unwrap_or((&rounded, "0"));
        let number = match tenths {
            "0" => self.grouped(whole),
            tenths => format!("{}{}{tenths}", self.grouped(whole), self.decimal()),
        };
        format!("{number} {}", unit_of(self.words(), unit))
    }

    /// Such as `1,234 bytes`.
    pub(super) fn exact_size(self, bytes: u64) -> String {
        match bytes {
            1 => self.words().get("oneByte"),
            _ => format!(
                "{} {}",
                self.grouped(&bytes.to_string()),
                unit_of(self.words(), 0)
            ),
        }
    }

    /// Digits in threes.
    fn grouped(self, digits: &str) -> String {
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(self.thousands());
            }
            text.push(digit);
        }
        text
    }

    fn decimal(self) -> char {
        match self {
            Self::English => '.',
            Self::German => ',',
        }
    }

    fn thousands(self) -> char {
        match self {
            Self::English => ',',
            Self::German => '.',
        }
    }
}

fn unit_of(words: &Words, unit: usize) -> String {
    words.get(&format!("units.{unit}"))
}

/// Such as `2026-11-26 23:55:12 UTC`.
pub fn moment(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_those_that_the_page_writes_itself() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1000, "1,000 bytes"),
            (1023, "1,023 bytes"),
            (1024, "1 KB"),
            (1280, "1.3 KB"),
            (1_048_063, "1,023 KB"),
            (1_048_576, "1 MB"),
            (19 * 1_048_576, "19 MB"),
            (104_900_000, "100 MB"),
            (20_971_520, "20 MB"),
            (1_300_000_000, "1.2 GB"),
        ] {
            assert_eq!(Language::English.size(bytes), expected, "{bytes}");
        }
        assert_eq!(Language::German.size(1280), "1,3 KB");
        assert_eq!(Language::German.size(1000), "1.000 Bytes");
    }

    #[test]
    fn a_moment_has_its_date_seconds_and_zone() {
        let at = crate::domain::parse_timestamp("2026-11-27T00:55:12.9+01:00").unwrap();
        assert_eq!(moment(at), "2026-11-26 23:55:12 UTC");
    }
}
