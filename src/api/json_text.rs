//! JSON as clients write it, read as an object.
//!
//! Source: RFC 8259. Section 8.2 leaves open what half a surrogate pair in an escape means; JavaScript
//! writes one where a name was cut within an emoji.
//!
//! Invariant: what isn't right is told by what is wrong with it, and half a surrogate pair reads as the
//! replacement character, which no name keeps.

use serde_json::{Map, Value};

use super::problem::{Code, Problem};

/// What stands for a character that is none.
const REPLACEMENT: &[u8] = b"\\ufffd";
/// The length of an escape such as `\u00e9`, in bytes.
const ESCAPE: usize = 6;

/// Reads a body that is one JSON object; an unpaired surrogate in it is read as U+FFFD.
///
/// # Errors
/// A text that isn't UTF-8, isn't JSON, or is no object.
pub(super) fn json_object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let refused = |why: String| Err(Code::InvalidRequest.with(why));
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return refused(format!(
                "the body isn't UTF-8 from byte {} on, and JSON has to be: send it in that encoding",
                error.valid_up_to()
            ));
        }
    };
    if text.starts_with('\u{feff}') {
        return refused("the body begins with a byte order mark: send UTF-8 without one".into());
    }
    let parsed = serde_json::from_str(text).or_else(|error| match whole_characters(bytes) {
        Some(repaired) => serde_json::from_slice(&repaired),
        None => Err(error),
    });
    match parsed {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => refused("the body must be a JSON object".into()),
        Err(_) if bytes.contains(&0) => {
            refused("the body isn't JSON in UTF-8: it looks like UTF-16 or UTF-32".into())
        }
        Err(error) => refused(format!(
            "the body isn't JSON: see line {}, column {}",
            error.line(),
            error.column()
        )),
    }
}

/// The text with [`REPLACEMENT`] for each half of a surrogate pair, and of the same length; `None` if it
/// has none.
fn whole_characters(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = bytes.to_vec();
    let (mut at, mut found) = (0, false);
    while at < bytes.len() {
        at += match (bytes[at], escape(bytes, at)) {
            (b'\\', Some(0xd800..=0xdbff))
                if matches!(escape(bytes, at + ESCAPE), Some(0xdc00..=0xdfff)) =>
            {
                2 * ESCAPE
            }
            (b'\\', Some(0xd800..=0xdfff)) => {
                repaired[at..at + ESCAPE].copy_from_slice(REPLACEMENT);
                found = true;
                ESCAPE
            }
            // Such as `\\\\`, whose second sign begins nothing.
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    found.then_some(repaired)
}

/// What the escape `\uXXXX` at this place stands for, if there is one.
fn escape(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex
        .then(|| u16::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(body: &str) -> String {
        json_object(body.as_bytes()).unwrap()["n"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn half_a_surrogate_pair_is_a_character_that_is_none() {
        for (body, expected) in [
            (r#"{"n":"a\ud83d.png"}"#, "a\u{fffd}.png"),
            (r#"{"n":"a\uDE00b"}"#, "a\u{fffd}b"),
            (r#"{"n":"\ude00\ud83d"}"#, "\u{fffd}\u{fffd}"),
            (r#"{"n":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (r#"{"n":"\ud83d\ude00\ud83d"}"#, "\u{1f600}\u{fffd}"),
            (r#"{"n":"\\ud83d \ud83d"}"#, "\\ud83d \u{fffd}"),
            (r#"{"n":"\ud83d\ude00 \u00e9"}"#, "\u{1f600} \u{e9}"),
        ] {
            assert_eq!(name(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_body_is_named() {
        for (body, named) in [
            (&b"{\"n\":\"\xff\"}"[..], "isn't UTF-8 from byte 6"),
            (b"\xff\xfe{\0}\0", "isn't UTF-8 from byte 0"),
            (b"{\0}\0", "UTF-16"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"{\"n\":\"\\ud83d\",}", "line 1, column"),
            (b"{\"n\":\"\\ud8", "line 1, column"),
            (b"", "line 1, column 0"),
            (b"[]", "a JSON object"),
        ] {
            let problem = json_object(body).unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequest);
            assert!(problem.detail.contains(named), "{}", problem.detail);
        }
    }
}
