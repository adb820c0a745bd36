//! Every record reads back from its item as it was written.

use proptest::{option, prelude::*};

use super::*;
use crate::domain::{RejectionReason, StoredObject, VersionId};

const LATEST_SECOND: i64 = 253_402_300_799; // 9999-12-31T23:59:59Z

prop_compose! {
    fn timestamp()(millis in 0..LATEST_SECOND * 1000) -> Timestamp {
        from_millis(millis).unwrap()
    }
}

prop_compose! {
    fn digest()(bytes in any::<[u8; 32]>()) -> Sha256Digest {
        Sha256Digest::from_bytes(bytes)
    }
}

fn state() -> impl Strategy<Value = FileState> {
    let available = (digest(), option::of("[!-~]{1,40}"), timestamp()).prop_map(
        |(sha256, version_id, uploaded_at)| {
            FileState::Available(StoredObject {
                sha256,
                version_id: version_id.map(VersionId),
                uploaded_at,
            })
        },
    );
    let rejected = (".{0,60}", timestamp()).prop_map(|(reason, purge_at)| FileState::Rejected {
        reason: RejectionReason(reason),
        purge_at,
    });
    prop_oneof![
        Just(FileState::Pending),
        available,
        rejected,
        timestamp().prop_map(|purge_at| FileState::Expired { purge_at }),
        timestamp().prop_map(|purge_at| FileState::Deleted { purge_at }),
    ]
}

prop_compose! {
    fn record()(
        created_at in timestamp(),
        owner in option::of("[a-z]{1,9}"),
        name in "\\PC{1,40}",
        length in 0..=MAX_CONTENT_LENGTH,
        content_type in "[a-z]{1,9}/[a-z0-9.+-]{1,20}(; charset=utf-8)?",
        declared_sha256 in option::of(digest()),
        upload_expires_at in timestamp(),
        state in state(),
        reconcile_at in option::of(timestamp()),
    ) -> Option<FileRecord> {
        Some(FileRecord {
            id: FileId::new(created_at),
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

fn any_record() -> impl Strategy<Value = FileRecord> {
    record().prop_filter_map("no record", |record| record)
}

/// Items that a record of each status has.
fn one_of_each() -> Vec<FileRecord> {
    let at = from_millis(1_790_000_000_123).unwrap();
    let pending = FileRecord {
        id: FileId::new(at),
        owner: Some(UserId::of("https://id.example.org", "alice")),
        declared: Declaration {
            filename: FileName::sanitize("a.txt").unwrap(),
            length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
            content_type: ContentType::parse("text/plain").unwrap(),
            sha256: Some(Sha256Digest::from_bytes([1; 32])),
        },
        upload_expires_at: at,
        state: FileState::Pending,
        reconcile_at: Some(at),
    };
    let object = StoredObject {
        sha256: Sha256Digest::from_bytes([2; 32]),
        version_id: Some(VersionId("v".into())),
        uploaded_at: at,
    };
    let reason = RejectionReason("r".into());
    [
        FileState::Pending,
        FileState::Available(object),
        FileState::Rejected {
            reason,
            purge_at: at,
        },
        FileState::Expired { purge_at: at },
        FileState::Deleted { purge_at: at },
    ]
    .map(|state| FileRecord {
        state,
        ..pending.clone()
    })
    .into()
}

proptest! {
    #[test]
    fn a_record_reads_back_equal_from_its_item(record in any_record()) {
        prop_assert_eq!(from_item(&to_item(&record)).unwrap(), record);
    }

    #[test]
    fn an_item_has_no_state_attribute_that_a_change_of_state_would_leave(record in any_record()) {
        for (name, _) in state_attributes(record.id, &record.state, record.reconcile_at) {
            prop_assert!(STATE_ATTRIBUTES.contains(&name), "{}", name);
        }
    }

    #[test]
    fn no_item_expires_before_its_record(record in any_record()) {
        let item = to_item(&record);
        let seconds = Attributes(&item).optional(EXPIRES_AT, Attributes::number).unwrap();
        prop_assert_eq!(seconds.is_some(), record.purge_at().is_some());
        if let (Some(seconds), Some(at)) = (seconds, record.purge_at()) {
            prop_assert!(seconds * 1000 >= at.timestamp_millis());
            prop_assert!((seconds - 1) * 1000 < at.timestamp_millis());
        }
    }
}

#[test]
fn a_tombstone_is_in_no_index_of_pages_and_all_others_are_in_each() {
    for record in one_of_each() {
        let listed = record.status() != Status::Deleted;
        let item = to_item(&record);
        assert_eq!(item.contains_key(TIME_SHARD), listed);
        assert_eq!(item.contains_key(STATUS_SHARD), listed);
        assert_eq!(item.contains_key(PARENT), listed);
    }
}

#[test]
fn a_record_without_reconcile_at_is_not_in_the_index_of_due_records() {
    for mut record in one_of_each() {
        record.reconcile_at = None;
        let item = to_item(&record);
        assert!(!item.contains_key(RECONCILE_SHARD));
        assert!(!item.contains_key(RECONCILE_AT));
    }
}

#[test]
fn an_attribute_that_makes_no_sense_is_named_and_not_shown() {
    let nonsense = [
        AttributeValue::S("S3CRET".into()),
        AttributeValue::N("-7e99".into()),
        AttributeValue::Null(true),
    ];
    // Written for people, made for an index, or any text at all.
    let not_parsed = [
        S3_KEY,
        CREATED_AT,
        TIME_SHARD,
        STATUS_SHARD,
        RECONCILE_SHARD,
        EXPIRES_AT,
        PARENT,
    ];
    let any_text = [FILENAME, VERSION_ID, REASON];
    for record in one_of_each() {
        let item = to_item(&record);
        for name in item.keys().filter(|it| !not_parsed.contains(&it.as_str())) {
            for value in &nonsense {
                if value.is_s() && any_text.contains(&name.as_str()) {
                    continue;
                }
                let mut broken = item.clone();
                broken.insert(name.clone(), value.clone());
                let error = from_item(&broken).expect_err(name);
                assert!(matches!(error, StoreError::Corrupt { .. }), "{name}");
                assert!(error.to_string().ends_with(&format!("attribute {name}")));
                assert!(!error.to_string().contains("S3CRET"));
            }
        }
    }
}

#[test]
fn a_stored_name_is_never_cleaned() {
    for record in one_of_each() {
        let mut item = to_item(&record);
        item.insert(FILENAME.into(), string("in\u{200d}voice\u{fe0f}.pdf"));
        let read = from_item(&item).unwrap();
        assert_eq!(
            read.declared.filename.as_str(),
            "in\u{200d}voice\u{fe0f}.pdf"
        );
        item.insert(FILENAME.into(), string("in voice.pdf"));
        assert!(from_item(&item).is_err(), "no version wrote that");
    }
}

#[test]
fn an_attribute_that_is_missing_is_named() {
    let optional = [OWNER, DECLARED_SHA256, VERSION_ID, RECONCILE_AT];
    let not_read = [
        S3_KEY,
        CREATED_AT,
        TIME_SHARD,
        STATUS_SHARD,
        RECONCILE_SHARD,
        EXPIRES_AT,
        PARENT,
    ];
    for record in one_of_each() {
        let item = to_item(&record);
        for name in item.keys() {
            let mut broken = item.clone();
            broken.remove(name);
            let needed = !optional.contains(&name.as_str()) && !not_read.contains(&name.as_str());
            assert_eq!(from_item(&broken).is_err(), needed, "{name}");
        }
    }
}
