//! The statuses that a file can have, and what follows from each by itself.
//!
//! Invariant: a status is one entry of the table below. Whether it is final, whether clients see it and what
//! becomes of bytes under the file's key is said there, and decided nowhere else; a new status doesn't compile
//! before all of it is said.
//!
//! Absent on purpose: what is known only in one state (`file_state`), and which status comes after which
//! (`transition`).

use super::Invalid;

/// What becomes of bytes that lie under a file's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredBytes {
    /// None have been seen yet; those that come may become the file's.
    Awaited,
    /// The file has its bytes, and takes no others.
    Kept,
    /// The file isn't to have any: whatever is there, or comes, is deleted; what a withdrawn one had, as soon as nothing
    /// keeps it any more.
    Unwanted,
}

/// What is known of a status, whatever the file.
struct Facts {
    /// As stores keep it and clients see it; it never changes.
    name: &'static str,
    /// Whether the file's upload is over, however it ended.
    is_final: bool,
    /// Whether clients may see files with it.
    is_listed: bool,
    bytes: StoredBytes,
}

macro_rules! statuses {
    ($($(#[$doc:meta])* $status:ident { $($fact:ident: $value:expr,)+ })+) => {
        /// The name of a `FileState`, as it is stored and shown.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Status {
            $($(#[$doc])* $status,)+
        }

        impl Status {
            /// All there are.
            pub const ALL: [Self; [$(stringify!($status)),+].len()] = [$(Self::$status),+];

            const fn facts(self) -> Facts {
                match self {
                    $(Self::$status => Facts { $($fact: $value,)+ },)+
                }
            }
        }
    };
}

statuses! {
    /// Waits for its bytes: the one status that a record leaves by being settled.
    Pending {
        name: "pending",
        is_final: false,
        is_listed: true,
        bytes: StoredBytes::Awaited,
    }
    /// Can be downloaded.
    Available {
        name: "available",
        is_final: true,
        is_listed: true,
        bytes: StoredBytes::Kept,
    }
    /// Other bytes came than were declared.
    Rejected {
        name: "rejected",
        is_final: true,
        is_listed: true,
        bytes: StoredBytes::Unwanted,
    }
    /// It was available, and isn't any more: the virus scanner found something in it later.
    Withdrawn {
        name: "withdrawn",
        is_final: true,
        is_listed: true,
        bytes: StoredBytes::Unwanted,
    }
    /// No bytes came while an upload URL worked.
    Expired {
        name: "expired",
        is_final: true,
        is_listed: true,
        bytes: StoredBytes::Unwanted,
    }
    /// Stored, never shown.
    Deleted {
        name: "deleted",
        is_final: true,
        is_listed: false,
        bytes: StoredBytes::Unwanted,
    }
}

impl Status {
    /// The word that stores keep and clients see; it never changes.
    pub fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// Whether the file's upload is over, however it ended: it never becomes pending again.
    pub fn is_final(self) -> bool {
        self.facts().is_final
    }

    /// Whether clients may see files with this status.
    pub fn is_listed(self) -> bool {
        self.facts().is_listed
    }

    /// What becomes of bytes under the file's key.
    pub fn bytes(self) -> StoredBytes {
        self.facts().bytes
    }

    /// Whether bytes under the file's key are, or may become, the file's. Those of others are deleted.
    pub fn may_have_bytes(self) -> bool {
        self.bytes() != StoredBytes::Unwanted
    }

    /// Whether a hold of the file lasts: there are bytes that it keeps, or they may come. Those of a withdrawn file stay
    /// out of reach for as long.
    pub fn keeps_its_hold(self) -> bool {
        self.may_have_bytes() || self == Self::Withdrawn
    }

    /// As which status stores keep it. What is younger than they are is kept as one of theirs, with a mark beside it: a
    /// program from before it knew of withdrawn files takes them for rejected ones, and does to their bytes what is to
    /// be done.
    pub fn kept_as(self) -> Self {
        match self {
            Self::Withdrawn => Self::Rejected,
            other => other,
        }
    }

    /// Reads what [`Self::as_str`] writes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Invalid::new(format!("must be {}", Self::choices())))
    }

    /// Those that clients see and may ask for.
    pub fn listed() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|status| status.is_listed())
    }

    /// Those that clients may ask for, as a sentence has them.
    pub fn choices() -> String {
        let mut names: Vec<&str> = Self::listed().map(Self::as_str).collect();
        let last = names.pop().unwrap_or_default();
        format!("{} or {last}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_from_its_name() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Ok(status));
        }
        assert!(Status::parse("Available").is_err());
    }

    #[test]
    fn whoever_sends_a_wrong_status_hears_of_each_that_clients_see_and_of_no_other() {
        assert_eq!(
            Status::parse("x").unwrap_err().0,
            "must be pending, available, rejected, withdrawn or expired"
        );
    }

    #[test]
    fn what_waits_for_bytes_is_not_over_and_what_was_never_to_have_any_is() {
        for status in Status::ALL {
            match status.bytes() {
                StoredBytes::Awaited => assert!(!status.is_final(), "{status:?}"),
                StoredBytes::Unwanted => assert!(status.is_final(), "{status:?}"),
                StoredBytes::Kept => {}
            }
        }
    }
}
