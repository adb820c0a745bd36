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
    assert!(loopback.sign_in("x", None, now()).await.unwrap().is_none());
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
            gate.sign_in(wrong, None, now()).await,
            Err(SignInError::WrongKey)
        ));
    }
}

#[tokio::test]
async fn a_session_makes_an_operator_until_it_is_ended_and_a_wrong_token_beside_it_nobody() {
    let key = new_key();
    let gate = gate(Policy::Key(key.clone()));
    let (id, session) = gate
        .sign_in(key.expose(), None, now())
        .await
        .unwrap()
        .unwrap();
    let (another, _) = gate
        .sign_in(key.expose(), None, now())
        .await
        .unwrap()
        .unwrap();
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
    let (id, _) = before
        .sign_in(key.expose(), None, now())
        .await
        .unwrap()
        .unwrap();
    let again = Gate::new(Policy::Key(key), items.clone());
    assert_eq!(again.admit(of_session(&id), now()).await.unwrap(), OPERATOR);
    let replaced = Gate::new(Policy::Key(new_key()), items);
    assert_eq!(
        replaced.admit(of_session(&id), now()).await.unwrap(),
        NOBODY
    );
}

/// From an address where somebody is wrong again and again.
fn from(proof: Proof<'_>, last: u8) -> Proof<'_> {
    Proof {
        address: Some([192, 0, 2, last].into()),
        ..proof
    }
}

fn gate_with_tries(key: &LocalKey, items: &Arc<MemoryItemStore>) -> Gate {
    let rate = Rate::new(3, Duration::from_secs(60), 3);
    Gate::new(Policy::Key(key.clone()), Arc::clone(items) as _).limiting_tries(Some(rate))
}

async fn token_of(gate: &Gate) -> String {
    let wanted = crate::access::api_token::NewToken {
        owner: None,
        label: crate::access::api_token::TokenLabel::parse("a program").unwrap(),
        scopes: crate::access::Scopes::parse(&["read"]).unwrap(),
        expires_at: None,
        stamp: SecurityStamp::default(),
    };
    let (text, _) = gate.tokens().create(wanted, now()).await.unwrap();
    text.expose().to_owned()
}

#[tokio::test(start_paused = true)]
async fn who_shows_wrong_keys_waits_and_the_right_one_is_taken_all_the_same() {
    let (key, items) = (new_key(), Arc::new(MemoryItemStore::default()));
    let gate = gate_with_tries(&key, &items);
    let wrong = from(bearer("fsk_wrong"), 1);
    for _ in 0..2 {
        assert_eq!(gate.admit(wrong, now()).await.unwrap(), NOBODY);
    }
    let sign_in = |text: &str| {
        let text = text.to_owned();
        let gate = &gate;
        async move { gate.sign_in(&text, wrong.address, now()).await }
    };
    assert!(matches!(sign_in("x").await, Err(SignInError::WrongKey)));
    let wait = Duration::from_secs(20);
    let refused = gate.admit(wrong, now()).await.unwrap();
    assert_eq!(refused, Admission::TooManyTries(wait));
    assert!(matches!(sign_in("x").await, Err(SignInError::TooManyTries(it)) if it == wait));
    // Whoever shares the address and has the key.
    let right = from(bearer(key.expose()), 1);
    assert_eq!(gate.admit(right, now()).await.unwrap(), OPERATOR);
    assert!(sign_in(key.expose()).await.unwrap().is_some());
    let elsewhere = from(bearer("fsk_wrong"), 2);
    assert_eq!(gate.admit(elsewhere, now()).await.unwrap(), NOBODY);
    // Nothing is shown, so nothing is wrong.
    let none = from(Proof::default(), 1);
    assert_eq!(gate.admit(none, now()).await.unwrap(), NOBODY);
    tokio::time::advance(wait).await;
    assert_eq!(gate.admit(wrong, now()).await.unwrap(), NOBODY);
}

#[tokio::test(start_paused = true)]
async fn who_shows_tokens_that_are_none_is_refused_without_a_look_and_known_programs_go_on() {
    let (key, items) = (new_key(), Arc::new(MemoryItemStore::default()));
    let gate = gate_with_tries(&key, &items);
    let elsewhere = Arc::new(MemoryItemStore::default());
    let unknown = token_of(&gate_with_tries(&key, &elsewhere)).await;
    let another_process = gate_with_tries(&key, &items);
    let (known, fresh) = (token_of(&gate).await, token_of(&another_process).await);
    let is_program = |admission| matches!(admission, Admission::As(Caller::Token(_)));
    let known = from(bearer(&known), 1);
    assert!(is_program(gate.admit(known, now()).await.unwrap()));
    // What can't be a token is looked up by nobody, and counts for nothing.
    for _ in 0..10 {
        let mistyped = from(bearer("fst_short"), 1);
        assert_eq!(gate.admit(mistyped, now()).await.unwrap(), NOBODY);
    }
    let wrong = from(bearer(&unknown), 1);
    for _ in 0..3 {
        assert_eq!(gate.admit(wrong, now()).await.unwrap(), NOBODY);
    }
    items.set_fault(Some("away"));
    let refused = gate.admit(wrong, now()).await.unwrap();
    assert!(matches!(refused, Admission::TooManyTries(_)));
    items.set_fault(None);
    // It isn't known whether it is a guess.
    let fresh = bearer(&fresh);
    let refused = gate.admit(from(fresh, 1), now()).await.unwrap();
    assert!(matches!(refused, Admission::TooManyTries(_)));
    assert!(is_program(gate.admit(from(fresh, 2), now()).await.unwrap()));
    // Also once it has to be looked up again.
    tokio::time::advance(Duration::from_secs(31)).await;
    let spent = from(bearer(&unknown), 1);
    while gate.admit(spent, now()).await.unwrap() == NOBODY {}
    assert!(is_program(gate.admit(known, now()).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_ended_elsewhere_is_a_guess_like_any_other() {
    let (key, items) = (new_key(), Arc::new(MemoryItemStore::default()));
    let (here, there) = (gate_with_tries(&key, &items), gate_with_tries(&key, &items));
    let token = token_of(&there).await;
    let proof = from(bearer(&token), 1);
    assert_ne!(here.admit(proof, now()).await.unwrap(), NOBODY);
    there.tokens().revoke_all(None, now()).await.unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    for _ in 0..4 {
        assert_eq!(here.admit(proof, now()).await.unwrap(), NOBODY);
    }
    let refused = here.admit(proof, now()).await.unwrap();
    assert!(matches!(refused, Admission::TooManyTries(_)));
}

#[tokio::test(start_paused = true)]
async fn who_shows_sessions_that_are_none_is_refused_without_a_look_and_known_browsers_go_on() {
    let (key, items) = (new_key(), Arc::new(MemoryItemStore::default()));
    let gate = gate_with_tries(&key, &items);
    let signed_in = gate.sign_in(key.expose(), None, now()).await;
    let (id, _) = signed_in.unwrap().unwrap();
    let known = from(of_session(&id), 1);
    let made_up = |n: u8| format!("{n:064x}");
    let guess = async |n: u8| {
        let id = made_up(n);
        let proof = Proof {
            session: Some(&id),
            ..from(Proof::default(), 1)
        };
        gate.admit(proof, now()).await
    };
    for n in 0..3 {
        assert_eq!(guess(n).await.unwrap(), NOBODY);
    }
    items.set_fault(Some("away"));
    let refused = guess(4).await.unwrap();
    assert!(matches!(refused, Admission::TooManyTries(_)));
    items.set_fault(None);
    // Also once it has to be looked up again, and where no ID is shown.
    tokio::time::advance(Duration::from_secs(31)).await;
    while guess(5).await.unwrap() == NOBODY {}
    assert_eq!(gate.admit(known, now()).await.unwrap(), OPERATOR);
    let none = from(Proof::default(), 1);
    assert_eq!(gate.admit(none, now()).await.unwrap(), NOBODY);
    gate.sign_out(Some(id.expose()), now()).await.unwrap();
    let ended = gate.admit(known, now()).await.unwrap();
    assert!(matches!(ended, Admission::TooManyTries(_)));
}
