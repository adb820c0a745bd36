//! Records as they are kept: inserted once, and read back as they were.
//!
//! Invariant: only consistent reads, so nothing here waits.

use std::sync::Arc;
use std::time::Duration;

use super::{
    GRACE, every_settlement, every_state, far_expiry, in_state, insert, moment, object, pending,
    settle, stored,
};
use crate::domain::{
    ContentLength, ContentType, DisplayName, FileId, FileName, FileState, Hold, HoldReason,
    MAX_CONTENT_LENGTH, MAX_DISPLAY_NAME_CHARS, MAX_METADATA_BYTES, RejectionReason, Sha256Digest,
    Status, Transition, VersionId, parse_timestamp,
};
use crate::metadata_store::{MetadataStore, StoreError, TransitionOutcome};

type Store = Arc<dyn MetadataStore>;

pub async fn the_store_answers_its_check(store: &Store) {
    store.check().await.expect("the store can be reached");
}

pub async fn a_record_reads_back_as_it_was_inserted_whatever_its_state(store: &Store) {
    let names = ["a", "课程大纲.pdf", "محاضرة١.pdf", "résumé-_.tar.gz"];
    let longest = "é".repeat(127);
    let digests = [None, Some(Sha256Digest::from_bytes([0xA5; 32]))];
    let lengths = [0, 1, MAX_CONTENT_LENGTH];
    let mut states = every_state().to_vec();
    for version_id in [None, Some(VersionId("null".into()))] {
        let mut object = object();
        // As records from before there were types have it.
        object.detected_type = None;
        object.version_id = version_id;
        states.push(FileState::Available(object));
    }
    states.push(FileState::Rejected {
        reason: RejectionReason::sample("“\n\0'; DROP TABLE files; --”"),
        purge_at: far_expiry(),
    });

    for (i, state) in states.into_iter().enumerate() {
        for declared_sha256 in digests {
            for name in names.into_iter().chain([longest.as_str()]) {
                let mut record = in_state(pending(-(i as i64)), state.clone());
                record.declared.filename = FileName::sanitize(name).expect("a valid name");
                record.declared.content_type =
                    ContentType::parse("text/plain; charset=\"utf-8\"").expect("a valid type");
                record.declared.sha256 = declared_sha256;
                record.declared.type_has_to_fit = declared_sha256.is_some();
                record.declared.length =
                    ContentLength::new(lengths[i % lengths.len()], MAX_CONTENT_LENGTH)
                        .expect("a valid length");
                record.upload_expires_at += Duration::from_millis(i as u64);
                let record = insert(store, record).await;
                assert_eq!(stored(store, record.id).await, record);
            }
        }
    }
}

pub async fn a_name_that_was_cleaned_by_other_rules_reads_back_as_it_was_stored(store: &Store) {
    for name in [
        "\u{3164}",
        "in\u{200d}voice\u{fe0f}.pdf",
        "re\u{301}sume\u{301}",
    ] {
        let mut record = pending(0);
        record.declared.filename =
            FileName::from_stored(name).expect("a name that older versions wrote");
        let record = insert(store, record).await;
        assert_eq!(
            stored(store, record.id).await.declared.filename.as_str(),
            name
        );
    }
}

pub async fn a_reason_that_was_taken_by_other_rules_reads_back_as_it_was_stored(store: &Store) {
    for reason in ["", "two\nlines", "\u{200b}", &"ä".repeat(600)] {
        let mut record = pending(0);
        record.hold = Some(Hold {
            reason: HoldReason::from_stored(reason),
            since: moment(1),
            by: None,
        });
        let record = insert(store, record).await;
        assert_eq!(stored(store, record.id).await, record);
        let held = record.hold.as_ref().expect("a hold");
        let released = store.release(record.id, held, moment(2)).await;
        assert_eq!(released.expect("an answer").expect("a record").hold, None);
    }
}

