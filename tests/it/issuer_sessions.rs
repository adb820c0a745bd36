//! What becomes of sign-ins under way, of sessions and of what people let in by them, at an issuer that isn't ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::issuer_sign_in::{Browser, CALLBACK, SESSION_SECRET, location, service, settings};
use crate::support::issuer::Issuer;
use crate::support::program::{Program, data_dir};

/// How long the service may take until it has noticed something.
const LIMIT: Duration = Duration::from_secs(60);
/// How many sign-ins a browser may have under way.
const MAX_UNDER_WAY: usize = 5;

fn under_way(browser: &Browser) -> Vec<&(String, String)> {
    let cookies = browser.cookies.iter();
    cookies
        .filter(|(name, _)| name.contains("sign-in"))
        .collect()
}

async fn sign_out(browser: &mut Browser) -> Value {
    let (status, ended) = browser.json(Method::POST, "/v1/session/end", None).await;
    assert_eq!(status, 200, "{ended}");
    ended["signOutAt"].clone()
}

#[tokio::test]
async fn whoever_signs_out_is_led_to_the_issuer_also_after_a_restart_and_with_many_groups() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    // Of so many groups that their ID token is too long to be kept.
    let groups: Vec<String> = (0..200).map(|n| format!("{n:040}")).collect();
    let groups = groups.iter().map(String::as_str).chain(["guests"]);
    issuer
        .set_groups("carol", &groups.collect::<Vec<_>>())
        .await;
    let program = service(dir.path(), &issuer, &[]);
    let mut bob = Browser::of(&program.base, &issuer, "bob").await;
    let mut carol = Browser::of(&program.base, &issuer, "carol").await;
    program.terminate();
    // It knows nothing of its issuer yet.
    let program = service(dir.path(), &issuer, &[]);
    for (browser, has_hint) in [(&mut bob, true), (&mut carol, false)] {
        browser.base.clone_from(&program.base);
        assert_ne!(browser.session().await["principal"], Value::Null);
        let there = sign_out(browser).await;
        let there = there.as_str().expect("the issuer was asked for its page");
        assert!(
            there.starts_with(&format!("{}/session/end?", issuer.url)),
            "{there}"
        );
        assert_eq!(there.contains("id_token_hint="), has_hint, "{there}");
        for field in ["client_id=files", "post_logout_redirect_uri="] {
            assert!(there.contains(field), "{there}");
        }
        let page = issuer.page(there).await;
        assert!(page.contains("/session/end/confirm"), "{page}");
        assert_eq!(browser.session().await["principal"], Value::Null);
    }
    // Whoever signs out while the issuer is away is signed out here.
    let mut bob = Browser::of(&program.base, &issuer, "bob").await;
    program.terminate();
    let program = service(dir.path(), &issuer, &[]);
    drop(issuer);
    bob.base.clone_from(&program.base);
    assert_ne!(bob.session().await["principal"], Value::Null);
    assert_eq!(sign_out(&mut bob).await, Value::Null);
    assert_eq!(bob.session().await["principal"], Value::Null);
}

/// Of an issuer that nobody is.
fn settings_of_nobody() -> [(&'static str, &'static str); 3] {
    [
        ("ACCESS", ""),
        ("OIDC_ISSUER", "http://127.0.0.1:1"),
        ("OIDC_CLIENT_ID", "files"),
    ]
}

