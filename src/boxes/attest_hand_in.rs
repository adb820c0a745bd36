//! What can be attested of a file that lies in a box.
//!
//! Invariant: what whoever handed it in was told: the title and their own time, as they are now.

use super::Boxes;
use crate::domain::{AttestedBox, AttestedFile, BoxId};
use crate::operations::{OperationError, Stores};

/// The same file with what is known of its box. Of one that is gone nothing is.
///
/// # Errors
/// A store's fault.
pub async fn attest_hand_in(
    stores: &Stores,
    boxes: &Boxes,
    file: AttestedFile,
    in_box: Option<BoxId>,
) -> Result<AttestedFile, OperationError> {
    let (Some(id), Some(submitter)) = (in_box, &file.submitter) else {
        return Ok(file);
    };
    let kept = boxes.get(id, stores.clock.now()).await?;
    let in_box = kept.map(|kept| AttestedBox {
        id,
        title: kept.file_box.title.as_str().to_owned(),
        due_at: kept.file_box.times_for(submitter).due_at,
    });
    Ok(AttestedFile { in_box, ..file })
}
