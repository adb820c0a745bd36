//! Hands a file in: a record in a box, and a URL to send the bytes to.
//!
//! Invariant: no URL works longer than its box is open, so bytes that begin to come after that aren't taken; those that
//! began before have as long as those of any upload. The record, its place in the box and the key of the request are
//! one write.
//!
//! Absent on purpose: any word of what others handed in.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta};

use super::file_box::{FileBox, SubmitterKind};
use super::times::{BoxTimes, Closed};
use super::{Boxes, Password, kept};
use crate::access::{Action, Caller, Resource, authorize};
use crate::capability_token::CapabilityToken;
use crate::domain::{
    BoxId, Declaration, FileId, FileRecord, HandIn, IdempotencyKey, Invalid, KeyedRequest,
    ObjectKey, Submitter, SubmitterName, Timestamp,
};
use crate::metadata_store::usage::{ChargedInsert, NewRecord};
use crate::operations::{
    Context, CreatedFile, IDEMPOTENCY_KEY_LIFETIME, NewFile, OperationError, Stores,
};
use crate::presigned_url::{PresignedUpload, Presigner, UploadMethod, UploadTerms};
use crate::traces;

/// How long after it was begun a hand-in still gets URLs. What never comes holds its place no longer.
const RENEWABLE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What somebody is going to hand in.
#[derive(Debug, Clone)]
pub struct NewHandIn {
    /// What the bytes have to be.
    pub declared: Declaration,
    /// The name that they typed.
    pub submitter: Option<SubmitterName>,
    /// What they believe the password to be.
    pub password: Option<Password>,
}

/// A file that was handed in, and what its submitter follows it with.
#[derive(Debug)]
pub struct HandedIn {
    /// The file, and what to send its bytes with.
    pub created: CreatedFile,
    /// Shows that whoever has it handed this file in.
    pub token: CapabilityToken,
    /// The times that hold for whoever did it.
    pub times: BoxTimes,
}

/// A box as whoever has its URL sees it, with the times that hold for them as far as that is known.
///
/// # Errors
/// [`OperationError::BoxNotFound`], [`OperationError::SignInRequired`], or a store's fault.
pub async fn describe_drop(
    stores: &Stores,
    boxes: &Boxes,
    context: &Context,
    token: &str,
) -> Result<(FileBox, BoxTimes, Timestamp), OperationError> {
    let now = stores.clock.now();
    let file_box = boxes.of_token(token, now).await?;
    let kind = file_box.submitter;
    let resource = Resource::Drop {
        needs_sign_in: kind == SubmitterKind::SignedIn,
    };
    authorize(&context.caller, Action::DescribeDrop, resource)?;
    let submitter = signed_in(&context.caller).filter(|_| kind == SubmitterKind::SignedIn);
    let times = submitter.map_or(file_box.times, |it| file_box.times_for(&it));
    Ok((file_box, times, now))
}