#[tokio::test]
async fn sign_ins_in_several_tabs_each_come_back_and_a_browser_keeps_a_handful_of_them() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut bob = Browser::at(&program.base);
    let first = bob.query_of(&issuer, "bob", "/f/1").await;
    let second = bob.query_of(&issuer, "bob", "/f/2").await;
    let third = bob.query_of(&issuer, "bob", "/f/3").await;
    assert_eq!(under_way(&bob).len(), 3);
    for (left, (query, path)) in [(&first, "/f/1"), (&third, "/f/3"), (&second, "/f/2")]
        .into_iter()
        .enumerate()
    {
        let back = bob.page(&format!("{CALLBACK}?{query}")).await;
        assert_eq!(back.status(), StatusCode::FOUND, "{path}");
        assert_eq!(location(&back), path);
        assert_eq!(under_way(&bob).len(), 2 - left, "{path}");
    }
    // What was begun and never ended is forgotten, the oldest first, and takes bounded room.
    let long = format!("/{}", "a".repeat(900));
    let mut queries = Vec::new();
    for n in 0..2 * MAX_UNDER_WAY {
        let path = if n == 0 { "/f/1" } else { "/f/9" };
        queries.push(bob.query_of(&issuer, "bob", path).await);
        assert!(under_way(&bob).len() <= MAX_UNDER_WAY);
    }
    assert_eq!(under_way(&bob).len(), MAX_UNDER_WAY);
    for _ in 0..MAX_UNDER_WAY {
        bob.begin(&long).await;
        let bytes = under_way(&bob)
            .into_iter()
            .map(|(name, value)| name.len() + value.len());
        assert!(bytes.sum::<usize>() <= 4096);
    }
    let newest = bob.query_of(&issuer, "bob", "/f/10").await;
    let back = bob.page(&format!("{CALLBACK}?{}", queries[0])).await;
    assert_eq!(back.status(), StatusCode::FORBIDDEN);
    let back = bob.page(&format!("{CALLBACK}?{newest}")).await;
    assert_eq!(location(&back), "/f/10");
}

#[tokio::test]
async fn a_callback_takes_its_cookie_away_unless_it_may_be_tried_again() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut bob = Browser::at(&program.base);
    let query = bob.query_of(&issuer, "bob", "/").await;
    let kept = bob.cookies.clone();
    bob.page(&format!("{CALLBACK}?{query}")).await;
    assert!(under_way(&bob).is_empty());
    // Somebody who copied cookie and address has nothing of it.
    let mut thief = Browser::at(&program.base);
    thief.cookies = kept;
    let again = thief.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(again.status(), StatusCode::FORBIDDEN);
    assert!(under_way(&thief).is_empty());
    // The issuer, or the person, says no.
    let start = bob.begin("/").await;
    let state = start.split_once("state=").unwrap().1;
    let (state, _) = state.split_once('&').unwrap();
    let iss = issuer.url.replace(':', "%3A").replace('/', "%2F");
    let denied = format!("{CALLBACK}?error=access_denied&state={state}&iss={iss}");
    // Not of this browser: nothing of it is touched.
    bob.page(&format!("{CALLBACK}?error=access_denied&state=x"))
        .await;
    assert_eq!(under_way(&bob).len(), 1);
    assert_eq!(bob.page(&denied).await.status(), StatusCode::FORBIDDEN);
    assert!(under_way(&bob).is_empty());
    // Away is no answer: the same address leads in when it is back.
    let query = bob.query_of(&issuer, "bob", "/").await;
    drop(issuer);
    let page = bob.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.headers().contains_key(RETRY_AFTER),
        "when to try again"
    );
    assert_eq!(under_way(&bob).len(), 1);
}

#[tokio::test]
async fn a_sign_in_ends_the_session_that_the_browser_had_before() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut browser = Browser::of(&program.base, &issuer, "bob").await;
    let before = browser.cookies.clone();
    assert_eq!(browser.session().await["principal"]["role"], "member");
    // A browser brings no strict cookie from the issuer's site.
    let query = browser.query_of(&issuer, "alice", "/").await;
    let strict = |(name, _): &(String, String)| name.starts_with("session-0");
    let position = browser.cookies.iter().position(strict).unwrap();
    browser.cookies.remove(position);
    let back = browser.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(back.status(), StatusCode::FOUND);
    assert_eq!(browser.session().await["principal"]["role"], "admin");
    let mut leftover = Browser::at(&program.base);
    leftover.cookies = before;
    assert_eq!(leftover.session().await["principal"], Value::Null);
    let audit = std::fs::read_dir(dir.path().join("audit")).unwrap();
    let lines: String = audit
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default())
        .collect();
    assert_eq!(lines.matches("\"end_session\"").count(), 1, "{lines}");
    // A sign-in that fails ends nobody's session.
    let failed = browser.page(&format!("{CALLBACK}?code=a&state=b")).await;
    assert_eq!(failed.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.session().await["principal"]["role"], "admin");
    // Signed out, the browser keeps nothing of it.
    sign_out(&mut browser).await;
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
}

