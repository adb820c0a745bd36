//! The header with which a client marks a request that it may send again.
//!
//! Invariant: a key that isn't right is refused, never ignored: its sender believes that the request
//! is safe to repeat. An empty header is no key: what a form sends whose field was left empty.

use poem::http::HeaderMap;

use super::problem::{Code, Problem};
use crate::domain::IdempotencyKey;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `None` without the header, or if it is empty.
///
/// # Errors
/// A value that is no key, or several values.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let refused = |why: &str| Code::InvalidRequest.with(format!("Idempotency-Key: {why}"));
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(refused("must be there once"));
    }
    if value.as_bytes().trim_ascii().is_empty() {
        return Ok(None);
    }
    // What isn't visible ASCII reads as an empty text here, which is no key either.
    let text = value.to_str().unwrap_or_default();
    IdempotencyKey::parse(text)
        .map(Some)
        .map_err(|invalid| refused(&invalid.0))
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn key(values: &[&'static [u8]]) -> Result<Option<IdempotencyKey>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        idempotency_key(&headers)
    }

    #[test]
    fn a_key_is_there_once_or_not_at_all() {
        for none in [&[][..], &[b"".as_slice()], &[b" "]] {
            assert_eq!(key(none), Ok(None));
        }
        assert!(matches!(key(&[b"\"a-1\""]), Ok(Some(_))));
        for refused in [
            &[b"\"\"".as_slice()][..],
            &[b"", b""],
            &[b"a b"],
            &[b"a", b"a"],
            &[b"a", b"b"],
            &[b"\xff"],
        ] {
            let problem = key(refused).unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequest);
            assert!(problem.detail.starts_with("Idempotency-Key: "));
        }
    }
}
