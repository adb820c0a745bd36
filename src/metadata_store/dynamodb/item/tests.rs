//! Every record reads back from its item as it was written.

use proptest::prelude::*;

use super::*;
use crate::domain::samples::strategies;
use crate::metadata_store::conformance::{every_state, in_state};

fn any_record() -> impl Strategy<Value = FileRecord> {
    let moment = (0..=strategies::LATEST_MILLIS).prop_map(|millis| from_millis(millis).unwrap());
    strategies::any_record(".{0,60}".boxed(), moment.boxed())
}

/// Items that a record of each status has.
fn one_of_each() -> Vec<FileRecord> {
    let at = from_millis(1_790_000_000_123).unwrap();
    let declared = Declaration::sample()
        .named("a b.txt")
        .with_metadata(&[("course", "INF-1")])
        .of_digest(Some(Sha256Digest::from_bytes([1; 32])));
    let owner = Some(UserId::of("https://id.example.org", "alice"));
    let pending = FileRecord::sample_of(at, declared)
        .owned_by(owner)
        .deleted_after(Some(at));
    every_state()
        .map(|state| in_state(pending.clone(), state))
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
    fn no_item_expires_before_its_record_and_none_that_may_be_held(record in any_record()) {
        let item = to_item(&record);
        let seconds = Attributes(&item).optional(EXPIRES_AT, Attributes::number).unwrap();
        let may_be_held = record.status().keeps_its_hold();
        prop_assert_eq!(seconds.is_some(), record.purge_at().is_some() && !may_be_held);
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
    let any_text = [FILENAME, DISPLAY_NAME, VERSION_ID, REASON];
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
fn metadata_is_a_map_of_texts_and_nothing_else() {
    for record in one_of_each() {
        let mut item = to_item(&record);
        let with = |value| AttributeValue::M([("a".to_owned(), value)].into());
        item.insert(METADATA.into(), with(string("b")));
        assert_eq!(
            from_item(&item).unwrap().declared.metadata.to_json(),
            r#"{"a":"b"}"#
        );
        for value in [number(1), with(string("b"))] {
            item.insert(METADATA.into(), with(value));
            let error = from_item(&item).unwrap_err().to_string();
            assert!(error.ends_with("attribute metadata"), "{error}");
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
    let optional = [
        OWNER,
        DISPLAY_NAME,
        DELETE_AFTER,
        DECLARED_SHA256,
        METADATA,
        TYPE_HAS_TO_FIT,
        VERSION_ID,
        REASON_CODE,
        DETECTED_TYPE,
        RECONCILE_AT,
        // Without it the file is a rejected one, as a program takes it for that doesn't know the attribute.
        WITHDRAWN,
    ];
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

#[test]
fn no_write_gives_an_item_that_may_be_held_to_the_ttl() {
    let at = from_millis(1_790_000_000_123).unwrap();
    for status in Status::ALL.into_iter().filter(|it| !it.may_have_bytes()) {
        let sets_it = expiry_of(status, at).any(|(name, _)| name == EXPIRES_AT);
        assert_eq!(sets_it, !status.keeps_its_hold(), "{status:?}");
        let removes_it = removed_expiry(status).contains(&EXPIRES_AT);
        assert_eq!(removes_it, status.keeps_its_hold(), "{status:?}");
    }
}
