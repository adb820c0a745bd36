//! Shows boxes to their owner, and what lies in them.

use super::Boxes;
use super::file_box::FileBox;
use super::kept::{key, list_of};
use super::stored::{corrupt, from_item};
use crate::access::Action;
use crate::domain::{BoxId, FileId, Status};
use crate::metadata_store::Page;
use crate::operations::{Context, OperationError, Stores};

/// How often the store is asked for one page of files: so many may lie between two that are wanted.
const MAX_READS: usize = 20;

/// A page of boxes, newest first.
#[derive(Debug)]
pub struct BoxList {
    /// Maybe fewer than were asked for, although more follow.
    pub boxes: Vec<FileBox>,
    /// Behind which the next page goes on.
    pub next: Option<BoxId>,
}

/// What lies in a box.
#[derive(Debug)]
pub struct BoxFiles {
    /// The box as it is now: whether a file is late follows from it.
    pub file_box: FileBox,
    /// A page of its files, newest first.
    pub page: Page,
}

/// The caller's boxes behind this one, or from the newest on.
///
/// # Errors
/// A store's fault.
pub async fn list_boxes(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    after: Option<BoxId>,
    limit: usize,
) -> Result<BoxList, OperationError> {
    let after = after.map(key).transpose()?;
    let parent = list_of(context.caller.owner())?;
    let now = stores.clock.now();
    let listing = boxes.items.list(&parent, after.as_ref(), limit, now);
    let page = listing.await?;
    let readable = page.items.iter().filter_map(|item| {
        let read = from_item(item);
        read.inspect_err(|error| {
            let (id, error) = (item.key.id(), error.chain());
            tracing::error!(id, error, "a box can't be read");
        })
        .ok()
    });
    let next = page.next.map(|key| BoxId::parse(key.id()));
    Ok(BoxList {
        boxes: readable.collect(),
        next: next.transpose().map_err(corrupt)?,
    })
}

/// A box of the caller's.
///
/// # Errors
/// [`OperationError::BoxNotFound`], or a store's fault.
pub async fn describe_box(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    id: BoxId,
) -> Result<FileBox, OperationError> {
    let now = stores.clock.now();
    let kept = boxes.own(context, Action::DescribeBox, id, now).await?;
    Ok(kept.file_box)
}

/// Which files of a box are asked for.
#[derive(Debug, Clone, Copy)]
pub struct WantedFiles {
    /// Those that are so; `None`: all but those whose bytes never came. Whoever has the box's URL can make any number of
    /// these, and would bury all others in them.
    pub status: Option<Status>,
    /// Those that come before this one.
    pub before: Option<FileId>,
    /// At most so many: 1 to [`MAX_PAGE`](crate::metadata_store::MAX_PAGE).
    pub limit: usize,
}

impl WantedFiles {
    fn takes(&self, status: Status) -> bool {
        match self.status {
            Some(wanted) => wanted == status,
            None => status != Status::Expired,
        }
    }
}

/// A page of what lies in a box of the caller's, newest first. It may hold fewer files than were asked for and still
/// have a next one.
///
/// # Errors
/// As [`describe_box`].
pub async fn list_box_files(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    action: Action,
    id: BoxId,
    wanted: WantedFiles,
) -> Result<BoxFiles, OperationError> {
    let now = stores.clock.now();
    let kept = boxes.own(context, action, id, now).await?;
    let mut page = Page {
        records: Vec::new(),
        next: wanted.before,
    };
    for _ in 0..MAX_READS {
        let room = wanted.limit.saturating_sub(page.records.len());
        let read = boxes.hand_ins.box_page(id, page.next, room).await?;
        let files = read.records.into_iter().filter(|record| {
            // A tombstone and what is over are no files any more.
            record.is_visible(now) && wanted.takes(record.status())
        });
        page.records.extend(files);
        page.next = read.next;
        if page.next.is_none() || page.records.len() >= wanted.limit {
            break;
        }
    }
    Ok(BoxFiles {
        file_box: kept.file_box,
        page,
    })
}
