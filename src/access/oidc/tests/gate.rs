//! A service that asks for access tokens of its issuer.

use super::*;
use crate::access::{Admission, Caller, Gate, Policy, Proof, Role, SignInAt, SignInWith};
use crate::item_store::memory::MemoryItemStore;

fn bearer(token: &str) -> Proof<'_> {
    Proof {
        bearer: Some(token),
        ..Proof::default()
    }
}

fn gate_of(issuer: Issuer, items: &Arc<MemoryItemStore>) -> Gate {
    let secret = b"signs what a browser keeps".to_vec();
    Gate::new(Policy::Oidc(SignInAt { issuer, secret }), items.clone())
}

#[tokio::test]
async fn a_persons_token_makes_them_who_they_are_with_the_role_of_its_groups() {
    let (key, foreign) = (Signer::p256("e"), Signer::p256("e"));
    let flags = [
        "--oidc-audience=api",
        "--oidc-admins=staff",
        "--oidc-members=students",
        "--oidc-guests=visitors",
    ];
    let Fixture { fake, issuer, .. } = Fixture::with(&[&key], &flags).await;
    let claims = |groups: Value| {
        json!({
            "iss": fake.url, "aud": "api", "sub": "alice", "groups": groups,
            "iat": NOW - 10, "exp": NOW + 300,
        })
    };
    let gate = gate_of(issuer, &Arc::default());
    for (groups, role) in [
        (json!(["students", "staff"]), Some(Role::Admin)),
        (json!(["students"]), Some(Role::Member)),
        (json!(["visitors"]), Some(Role::Guest)),
        (json!(["others"]), None),
        (json!([]), None),
    ] {
        let token = key.sign(&claims(groups.clone()));
        let admitted = gate.admit(bearer(&token), now()).await.unwrap();
        let Admission::As(caller) = admitted else {
            panic!("not let in at all");
        };
        match (caller, role) {
            (Caller::User(person), Some(role)) => {
                assert_eq!(person.role, role, "{groups}");
                let id = crate::domain::UserId::of(&fake.url, "alice");
                assert_eq!(person.id, id);
            }
            (Caller::Nobody, None) => {}
            (caller, role) => panic!("{groups}: {caller:?} and not {role:?}"),
        }
    }
    let forged = foreign.sign(&claims(json!(["staff"])));
    for nobody in [forged.as_str(), "fsk_a", "fst_a", "", "a.b.c"] {
        let admitted = gate.admit(bearer(nobody), now()).await.unwrap();
        assert_eq!(admitted, Admission::As(Caller::Nobody), "{nobody}");
    }
    let without = gate.admit(Proof::default(), now()).await.unwrap();
    assert_eq!(without, Admission::As(Caller::Nobody));
    assert!(gate.sign_in("fsk_a", None, now()).await.is_err());
    assert_eq!(gate.sign_in_with(), Some(SignInWith::Issuer));
}

#[tokio::test]
async fn while_the_issuer_is_away_nobody_is_taken_for_nobody() {
    let key = Signer::p256("e");
    let Fixture { fake, issuer, .. } = Fixture::new(&[&key]).await;
    let token = key.sign(&json!({
        "iss": fake.url, "aud": "api", "sub": "alice", "iat": NOW - 10, "exp": NOW + 300,
    }));
    fake.state().mood = fake_issuer::Mood::Away;
    let gate = gate_of(issuer, &Arc::default());
    assert!(gate.admit(bearer(&token), now()).await.is_err());
}

/// An issuer that takes a code as often as it is shown.
#[tokio::test]
async fn a_sign_in_is_ended_once_also_if_its_issuer_takes_a_code_twice_and_at_another_process() {
    const CALLBACK: &str = "https://files.example.org/v1/session/callback";
    let key = Signer::p256("e");
    let Fixture { fake, issuer, .. } = Fixture::with(&[&key], &[]).await;
    let items: Arc<MemoryItemStore> = Arc::default();
    let [one, other] = [&issuer, &issuer].map(|it| gate_of(it.clone(), &items));
    let to = (ReturnTo::parse("/f/1").unwrap(), SignInAs::Anybody);
    let sent = one.begin_at_issuer(to, CALLBACK, &[], now()).await.unwrap();
    let start = sent.unwrap().start;
    let field = |name: &str| {
        let (_, rest) = start.url.split_once(&format!("&{name}=")).unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let query = format!("code=c0de&state={}", field("state"));
    assert_eq!(tag_of_callback(&query), Some(start.tag.clone()));
    let id_token = key.sign(&json!({
        "iss": fake.url, "aud": "files", "sub": "alice", "nonce": field("nonce"),
        "iat": NOW - 10, "exp": NOW + 300,
    }));
    fake.state().token = (200, json!({"id_token": id_token}));
    let end = async |gate: &Gate| {
        let cookie = Some(start.cookie.as_str());
        gate.finish_at_issuer(&query, cookie, CALLBACK, now()).await
    };
    let begun = end(&one).await.unwrap().unwrap();
    assert_eq!(begun.return_to.as_str(), "/f/1");
    for gate in [&one, &other] {
        let again = end(gate).await.unwrap_err();
        assert!(again.to_string().contains("ended before"), "{again}");
    }
    let sessions = items.everything();
    let sessions = sessions
        .iter()
        .filter(|it| it.key.as_str().starts_with("session#"));
    assert_eq!(sessions.count(), 1);
}
