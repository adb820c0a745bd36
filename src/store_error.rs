//! What can go wrong in a store, by meaning.
//!
//! Invariant: whoever handles one of these needs no knowledge of the store behind it. The cause is
//! kept for the log and never shown to a client.

use std::error::Error;

type Cause = Box<dyn Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store didn't do it, or didn't say whether it did. Trying again later is right; every
    /// operation of the ports is safe to repeat.
    #[error("{store} is unavailable")]
    Unavailable {
        store: &'static str,
        #[source]
        cause: Cause,
    },
    /// No room is left for more.
    #[error("{store} has no space left")]
    OutOfSpace {
        store: &'static str,
        #[source]
        cause: Cause,
    },
    /// As many records are pending as may be. Trying again later is right.
    #[error("{store} has as many pending records as it may have")]
    TooManyPending { store: &'static str },
    /// What was read isn't what this program wrote. Trying again doesn't help.
    #[error("{store} holds something that can't be read: {what}")]
    Corrupt { store: &'static str, what: String },
    /// The key or ID is taken.
    #[error("{store} has this already")]
    AlreadyExists { store: &'static str },
}

impl StoreError {
    pub fn unavailable(store: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Unavailable {
            store,
            cause: cause.into(),
        }
    }

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
