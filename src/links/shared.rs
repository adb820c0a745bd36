//! What whoever has a link's URL may do: see its files, and take them.
//!
//! Invariant: to look never counts. Who calls stays who they are; the link is a capability besides.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::grants::{GrantId, GrantKey, grant_id};
use super::{AT_A_TIME, Link, Links, Password};
use crate::access::{Action, Resource, authorize};
use crate::capability_token::CapabilityLabel;
use crate::domain::{FileId, FileRecord, Sha256Digest, Timestamp};
use crate::operations::{Context, OperationError, Stores, available, download_terms};
use crate::presigned_url::{DownloadMethod, GrantTerms, PresignedUrl, Presigner};

/// How long the URL of a grant works at the most.
pub const GRANT_LIFETIME: Duration = Duration::from_secs(60);

/// A file that a link passes on.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedFile {
    /// What is known of it.
    pub record: FileRecord,
    /// How often it can still be taken; `None`: without limit.
    pub downloads_left: Option<u32>,
}

/// What a link passes on.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedFiles {
    /// The link.
    pub link: Link,
    /// Its files that are still there, in its order.
    pub files: Vec<SharedFile>,
}

/// What somebody takes, and with what.
#[derive(Debug, Clone)]
pub struct Taking {
    /// Which of the files.
    pub file: FileId,
    /// What they believe the password to be.
    pub password: Option<Password>,
    /// What marks the request, which may come again.
    pub key: Option<GrantKey>,
    /// With which method the URL is fetched.
    pub method: DownloadMethod,
}

/// A URL that was handed out for a link.
#[derive(Debug, Clone)]
pub struct Grant {
    /// What it is called.
    pub id: GrantId,
    /// By which link.
    pub link: Link,
    /// Of which file.
    pub file: FileId,
    /// Brings the bytes.
    pub url: PresignedUrl,
    /// Until when.
    pub expires_at: Timestamp,
    /// What the bytes have to be.
    pub sha256: Sha256Digest,
    /// How often the file can still be taken; `None`: without limit.
    pub downloads_left: Option<u32>,
}

/// What a link passes on, for whoever has its URL.
///
/// # Errors
/// [`OperationError::LinkNotFound`] if the URL was never one of ours, [`OperationError::LinkGone`] if it is over,
/// [`OperationError::SignInRequired`] if it is for people who signed in, or a store's fault.
pub async fn describe_shared(
    stores: &Stores,
    links: &Links,
    context: &Context,
    token: &str,
) -> Result<SharedFiles, OperationError> {
    let now = stores.clock.now();
    let link = open(links, context, Action::DescribeShared, token, now).await?;
    let (id, limit) = (link.id, link.max_downloads);
    let reading = stream::iter(link.files.clone()).map(|file| async move {
        let Some(record) = stores.visible(file).await? else {
            return Ok(None);
        };
        let downloads_left = match limit {
            None => None,
            Some(limit) => Some(links.left(id, limit, file, now).await?),
        };
        Ok::<_, OperationError>(Some(SharedFile {
            record,
            downloads_left,
        }))
    });
    let files: Vec<Option<SharedFile>> = reading.buffered(AT_A_TIME).try_collect().await?;
    Ok(SharedFiles {
        files: files.into_iter().flatten().collect(),
        link,
    })
}

/// Hands out a URL that brings a file of a link, and counts it if the link has a limit. The same request with the
/// same key within [`REPLAY_WINDOW`](super::REPLAY_WINDOW) gets one without being counted again.
///
/// # Errors
/// As [`describe_shared`]; [`OperationError::WrongPassword`], [`OperationError::TooManyTries`],
/// [`OperationError::DownloadLimitReached`]; by the file's state as
/// [`download_file`](crate::operations::download_file).
pub async fn download_shared(
    stores: &Stores,
    presigner: &Presigner,
    links: &Links,
    context: &Context,
    token: &str,
    taking: Taking,
) -> Result<Grant, OperationError> {
    let now = stores.clock.now();
    let link = open(links, context, Action::DownloadShared, token, now).await?;
    // Before anything is counted that no URL could be signed for.
    let bucket = context.bucket()?;
    let file = taking.file;
    if !link.files.contains(&file) {
        return Err(OperationError::FileNotFound);
    }
    if let Some(expected) = &link.password {
        let (passwords, address) = (&links.passwords, context.address);
        let verified = passwords.verify(link.id, address, expected, taking.password);
        verified.await?;
    }
    let record = stores.visible(file).await?;
    let record = record.ok_or(OperationError::FileNotFound)?;
    let terms = download_terms(&record)?;
    let sha256 = available(&record)?.sha256;
    let id = grant_id(link.id, file, taking.key)?;
    let downloads_left = match link.max_downloads {
        None => None,
        Some(limit) => {
            let counted = (&id, taking.key.is_some());
            Some(links.count(&link, limit, file, counted, now).await?)
        }
    };
    let grant = GrantTerms {
        id: id.as_str(),
        until: link.expires_at.min(now + GRANT_LIFETIME),
    };
    let signed = presigner.granted_download(bucket, taking.method, &terms, &grant, now);
    let (url, expires_at) = signed.await?.ok_or(OperationError::LinkGone)?;
    if taking.method == DownloadMethod::Get {
        // Kept before anybody has the URL; a repetition by its key is the same message.
        let telling = &links.webhooks;
        let link = link.id.to_string();
        telling.link_downloaded(&link, id.as_str(), &record).await?;
    }
    Ok(Grant {
        id,
        link,
        file,
        url,
        expires_at,
        sha256,
        downloads_left,
    })
}

/// The link that a URL stands for, if the caller may do this with it.
async fn open(
    links: &Links,
    context: &Context,
    action: Action,
    token: &str,
    now: Timestamp,
) -> Result<Link, OperationError> {
    let id = links.keys.verify(CapabilityLabel::Link, token);
    let (id, generation) = id.ok_or(OperationError::LinkNotFound)?.item();
    let kept = links.get(id, now).await?;
    let link = kept.map(|kept| kept.link);
    let link = link
        .filter(|link| link.generation == generation)
        .ok_or(OperationError::LinkGone)?;
    let audience = link.audience;
    authorize(&context.caller, action, Resource::Shared { audience })?;
    Ok(link)
}
