//! People who sign in with a browser at an issuer that isn't ours, and what they then see of a real service.

use std::path::Path;
use std::process::{Command, Output};

use file_share::domain::UserId;
use reqwest::header::{ACCEPT, AUTHORIZATION, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::issuer::{Issuer, client};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

pub(crate) const CALLBACK: &str = "/v1/session/callback";
/// What all processes of a service in aws mode share.
pub(crate) const SESSION_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const PUBLIC: &str = "https://files.example.org";
const HTML: &str = "text/html,application/xhtml+xml";

/// What a service is told that asks this issuer.
pub(crate) fn settings(issuer: &Issuer) -> [(&'static str, String); 8] {
    [
        ("ACCESS", String::new()),
        ("OIDC_ISSUER", issuer.url.clone()),
        ("OIDC_CLIENT_ID", "files".into()),
        ("OIDC_CLIENT_SECRET", "files-secret".into()),
        ("OIDC_AUDIENCE", "file-share".into()),
        ("OIDC_ADMINS", "admins".into()),
        ("OIDC_MEMBERS", "members".into()),
        ("OIDC_GUESTS", "guests".into()),
    ]
}

/// A service with this issuer, in local mode.
pub(crate) fn service(data_dir: &Path, issuer: &Issuer, more: &[(&str, &str)]) -> Program {
    let settings = settings(issuer);
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<(&str, &str)> = settings.chain(more.iter().copied()).collect();
    Program::local(data_dir, &settings)
}

/// The same in aws mode, where people come back to [`PUBLIC`]; it listens elsewhere.
pub(crate) fn service_in_aws(deployment: &Deployment, issuer: &Issuer) -> Program {
    service_in_aws_with(deployment, issuer, &[])
}

pub(crate) fn service_in_aws_with(
    deployment: &Deployment,
    issuer: &Issuer,
    more: &[(&str, &str)],
) -> Program {
    let settings = settings(issuer);
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let own = [("SESSION_SECRET", SESSION_SECRET), ("PUBLIC_URL", PUBLIC)];
    let more = own.iter().chain(more).copied();
    let settings: Vec<(&str, &str)> = settings.chain(more).collect();
    Program::aws_api(deployment, &settings)
}

/// One person's browser before one service.
pub(crate) struct Browser {
    client: Client,
    pub(crate) base: String,
    /// Where the issuer sends it back to, if that isn't where it is.
    pub(crate) public: Option<String>,
    pub(crate) cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn at(base: &str) -> Self {
        Self {
            client: client(),
            base: base.to_owned(),
            public: None,
            cookies: Vec::new(),
        }
    }

    /// A person who has signed in.
    pub(crate) async fn of(base: &str, issuer: &Issuer, person: &str) -> Self {
        let mut browser = Self::at(base);
        let back = browser.sign_in(issuer, person, "/").await;
        assert_eq!(back.status(), StatusCode::FOUND, "{person}");
        browser
    }

    /// What the service answers when the issuer has sent the person back to it.
    pub(crate) async fn sign_in(
        &mut self,
        issuer: &Issuer,
        person: &str,
        return_to: &str,
    ) -> Response {
        let query = self.query_of(issuer, person, return_to).await;
        self.page(&format!("{CALLBACK}?{query}")).await
    }

    /// What the issuer sends the person back with.
    pub(crate) async fn query_of(
        &mut self,
        issuer: &Issuer,
        person: &str,
        return_to: &str,
    ) -> String {
        let start = self.begin(return_to).await;
        let public = self.public.as_ref().unwrap_or(&self.base);
        let callback = format!("{public}{CALLBACK}");
        issuer.sign_in(&start, &callback, person).await
    }

    /// The issuer's page that the service sends the person to.
    pub(crate) async fn begin(&mut self, return_to: &str) -> String {
        let start = self
            .page(&format!("/v1/session/start?returnTo={return_to}"))
            .await;
        assert_eq!(start.status(), StatusCode::FOUND);
        location(&start).to_owned()
    }

    pub(crate) async fn page(&mut self, path: &str) -> Response {
        self.ask(Method::GET, path, &[(ACCEPT.as_str(), HTML)], None)
            .await
    }

    pub(crate) async fn json(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let answer = self.ask(method, path, &[], body).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        let kept = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        request = request.header(COOKIE, kept.collect::<Vec<_>>().join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the service answers");
        for set in answer.headers().get_all(SET_COOKIE) {
            let (pair, _) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    pub(crate) async fn create(&mut self, name: &str) -> String {
        let wanted = json!({"filename": name, "size": 5});
        let (status, file) = self.json(Method::POST, "/v1/files", Some(wanted)).await;
        assert_eq!(status, 201, "{file}");
        file["id"].as_str().unwrap().to_owned()
    }

    /// The names in a list, the oldest first; or the status that there is none with.
    pub(crate) async fn list(&mut self, query: &str) -> Result<Vec<String>, u16> {
        let (status, page) = self
            .json(Method::GET, &format!("/v1/files{query}"), None)
            .await;
        let names = page["files"].as_array().ok_or(status)?.iter().rev();
        let names = names.map(|file| file["filename"].as_str().unwrap().to_owned());
        Ok(names.collect())
    }

    pub(crate) async fn session(&mut self) -> Value {
        self.json(Method::GET, "/v1/session", None).await.1
    }
}

pub(crate) fn location(answer: &Response) -> &str {
    answer.headers()[LOCATION].to_str().unwrap()
}

/// The cookie of a browser's session.
fn session_of(browser: &Browser) -> (String, String) {
    let is_session = |(name, _): &&(String, String)| {
        let name = name.trim_start_matches("__Host-");
        name.starts_with("session-") && !name.starts_with("session-ref")
    };
    let mut sessions = browser.cookies.iter().filter(is_session);
    let session = sessions.next().expect("a browser with a session").clone();
    assert_eq!(sessions.next(), None);
    session
}

fn names(names: &[&str]) -> Result<Vec<String>, u16> {
    Ok(names.iter().map(|&name| name.to_owned()).collect())
}

#[tokio::test]
async fn three_people_of_three_roles_see_three_lists() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let [mut alice, mut bob, mut carol] = [
        Browser::of(&program.base, &issuer, "alice").await,
        Browser::of(&program.base, &issuer, "bob").await,
        Browser::of(&program.base, &issuer, "carol").await,
    ];
    let of_alice = alice.create("alices.txt").await;
    let of_bob = bob.create("bobs.txt").await;
    let wanted = json!({"filename": "carols.txt", "size": 5});
    let (status, refused) = carol.json(Method::POST, "/v1/files", Some(wanted)).await;
    assert_eq!((status, &refused["code"]), (403, &json!("not_allowed")));

    assert_eq!(alice.list("").await, names(&["alices.txt"]));
    assert_eq!(
        alice.list("?owner=all").await,
        names(&["alices.txt", "bobs.txt"])
    );
    assert_eq!(bob.list("").await, names(&["bobs.txt"]));
    assert_eq!(bob.list("?owner=all").await, Err(403));
    assert_eq!(carol.list("").await, Err(403));
    let seen = async |browser: &mut Browser, id: &str| {
        let path = format!("/v1/files/{id}/metadata");
        browser.json(Method::GET, &path, None).await.0
    };
    assert_eq!(seen(&mut alice, &of_bob).await, 200);
    assert_eq!(seen(&mut bob, &of_bob).await, 200);
    assert_eq!(seen(&mut bob, &of_alice).await, 404);
    assert_eq!(seen(&mut carol, &of_bob).await, 404);

    for (browser, name, role) in [
        (&mut alice, "Alice Adams", "admin"),
        (&mut bob, "Bob Brown", "member"),
        (&mut carol, "Carol Clark", "guest"),
    ] {
        let session = browser.session().await;
        assert_eq!(session["signIn"], "oidc");
        let principal = &session["principal"];
        assert_eq!(
            (&principal["name"], &principal["role"]),
            (&json!(name), &json!(role))
        );
    }
    // What a browser shows is as good as a token of the same person's.
    let token = issuer.tokens_of("bob").await.access;
    let mut program_of_bob = Browser::at(&program.base);
    let bearer = format!("Bearer {token}");
    let listed = program_of_bob
        .ask(
            Method::GET,
            "/v1/files",
            &[(AUTHORIZATION.as_str(), &bearer)],
            None,
        )
        .await;
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(listed["files"][0]["id"], json!(of_bob));
    let log = program.log();
    assert!(
        !log.contains("code=") && !log.contains("eyJ") && !log.contains("state="),
        "{log}"
    );
}

#[tokio::test]
async fn whose_groups_have_no_role_ends_on_a_page_that_says_so_and_leads_nowhere_by_itself() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let mut dave = Browser::at(&program.base);
    let page = dave.sign_in(&issuer, "dave", "/").await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert!(!page.headers().contains_key(LOCATION));
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let text = page.text().await.unwrap();
    assert!(text.contains("You may not use this service"), "{text}");
    assert!(!text.contains("http-equiv") && !text.contains("<script"));
    assert_eq!(dave.session().await["principal"], Value::Null);
    // In a group that has one, he is in with the next sign-in.
    issuer.set_groups("dave", &["members"]).await;
    let back = dave.sign_in(&issuer, "dave", "/").await;
    assert_eq!(back.status(), StatusCode::FOUND);
    assert_eq!(dave.session().await["principal"]["role"], "member");
    let audit = std::fs::read_dir(dir.path().join("audit")).unwrap();
    let lines: String = audit
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap_or_default())
        .collect();
    let refused = lines.lines().find(|line| line.contains("no_role"));
    let refused: Value = serde_json::from_str(refused.unwrap()).unwrap();
    assert_eq!(refused["action"], "begin_session");
    // Who it was, so that somebody can give him a role.
    let dave = UserId::of(&issuer.url, "dave").to_string();
    assert_eq!(refused["caller"], dave);
}

#[tokio::test]
async fn a_callback_counts_once_in_the_browser_that_began_and_leads_to_this_service_alone() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let failed = async |browser: &mut Browser, query: &str| {
        let page = browser.page(&format!("{CALLBACK}{query}")).await;
        assert_eq!(page.status(), StatusCode::FORBIDDEN, "{query}");
        assert!(!page.headers().contains_key(SET_COOKIE), "{query}");
        let text = page.text().await.unwrap();
        assert!(text.contains("You aren&#39;t signed in") || text.contains("You aren't signed in"));
    };
    let mut bob = Browser::at(&program.base);
    for query in [
        "",
        "?code=a",
        "?code=a&state=b",
        "?error=access_denied",
        "?code=a&code=b",
    ] {
        // As somebody's link, with which they would sign others in as themselves.
        failed(&mut bob, query).await;
    }
    let query = bob.query_of(&issuer, "bob", "/f/0190?x=1").await;
    let mut other = Browser::at(&program.base);
    other.query_of(&issuer, "alice", "/").await;
    failed(&mut other, &format!("?{query}")).await;
    failed(
        &mut Browser::at(&program.base),
        &format!("?{query}&code=other"),
    )
    .await;
    let back = bob.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(location(&back), "/f/0190?x=1");
    failed(&mut bob, &format!("?{query}")).await;
    // Who asks for no page gets a problem.
    let problem = bob
        .json(Method::GET, &format!("{CALLBACK}?{query}"), None)
        .await;
    assert_eq!(
        (problem.0, &problem.1["code"]),
        (403, &json!("sign_in_failed"))
    );
    for elsewhere in [
        "//evil.example",
        "/%5Cevil.example",
        "https://evil.example",
        "/%09/evil",
        "",
    ] {
        let back = bob.sign_in(&issuer, "bob", elsewhere).await;
        assert_eq!(location(&back), "/", "{elsewhere}");
    }
}

#[tokio::test]
async fn a_session_is_new_with_each_sign_in_is_the_browsers_alone_and_ends_here_and_there() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    // What somebody else put there beforehand: an ID that they made up, and one that they signed in with themselves.
    let mut carol = Browser::of(&program.base, &issuer, "carol").await;
    let mut made_up = Browser::at(&program.base);
    let name = session_of(&carol).0;
    made_up.cookies.push((name.clone(), "0".repeat(64)));
    let mut bob = Browser::at(&program.base);
    for planted in [&mut made_up, &mut carol] {
        bob.cookies.clone_from(&planted.cookies);
        let fixed = session_of(&bob).1;
        let start = bob.page("/v1/session/start").await;
        let kept = start.headers()[SET_COOKIE].to_str().unwrap();
        for part in ["SameSite=Lax", "HttpOnly", "Max-Age=600"] {
            assert!(kept.contains(part), "{kept}");
        }
        let back = bob.sign_in(&issuer, "bob", "/").await;
        let set = back.headers()[SET_COOKIE].to_str().unwrap();
        for part in ["SameSite=Strict", "HttpOnly", "Path=/"] {
            assert!(set.contains(part), "{set}");
        }
        assert_eq!(bob.session().await["principal"]["name"], "Bob Brown");
        assert_ne!(session_of(&bob).1, fixed);
        // Whoever put it there isn't bob by it, nor anybody.
        let theirs = planted.cookies.clone();
        assert_eq!(session_of(planted).1, fixed);
        assert_eq!(planted.list("").await, Err(401));
        planted.cookies = theirs;
        assert_eq!(planted.session().await["principal"], Value::Null);
    }
    let first = session_of(&bob);
    let back = bob.sign_in(&issuer, "bob", "/").await;
    assert_eq!(back.status(), StatusCode::FOUND);
    assert_ne!(session_of(&bob), first);
    let mut leftover = Browser::at(&program.base);
    leftover.cookies.push(first);
    assert_eq!(leftover.session().await["principal"], Value::Null);

    let foreign = [(ORIGIN.as_str(), "https://evil.example")];
    let refused = bob
        .ask(Method::POST, "/v1/session/end", &foreign, None)
        .await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let cookies = bob.cookies.clone();
    let (status, ended) = bob.json(Method::POST, "/v1/session/end", None).await;
    assert_eq!(status, 200);
    let there = ended["signOutAt"].as_str().unwrap();
    assert!(
        there.starts_with(&format!("{}/session/end?", issuer.url)),
        "{there}"
    );
    let page = issuer.page(there).await;
    assert!(page.contains("/session/end/confirm"), "{page}");
    bob.cookies = cookies;
    assert_eq!(bob.session().await["principal"], Value::Null);
    assert_eq!(bob.list("").await, Err(401));
}

