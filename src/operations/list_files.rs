//! One page of files, newest first.

use super::{Context, OperationError, Stores};
use crate::access::Caller;
use crate::domain::UserId;
use crate::metadata_store::{Page, PageRequest};

/// Whose files a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// The caller's; the operator's are all.
    #[default]
    Mine,
    /// Everybody's.
    All,
}

impl Whose {
    /// Whose files these are for this caller; `None`: everybody's.
    pub fn owner(self, caller: &Caller) -> Option<UserId> {
        match self {
            Self::Mine => caller.owner(),
            Self::All => None,
        }
    }
}

/// A page may hold fewer records than were asked for and still have a next one: what is past its
/// time is left out here, not counted in the store. Whose files it has is `whose`, not the request's `owner`.
///
/// # Errors
/// A store's fault.
pub async fn list_files(
    stores: &Stores,
    context: &Context,
    whose: Whose,
    request: PageRequest,
) -> Result<Page, OperationError> {
    let owner = whose.owner(&context.caller);
    let mut page = stores
        .metadata
        .page(PageRequest { owner, ..request })
        .await?;
    let now = stores.clock.now();
    page.records.retain(|record| record.is_visible(now));
    Ok(page)
}
