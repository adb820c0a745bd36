//! Changes a box, or gives it another URL.

use super::create_box::{check, check_sign_in, whole, whole_override};
use super::file_box::{BoxTitle, FileBox, Keep, MAX_BOX_FILES, SubmitterKind};
use super::kept::{KeptBox, contended};
use super::stored::state_of;
use super::times::{BoxTimes, Override, closed};
use super::{Boxes, Password};
use crate::access::Action;
use crate::domain::{AllowedTypes, BoxId, Invalid, Timestamp, whole_millis};
use crate::operations::{Context, OperationError, Stores};
use crate::passwords::PasswordHash;

/// How often a change is made anew if somebody else changed the box meanwhile.
const MAX_ROUNDS: usize = 8;

/// What is to be different. `None` leaves what there is; an inner `None` takes it away.
#[derive(Debug, Clone, Default)]
pub struct BoxChange {
    /// What people see above it.
    pub title: Option<BoxTitle>,
    /// From when on it takes files.
    pub opens_at: Option<Option<Timestamp>>,
    /// What comes later is late.
    pub due_at: Option<Option<Timestamp>>,
    /// Until when it takes files.
    pub closes_at: Option<Option<Timestamp>>,
    /// How many files it may hold. Those that are there stay.
    pub max_files: Option<Option<u32>>,
    /// How large each may be, in bytes.
    pub max_file_bytes: Option<Option<u64>>,
    /// What their names may end with.
    pub types: Option<AllowedTypes>,
    /// Who may hand in.
    pub submitter: Option<SubmitterKind>,
    /// What they have to know besides.
    pub password: Option<Option<Password>>,
    /// Which files count.
    pub keep: Option<Keep>,
    /// Whoever has times of their own.
    pub overrides: Option<Vec<Override>>,
    /// Whether it closes at once for everybody, whatever else is said of its times.
    pub close: bool,
    /// The states, as [`state_of`] gives them, in one of which it has to be for that; `None`: in any.
    pub only_if: Option<Vec<String>>,
    /// Whether it gets another URL, and the one that it has is over.
    pub renew: bool,
}

/// Changes a box. What was handed in stays; whether it is late goes by the new times. URLs for uploads that are out
/// work on, also where it closes.
///
/// # Errors
/// [`OperationError::BoxNotFound`] if it isn't the caller's or isn't there; [`OperationError::BoxChanged`] if it isn't as
/// the change says that it has to be; else as
/// [`create_box`](super::create_box()).
pub async fn change_box(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    id: BoxId,
    change: BoxChange,
) -> Result<FileBox, OperationError> {
    let now = stores.clock.now();
    let kept = boxes.own(context, Action::ChangeBox, id, now).await?;
    check_state(&kept.file_box, &change)?;
    check_sign_in(boxes, change.submitter)?;
    let password = match change.password.clone() {
        _ if kept.file_box.is_ended => return Err(OperationError::BoxNotFound),
        None => None,
        Some(None) => Some(None),
        Some(Some(password)) => Some(Some(boxes.passwords.hash(password).await?)),
    };
    for _ in 0..MAX_ROUNDS {
        let KeptBox { file_box, version } = boxes.own(context, Action::ChangeBox, id, now).await?;
        if file_box.is_ended {
            return Err(OperationError::BoxNotFound);
        }
        check_state(&file_box, &change)?;
        let mut changed = changed(file_box, &change, password.clone(), now)?;
        if change.close {
            // Not when the call began: a file that arrived meanwhile was on time.
            let now = whole_millis(stores.clock.now());
            (changed.times, changed.overrides) = closed(changed.times, changed.overrides, now);
        }
        check(&changed, boxes.max_upload_bytes)?;
        if boxes.replace(&changed, version, now).await? {
            return Ok(changed);
        }
    }
    Err(contended().into())
}

/// Whether the box is in a state in which this change is wanted.
fn check_state(file_box: &FileBox, change: &BoxChange) -> Result<(), OperationError> {
    let Some(states) = &change.only_if else {
        return Ok(());
    };
    let state = state_of(file_box)?;
    match states.iter().any(|it| it == state.as_str()) {
        true => Ok(()),
        false => Err(OperationError::BoxChanged),
    }
}

fn changed(
    file_box: FileBox,
    change: &BoxChange,
    password: Option<Option<PasswordHash>>,
    now: Timestamp,
) -> Result<FileBox, OperationError> {
    let age = (now - file_box.created_at).to_std().unwrap_or_default();
    let generation = match change.renew {
        false => file_box.generation,
        true => file_box.generation.next(age).ok_or_else(|| {
            let why = "the box was renewed as often as it can be: make another one";
            OperationError::BoxField("renew", Invalid(why.into()))
        })?,
    };
    let times = BoxTimes {
        opens_at: change.opens_at.unwrap_or(file_box.times.opens_at),
        due_at: change.due_at.unwrap_or(file_box.times.due_at),
        closes_at: change.closes_at.unwrap_or(file_box.times.closes_at),
    };
    let overrides = match &change.overrides {
        None => file_box.overrides,
        Some(overrides) => overrides.iter().cloned().map(whole_override).collect(),
    };
    Ok(FileBox {
        id: file_box.id,
        owner: file_box.owner,
        created_at: file_box.created_at,
        renewed_at: match change.renew {
            false => file_box.renewed_at,
            true => Some(whole_millis(now)),
        },
        is_ended: file_box.is_ended,
        generation,
        title: change.title.clone().unwrap_or(file_box.title),
        times: whole(times),
        max_files: match change.max_files {
            None => file_box.max_files,
            Some(count) => count.unwrap_or(MAX_BOX_FILES),
        },
        max_file_bytes: change.max_file_bytes.unwrap_or(file_box.max_file_bytes),
        types: change.types.clone().unwrap_or(file_box.types),
        submitter: change.submitter.unwrap_or(file_box.submitter),
        password: password.unwrap_or(file_box.password),
        keep: change.keep.unwrap_or(file_box.keep),
        overrides,
    })
}