#[tokio::test]
async fn sessions_outlive_the_program_and_an_issuer_that_is_away_and_end_with_the_order_of_roles() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let settings = settings(&issuer);
    let program = service(dir.path(), &issuer, &[]);
    let port = program.base.rsplit(':').next().unwrap().to_owned();
    let listen = format!("127.0.0.1:{port}");
    let mut bob = Browser::of(&program.base, &issuer, "bob").await;
    program.terminate();
    let start = |more: &[(&str, &str)]| {
        let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<(&str, &str)> = settings
            .chain([("LISTEN", listen.as_str())])
            .chain(more.iter().copied())
            .collect();
        Program::local(dir.path(), &settings)
    };
    drop(issuer);
    // The cookie is called by the port that was asked for.
    for cookie in &mut bob.cookies {
        cookie.0 = cookie.0.replace("-0", &format!("-{port}"));
    }
    let program = start(&[]);
    assert_eq!(bob.session().await["principal"]["role"], "member");
    let page = bob.page("/v1/session/start").await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    let text = page.text().await.unwrap();
    assert!(text.contains("Nobody can sign in right now"), "{text}");
    let (status, ready) = bob.json(Method::GET, "/readyz", None).await;
    assert_eq!((status, &ready["issuer"]), (200, &json!("away")), "{ready}");
    program.terminate();
    let _program = start(&[("OIDC_MEMBERS", "others")]);
    assert_eq!(bob.session().await["principal"], Value::Null);
}

