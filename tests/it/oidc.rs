//! What an issuer that isn't ours says of people and programs, and what the service makes of it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use file_share::access::Role;
use file_share::access::oidc::{
    Issuer, IssuerState, ReturnTo, SignInAs, SignInFailed, SignedIn, TokenRefused,
};
use file_share::clock::{Clock, SystemClock};
use file_share::config::{OidcArgs, OidcSettings, Problems};
use file_share::domain::UserId;

use crate::support::issuer::{self, CALLBACK};

const SECRET: &[u8] = b"signs what a browser keeps";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: OidcArgs,
}

fn settings(issuer: &issuer::Issuer, client: &str, secret: &[&str]) -> OidcSettings {
    let flags = [
        "file-share",
        &format!("--oidc-issuer={}", issuer.url),
        &format!("--oidc-client-id={client}"),
        "--oidc-audience=file-share",
        "--oidc-admins=admins",
        "--oidc-members=members",
        "--oidc-guests=guests",
    ];
    let args = Cli::parse_from(flags.iter().chain(secret)).args;
    let settings = Problems::collected(|problems| args.judge(problems));
    settings.unwrap().unwrap()
}

fn confidential(issuer: &issuer::Issuer) -> OidcSettings {
    settings(issuer, "files", &["--oidc-client-secret=files-secret"])
}

/// The service, with a clock of its own for how long it keeps things.
fn with_clock(settings: OidcSettings) -> (Issuer, impl Fn(u64)) {
    let begin = Instant::now();
    let passed = Arc::new(Mutex::new(Duration::ZERO));
    let of_clock = Arc::clone(&passed);
    let clock = Arc::new(move || begin + *of_clock.lock().unwrap());
    let issuer = Issuer::with_clock(settings, clock).unwrap();
    let pass = move |seconds| *passed.lock().unwrap() += Duration::from_secs(seconds);
    (issuer, pass)
}

async fn subject(service: &Issuer, token: &str) -> Result<String, TokenRefused> {
    let identity = service.verify_bearer(token, SystemClock.now()).await?;
    Ok(identity.subject.clone())
}

/// Somebody signs in, all the way.
async fn sign_in(issuer: &issuer::Issuer, service: &Issuer, person: &str) -> SignedIn {
    let (query, cookie) = at_the_callback(issuer, service, person).await;
    finish(service, &query, Some(&cookie)).await.ok().unwrap()
}

/// What the issuer sends a browser back with, and what the browser kept.
async fn at_the_callback(
    issuer: &issuer::Issuer,
    service: &Issuer,
    person: &str,
) -> (String, String) {
    let return_to = ReturnTo::parse("/f/1?x=2").unwrap();
    let now = SystemClock.now();
    let to = (return_to, SignInAs::Anybody);
    let start = service.begin(to, CALLBACK, SECRET, now).await;
    let start = start.ok().unwrap();
    let query = issuer.sign_in(&start.url, CALLBACK, person).await;
    (query, start.cookie)
}

async fn finish(
    service: &Issuer,
    query: &str,
    cookie: Option<&str>,
) -> Result<SignedIn, SignInFailed> {
    let now = SystemClock.now();
    service.finish(query, cookie, CALLBACK, SECRET, now).await
}

#[tokio::test]
async fn a_token_of_a_program_is_taken_whatever_it_is_signed_by() {
    let issuer = issuer::Issuer::start();
    let service = Issuer::new(confidential(&issuer)).unwrap();
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = issuer.program_token(algorithm).await;
        let subject = subject(&service, &token).await;
        assert_eq!(subject.as_deref(), Ok("program"), "{algorithm}");
        let identity = service.verify_bearer(&token, SystemClock.now()).await;
        // Nobody put it into a group.
        assert_eq!(identity.unwrap().role(), None);
        let (signed, _) = token.rsplit_once('.').unwrap();
        let other = issuer.program_token(algorithm).await;
        let (_, signature) = other.rsplit_once('.').unwrap();
        let mixed = service
            .verify_bearer(&format!("{signed}.{signature}"), SystemClock.now())
            .await;
        assert_eq!(mixed, Err(TokenRefused::Signature), "{algorithm}");
    }
    assert_eq!(service.state(), IssuerState::Ok);
}

#[tokio::test]
async fn of_what_a_person_gets_only_the_access_token_is_taken() {
    let issuer = issuer::Issuer::start();
    let tokens = issuer.tokens_of("alice").await;
    let service = Issuer::new(confidential(&issuer)).unwrap();
    let identity = service.verify_bearer(&tokens.access, SystemClock.now());
    let identity = identity.await.unwrap();
    assert_eq!(identity.user_id, UserId::of(&issuer.url, "alice"));
    assert_eq!(identity.name(), Some("Alice Adams"));
    assert_eq!(identity.role(), Some(Role::Admin));

    let refused = subject(&service, &tokens.id).await;
    assert_eq!(refused, Err(TokenRefused::Kind));
    let refused = subject(&service, &tokens.refresh).await;
    assert_eq!(refused, Err(TokenRefused::NotAToken));

    // An access token for somebody else's service.
    let audience = OidcSettings {
        audience: Some("files".into()),
        ..confidential(&issuer)
    };
    let other = Issuer::new(audience).unwrap();
    let refused = subject(&other, &tokens.access).await;
    assert_eq!(refused, Err(TokenRefused::Audience));
    // Where the audience of access is the client's, an ID token still isn't for access.
    let refused = subject(&other, &tokens.id).await;
    assert_eq!(refused, Err(TokenRefused::Kind));
}

