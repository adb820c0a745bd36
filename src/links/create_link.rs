//! Passes files on.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::link::ends_at;
use super::{AT_A_TIME, Link, LinkText, Links, Password};
use crate::access::Action;
use crate::capability_token::{Generation, RenewableId};
use crate::domain::{Audience, FileId, Timestamp, whole_millis};
use crate::operations::{Context, OperationError, Stores};
use crate::store_error::StoreError;

/// What a link is to be.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// As [`linked_files`](super::linked_files) gives them.
    pub files: Vec<FileId>,
    /// What those who get it see above the files.
    pub title: Option<LinkText>,
    /// What its owner notes of it.
    pub label: Option<LinkText>,
    /// When it ends; `None`: after [`DEFAULT_LIFETIME`](super::DEFAULT_LIFETIME).
    pub expires_at: Option<Timestamp>,
    /// How often each file may be taken; `None`: without limit.
    pub max_downloads: Option<u32>,
    /// What those who get it have to know.
    pub password: Option<Password>,
    /// For whom it is.
    pub audience: Audience,
}

/// Makes a link to files that the caller may pass on.
///
/// # Errors
/// [`OperationError::FileNotFound`] if one of them isn't the caller's or isn't there;
/// [`OperationError::LinkField`]; [`OperationError::TooManyLinks`]; a store's fault.
pub async fn create_link(
    stores: &Stores,
    links: &Links,
    context: &Context,
    new: NewLink,
) -> Result<Link, OperationError> {
    let now = stores.clock.now();
    let expires_at = ends_at(new.expires_at, now)
        .map_err(|invalid| OperationError::LinkField("expiresAt", invalid))?;
    check_files(stores, context, Action::CreateLink, &new.files).await?;
    let password = match new.password {
        Some(password) => Some(links.passwords.hash(password).await?),
        None => None,
    };
    let id = RenewableId::new(now)
        .map_err(|error| StoreError::unavailable("the operating system's random numbers", error))?;
    let link = Link {
        id,
        generation: Generation::FIRST,
        owner: context.caller.owner(),
        files: new.files,
        title: new.title,
        label: new.label,
        expires_at,
        max_downloads: new.max_downloads,
        password,
        audience: new.audience,
        created_at: whole_millis(now),
    };
    links.add(&link, now).await?;
    Ok(link)
}

/// Whether the caller may pass on all of these.
pub(super) async fn check_files(
    stores: &Stores,
    context: &Context,
    action: Action,
    files: &[FileId],
) -> Result<(), OperationError> {
    let checking = stream::iter(files.to_vec())
        .map(|file| async move { stores.record_for(context, action, file).await.map(|_| ()) });
    checking
        .buffer_unordered(AT_A_TIME)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await
}
