//! A box as an item, and back.
//!
//! Invariant: a box reads back as it was written. What a newer version added is left out by an older one only where
//! it is read, since that never writes what it didn't understand.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::STORE;
use super::file_box::{BoxTitle, FileBox, Keep, SubmitterKind};
use super::kept::{key, list_of};
use super::times::{BoxTimes, Override};
use crate::capability_token::Generation;
use crate::domain::{
    AllowedTypes, BoxId, FileEnding, Invalid, SubmitterName, Timestamp, UserId, from_millis,
};
use crate::item_store::{Item, ItemBody, StoreError};
use crate::passwords::PasswordHash;

/// Items are over some day, and boxes aren't: 9999-12-31T00:00:00Z, in milliseconds.
const NEVER: i64 = 253_402_214_400_000;

/// Moments are milliseconds since the Unix epoch.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    generation: u16,
    owner: Option<String>,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closes: Option<i64>,
    max_files: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_file_bytes: Option<u64>,
    types: Vec<String>,
    submitter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    keep: String,
    overrides: Vec<(String, Option<i64>, Option<i64>)>,
    created: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed: Option<i64>,
    ended: bool,
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(|at| at.timestamp_millis())
}

pub(super) fn to_item(file_box: &FileBox) -> Result<Item, StoreError> {
    let FileBox {
        id,
        generation,
        owner,
        title,
        times,
        max_files,
        max_file_bytes,
        types,
        submitter,
        password,
        keep,
        overrides,
        created_at,
        renewed_at,
        is_ended,
    } = file_box;
    let overrides = overrides.iter().map(|it| {
        let name = it.submitter.as_str().to_owned();
        (name, millis(it.due_at), millis(it.closes_at))
    });
    let body = Body {
        generation: generation.number(),
        owner: owner.map(|owner| owner.to_string()),
        title: title.as_str().to_owned(),
        opens: millis(times.opens_at),
        due: millis(times.due_at),
        closes: millis(times.closes_at),
        max_files: *max_files,
        max_file_bytes: *max_file_bytes,
        types: types.to_texts(),
        submitter: submitter.as_str().to_owned(),
        password: password.as_ref().map(PasswordHash::to_stored),
        keep: keep.as_str().to_owned(),
        overrides: overrides.collect(),
        created: created_at.timestamp_millis(),
        renewed: millis(*renewed_at),
        ended: *is_ended,
    };
    Ok(Item::new(
        key(*id)?,
        Some(list_of(*owner)?),
        moment(NEVER).map_err(corrupt)?,
        ItemBody::of(&body).map_err(corrupt)?,
    ))
}

/// How many bytes of a digest tell two states of a box apart.
const STATE_BYTES: usize = 16;

/// Tells the state of a box from all others that it has had or may have.
///
/// # Errors
/// A box that couldn't be kept either.
pub fn state_of(file_box: &FileBox) -> Result<BoxState, StoreError> {
    let item = to_item(file_box)?;
    let digest = Sha256::digest(item.body.as_str());
    Ok(BoxState(hex::encode(&digest[..STATE_BYTES])))
}

/// The state of a box: the same for the same, and different for any other. It says nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxState(String);

impl BoxState {
    /// Letters and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn from_item(item: &Item) -> Result<FileBox, StoreError> {
    let id = BoxId::parse(item.key.id()).map_err(corrupt)?;
    read(id, item).map_err(corrupt)
}

fn read(id: BoxId, item: &Item) -> Result<FileBox, Invalid> {
    let body: Body = item.body.read()?;
    let overrides = body.overrides.into_iter().map(|(name, due, closes)| {
        Ok(Override {
            submitter: SubmitterName::from_stored(&name)?,
            due_at: due.map(moment).transpose()?,
            closes_at: closes.map(moment).transpose()?,
        })
    });
    let password = body.password.as_deref().map(PasswordHash::from_stored);
    let types = body.types.iter().map(|it| FileEnding::parse(it));
    Ok(FileBox {
        id,
        generation: Generation::from_number(body.generation),
        owner: body.owner.as_deref().map(UserId::parse).transpose()?,
        title: BoxTitle::given(&body.title)?,
        times: BoxTimes {
            opens_at: body.opens.map(moment).transpose()?,
            due_at: body.due.map(moment).transpose()?,
            closes_at: body.closes.map(moment).transpose()?,
        },
        max_files: body.max_files,
        max_file_bytes: body.max_file_bytes,
        types: AllowedTypes::new(types.collect::<Result<_, _>>()?)?,
        submitter: SubmitterKind::parse(&body.submitter)?,
        password: password.transpose()?,
        keep: Keep::parse(&body.keep)?,
        overrides: overrides.collect::<Result<_, Invalid>>()?,
        created_at: moment(body.created)?,
        renewed_at: body.renewed.map(moment).transpose()?,
        is_ended: body.ended,
    })
}

fn moment(millis: i64) -> Result<Timestamp, Invalid> {
    from_millis(millis).ok_or_else(|| Invalid("a box has a moment beyond all time".into()))
}

pub(super) fn corrupt(invalid: Invalid) -> StoreError {
    StoreError::corrupt(STORE, invalid.to_string())
}
