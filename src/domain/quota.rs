//! How much somebody has, and may have.
//!
//! Invariant: a file counts while it may have bytes, with the length that it was declared with: the PUT signs exactly
//! that, so what is reserved at a create is what is used afterwards, and the write that ends the file gives it back.
//!
//! Absent on purpose: who somebody is, and where what they have is counted.

/// How much somebody has: files that are pending or available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many files.
    pub files: u64,
    /// The length of all of them together, in bytes.
    pub bytes: u64,
}

/// How much somebody may have. `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// How many files.
    pub max_files: Option<u64>,
    /// The length of all of them together, in bytes.
    pub max_bytes: Option<u64>,
}

impl Quota {
    /// Whether one file of so many bytes may be added to what there is.
    pub fn takes(&self, usage: Usage, bytes: u64) -> bool {
        let within = |limit: Option<u64>, used: u64, more: u64| {
            limit.is_none_or(|limit| used.checked_add(more).is_some_and(|all| all <= limit))
        };
        within(self.max_files, usage.files, 1) && within(self.max_bytes, usage.bytes, bytes)
    }

    /// Whether nothing is bounded.
    pub fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_file_and_the_last_byte_fit_and_one_more_does_not() {
        let quota = Quota {
            max_files: Some(3),
            max_bytes: Some(100),
        };
        let has = |files, bytes| Usage { files, bytes };
        assert!(quota.takes(has(2, 60), 40));
        assert!(!quota.takes(has(2, 60), 41));
        assert!(!quota.takes(has(3, 0), 0));
        assert!(quota.takes(has(0, 100), 0));
        assert!(!quota.takes(has(0, 1), u64::MAX));
    }

    #[test]
    fn what_is_not_bounded_takes_anything() {
        let most = Usage {
            files: u64::MAX,
            bytes: u64::MAX,
        };
        assert!(Quota::default().takes(most, u64::MAX));
        assert!(Quota::default().is_off());
    }
}
