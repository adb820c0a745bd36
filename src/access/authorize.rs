//! Who may do what.
//!
//! Invariant: [`authorize`] alone decides, from its arguments and nothing else. What isn't somebody's is for
//! them as if it had never been: the refusal is the one for a file that there isn't.

use super::{Caller, Role, Scope, TokenCaller, TokenId};
use crate::domain::{Audience, FileId, UserId};

/// What a call asks for. One for each operation of the contract that not everybody may ask for, and two more: a
/// wait, which takes long, and a list of everybody's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Declares a file and hands out how to upload it.
    CreateFile,
    /// Hands out a fresh upload URL of a pending file.
    RenewUpload,
    /// Has what arrived measured now.
    CompleteUpload,
    /// Hands out a download URL.
    DownloadFile,
    /// Shows a record.
    DescribeFile,
    /// Shows a record once its file is settled.
    AwaitFile,
    /// Signs what is known of an available file, for its owner to show to others.
    IssueReceipt,
    /// Shows a page of the caller's records.
    ListFiles,
    /// Shows a page of everybody's records.
    ListAllFiles,
    /// Shows what happened to a file.
    ListEvents,
    /// Deletes a file.
    DeleteFile,
    /// Keeps a file from being deleted.
    HoldFile,
    /// Lets a file be deleted again.
    ReleaseFile,
    /// Has a file kept for longer.
    KeepFile,
    /// Makes a token that acts for the caller.
    CreateToken,
    /// Shows the caller's tokens.
    ListTokens,
    /// Ends a token of the caller's.
    RevokeToken,
    /// Ends all tokens of somebody.
    RevokeUserTokens,
    /// Shows which program waits with a code, to whoever may let it in.
    LookAtPairing,
    /// Lets a program in that shows a code: with a token that acts for the caller.
    ApprovePairing,
    /// Passes files on by a link.
    CreateLink,
    /// Shows the caller's links.
    ListLinks,
    /// Shows the links that pass on a file.
    ListFileLinks,
    /// Changes a link, or gives it another URL.
    ChangeLink,
    /// Ends a link.
    RevokeLink,
    /// Shows what a link passes on, to whoever has its URL.
    DescribeShared,
    /// Hands out a download URL of a file that a link passes on, to whoever has its URL.
    DownloadShared,
    /// Makes a box that others hand in files to.
    CreateBox,
    /// Shows the caller's boxes.
    ListBoxes,
    /// Shows a box.
    DescribeBox,
    /// Changes a box, or gives it another URL.
    ChangeBox,
    /// Ends a box.
    EndBox,
    /// Shows what lies in a box.
    ListBoxFiles,
    /// Writes down all that lies in a box.
    DescribeManifest,
    /// Shows a box to whoever has its URL.
    DescribeDrop,
    /// Hands in a file, by a box's URL.
    HandIn,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 36] = [
        Self::CreateFile,
        Self::RenewUpload,
        Self::CompleteUpload,
        Self::DownloadFile,
        Self::DescribeFile,
        Self::AwaitFile,
        Self::IssueReceipt,
        Self::ListFiles,
        Self::ListAllFiles,
        Self::ListEvents,
        Self::DeleteFile,
        Self::HoldFile,
        Self::ReleaseFile,
        Self::KeepFile,
        Self::CreateToken,
        Self::ListTokens,
        Self::RevokeToken,
        Self::RevokeUserTokens,
        Self::LookAtPairing,
        Self::ApprovePairing,
        Self::CreateLink,
        Self::ListLinks,
        Self::ListFileLinks,
        Self::ChangeLink,
        Self::RevokeLink,
        Self::DescribeShared,
        Self::DownloadShared,
        Self::CreateBox,
        Self::ListBoxes,
        Self::DescribeBox,
        Self::ChangeBox,
        Self::EndBox,
        Self::ListBoxFiles,
        Self::DescribeManifest,
        Self::DescribeDrop,
        Self::HandIn,
    ];

    /// Whether it changes or hands out something, so that it has to be known who did it.
    pub fn is_audited(self) -> bool {
        match self {
            Self::CreateFile
            | Self::RenewUpload
            | Self::CompleteUpload
            | Self::DownloadFile
            | Self::DeleteFile
            | Self::HoldFile
            | Self::ReleaseFile
            | Self::KeepFile
            | Self::CreateToken
            | Self::RevokeToken
            | Self::RevokeUserTokens
            | Self::ApprovePairing
            | Self::CreateLink
            | Self::ChangeLink
            | Self::RevokeLink
            | Self::DownloadShared
            | Self::CreateBox
            | Self::ChangeBox
            | Self::EndBox
            | Self::HandIn => true,
            Self::DescribeFile
            | Self::AwaitFile
            | Self::IssueReceipt
            | Self::ListFiles
            | Self::ListAllFiles
            | Self::ListEvents
            | Self::ListTokens
            | Self::LookAtPairing
            | Self::ListLinks
            | Self::ListFileLinks
            | Self::DescribeShared
            | Self::ListBoxes
            | Self::DescribeBox
            | Self::ListBoxFiles
            | Self::DescribeManifest
            | Self::DescribeDrop => false,
        }
    }

    /// Whether it is what the holder of a link's or a box's URL does, who may be anybody.
    fn is_of_holder(self) -> bool {
        matches!(
            self,
            Self::DescribeShared | Self::DownloadShared | Self::DescribeDrop | Self::HandIn
        )
    }

    /// Whether it is what somebody does with what they handed in.
    fn is_of_submitter(self) -> bool {
        matches!(
            self,
            Self::DescribeFile
                | Self::AwaitFile
                | Self::IssueReceipt
                | Self::RenewUpload
                | Self::CompleteUpload
        )
    }

    /// Whether it is for those alone who may do everything, whosever the file is.
    fn is_of_admins(self) -> bool {
        matches!(
            self,
            Self::ListAllFiles
                | Self::RevokeUserTokens
                | Self::HoldFile
                | Self::ReleaseFile
                | Self::KeepFile
        )
    }

    /// The scope that a token needs for it; `None`: no token may do it for its owner.
    fn scope(self) -> Option<Scope> {
        match self {
            Self::CreateFile
            | Self::RenewUpload
            | Self::CompleteUpload
            | Self::CreateLink
            | Self::ChangeLink
            | Self::RevokeLink
            | Self::CreateBox
            | Self::ChangeBox
            | Self::EndBox
            | Self::HandIn => Some(Scope::Write),
            Self::DownloadFile
            | Self::DescribeFile
            | Self::AwaitFile
            | Self::IssueReceipt
            | Self::ListFiles
            | Self::ListAllFiles
            | Self::ListEvents
            | Self::ListTokens
            | Self::ListLinks
            | Self::ListFileLinks
            | Self::DescribeShared
            | Self::DownloadShared
            | Self::ListBoxes
            | Self::DescribeBox
            | Self::ListBoxFiles
            | Self::DescribeManifest
            | Self::DescribeDrop => Some(Scope::Read),
            Self::DeleteFile => Some(Scope::Delete),
            Self::HoldFile | Self::ReleaseFile | Self::KeepFile => Some(Scope::Admin),
            Self::CreateToken
            | Self::RevokeToken
            | Self::RevokeUserTokens
            | Self::LookAtPairing
            | Self::ApprovePairing => None,
        }
    }

    /// The operation's name in the contract; a wait is a description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateFile => "create_file",
            Self::RenewUpload => "renew_upload",
            Self::CompleteUpload => "complete_upload",
            Self::DownloadFile => "download_file",
            Self::DescribeFile | Self::AwaitFile => "describe_file",
            Self::IssueReceipt => "issue_receipt",
            Self::ListFiles | Self::ListAllFiles => "list_files",
            Self::ListEvents => "list_events",
            Self::DeleteFile => "delete_file",
            Self::HoldFile => "hold_file",
            Self::ReleaseFile => "release_file",
            Self::KeepFile => "keep_file",
            Self::CreateToken => "create_token",
            Self::ListTokens => "list_tokens",
            Self::RevokeToken => "revoke_token",
            Self::RevokeUserTokens => "revoke_user_tokens",
            Self::LookAtPairing => "look_at_pairing",
            Self::ApprovePairing => "approve_pairing",
            Self::CreateLink => "create_link",
            Self::ListLinks => "list_links",
            Self::ListFileLinks => "list_file_links",
            Self::ChangeLink => "change_link",
            Self::RevokeLink => "revoke_link",
            Self::DescribeShared => "describe_shared",
            Self::DownloadShared => "download_shared",
            Self::CreateBox => "create_box",
            Self::ListBoxes => "list_boxes",
            Self::DescribeBox => "describe_box",
            Self::ChangeBox => "change_box",
            Self::EndBox => "end_box",
            Self::ListBoxFiles => "list_box_files",
            Self::DescribeManifest => "describe_manifest",
            Self::DescribeDrop => "describe_drop",
            Self::HandIn => "hand_in",
        }
    }

    /// What the log and figures of it call a call: the operation's name in the contract, and a wait by a name of
    /// its own, since it takes as long as somebody waits.
    pub fn label(self) -> &'static str {
        match self {
            Self::AwaitFile => "await_file",
            other => other.as_str(),
        }
    }
}

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
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::Person;
    use super::*;
    use crate::domain::Timestamp;

    fn person(name: &str, role: Role) -> Caller {
        Caller::User(Arc::new(Person {
            id: UserId::of("https://id.example.org", name),
            role,
            name: Some(name.to_owned()),
        }))
    }

    /// A token of this person's, or of the operator's.
    fn token(owner: Option<&str>, scopes: &[Scope]) -> Caller {
        Caller::Token(Arc::new(TokenCaller {
            id: TokenId::of_digest(&[7; 32]),
            owner: owner.map(|name| UserId::of("https://id.example.org", name)),
            scopes: scopes.iter().copied().collect(),
            expires_at: Timestamp::UNIX_EPOCH,
        }))
    }

    fn callers() -> Vec<Caller> {
        let people = ["alice", "bob"].into_iter();
        let people = people.flat_map(|name| Role::ALL.map(|role| person(name, role)));
        let tokens = [Some("alice"), Some("bob"), None]
            .into_iter()
            .flat_map(|owner| {
                let one = Scope::ALL.map(|scope| token(owner, &[scope]));
                one.into_iter().chain([token(owner, &Scope::ALL)])
            });
        let callers = people.chain(tokens);
        callers.chain([Caller::Operator, Caller::Nobody]).collect()
    }

    /// What is done with a file, or before one is known.
    const OF_FILES: [Action; 14] = [
        Action::CreateFile,
        Action::RenewUpload,
        Action::CompleteUpload,
        Action::DownloadFile,
        Action::DescribeFile,
        Action::AwaitFile,
        Action::IssueReceipt,
        Action::ListFiles,
        Action::ListAllFiles,
        Action::ListEvents,
        Action::DeleteFile,
        Action::HoldFile,
        Action::ReleaseFile,
        Action::KeepFile,
    ];

    fn files() -> Vec<Resource> {
        let owners = ["alice", "bob", "carol"].map(|name| person(name, Role::Member).owner());
        let owners = owners.into_iter().chain([None]);
        owners.map(|owner| Resource::File { owner }).collect()
    }

    proptest! {
        #[test]
        fn nobody_may_do_anything_and_operator_and_admins_everything(
            action in select(Action::ALL.to_vec()), file in select(files())
        ) {
            prop_assume!(!action.is_of_holder());
            for resource in [file, Resource::Service] {
                let nobody = authorize(&Caller::Nobody, action, resource);
                prop_assert_eq!(nobody, Err(Denied::SignInRequired));
                for all in [Caller::Operator, person("alice", Role::Admin)] {
                    prop_assert_eq!(authorize(&all, action, resource), Ok(()));
                }
            }
        }

        #[test]
        fn a_member_may_do_everything_with_own_files_and_no_other_file_is_there_for_them(
            action in select(OF_FILES.to_vec()), file in select(files())
        ) {
            prop_assume!(!action.is_of_admins());
            let alice = person("alice", Role::Member);
            let own = file == Resource::File { owner: alice.owner() };
            let expected = if own { Ok(()) } else { Err(Denied::NotFound) };
            prop_assert_eq!(authorize(&alice, action, file), expected);
            prop_assert_eq!(authorize(&alice, action, Resource::Service), Ok(()));
        }

        #[test]
        fn for_a_guest_no_file_is_there_not_even_of_before(
            action in select(Action::ALL.to_vec()), file in select(files())
        ) {
            let refused = authorize(&person("alice", Role::Guest), action, file);
            prop_assert!(matches!(refused, Err(Denied::NotFound | Denied::NotAllowed)));
        }

        /// Else a refusal would tell whether there is such a file, or whose it is.
        #[test]
        fn what_is_refused_is_refused_alike_for_every_file_that_is_not_the_callers(
            caller in select(callers()),
            action in select(Action::ALL.to_vec()),
            one in select(files()),
            other in select(files())
        ) {
            let refusal = |file| authorize(&caller, action, file).err();
            if let (Some(first), Some(second)) = (refusal(one), refusal(other)) {
                prop_assert_eq!(first, second);
            }
        }

        /// The first look costs no read of a store, and must not refuse what the second one allows.
        #[test]
        fn who_may_do_something_with_a_file_is_let_in_to_do_it(
            caller in select(callers()), action in select(Action::ALL.to_vec()), file in select(files())
        ) {
            prop_assume!(OF_FILES.contains(&action));
            if authorize(&caller, action, file).is_ok() {
                prop_assert_eq!(authorize(&caller, action, Resource::Service), Ok(()));
            }
        }

        #[test]
        fn a_token_may_do_what_it_is_for_with_its_owners_files_and_nothing_else(
            action in select(OF_FILES.to_vec()), file in select(files()), scope in select(Scope::ALL.to_vec())
        ) {
            // Only an administrator can have a token with that scope.
            prop_assume!(scope != Scope::Admin);
            let program = token(Some("alice"), &[scope]);
            let alice = person("alice", Role::Member);
            let is_for_it = action.scope() == Some(scope);
            let as_alice = authorize(&alice, action, file);
            let expected = if is_for_it { as_alice } else { Err(Denied::NotAllowed) };
            prop_assert_eq!(authorize(&program, action, file), expected);
            // Of an administrator's it reaches everything that it is for.
            let of_admin = token(Some("alice"), &[scope, Scope::Admin]);
            let is_for_admins = action.scope() == Some(Scope::Admin);
            prop_assert_eq!(authorize(&of_admin, action, file).is_ok(), is_for_it || is_for_admins);
            prop_assert_eq!(authorize(&token(None, &[scope]), action, file).is_ok(), is_for_it);
        }

        #[test]
        fn a_token_makes_no_tokens_and_ends_itself_alone(scopes in proptest::sample::subsequence(Scope::ALL.to_vec(), 0..=4)) {
            for owner in [Some("alice"), None] {
                let program = token(owner, &scopes);
                for action in [
                    Action::CreateToken,
                    Action::RevokeToken,
                    Action::RevokeUserTokens,
                    Action::LookAtPairing,
                    Action::ApprovePairing,
                ] {
                    let refused = authorize(&program, action, Resource::Service);
                    prop_assert_eq!(refused, Err(Denied::NotAllowed));
                }
                let (own, other) = ([7; 32], [8; 32]);
                let revoke = |digest| authorize(&program, Action::RevokeToken, Resource::Token(TokenId::of_digest(digest)));
                prop_assert_eq!(revoke(&own), Ok(()));
                prop_assert_eq!(revoke(&other), Err(Denied::NotAllowed));
            }
        }

        #[test]
        fn a_higher_role_may_do_whatever_a_lower_one_may(
            action in select(Action::ALL.to_vec()), file in select(files())
        ) {
            let may = |role| authorize(&person("alice", role), action, file).is_ok();
            prop_assert!(may(Role::Guest) <= may(Role::Member));
            prop_assert!(may(Role::Member) <= may(Role::Admin));
        }
    }

    #[test]
    fn the_holder_of_a_link_or_box_may_do_what_it_is_for_whoever_they_are_and_nothing_else() {
        let shared = |audience| Resource::Shared { audience };
        let of_links = [Action::DescribeShared, Action::DownloadShared];
        for caller in callers() {
            for action in Action::ALL {
                let is_of_link = of_links.contains(&action);
                let of_kind = |needs_sign_in| match (is_of_link, needs_sign_in) {
                    (true, false) => shared(Audience::Anyone),
                    (true, true) => shared(Audience::SignedIn),
                    (false, _) => Resource::Drop { needs_sign_in },
                };
                let anyone = authorize(&caller, action, of_kind(false));
                let signed_in = authorize(&caller, action, of_kind(true));
                if !action.is_of_holder() {
                    let is_all = matches!(&caller, Caller::Operator)
                        || matches!(&caller, Caller::User(person) if person.role == Role::Admin)
                        || matches!(&caller, Caller::Token(_));
                    assert!(is_all || anyone.is_err(), "{caller:?} {action:?}");
                    continue;
                }
                assert_eq!(anyone, Ok(()), "{caller:?} {action:?}");
                let is_for_it = |token: &TokenCaller| {
                    let scope = action.scope();
                    scope.is_some_and(|scope| token.scopes.contains(scope))
                };
                let expected = match &caller {
                    Caller::Nobody | Caller::Submitter(_) => Err(Denied::SignInRequired),
                    Caller::Token(token) if !is_for_it(token) => Err(Denied::NotAllowed),
                    _ => Ok(()),
                };
                assert_eq!(signed_in, expected, "{caller:?} {action:?}");
                // What it leads to: no file by its ID, and nothing of the other kind.
                let other = match is_of_link {
                    true => Resource::Drop {
                        needs_sign_in: false,
                    },
                    false => shared(Audience::Anyone),
                };
                for elsewhere in [Resource::File { owner: None }, other] {
                    let refused = authorize(&caller, action, elsewhere);
                    assert_eq!(refused, Err(Denied::NotFound), "{caller:?} {action:?}");
                }
            }
        }
    }

    #[test]
    fn a_link_is_its_owners_and_the_same_as_none_for_everybody_else() {
        let alice = person("alice", Role::Member);
        let link = |name| Resource::Link {
            owner: person(name, Role::Member).owner(),
        };
        for action in [
            Action::ListFileLinks,
            Action::ChangeLink,
            Action::RevokeLink,
        ] {
            assert_eq!(authorize(&alice, action, link("alice")), Ok(()));
            assert_eq!(
                authorize(&alice, action, link("bob")),
                Err(Denied::NotFound)
            );
            let of_operator = Resource::Link { owner: None };
            assert_eq!(
                authorize(&alice, action, of_operator),
                Err(Denied::NotFound)
            );
            let admin = person("carol", Role::Admin);
            assert_eq!(authorize(&admin, action, link("bob")), Ok(()));
            let guest = person("alice", Role::Guest);
            assert_eq!(
                authorize(&guest, action, link("alice")),
                Err(Denied::NotFound)
            );
            let wrong = token(Some("alice"), &[Scope::Delete]);
            assert_eq!(
                authorize(&wrong, action, link("alice")),
                Err(Denied::NotAllowed)
            );
        }
    }

    #[test]
    fn whoever_may_have_tokens_may_let_programs_in_and_a_guest_may_not() {
        for caller in callers() {
            let may = |action| authorize(&caller, action, Resource::Service).is_ok();
            for action in [Action::LookAtPairing, Action::ApprovePairing] {
                assert_eq!(may(action), may(Action::CreateToken), "{caller:?}");
            }
        }
        let guest = person("alice", Role::Guest);
        let refused = authorize(&guest, Action::ApprovePairing, Resource::Service);
        assert_eq!(refused, Err(Denied::NotAllowed));
    }

    #[test]
    fn only_operator_and_admins_see_everybodys_files() {
        for caller in callers() {
            let allowed = authorize(&caller, Action::ListAllFiles, Resource::Service).is_ok();
            let expected = match &caller {
                Caller::Operator => true,
                Caller::User(person) => person.role == Role::Admin,
                Caller::Token(token) => {
                    let reaches_all = token.owner.is_none() || token.scopes.contains(Scope::Admin);
                    reaches_all && token.scopes.contains(Scope::Read)
                }
                Caller::Submitter(_) | Caller::Nobody => false,
            };
            assert_eq!(allowed, expected, "{caller:?}");
        }
    }

    #[test]
    fn only_operator_and_admins_hold_files_and_a_program_only_with_the_scope_of_one() {
        for caller in callers() {
            let expected = match &caller {
                Caller::Operator => true,
                Caller::User(person) => person.role == Role::Admin,
                Caller::Token(token) => token.scopes.contains(Scope::Admin),
                Caller::Submitter(_) | Caller::Nobody => false,
            };
            for action in [Action::HoldFile, Action::ReleaseFile, Action::KeepFile] {
                let service = authorize(&caller, action, Resource::Service);
                assert_eq!(service.is_ok(), expected, "{caller:?}");
                for file in files() {
                    let of_file = authorize(&caller, action, file);
                    assert_eq!(of_file, service, "{caller:?}: no file tells of itself");
                }
            }
        }
    }

    #[test]
    fn every_call_of_the_contract_but_those_for_everybody_has_its_action() {
        let contract = include_str!("../../tests/openapi.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        let calls = contract["paths"].as_object().unwrap().iter();
        // Who signs in is nobody yet, and so is a program that waits to be let in; and whoever has a receipt may
        // verify it.
        let is_for_everybody = |path: &str| {
            path.starts_with("/v1/session")
                || matches!(
                    path,
                    "/v1/pairings" | "/v1/pairings/redeem" | "/v1/receipts/keys"
                )
        };
        let calls = calls.filter(|(path, _)| !is_for_everybody(path));
        let in_contract: BTreeSet<&str> = calls
            .flat_map(|(_, methods)| methods.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            // The same action by a method that brings no body.
            .map(|id| {
                if id == "head_file" {
                    "download_file"
                } else {
                    id
                }
            })
            .collect();
        let actions = BTreeSet::from(Action::ALL.map(Action::as_str));
        assert_eq!(actions, in_contract);
    }
}
