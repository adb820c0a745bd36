//! How often somebody may call, on the real programs in both modes.

use std::fs;
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::issuer_sign_in::service;
use crate::support::issuer::Issuer;
use crate::support::ministack::Deployment;
use crate::support::program::{Program, data_dir};
use crate::support::recording_proxy::RecordingProxy;

/// A program that others reach and that asks for its key, so that limits hold; and the key.
fn asking(data_dir: &std::path::Path, settings: &[(&str, &str)]) -> (Program, String) {
    let settings = [&[("ACCESS", "key")][..], settings].concat();
    let program = Program::local(data_dir, &settings);
    let key = fs::read_to_string(data_dir.join("access-key")).unwrap();
    (program, key.trim_end().to_owned())
}

struct Somebody<'a> {
    base: &'a str,
    bearer: Option<&'a str>,
    forwarded_for: Option<&'a str>,
}

impl<'a> Somebody<'a> {
    fn at(base: &'a str) -> Self {
        Self {
            base,
            bearer: None,
            forwarded_for: None,
        }
    }

    fn with(self, bearer: &'a str) -> Self {
        Self {
            bearer: Some(bearer),
            ..self
        }
    }

    fn behind(self, forwarded_for: &'a str) -> Self {
        Self {
            forwarded_for: Some(forwarded_for),
            ..self
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.build().unwrap();
        let mut request = client.request(method, format!("{}{path}", self.base));
        if let Some(bearer) = self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(addresses) = self.forwarded_for {
            request = request.header("X-Forwarded-For", addresses);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn create(&self) -> Response {
        let body = json!({"filename": "a.txt", "size": 5});
        self.ask(Method::POST, "/v1/files", Some(body)).await
    }

    async fn read(&self) -> Response {
        self.ask(Method::GET, "/v1/files", None).await
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|it| it.to_str().unwrap())
}

async fn code(answer: Response) -> Value {
    answer.json::<Value>().await.unwrap()["code"].clone()
}

/// Each of 8 at once.
async fn create_at_once(somebody: &Somebody<'_>) -> Vec<Response> {
    let all = (0..8).map(|_| somebody.create());
    futures_util::future::join_all(all).await
}

#[tokio::test]
async fn creates_beyond_the_rate_are_429_and_pass_after_the_time_that_is_said() {
    let dir = data_dir();
    let (program, key) = asking(dir.path(), &[("RATE_CREATE", "6/min:3")]);
    let somebody = Somebody::at(&program.base).with(&key);
    let answers = create_at_once(&somebody).await;
    let (created, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|it| it.status() == 201);
    assert_eq!(created.len(), 3);
    // The last has less than a tenth left, which is none.
    let told = created.iter().filter_map(|it| header(it, "ratelimit"));
    let told: Vec<_> = told.collect();
    assert!(
        told.len() == 1 && told[0].starts_with("\"create\";r=0;t="),
        "{told:?}"
    );
    let again_in = refused.iter().map(|it| {
        assert_eq!(it.status(), 429);
        let left = header(it, "ratelimit").unwrap();
        assert!(left.starts_with("\"create\";r=0;t="), "{left}");
        assert_eq!(header(it, "ratelimit-policy"), Some("\"create\";q=3;w=30"));
        header(it, "retry-after").unwrap().parse::<u64>().unwrap()
    });
    let again_in = again_in.max().unwrap();
    assert!((1..=10).contains(&again_in), "{again_in}");
    // Other calls have a limit of their own.
    assert_eq!(somebody.read().await.status(), 200);
    let listed: Value = somebody.read().await.json().await.unwrap();
    assert_eq!(listed["files"].as_array().unwrap().len(), 3);
    tokio::time::sleep(Duration::from_secs(again_in)).await;
    assert_eq!(somebody.create().await.status(), 201);
    let audited = fs::read_dir(dir.path().join("audit")).unwrap();
    let audited: String = audited
        .map(|day| fs::read_to_string(day.unwrap().path()).unwrap())
        .collect();
    assert!(
        audited.contains("\"outcome\":\"rate_limited\""),
        "{audited}"
    );
}

#[tokio::test]
async fn a_browser_above_the_rate_gets_a_page_in_words_that_loads_again_by_itself() {
    let dir = data_dir();
    let (program, _) = asking(dir.path(), &[("RATE_READ", "60/h:3")]);
    let page = async |path: &str, accept: &str, language: &str| {
        let request = Client::new().get(format!("{}{path}", program.base));
        let request = request.header("accept", accept);
        let request = request.header("accept-language", language);
        request.send().await.unwrap()
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/s/nothing", "/b/nothing", "/f/nothing"] {
        assert_eq!(page(path, browser, "en").await.status(), 404, "{path}");
    }
    for (path, language, title, product) in [
        ("/s/nothing", "en", "The service is busy", "../web/"),
        (
            "/b/nothing",
            "de-CH, en;q=0.5",
            "Der Dienst ist ausgelastet",
            "../web/",
        ),
        ("/f/nothing/", "fr", "The service is busy", "../../web/"),
    ] {
        let answer = page(path, browser, language).await;
        assert_eq!(answer.status(), 429, "{path}");
        assert_eq!(
            header(&answer, "content-type"),
            Some("text/html; charset=utf-8")
        );
        let seconds: u64 = header(&answer, "retry-after").unwrap().parse().unwrap();
        assert!((50..=60).contains(&seconds), "{seconds}");
        assert_eq!(header(&answer, "refresh"), header(&answer, "retry-after"));
        assert_eq!(header(&answer, "cache-control"), Some("private, no-store"));
        let policy = header(&answer, "content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        let id = header(&answer, "x-request-id").unwrap().to_owned();
        let left = header(&answer, "ratelimit").unwrap();
        assert!(left.starts_with("\"read\";r=0;t="), "{left}");
        let html = answer.text().await.unwrap();
        assert!(html.contains(&format!("<h1>{title}</h1>")), "{html}");
        assert!(
            html.contains(&format!(" {seconds} se")) || html.contains(&format!(" {seconds} Se")),
            "{html}"
        );
        assert!(html.contains(product) && html.contains(&id), "{html}");
        assert!(html.len() < 8 * 1024);
    }
    // The form of a link's page is sent by a browser too.
    let form = Client::new().post(format!("{}/s/nothing", program.base));
    let form = form
        .header("accept", browser)
        .header("origin", &program.base);
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert!(
        header(&answer, "content-type")
            .unwrap()
            .starts_with("text/html")
    );
    // Programs are told as ever, whatever they say that they take of a call.
    for (path, accept) in [
        ("/s/nothing", "*/*"),
        ("/f/nothing", "application/json"),
        ("/v1/shared/nothing", browser),
    ] {
        let answer = page(path, accept, "en").await;
        assert_eq!(answer.status(), 429, "{path}");
        assert_eq!(
            header(&answer, "content-type"),
            Some("application/problem+json")
        );
        assert!(header(&answer, "retry-after").is_some() && header(&answer, "refresh").is_none());
        assert_eq!(code(answer).await, "rate_limited");
    }
}

#[tokio::test]
async fn a_redirect_says_nothing_of_limits_and_health_has_none() {
    let dir = data_dir();
    let (program, key) = asking(dir.path(), &[("RATE_READ", "3/h")]);
    let somebody = Somebody::at(&program.base).with(&key);
    let created: Value = somebody.create().await.json().await.unwrap();
    let upload = &created["upload"];
    let mut put = Client::new().put(upload["url"].as_str().unwrap());
    for (name, value) in upload["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert_eq!(put.body("hello").send().await.unwrap().status(), 200);
    let file = format!("/v1/files/{}", created["id"].as_str().unwrap());
    let metadata = format!("{file}/metadata?wait=20");
    let settled = somebody.ask(Method::GET, &metadata, None).await;
    assert_eq!(header(&settled, "ratelimit"), None);
    assert_eq!(somebody.read().await.status(), 200);
    // The last that there is.
    let redirected = somebody.ask(Method::GET, &file, None).await;
    assert_eq!(redirected.status(), 307);
    assert_eq!(header(&redirected, "ratelimit"), None);
    let refused = somebody.ask(Method::GET, &file, None).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(code(refused).await, "rate_limited");
    for path in ["/healthz", "/readyz", "/openapi.json", "/"] {
        for _ in 0..5 {
            let answer = somebody.ask(Method::GET, path, None).await;
            assert_eq!(answer.status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn whoever_sits_at_the_machine_has_no_limit() {
    let dir = data_dir();
    let settings = [
        ("ACCESS", "auto"),
        ("RATE_READ", "1/h"),
        ("RATE_CREATE", "1/h"),
    ];
    let program = Program::local(dir.path(), &settings);
    let somebody = Somebody::at(&program.base);
    for _ in 0..5 {
        assert_eq!(somebody.create().await.status(), 201);
        assert_eq!(somebody.read().await.status(), 200);
    }
}

#[tokio::test]
async fn an_address_is_the_one_that_a_trusted_proxy_names_and_none_that_a_client_made_up() {
    let dir = data_dir();
    let settings = [
        ("RATE_READ", "2/h"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
    ];
    let program = Program::local(dir.path(), &settings);
    let reads = async |addresses: &str| {
        let somebody = Somebody::at(&program.base).behind(addresses);
        somebody.read().await.status().as_u16()
    };
    assert_eq!(reads("203.0.113.7").await, 200);
    assert_eq!(reads("198.51.100.1, 203.0.113.7").await, 200);
    for forged in [
        "203.0.113.7",
        "198.51.100.2, 203.0.113.7",
        "10.9.9.9, 203.0.113.7, 10.0.0.2",
        "::ffff:203.0.113.7",
    ] {
        assert_eq!(reads(forged).await, 429, "{forged}");
    }
    assert_eq!(reads("203.0.113.8").await, 200);
    assert_eq!(reads("2001:db8:0:1::1").await, 200);
    assert_eq!(reads("2001:db8:0:1:ffff::2").await, 200);
    assert_eq!(reads("2001:db8:0:1::3").await, 429);
    assert_eq!(reads("2001:db8:0:2::1").await, 200);
}

#[tokio::test]
async fn without_trusted_proxies_nobody_chooses_their_address_and_the_operator_is_told_once() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("RATE_READ", "2/h")]);
    for last in 1..=6 {
        let addresses = format!("203.0.113.{last}");
        let somebody = Somebody::at(&program.base).behind(&addresses);
        let expected = if last <= 2 { 200 } else { 429 };
        assert_eq!(somebody.read().await.status(), expected);
    }
    assert_eq!(program.log().matches("TRUSTED_PROXIES").count(), 1);
}

#[tokio::test]
async fn wrong_keys_and_tokens_are_looked_at_so_often_and_whoever_has_the_right_one_goes_on() {
    let dir = data_dir();
    let (program, key) = asking(dir.path(), &[("RATE_SECRET", "3/h")]);
    let operator = Somebody::at(&program.base).with(&key);
    let wanted = json!({"label": "a program", "scopes": ["read"]});
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let made = operator.ask(Method::POST, "/v1/tokens", Some(wanted.clone()));
        let made: Value = made.await.json().await.unwrap();
        tokens.push(made);
    }
    let text = |n: usize| tokens[n]["token"].as_str().unwrap();
    let second = format!("/v1/tokens/{}", tokens[1]["id"].as_str().unwrap());
    let revoked = operator.ask(Method::DELETE, &second, None).await;
    assert_eq!(revoked.status(), 204);
    let program_with_token = Somebody::at(&program.base).with(text(0));
    assert_eq!(program_with_token.read().await.status(), 200);

    let guesser = Somebody::at(&program.base).with("fsk_guess");
    let sign_in = async |key: &str| {
        let body = json!({"key": key});
        let somebody = Somebody::at(&program.base);
        somebody.ask(Method::POST, "/v1/session", Some(body)).await
    };
    assert_eq!(guesser.read().await.status(), 401);
    assert_eq!(guesser.read().await.status(), 401);
    assert_eq!(sign_in("fsk_guess").await.status(), 401);
    for refused in [guesser.read().await, sign_in("fsk_guess").await] {
        assert_eq!(refused.status(), 429);
        let again_in: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
        assert!((1_000..=1_200).contains(&again_in), "{again_in}");
        assert_eq!(code(refused).await, "too_many_tries");
    }
    let unknown = Somebody::at(&program.base).with(text(1));
    for _ in 0..3 {
        assert_eq!(unknown.read().await.status(), 401);
    }
    assert_eq!(unknown.read().await.status(), 429);
    // All at the same address.
    assert_eq!(operator.read().await.status(), 200);
    assert_eq!(sign_in(&key).await.status(), 204);
    assert_eq!(program_with_token.read().await.status(), 200);
    assert!(!program.log().contains("fsk_guess"));
}

#[tokio::test]
async fn what_is_left_of_old_sessions_is_looked_up_so_often_and_keeps_nobody_from_signing_in() {
    let dir = data_dir();
    let (program, key) = asking(dir.path(), &[("RATE_SECRET", "3/h")]);
    let url = |path: &str| format!("{}{path}", program.base);
    let cookie = |n: u8| {
        let port = program.base.rsplit(':').next().unwrap();
        // The program chose its port itself, so its cookies are named by none.
        [
            format!("session-0={n:064x}"),
            format!("session-{port}={n:064x}"),
        ]
        .join("; ")
    };
    let client = Client::new();
    let read = async |n: u8| {
        let asked = client.get(url("/v1/files")).header("Cookie", cookie(n));
        asked.send().await.unwrap()
    };
    for n in 0..3 {
        assert_eq!(read(n).await.status(), 401);
    }
    assert_eq!(code(read(4).await).await, "too_many_tries");
    let body = json!({"key": key});
    let signing_in = client.post(url("/v1/session")).header("Cookie", cookie(4));
    let signed_in = signing_in.json(&body).send().await.unwrap();
    assert_eq!(signed_in.status(), 204);
    let session = header(&signed_in, "set-cookie").unwrap();
    let session = session.split(';').next().unwrap().to_owned();
    let asked = client.get(url("/v1/files")).header("Cookie", session);
    assert_eq!(asked.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_person_has_one_limit_by_all_their_tokens_and_another_person_has_their_own() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let settings = [("RATE_CREATE", "2/h")];
    let program = service(dir.path(), &issuer, &settings);
    let (bob, alice) = (
        issuer.tokens_of("bob").await.access,
        issuer.tokens_of("alice").await.access,
    );
    let bob = Somebody::at(&program.base).with(&bob);
    let wanted = json!({"label": "a program", "scopes": ["read", "write"]});
    let made = bob.ask(Method::POST, "/v1/tokens", Some(wanted)).await;
    let made: Value = made.json().await.unwrap();
    let program_of_bob = Somebody::at(&program.base).with(made["token"].as_str().unwrap());
    assert_eq!(program_of_bob.create().await.status(), 201);
    assert_eq!(program_of_bob.create().await.status(), 429);
    assert_eq!(bob.create().await.status(), 429);
    let alice = Somebody::at(&program.base).with(&alice);
    assert_eq!(alice.create().await.status(), 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_each_process_has_the_limit_and_a_refused_create_asks_no_store() {
    let deployment = Deployment::shared().await;
    let store = RecordingProxy::to(&deployment.endpoint);
    let url = store.url();
    let settings = [("RATE_CREATE", "2/h"), ("AWS_ENDPOINT_URL", url.as_str())];
    let one = Program::aws_api(deployment, &settings);
    let another = Program::aws_api(deployment, &[("RATE_CREATE", "2/h")]);
    let (one, another) = (Somebody::at(&one.base), Somebody::at(&another.base));
    for _ in 0..2 {
        assert_eq!(one.create().await.status(), 201);
    }
    assert!(store.take_sent().contains("DynamoDB"));
    for refused in create_at_once(&one).await {
        assert_eq!(refused.status(), 429);
        assert!(header(&refused, "retry-after").is_some());
        assert_eq!(code(refused).await, "rate_limited");
    }
    let sent = store.take_sent();
    assert!(
        !sent.contains("PutItem") && !sent.contains("TransactWriteItems"),
        "{sent}"
    );
    assert!(!sent.contains("GetItem"), "{sent}");
    assert_eq!(another.create().await.status(), 201);
}