/// Hands a file in, with a key once for each key of the same submitter; somebody who signed in has keys of their own, also
/// where they type another's name. Whoever isn't signed in shows by the key alone that the request is theirs. Before
/// anything is written `admit` is asked.
///
/// # Errors
/// [`OperationError::BoxNotFound`], [`OperationError::SignInRequired`], [`OperationError::BoxField`],
/// [`OperationError::BoxClosed`], [`OperationError::TypeNotAllowed`], [`OperationError::TooLargeForBox`],
/// [`OperationError::WrongPassword`], [`OperationError::TooManyTries`], [`OperationError::BoxFull`]; else as [`create_file`](crate::operations::create_file()).
pub async fn hand_in(
    stores: &Stores,
    boxes: &Boxes,
    presigner: &Presigner,
    context: &Context,
    token: &str,
    (mut new, key): (NewHandIn, Option<IdempotencyKey>),
    admit: impl FnOnce(&FileBox) -> Result<(), OperationError>,
) -> Result<HandedIn, OperationError> {
    let now = stores.clock.now();
    let file_box = boxes.of_token(token, now).await?;
    let submitter = submitter(context, &file_box, new.submitter)?;
    let times = file_box.times_for(&submitter);
    times.check_open(now)?;
    if !new.declared.is_among(&file_box.types) {
        return Err(OperationError::TypeNotAllowed(file_box.types.to_texts()));
    }
    if !file_box.types.are_all() {
        new.declared.type_has_to_fit = true;
    }
    if let Some(max) = file_box.max_file_bytes
        && new.declared.length.bytes() > max
    {
        return Err(OperationError::TooLargeForBox(max));
    }
    if let Some(expected) = &file_box.password {
        let (of, address) = (kept::renewable(file_box.id), context.address);
        let verified = boxes.passwords.verify(of, address, expected, new.password);
        verified.await?;
    }
    let request = key.map(|key| KeyedRequest {
        key: key
            .of_owner(context.caller.owner())
            .of_hand_in(file_box.id, &submitter),
        fingerprint: fingerprint(&new.declared),
        expires_at: now + IDEMPOTENCY_KEY_LIFETIME,
    });
    let id = FileId::new(now);
    let upload = sign(presigner, context, id, &new.declared, times, now).await?;
    let delete_after = stores.lifecycle.delete_after(None, now);
    let record = FileRecord::pending(id, new.declared, upload.expires_at, &stores.lifecycle)
        .owned_by(file_box.owner)
        .handed_in(Some(HandIn {
            in_box: Some(file_box.id),
            submitter,
        }))
        .deleted_after(delete_after.map_err(OperationError::DeleteAfter)?)
        .kept_for(stores.lifecycle.min_keep);
    let new = NewRecord {
        record: &record,
        request: request.as_ref(),
        max_files_in_box: Some(file_box.max_files),
        now,
    };
    admit(&file_box)?;
    let created = match insert(stores, boxes, new).await? {
        ChargedInsert::Inserted => CreatedFile {
            record,
            upload: Some(upload),
            is_repeated: false,
        },
        ChargedInsert::BoxFull | ChargedInsert::QuotaExceeded => {
            return Err(OperationError::BoxFull);
        }
        ChargedInsert::BoxShut => return Err(OperationError::BoxNotFound),
        ChargedInsert::KeyTaken(earlier) => {
            let is_same = request.is_some_and(|it| it.fingerprint == earlier.fingerprint);
            if !is_same {
                return Err(OperationError::IdempotencyKeyReused);
            }
            existing(stores, presigner, context, earlier.id, times).await?
        }
    };
    traces::about(created.record.id);
    Ok(HandedIn {
        token: boxes.submission_token(created.record.id),
        created,
        times,
    })
}

/// Adds the record to its box, charged to the box's owner if anybody has a quota. Whoever hands in learns nothing of what
/// its owner has: to them a box without room is full.
async fn insert(
    stores: &Stores,
    boxes: &Boxes,
    new: NewRecord<'_>,
) -> Result<ChargedInsert, OperationError> {
    if let Some(charged) = stores.quotas.of_box(new.record.owner) {
        return Ok(Box::pin(charged.insert(new)).await?);
    }
    let NewRecord {
        record,
        request,
        max_files_in_box,
        now,
    } = new;
    let max_files = max_files_in_box.unwrap_or_default();
    let inserting = boxes
        .hand_ins
        .insert_hand_in(record, request, max_files, now);
    Ok(inserting.await?.into())
}

/// A fresh URL for whoever handed a file in whose bytes haven't come yet, as long as the box is open and has the URL that
/// it had then, and for `RENEWABLE_FOR` at most. The record with it, as it is then.
///
/// # Errors
/// As [`renew_upload`](crate::operations::renew_upload()), [`OperationError::BoxClosed`], and
/// [`OperationError::BoxNotFound`] if the box has another URL now.
pub async fn renew_hand_in(
    stores: &Stores,
    boxes: &Boxes,
    presigner: &Presigner,
    context: &Context,
    id: FileId,
) -> Result<PresignedUpload, OperationError> {
    let record = stores.record_for(context, Action::RenewUpload, id).await?;
    let now = stores.clock.now();
    let times = match &record.hand_in {
        Some(HandIn {
            in_box: Some(in_box),
            submitter,
        }) => {
            let file_box = box_of(boxes, *in_box, now).await?;
            // Its owner took the box from whoever had the URL: not only for what they had not begun.
            let was_before = |renewed_at| record.created_at() < renewed_at;
            if file_box.renewed_at.is_some_and(was_before) {
                return Err(OperationError::BoxNotFound);
            }
            file_box.times_for(submitter)
        }
        // The box is gone: nothing is taken any more.
        _ => return Err(OperationError::BoxNotFound),
    };
    times.check_open(now)?;
    renew(stores, presigner, context, record, times, now).await
}

async fn box_of(boxes: &Boxes, id: BoxId, now: Timestamp) -> Result<FileBox, OperationError> {
    let kept = boxes.get(id, now).await?;
    let file_box = kept.map(|kept| kept.file_box).filter(|it| !it.is_ended);
    file_box.ok_or(OperationError::BoxNotFound)
}

