//! Who may do what.
//!
//! Invariant: [`authorize`] alone decides, from its arguments and nothing else. What isn't somebody's is for
//! them as if it had never been: the refusal is the one for a file that there isn't.

use super::{Caller, Role};
use crate::domain::UserId;

/// What a call asks for. One for each operation of the contract, and two more: a wait, which takes long, and
/// a list of everybody's files.
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
    /// Shows a page of the caller's records.
    ListFiles,
    /// Shows a page of everybody's records.
    ListAllFiles,
    /// Deletes a file.
    DeleteFile,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::CreateFile,
        Self::RenewUpload,
        Self::CompleteUpload,
        Self::DownloadFile,
        Self::DescribeFile,
        Self::AwaitFile,
        Self::ListFiles,
        Self::ListAllFiles,
        Self::DeleteFile,
    ];

    /// Whether it changes or hands out something, so that it has to be known who did it.
    pub fn is_audited(self) -> bool {
        match self {
            Self::CreateFile
            | Self::RenewUpload
            | Self::CompleteUpload
            | Self::DownloadFile
            | Self::DeleteFile => true,
            Self::DescribeFile | Self::AwaitFile | Self::ListFiles | Self::ListAllFiles => false,
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
            Self::ListFiles | Self::ListAllFiles => "list_files",
            Self::DeleteFile => "delete_file",
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
    match caller {
        Caller::Nobody => Err(Denied::SignInRequired),
        Caller::Operator => Ok(()),
        Caller::User(person) => match person.role {
            Role::Admin => Ok(()),
            Role::Member => as_owner(person.id, action, resource),
            Role::Guest => as_guest(action, resource),
        },
    }
}

/// What somebody may do with files of their own.
fn as_owner(caller: UserId, action: Action, resource: Resource) -> Result<(), Denied> {
    match (action, resource) {
        (Action::ListAllFiles, _) => Err(Denied::NotAllowed),
        (_, Resource::Service) => Ok(()),
        (_, Resource::File { owner }) if owner == Some(caller) => Ok(()),
        (_, Resource::File { .. }) => Err(Denied::NotFound),
    }
}

/// What somebody may do who has no files: nothing, and no file is there for them.
fn as_guest(action: Action, resource: Resource) -> Result<(), Denied> {
    match (action, resource) {
        (Action::CreateFile | Action::ListFiles | Action::ListAllFiles, _) => {
            Err(Denied::NotAllowed)
        }
        (_, Resource::Service) => Ok(()),
        (_, Resource::File { .. }) => Err(Denied::NotFound),
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

    fn person(name: &str, role: Role) -> Caller {
        Caller::User(Arc::new(Person {
            id: UserId::of("https://id.example.org", name),
            role,
            name: Some(name.to_owned()),
        }))
    }

    fn callers() -> Vec<Caller> {
        let people = ["alice", "bob"].into_iter();
        let people = people.flat_map(|name| Role::ALL.map(|role| person(name, role)));
        people.chain([Caller::Operator, Caller::Nobody]).collect()
    }

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
            action in select(Action::ALL.to_vec()), file in select(files())
        ) {
            prop_assume!(action != Action::ListAllFiles);
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
            if authorize(&caller, action, file).is_ok() {
                prop_assert_eq!(authorize(&caller, action, Resource::Service), Ok(()));
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
    fn only_operator_and_admins_see_everybodys_files() {
        for caller in callers() {
            let allowed = authorize(&caller, Action::ListAllFiles, Resource::Service).is_ok();
            let expected = match &caller {
                Caller::Operator => true,
                Caller::User(person) => person.role == Role::Admin,
                Caller::Nobody => false,
            };
            assert_eq!(allowed, expected, "{caller:?}");
        }
    }

    #[test]
    fn every_call_on_files_in_the_contract_has_its_action() {
        let contract = include_str!("../../tests/openapi.json");
        let contract: serde_json::Value = serde_json::from_str(contract).unwrap();
        let files = contract["paths"].as_object().unwrap().iter();
        let files = files.filter(|(path, _)| path.starts_with("/v1/files"));
        let in_contract: BTreeSet<&str> = files
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
