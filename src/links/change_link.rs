//! Changes a link, or gives it another URL.

use super::create_link::check_files;
use super::kept::{KeptLink, contended};
use super::link::ends_at;
use super::{Link, LinkText, Links, Password};
use crate::access::{Action, Denied, Resource, authorize};
use crate::capability_token::RenewableId;
use crate::domain::{Audience, FileId, Invalid, Timestamp};
use crate::operations::{Context, OperationError, Stores};
use crate::passwords::PasswordHash;

/// How often a change is made anew if somebody else changed the link meanwhile.
const MAX_ROUNDS: usize = 8;

/// What is to be different. `None` leaves what there is; an inner `None` takes it away.
#[derive(Debug, Clone, Default)]
pub struct LinkChange {
    /// As [`linked_files`](super::linked_files) gives them.
    pub files: Option<Vec<FileId>>,
    /// What those who get it see above the files.
    pub title: Option<Option<LinkText>>,
    /// What its owner notes of it.
    pub label: Option<Option<LinkText>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How often each file may be taken.
    pub max_downloads: Option<Option<u32>>,
    /// What those who get it have to know.
    pub password: Option<Option<Password>>,
    /// For whom it is.
    pub audience: Option<Audience>,
    /// Whether it gets another URL, and the one that it has ends.
    pub renew: bool,
}

/// Changes a link. What was taken of it stays counted, also under another URL.
///
/// # Errors
/// [`OperationError::LinkNotFound`] if it isn't the caller's, isn't there or is over; else as
/// [`create_link`](super::create_link).
pub async fn change_link(
    stores: &Stores,
    links: &Links,
    context: &Context,
    id: RenewableId,
    change: LinkChange,
) -> Result<Link, OperationError> {
    let now = stores.clock.now();
    let expires_at = change.expires_at.map(|at| ends_at(Some(at), now));
    let expires_at = expires_at
        .transpose()
        .map_err(|invalid| OperationError::LinkField("expiresAt", invalid))?;
    // Whoever may not change it has nothing worked on.
    let before = own(links, context, Action::ChangeLink, id, now).await?;
    if let Some(files) = &change.files {
        let new = added(files, &before.link);
        check_files(stores, context, Action::ChangeLink, &new).await?;
    }
    let password = match change.password.clone() {
        None => None,
        Some(None) => Some(None),
        Some(Some(password)) => Some(Some(links.passwords.hash(password).await?)),
    };
    for _ in 0..MAX_ROUNDS {
        let KeptLink { link, version } = own(links, context, Action::ChangeLink, id, now).await?;
        let changed = changed(&link, &change, expires_at, password.clone(), now)?;
        // Before the link: what is kept of its files must last as long as it.
        if changed.expires_at > link.expires_at {
            links.extend_files(&link, changed.expires_at, now).await?;
        }
        let new = added(&changed.files, &link);
        if !new.is_empty() {
            links.add_files(&changed, &new, now).await?;
            links
                .extend_files(&changed, changed.expires_at, now)
                .await?;
        }
        if links.replace(&changed, version, now).await? {
            return Ok(changed);
        }
    }
    Err(contended().into())
}

/// A link that the caller may do this with.
pub(super) async fn own(
    links: &Links,
    context: &Context,
    action: Action,
    id: RenewableId,
    now: Timestamp,
) -> Result<KeptLink, OperationError> {
    let kept = links.get(id, now).await?;
    let kept = kept.ok_or(OperationError::LinkNotFound)?;
    let owner = kept.link.owner;
    match authorize(&context.caller, action, Resource::Link { owner }) {
        Ok(()) => Ok(kept),
        Err(Denied::NotFound) => Err(OperationError::LinkNotFound),
        Err(denied) => Err(denied.into()),
    }
}

/// Those of them that aren't in the link.
fn added(files: &[FileId], link: &Link) -> Vec<FileId> {
    let files = files.iter().copied();
    files.filter(|file| !link.files.contains(file)).collect()
}

fn changed(
    link: &Link,
    change: &LinkChange,
    expires_at: Option<Timestamp>,
    password: Option<Option<PasswordHash>>,
    now: Timestamp,
) -> Result<Link, OperationError> {
    let age = (now - link.created_at).to_std().unwrap_or_default();
    let generation = match change.renew {
        false => link.generation,
        true => link.generation.next(age).ok_or_else(|| {
            let message = "the link was renewed as often as it can be: make another one";
            OperationError::LinkField("renew", Invalid(message.into()))
        })?,
    };
    Ok(Link {
        id: link.id,
        owner: link.owner,
        created_at: link.created_at,
        generation,
        files: change.files.clone().unwrap_or_else(|| link.files.clone()),
        title: change.title.clone().unwrap_or_else(|| link.title.clone()),
        label: change.label.clone().unwrap_or_else(|| link.label.clone()),
        expires_at: expires_at.unwrap_or(link.expires_at),
        max_downloads: change.max_downloads.unwrap_or(link.max_downloads),
        password: password.unwrap_or_else(|| link.password.clone()),
        audience: change.audience.unwrap_or(link.audience),
    })
}
