//! Sign-ins in a browser, and what others make of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::fake_issuer::base64;
use super::*;

const CALLBACK: &str = "https://files.example.org/v1/session/callback";
const SECRET: &[u8] = b"of this installation";

/// A sign-in that was begun.
struct StartedSignIn {
    cookie: String,
    url: String,
}

impl StartedSignIn {
    async fn new(fixture: &Fixture) -> Self {
        let return_to = ReturnTo::parse("/f/1?x=2").unwrap();
        let begun = fixture
            .issuer
            .begin((return_to, SignInAs::Anybody), CALLBACK, SECRET, now())
            .await
            .unwrap();
        Self {
            cookie: begun.cookie,
            url: begun.url,
        }
    }

    /// What the issuer's page was given.
    fn field(&self, name: &str) -> String {
        let (_, query) = self.url.split_once('?').unwrap();
        let value = query
            .split('&')
            .find_map(|it| it.strip_prefix(&format!("{name}=")));
        let value = value.unwrap_or_else(|| panic!("{name} in {}", self.url));
        percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .unwrap()
            .into_owned()
    }

    fn query(&self) -> String {
        format!("code=c0de&state={}", self.field("state"))
    }

    async fn finish(&self, fixture: &Fixture, query: &str) -> Result<SignedIn, SignInFailed> {
        let cookie = Some(self.cookie.as_str());
        fixture
            .issuer
            .finish(query, cookie, CALLBACK, SECRET, now())
            .await
    }
}

/// The claims of an ID token that is taken, some of them changed.
fn id_claims(fixture: &Fixture, begun: &StartedSignIn, changes: &Value) -> Value {
    let mut claims = fixture.claims_but(&json!({
        "aud": "files", "nonce": begun.field("nonce"), "at_hash": "h",
    }));
    let object = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
    claims
}

fn give(fixture: &Fixture, id_token: &str) {
    fixture.fake.state().token = (200, json!({"id_token": id_token, "access_token": "a"}));
}

fn why(result: Result<SignedIn, SignInFailed>) -> SignInFailed {
    match result {
        Ok(_) => panic!("signed in"),
        Err(why) => why,
    }
}

#[tokio::test]
async fn somebody_signs_in_and_returns_to_where_they_were_going() {
    let key = Signer::rsa("r");
    let fixture = Fixture::with(&[&key], &["--oidc-client-secret=se:cret ü"]).await;
    let begun = StartedSignIn::new(&fixture).await;
    assert!(
        begun
            .url
            .starts_with(&format!("{}/authorize?tenant=1&", fixture.fake.url))
    );
    assert_eq!(begun.field("response_type"), "code");
    assert_eq!(begun.field("client_id"), "files");
    assert_eq!(begun.field("redirect_uri"), CALLBACK);
    assert_eq!(begun.field("scope"), "openid groups");
    assert_eq!(begun.field("code_challenge_method"), "S256");

    let changes = json!({"name": "Alice", "groups": ["staff"]});
    let id_token = key.sign(&id_claims(&fixture, &begun, &changes));
    give(&fixture, &id_token);
    let signed_in = begun.finish(&fixture, &begun.query()).await.unwrap();
    assert_eq!(signed_in.identity.subject, "alice");
    assert_eq!(signed_in.identity.name(), Some("Alice"));
    assert_eq!(signed_in.identity.groups, ["staff"]);
    assert_eq!(signed_in.return_to.as_str(), "/f/1?x=2");
    assert_eq!(signed_in.id_token, id_token);

    let asked = fixture.fake.state().asked_for_token.clone();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    let basic = STANDARD.encode("files:se%3Acret%20%C3%BC");
    assert!(
        head.to_lowercase()
            .contains(&format!("authorization: basic {basic}").to_lowercase())
    );
    assert!(body.contains("grant_type=authorization_code") && body.contains("code=c0de"));
    let verifier = body
        .split('&')
        .find_map(|it| it.strip_prefix("code_verifier="))
        .unwrap();
    assert_eq!(
        base64(Sha256::digest(verifier)),
        begun.field("code_challenge")
    );

    let end = fixture
        .issuer
        .end_session_url(Some(&id_token), "https://files.example.org/")
        .await
        .unwrap();
    assert!(end.starts_with(&format!(
        "{}/end?id_token_hint={id_token}",
        fixture.fake.url
    )));
    // What signs somebody in is nothing that a program may show.
    assert!(fixture.verify(&id_token).await.is_err());
}

#[tokio::test]
async fn a_public_client_names_itself_in_the_form() {
    let key = Signer::p256("e");
    let fixture = Fixture::with(&[&key], &[]).await;
    let begun = StartedSignIn::new(&fixture).await;
    give(
        &fixture,
        &key.sign(&id_claims(&fixture, &begun, &json!({}))),
    );
    begun.finish(&fixture, &begun.query()).await.unwrap();
    let asked = fixture.fake.state().asked_for_token.clone();
    assert!(!asked.to_lowercase().contains("authorization:"));
    assert!(asked.contains("&client_id=files"));
}