/// Who hands in, where that may be them.
fn submitter(
    context: &Context,
    file_box: &FileBox,
    typed: Option<SubmitterName>,
) -> Result<Submitter, OperationError> {
    let refused = |why: &str| OperationError::BoxField("submitter", Invalid(why.into()));
    let resource = Resource::Drop {
        needs_sign_in: file_box.submitter == SubmitterKind::SignedIn,
    };
    authorize(&context.caller, Action::HandIn, resource)?;
    match file_box.submitter {
        SubmitterKind::Named => typed
            .map(Submitter::Named)
            .ok_or_else(|| refused("is required: the name under which you hand in")),
        SubmitterKind::SignedIn if typed.is_some() => Err(refused(
            "must be left out: this box takes the name that you signed in with",
        )),
        SubmitterKind::SignedIn => signed_in(&context.caller).ok_or(OperationError::NotAllowed),
    }
}

/// Who a caller is as a submitter; `None` for whoever has no name of their own.
fn signed_in(caller: &Caller) -> Option<Submitter> {
    let principal = caller.principal()?;
    let name = principal.name.and_then(|it| SubmitterName::given(it).ok());
    Some(Submitter::SignedIn {
        id: principal.id?,
        name,
    })
}

/// The same for two requests that hand in the same.
fn fingerprint(declared: &Declaration) -> crate::domain::Sha256Digest {
    let new = NewFile {
        declared: declared.clone(),
        upload_method: UploadMethod::Put,
        delete_after: None,
    };
    new.fingerprint()
}

/// What a repeated request is answered with: the file that the first one made, as it is now.
async fn existing(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    id: FileId,
    times: BoxTimes,
) -> Result<CreatedFile, OperationError> {
    let now = stores.clock.now();
    let found = stores.metadata.get(id).await?;
    let record = found.filter(|record| record.is_visible(now));
    let record = record.ok_or(OperationError::FileOfKeyDeleted)?;
    if record.status().is_final() {
        return Ok(CreatedFile {
            record,
            upload: None,
            is_repeated: true,
        });
    }
    let renewed = renew(stores, presigner, context, record.clone(), times, now).await;
    let upload = match renewed {
        Ok(upload) => Some(upload),
        Err(OperationError::UploadSettled) => None,
        Err(other) => return Err(other),
    };
    let found = stores.metadata.get(id).await?;
    let record = found.ok_or(OperationError::FileOfKeyDeleted)?;
    Ok(CreatedFile {
        record,
        upload,
        is_repeated: true,
    })
}

/// Another URL for a pending file. Its deadline moves before the URL is out.
async fn renew(
    stores: &Stores,
    presigner: &Presigner,
    context: &Context,
    record: FileRecord,
    times: BoxTimes,
    now: Timestamp,
) -> Result<PresignedUpload, OperationError> {
    let until = record.created_at() + RENEWABLE_FOR;
    let is_over = until - now.trunc_subsecs(0) < TimeDelta::seconds(1);
    if record.status().is_final() || is_over {
        return Err(OperationError::UploadSettled);
    }
    let times = BoxTimes {
        closes_at: Some(times.closes_at.map_or(until, |at| at.min(until))),
        ..times
    };
    let upload = sign(presigner, context, record.id, &record.declared, times, now).await?;
    let renewed = stores
        .metadata
        .renew_upload(record.id, upload.expires_at)
        .await?;
    renewed.map(|_| upload).ok_or(OperationError::UploadSettled)
}

/// A PUT that works no longer than the box is open.
async fn sign(
    presigner: &Presigner,
    context: &Context,
    id: FileId,
    declared: &Declaration,
    times: BoxTimes,
    now: Timestamp,
) -> Result<PresignedUpload, OperationError> {
    let terms = UploadTerms::of(ObjectKey::new(id), declared);
    let bucket = context.bucket()?;
    let left = times.closes_at.map(|at| {
        // From the second in which it is signed.
        let left = (at - now.trunc_subsecs(0)).to_std();
        Duration::from_secs(left.unwrap_or_default().as_secs())
    });
    if left.is_some_and(|left| left.is_zero()) {
        return Err(Closed(times).into());
    }
    Ok(presigner.upload_within(bucket, &terms, left, now).await?)
}

impl From<Closed> for OperationError {
    fn from(Closed(times): Closed) -> Self {
        Self::BoxClosed {
            opens_at: times.opens_at,
            closes_at: times.closes_at,
        }
    }
}
