//! Boxes: where others hand in files, without an account.
//!
//! ```text
//! item box#ID       what the box is, in the list of its owner's boxes
//! a file's record   which box it lies in, and who handed it in: the files of a box are one list
//! ```
//!
//! Invariant: the URL of a box is a capability to hand in, and to see nothing of what others did. What is handed in
//! belongs to the owner of the box. A box never holds more files than it may, whoever races. It is open by the time
//! of the service, and a file is late by the time of the store. What lay in a box outlives it.
//!
//! Absent on purpose: HTTP, and how bytes get into the store: a file that was handed in has the life of any other.

mod attest_hand_in;
mod change_box;
mod counting;
mod create_box;
mod end_box;
mod file_box;
mod hand_in;
mod kept;
mod list_boxes;
mod stored;
#[cfg(test)]
mod tests;
mod times;

use std::sync::Arc;

pub use attest_hand_in::attest_hand_in;
pub use change_box::{BoxChange, change_box};
pub use counting::Counting;
pub use create_box::{NewBox, create_box};
pub use end_box::end_box;
pub use file_box::{
    BoxTitle, FileBox, Keep, MAX_BOX_FILES, MAX_TITLE_CHARACTERS, SubmitterKind, max_files,
};
pub use hand_in::{HandedIn, NewHandIn, describe_drop, hand_in, renew_hand_in};
pub use list_boxes::{BoxFiles, BoxList, WantedFiles, describe_box, list_box_files, list_boxes};
pub use stored::{BoxState, state_of};
pub use times::{BoxTimes, MAX_OVERRIDES, Override, check_overrides};

use crate::capability_token::{CapabilityId, CapabilityKeys, CapabilityLabel, CapabilityToken};
use crate::domain::FileId;
use crate::item_store::ItemStore;
use crate::metadata_store::hand_ins::HandInStore;
pub use crate::passwords::Password;
use crate::passwords::Passwords;

/// How errors call the store, where what it holds makes no sense.
const STORE: &str = "the store of boxes";

/// What boxes work with: where they and their files are kept, what their URLs are signed with, and the bounds on
/// guessing.
pub struct Boxes {
    items: Arc<dyn ItemStore>,
    hand_ins: Arc<dyn HandInStore>,
    keys: CapabilityKeys,
    passwords: Arc<Passwords>,
    /// The largest file that the service takes, in bytes.
    max_upload_bytes: u64,
    /// Whether there are people who sign in.
    people_sign_in: bool,
}

impl Boxes {
    /// Those that are kept in these stores; `keys` sign and verify their URLs.
    pub fn new(
        items: Arc<dyn ItemStore>,
        hand_ins: Arc<dyn HandInStore>,
        keys: CapabilityKeys,
        passwords: Arc<Passwords>,
        max_upload_bytes: u64,
    ) -> Self {
        Self {
            items,
            hand_ins,
            keys,
            passwords,
            max_upload_bytes,
            people_sign_in: true,
        }
    }

    /// The same where nobody signs in, so no box is for people who do.
    #[must_use]
    pub fn without_sign_in(self) -> Self {
        Self {
            people_sign_in: false,
            ..self
        }
    }

    /// What stands in the URL of a box as it is now. Nothing of it is kept, so it can be shown again.
    pub fn token(&self, file_box: &FileBox) -> CapabilityToken {
        let item = kept::renewable(file_box.id);
        let id = CapabilityId::of(item, file_box.generation);
        self.keys.sign(CapabilityLabel::Drop, id)
    }

    /// What whoever handed in this file follows it with.
    pub fn submission_token(&self, file: FileId) -> CapabilityToken {
        let id = CapabilityId::from_bytes(*file.as_bytes());
        self.keys.sign(CapabilityLabel::Submission, id)
    }
}