pub async fn metadata_stays_as_it_was_given_through_a_files_life(store: &Store) {
    let longest = "🎉".repeat(MAX_METADATA_BYTES / 4 - 1);
    let given: [&[(&str, &str)]; 3] = [
        &[
            ("course", "INF-1"),
            ("empty", ""),
            ("'; DROP TABLE", "a\n\u{0}\""),
        ],
        &[("long", &longest)],
        &[],
    ];
    for (i, entries) in given.into_iter().enumerate() {
        let mut record = pending(0);
        record.declared = record.declared.with_metadata(entries);
        let declared = insert(store, record.clone()).await.declared;
        let renewed = record.upload_expires_at + Duration::from_secs(60);
        let renewed = store.renew_upload(record.id, renewed).await.unwrap();
        let renewed = renewed.expect("it is pending");
        // Compared as text too: it doesn't print what it holds.
        let json = declared.metadata.to_json();
        assert_eq!(renewed.declared.metadata.to_json(), json);
        let settled = settle(store, record.id, &every_settlement(&renewed)[i], moment(5)).await;
        assert_eq!(settled, TransitionOutcome::Applied);
        assert_eq!(
            stored(store, record.id).await.declared.metadata.to_json(),
            json
        );
    }
}

pub async fn a_name_stays_as_it_was_given_through_a_files_life(store: &Store) {
    let longest = "🎉".repeat(MAX_DISPLAY_NAME_CHARS);
    let given = [
        "week 1: \"notes\".txt",
        "’; DROP TABLE files; --",
        longest.as_str(),
    ];
    for (i, name) in given.into_iter().enumerate() {
        let mut record = pending(0);
        let display_name = DisplayName::from_stored(name).expect("a valid name");
        record.declared.display_name = Some(display_name);
        let declared = insert(store, record.clone()).await.declared;
        let renewed = record.upload_expires_at + Duration::from_secs(60);
        let renewed = store.renew_upload(record.id, renewed).await.unwrap();
        let settlement = &every_settlement(&renewed.expect("it is pending"))[i];
        let settled = settle(store, record.id, settlement, moment(5)).await;
        assert_eq!(settled, TransitionOutcome::Applied);
        assert_eq!(stored(store, record.id).await.declared, declared);
        let deleted = store.delete(record.id, moment(1), far_expiry(), GRACE, moment(1));
        assert!(deleted.await.unwrap());
        assert_eq!(stored(store, record.id).await.declared, declared);
    }
}

pub async fn whatever_time_a_file_is_to_be_deleted_at_reads_back_and_is_when_it_is_due(
    store: &Store,
) {
    for text in [
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:58.60+00:00",
        "2028-02-29T23:59:60Z",
        "2262-04-11T23:47:16.855Z",
        "2038-01-19T03:14:08-12:34",
    ] {
        let at = parse_timestamp(text).expect("a time");
        let record = insert(store, pending(0).deleted_after(Some(at))).await;
        assert_eq!(stored(store, record.id).await, record, "{text}");
        let available = Transition::available(object(), Some(at));
        let applied = store.transition(record.id, &available).await;
        assert_eq!(applied.expect("it is pending"), TransitionOutcome::Applied);
        let settled = stored(store, record.id).await;
        assert_eq!(settled, available.apply_to(record), "{text}");
        assert_eq!(settled.reconcile_at, Some(at), "{text}");
    }
}

pub async fn an_id_that_was_never_inserted_is_absent(store: &Store) {
    assert_eq!(store.get(FileId::new(moment(0))).await.unwrap(), None);
}

pub async fn a_second_insert_of_an_id_is_refused_and_leaves_the_first(store: &Store) {
    for state in every_state() {
        let first = insert(store, in_state(pending(0), state)).await;
        let mut second = pending(0);
        second.id = first.id;
        second.declared.filename = FileName::sanitize("another.txt").expect("a valid name");
        for record in [&second, &first] {
            let refused = store.insert(record).await;
            assert!(
                matches!(refused, Err(StoreError::AlreadyExists { .. })),
                "{refused:?}"
            );
        }
        assert_eq!(stored(store, first.id).await, first);
    }
}

pub async fn an_id_stays_taken_by_its_tombstone(store: &Store) {
    let record = insert(store, pending(0)).await;
    assert!(
        store
            .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
            .await
            .unwrap()
    );
    let refused = store.insert(&record).await;
    assert!(
        matches!(refused, Err(StoreError::AlreadyExists { .. })),
        "{refused:?}"
    );
    assert_eq!(stored(store, record.id).await.status(), Status::Deleted);
}