#[tokio::test]
async fn only_the_browser_that_began_a_sign_in_ends_it() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::with(&[&key], &[]).await;
    let begun = StartedSignIn::new(&fixture).await;
    give(
        &fixture,
        &key.sign(&id_claims(&fixture, &begun, &json!({}))),
    );
    let state = begun.field("state");
    let other = StartedSignIn::new(&fixture).await;
    for query in [
        "code=c0de".to_owned(),
        "code=c0de&state=".to_owned(),
        "code=c0de&state=foreign".to_owned(),
        // An attacker's sign-in, ended by somebody else's browser.
        other.query(),
    ] {
        let failed = why(begun.finish(&fixture, &query).await);
        assert_eq!(failed, SignInFailed::NotBegun, "{query}");
    }
    for query in [
        format!("code=a&code=b&state={state}"),
        format!("code=a&state={state}&state=x"),
        format!("state={state}"),
        format!("code=%ff&state={state}"),
        "x".repeat(9_000),
    ] {
        let failed = why(begun.finish(&fixture, &query).await);
        assert_eq!(failed, SignInFailed::Callback, "{query}");
    }
    let query = begun.query();
    let late = now() + Duration::from_secs(600);
    for (cookie, secret, at) in [
        (None, SECRET, now()),
        (Some("x.y"), SECRET, now()),
        (Some(begun.cookie.as_str()), b"another".as_slice(), now()),
        (Some(begun.cookie.as_str()), SECRET, late),
    ] {
        let failed = fixture
            .issuer
            .finish(&query, cookie, CALLBACK, secret, at)
            .await;
        assert_eq!(why(failed), SignInFailed::NotBegun);
    }
    assert_eq!(fixture.fake.requests("/token"), 0);
    begun.finish(&fixture, &query).await.unwrap();
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::with(&[&key], &[]).await;
    let begun = StartedSignIn::new(&fixture).await;
    give(
        &fixture,
        &key.sign(&id_claims(&fixture, &begun, &json!({}))),
    );
    let url = fixture.fake.url.clone();
    let with = |issuer: &str| format!("{}&iss={}", begun.query(), issuer.replace(':', "%3A"));
    let foreign = with("https://evil.example");
    assert_eq!(
        why(begun.finish(&fixture, &foreign).await),
        SignInFailed::OtherIssuer
    );
    begun.finish(&fixture, &with(&url)).await.unwrap();

    // An issuer that announces it doesn't leave it out.
    let fixture = Fixture::with(&[&key], &[]).await;
    fixture.fake.state().discovery["authorization_response_iss_parameter_supported"] = json!(true);
    let begun = StartedSignIn::new(&fixture).await;
    let failed = why(begun.finish(&fixture, &begun.query()).await);
    assert_eq!(failed, SignInFailed::OtherIssuer);
    assert_eq!(fixture.fake.requests("/token"), 0);
}

#[tokio::test]
async fn what_the_issuer_refuses_is_said_in_its_word() {
    let key = Signer::ed25519("o");
    let fixture = Fixture::with(&[&key], &[]).await;
    let begun = StartedSignIn::new(&fixture).await;
    let denied = format!("error=access_denied%0a<b>&state={}", begun.field("state"));
    let failed = why(begun.finish(&fixture, &denied).await);
    assert_eq!(failed, SignInFailed::Refused("access_deniedb".into()));
    // As for a code that was used before.
    let failed = why(begun.finish(&fixture, &begun.query()).await);
    assert_eq!(failed, SignInFailed::Code("invalid_grant".into()));
    fixture.fake.state().token = (500, json!({"error": "server_error"}));
    let failed = why(begun.finish(&fixture, &begun.query()).await);
    assert!(
        matches!(failed, SignInFailed::IssuerUnavailable(_)),
        "{failed}"
    );
}

