//! The `Content-Disposition` of a download.
//!
//! Invariant: always `attachment`, so that no browser shows an uploaded page as one of ours; only
//! characters that can stand in a header and in a quoted string as they are; and two names under which
//! every system saves a file, Windows included, and no shell takes for an option. A name that is one
//! already is handed out as it was given.
//!
//! Source: <https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file>.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;

use crate::domain::{DisplayName, FileName, MAX_FILE_NAME_BYTES, is_mark, shortened};

/// RFC 8187's `attr-char`, as far as a [`FileName`] has any of them.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
/// What no name can have on Windows, besides what no name of ours has.
const NOT_ON_WINDOWS: [char; 7] = [':', '*', '?', '"', '<', '>', '|'];
/// What Windows strips from the end of a name.
const STRIPPED: [char; 2] = ['.', ' '];
/// Windows' names of devices, whatever the case, alone or before a dot. Those with a digit behind them
/// are in [`NUMBERED_DEVICES`].
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];
/// How long the name of a device is.
const DEVICE_BYTES: RangeInclusive<usize> = 3..="conout$".len();
/// Digits to Windows too.
const SUPERSCRIPTS: [char; 3] = ['¹', '²', '³'];

/// `attachment` with the name twice: an ASCII `filename` for old and simple clients (accents go,
/// other letters become `_`), and the true name as `filename*` (RFC 6266, section 4.3), which is the one that was
/// given if there is one.
pub fn attachment(name: &FileName, given: Option<&DisplayName>) -> String {
    let ascii = in_ascii(name.as_str());
    let name = saved_as(given.map_or(name.as_str(), DisplayName::as_str));
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

/// The name as a system can have it: what Windows can't keep or strips from the end becomes `_`, what it takes for a
/// device, or a shell for an option, gets one in front, and what has too many bytes is shortened before its ending.
pub fn saved_as(name: &str) -> Cow<'_, str> {
    let kept = match name.contains(NOT_ON_WINDOWS) {
        true => name.replace(NOT_ON_WINDOWS, "_").into(),
        false => Cow::Borrowed(name),
    };
    let mut saved = fitting(kept);
    if let Some(rest) = saved.strip_prefix('-') {
        saved = format!("_{rest}").into();
    }
    if is_device(&saved) {
        saved = fitting(format!("_{saved}").into());
    }
    saved
}

/// The name in as many bytes as one may have, with an end that stays.
fn fitting(name: Cow<'_, str>) -> Cow<'_, str> {
    let name = match shortened(&name, MAX_FILE_NAME_BYTES) {
        Cow::Borrowed(_) => name,
        Cow::Owned(shorter) => shorter.into(),
    };
    let kept = name.trim_end_matches(STRIPPED);
    match name.len() - kept.len() {
        0 => name,
        stripped => format!("{kept}{}", "_".repeat(stripped)).into(),
    }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    if !DEVICE_BYTES.contains(&stem.len()) {
        return false;
    }
    let stem = stem.to_ascii_lowercase();
    let is_numbered = |device: &str| {
        let mut number = stem.strip_prefix(device).unwrap_or_default().chars();
        let digit = number.next();
        let is_digit = digit.is_some_and(|c| c.is_ascii_digit() || SUPERSCRIPTS.contains(&c));
        is_digit && number.next().is_none()
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.iter().any(|device| is_numbered(device))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(name: &str) -> String {
        let filename = FileName::sanitize(name).unwrap();
        attachment(&filename, None)
    }

    fn of_given(name: &str) -> String {
        let filename = FileName::sanitize(name).unwrap();
        attachment(&filename, DisplayName::given(name, &filename).as_ref())
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

    #[test]
    fn the_name_is_saved_as_it_was_given_as_far_as_windows_can_keep_it() {
        for (given, ascii, saved) in [
            ("résumé final.pdf", "resume_final.pdf", "résumé final.pdf"),
            (
                "party 🎉 100 %.png",
                "party___100__.png",
                "party 🎉 100 %.png",
            ),
            (
                "What? \"a:b\" <c> *|.txt",
                "What___a_b___c____.txt",
                "What_ _a_b_ _c_ __.txt",
            ),
            ("trailing. .", "trailing.__", "trailing___"),
            ("end ", "end_", "end_"),
            ("CON .txt", "CON_.txt", "_CON .txt"),
            ("con:", "con_", "con_"),
            ("CONIN$", "CONIN_", "_CONIN$"),
            ("com¹.txt", "com_.txt", "_com¹.txt"),
            ("- x", "__x", "_ x"),
        ] {
            let (plain, extended) = names(&of_given(given));
            assert_eq!(
                (plain.as_str(), extended.as_str()),
                (ascii, saved),
                "{given}"
            );
        }
        // Four bytes a character, and a file system takes 255.
        let long = format!("{}.pdf", "🎉".repeat(251));
        let (_, saved) = names(&of_given(&long));
        assert_eq!(saved, format!("{}.pdf", "🎉".repeat(62)));
        // What becomes a device, or gets such an end, by being shortened.
        let long = format!("con{}🎉.txt", " ".repeat(247));
        assert_eq!(
            names(&of_given(&long)).1,
            format!("_con{}.txt", " ".repeat(247))
        );
        let long = format!("é{}x", " ".repeat(253));
        let (_, saved) = names(&of_given(&long));
        assert_eq!(saved, format!("é{}", "_".repeat(253)));
    }

    proptest! {
        #[test]
        fn every_system_can_save_both_names(text in "(?s:.{1,60})|[-.\u{301}conNUL1]{1,8}|[-. :con1$²🎉é]{1,9}|(con|🎉)[ é]{60,255}") {
            if let Ok(name) = FileName::sanitize(&text) {
                let given = DisplayName::given(&text, &name);
                let (ascii, extended) = names(&attachment(&name, given.as_ref()));
                for name in [ascii, extended] {
                    prop_assert!(!name.is_empty() && !name.starts_with('-'), "{}", name);
                    prop_assert!(!name.ends_with(STRIPPED) && !is_device(&name), "{}", name);
                    prop_assert!(!name.contains(NOT_ON_WINDOWS) && !name.contains(['/', '\\']), "{}", name);
                    prop_assert!(name.len() <= MAX_FILE_NAME_BYTES);
                }
            }
        }

        #[test]
        fn no_name_breaks_out_of_the_header(text in "(?s:.{1,60})") {
            if let Ok(name) = FileName::sanitize(&text) {
                let given = DisplayName::given(&text, &name);
                let value = attachment(&name, given.as_ref());
                prop_assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')));
                prop_assert_eq!(value.matches('"').count(), 2);
                prop_assert!(!value.contains('\\'));
                let extended = value.split("UTF-8''").nth(1).unwrap();
                let decoded = percent_encoding::percent_decode_str(extended).decode_utf8().unwrap();
                let shown = given.as_ref().map_or(name.as_str(), DisplayName::as_str);
                prop_assert_eq!(decoded.as_ref(), saved_as(shown));
            }
        }
    }
}
