//! Deleting the versions of one key, delete markers included.
//!
//! Invariant: a listing begins with a prefix, and only what has exactly the key is touched.
//!
//! Absent on purpose: more rounds than [`MAX_ROUNDS`]. What is left then is found again by the reconciler
//! or by the sweep for orphans.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{Failure, S3ObjectStore, STORE, StoreError, has_no_such_call, undated};
use crate::aws::{AnswerDate, refused_at, unavailable};
use crate::domain::{Timestamp, VersionId};

/// How often is listed what is left, up to 1,000 versions a time. A key is written once, or a few times by
/// a form, so one round is the rule.
const MAX_ROUNDS: usize = 10;

/// Of how many versions that may not be deleted is asked until when: there is one, or a few of a form's.
const MAX_LOCKS_ASKED: usize = 10;

/// The first of a key's versions and delete markers.
struct Listed {
    versions: Vec<ObjectIdentifier>,
    is_truncated: bool,
    /// The store's own time of this answer.
    as_of: Timestamp,
}

/// What a store answers to the question for versions.
enum Versions {
    Listed(Listed),
    /// It has no such call.
    Unknown {
        as_of: Timestamp,
    },
}

/// What came of deleting.
enum Outcome {
    NoneLeft {
        as_of: Timestamp,
    },
    /// The store doesn't know what versions are.
    Unversioned {
        as_of: Timestamp,
    },
}

/// Gives the store's own time of its first answer: whatever came before that is gone.
pub(super) async fn delete_all(store: &S3ObjectStore, key: &str) -> Result<Timestamp, StoreError> {
    match delete_all_but(store, key, None).await? {
        Outcome::NoneLeft { as_of } => Ok(as_of),
        Outcome::Unversioned { as_of } => {
            delete_unversioned(store, key).await?;
            Ok(as_of)
        }
    }
}

pub(super) async fn delete_others(
    store: &S3ObjectStore,
    key: &str,
    version_id: &VersionId,
) -> Result<(), StoreError> {
    // Looked for by itself, since a listing may end before it.
    if store.get(key, Some(version_id)).await?.found().is_some() {
        delete_all_but(store, key, Some(version_id)).await?;
    }
    Ok(())
}

async fn delete_all_but(
    store: &S3ObjectStore,
    key: &str,
    kept: Option<&VersionId>,
) -> Result<Outcome, StoreError> {
    let kept = kept.map(|version_id| version_id.0.as_str());
    let mut first_as_of = None;
    for _ in 0..MAX_ROUNDS {
        let mut listed = match list(store, key).await? {
            Versions::Listed(listed) => listed,
            Versions::Unknown { as_of } => return Ok(Outcome::Unversioned { as_of }),
        };
        let as_of = *first_as_of.get_or_insert(listed.as_of);
        if kept.is_some() {
            listed
                .versions
                .retain(|version| version.version_id() != kept);
        }
        // Listings come in the order of keys and ours is the first with this prefix, so a page
        // without it means that none is left.
        if listed.versions.is_empty() {
            return Ok(Outcome::NoneLeft { as_of });
        }
        delete(store, key, listed.versions, as_of).await?;
        if !listed.is_truncated {
            return Ok(Outcome::NoneLeft { as_of });
        }
    }
    Err(StoreError::unavailable(
        STORE,
        format!("versions were left after {MAX_ROUNDS} rounds of deleting"),
    ))
}

async fn list(store: &S3ObjectStore, key: &str) -> Result<Versions, StoreError> {
    let answered = AnswerDate::default();
    let answer = store
        .client
        .list_object_versions()
        .bucket(&store.bucket)
        .prefix(key)
        .customize()
        .interceptor(answered.clone())
        .send()
        .await;
    match answer {
        Ok(output) => Ok(Versions::Listed(Listed {
            versions: versions_of(key, &output)?,
            is_truncated: output.is_truncated() == Some(true),
            as_of: answered.get().map_err(undated)?,
        })),
        Err(error) => {
            let failure = Failure::new("ListObjectVersions", &error);
            if has_no_such_call(&failure) {
                return Ok(Versions::Unknown {
                    as_of: refused_at(&error).map_err(undated)?,
                });
            }
            Err(StoreError::unavailable(STORE, failure))
        }
    }
}

async fn delete(
    store: &S3ObjectStore,
    key: &str,
    versions: Vec<ObjectIdentifier>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let delete = Delete::builder()
        .set_objects(Some(versions))
        .quiet(true)
        .build()
        .map_err(|error| StoreError::unavailable(STORE, error))?;
    let output = store
        .client
        .delete_objects()
        .bucket(&store.bucket)
        .delete(delete)
        .send()
        .await
        .map_err(|error| unavailable(STORE, "DeleteObjects", &error))?;
    // Each object has an outcome of its own, under a status of 200.
    let refused = output.errors().iter();
    let is_denied = |it: &&aws_sdk_s3::types::Error| it.code() == Some("AccessDenied");
    if !output.errors().is_empty() && refused.clone().all(|it| is_denied(&it)) {
        let of = refused.filter_map(|it| it.version_id().map(str::to_owned));
        let of: Vec<String> = of.take(MAX_LOCKS_ASKED).collect();
        if let Some(locked) = store.locked(key, &of, now).await? {
            return Err(locked);
        }
    }
    match output.errors().first() {
        None => Ok(()),
        Some(error) => Err(StoreError::unavailable(
            STORE,
            format!(
                "DeleteObjects left {} versions: {}: {}",
                output.errors().len(),
                error.code().unwrap_or("no code"),
                error.message().unwrap_or("no message"),
            ),
        )),
    }
}

async fn delete_unversioned(store: &S3ObjectStore, key: &str) -> Result<(), StoreError> {
    store
        .client
        .delete_object()
        .bucket(&store.bucket)
        .key(key)
        .send()
        .await
        .map(drop)
        .map_err(|error| unavailable(STORE, "DeleteObject", &error))
}

fn versions_of(
    key: &str,
    output: &ListObjectVersionsOutput,
) -> Result<Vec<ObjectIdentifier>, StoreError> {
    let versions = output
        .versions()
        .iter()
        .map(|it| (it.key(), it.version_id()));
    let delete_markers = output
        .delete_markers()
        .iter()
        .map(|it| (it.key(), it.version_id()));
    versions
        .chain(delete_markers)
        .filter(|(listed, _)| *listed == Some(key))
        .map(|(_, version_id)| {
            ObjectIdentifier::builder()
                .key(key)
                .set_version_id(version_id.map(str::to_owned))
                .build()
                .map_err(|error| StoreError::unavailable(STORE, error))
        })
        .collect()
}
