//! For whom something is that is passed on by a URL.

use super::Invalid;

/// For whom a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Audience {
    /// Whoever has the URL.
    #[default]
    Anyone,
    /// Whoever has it and is signed in.
    SignedIn,
}

impl Audience {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Anyone, Self::SignedIn];

    /// The word that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::SignedIn => "signed_in",
        }
    }

    /// Reads what [`Self::as_str`] gives.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|audience| audience.as_str() == text);
        found.ok_or_else(|| Invalid::new("must be anyone or signed_in"))
    }
}
