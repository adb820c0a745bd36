//! An issuer that is away, slow, changing or lying.

use super::fake_issuer::{Mood, base64, set_of};
use super::*;

fn is_unavailable<T>(result: &Result<T, TokenRefused>, why: &str) -> bool {
    matches!(result, Err(TokenRefused::IssuerUnavailable(it)) if it.to_string().contains(why))
}

#[tokio::test]
async fn a_thousand_unknown_keys_cost_one_request_a_minute() {
    let (key, other) = (Signer::ed25519("o"), Signer::ed25519("x"));
    let fixture = Fixture::new(&[&key]).await;
    fixture.verify(&key.sign(&fixture.claims())).await.unwrap();
    let header = |number: usize| json!({"alg": "EdDSA", "kid": format!("x{number}")});
    for minute in 0..3 {
        for number in 0..1_000 {
            let token = other.sign_as(&header(number), &fixture.claims());
            let refused = fixture.verify(&token).await;
            assert_eq!(refused, Err(TokenRefused::UnknownKey));
        }
        assert_eq!(fixture.fake.requests("/keys"), 1 + minute);
        fixture.pass(60);
    }
    assert_eq!(
        fixture.fake.requests("/.well-known/openid-configuration"),
        1
    );
}

#[tokio::test]
async fn a_new_key_is_found_and_one_that_was_taken_back_ends() {
    let (old, new) = (Signer::ed25519("old"), Signer::p256("new"));
    let fixture = Fixture::new(&[&old]).await;
    let [by_old, by_new] = [&old, &new].map(|key| key.sign(&fixture.claims()));
    fixture.verify(&by_old).await.unwrap();
    fixture.fake.state().keys = set_of(&[&new]);
    assert_eq!(fixture.verify(&by_new).await, Err(TokenRefused::UnknownKey));
    fixture.pass(60);
    fixture.verify(&by_new).await.unwrap();
    assert_eq!(fixture.verify(&by_old).await, Err(TokenRefused::UnknownKey));

    // Nobody shows an unknown key any more: old ones are asked for again all the same.
    fixture.fake.state().keys = set_of(&[&old]);
    fixture.pass(10 * 60 + 1);
    fixture.verify(&by_new).await.unwrap();
    while fixture.fake.requests("/keys") < 3 || fixture.issuer.0.keys.is_older_than(Duration::ZERO)
    {
        tokio::task::yield_now().await;
        fixture.verify(&by_new).await.ok();
    }
    fixture.pass(60);
    assert_eq!(fixture.verify(&by_new).await, Err(TokenRefused::UnknownKey));
    fixture.verify(&by_old).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_asked_again_within_bounds() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    assert_eq!(fixture.issuer.state(), IssuerState::NotAsked);
    fixture.fake.state().mood = Mood::Away;
    let token = key.sign(&fixture.claims());
    for _ in 0..20 {
        let refused = fixture.verify(&token).await;
        assert!(
            is_unavailable(&refused, "openid-configuration"),
            "{refused:?}"
        );
    }
    let discovery = "/.well-known/openid-configuration";
    assert_eq!(fixture.fake.requests(discovery), 1);
    fixture.pass(4);
    assert!(matches!(
        fixture.issuer.probe().await,
        IssuerState::Away { lasting, .. } if lasting == Duration::from_secs(4)
    ));
    assert_eq!(fixture.fake.requests(discovery), 1);

    fixture.fake.state().mood = Mood::Answers;
    fixture.pass(1);
    fixture.verify(&token).await.unwrap();
    assert_eq!(fixture.issuer.state(), IssuerState::Ok);
}

#[tokio::test]
async fn old_keys_serve_on_while_the_issuer_is_away() {
    let (key, new) = (Signer::ed25519("o"), Signer::ed25519("n"));
    let fixture = Fixture::new(&[&key]).await;
    let token = key.sign(&fixture.claims());
    fixture.verify(&token).await.unwrap();
    fixture.fake.state().mood = Mood::Away;
    fixture.pass(24 * 60 * 60);
    fixture.verify(&token).await.unwrap();
    let refused = fixture.verify(&new.sign(&fixture.claims())).await;
    assert!(is_unavailable(&refused, "its keys"), "{refused:?}");
    assert!(matches!(fixture.issuer.state(), IssuerState::Away { .. }));
    fixture.pass(60);
    fixture.verify(&token).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_names_another_one_is_not_believed() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let url = fixture.fake.url.clone();
    for name in [
        json!(format!("{url}/")),
        json!("https://evil.example"),
        json!([url]),
        json!(null),
    ] {
        fixture.fake.state().discovery["issuer"] = name;
        let refused = fixture.verify(&key.sign(&fixture.claims())).await;
        assert!(
            is_unavailable(&refused, "names another issuer"),
            "{refused:?}"
        );
        fixture.pass(60);
    }
    assert_eq!(fixture.fake.requests("/keys"), 0);
}

