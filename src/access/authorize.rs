//! Who may do what.
//!
//! Invariant: [`authorize`] alone decides, from its arguments and nothing else. What isn't somebody's is for
//! them as if it had never been: the refusal is the one for a file that there isn't.

use super::{Action, Caller, Role, Scope, TokenCaller, TokenId};
use crate::domain::{Audience, FileId, UserId};

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The service: what is asked before anything is read. Whoever is let in here may be refused at the file.
    Service,
    /// A file.
    File {
        /// Whose it is; `None`: the operator's, as all are from before files had owners.
        owner: Option<UserId>,
    },
    /// A token of the caller's.
    Token(TokenId),
    /// A link, to its owner.
    Link {
        /// Whose it is; `None`: the operator's.
        owner: Option<UserId>,
    },
    /// What a link passes on, to whoever has its URL: a capability besides who calls.
    Shared {
        /// For whom the link is.
        audience: Audience,
    },
    /// A box, to its owner.
    Box {
        /// Whose it is; `None`: the operator's.
        owner: Option<UserId>,
    },
    /// A box, to whoever has its URL: a capability besides who calls.
    Drop {
        /// Whether it is for those alone who signed in.
        needs_sign_in: bool,
    },
    /// A file, to whoever says that they handed it in.
    HandIn {
        /// Which one.
        file: FileId,
    },
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is known to call; whoever signs in may be allowed to.
    #[error("nobody is signed in")]
    SignInRequired,
    /// This caller may not do this at all, whatever there is.
    #[error("this caller may not do this")]
    NotAllowed,
    /// There is nothing of this name that the caller may know of.
    #[error("there is no such file")]
    NotFound,
}

/// Decides whether `caller` may do `action` with `resource`.
///
/// # Errors
/// Why not.
pub fn authorize(caller: &Caller, action: Action, resource: Resource) -> Result<(), Denied> {
    if action.is_of_holder() {
        return as_holder(caller, action, resource);
    }
    match caller {
        Caller::Submitter(own) => as_submitter(*own, action, resource),
        Caller::Nobody => Err(Denied::SignInRequired),
        Caller::Operator => Ok(()),
        Caller::User(person) => match person.role {
            Role::Admin => Ok(()),
            Role::Member => as_owner(person.id, action, resource),
            Role::Guest => as_guest(action, resource),
        },
        Caller::Token(token) => as_token(token, action, resource),
    }
}

/// What whoever has a link's or a box's URL may do. Before that was read it is everybody's to try.
fn as_holder(caller: &Caller, action: Action, resource: Resource) -> Result<(), Denied> {
    let is_of_link = matches!(action, Action::DescribeShared | Action::DownloadShared);
    let needs_sign_in = match resource {
        Resource::Service => false,
        Resource::Shared { audience } if is_of_link => audience == Audience::SignedIn,
        Resource::Drop { needs_sign_in } if !is_of_link => needs_sign_in,
        _ => return Err(Denied::NotFound),
    };
    match caller {
        _ if !needs_sign_in => Ok(()),
        Caller::Nobody | Caller::Submitter(_) => Err(Denied::SignInRequired),
        // A program is somebody who signed in as far as its token says so.
        Caller::Token(token) => match action.scope() {
            Some(scope) if token.scopes.contains(scope) => Ok(()),
            _ => Err(Denied::NotAllowed),
        },
        Caller::Operator | Caller::User(_) => Ok(()),
    }
}

/// What somebody may do who shows that they handed in this file: follow it, and nothing else. That there are other
/// files is nothing that they could learn.
fn as_submitter(own: FileId, action: Action, resource: Resource) -> Result<(), Denied> {
    match (action, resource) {
        (_, Resource::Service) if action.is_of_submitter() => Ok(()),
        (_, Resource::HandIn { file }) if action.is_of_submitter() && file == own => Ok(()),
        (Action::DownloadFile | Action::DeleteFile, _) => Err(Denied::NotFound),
        (_, Resource::Service) => Err(Denied::NotAllowed),
        _ => Err(Denied::NotFound),
    }
}

/// What somebody may do with files of their own.
fn as_owner(caller: UserId, action: Action, resource: Resource) -> Result<(), Denied> {
    match (action, resource) {
        (action, _) if action.is_of_admins() => Err(Denied::NotAllowed),
        (_, Resource::Service | Resource::Token(_)) => Ok(()),
        (_, Resource::File { owner } | Resource::Link { owner } | Resource::Box { owner })
            if owner == Some(caller) =>
        {
            Ok(())
        }
        (
            _,
            Resource::File { .. }
            | Resource::Link { .. }
            | Resource::Shared { .. }
            | Resource::Box { .. }
            | Resource::Drop { .. }
            | Resource::HandIn { .. },
        ) => Err(Denied::NotFound),
    }
}

/// What a program may do for its token's owner: what the token is for, and never to make or end tokens but its
/// own. It reaches what its owner would as a member, and everything with the scope of an administrator; the
/// operator's files are all.
fn as_token(token: &TokenCaller, action: Action, resource: Resource) -> Result<(), Denied> {
    if (action, resource) == (Action::RevokeToken, Resource::Token(token.id)) {
        return Ok(());
    }
    if !action
        .scope()
        .is_some_and(|scope| token.scopes.contains(scope))
    {
        return Err(Denied::NotAllowed);
    }
    match token.owner {
        None => Ok(()),
        Some(_) if token.scopes.contains(Scope::Admin) => Ok(()),
        Some(owner) => as_owner(owner, action, resource),
    }
}

/// What somebody may do who has no files: nothing, and no file is there for them.
fn as_guest(action: Action, resource: Resource) -> Result<(), Denied> {
    match (action, resource) {
        (action, _) if action.is_of_admins() => Err(Denied::NotAllowed),
        (
            Action::CreateFile
            | Action::ListFiles
            | Action::CreateToken
            | Action::ListTokens
            | Action::RevokeToken
            | Action::LookAtPairing
            | Action::ApprovePairing
            | Action::CreateLink
            | Action::ListLinks
            | Action::CreateBox
            | Action::ListBoxes,
            _,
        ) => Err(Denied::NotAllowed),
        (_, Resource::Service) => Ok(()),
        (
            _,
            Resource::File { .. }
            | Resource::Token(_)
            | Resource::Link { .. }
            | Resource::Shared { .. }
            | Resource::Box { .. }
            | Resource::Drop { .. }
            | Resource::HandIn { .. },
        ) => Err(Denied::NotFound),
    }
}

#[cfg(test)]
mod tests;