#[tokio::test]
async fn who_has_no_role_may_sign_in_as_somebody_else_whom_the_issuer_asks_for() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut dave = Browser::at(&program.base);
    let page = dave
        .sign_in(&issuer, "dave", "/")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("href=\"start?prompt=login\""), "{page}");
    assert!(page.contains("Sign in as somebody else"), "{page}");
    let start = dave.page("/v1/session/start?prompt=login").await;
    assert!(location(&start).contains("&prompt=login"));
    let query = issuer
        .sign_in(
            location(&start),
            &format!("{}{CALLBACK}", program.base),
            "bob",
        )
        .await;
    let back = dave.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(back.status(), StatusCode::FOUND);
    // Once: nobody is asked again who signs in as ever, nor after another failure.
    assert!(!dave.begin("/").await.contains("prompt"));
    let page = dave.page(&format!("{CALLBACK}?code=a&state=b")).await;
    let page = page.text().await.unwrap();
    assert!(
        page.contains("href=\"start\"") && !page.contains("prompt"),
        "{page}"
    );
    for other in ["none", "consent", "login%20none", ""] {
        let path = format!("/v1/session/start?prompt={other}");
        let (status, refused) = dave.json(Method::GET, &path, None).await;
        assert_eq!(
            (status, &refused["code"]),
            (400, &json!("invalid_request")),
            "{other}"
        );
    }
}

#[tokio::test]
async fn a_page_about_a_failed_sign_in_says_when_to_try_again() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &settings_of_nobody());
    let page = Browser::at(&program.base).page("/v1/session/start").await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    let again = page.headers().get(RETRY_AFTER).expect("when to try again");
    assert!(again.to_str().unwrap().parse::<u32>().unwrap() > 0);
    assert!(!page.headers().contains_key(LOCATION));
    assert!(page.text().await.unwrap().contains("<!DOCTYPE html>"));
}

/// An issuer that nobody can sign in at: it says where its keys are, once it is there.
async fn issuer_that_comes_back() -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (is_there, issuer) = (Arc::new(AtomicBool::new(false)), url.clone());
    let shared = Arc::clone(&is_there);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if !shared.load(Ordering::SeqCst) {
                continue;
            }
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let said = match String::from_utf8_lossy(&request[..read]).contains("/keys") {
                true => {
                    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "o", "alg": "EdDSA",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})
                }
                false => json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}),
            };
            let said = said.to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", said.len());
            stream.write_all((head + &said).as_bytes()).await.ok();
        }
    });
    (url, is_there)
}

