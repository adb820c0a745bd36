//! What signs receipts, by the settings.
//!
//! Invariant: a full disk keeps no service down that ran without a key before. A key that is made where files have been
//! kept before is said: receipts of before may need another one, which a restored copy left out.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::StartError;
use crate::config::{ApiSettings, ReceiptSeed};
use crate::receipt::{KEY_FILE, ReceiptKeys};
use crate::secret_file::SecretError;

/// Where local mode keeps its key.
pub(super) struct DataDir<'a> {
    pub path: &'a Path,
    /// Whether the service has been started there before.
    pub is_known: bool,
}

/// The keys of the settings, and in local mode the one in the data directory.
pub(super) fn keys(
    settings: &ApiSettings,
    data_dir: Option<DataDir<'_>>,
) -> Result<Arc<ReceiptKeys>, StartError> {
    let given = || ReceiptKeys::from_seeds(settings.receipt_keys.iter().map(ReceiptSeed::expose));
    let is_local = data_dir.is_some();
    let keys = match data_dir.map(|data_dir| in_data_dir(given(), &data_dir)) {
        None => given(),
        Some(Ok(keys)) => keys,
        Some(Err(SecretError::Io { path, cause })) if is_full(&cause) => {
            tracing::error!(
                path = %path.display(),
                error = %cause,
                "no key for receipts can be made: there are none until the next start"
            );
            given()
        }
        Some(Err(error)) => return Err(StartError::new("the key of receipts", error)),
    };
    if settings.receipt_keys.is_empty() && !is_local {
        tracing::info!("files have no receipts: RECEIPT_KEY isn't set");
    }
    Ok(Arc::new(keys))
}

fn in_data_dir(given: ReceiptKeys, data_dir: &DataDir<'_>) -> Result<ReceiptKeys, SecretError> {
    let was_there = KEY_FILE.is_in(data_dir.path)?;
    let keys = given.and_in_data_dir(data_dir.path)?;
    if data_dir.is_known && !was_there && KEY_FILE.is_in(data_dir.path)? {
        tracing::warn!(
            path = %data_dir.path.join(KEY_FILE.name).display(),
            "a new key signs receipts, since there was none: if there was one before, as where a copy was restored \
             without it, the receipts that it signed can't be verified here until it is back"
        );
    }
    Ok(keys)
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
