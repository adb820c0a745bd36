//! A range never leaves the object, and is the one that RFC 9110 says.

use poem::http::{HeaderMap, HeaderValue, header};

use super::Input;
use crate::domain::from_millis;
use crate::local_mode::{Condition, Part, Validators, etag};
use crate::object_store::ObjectHead;

/// Eight bytes: the object's length. Then a line each for `Range` and the headers with conditions.
pub(super) fn property(data: &[u8]) {
    let mut input = Input(data);
    let length = u64::from_le_bytes(input.array());
    let mut lines = input.rest().splitn(4, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    let mut range = None;
    for name in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
    ] {
        if let Some(line) = lines.next()
            && let Ok(value) = HeaderValue::from_bytes(line)
        {
            if name == header::RANGE {
                range = value.to_str().ok().map(str::to_owned);
            }
            headers.insert(name, value);
        }
    }
    let head = ObjectHead {
        version_id: None,
        content_length: length,
        sha256: None,
        replaceable: false,
        last_modified: from_millis(1_790_000_000_123).unwrap_or_default(),
    };
    let etag = etag(&head);
    let validators = Validators::of(&head, &etag);
    let part = validators.part(&headers, length);
    if let Part::Range(range) = &part {
        assert!(range.start < range.end && range.end <= length, "{range:?}");
    }
    if !headers.contains_key(header::IF_RANGE)
        && let Some(expected) = range.and_then(|text| as_the_standard_says(&text, length))
    {
        assert_eq!(part, expected);
    }
    // Whoever names the tag that the object has gets its bytes, and whoever has them already doesn't.
    let condition = validators.condition(&headers);
    let holds = |name| headers.get(name).is_some_and(|value| *value == etag);
    if holds(header::IF_NONE_MATCH) {
        assert_ne!(condition, Condition::Holds);
    } else if holds(header::IF_MATCH) && !headers.contains_key(header::IF_NONE_MATCH) {
        assert_eq!(condition, Condition::Holds);
    }
}

/// RFC 9110, section 14.1.2, for what is beyond doubt: `bytes=` and one range of ordinary numbers.
fn as_the_standard_says(text: &str, length: u64) -> Option<Part> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |digits: &str| {
        let ordinary =
            (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        ordinary.then(|| digits.parse::<u64>().ok()).flatten()
    };
    Some(match (first, last) {
        ("", suffix) => match number(suffix)?.min(length) {
            0 => Part::Unsatisfiable,
            suffix => Part::Range(length - suffix..length),
        },
        (first, last) => {
            let first = number(first)?;
            let end = match last {
                "" => length,
                last => {
                    let last = number(last)?;
                    if last < first {
                        return Some(Part::Whole);
                    }
                    length.min(last + 1)
                }
            };
            match first < length {
                true => Part::Range(first..end),
                false => Part::Unsatisfiable,
            }
        }
    })
}
