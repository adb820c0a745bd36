//! Who may do what, by role, scope and owner, and that each call of the contract has its action.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::access::Person;
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
    let contract = include_str!("../../../tests/openapi.json");
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
