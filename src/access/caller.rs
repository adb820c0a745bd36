//! Who calls.
//!
//! Invariant: a role comes with a sign-in or a token and is kept nowhere with a person, so that whoever lost
//! it at their issuer loses it here with their next sign-in. What each kind of caller is called, in answers and in
//! the audit log, is said here and nowhere else.

use std::fmt;
use std::sync::Arc;

use super::TokenCaller;
use crate::domain::{FileId, UserId};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Whoever runs the service: comes over loopback, holds the local key, or uses a service that asks nobody.
    Operator,
    /// Somebody who signed in at the issuer.
    User(Arc<Person>),
    /// A program that acts for somebody, by a token of theirs.
    Token(Arc<TokenCaller>),
    /// Whoever handed in this file, and shows that by its submission token.
    Submitter(FileId),
    /// Anybody else.
    Nobody,
}

/// Somebody who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person {
    /// Who it is, whatever else changes.
    pub id: UserId,
    /// What they may do.
    pub role: Role,
    /// How the issuer names them: a label for people, by which nothing is decided.
    pub name: Option<String>,
}

/// What a caller is told of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal<'a> {
    /// The kind of caller, by a word that clients see.
    pub kind: &'static str,
    /// Whose the files are that it creates; `None`: the operator's.
    pub id: Option<UserId>,
    /// A label for people.
    pub name: Option<&'a str>,
    /// What it may do; `None` where that isn't said by a role.
    pub role: Option<Role>,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Only what others pass on to them.
    Guest,
    /// Everything with files of their own.
    Member,
    /// Everything with all files.
    Admin,
}

impl Role {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Guest, Self::Member, Self::Admin];

    /// The word that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    /// Reads what [`Self::as_str`] gives; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl Caller {
    /// Whose the files are that this caller creates: `None` for the operator's.
    pub fn owner(&self) -> Option<UserId> {
        match self {
            Self::Operator | Self::Submitter(_) | Self::Nobody => None,
            Self::User(person) => Some(person.id),
            Self::Token(token) => token.owner,
        }
    }

    /// Who this is to itself; `None` for nobody, and for whoever shows no more than that they handed in a file.
    pub fn principal(&self) -> Option<Principal<'_>> {
        Some(match self {
            Self::Operator => Principal {
                kind: "operator",
                id: None,
                name: None,
                role: None,
            },
            Self::User(person) => Principal {
                kind: "user",
                id: Some(person.id),
                name: person.name.as_deref(),
                role: Some(person.role),
            },
            Self::Token(token) => Principal {
                kind: "token",
                id: token.owner,
                name: None,
                role: None,
            },
            Self::Submitter(_) | Self::Nobody => return None,
        })
    }
}

/// How a caller stands in a line of the audit log.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::User(person) => write!(f, "{}", person.id),
            Self::Token(token) => match token.owner {
                Some(owner) => write!(f, "{owner} by token {}", token.id),
                None => write!(f, "operator by token {}", token.id),
            },
            Self::Submitter(file) => write!(f, "submitter of {file}"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}
