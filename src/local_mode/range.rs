//! Which part of an object a request wants, and whether it wants it at all.
//!
//! Source: RFC 9110, sections 13 and 14, as far as S3 follows it: several ranges at once are ignored,
//! as is a range that can't be read.
//!
//! Invariant: every [`Part`] lies inside the object.

use std::ops::{Bound, Range as Bytes};
use std::str::FromStr;
use std::time::SystemTime;

use poem::http::{HeaderMap, HeaderValue, header};
use poem::web::headers::{
    ETag, Header, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified, Range,
};

use crate::object_store::ObjectHead;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Range(Bytes<u64>),
    /// There is no such part.
    Unsatisfiable,
}

/// What conditions in the request make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Holds,
    /// The client has it already.
    NotModified,
    /// The named header's condition doesn't hold.
    Failed(&'static str),
}

/// What conditions compare with.
pub(crate) struct Validators {
    etag: Option<ETag>,
    last_modified: SystemTime,
}

impl Validators {
    pub(crate) fn of(head: &ObjectHead, etag: &str) -> Self {
        Self {
            etag: ETag::from_str(etag).ok(),
            last_modified: head.last_modified.into(),
        }
    }

    /// In the order of RFC 9110, section 13.2.2. A header that can't be read counts as absent.
    pub(crate) fn condition(&self, request: &HeaderMap) -> Condition {
        if let Some(if_match) = tags::<IfMatch>(request) {
            let passes = |etag| if_match.precondition_passes(etag);
            if !self.etag.as_ref().is_some_and(passes) {
                return Condition::Failed("If-Match");
            }
        } else if let Some(since) = request.typed_get::<IfUnmodifiedSince>()
            && !since.precondition_passes(self.last_modified)
        {
            return Condition::Failed("If-Unmodified-Since");
        }
        if let Some(if_none_match) = tags::<IfNoneMatch>(request) {
            let passes = |etag| if_none_match.precondition_passes(etag);
            if !self.etag.as_ref().is_none_or(passes) {
                return Condition::NotModified;
            }
        } else if let Some(since) = request.typed_get::<IfModifiedSince>()
            && !since.is_modified(self.last_modified)
        {
            return Condition::NotModified;
        }
        Condition::Holds
    }

    /// The part of an object of `length` bytes that is wanted.
    pub(crate) fn part(&self, request: &HeaderMap, length: u64) -> Part {
        let last_modified = LastModified::from(self.last_modified);
        let changed = tags::<IfRange>(request)
            .is_some_and(|if_range| if_range.is_modified(self.etag.as_ref(), Some(&last_modified)));
        let several = request
            .get(header::RANGE)
            .is_some_and(|value| value.as_bytes().contains(&b','));
        match request.typed_get::<Range>() {
            Some(range) if !changed && !several => one_range(&range, length),
            _ => Part::Whole,
        }
    }
}

/// A header of entity tags. The crate that reads it takes for granted that there is no space inside a
/// tag, and ends a debug build otherwise; to HTTP, it is no tag then (RFC 9110, section 8.8.3).
fn tags<H: Header>(request: &HeaderMap) -> Option<H> {
    let is_readable = |value: &HeaderValue| {
        let mut inside = false;
        value.as_bytes().iter().all(|byte| {
            inside ^= *byte == b'"';
            !(inside && matches!(byte, b' ' | b'\t'))
        })
    };
    let readable = request.get_all(H::name()).iter().all(is_readable);
    readable.then(|| request.typed_get()).flatten()
}

