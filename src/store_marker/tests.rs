//! What two markers mean together.

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
        Ok(MarkerState::Begun(_))
    ));
    assert_eq!(
        compare(marker(1, 0), marker(2, 7)),
        Err(Mismatch::Different)
    );
    assert!(matches!(
        compare(marker(1, 0), marker(1, 0)),
        Ok(MarkerState::Matching(_))
    ));
    // Counted by the records and not yet by the objects.
    assert!(matches!(
        compare(marker(1, 4), marker(1, 3)),
        Ok(MarkerState::Matching(_))
    ));
}

#[test]
fn records_that_know_of_fewer_starts_than_the_objects_are_from_before() {
    assert_eq!(
        compare(marker(1, 3), marker(1, 4)),
        Ok(MarkerState::RecordsFromBefore)
    );
    assert_eq!(
        compare(marker(1, 0), marker(1, 9)),
        Ok(MarkerState::RecordsFromBefore)
    );
}
