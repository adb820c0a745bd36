//! Which links there are: the caller's, and those of a file.

use super::{Link, Links};
use crate::access::{Action, Resource, authorize};
use crate::capability_token::RenewableId;
use crate::domain::FileId;
use crate::operations::{Context, OperationError, Stores};

/// A part of a list of links, the youngest first.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkPage {
    /// Those that aren't over; maybe fewer than were asked for although more follow.
    pub links: Vec<Link>,
    /// Behind which link the next page goes on; `None` if this was the last.
    pub next: Option<RenewableId>,
}

/// The caller's links behind this one, or from the youngest on.
///
/// # Errors
/// A store's fault.
pub async fn list_links(
    stores: &Stores,
    links: &Links,
    context: &Context,
    after: Option<RenewableId>,
    limit: usize,
) -> Result<LinkPage, OperationError> {
    let (owner, now) = (context.caller.owner(), stores.clock.now());
    let (links, next) = links.page_of_owner(owner, after, limit, now).await?;
    Ok(LinkPage { links, next })
}

/// The links behind this one, or from the youngest on, that pass on a file of the caller's and that the caller may
/// change: one of an administrator's may pass on other people's files besides.
///
/// # Errors
/// [`OperationError::FileNotFound`], or a store's fault.
pub async fn list_file_links(
    stores: &Stores,
    links: &Links,
    context: &Context,
    file: FileId,
    (after, limit): (Option<RenewableId>, usize),
) -> Result<LinkPage, OperationError> {
    const ACTION: Action = Action::ListFileLinks;
    stores.record_for(context, ACTION, file).await?;
    let now = stores.clock.now();
    let (links, next) = links.page_of_file(file, after, limit, now).await?;
    let may = |link: &Link| {
        let owner = link.owner;
        authorize(&context.caller, ACTION, Resource::Link { owner }).is_ok()
    };
    Ok(LinkPage {
        links: links.into_iter().filter(may).collect(),
        next,
    })
}