#[tokio::test]
async fn an_id_token_that_is_not_of_this_sign_in_is_refused() {
    use TokenRefused::{
        Audience, Claim, Expired, Issuer, Kind, Nonce, NotAToken, NotYet, Signature,
    };
    let (key, other) = (Signer::ed25519("o"), Signer::ed25519("o"));
    let fixture = Fixture::with(&[&key], &[]).await;
    let begun = StartedSignIn::new(&fixture).await;
    let cases = [
        (json!({"nonce": null}), Nonce),
        (json!({"nonce": "another"}), Nonce),
        (json!({"aud": "other"}), Audience),
        (json!({"aud": null}), Claim("aud")),
        (json!({"aud": ["files", "other"]}), Audience),
        (json!({"aud": ["files", "other"], "azp": "other"}), Audience),
        (json!({"azp": "other"}), Audience),
        (json!({"iss": "https://evil.example"}), Issuer),
        (json!({"exp": NOW - 61}), Expired),
        (json!({"exp": null}), Claim("exp")),
        (json!({"iat": null}), Claim("iat")),
        (json!({"iat": "0"}), Claim("iat")),
        (json!({"iat": NOW + 61}), NotYet),
        (json!({"sub": null}), Claim("sub")),
        (json!({"token_use": "access"}), Kind),
        (json!({"events": {}}), Kind),
    ];
    for (changes, refused) in cases {
        give(&fixture, &key.sign(&id_claims(&fixture, &begun, &changes)));
        let failed = why(begun.finish(&fixture, &begun.query()).await);
        assert_eq!(failed, SignInFailed::IdToken(refused), "{changes}");
    }
    let claims = id_claims(&fixture, &begun, &json!({}));
    let at_jwt = key.sign_as(
        &json!({"alg": "EdDSA", "kid": "o", "typ": "at+jwt"}),
        &claims,
    );
    for (token, refused) in [
        (other.sign(&claims), Signature),
        (at_jwt, Kind),
        ("x".repeat(40_000), NotAToken),
        (String::new(), NotAToken),
    ] {
        give(&fixture, &token);
        let failed = why(begun.finish(&fixture, &begun.query()).await);
        assert_eq!(failed, SignInFailed::IdToken(refused));
    }
    let several = json!({"aud": ["files", "other"], "azp": "files"});
    give(&fixture, &key.sign(&id_claims(&fixture, &begun, &several)));
    begun.finish(&fixture, &begun.query()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn however_many_come_with_codes_the_issuer_is_asked_for_a_bounded_number_at_a_time() {
    let key = Signer::p256("e");
    let fixture = Fixture::new(&[&key]).await;
    let begun = StartedSignIn::new(&fixture).await;
    let query = begun.query();
    fixture.fake.state().mood = fake_issuer::Mood::Hangs;
    let coming = (0..MAX_EXCHANGES).map(|_| begun.finish(&fixture, &query));
    let coming = futures_util::future::join_all(coming);
    let one_more = async {
        // Behind all of them, which wait for the issuer by now.
        tokio::task::yield_now().await;
        why(begun.finish(&fixture, &query).await)
    };
    let (_, refused) = tokio::join!(coming, one_more);
    let SignInFailed::IssuerUnavailable(IssuerUnavailable(why)) = refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("too many sign in at a time"), "{why}");
    // They had their time, and others have theirs.
    let later = self::why(begun.finish(&fixture, &query).await);
    assert!(!later.to_string().contains("too many"), "{later}");
}

#[tokio::test]
async fn whoever_signs_out_is_led_to_the_issuer_also_if_nobody_asked_it_yet_and_without_a_token() {
    let key = Signer::p256("e");
    let fixture = Fixture::with(&[&key], &[]).await;
    let back = "https://files.example.org/";
    let there = fixture.issuer.end_session_url(None, back).await.unwrap();
    let encoded = "https%3A%2F%2Ffiles.example.org%2F";
    let page = format!("{}/end?client_id=files&", fixture.fake.url);
    assert!(there.starts_with(&page), "{there}");
    assert!(there.contains(&format!("&post_logout_redirect_uri={encoded}")));
    assert!(!there.contains("id_token_hint"), "{there}");
    // Known by now, also while the issuer is away and what it said is old.
    fixture.fake.state().mood = fake_issuer::Mood::Away;
    fixture.pass(2 * 60 * 60);
    let again = fixture.issuer.end_session_url(Some("t"), back).await;
    assert!(again.unwrap().contains("?id_token_hint=t&client_id=files&"));
    // It has no page for it.
    let fixture = Fixture::with(&[&key], &[]).await;
    fixture.fake.state().discovery["end_session_endpoint"] = Value::Null;
    assert_eq!(fixture.issuer.end_session_url(None, back).await, None);
}

#[tokio::test]
async fn whoever_signs_out_does_not_wait_long_for_an_issuer_that_is_away() {
    let key = Signer::p256("e");
    for mood in [fake_issuer::Mood::Away, fake_issuer::Mood::Hangs] {
        let fixture = Fixture::with(&[&key], &[]).await;
        fixture.fake.state().mood = mood;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        let there = fixture
            .issuer
            .end_session_url(Some("t"), "https://files.example.org/");
        assert_eq!(there.await, None);
        // A timer is due up to a millisecond later.
        assert!(begun.elapsed() <= Duration::from_millis(3_100));
        tokio::time::resume();
    }
}

#[tokio::test]
async fn who_wants_to_be_somebody_else_is_asked_by_the_issuer_and_nobody_else_is() {
    let fixture = Fixture::with(&[&Signer::p256("e")], &[]).await;
    for (sign_in_as, is_asked) in [(SignInAs::Anybody, false), (SignInAs::WhomTheySay, true)] {
        let to = (ReturnTo::parse("/").unwrap(), sign_in_as);
        let begun = fixture.issuer.begin(to, CALLBACK, SECRET, now()).await;
        let url = begun.ok().unwrap().url;
        assert_eq!(url.ends_with("&prompt=login"), is_asked, "{url}");
    }
}
