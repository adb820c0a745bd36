//! Whom proofs make somebody.

use std::time::Duration;

use super::*;
use crate::item_store::memory::MemoryItemStore;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn gate(policy: Policy) -> Gate {
    Gate::new(policy, Arc::new(MemoryItemStore::default()))
}

fn new_key() -> LocalKey {
    let dir = tempfile::tempdir().unwrap();
    LocalKey::load_or_create(dir.path()).unwrap()
}

const NOBODY: Admission = Admission::As(Caller::Nobody);
const OPERATOR: Admission = Admission::As(Caller::Operator);

fn bearer(token: &str) -> Proof<'_> {
    Proof {
        bearer: Some(token),
        ..Proof::default()
    }
}

fn of_session(id: &SessionId) -> Proof<'_> {
    Proof {
        session: Some(id.expose()),
        ..Proof::default()
    }
}

#[tokio::test]
async fn who_asks_nobody_has_an_operator_whatever_is_shown() {
    let (open, loopback) = (gate(Policy::Open), gate(Policy::Loopback));
    for proof in [Proof::default(), bearer("x")] {
        assert_eq!(open.admit(proof, now()).await.unwrap(), OPERATOR);
        assert_eq!(loopback.admit(proof, now()).await.unwrap(), OPERATOR);
    }
    let forwarded = Proof {
        is_forwarded: true,
        ..Proof::default()
    };
    assert_eq!(open.admit(forwarded, now()).await.unwrap(), OPERATOR);
    let refused = loopback.admit(forwarded, now()).await.unwrap();
    assert_eq!(refused, Admission::BehindUnknownProxy);
    assert!(loopback.sign_in("x", now()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_key_makes_an_operator_and_nothing_else_does() {
    let key = new_key();
    let gate = gate(Policy::Key(key.clone()));
    let key = key.expose();
    assert_eq!(gate.admit(Proof::default(), now()).await.unwrap(), NOBODY);
    assert_eq!(gate.admit(bearer(key), now()).await.unwrap(), OPERATOR);
    let near = format!("{key}0");
    for wrong in ["", "fsk_", &key[1..], &near] {
        let admitted = gate.admit(bearer(wrong), now()).await.unwrap();
        assert_eq!(admitted, NOBODY, "{wrong}");
        assert!(matches!(
            gate.sign_in(wrong, now()).await,
            Err(SignInError::WrongKey)
        ));
    }
}

#[tokio::test]
async fn a_session_makes_an_operator_until_it_is_ended_and_a_wrong_token_beside_it_nobody() {
    let key = new_key();
    let gate = gate(Policy::Key(key.clone()));
    let (id, session) = gate.sign_in(key.expose(), now()).await.unwrap().unwrap();
    let (another, _) = gate.sign_in(key.expose(), now()).await.unwrap().unwrap();
    assert_ne!(id, another);
    let proof = of_session(&id);
    assert_eq!(gate.admit(proof, now()).await.unwrap(), OPERATOR);
    let found = gate.session(proof, now()).await.unwrap();
    assert_eq!(found.as_deref(), Some(&session));
    let wrong = Proof {
        bearer: Some("fsk_wrong"),
        ..proof
    };
    assert_eq!(gate.admit(wrong, now()).await.unwrap(), NOBODY);
    let foreign = Proof {
        session: Some("0123"),
        ..proof
    };
    assert_eq!(gate.admit(foreign, now()).await.unwrap(), NOBODY);
    gate.sign_out(proof.session, now()).await.unwrap();
    assert_eq!(gate.admit(proof, now()).await.unwrap(), NOBODY);
    let other = gate.admit(of_session(&another), now()).await.unwrap();
    assert_eq!(other, OPERATOR);
}

#[tokio::test]
async fn a_session_outlives_the_program_and_ends_with_the_key_that_began_it() {
    let items = Arc::new(MemoryItemStore::default());
    let key = new_key();
    let before = Gate::new(Policy::Key(key.clone()), items.clone());
    let (id, _) = before.sign_in(key.expose(), now()).await.unwrap().unwrap();
    let again = Gate::new(Policy::Key(key), items.clone());
    assert_eq!(again.admit(of_session(&id), now()).await.unwrap(), OPERATOR);
    let replaced = Gate::new(Policy::Key(new_key()), items);
    assert_eq!(
        replaced.admit(of_session(&id), now()).await.unwrap(),
        NOBODY
    );
}