#[tokio::test]
async fn no_address_is_asked_that_is_less_protected_than_the_issuer() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    for address in [
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "/keys",
        "",
    ] {
        fixture.fake.state().discovery["jwks_uri"] = json!(address);
        let refused = fixture.verify(&key.sign(&fixture.claims())).await;
        assert!(
            is_unavailable(&refused, "jwks_uri"),
            "{address}: {refused:?}"
        );
        fixture.pass(60);
    }
    let tls = Http::for_issuer("https://id.example.org");
    // Only where this machine has certificates at all.
    if let Ok(tls) = tls {
        assert!(tls.may_ask(&"https://keys.example.org/k".parse().unwrap()));
        assert!(!tls.may_ask(&"http://127.0.0.1/k".parse().unwrap()));
        assert!(!tls.may_ask(&"https://user@keys.example.org/k".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_list_of_keys_that_is_no_use_is_refused_and_the_old_one_stays() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let token = key.sign(&fixture.claims());
    fixture.verify(&token).await.unwrap();
    let huge = [&set_of(&[&key])[..], &vec![b' '; 1024 * 1024]].concat();
    let shared = json!({"kty": "oct", "kid": "n", "k": base64("secret"), "alg": "HS256"});
    let mut private = key.jwk();
    private["d"] = json!(base64([1; 32]));
    let mut for_secrets = key.jwk();
    for_secrets["use"] = json!("enc");
    let mut other_algorithm = key.jwk();
    other_algorithm["alg"] = json!("RS256");
    let list = |key: Value| json!({"keys": [key]}).to_string().into_bytes();
    for (name, keys) in [
        ("1 MB", huge),
        ("no JSON", b"<html>".to_vec()),
        ("no keys", b"{}".to_vec()),
        ("none at all", list(json!({}))),
        ("oct", list(shared)),
        ("a private key", list(private)),
        ("for encryption", list(for_secrets)),
        ("an algorithm of another kind", list(other_algorithm)),
    ] {
        fixture.fake.state().keys = keys;
        fixture.pass(60);
        let unknown = Signer::ed25519("n").sign(&fixture.claims());
        let refused = fixture.verify(&unknown).await;
        assert!(is_unavailable(&refused, "its keys"), "{name}: {refused:?}");
        assert!(fixture.verify(&token).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_shared_key_beside_good_ones_is_left_out() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let shared = json!({"kty": "oct", "kid": "s", "k": base64("secret")});
    fixture.fake.state().keys = json!({"keys": [shared, key.jwk()]})
        .to_string()
        .into_bytes();
    fixture.verify(&key.sign(&fixture.claims())).await.unwrap();
    let by_shared = key.sign_as(&json!({"alg": "EdDSA", "kid": "s"}), &fixture.claims());
    assert_eq!(
        fixture.verify(&by_shared).await,
        Err(TokenRefused::UnknownKey)
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    fixture.fake.state().mood = Mood::Redirects;
    let refused = fixture.verify(&key.sign(&fixture.claims())).await;
    assert!(
        is_unavailable(&refused, "redirects aren't followed"),
        "{refused:?}"
    );
    assert_eq!(fixture.fake.requests("/elsewhere"), 0);
}

#[tokio::test]
async fn an_issuer_that_hangs_is_given_up_and_those_with_known_keys_do_not_wait() {
    let (key, new) = (Signer::ed25519("o"), Signer::ed25519("n"));
    let fixture = Fixture::new(&[&key]).await;
    let token = key.sign(&fixture.claims());
    fixture.verify(&token).await.unwrap();
    fixture.fake.state().mood = Mood::Hangs;
    fixture.pass(10 * 60 + 1);
    // Its keys are old, and are asked for in the background.
    tokio::time::timeout(Duration::from_secs(5), fixture.verify(&token))
        .await
        .unwrap()
        .unwrap();
    tokio::time::pause();
    let refused = fixture.verify(&new.sign(&fixture.claims())).await;
    assert!(
        is_unavailable(&refused, "its keys: no answer within 10 s"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn whoever_does_not_wait_does_not_make_the_issuer_be_asked_again() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    fixture.fake.state().mood = Mood::Hangs;
    let token = key.sign(&fixture.claims());
    for _ in 0..20 {
        let mut waiting = Box::pin(fixture.verify(&token));
        for _ in 0..50 {
            assert!(futures_util::poll!(&mut waiting).is_pending());
            tokio::task::yield_now().await;
        }
    }
    while fixture.fake.requests("/.well-known/openid-configuration") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        fixture.fake.requests("/.well-known/openid-configuration"),
        1
    );
}

#[tokio::test]
async fn whoever_asks_how_the_issuer_is_has_it_asked_again_within_bounds_and_does_not_wait() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let discovery = "/.well-known/openid-configuration";
    let is_away = |state| matches!(state, IssuerState::Away { .. });
    fixture.fake.state().mood = Mood::Away;
    for _ in 0..100 {
        assert!(is_away(fixture.issuer.probe().await));
    }
    assert_eq!(fixture.fake.requests(discovery), 1);
    // It is back. Nobody signs in, and nobody has a token.
    fixture.fake.state().mood = Mood::Answers;
    assert!(is_away(fixture.issuer.probe().await));
    fixture.pass(5);
    for _ in 0..100 {
        assert_eq!(fixture.issuer.probe().await, IssuerState::Ok);
    }
    assert_eq!(fixture.fake.requests(discovery), 2);
    assert_eq!(fixture.fake.requests("/keys"), 1);
    // What was seen long ago is looked at again.
    fixture.fake.state().mood = Mood::Away;
    fixture.pass(10 * 60 + 1);
    assert!(is_away(fixture.issuer.probe().await));
    assert_eq!(fixture.fake.requests("/keys"), 2);
    // Keys at hand serve on.
    assert!(fixture.verify(&key.sign(&fixture.claims())).await.is_ok());
}

#[tokio::test]
async fn however_many_ask_how_an_issuer_is_that_hangs_none_waits_for_it() {
    let fixture = Fixture::new(&[&Signer::ed25519("o")]).await;
    fixture.fake.state().mood = Mood::Hangs;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let asking = (0..50).map(|_| fixture.issuer.probe());
    let asking = futures_util::future::join_all(asking);
    let states = asking.await;
    assert!(states.iter().all(|it| *it == IssuerState::NotAsked));
    assert!(begun.elapsed() <= Duration::from_secs(1));
    assert!(fixture.fake.requests("/.well-known/openid-configuration") <= 1);
}
