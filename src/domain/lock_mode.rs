//! How a store locks what has to be kept.
//!
//! Absent on purpose: until when. That is in the record (`keep_until`).

/// How a store locks versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Whoever has a permission of its own for that may delete them all the same; nobody of this service's has it.
    Governance,
    /// Nobody may, not even the account's owner.
    Compliance,
}

impl LockMode {
    /// Its name, in settings and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        }
    }
}