fn one_range(range: &Range, length: u64) -> Part {
    let Some(bounds) = range.satisfiable_ranges(length).next() else {
        // Either it can't be read, or it asks for more of the end than there is, which the crate
        // takes for unsatisfiable too. For a longer object the latter has an answer.
        return match range.satisfiable_ranges(u64::MAX).next() {
            Some((Bound::Included(_), Bound::Unbounded)) if length > 0 => Part::Range(0..length),
            Some((Bound::Included(_), Bound::Unbounded)) => Part::Unsatisfiable,
            _ => Part::Whole,
        };
    };
    match bounds {
        (Bound::Included(first), Bound::Included(last)) if first > last => Part::Whole,
        (Bound::Included(first), _) if first >= length => Part::Unsatisfiable,
        (Bound::Included(first), Bound::Included(last)) => {
            Part::Range(first..last.saturating_add(1).min(length))
        }
        (Bound::Included(first), Bound::Unbounded) => Part::Range(first..length),
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderName;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::from_millis;

    const ETAG: &str = "\"1a-64\"";
    /// 2026-09-21T14:13:20Z and some milliseconds, which an HTTP date doesn't have.
    const MILLIS: i64 = 1_790_000_000_123;
    const SAME: &str = "Mon, 21 Sep 2026 14:13:20 GMT";
    const BEFORE: &str = "Mon, 21 Sep 2026 14:13:19 GMT";

    fn validators() -> Validators {
        let head = ObjectHead {
            version_id: None,
            content_length: 100,
            sha256: None,
            replaceable: false,
            last_modified: from_millis(MILLIS).unwrap(),
        };
        Validators::of(&head, ETAG)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    fn part(range: &str, length: u64) -> Part {
        validators().part(&headers(&[("range", range)]), length)
    }

    #[test]
    fn one_range_is_cut_to_the_object() {
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=99-99", 99..100),
            ("bytes=10-19", 10..20),
            ("bytes=90-", 90..100),
            ("bytes=90-1000", 90..100),
            ("bytes=0-18446744073709551615", 0..100),
            ("bytes=-1", 99..100),
            ("bytes=-100", 0..100),
            ("bytes=-101", 0..100),
        ] {
            assert_eq!(part(range, 100), Part::Range(expected), "{range}");
        }
    }

    #[test]
    fn a_range_outside_the_object_is_unsatisfiable() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(part(range, 100), Part::Unsatisfiable, "{range}");
        }
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(part(range, 0), Part::Unsatisfiable, "{range}");
        }
    }

    #[test]
    fn several_ranges_and_unreadable_ones_are_ignored() {
        for range in [
            "bytes=0-1,5-6",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=",
            "items=0-1",
            "bytes=0-99999999999999999999999",
        ] {
            assert_eq!(part(range, 100), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_counts_only_while_the_object_is_the_one_that_if_range_names() {
        let with = |if_range| {
            validators().part(
                &headers(&[("range", "bytes=0-0"), ("if-range", if_range)]),
                100,
            )
        };
        assert_eq!(with(ETAG), Part::Range(0..1));
        assert_eq!(with("\"other\""), Part::Whole);
        assert_eq!(with(SAME), Part::Range(0..1));
        assert_eq!(with(BEFORE), Part::Whole);
    }

    #[test]
    fn a_tag_with_a_space_in_it_is_none_and_counts_as_absent() {
        for tag in ["\"1a-64 \"", "W/\"a\tb\"", "\"a\", \"b c\""] {
            for name in ["if-match", "if-none-match"] {
                let condition = validators().condition(&headers(&[(name, tag)]));
                assert_eq!(condition, Condition::Holds, "{name}: {tag}");
            }
            let ranged = headers(&[("range", "bytes=0-0"), ("if-range", tag)]);
            assert_eq!(validators().part(&ranged, 100), Part::Range(0..1), "{tag}");
        }
    }

    #[test]
    fn conditions_are_judged_in_the_order_of_the_standard() {
        use Condition::{Failed, Holds, NotModified};
        for (pairs, expected) in [
            (&[][..], Holds),
            (&[("if-match", ETAG)], Holds),
            (&[("if-match", "*")], Holds),
            (&[("if-match", "\"other\"")], Failed("If-Match")),
            (&[("if-none-match", ETAG)], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"other\", \"1a-64\"")], NotModified),
            (&[("if-none-match", "\"other\"")], Holds),
            (&[("if-modified-since", SAME)], NotModified),
            (&[("if-modified-since", BEFORE)], Holds),
            (&[("if-modified-since", "yesterday")], Holds),
            (&[("if-unmodified-since", SAME)], Holds),
            (
                &[("if-unmodified-since", BEFORE)],
                Failed("If-Unmodified-Since"),
            ),
            (
                &[("if-match", ETAG), ("if-unmodified-since", BEFORE)],
                Holds,
            ),
            (
                &[("if-none-match", "\"x\""), ("if-modified-since", SAME)],
                Holds,
            ),
            (
                &[("if-match", "\"x\""), ("if-none-match", ETAG)],
                Failed("If-Match"),
            ),
        ] {
            assert_eq!(
                validators().condition(&headers(pairs)),
                expected,
                "{pairs:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_range_leaves_the_object(range in "bytes=[0-9,-]{0,24}|[ -~]{0,30}", length in 0..2000_u64) {
            if let Part::Range(part) = part(&range, length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
