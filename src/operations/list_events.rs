//! What happened to a file, newest first.
//!
//! Invariant: whoever may describe a file may see what happened to it, also once it is deleted and nothing is left of
//! its record: then it still belongs to whom it was created for. For everybody else there is no such file. Who of those
//! that run the service held it, or has it kept, is for those alone who may.

use super::{Context, OperationError, Stores};
use crate::access::{Action, Resource, authorize};
use crate::domain::FileId;
use crate::file_events::{EventPage, EventPosition, FileEvent};

/// A page of a file's events behind `after`; `limit` at the most. Where none are kept it is empty and says so, as long
/// as there is a file.
///
/// # Errors
/// [`OperationError::FileNotFound`], or a store's fault.
pub async fn list_events(
    stores: &Stores,
    context: &Context,
    id: FileId,
    after: Option<EventPosition>,
    limit: usize,
) -> Result<EventPage, OperationError> {
    let action = Action::ListEvents;
    if !stores.events.are_kept() {
        stores.record_for(context, action, id).await?;
        return Ok(EventPage::default());
    }
    let now = stores.clock.now();
    let owner = match stores.metadata.get(id).await? {
        Some(record) => Some(record.owner),
        None => stores.events.owner_of_gone(id, now).await?,
    };
    let owner = owner.ok_or(OperationError::FileNotFound)?;
    authorize(&context.caller, action, Resource::File { owner })?;
    let page = stores.events.page(id, after, limit, now).await?;
    if authorize(&context.caller, Action::HoldFile, Resource::Service).is_ok() {
        return Ok(page);
    }
    let events = page.events.into_iter();
    Ok(EventPage {
        events: events
            .map(FileEvent::without_who_runs_the_service)
            .collect(),
        ..page
    })
}
