//! One page of files, newest first.

use super::{OperationError, Stores};
use crate::metadata_store::{Page, PageRequest};

/// A page may hold fewer records than were asked for and still have a next one: what is past its
/// time is left out here, not counted in the store.
///
/// # Errors
/// A store's fault.
pub async fn list_files(stores: &Stores, request: PageRequest) -> Result<Page, OperationError> {
    let mut page = stores.metadata.page(request).await?;
    let now = stores.clock.now();
    page.records.retain(|record| record.is_visible(now));
    Ok(page)
}
