//! Which tokens of programs are taken, and whom they are about.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::fake_issuer::base64;
use super::*;
use crate::access::Role;

#[tokio::test]
async fn a_token_of_each_algorithm_is_taken() {
    let keys = [Signer::rsa("r"), Signer::p256("e"), Signer::ed25519("o")];
    let [rsa, p256, ed25519] = &keys;
    let fixture = Fixture::new(&[rsa, p256, ed25519]).await;
    let claims = fixture.claims();
    let pss = rsa.sign_as(
        &json!({"alg": "PS256", "kid": "r", "typ": "at+JWT"}),
        &claims,
    );
    for token in [
        rsa.sign(&claims),
        pss,
        p256.sign(&claims),
        ed25519.sign(&claims),
    ] {
        let identity = fixture.verify(&token).await.unwrap();
        assert_eq!(identity.subject, "alice");
        assert_eq!(
            identity.user_id,
            crate::domain::UserId::of(&fixture.fake.url, "alice")
        );
        assert_eq!(identity.expires_at.timestamp(), NOW + 300);
    }
    assert_eq!(fixture.fake.requests("/keys"), 1);
}

#[tokio::test]
async fn a_token_that_lies_about_its_signature_is_refused() {
    use TokenRefused::{Algorithm, Critical, NoKeyId, NotAToken, Signature, UnknownKey};
    let (rsa, p256, other) = (Signer::rsa("r"), Signer::p256("e"), Signer::p256("e"));
    let fixture = Fixture::new(&[&rsa, &p256]).await;
    let claims = fixture.claims();
    let good = p256.sign(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let unsigned = |header: Value| {
        let [header, claims] = [&header, &claims].map(|part| base64(part.to_string()));
        format!("{header}.{claims}")
    };
    let none = unsigned(json!({"alg": "none", "kid": "e"}));
    let hs256 = unsigned(json!({"alg": "HS256", "kid": "r"}));
    let public_key = URL_SAFE_NO_PAD
        .decode(rsa.jwk()["n"].as_str().unwrap())
        .unwrap();
    let by_public_key = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, &public_key),
        hs256.as_bytes(),
    );
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[7] ^= 1;
    let other_claims = base64(fixture.claims_but(&json!({"sub": "bob"})).to_string());
    let header = good.split('.').next().unwrap();
    let es256 = |more: Value| {
        let mut header = json!({"alg": "ES256", "kid": "e"});
        let more = more.as_object().unwrap().clone();
        header.as_object_mut().unwrap().extend(more);
        header
    };
    let foreign = es256(json!({
        "jwk": other.jwk(), "jku": format!("{}/foreign", fixture.fake.url), "x5u": format!("{}/foreign", fixture.fake.url),
    }));
    let cases = [
        ("alg none", format!("{none}."), Algorithm),
        (
            "alg none with a signature",
            format!("{none}.{signature}"),
            Algorithm,
        ),
        (
            "HS256 with the public key",
            format!("{hs256}.{}", base64(by_public_key)),
            Algorithm,
        ),
        (
            "other key type",
            p256.sign_as(&json!({"alg": "ES256", "kid": "r"}), &claims),
            Algorithm,
        ),
        (
            "an algorithm that nobody takes",
            rsa.sign_as(&json!({"alg": "RS512", "kid": "r"}), &claims),
            Algorithm,
        ),
        (
            "alg in lower case",
            p256.sign_as(&json!({"alg": "es256", "kid": "e"}), &claims),
            Algorithm,
        ),
        (
            "PKCS #1 as PSS",
            rsa.sign_as(&json!({"alg": "RS256", "kid": "r"}), &claims)
                .replacen(
                    &base64(r#"{"alg":"RS256","kid":"r"}"#),
                    &base64(r#"{"alg":"PS256","kid":"r"}"#),
                    1,
                ),
            Signature,
        ),
        (
            "flipped byte",
            format!("{signed}.{}", base64(flipped)),
            Signature,
        ),
        (
            "other claims",
            format!("{header}.{other_claims}.{signature}"),
            Signature,
        ),
        ("no signature", format!("{signed}."), Signature),
        (
            "somebody else's key of the same ID",
            other.sign(&claims),
            Signature,
        ),
        (
            "jku, jwk and x5u",
            other.sign_as(&foreign, &claims),
            Signature,
        ),
        (
            "no kid",
            p256.sign_as(&json!({"alg": "ES256"}), &claims),
            NoKeyId,
        ),
        (
            "a kid that is no text",
            p256.sign_as(&json!({"alg": "ES256", "kid": 1}), &claims),
            NoKeyId,
        ),
        (
            "crit",
            p256.sign_as(&es256(json!({"crit": ["exp"], "exp": 1})), &claims),
            Critical,
        ),
        (
            "an empty crit",
            p256.sign_as(&es256(json!({"crit": []})), &claims),
            Critical,
        ),
        (
            "an unknown kid",
            p256.sign_as(&json!({"alg": "ES256", "kid": "x"}), &claims),
            UnknownKey,
        ),
        ("two parts", signed.to_owned(), NotAToken),
        ("four parts", format!("{good}.x"), NotAToken),
        ("padding", format!("{good}="), NotAToken),
        ("nothing", String::new(), NotAToken),
        ("claims that are a list", p256.sign(&json!([1])), Signature),
        (
            "too long",
            p256.sign(&fixture.claims_but(&json!({"x": "x".repeat(8192)}))),
            NotAToken,
        ),
    ];
    fixture.verify(&good).await.unwrap();
    for (name, token, why) in cases {
        assert_eq!(fixture.verify(&token).await.unwrap_err(), why, "{name}");
    }
    assert_eq!(fixture.fake.requests("/foreign"), 0);
}

#[tokio::test]
async fn a_token_that_claims_the_wrong_thing_is_refused() {
    use TokenRefused::{Audience, Claim, Expired, Issuer, Kind, NotYet};
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let url = fixture.fake.url.clone();
    let cases = [
        (json!({"iss": "https://evil.example"}), Issuer),
        (json!({"iss": [url]}), Issuer),
        (json!({"iss": format!("{url}/")}), Issuer),
        (json!({"iss": null}), Issuer),
        (json!({"aud": "other"}), Audience),
        (json!({"aud": ["other", "apis"]}), Audience),
        (json!({"aud": []}), Audience),
        (json!({"aud": {"api": 1}}), Claim("aud")),
        (json!({"aud": ["api", 1]}), Claim("aud")),
        (json!({"aud": null}), Audience),
        (json!({"aud": null, "client_id": "files"}), Audience),
        (
            json!({"aud": null, "client_id": "others", "token_use": "access"}),
            Audience,
        ),
        (
            json!({"aud": "other", "client_id": "files", "token_use": "access"}),
            Audience,
        ),
        (json!({"exp": (NOW + 300).to_string()}), Claim("exp")),
        (json!({"exp": null}), Claim("exp")),
        (json!({"exp": 1e300}), Claim("exp")),
        (json!({"exp": -1}), Claim("exp")),
        (json!({"exp": NOW - 61}), Expired),
        (json!({"exp": NOW - 60}), Expired),
        (json!({"nbf": NOW + 61}), NotYet),
        (json!({"nbf": "0"}), Claim("nbf")),
        (json!({"sub": null}), Claim("sub")),
        (json!({"sub": ""}), Claim("sub")),
        (json!({"sub": 7}), Claim("sub")),
        (json!({"sub": "s".repeat(256)}), Claim("sub")),
        // An ID token, also where an access token's audience is the client.
        (json!({"nonce": "n"}), Kind),
        (json!({"at_hash": "h"}), Kind),
        (json!({"aud": ["api", "files"]}), Kind),
        (json!({"token_use": "id"}), Kind),
        (json!({"typ": "ID"}), Kind),
        (json!({"typ": "Refresh", "scope": "openid"}), Kind),
        (json!({"events": {}}), Kind),
        // Bound to a key whose proof doesn't come along.
        (json!({"cnf": {"jkt": "k"}}), Kind),
    ];
    for (changes, why) in cases {
        let token = key.sign(&fixture.claims_but(&changes));
        assert_eq!(fixture.verify(&token).await.unwrap_err(), why, "{changes}");
    }
    for kind in ["logout+jwt", "dpop+jwt", "refresh"] {
        let header = json!({"alg": "EdDSA", "kid": "o", "typ": kind});
        let token = key.sign_as(&header, &fixture.claims());
        assert_eq!(fixture.verify(&token).await, Err(Kind), "{kind}");
    }
    for changes in [
        json!({"exp": NOW - 59}),
        json!({"exp": NOW as f64 + 0.5}),
        json!({"nbf": NOW + 59}),
        json!({"aud": ["other", "api"]}),
        json!({"aud": ["api", "files"], "scope": "openid"}),
        json!({"nonce": "n", "typ": "Bearer"}),
        json!({"aud": null, "client_id": "files", "token_use": "access"}),
    ] {
        let token = key.sign(&fixture.claims_but(&changes));
        assert!(fixture.verify(&token).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn without_an_audience_only_cognitos_tokens_are_taken() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::with(&[&key], &[]).await;
    let token = key.sign(&fixture.claims());
    assert_eq!(fixture.verify(&token).await, Err(TokenRefused::Audience));
    let cognito = fixture.claims_but(&json!({
        "aud": null, "client_id": "files", "token_use": "access", "cognito:groups": ["staff"],
    }));
    let identity = fixture.verify(&key.sign(&cognito)).await.unwrap();
    assert_eq!(identity.groups, ["staff"]);
}

#[tokio::test]
async fn a_verified_token_is_remembered_for_a_minute_and_not_beyond_its_end() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let token = key.sign(&fixture.claims());
    let first = fixture.verify(&token).await.unwrap();
    let again = fixture.verify(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let late = from_millis((NOW + 300 + 61) * 1000).unwrap();
    let refused = fixture.issuer.verify_bearer(&token, late).await;
    assert_eq!(refused, Err(TokenRefused::Expired));
    fixture.pass(60);
    let later = fixture.verify(&token).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &later));
}

#[tokio::test]
async fn people_are_told_apart_by_their_subject_and_not_by_an_address() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let claims = |sub: &str| {
        fixture
            .claims_but(&json!({"sub": sub, "email": "alice@example.org", "email_verified": true}))
    };
    let alice = fixture.verify(&key.sign(&claims("alice"))).await.unwrap();
    let other = fixture.verify(&key.sign(&claims("other"))).await.unwrap();
    assert_eq!(alice.name(), Some("alice@example.org"));
    assert_eq!(alice.name(), other.name());
    assert_ne!(alice.user_id, other.user_id);
}

