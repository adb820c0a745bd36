//! Ends a box: nothing is handed in any more, and its files become its owner's like all others.
//!
//! Invariant: no file is lost from view. The box stays in its owner's list until the last of its files was taken out,
//! whatever dies in between; the same call again goes on.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Boxes;
use super::file_box::FileBox;
use super::kept::{contended, key};
use crate::access::Action;
use crate::domain::{BoxId, FileId};
use crate::metadata_store::MAX_PAGE;
use crate::operations::{Context, OperationError, Stores};
use crate::store_error::StoreError;

/// How many files are taken out at a time.
const AT_A_TIME: usize = 8;
/// How often a change is made anew if somebody else changed the box meanwhile, and its files are looked for.
const MAX_ROUNDS: usize = 8;
/// How often the list of a box is read for one call: more often than a box has pages.
const MAX_PAGES: usize = 2 * super::MAX_BOX_FILES as usize / MAX_PAGE;

/// Ends a box of the caller's.
///
/// # Errors
/// [`OperationError::BoxNotFound`] if it isn't the caller's or isn't there; a store's fault: then the same call goes
/// on where this one stopped.
pub async fn end_box(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    id: BoxId,
) -> Result<(), OperationError> {
    let now = stores.clock.now();
    let mut rounds = 0..MAX_ROUNDS;
    let file_box = loop {
        let kept = boxes.own(context, Action::EndBox, id, now).await?;
        let ended = FileBox {
            is_ended: true,
            ..kept.file_box
        };
        if boxes.replace(&ended, kept.version, now).await? {
            break ended;
        }
        rounds.next().ok_or_else(contended)?;
    };
    // From here on nothing comes into it: what is in the list is all there will be.
    boxes.hand_ins.shut_box(id).await?;
    for _ in 0..MAX_ROUNDS {
        take_out(boxes, &file_box).await?;
        // A list that is a moment behind may not have had what came last, or have what left.
        tokio::time::sleep(boxes.hand_ins.box_list_lag()).await;
        let left = boxes.hand_ins.box_page(id, None, 1).await?;
        if left.records.is_empty() {
            boxes.items.remove(&key(id)?, now).await?;
            return Ok(());
        }
    }
    Err(contended().into())
}

/// Takes all files out of a box that the list has.
async fn take_out(boxes: &Boxes, file_box: &FileBox) -> Result<(), StoreError> {
    let (id, owner) = (file_box.id, file_box.owner);
    let mut before = None;
    for _ in 0..MAX_PAGES {
        let page = boxes.hand_ins.box_page(id, before, MAX_PAGE).await?;
        let files: Vec<FileId> = page.records.iter().map(|record| record.id).collect();
        let leaving = stream::iter(files)
            .map(|file| async move { boxes.hand_ins.leave_box(file, id, owner).await });
        leaving
            .buffer_unordered(AT_A_TIME)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await?;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(())
}
