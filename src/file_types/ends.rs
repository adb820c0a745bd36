//! The first and the last bytes of a file, kept while it is read once.
//!
//! Invariant: never more than [`END_BYTES`] of either end are kept, however long the file is and however it is cut into
//! chunks.

use std::ops::Range;

/// How much of a file's beginning, and of its end, is looked at.
pub const END_BYTES: usize = 64 * 1024;

const END: u64 = END_BYTES as u64;

/// The first and the last bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    length: u64,
    seen: u64,
    first: Vec<u8>,
    /// Empty where `first` has the whole file.
    last: Vec<u8>,
}

impl Ends {
    /// Those of a file of this length, of which nothing has been read.
    pub fn of_length(length: u64) -> Self {
        Self {
            length,
            seen: 0,
            first: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Those of a file that is here as a whole.
    pub fn of(bytes: &[u8]) -> Self {
        let mut ends = Self::of_length(bytes.len() as u64);
        ends.add(bytes);
        ends
    }

    /// The parts of a file of this length that have to be read, in order, if not all of it is.
    pub fn ranges(length: u64) -> impl Iterator<Item = Range<u64>> {
        let parts = match length {
            0..=END => [0..length, 0..0],
            _ if length <= 2 * END => [0..length, 0..0],
            _ => [0..END, length - END..length],
        };
        parts.into_iter().filter(|part| !part.is_empty())
    }

    /// Takes the next bytes of the file. What goes beyond its length is left out.
    pub fn add(&mut self, chunk: &[u8]) {
        let (from, to) = (self.seen, self.seen.saturating_add(chunk.len() as u64));
        self.seen = to;
        let part = |wanted: Range<u64>| {
            let begin = wanted.start.clamp(from, to) - from;
            let end = wanted.end.clamp(from, to) - from;
            // Both are at most the length of the chunk.
            &chunk[begin as usize..end as usize]
        };
        self.first.extend_from_slice(part(0..self.length.min(END)));
        if self.length > END {
            let last = part(self.length - END..self.length);
            self.last.extend_from_slice(last);
        }
    }

    /// Goes on behind bytes that aren't looked at.
    pub fn skip_to(&mut self, position: u64) {
        self.seen = self.seen.max(position);
    }

    /// How long the file is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The first bytes.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// The last bytes, and those before them in a file that isn't longer.
    pub(super) fn last(&self) -> &[u8] {
        match self.length {
            0..=END => &self.first,
            _ => &self.last,
        }
    }

    /// So many bytes from this position on, where they were kept.
    pub(super) fn at(&self, position: u64, length: usize) -> Option<&[u8]> {
        let within = |kept: &'_ [u8], start: u64| {
            let from = usize::try_from(position.checked_sub(start)?).ok()?;
            let to = from.checked_add(length)?;
            (to <= kept.len()).then_some(from..to)
        };
        if let Some(range) = within(&self.first, 0) {
            return self.first.get(range);
        }
        let start = self.length.saturating_sub(END);
        within(&self.last, start).and_then(|range| self.last.get(range))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    proptest! {
        #[test]
        fn the_ends_are_the_same_however_a_file_is_cut_and_whether_all_of_it_is_read(
            length in prop_oneof![0..300_usize, 65_530..65_540_usize, 131_060..131_080_usize, 0..400_000_usize],
            cuts in proptest::collection::vec(1..70_000_usize, 1..9),
        ) {
            let bytes = numbered(length);
            let whole = Ends::of(&bytes);
            let mut rest = &bytes[..];
            let mut cut = Ends::of_length(length as u64);
            for size in cuts.into_iter().cycle() {
                let (chunk, behind) = rest.split_at(size.min(rest.len()));
                cut.add(chunk);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(&cut, &whole);
            let mut parts = Ends::of_length(length as u64);
            for part in Ends::ranges(length as u64) {
                parts.skip_to(part.start);
                parts.add(&bytes[part.start as usize..part.end as usize]);
            }
            prop_assert_eq!((parts.first(), parts.last()), (whole.first(), whole.last()));
            let shown = length.min(END_BYTES);
            prop_assert_eq!(whole.first(), &bytes[..shown]);
            prop_assert_eq!(whole.last(), &bytes[length - shown..]);
        }
    }

    #[test]
    fn a_place_is_there_if_an_end_has_it_whole() {
        let length = 3 * END_BYTES;
        let bytes = numbered(length);
        let ends = Ends::of(&bytes);
        for (position, size, is_there) in [
            (0, 8, true),
            (END_BYTES - 8, 8, true),
            (END_BYTES - 7, 8, false),
            (2 * END_BYTES - 1, 8, false),
            (2 * END_BYTES, 8, true),
            (length - 8, 8, true),
            (length - 7, 8, false),
            (length, 0, true),
            (usize::MAX, 8, false),
        ] {
            let found = ends.at(position as u64, size);
            let expected = is_there.then(|| &bytes[position..position + size]);
            assert_eq!(found, expected, "{position}");
        }
    }

    #[test]
    fn more_bytes_than_were_said_change_nothing() {
        let mut ends = Ends::of_length(5);
        ends.add(b"hello, world");
        ends.add(&[0; 10]);
        assert_eq!((ends.first(), ends.last()), (&b"hello"[..], &b"hello"[..]));
    }
}
