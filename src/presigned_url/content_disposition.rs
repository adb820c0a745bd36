//! The `Content-Disposition` of a download.
//!
//! Invariant: always `attachment`, so that no browser shows an uploaded page as one of ours; and
//! only characters that can stand in a header and in a quoted string as they are.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::domain::FileName;

/// RFC 8187's `attr-char`, as far as a [`FileName`] has any of them.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// `attachment` with the name twice: an ASCII `filename` for old and simple clients (accents go,
/// other letters become `_`), and the true name as `filename*` (RFC 6266, section 4.3).
pub fn attachment(name: &FileName) -> String {
    let ascii: Cow<'_, str> = if name.as_str().is_ascii() {
        name.as_str().into()
    } else {
        let unmarked = name.as_str().nfd().filter(|c| !is_combining_mark(*c));
        unmarked
            .map(|c| if c.is_ascii() { c } else { '_' })
            .collect()
    };
    let extended = utf8_percent_encode(name.as_str(), ATTR_CHAR);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{extended}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(name: &str) -> String {
        attachment(&FileName::parse(name).unwrap())
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

    proptest! {
        #[test]
        fn no_name_breaks_out_of_the_header(text in "(?s:.{1,60})") {
            if let Ok(name) = FileName::parse(&text) {
                let value = attachment(&name);
                prop_assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')));
                prop_assert_eq!(value.matches('"').count(), 2);
                prop_assert!(!value.contains('\\'));
                let extended = value.split("UTF-8''").nth(1).unwrap();
                let decoded = percent_encoding::percent_decode_str(extended).decode_utf8().unwrap();
                prop_assert_eq!(decoded.as_ref(), name.as_str());
            }
        }
    }
}
