//! How many bytes a file has.
//!
//! Invariant: no `ContentLength` is above [`MAX_CONTENT_LENGTH`]. An operator can lower the limit
//! and nobody can raise it.

use std::fmt;

/// The largest file that the service takes, in bytes: 20 MiB, itself included.
pub const MAX_CONTENT_LENGTH: u64 = 20 * 1024 * 1024;

/// An exact number of bytes, from 0 to [`MAX_CONTENT_LENGTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentLength(u64);

/// A length above the limit that is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are more than the {limit} bytes that a file may have")]
pub struct TooLong {
    /// The number of bytes that was asked for.
    pub length: u64,
    /// The limit that was in force, in bytes: never above [`MAX_CONTENT_LENGTH`].
    pub limit: u64,
}

impl ContentLength {
    /// Takes a number of bytes that is within `limit`, the operator's, and within [`MAX_CONTENT_LENGTH`].
    ///
    /// # Errors
    /// [`TooLong`] if `bytes` is above `limit` or above [`MAX_CONTENT_LENGTH`].
    pub fn new(bytes: u64, limit: u64) -> Result<Self, TooLong> {
        let limit = limit.min(MAX_CONTENT_LENGTH);
        if bytes > limit {
            return Err(TooLong {
                length: bytes,
                limit,
            });
        }
        Ok(Self(bytes))
    }

    /// The number of bytes, at most [`MAX_CONTENT_LENGTH`].
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ContentLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_the_range_are_inside_it() {
        assert_eq!(
            ContentLength::new(0, MAX_CONTENT_LENGTH).unwrap().bytes(),
            0
        );
        assert!(ContentLength::new(20_971_520, MAX_CONTENT_LENGTH).is_ok());
        assert!(ContentLength::new(20_971_521, MAX_CONTENT_LENGTH).is_err());
    }

    #[test]
    fn a_limit_lowers_the_maximum_and_never_raises_it() {
        assert!(ContentLength::new(11, 10).is_err());
        assert!(ContentLength::new(MAX_CONTENT_LENGTH + 1, u64::MAX).is_err());
    }
}
