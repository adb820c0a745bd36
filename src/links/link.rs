//! What a link is, and the rules for what it may be.
//!
//! Invariant: a link has 1 to [`MAX_LINK_FILES`] files, each once, and an end.

use std::time::Duration;

use crate::capability_token::{Generation, RenewableId};
use crate::domain::{Audience, FileId, Invalid, Timestamp, UserId, whole_millis};
use crate::passwords::PasswordHash;

/// How many files a link may have.
pub const MAX_LINK_FILES: usize = 100;
/// How long the title of a link may be, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 200;
/// How long its owner's note may be, in characters.
pub const MAX_LABEL_CHARACTERS: usize = 100;
/// In how many links a file may be. Processes that make one at the same moment may go beyond it, by one each.
pub(super) const MAX_LINKS_OF_A_FILE: usize = 100;
/// The largest limit on how often each file may be taken.
pub const MAX_DOWNLOADS: u32 = 1_000_000;
/// How long a link works if nothing else is asked for.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long it may work, from when that is said.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Files that somebody passes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// What it is called; no secret.
    pub id: RenewableId,
    /// URLs of an earlier one are over.
    pub generation: Generation,
    /// Who passes the files on; `None`: the operator.
    pub owner: Option<UserId>,
    /// What is passed on, in the order in which it is shown. Some may be gone.
    pub files: Vec<FileId>,
    /// What those who get it see above the files.
    pub title: Option<LinkText>,
    /// What its owner notes of it.
    pub label: Option<LinkText>,
    /// From this moment on it is over.
    pub expires_at: Timestamp,
    /// How often each file may be taken; `None`: without limit.
    pub max_downloads: Option<u32>,
    /// What those who get it have to know.
    pub password: Option<PasswordHash>,
    /// For whom it is.
    pub audience: Audience,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A line that people read, and that can't steer what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkText(String);

impl LinkText {
    /// A line without the blanks around it.
    ///
    /// # Errors
    /// If it is empty, longer than so many characters, or holds what isn't seen.
    pub fn parse(text: &str, max_characters: usize) -> Result<Self, Invalid> {
        let text = text.trim();
        let turns = |it: char| matches!(it, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        let is_seen = |it: char| !it.is_control() && !turns(it);
        let length = text.chars().count();
        match (1..=max_characters).contains(&length) && text.chars().all(is_seen) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid(format!(
                "must be 1 to {max_characters} characters, without control characters"
            ))),
        }
    }

    /// One that was taken before, by whatever rules.
    pub(super) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The files of a link.
///
/// # Errors
/// None, too many, or one twice.
pub fn linked_files(files: Vec<FileId>) -> Result<Vec<FileId>, Invalid> {
    if !(1..=MAX_LINK_FILES).contains(&files.len()) {
        return Err(Invalid(format!("must be 1 to {MAX_LINK_FILES} files")));
    }
    let mut sorted = files.clone();
    sorted.sort_unstable();
    match sorted.windows(2).any(|two| two[0] == two[1]) {
        true => Err(Invalid("names a file twice".into())),
        false => Ok(files),
    }
}

/// How often each file may be taken.
///
/// # Errors
/// Never, or more often than can be said.
pub fn max_downloads(number: u64) -> Result<u32, Invalid> {
    let number = u32::try_from(number).ok();
    let number = number.filter(|number| (1..=MAX_DOWNLOADS).contains(number));
    number.ok_or_else(|| Invalid(format!("must be a whole number from 1 to {MAX_DOWNLOADS}")))
}

/// Until when a link works of which that is said now.
pub(super) fn ends_at(wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Invalid> {
    match wanted {
        None => Ok(whole_millis(now + DEFAULT_LIFETIME)),
        Some(at) if at <= now => Err(Invalid("must be in the future".into())),
        Some(at) if at > now + LONGEST_LIFETIME => {
            Err(Invalid("must be within a year (366 days)".into()))
        }
        Some(at) => Ok(whole_millis(at)),
    }
}
