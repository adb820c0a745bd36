//! What a file is has to fit its name, whichever way its bytes are read.

use super::*;
use crate::domain::{ContentType, RejectionCode};
use crate::file_types::samples::{Sample, Taken, all};

/// What the sample comes to, and which calls of the object store that took.
async fn finalized(
    sample: &Sample,
    has_to_fit: bool,
    store_knows_digest: bool,
) -> (FileState, Vec<&'static str>) {
    let mut fixture = OperationsFixture::new();
    let seen = fixture.seen();
    let digest =
        Sha256Digest::from_bytes(<sha2::Sha256 as sha2::Digest>::digest(&sample.bytes).into());
    let digest = store_knows_digest.then_some(digest);
    let declared = Declaration::sample()
        .named(sample.name)
        .of_length(sample.bytes.len() as u64)
        .of_digest(digest);
    let declared = match has_to_fit {
        true => declared.of_its_type(),
        false => declared,
    };
    let new = NewFile::sample(declared);
    let creating = create_file(
        &fixture.stores,
        &fixture.presigner,
        &fixture.context,
        new,
        None,
    );
    let id = creating.await.unwrap().record.id;
    let key = ObjectKey::new(id);
    fixture.objects.put(key, sample.bytes.clone(), digest);
    fixture.finalize(id).await;
    let calls = seen.calls();
    let describe = || describe_file(&fixture.stores, &fixture.context, id);
    let settled = describe().await.unwrap();
    // Again, as a notification comes twice.
    fixture.finalize(id).await;
    assert_eq!(describe().await.unwrap(), settled);
    let is_kept = matches!(settled.state, FileState::Available(_));
    assert_eq!(fixture.objects.count(), usize::from(is_kept));
    (settled.state, calls)
}

#[tokio::test]
async fn a_file_is_judged_by_what_is_in_it_and_the_same_however_it_is_read() {
    for sample in all() {
        for has_to_fit in [false, true] {
            let (by_reading, _) = finalized(&sample, has_to_fit, false).await;
            let (by_its_ends, calls) = finalized(&sample, has_to_fit, true).await;
            let name = sample.name;
            match (&by_reading, &by_its_ends) {
                (FileState::Available(one), FileState::Available(other)) => {
                    assert_eq!(one.detected_type, other.detected_type, "{name}");
                    let found = one.detected_type.as_ref().map(ContentType::as_str);
                    assert_eq!(found, Some(sample.media_type), "{name}");
                }
                (
                    FileState::Rejected { reason: one, .. },
                    FileState::Rejected { reason: other, .. },
                ) => {
                    assert_eq!(one, other, "{name}");
                    assert_eq!(one.code, Some(RejectionCode::ContentMismatch), "{name}");
                    assert!(one.detected_type.is_some(), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
            let is_taken = match sample.taken {
                Taken::Always => true,
                Taken::WhereAllAre => !has_to_fit,
                Taken::Never => false,
            };
            let is_available = matches!(by_reading, FileState::Available(_));
            assert_eq!(is_available, is_taken, "{name}");
            // Of an object whose digest is known not all is read.
            assert!(!calls.contains(&"read"), "{name}: {calls:?}");
            let parts = calls.iter().filter(|call| **call == "read_range").count();
            let expected = match sample.bytes.len() {
                0 => 0,
                length if length > 2 * crate::file_types::END_BYTES => 2,
                _ => 1,
            };
            assert_eq!(parts, expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_file_of_another_digest_is_rejected_for_that_and_not_looked_at() {
    let fixture = OperationsFixture::new();
    let id = fixture.create_declaring(5, Some(HELLO_SHA256)).await;
    let told = Sha256Digest::from_bytes([7; 32]);
    fixture.objects.put(ObjectKey::new(id), HELLO, Some(told));
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Rejected);
    let record = describe_file(&fixture.stores, &fixture.context, id).await;
    let FileState::Rejected { reason, .. } = record.unwrap().state else {
        panic!("it isn't rejected");
    };
    assert_eq!(reason.code, Some(RejectionCode::Sha256Mismatch));
    assert_eq!(reason.detected_type, None);
}
