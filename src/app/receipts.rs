//! What signs receipts, by the settings.
//!
//! Invariant: a full disk keeps no service down that ran without a key before.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::StartError;
use crate::config::{ApiSettings, ReceiptSeed};
use crate::receipt::ReceiptKeys;
use crate::secret_file::SecretError;

/// The keys of the settings, and in local mode the one in the data directory.
pub(super) fn keys(
    settings: &ApiSettings,
    data_dir: Option<&Path>,
) -> Result<Arc<ReceiptKeys>, StartError> {
    let given = || ReceiptKeys::from_seeds(settings.receipt_keys.iter().map(ReceiptSeed::expose));
    let keys = match data_dir.map(|data_dir| given().and_in_data_dir(data_dir)) {
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
    if settings.receipt_keys.is_empty() && data_dir.is_none() {
        tracing::info!("files have no receipts: RECEIPT_KEY isn't set");
    }
    Ok(Arc::new(keys))
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