#[tokio::test]
async fn a_name_is_a_short_label_without_what_is_not_seen() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::new(&[&key]).await;
    let named = async |changes: Value| {
        let token = key.sign(&fixture.claims_but(&changes));
        fixture
            .verify(&token)
            .await
            .unwrap()
            .name()
            .map(str::to_owned)
    };
    assert_eq!(named(json!({})).await, None);
    let hostile = json!({"name": "  A\u{202e}li\u{0}ce\n ", "email": "a@b"});
    assert_eq!(named(hostile).await.as_deref(), Some("Alice"));
    let next = json!({"name": "\u{200b}", "preferred_username": "al"});
    assert_eq!(named(next).await.as_deref(), Some("al"));
    let long = named(json!({"name": "ä".repeat(500)})).await.unwrap();
    assert_eq!(long.chars().count(), 100);
}

#[tokio::test]
async fn roles_follow_the_groups_of_the_token_at_hand() {
    let flags = [
        "--oidc-audience=api",
        "--oidc-admins=root,ops",
        "--oidc-members=staff",
        "--oidc-guests=*",
    ];
    let key = Signer::ed25519("o");
    let fixture = Fixture::with(&[&key], &flags).await;
    let role = async |changes: Value| {
        let token = key.sign(&fixture.claims_but(&changes));
        let identity = fixture.verify(&token).await.unwrap();
        identity.role()
    };
    assert_eq!(
        role(json!({"groups": ["staff", "ops"]})).await,
        Some(Role::Admin)
    );
    // Taken away at the issuer, it is gone with the next token.
    assert_eq!(role(json!({"groups": ["staff"]})).await, Some(Role::Member));
    assert_eq!(role(json!({"groups": "staff"})).await, Some(Role::Member));
    assert_eq!(role(json!({})).await, Some(Role::Guest));
    assert_eq!(
        role(json!({"groups": {"ops": true}})).await,
        Some(Role::Guest)
    );
    assert_eq!(
        role(json!({"groups": ["OPS", "*", 1]})).await,
        Some(Role::Guest)
    );
    // The first claim there is counts, and no later one.
    assert_eq!(
        role(json!({"groups": [], "roles": ["ops"]})).await,
        Some(Role::Guest)
    );
    assert_eq!(role(json!({"roles": ["ops"]})).await, Some(Role::Admin));
    assert_eq!(
        role(json!({"cognito:groups": ["staff"], "roles": ["ops"]})).await,
        Some(Role::Member)
    );

    let flags = [
        "--oidc-audience=api",
        "--oidc-members=staff",
        "--oidc-roles-claim=realm_access.roles",
    ];
    let named = settings(&fixture.fake.url, &flags);
    let issuer = Issuer::new(named).unwrap();
    for (changes, role) in [
        (json!({"groups": ["staff"]}), None),
        (
            json!({"realm_access": {"roles": ["staff"]}}),
            Some(Role::Member),
        ),
        (json!({"realm_access.roles": ["staff"]}), Some(Role::Member)),
    ] {
        let token = key.sign(&fixture.claims_but(&changes));
        let identity = issuer.verify_bearer(&token, now()).await.unwrap();
        assert_eq!(identity.role(), role, "{changes}");
    }
}