#[tokio::test]
async fn readiness_asks_an_issuer_that_was_away_again_and_is_ready_all_the_while() {
    let dir = data_dir();
    let (url, is_there) = issuer_that_comes_back().await;
    let settings = [
        ("ACCESS", ""),
        ("OIDC_ISSUER", &url),
        ("OIDC_CLIENT_ID", "files"),
    ];
    let program = Program::local(dir.path(), &settings);
    let mut probe = Browser::at(&program.base);
    let deadline = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    while seen.last() != Some(&json!("ok")) {
        assert!(Instant::now() < deadline, "{seen:?}");
        let (status, ready) = probe.json(Method::GET, "/readyz", None).await;
        assert_eq!((status, &ready["status"]), (200, &json!("ready")));
        if ready["issuer"] == "away" {
            is_there.store(true, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        if seen.last() != Some(&ready["issuer"]) {
            seen.push(ready["issuer"].clone());
        }
    }
    assert!(seen.contains(&json!("away")), "{seen:?}");
}

#[tokio::test]
async fn a_session_says_that_nobody_has_a_quota() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut bob = Browser::of(&program.base, &issuer, "bob").await;
    for session in [
        bob.session().await,
        Browser::at(&program.base).session().await,
    ] {
        assert_eq!(session.get("quota"), Some(&Value::Null), "{session}");
    }
}

#[tokio::test]
async fn whoever_left_is_signed_out_and_what_they_let_in_gets_no_token() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut alice = Browser::of(&program.base, &issuer, "alice").await;
    let mut bob = Browser::of(&program.base, &issuer, "bob").await;
    let mut elsewhere = Browser::of(&program.base, &issuer, "bob").await;
    let mut carol = Browser::of(&program.base, &issuer, "carol").await;
    let own = json!({"label": "own", "scopes": ["read"]});
    let (status, token) = bob
        .json(Method::POST, "/v1/tokens", Some(own.clone()))
        .await;
    assert_eq!(status, 201);
    let mut waiting = Browser::at(&program.base);
    let begin = json!({"client": "fshare on a laptop"});
    let (_, begun) = waiting
        .json(Method::POST, "/v1/pairings", Some(begin))
        .await;
    let approve = json!({"userCode": begun["userCode"]});
    let (status, _) = bob
        .json(Method::POST, "/v1/pairings/approve", Some(approve))
        .await;
    assert_eq!(status, 204);
    let access = issuer.tokens_of("bob").await.access;

    let id = bob.session().await["principal"]["id"].clone();
    let path = format!("/v1/users/{}/tokens", id.as_str().unwrap());
    let (status, _) = alice.json(Method::DELETE, &path, None).await;
    assert_eq!(status, 204);

    for browser in [&mut bob, &mut elsewhere] {
        assert_eq!(browser.session().await["principal"], Value::Null);
        let (status, _) = browser
            .json(Method::POST, "/v1/tokens", Some(own.clone()))
            .await;
        assert_eq!(status, 401);
    }
    let redeem = json!({"deviceCode": begun["deviceCode"]});
    let (status, gone) = waiting
        .json(Method::POST, "/v1/pairings/redeem", Some(redeem))
        .await;
    assert_eq!((status, &gone["code"]), (410, &json!("pairing_gone")));
    let asked = async |proof: &str, method: Method, body: Option<Value>| {
        let proof = format!("Bearer {proof}");
        let headers = [("authorization", proof.as_str())];
        let mut program = Browser::at(&program.base);
        program
            .ask(method, "/v1/tokens", &headers, body)
            .await
            .status()
            .as_u16()
    };
    assert_eq!(
        asked(token["token"].as_str().unwrap(), Method::GET, None).await,
        401
    );
    // What the issuer gave them before makes nothing that outlives it.
    assert_eq!(asked(&access, Method::POST, Some(own.clone())).await, 401);
    // Others go on, and whoever the issuer still vouches for signs in anew.
    assert_eq!(carol.session().await["principal"]["role"], "guest");
    assert_eq!(alice.session().await["principal"]["role"], "admin");
    bob.sign_in(&issuer, "bob", "/").await;
    let (status, again) = bob.json(Method::POST, "/v1/tokens", Some(own)).await;
    assert_eq!(status, 201);
    assert_eq!(
        asked(again["token"].as_str().unwrap(), Method::GET, None).await,
        200
    );
}

#[tokio::test]
async fn the_settings_of_a_service_in_aws_mode_name_where_people_come_back_to() {
    use crate::support::ministack::Deployment;

    let (deployment, issuer) = (Deployment::shared().await, Issuer::start());
    let settings = settings(&issuer);
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let secret = ("SESSION_SECRET", SESSION_SECRET);
    let settings: Vec<(&str, &str)> = settings.chain([secret]).collect();
    let refused = Program::aws_api_refuses(deployment, &settings);
    assert!(
        refused.contains("PUBLIC_URL: is needed with OIDC_ISSUER"),
        "{refused}"
    );
    assert!(refused.contains("https://files.example.org"), "{refused}");
}
