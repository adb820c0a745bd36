//! What can go wrong in a store, by meaning.
//!
//! Invariant: whoever handles one of these needs no knowledge of the store behind it. The cause is
//! kept for the log and never shown to a client.

use std::error::Error;

use crate::metrics::CallError;
use chrono::{DateTime, Utc};

type Cause = Box<dyn Error + Send + Sync>;

/// Why a store didn't do what it was asked for, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store didn't do it, or didn't say whether it did. Trying again later is right; every
    /// operation of the ports is safe to repeat.
    #[error("{store} is unavailable")]
    Unavailable {
        /// What errors call the store, as in "the bucket".
        store: &'static str,
        /// What the store or the way to it said, for the log.
        #[source]
        cause: Cause,
    },
    /// The store keeps this until then, by its own lock. Trying again before doesn't help.
    #[error("{store} keeps this until {until}")]
    Locked {
        /// What errors call the store.
        store: &'static str,
        /// When to try again.
        until: DateTime<Utc>,
    },
    /// No room is left for more.
    #[error("{store} has no space left")]
    OutOfSpace {
        /// What errors call the store.
        store: &'static str,
        /// What the operating system or the database said, for the log.
        #[source]
        cause: Cause,
    },
    /// As many records are pending as may be. Trying again later is right.
    #[error("{store} has as many pending records as it may have")]
    TooManyPending {
        /// What errors call the store.
        store: &'static str,
    },
    /// What was read isn't what this program wrote. Trying again doesn't help.
    #[error("{store} holds something that can't be read: {what}")]
    Corrupt {
        /// What errors call the store.
        store: &'static str,
        /// Which part can't be read, and why; for the log.
        what: String,
    },
    /// The key or ID is taken.
    #[error("{store} has this already")]
    AlreadyExists {
        /// What errors call the store.
        store: &'static str,
    },
}

impl StoreError {
    /// A store that didn't do it, for this cause.
    pub fn unavailable(store: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Unavailable {
            store,
            cause: cause.into(),
        }
    }

    /// A store that holds what this program can't have written.
    pub fn corrupt(store: &'static str, what: impl Into<String>) -> Self {
        Self::Corrupt {
            store,
            what: what.into(),
        }
    }

    /// An I/O error of this machine: a full disk, quota, or limit on the size of files is told apart from
    /// the rest.
    pub fn from_io(store: &'static str, error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::OutOfSpace {
                    store,
                    cause: error.into(),
                }
            }
            ErrorKind::AlreadyExists => Self::AlreadyExists { store },
            _ => Self::unavailable(store, error),
        }
    }

    /// What is wrong with the store, as it is counted; `None` where it did its work and this is its answer.
    pub fn fault(&self) -> Option<CallError> {
        match self {
            Self::Unavailable { .. } => Some(CallError::Unavailable),
            Self::OutOfSpace { .. } => Some(CallError::OutOfSpace),
            Self::Corrupt { .. } => Some(CallError::Corrupt),
            Self::TooManyPending { .. } | Self::AlreadyExists { .. } | Self::Locked { .. } => None,
        }
    }

    /// See [`chain`].
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error with all its causes on one line, for a log.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
