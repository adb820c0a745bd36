//! What SQLite's errors mean.
//!
//! Invariant: the text of an error holds no value of a record; SQLite's messages name columns and
//! constraints at most.

use std::error::Error as StdError;
use std::sync::Arc;

use rusqlite::{Error, ErrorCode, ffi};

use super::STORE;
use crate::metadata_store::StoreError;

pub(super) fn store_error(error: Error) -> StoreError {
    meaning(&error).with_cause(error)
}

/// The same for an error that several callers get.
pub(super) fn shared_store_error(error: &Arc<Error>) -> StoreError {
    meaning(error).with_cause(Arc::clone(error))
}

/// Whether the error says that there was no room.
pub(super) fn says_full(error: &Error) -> bool {
    matches!(meaning(error), Meaning::OutOfSpace)
}

/// Whether the error is one that a full quota looks like, and a sync that finds the disk full: SQLite tells
/// a full disk apart only where a write said so.
pub(super) fn may_be_full(error: &Error) -> bool {
    let Some(failure) = error.sqlite_error() else {
        return false;
    };
    matches!(
        failure.code,
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen
    )
}

enum Meaning {
    OutOfSpace,
    Corrupt(String),
    Unavailable,
}

impl Meaning {
    fn with_cause(self, cause: impl StdError + Send + Sync + 'static) -> StoreError {
        match self {
            Self::OutOfSpace => StoreError::OutOfSpace {
                store: STORE,
                cause: cause.into(),
            },
            Self::Corrupt(what) => StoreError::corrupt(STORE, what),
            Self::Unavailable => StoreError::unavailable(STORE, cause),
        }
    }
}

/// Whether this process may make files of a certain size only (`ulimit -f`).
fn files_are_limited() -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    limit.current.is_some()
}

fn meaning(error: &Error) -> Meaning {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => Meaning::OutOfSpace,
            // The log's index couldn't grow, which is how a full disk shows there.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Meaning::OutOfSpace,
            // SQLite calls it no more than a write that failed (EFBIG).
            _ if failure.extended_code == ffi::SQLITE_IOERR_WRITE && files_are_limited() => {
                Meaning::OutOfSpace
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                Meaning::Corrupt(error.to_string())
            }
            _ => Meaning::Unavailable,
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => Meaning::Corrupt(error.to_string()),
        _ => Meaning::Unavailable,
    }
}
