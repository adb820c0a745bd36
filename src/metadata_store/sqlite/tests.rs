//! The suite of the port on a real file, and what is this store's own: its file, its writer, and
//! what its reads cost.

mod cost;
mod file;
mod items;
mod last_seen;
mod limits;
mod versions;
mod writer;

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::{
    ContentLength, ContentType, Declaration, FileName, FileState, MAX_CONTENT_LENGTH,
    RejectionReason, Sha256Digest, StoredObject, UserId, VersionId, from_millis,
};
use crate::metadata_store::conformance::{Fixture, Isolation, pending};

mod contract {
    crate::metadata_store_conformance!(super::open);
}

async fn open(_: Isolation) -> Fixture {
    let (directory, store) = new_store();
    Fixture {
        store: Arc::new(store),
        keep: Box::new(directory),
    }
}

fn new_store() -> (TempDir, SqliteMetadataStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
    (directory, store)
}

fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("metadata.sqlite")
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    // From year 0 to 9999.
    (-62_167_219_200_000_i64..253_402_300_800_000).prop_map(|millis| from_millis(millis).unwrap())
}

fn any_digest() -> impl Strategy<Value = Sha256Digest> {
    any::<[u8; 32]>().prop_map(Sha256Digest::from_bytes)
}

fn any_state() -> impl Strategy<Value = FileState> {
    prop_oneof![
        Just(FileState::Pending),
        (
            any_digest(),
            proptest::option::of(any::<String>()),
            any_moment()
        )
            .prop_map(|(sha256, version_id, uploaded_at)| FileState::Available(
                StoredObject {
                    sha256,
                    version_id: version_id.map(VersionId),
                    uploaded_at,
                }
            )),
        (any::<String>(), any_moment()).prop_map(|(reason, purge_at)| FileState::Rejected {
            reason: RejectionReason(reason),
            purge_at,
        }),
        any_moment().prop_map(|purge_at| FileState::Expired { purge_at }),
        any_moment().prop_map(|purge_at| FileState::Deleted { purge_at }),
    ]
}

prop_compose! {
    fn any_record()(
        millis in 0_i64..1 << 47,
        owner in proptest::option::of("[a-z]{1,9}"),
        name in "\\PC{1,60}",
        length in 0..=MAX_CONTENT_LENGTH,
        content_type in "[a-z]{1,9}/[a-z0-9.+-]{1,20}(; charset=[a-z0-9-]{1,9})?",
        declared_sha256 in proptest::option::of(any_digest()),
        upload_expires_at in any_moment(),
        state in any_state(),
        reconcile_at in proptest::option::of(any_moment()),
    ) -> Option<FileRecord> {
        Some(FileRecord {
            id: FileId::new(from_millis(millis)?),
            owner: owner.map(|name| UserId::of("https://id.example.org", &name)),
            declared: Declaration {
                filename: FileName::sanitize(&name).ok()?,
                length: ContentLength::new(length, MAX_CONTENT_LENGTH).ok()?,
                content_type: ContentType::parse(&content_type).ok()?,
                sha256: declared_sha256,
            },
            upload_expires_at,
            state,
            reconcile_at,
        })
    }
}

#[test]
fn every_record_there_can_be_reads_back_equal() {
    let (_directory, store) = new_store();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    proptest!(|(record in any_record())| {
        let Some(record) = record else { return Err(TestCaseError::reject("no record")) };
        runtime.block_on(async {
            store.insert(&record).await.unwrap();
            prop_assert_eq!(store.get(record.id).await.unwrap(), Some(record));
            Ok(())
        })?;
    });
}
