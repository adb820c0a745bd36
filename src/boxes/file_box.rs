//! What a box is, and the rules for what it takes.
//!
//! Invariant: a box has bounds of its own, at most [`MAX_BOX_FILES`] files and at most the size that the service takes.

use super::times::{BoxTimes, Override, last_closes_at, times_for};
use crate::capability_token::Generation;
use crate::domain::{AllowedTypes, BoxId, Invalid, Submitter, SubmitterName, Timestamp, UserId};
use crate::passwords::PasswordHash;

/// How many files a box may hold.
pub const MAX_BOX_FILES: u32 = 10_000;
/// How long its title may be, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 100;

/// What people see above a box: a line that turns and steers nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxTitle(SubmitterName);

impl BoxTitle {
    /// The title that somebody gave.
    ///
    /// # Errors
    /// If nothing of it can be seen, or it is too long.
    pub fn given(text: &str) -> Result<Self, Invalid> {
        const { assert!(MAX_TITLE_CHARACTERS == crate::domain::MAX_SUBMITTER_CHARACTERS) }
        let title = SubmitterName::given(text).map(Self);
        title.map_err(|_| {
            Invalid(format!(
                "must be a line of 1 to {MAX_TITLE_CHARACTERS} characters"
            ))
        })
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// How many files a box may hold.
///
/// # Errors
/// None, or too many.
pub fn max_files(count: u64) -> Result<u32, Invalid> {
    let count = u32::try_from(count).ok();
    count
        .filter(|count| (1..=MAX_BOX_FILES).contains(count))
        .ok_or_else(|| Invalid(format!("must be a whole number from 1 to {MAX_BOX_FILES}")))
}

/// Who may hand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubmitterKind {
    /// Whoever has the URL, under a name that they type.
    #[default]
    Named,
    /// Of those, whoever signed in.
    SignedIn,
}

impl SubmitterKind {
    /// The word that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::SignedIn => "signed_in",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut all = [Self::Named, Self::SignedIn].into_iter();
        all.find(|it| it.as_str() == text)
            .ok_or_else(|| Invalid("must be named or signed_in".into()))
    }
}

/// Which of somebody's files count. All are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// The newest that isn't late; the newest if all are.
    #[default]
    Latest,
    /// Each.
    All,
}

impl Keep {
    /// The word that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::All => "all",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut all = [Self::Latest, Self::All].into_iter();
        all.find(|it| it.as_str() == text)
            .ok_or_else(|| Invalid("must be latest or all".into()))
    }
}

/// Where others hand in files.
#[derive(Debug, Clone, PartialEq)]
pub struct FileBox {
    /// What it is called; no secret.
    pub id: BoxId,
    /// URLs of an earlier one are over.
    pub generation: Generation,
    /// Whose it is, and whose its files are; `None`: the operator.
    pub owner: Option<UserId>,
    /// What people see above it.
    pub title: BoxTitle,
    /// When it takes files.
    pub times: BoxTimes,
    /// How many it may hold.
    pub max_files: u32,
    /// How large each may be, in bytes; `None`: as large as the service takes.
    pub max_file_bytes: Option<u64>,
    /// What their names may end with. If that isn't anything, what is in them has to be of the type that it says.
    pub types: AllowedTypes,
    /// Who may hand in.
    pub submitter: SubmitterKind,
    /// What is kept of the password that whoever hands in has to know.
    pub password: Option<PasswordHash>,
    /// Which files count.
    pub keep: Keep,
    /// Whoever has times of their own.
    pub overrides: Vec<Override>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it has the URL that it has; `None`: it never had another.
    pub renewed_at: Option<Timestamp>,
    /// Its owner ended it, and its files are being taken out: nothing is handed in any more.
    pub is_ended: bool,
}

impl FileBox {
    /// The times that hold for this submitter.
    pub fn times_for(&self, submitter: &Submitter) -> BoxTimes {
        times_for(self.times, &self.overrides, submitter)
    }

    /// Until when somebody may hand in who has more time than all others; `None`: nobody has, or it isn't found out by a
    /// name that is typed.
    pub fn last_closes_at(&self) -> Option<Timestamp> {
        let of_named = (self.submitter == SubmitterKind::Named).then_some(&self.overrides);
        last_closes_at(self.times, of_named?)
    }
}
