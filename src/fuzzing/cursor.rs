//! A cursor is read only in the one spelling that was written for its filter.

use super::Input;
use crate::api::{ListFilter, read_cursor, write_cursor};
use crate::domain::{FileId, Status};

/// None, and one for each status that clients may ask for.
fn filters() -> Vec<ListFilter> {
    let statuses = [None].into_iter().chain(Status::listed().map(Some));
    statuses
        .map(|status| ListFilter {
            owner: None,
            status,
        })
        .collect()
}

/// First byte: which filter. The rest is read as the text of a cursor, and its first bytes as the ID
/// for one of ours, of which the bytes behind that change one character.
pub(super) fn property(data: &[u8]) {
    let mut input = Input(data);
    let filters = filters();
    let filter = filters[usize::from(input.byte()) % filters.len()];
    let rest = input.rest();
    if let Ok(text) = std::str::from_utf8(rest)
        && let Ok(id) = read_cursor(text, filter)
    {
        assert_eq!(write_cursor(id, filter), text, "a second spelling");
        for other in filters.into_iter().filter(|other| *other != filter) {
            assert!(read_cursor(text, other).is_err(), "another filter's cursor");
        }
    }
    let mut input = Input(rest);
    let Some(id) = FileId::from_bytes(input.array()) else {
        return;
    };
    let written = write_cursor(id, filter);
    assert_eq!(read_cursor(&written, filter), Ok(id));
    let (at, to) = (usize::from(input.byte()), input.byte());
    let mut mutated = written.clone().into_bytes();
    let at = at % mutated.len();
    mutated[at] = to;
    if let Ok(mutated) = String::from_utf8(mutated) {
        assert_eq!(read_cursor(&mutated, filter).is_ok(), mutated == written);
    }
}
