//! What the service said of how often one may call: only where little is left, as it says it
//! (draft-ietf-httpapi-ratelimit-headers).
//!
//! **Invariant:** what a server chose is kept only if it can be what it says, and of no more than [`MAX_NAMES`] limits.
//! Nothing is decided by it: a pause is what `Retry-After` says.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;

/// How many limits of one service are kept in mind.
const MAX_NAMES: usize = 8;
/// The longest name of one.
const MAX_NAME_CHARS: usize = 16;

/// How whoever calls stands by one limit, as the last answer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RateSeen {
    pub name: String,
    /// How many calls there may be at once.
    pub most: u64,
    /// How many of them are left.
    pub left: u64,
    /// In how many seconds all are left again.
    pub whole_in: u64,
}

/// Of one service, by all calls of this process.
#[derive(Debug, Default)]
pub(crate) struct RatesSeen {
    calls: AtomicU64,
    seen: Mutex<Vec<RateSeen>>,
}

impl RatesSeen {
    /// An answer came.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(new) = told(headers) else { return };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.iter().position(|it| it.name == new.name) {
            Some(at) => seen[at] = new,
            None if seen.len() < MAX_NAMES => seen.push(new),
            None => {}
        }
    }

    /// How many answers came.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Limits of which little was left.
    pub(crate) fn scarce(&self) -> Vec<RateSeen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

fn told(headers: &HeaderMap) -> Option<RateSeen> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let (name, limit) = item(text("ratelimit")?)?;
    let (of_policy, policy) = item(text("ratelimit-policy")?)?;
    let seen = RateSeen {
        most: parameter(policy, "q")?,
        left: parameter(limit, "r")?,
        whole_in: parameter(limit, "t").unwrap_or(0),
        name: name.to_owned(),
    };
    (name == of_policy && seen.left <= seen.most).then_some(seen)
}

/// `"name";parameters`, the first of a list (RFC 9651).
fn item(text: &str) -> Option<(&str, &str)> {
    let first = text.split(',').next()?;
    let (name, parameters) = first.trim().strip_prefix('"')?.split_once('"')?;
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_short = (1..=MAX_NAME_CHARS).contains(&name.len());
    (is_short && is_name(name)).then_some((name, parameters))
}

fn parameter(parameters: &str, name: &str) -> Option<u64> {
    let mut all = parameters.split(';').map(str::trim);
    let value = all.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(limit: &str, policy: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("ratelimit", limit), ("ratelimit-policy", policy)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn the_last_that_was_said_of_each_limit_counts() {
        let rates = RatesSeen::default();
        rates.note(&HeaderMap::new());
        assert_eq!((rates.calls(), rates.scarce()), (1, vec![]));
        rates.note(&headers("\"read\";r=19;t=2", "\"read\";q=200;w=2"));
        rates.note(&headers("\"create\";r=0;t=30", "\"create\";q=3;w=30"));
        rates.note(&headers("\"read\";r=3;t=2", "\"read\";q=200;w=2"));
        let seen = |name: &str, most, left, whole_in| RateSeen {
            name: name.to_owned(),
            most,
            left,
            whole_in,
        };
        assert_eq!(
            rates.scarce(),
            [seen("read", 200, 3, 2), seen("create", 3, 0, 30)]
        );
        assert_eq!(rates.calls(), 4);
    }

    #[test]
    fn what_can_not_be_a_limit_is_none() {
        let rates = RatesSeen::default();
        for (limit, policy) in [
            ("\"read\";r=1;t=2", ""),
            ("", "\"read\";q=200;w=2"),
            ("\"read\";r=1;t=2", "\"create\";q=200;w=2"),
            ("\"read\";r=201", "\"read\";q=200"),
            ("\"read\";r=-1", "\"read\";q=200"),
            ("read;r=1", "read;q=200"),
            ("\"\u{1b}\";r=1", "\"\u{1b}\";q=200"),
            (
                "\"an-endless-name-of-a-limit\";r=1",
                "\"an-endless-name-of-a-limit\";q=2",
            ),
            ("\"read\"", "\"read\""),
        ] {
            if http::HeaderValue::from_str(limit).is_ok() {
                rates.note(&headers(limit, policy));
            }
        }
        assert_eq!(rates.scarce(), []);
        for n in 0..100 {
            let (limit, policy) = (format!("\"n{n}\";r=0"), format!("\"n{n}\";q=1"));
            rates.note(&headers(&limit, &policy));
        }
        assert_eq!(rates.scarce().len(), MAX_NAMES);
    }
}