#[tokio::test]
async fn people_sign_in_with_and_without_a_secret_of_the_client() {
    let issuer = issuer::Issuer::start();
    for settings in [
        confidential(&issuer),
        settings(&issuer, "files-public", &[]),
    ] {
        let service = Issuer::new(settings).unwrap();
        for (person, name, role) in [
            ("alice", "Alice Adams", Role::Admin),
            ("bob", "Bob Brown", Role::Member),
            ("carol", "Carol Clark", Role::Guest),
        ] {
            let signed_in = sign_in(&issuer, &service, person).await;
            let identity = &signed_in.identity;
            assert_eq!(identity.user_id, UserId::of(&issuer.url, person));
            assert_eq!(identity.name(), Some(name));
            assert_eq!(identity.role(), Some(role));
            assert_eq!(signed_in.return_to.as_str(), "/f/1?x=2");

            let hint = Some(signed_in.id_token.as_str());
            let end = service.end_session_url(hint, "http://127.0.0.1:8000/");
            let page = issuer.page(&end.await.unwrap()).await;
            // It knows the token and where to come back to; without its cookie it asks nobody.
            assert!(page.contains("/session/end/confirm"), "{page}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_not_the_clients_signs_nobody_in() {
    let issuer = issuer::Issuer::start();
    let wrong = settings(&issuer, "files", &["--oidc-client-secret=guessed"]);
    let service = Issuer::new(wrong).unwrap();
    let (query, cookie) = at_the_callback(&issuer, &service, "alice").await;
    let refused = finish(&service, &query, Some(&cookie)).await.err();
    assert_eq!(refused, Some(SignInFailed::Code("invalid_client".into())));
}

#[tokio::test]
async fn a_callback_counts_once_and_in_the_browser_that_began() {
    let issuer = issuer::Issuer::start();
    let service = Issuer::new(confidential(&issuer)).unwrap();
    let (query, cookie) = at_the_callback(&issuer, &service, "alice").await;
    let (_, of_another) = at_the_callback(&issuer, &service, "bob").await;
    for cookie in [None, Some(&*of_another), Some("")] {
        let refused = finish(&service, &query, cookie).await.err();
        assert_eq!(refused, Some(SignInFailed::NotBegun));
    }
    let (without_issuer, _) = query.split_once("&iss=").unwrap();
    let refused = finish(&service, without_issuer, Some(&cookie)).await.err();
    assert_eq!(refused, Some(SignInFailed::OtherIssuer));

    assert!(finish(&service, &query, Some(&cookie)).await.is_ok());
    let again = finish(&service, &query, Some(&cookie)).await.err();
    assert_eq!(again, Some(SignInFailed::Code("invalid_grant".into())));
}

#[tokio::test]
async fn new_keys_are_fetched_and_withdrawn_ones_end() {
    let issuer = issuer::Issuer::start();
    let (service, pass) = with_clock(confidential(&issuer));
    let first = issuer.program_token("ES256").await;
    assert!(subject(&service, &first).await.is_ok());

    issuer.rotate_keys(false).await;
    let second = issuer.program_token("ES256").await;
    // Asked a moment ago.
    let too_early = subject(&service, &second).await;
    assert_eq!(too_early, Err(TokenRefused::UnknownKey));
    pass(60);
    assert!(subject(&service, &second).await.is_ok());
    assert!(subject(&service, &first).await.is_ok());

    issuer.rotate_keys(true).await;
    let third = issuer.program_token("ES256").await;
    pass(60);
    assert!(subject(&service, &third).await.is_ok());
    for withdrawn in [first, second] {
        let refused = subject(&service, &withdrawn).await;
        assert_eq!(refused, Err(TokenRefused::UnknownKey));
    }
    // A sign-in is as good as ever.
    sign_in(&issuer, &service, "alice").await;
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_with_the_next_token() {
    let issuer = issuer::Issuer::start();
    let service = Issuer::new(confidential(&issuer)).unwrap();
    let role = async || {
        let signed_in = sign_in(&issuer, &service, "bob").await;
        let token = issuer.tokens_of("bob").await.access;
        let by_token = service.verify_bearer(&token, SystemClock.now()).await;
        let roles = [&signed_in.identity, &*by_token.unwrap()].map(|it| it.role());
        assert_eq!(roles[0], roles[1]);
        roles[0]
    };
    assert_eq!(role().await, Some(Role::Member));
    issuer.set_groups("bob", &["guests", "others"]).await;
    assert_eq!(role().await, Some(Role::Guest));
    issuer.set_groups("bob", &[]).await;
    assert_eq!(role().await, None);
}

#[tokio::test]
async fn while_the_issuer_is_away_the_keys_at_hand_serve_on() {
    let issuer = issuer::Issuer::start();
    let (service, pass) = with_clock(confidential(&issuer));
    let [known, fresh] = [
        issuer.program_token("RS256").await,
        issuer.program_token("RS256").await,
    ];
    assert!(subject(&service, &known).await.is_ok());
    let of_other_keys = {
        issuer.rotate_keys(true).await;
        issuer.program_token("RS256").await
    };
    drop(issuer);
    pass(60);
    assert!(subject(&service, &known).await.is_ok());
    assert!(subject(&service, &fresh).await.is_ok());
    let refused = subject(&service, &of_other_keys).await;
    assert!(
        matches!(refused, Err(TokenRefused::IssuerUnavailable(_))),
        "{refused:?}"
    );
    assert!(matches!(service.state(), IssuerState::Away { .. }));
    pass(60);
    assert!(subject(&service, &fresh).await.is_ok());
}
