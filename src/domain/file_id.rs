//! The identity of a file: a UUIDv7, so that IDs sort by the time of creation.
//!
//! Invariant: the time of creation is part of the ID. It is stored nowhere else as a source of
//! truth, so the two can't disagree.

use std::fmt;

use uuid::{NoContext, Uuid, Variant};

use super::{Invalid, Timestamp, from_millis};

/// A file's identity. Ordered by time of creation, to the millisecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(Uuid);

impl FileId {
    /// A new ID for a file that is created at `now`. 74 of its bits are random.
    pub fn new(now: Timestamp) -> Self {
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        Self(Uuid::new_v7(uuid::Timestamp::from_unix(
            NoContext,
            seconds,
            now.timestamp_subsec_nanos(),
        )))
    }

    /// Reads the hyphenated form that [`fmt::Display`] writes; case doesn't matter.
    ///
    /// # Errors
    /// Anything else, other spellings and other versions of UUIDs included: one file has one URL.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("not the ID of a file: expected a UUIDv7 with hyphens");
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(refused());
        }
        let uuid = Uuid::try_parse(text).map_err(|_| refused())?;
        Self::from_uuid(uuid).ok_or_else(refused)
    }

    /// Reads the 16 bytes that [`Self::as_bytes`] gives.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    fn from_uuid(uuid: Uuid) -> Option<Self> {
        (uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122)
            .then_some(Self(uuid))
    }

    /// The UUID in network byte order, which sorts as IDs do: by time of creation.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When the file was created: the first 48 bits are milliseconds since the Unix epoch
    /// (RFC 9562, section 5.7).
    pub fn created_at(&self) -> Timestamp {
        let bytes = self.as_bytes();
        let millis = bytes[..6]
            .iter()
            .fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
        // 48 bits of milliseconds end in the year 10889, well inside chrono's range.
        from_millis(millis).unwrap_or_default()
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time_of_creation_and_sorts_by_it() {
        let earlier = from_millis(1_790_000_000_123).unwrap();
        let later = from_millis(1_790_000_000_124).unwrap();
        let (a, b) = (FileId::new(earlier), FileId::new(later));
        assert_eq!(a.created_at(), earlier);
        assert!(a < b);
        assert!(a.to_string() < b.to_string());
    }

    #[test]
    fn an_id_reads_back_from_its_text_in_either_case() {
        let id = FileId::new(from_millis(1_790_000_000_123).unwrap());
        assert_eq!(FileId::parse(&id.to_string()), Ok(id));
        assert_eq!(FileId::parse(&id.to_string().to_uppercase()), Ok(id));
    }

    #[test]
    fn what_is_no_uuid_of_version_7_is_refused() {
        for text in [
            "",
            "no-such-file",
            "../../etc/passwd",
            "00000000-0000-0000-0000-000000000000",
            "2f1b3a52-7c1e-4f4d-9a7e-0d8a4c1b2e3f",
            "{0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f}",
            "0199a2b47c1e7f4d9a7e0d8a4c1b2e3f",
        ] {
            assert!(FileId::parse(text).is_err(), "{text}");
        }
    }
}
