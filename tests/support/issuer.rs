//! An OpenID Connect issuer for tests: `tests/tools/issuer.mjs`, which runs an implementation that isn't ours, and
//! the browser of somebody who signs in at it.
//!
//! Invariant: it ends with the test, also if that is killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ministack::project_root;

/// Where the issuer sends browsers back to; any port will do.
pub(crate) const CALLBACK: &str = "http://127.0.0.1:8000/v1/session/callback";
/// How long one answer of it may take. Far more than it needs, for a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is started anew before that is a fault.
const MAX_STARTS: u32 = 4;
/// How many pages a browser is sent through at most.
const MAX_REDIRECTS: u32 = 10;
/// What only the one who began a sign-in of [`Issuer::tokens_of`] knows.
const VERIFIER: &str = "a-verifier-of-a-test-which-has-to-have-43-characters";

pub(crate) struct Issuer {
    child: Child,
    client: Client,
    /// What it calls itself.
    pub url: String,
}

/// What a sign-in brings.
pub(crate) struct Tokens {
    pub access: String,
    pub id: String,
    pub refresh: String,
}

impl Issuer {
    /// # Panics
    /// If it doesn't start.
    pub(crate) fn start() -> Self {
        let started = (0..MAX_STARTS).find_map(|_| Self::try_start());
        let (child, url) =
            started.expect("the issuer starts once `make test` has installed target/browser-tools");
        let client = client();
        Self { child, client, url }
    }

    /// `None` if it has said nothing for too long: see there.
    fn try_start() -> Option<(Child, String)> {
        let mut child = Command::new("node")
            .arg("tests/tools/issuer.mjs")
            .current_dir(project_root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node is installed");
        let output = child.stdout.take().expect("standard output is piped");
        let (told, url) = mpsc::channel();
        // What it says later is read too, so that it never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if line.starts_with("http://") {
                    let _ = told.send(line);
                }
            }
        });
        if let Ok(url) = url.recv_timeout(LIMIT) {
            return Some((child, url));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    /// From now on a new key signs. The ones before it stay listed, unless they are to be forgotten.
    pub(crate) async fn rotate_keys(&self, forget: bool) {
        self.control("rotate", &json!({ "forget": forget })).await;
    }

    /// Puts somebody into other groups.
    pub(crate) async fn set_groups(&self, person: &str, groups: &[&str]) {
        let body = json!({ "person": person, "groups": groups });
        self.control("groups", &body).await;
    }

    /// From now on the client `files-web` may send people back to a service that is reached there.
    pub(crate) async fn add_address(&self, base: &str) {
        self.control("addresses", &json!({ "base": base })).await;
    }

    /// What tokens of `program` have from now on: `groups`, those in the `first` of them alone, and the `seconds`
    /// that they live for.
    pub(crate) async fn set_program(&self, said: &Value) {
        self.control("program", said).await;
    }

    async fn control(&self, what: &str, body: &Value) {
        let request = self.client.post(format!("{}/control/{what}", self.url));
        let answer = sent(request.json(body)).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }

    /// An access token for a program, signed by this algorithm.
    pub(crate) async fn program_token(&self, algorithm: &str) -> String {
        let resource = format!("urn:file-share:{algorithm}");
        let fields = [
            ("grant_type", "client_credentials"),
            ("resource", &*resource),
        ];
        let said = self.token("program", &fields).await;
        text(&said, "access_token")
    }

    /// What somebody gets who signs in for the client `files`.
    pub(crate) async fn tokens_of(&self, person: &str) -> Tokens {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", "files"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid profile groups"),
            ("nonce", "n"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let page = format!("{}/auth?{query}", self.url);
        let query = self.sign_in(&page, CALLBACK, person).await;
        let code = query.split('&').find_map(|pair| pair.strip_prefix("code="));
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expect("a code")),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let said = self.token("files", &fields).await;
        Tokens {
            access: text(&said, "access_token"),
            id: text(&said, "id_token"),
            refresh: text(&said, "refresh_token"),
        }
    }

    async fn token(&self, client: &str, fields: &[(&str, &str)]) -> Value {
        let request = self
            .client
            .post(format!("{}/token", self.url))
            .basic_auth(client, Some(format!("{client}-secret")))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(fields));
        sent(request).await.json().await.expect("an answer in JSON")
    }

    /// The page at a URL of the issuer's.
    pub(crate) async fn page(&self, url: &str) -> String {
        let answer = sent(self.client.get(url)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer.text().await.expect("a page is text")
    }

    /// What a browser does that was sent to `url`, and where somebody signs in as this person: the query that the
    /// issuer sends it back to `callback` with.
    pub(crate) async fn sign_in(&self, url: &str, callback: &str, person: &str) -> String {
        let mut cookies = BTreeMap::new();
        let mut url = url.to_owned();
        for _ in 0..MAX_REDIRECTS {
            let request = match url.contains("/login/") {
                true => self
                    .client
                    .post(&url)
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form(&[("person", person)])),
                false => self.client.get(&url),
            };
            let kept: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let answer = sent(request.header(COOKIE, kept.join("; "))).await;
            for cookie in answer.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str().expect("a cookie is text");
                let pair = cookie.split(';').next().and_then(|it| it.split_once('='));
                let (name, value) = pair.expect("a cookie has a name");
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let next = answer.headers().get(LOCATION);
            let next = next.and_then(|it| it.to_str().ok()).map(str::to_owned);
            let Some(next) = next else {
                let status = answer.status();
                let page = answer.text().await.unwrap_or_default();
                panic!("{url} leads nowhere: {status} {page}");
            };
            if let Some(query) = next.strip_prefix(callback) {
                return query.trim_start_matches('?').to_owned();
            }
            url = match next.starts_with('/') {
                true => format!("{}{next}", self.url),
                false => next,
            };
        }
        panic!("a sign-in goes round in circles");
    }
}

/// A browser, as far as requests go.
///
/// # Panics
/// If none can be made.
pub(crate) fn client() -> Client {
    Client::builder()
        // A developer's proxy settings must not reach for a server on this machine.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(LIMIT)
        // Servers close connections that rest, maybe at the moment when one is used again.
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client can be made")
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("the issuer answers")
}

fn text(said: &Value, name: &str) -> String {
    match &said[name] {
        Value::String(text) => text.clone(),
        _ => panic!("no {name}: {said}"),
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}
