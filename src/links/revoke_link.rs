//! Ends a link.

use super::Links;
use super::change_link::own;
use crate::access::Action;
use crate::capability_token::RenewableId;
use crate::operations::{Context, OperationError, Stores};

/// Ends a link of the caller's: its URL brings nothing from now on, but for downloads that were handed out within
/// the last minute.
///
/// # Errors
/// [`OperationError::LinkNotFound`], or a store's fault: then it may be over or not.
pub async fn revoke_link(
    stores: &Stores,
    links: &Links,
    context: &Context,
    id: RenewableId,
) -> Result<(), OperationError> {
    let now = stores.clock.now();
    let kept = own(links, context, Action::RevokeLink, id, now).await?;
    Ok(links.remove(&kept.link, now).await?)
}
