//! What two markers mean together.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::*;

fn marker(id: u128, starts: u64) -> Option<Marker> {
    let id = Uuid::from_u128(id);
    Some(Marker { id, starts })
}

#[test]
fn a_marker_as_text_has_one_length_and_reads_back() {
    for starts in [0, 1, u64::MAX] {
        let marker = Marker {
            starts,
            ..Marker::fresh()
        };
        let text = marker.to_string();
        assert_eq!(text.len(), MARKER_LENGTH);
        assert_eq!(Marker::parse(&text), Ok(marker));
    }
    for text in [
        "",
        "hello",
        "hello 1",
        "00000000-0000-0000-0000-000000000001 1 1",
    ] {
        assert!(Marker::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_has_one_marker_or_two_different_ones_does_not_belong_together() {
    assert_eq!(compare(None, None), Ok(MarkerState::Unmarked));
    assert_eq!(compare(marker(1, 3), None), Err(Mismatch::OnlyRecords));
    assert_eq!(compare(None, marker(1, 3)), Err(Mismatch::OnlyObjects));
    assert_eq!(
        compare(marker(1, 3), marker(2, 3)),
        Err(Mismatch::Different)
    );
    assert!(matches!(
        compare(marker(1, 3), marker(1, 3)),
        Ok(MarkerState::Matching(_))
    ));
}

#[test]
fn a_start_that_was_cut_off_is_gone_on_with() {
    assert!(matches!(
        compare(marker(1, 0), None),
        Ok(MarkerState::Unfinished(_))
    ));
    assert_eq!(
        compare(marker(1, 0), marker(2, 7)),
        Err(Mismatch::Different)
    );
    assert!(matches!(
        compare(marker(1, 0), marker(1, 0)),
        Ok(MarkerState::Matching(_))
    ));
    // Begun by the records, and counted by the objects or not yet.
    for objects in [2, 4] {
        let cut_off = compare(marker(1, 3), marker(1, objects));
        assert!(matches!(cut_off, Ok(MarkerState::Matching(_))), "{objects}");
    }
}

#[test]
fn a_side_that_knows_of_fewer_starts_than_the_other_is_from_before() {
    for (records, objects) in [(4, 6), (3, 5), (0, 9), (2, 3)] {
        let compared = compare(marker(1, records), marker(1, objects));
        assert_eq!(
            compared,
            Ok(MarkerState::RecordsFromBefore),
            "{records} {objects}"
        );
    }
    for (records, objects) in [(6, 4), (5, 3), (9, 0), (4, 3)] {
        let compared = compare(marker(1, records), marker(1, objects));
        assert_eq!(
            compared,
            Ok(MarkerState::ObjectsFromBefore),
            "{records} {objects}"
        );
    }
}

/// Both markers, and how many writes are still done.
struct Pair(Mutex<Option<Marker>>, Arc<AtomicUsize>);

#[async_trait]
impl MarkedStore for Pair {
    async fn marker(&self) -> Result<Option<Marker>, StoreError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn add_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        self.0.lock().unwrap().get_or_insert_with(|| marker.clone());
        Ok(())
    }

    async fn replace_marker(&self, marker: &Marker) -> Result<(), StoreError> {
        let left = self
            .1
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| StoreError::unavailable("the store", "cut off"))?;
        *self.0.lock().unwrap() = Some(marker.clone());
        Ok(())
    }
}

#[tokio::test]
async fn wherever_starts_are_cut_off_the_next_one_finds_that_the_two_belong_together() {
    for before in [(4, 4), (3, 3), (3, 2), (0, 0)] {
        for cut in [[0, 0], [1, 0], [1, 1], [1, 2], [2, 1], [2, 2], [3, 2]] {
            let writes = Arc::new(AtomicUsize::new(0));
            let store = |starts| Pair(Mutex::new(marker(1, starts)), writes.clone());
            let (records, objects) = (store(before.0), store(before.1));
            let pair = StorePair {
                records: &records,
                objects: &objects,
            };
            for done in cut.into_iter().chain([3]) {
                let (now, other) = pair.look().await.unwrap();
                let Ok(MarkerState::Matching(marker)) = compare(now, other) else {
                    panic!("{before:?} {cut:?}: {:?}", pair.look().await);
                };
                writes.store(done, SeqCst);
                let _ = pair.count_start(&marker).await;
            }
            let (now, other) = pair.look().await.unwrap();
            assert_eq!(now, other, "{before:?} {cut:?}");
            assert!(now.unwrap().starts.is_multiple_of(2));
        }
    }
}
