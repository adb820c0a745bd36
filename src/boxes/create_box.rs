//! Makes a box.

use super::file_box::{BoxTitle, FileBox, Keep, MAX_BOX_FILES, SubmitterKind};
use super::times::{BoxTimes, Override, check_overrides};
use super::{Boxes, Password};
use crate::capability_token::{Generation, RenewableId};
use crate::domain::{AllowedTypes, BoxId, Invalid, Timestamp, whole_millis};
use crate::operations::{Context, OperationError, Stores};
use crate::store_error::StoreError;

/// What a box is to be.
#[derive(Debug, Clone)]
pub struct NewBox {
    /// What people see above it.
    pub title: BoxTitle,
    /// When it takes files.
    pub times: BoxTimes,
    /// How many; `None`: as many as a box may hold.
    pub max_files: Option<u32>,
    /// How large each may be, in bytes; `None`: as large as the service takes.
    pub max_file_bytes: Option<u64>,
    /// What their names may end with; empty: with anything.
    pub types: AllowedTypes,
    /// Who may hand in.
    pub submitter: SubmitterKind,
    /// What they have to know besides.
    pub password: Option<Password>,
    /// Which files count.
    pub keep: Keep,
    /// Whoever has times of their own.
    pub overrides: Vec<Override>,
}

/// Makes a box that is the caller's, as are the files that come into it.
///
/// # Errors
/// [`OperationError::BoxField`]; [`OperationError::Overloaded`]; a store's fault. A box whose answer was lost has a URL that nobody knows, and is in
/// the list.
pub async fn create_box(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    new: NewBox,
) -> Result<FileBox, OperationError> {
    let now = stores.clock.now();
    let id = RenewableId::new(now)
        .map_err(|error| StoreError::unavailable("the operating system's random numbers", error))?;
    let password = match new.password {
        Some(password) => Some(boxes.passwords.hash(password).await?),
        None => None,
    };
    let file_box = FileBox {
        id: BoxId::from_bytes(*id.as_bytes()),
        generation: Generation::FIRST,
        owner: context.caller.owner(),
        title: new.title,
        times: whole(new.times),
        max_files: new.max_files.unwrap_or(MAX_BOX_FILES),
        max_file_bytes: new.max_file_bytes,
        types: new.types,
        submitter: new.submitter,
        password,
        keep: new.keep,
        overrides: new.overrides.into_iter().map(whole_override).collect(),
        created_at: whole_millis(now),
        renewed_at: None,
        is_ended: false,
    };
    check(&file_box, boxes.max_upload_bytes)?;
    check_sign_in(boxes, Some(file_box.submitter))?;
    boxes.add(&file_box, now).await?;
    Ok(file_box)
}

/// Whether those whom a box is to be for can hand in.
pub(super) fn check_sign_in(
    boxes: &Boxes,
    wanted: Option<SubmitterKind>,
) -> Result<(), OperationError> {
    match wanted {
        Some(SubmitterKind::SignedIn) if !boxes.people_sign_in => {
            let why = "can't be signed_in: nobody signs in to this service, which has no issuer";
            Err(OperationError::BoxField("submitter", Invalid(why.into())))
        }
        _ => Ok(()),
    }
}

/// Whether a box may be so.
pub(super) fn check(file_box: &FileBox, max_upload_bytes: u64) -> Result<(), OperationError> {
    let refused = |(field, invalid)| OperationError::BoxField(field, invalid);
    file_box.times.check().map_err(refused)?;
    if file_box
        .max_file_bytes
        .is_some_and(|bytes| bytes > max_upload_bytes)
    {
        let why = format!(
            "must be at most {max_upload_bytes}, which is the most that this service takes"
        );
        return Err(refused(("maxFileBytes", Invalid(why))));
    }
    check_overrides(&file_box.overrides, file_box.times)
        .map_err(|invalid| refused(("overrides", invalid)))
}

/// The times as stores keep them.
pub(super) fn whole(times: BoxTimes) -> BoxTimes {
    let whole = |at: Option<Timestamp>| at.map(whole_millis);
    BoxTimes {
        opens_at: whole(times.opens_at),
        due_at: whole(times.due_at),
        closes_at: whole(times.closes_at),
    }
}

pub(super) fn whole_override(one: Override) -> Override {
    Override {
        due_at: one.due_at.map(whole_millis),
        closes_at: one.closes_at.map(whole_millis),
        ..one
    }
}