#[tokio::test]
async fn behind_https_and_below_a_path_cookies_and_addresses_are_those_that_browsers_see() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let public = [("PUBLIC_URL", PUBLIC)];
    let program = service(dir.path(), &issuer, &public);
    let mut bob = Browser::at(&program.listening_at());
    let start = bob.page("/v1/session/start").await;
    let kept = start.headers()[SET_COOKIE].to_str().unwrap();
    assert!(kept.starts_with("__Host-sign-in-") && kept.contains("; Secure"));
    let callback = "https://files.example.org/v1/session/callback";
    let query = issuer.sign_in(location(&start), callback, "bob").await;
    let back = bob.page(&format!("{CALLBACK}?{query}")).await;
    let set = back.headers()[SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("__Host-session=") && set.contains("; Secure"));
    assert_eq!(bob.session().await["principal"]["role"], "member");
    program.terminate();

    let dir = data_dir();
    let public = [("PUBLIC_URL", "http://127.0.0.1:8000/share")];
    let program = service(dir.path(), &issuer, &public);
    let mut bob = Browser::at(&program.listening_at());
    let start = bob.page("/share/v1/session/start?returnTo=/f/1").await;
    let callback = "http://127.0.0.1:8000/share/v1/session/callback";
    let query = issuer.sign_in(location(&start), callback, "bob").await;
    // With the prefix, or without it.
    let back = bob.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(location(&back), "/share/f/1");
}

