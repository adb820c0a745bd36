//! The `Content-Disposition` of a download.
//!
//! Invariant: always `attachment`, so that no browser shows an uploaded page as one of ours; only
//! characters that can stand in a header and in a quoted string as they are; and two names under which
//! every system saves a file, Windows included, and no shell takes for an option. A name that is one
//! already is handed out as it is.
//!
//! Source: <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;

use crate::domain::{FileName, MAX_FILE_NAME_BYTES, is_mark, shortened};

/// RFC 8187's `attr-char`, as far as a [`FileName`] has any of them.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
/// Windows' names of devices, whatever the case, alone or before a dot. Those with a digit behind them
/// are in [`NUMBERED_DEVICES`].
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// `attachment` with the name twice: an ASCII `filename` for old and simple clients (accents go,
/// other letters become `_`), and the true name as `filename*` (RFC 6266, section 4.3).
pub fn attachment(name: &FileName) -> String {
    let (name, ascii) = (saved_as(name.as_str()), in_ascii(name.as_str()));
    let extended = utf8_percent_encode(&name, ATTR_CHAR);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{extended}")
}

/// The name in letters that every client can write, and never none.
fn in_ascii(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return saved_as(name);
    }
    let mut ascii = String::with_capacity(name.len());
    for c in name.nfd() {
        match c {
            c if c.is_ascii() => ascii.push(c),
            // A mark goes with its letter, or stands for itself where there is none.
            c if is_mark(c) && !ascii.is_empty() => {}
            _ => ascii.push('_'),
        }
    }
    saved_as(&ascii).into_owned().into()
}

/// The name as a system can have it: what Windows strips from its end, what it takes for a device, and
/// what a shell takes for an option becomes `_` or gets one in front.
pub fn saved_as(name: &str) -> Cow<'_, str> {
    let mut saved: Cow<'_, str> = name.into();
    let undotted = name.trim_end_matches('.');
    if undotted.len() < name.len() {
        let dots = name.len() - undotted.len();
        saved = format!("{undotted}{}", "_".repeat(dots)).into();
    }
    if let Some(rest) = saved.strip_prefix('-') {
        saved = format!("_{rest}").into();
    }
    if is_device(&saved) {
        let named = format!("_{saved}");
        saved = shortened(&named, MAX_FILE_NAME_BYTES).into_owned().into();
    }
    saved
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.to_ascii_lowercase();
    let is_numbered = |device: &str| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit())
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.iter().any(|device| is_numbered(device))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(name: &str) -> String {
        attachment(&FileName::sanitize(name).unwrap())
    }

    #[test]
    fn the_name_stands_twice_once_in_ascii_and_once_as_it_is() {
        assert_eq!(
            of("notes.txt"),
            "attachment; filename=\"notes.txt\"; filename*=UTF-8''notes.txt"
        );
        assert_eq!(
            of("résumé final.pdf"),
            "attachment; filename=\"resume_final.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9_final.pdf"
        );
        assert_eq!(
            of("课程.pdf"),
            "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E8%AF%BE%E7%A8%8B.pdf"
        );
    }

    /// Both names of a disposition, the second one decoded.
    fn names(disposition: &str) -> (String, String) {
        let rest = disposition.strip_prefix("attachment; filename=\"").unwrap();
        let (ascii, extended) = rest.split_once("\"; filename*=UTF-8''").unwrap();
        let decoded = percent_encoding::percent_decode_str(extended).decode_utf8();
        (ascii.to_owned(), decoded.unwrap().into_owned())
    }

    #[test]
    fn no_name_is_a_device_of_windows_or_ends_in_a_dot_or_begins_as_an_option() {
        for (name, saved) in [
            ("CON", "_CON"),
            ("nul.tar.gz", "_nul.tar.gz"),
            ("Com1.txt", "_Com1.txt"),
            ("lpt9", "_lpt9"),
            ("trailing.", "trailing_"),
            ("aux..", "aux__"),
            ("aux.", "aux_"),
            ("...", "___"),
            ("-rf", "_rf"),
            ("--help.txt", "_-help.txt"),
            // And these are none.
            ("CONTRACT.pdf", "CONTRACT.pdf"),
            ("com10.txt", "com10.txt"),
            ("com.txt", "com.txt"),
            (".con", ".con"),
            ("a-b.", "a-b_"),
        ] {
            let (ascii, extended) = names(&of(name));
            assert_eq!(
                (ascii.as_str(), extended.as_str()),
                (saved, saved),
                "{name}"
            );
        }
        let long = format!("nul.{}.pdf", "x".repeat(247));
        assert_eq!(names(&of(&long)).1.len(), MAX_FILE_NAME_BYTES);
    }

    #[test]
    fn a_name_without_an_ascii_letter_has_an_ascii_name_all_the_same() {
        for (name, ascii) in [
            ("\u{301}", "_"),
            ("\u{301}\u{302}", "_"),
            ("\u{301}.pdf", "_.pdf"),
            ("\u{301}.", "__"),
            ("\u{301}..", "___"),
            (".\u{301}", "_"),
            ("..\u{301}", "__"),
            ("課.", "__"),
        ] {
            assert_eq!(names(&of(name)).0, ascii, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_system_can_save_both_names(text in "(?s:.{1,60})|[-.\u{301}conNUL1]{1,8}") {
            if let Ok(name) = FileName::sanitize(&text) {
                let (ascii, extended) = names(&attachment(&name));
                for name in [ascii, extended] {
                    prop_assert!(!name.is_empty() && !name.starts_with('-'), "{}", name);
                    prop_assert!(!name.ends_with(['.', ' ']) && !is_device(&name), "{}", name);
                    prop_assert!(name.len() <= MAX_FILE_NAME_BYTES);
                }
            }
        }

        #[test]
        fn no_name_breaks_out_of_the_header(text in "(?s:.{1,60})") {
            if let Ok(name) = FileName::sanitize(&text) {
                let value = attachment(&name);
                prop_assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')));
                prop_assert_eq!(value.matches('"').count(), 2);
                prop_assert!(!value.contains('\\'));
                let extended = value.split("UTF-8''").nth(1).unwrap();
                let decoded = percent_encoding::percent_decode_str(extended).decode_utf8().unwrap();
                prop_assert_eq!(decoded.as_ref(), saved_as(name.as_str()));
            }
        }
    }
}