#[tokio::test]
async fn in_aws_mode_a_sign_in_may_begin_at_one_process_and_end_at_another() {
    let deployment = MiniStack::shared().await.deploy("issuer-sign-in").await;
    let issuer = Issuer::start();
    let settings = settings(&issuer);
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let without: Vec<(&str, &str)> = settings.collect();
    let refused = Program::aws_api_refuses(&deployment, &without);
    assert!(refused.contains("SESSION_SECRET"), "{refused}");
    let refused = Program::aws_api_refuses(&deployment, &[("ACCESS", "")]);
    assert!(refused.contains("OIDC_ISSUER") && refused.contains("ACCESS=open"));

    let secret = [("SESSION_SECRET", SESSION_SECRET)];
    let without: Vec<(&str, &str)> = without.into_iter().chain(secret).collect();
    let refused = Program::aws_api_refuses(&deployment, &without);
    assert!(refused.contains("PUBLIC_URL: is needed"), "{refused}");
    let with = [&without[..], &[("PUBLIC_URL", PUBLIC)]].concat();
    let [one, other] = [&with, &with].map(|settings| Program::aws_api(&deployment, settings));
    let at = |process: &Program| {
        let mut browser = Browser::at(&process.listening_at());
        browser.public = Some(PUBLIC.to_owned());
        browser
    };
    let mut bob = at(&one);
    // Whatever host a request names, the issuer sends people back to the one that is set.
    let strange = [("host", "evil.example")];
    let start = "/v1/session/start";
    let start = bob.ask(Method::GET, start, &strange, None).await;
    assert!(location(&start).contains("redirect_uri=https%3A%2F%2Ffiles.example.org%2Fv1%2F"));
    let query = bob.query_of(&issuer, "bob", "/").await;
    bob.base = other.listening_at();
    let back = bob.page(&format!("{CALLBACK}?{query}")).await;
    assert_eq!(back.status(), StatusCode::FOUND);
    let id = bob.create("bobs.txt").await;
    bob.base = one.listening_at();
    assert_eq!(bob.list("").await, names(&["bobs.txt"]));
    let mut alice = at(&other);
    alice.sign_in(&issuer, "alice", "/").await;
    assert_eq!(alice.list("").await, names(&[]));
    assert_eq!(alice.list("?owner=all").await, names(&["bobs.txt"]));
    let path = format!("/v1/files/{id}");
    let (status, _) = alice.json(Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    bob.json(Method::POST, "/v1/session/end", None).await;
    assert_eq!(bob.session().await["principal"], Value::Null);
    // What each process did is a chain on its standard output; they sign with one key.
    let dir = data_dir();
    let mut keys = Vec::new();
    for (program, done) in [
        (one, &["end_session"][..]),
        (other, &["begin_session", "create_file", "delete_file"]),
    ] {
        let lines = program.greeting.clone() + &program.said_until_its_end();
        for action in done {
            assert!(
                lines.contains(&format!("\"{action}\"")),
                "{action}: {lines}"
            );
        }
        assert!(
            !lines.contains("bobs.txt") && !lines.contains("eyJ"),
            "{lines}"
        );
        let file = dir.path().join("audit.jsonl");
        std::fs::write(&file, &lines).unwrap();
        let verified = verify_audit(&[file.to_str().unwrap()]);
        let said = String::from_utf8(verified.stdout).unwrap();
        assert!(verified.status.success(), "{said}");
        let key = said
            .lines()
            .find_map(|line| line.strip_prefix("signed by "));
        keys.push(key.unwrap().to_owned());
        // A line that is taken out shows.
        let first = done[0];
        let without = lines.lines().filter(|line| !line.contains(first));
        let without: Vec<&str> = without.collect();
        std::fs::write(&file, without.join("\n")).unwrap();
        assert!(!verify_audit(&[file.to_str().unwrap()]).status.success());
    }
    assert_eq!(keys[0], keys[1]);
}

/// `file-share audit verify`.
fn verify_audit(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_file-share"));
    command.args(["audit", "verify"]).args(arguments);
    command.output().unwrap()
}
