//! Links at a running service, in both modes: made, opened by browsers and programs, counted, guessed, ended.

mod pages;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::ministack::Deployment;
use crate::support::program::{Program, data_dir};

const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn client() -> Client {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none());
    client.build().unwrap()
}

/// Somebody who speaks to a service, with a proof or without.
struct Somebody {
    client: Client,
    base: String,
    proof: Option<String>,
}

impl Somebody {
    fn at(base: &str) -> Self {
        Self {
            client: client(),
            base: base.to_owned(),
            proof: None,
        }
    }

    fn with(base: &str, bearer: &str) -> Self {
        Self {
            proof: Some(bearer.to_owned()),
            ..Self::at(base)
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(proof) = &self.proof {
            request = request.bearer_auth(proof);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self.ask(method, path, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// A file whose bytes arrived, as its ID.
    async fn file(&self, name: &str, content: &str) -> String {
        let body = json!({"filename": name, "size": content.len(), "contentType": "text/plain"});
        let (status, created) = self.json(Method::POST, "/v1/files", Some(&body)).await;
        assert_eq!(status, 201, "{created}");
        let upload = &created["upload"];
        let mut put = self.client.put(upload["url"].as_str().unwrap());
        for (name, value) in upload["headers"].as_object().unwrap() {
            put = put.header(name, value.as_str().unwrap());
        }
        let put = put.body(content.to_owned()).send().await.unwrap();
        assert_eq!(put.status(), 200);
        let id = created["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/files/{id}/complete");
        let (_, record) = self.json(Method::POST, &path, None).await;
        assert_eq!(record["status"], "available", "{record}");
        id
    }

    async fn link(&self, body: &Value) -> Value {
        let (status, link) = self.json(Method::POST, "/v1/links", Some(body)).await;
        assert_eq!(status, 201, "{link}");
        link
    }

    /// Takes a file as a program does.
    async fn take(&self, link: &Value, file: &str, key: Option<&str>, body: &Value) -> Response {
        let path = format!(
            "{}/v1/shared/{}/files/{file}/downloads",
            self.base,
            token(link)
        );
        let mut request = self.client.post(path).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().await.unwrap()
    }

    async fn open(&self, method: Method, url: &str, accept: &str) -> Response {
        let request = self.client.request(method, url).header(ACCEPT, accept);
        request.send().await.unwrap()
    }
}

/// What stands behind `/s/` in a link's URL.
fn token(link: &Value) -> &str {
    let (_, token) = link["url"].as_str().unwrap().rsplit_once("/s/").unwrap();
    assert_eq!(token.len(), 43);
    token
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

async fn code(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap();
    (status, text(&problem, "code").to_owned())
}

/// What holds in both modes, whoever may do everything.
async fn a_link_is_made_used_changed_and_ended(base: &str) {
    let somebody = Somebody::at(base);
    let file = somebody.file("résumé final?.txt", "hello").await;
    let link = somebody
        .link(&json!({"files": [file], "title": "For you", "label": "a note"}))
        .await;
    assert!(text(&link, "url").starts_with(base), "{link}");
    assert_eq!(link["hasPassword"], false);
    assert_eq!(link["maxDownloads"], Value::Null);

    let shared = format!("/v1/shared/{}", token(&link));
    let (status, seen) = somebody.json(Method::GET, &shared, None).await;
    assert_eq!(status, 200);
    assert_eq!(seen["title"], "For you");
    assert_eq!(seen["files"][0]["displayName"], "résumé final?.txt");
    assert_eq!(seen["files"][0]["id"], file.as_str());
    assert!(!seen.to_string().contains("a note"), "{seen}");

    // Without a body too.
    let path = format!("{shared}/files/{file}/downloads");
    let (status, grant) = somebody.json(Method::POST, &path, None).await;
    assert_eq!(status, 201, "{grant}");
    assert_eq!(grant["downloadsLeft"], Value::Null);
    let url = text(&grant, "url");
    assert!(
        url.contains("X-Amz-Expires=60&") && url.contains("x-grant="),
        "{url}"
    );
    let fetched = somebody.client.get(url).send().await.unwrap();
    assert_eq!(fetched.text().await.unwrap(), "hello");
    // What was signed can't be changed, nor left out.
    let (_, grant) = url.split_once("x-grant=").unwrap();
    let named = format!("x-grant={}", grant.split('&').next().unwrap());
    for changed in [
        url.replace("x-grant=", "x-grant=0"),
        url.replace(&format!("&{named}"), ""),
    ] {
        assert_ne!(changed, url);
        let refused = somebody.client.get(changed).send().await.unwrap();
        assert_eq!(refused.status(), 403);
    }

    // Its owner sees it again, with its URL, and the file does.
    for list in ["/v1/links".to_owned(), format!("/v1/files/{file}/links")] {
        eventually_lists(&somebody, &list, &link).await;
    }
    let own = format!("/v1/links/{}", text(&link, "id"));
    let change = json!({"title": null, "maxDownloads": 5, "renew": true});
    let (status, renewed) = somebody.json(Method::PATCH, &own, Some(&change)).await;
    assert_eq!(status, 200, "{renewed}");
    assert_ne!(renewed["url"], link["url"]);
    assert_eq!(renewed["label"], "a note");
    assert_eq!(renewed["title"], Value::Null);
    let gone = somebody.ask(Method::GET, &shared, None).await;
    assert_eq!(code(gone).await, (410, "link_gone".into()));
    let taken = somebody.take(&renewed, &file, None, &json!({})).await;
    let taken: Value = taken.json().await.unwrap();
    assert_eq!(taken["downloadsLeft"], 4);

    let ended = somebody.ask(Method::DELETE, &own, None).await;
    assert_eq!(ended.status(), 204);
    let gone = somebody.take(&renewed, &file, None, &json!({})).await;
    assert_eq!(code(gone).await, (410, "link_gone".into()));
    for method in [Method::DELETE, Method::PATCH] {
        let body = (method == Method::PATCH).then(|| json!({}));
        let again = somebody.ask(method, &own, body.as_ref()).await;
        assert_eq!(code(again).await, (404, "link_not_found".into()));
    }
    // One that never was, and one that is changed.
    let changed: String = token(&link).chars().rev().collect();
    for never in ["x", &changed, &"A".repeat(43)] {
        let refused = somebody
            .ask(Method::GET, &format!("/v1/shared/{never}"), None)
            .await;
        assert_eq!(code(refused).await, (404, "link_not_found".into()));
    }
    nothing_else_is_a_link_and_a_link_is_nothing_else(&somebody, token(&renewed)).await;
}

/// What is signed for a link, a box or a hand-in is worth nothing as one of the others.
async fn nothing_else_is_a_link_and_a_link_is_nothing_else(somebody: &Somebody, link: &str) {
    let made = json!({"title": "Sheet 3"});
    let (status, made) = somebody.json(Method::POST, "/v1/boxes", Some(&made)).await;
    assert_eq!(status, 201, "{made}");
    let (_, in_box) = text(&made, "url").rsplit_once("/b/").unwrap();
    let hand_in = json!({"filename": "a.txt", "size": 1, "submitter": "Ada"});
    let path = format!("/v1/drop/{in_box}/files");
    let (status, handed_in) = somebody.json(Method::POST, &path, Some(&hand_in)).await;
    assert_eq!(status, 201, "{handed_in}");
    let submission = text(&handed_in, "submissionToken");
    for (call, tokens, expected) in [
        ("shared", [in_box, submission], "link_not_found"),
        ("drop", [link, submission], "box_not_found"),
    ] {
        for token in tokens {
            let path = format!("/v1/{call}/{token}");
            let refused = somebody.ask(Method::GET, &path, None);
            assert_eq!(code(refused.await).await, (404, expected.into()));
        }
    }
}

/// An index shows what was written a moment later.
async fn eventually_lists(somebody: &Somebody, list: &str, link: &Value) {
    for _ in 0..200 {
        let (status, listed) = somebody.json(Method::GET, list, None).await;
        assert_eq!(status, 200, "{listed}");
        if listed["links"].as_array().unwrap().contains(link) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{list} doesn't show the link");
}

/// What holds in both modes: of 64 at a time, at every process, ten get it.
async fn exactly_ten_of_64_take_it(bases: &[String]) {
    let owner = Somebody::at(&bases[0]);
    let file = owner.file("one.txt", "hello").await;
    let link = owner
        .link(&json!({"files": [file], "maxDownloads": 10}))
        .await;
    let racers = (0..64).map(|n| {
        let (link, file) = (link.clone(), file.clone());
        let base = bases[n % bases.len()].clone();
        tokio::spawn(async move {
            // Each sends its request twice, as somebody who got no answer.
            let somebody = Somebody::at(&base);
            let key = format!("racer-{n}");
            let mut outcomes = BTreeSet::new();
            for _ in 0..2 {
                let answer = loop {
                    let answer = somebody.take(&link, &file, Some(&key), &json!({})).await;
                    if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                        break answer;
                    }
                };
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap();
                outcomes.insert((status, body["code"].to_string()));
            }
            assert_eq!(outcomes.len(), 1, "{outcomes:?}");
            outcomes.pop_first().unwrap().0
        })
    });
    let racers: Vec<_> = racers.collect();
    let mut granted = 0;
    for racer in racers {
        match racer.await.unwrap() {
            201 => granted += 1,
            410 => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(granted, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_local_mode_a_link_is_made_used_changed_and_ended() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    a_link_is_made_used_changed_and_ended(&program.base).await;
    exactly_ten_of_64_take_it(std::slice::from_ref(&program.base)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_a_link_is_made_used_changed_and_ended_at_any_process() {
    let deployment = Deployment::shared().await;
    let programs = [(); 3].map(|()| Program::aws_api(deployment, &[]));
    a_link_is_made_used_changed_and_ended(&programs[0].base).await;
    let bases = programs.each_ref().map(|program| program.base.clone());
    exactly_ten_of_64_take_it(&bases).await;
    // Made at one, opened at another.
    let [one, other] = [0, 1].map(|at| Somebody::at(&bases[at]));
    let file = one.file("a.txt", "hello").await;
    let link = one.link(&json!({"files": [file]})).await;
    let path = format!("/v1/shared/{}", token(&link));
    let (status, _) = other.json(Method::GET, &path, None).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_service_in_aws_mode_does_not_start_without_a_secret_and_takes_a_new_one_beside_the_old()
{
    let deployment = Deployment::shared().await;
    let refused = Program::aws_api_refuses(deployment, &[("LINK_SECRET", "")]);
    assert!(refused.contains("LINK_SECRET"), "{refused}");
    let refused = Program::aws_api_refuses(deployment, &[("LINK_SECRET", "hush-hush-hush")]);
    assert!(refused.contains("LINK_SECRET"), "{refused}");
    assert!(!refused.contains("hush"), "{refused}");
    let (old, new) = ("o".repeat(32), "n".repeat(32));
    let before = Program::aws_api(deployment, &[("LINK_SECRET", &old)]);
    let somebody = Somebody::at(&before.base);
    let file = somebody.file("a.txt", "hello").await;
    let link = somebody.link(&json!({"files": [file]})).await;
    before.terminate();
    let both = format!("{new}, {old}");
    for (secrets, status) in [(both.as_str(), 200), (new.as_str(), 404)] {
        let after = Program::aws_api(deployment, &[("LINK_SECRET", secrets)]);
        let path = format!("/v1/shared/{}", token(&link));
        let answer = Somebody::at(&after.base)
            .ask(Method::GET, &path, None)
            .await;
        assert_eq!(answer.status().as_u16(), status, "{secrets}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_what_was_counted_survive_a_kill_and_who_got_no_answer_gets_it() {
    let dir = data_dir();
    let mut program = Program::local(dir.path(), &[]);
    let owner = Somebody::at(&program.base);
    let file = owner.file("a.txt", "hello").await;
    let link = owner
        .link(&json!({"files": [file], "maxDownloads": 20}))
        .await;
    let mut granted = BTreeSet::new();
    for round in 0..5 {
        let somebody = Somebody::at(&program.base);
        let asking: Vec<_> = (0..8)
            .map(|n| {
                let key = format!("key-{round}-{n}");
                let path = format!("/v1/shared/{}/files/{file}/downloads", token(&link));
                let request = somebody
                    .client
                    .post(format!("{}{path}", somebody.base))
                    .header("Idempotency-Key", &key);
                tokio::spawn(async move { (key, request.send().await) })
            })
            .collect();
        // In the middle of it, at another moment each time.
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        program.kill();
        let mut unanswered = Vec::new();
        for asked in asking {
            match asked.await.unwrap() {
                (key, Ok(answer)) if answer.status() == 201 => {
                    granted.insert(key);
                }
                (_, Ok(answer)) => assert_eq!(answer.status(), 410),
                (key, Err(_)) => unanswered.push(key),
            }
        }
        program = Program::local(dir.path(), &[]);
        let somebody = Somebody::at(&program.base);
        for key in unanswered {
            let answer = somebody.take(&link, &file, Some(&key), &json!({})).await;
            if answer.status() == 201 {
                granted.insert(key);
            }
        }
    }
    assert_eq!(granted.len(), 20);
    let somebody = Somebody::at(&program.base);
    let path = format!("/v1/shared/{}", token(&link));
    let (_, shared) = somebody.json(Method::GET, &path, None).await;
    assert_eq!(shared["downloadsLeft"], 0);
}

#[tokio::test]
async fn one_grant_is_enough_for_a_download_in_parts_and_after_it_began() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&program.base);
    let file = somebody.file("a.txt", "0123456789").await;
    let link = somebody
        .link(&json!({"files": [file], "maxDownloads": 1}))
        .await;
    let grant = somebody.take(&link, &file, None, &json!({})).await;
    let grant: Value = grant.json().await.unwrap();
    assert_eq!(grant["downloadsLeft"], 0);
    let url = text(&grant, "url");
    for (range, expected) in [("bytes=0-3", "0123"), ("bytes=4-", "456789")] {
        let part = somebody.client.get(url).header(RANGE, range).send().await;
        let part = part.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(part.text().await.unwrap(), expected);
    }
    let more = somebody.take(&link, &file, None, &json!({})).await;
    assert_eq!(code(more).await, (410, "download_limit_reached".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_guessed_ten_times_a_minute_and_a_hundred_at_once_are_no_way_round() {
    let dir = data_dir();
    // However long a hundred take, there is no eleventh.
    let program = Program::local(dir.path(), &[("RATE_SECRET", "10/h")]);
    let owner = Somebody::at(&program.base);
    let file = owner.file("a.txt", "hello").await;
    let link = owner
        .link(&json!({"files": [file], "password": "correct horse", "maxDownloads": 3}))
        .await;
    assert_eq!(link["hasPassword"], true);
    assert!(!link.to_string().contains("correct horse"));
    for (body, expected) in [
        (json!({}), (403, "wrong_password")),
        (json!({"password": "wrong"}), (403, "wrong_password")),
    ] {
        let refused = owner.take(&link, &file, None, &body).await;
        assert_eq!(code(refused).await, (expected.0, expected.1.to_owned()));
    }
    let right = json!({"password": "correct horse"});
    let taken = owner.take(&link, &file, None, &right).await;
    assert_eq!(taken.status(), 201);
    let guessing: Vec<_> = (0..100)
        .map(|n| {
            let (base, link, file) = (program.base.clone(), link.clone(), file.clone());
            tokio::spawn(async move {
                let guess = json!({"password": format!("guess {n}")});
                let answer = Somebody::at(&base).take(&link, &file, None, &guess).await;
                if answer.status() == 429 {
                    assert!(answer.headers().contains_key(RETRY_AFTER));
                }
                code(answer).await
            })
        })
        .collect();
    let mut looked_at = 1;
    for guess in guessing {
        match guess.await.unwrap() {
            (403, _) => looked_at += 1,
            (429, code) => assert_eq!(code, "too_many_tries"),
            (503, code) => assert_eq!(code, "overloaded"),
            other => panic!("{other:?}"),
        }
    }
    assert!(looked_at <= 10, "{looked_at}");
    // The right one isn't told apart now.
    let refused = owner.take(&link, &file, None, &right).await;
    assert_eq!(code(refused).await, (429, "too_many_tries".into()));
    let log = program.log();
    assert!(!log.contains("correct horse") && !log.contains("guess 1"));
}

#[tokio::test]
async fn no_token_and_no_url_of_a_link_is_in_the_log_or_on_the_disk_however_much_is_asked_for() {
    let dir = data_dir();
    let settings = [("RUST_LOG", "trace"), ("AUDIT", "on")];
    let program = Program::local(dir.path(), &settings);
    let somebody = Somebody::at(&program.base);
    let file = somebody.file("a.txt", "hello").await;
    let link = somebody.link(&json!({"files": [file]})).await;
    let token = token(&link).to_owned();
    let grant = somebody.take(&link, &file, None, &json!({})).await;
    let grant: Value = grant.json().await.unwrap();
    for path in [
        format!("/s/{token}"),
        format!("/s/{token}/"),
        format!("/S/{token}"),
        format!("/s/{token}?utm_source=mail"),
        format!("/v1/shared/{token}"),
        format!("/v1/shared/{token}/files/{file}/nothing"),
        format!("/{token}"),
        format!("/v1/links/{token}"),
    ] {
        for accept in [BROWSER, "*/*"] {
            let url = format!("{}{path}", program.base);
            somebody.open(Method::GET, &url, accept).await;
            somebody.open(Method::DELETE, &url, accept).await;
        }
    }
    let log = program.log();
    assert!(log.contains("answered"), "the log is there");
    assert!(log.contains("/s/…"), "the paths are there");
    assert!(!log.contains(&token), "the token is in the log");
    assert!(!log.contains("X-Amz-Signature"), "a URL is in the log");
    program.terminate();
    let audit = everything_below(&dir.path().join("audit"));
    let (_, grant) = text(&grant, "url").split_once("x-grant=").unwrap();
    let grant = grant.split('&').next().unwrap();
    let expected = format!("{file} by link {}, grant {grant}", text(&link, "id"));
    for wanted in ["create_link", "download_shared", &expected] {
        assert!(audit.contains(wanted), "{wanted}: {audit}");
    }
    let disk = everything_below(dir.path());
    assert!(!disk.contains(&token), "the token is on the disk");
}

fn everything_below(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all += &everything_below(&path),
            false => all += &String::from_utf8_lossy(&std::fs::read(&path).unwrap()),
        }
    }
    all
}

#[tokio::test]
async fn a_link_goes_on_working_when_sign_in_is_switched_on_and_is_for_whom_it_says() {
    let dir = data_dir();
    let open = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&open.base);
    let file = somebody.file("a.txt", "hello").await;
    let for_all = somebody.link(&json!({"files": [file]})).await;
    let signed_in = json!({"files": [file], "audience": "signed_in"});
    let signed_in = somebody.link(&signed_in).await;
    open.terminate();
    let asking = Program::local(dir.path(), &[("ACCESS", "key")]);
    let nobody = Somebody::at(&asking.base);
    assert_eq!(
        nobody.ask(Method::GET, "/v1/links", None).await.status(),
        401
    );
    let taken = nobody.take(&for_all, &file, None, &json!({})).await;
    assert_eq!(taken.status(), 201);
    let refused = nobody.take(&signed_in, &file, None, &json!({})).await;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(code(refused).await, (401, "sign_in_required".into()));
    let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
    let operator = Somebody::with(&asking.base, key.trim_end());
    let path = format!("/v1/shared/{}", token(&signed_in));
    let (status, _) = operator.json(Method::GET, &path, None).await;
    assert_eq!(status, 200);
    eventually_lists(&operator, "/v1/links", &{
        let mut link = for_all.clone();
        link["url"] = format!("{}/s/{}", asking.base, token(&for_all)).into();
        link
    })
    .await;
    let made = dir.path().join("link-secret");
    let mode = std::os::unix::fs::PermissionsExt::mode(&made.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_is_wrong_about_a_link_is_named_and_pages_go_on_where_they_ended() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&program.base);
    let file = somebody.file("a.txt", "hello").await;
    for (wanted, field) in [
        (
            json!({"files": [file], "expiresAt": "2020-01-01T00:00:00Z"}),
            "expiresAt",
        ),
        (
            json!({"files": [file], "expiresAt": "2099-01-01T00:00:00Z"}),
            "expiresAt",
        ),
        (json!({"files": [file], "maxDownloads": 0}), "maxDownloads"),
        (json!({"files": []}), "files"),
    ] {
        let (status, problem) = somebody
            .json(Method::POST, "/v1/links", Some(&wanted))
            .await;
        assert_eq!(status, 400);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let mut made = Vec::new();
    for n in 0..5 {
        let label = format!("link {n}");
        made.push(
            somebody
                .link(&json!({"files": [file], "label": label}))
                .await,
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    made.reverse();
    let lists = ["/v1/links".to_owned(), format!("/v1/files/{file}/links")];
    let mut cursors = Vec::new();
    for list in &lists {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("{list}?limit=2&cursor={cursor}");
            let (_, page) = somebody.json(Method::GET, &path, None).await;
            let links = page["links"].as_array().unwrap().clone();
            assert!(links.len() <= 2, "{list}");
            seen.extend(links);
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(seen, made, "{list}");
        cursors.push(cursor);
    }
    // Neither a text that is none, nor that of another list.
    for (list, cursor) in [(0, "abc"), (1, "abc"), (0, &cursors[1]), (1, &cursors[0])] {
        let path = format!("{}?cursor={cursor}", lists[list]);
        let (status, problem) = somebody.json(Method::GET, &path, None).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")));
    }
}

#[tokio::test]
async fn what_the_bytes_of_a_link_with_a_password_are_is_told_to_whoever_knows_it() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&program.base);
    let file = somebody.file("a.txt", "hello").await;
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let open = somebody.link(&json!({"files": [file]})).await;
    let closed = json!({"files": [file], "password": "sesame"});
    let closed = somebody.link(&closed).await;
    for (link, told) in [(&open, json!(digest)), (&closed, Value::Null)] {
        let path = format!("/v1/shared/{}", token(link));
        let (_, shared) = somebody.json(Method::GET, &path, None).await;
        assert_eq!(shared["files"][0]["sha256"], told, "{shared}");
        assert_eq!(shared["files"][0]["displayName"], "a.txt");
        let page = somebody.open(Method::GET, text(link, "url"), "text/html");
        assert!(!page.await.text().await.unwrap().contains(digest));
        let taken = json!({"password": "sesame"});
        let taken = somebody.take(link, &file, None, &taken).await;
        let taken: Value = taken.json().await.unwrap();
        assert_eq!(taken["sha256"], digest, "{taken}");
    }
    let password = json!({"password": "x"});
    let wrong = somebody.take(&closed, &file, None, &password).await;
    assert_eq!(wrong.status(), 403);
    assert!(!wrong.text().await.unwrap().contains(digest));
}

#[tokio::test]
async fn a_hand_in_is_followed_with_its_own_token_and_with_no_other_that_the_service_signed() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("ACCESS", "key")]);
    let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
    let owner = Somebody::with(&program.base, key.trim());
    let file = owner.file("a.txt", "hello").await;
    let link = owner.link(&json!({"files": [file]})).await;
    let made = json!({"title": "Sheet 3"});
    let (_, made) = owner.json(Method::POST, "/v1/boxes", Some(&made)).await;
    let (_, in_box) = text(&made, "url").rsplit_once("/b/").unwrap();
    let student = Somebody::at(&program.base);
    let hand_in = json!({"filename": "a.txt", "size": 1, "submitter": "Ada"});
    let path = format!("/v1/drop/{in_box}/files");
    let (status, handed_in) = student.json(Method::POST, &path, Some(&hand_in)).await;
    assert_eq!(status, 201, "{handed_in}");
    let own = format!("/v1/files/{}/metadata", text(&handed_in, "id"));
    let others = format!("/v1/files/{file}/metadata");
    let submission = text(&handed_in, "submissionToken");
    for (token, path, expected) in [
        (token(&link), &own, 401),
        (in_box, &own, 401),
        (token(&link), &others, 401),
        (submission, &others, 404),
        (submission, &own, 200),
    ] {
        let asking = Somebody::with(&program.base, token);
        let answer = asking.ask(Method::GET, path, None).await;
        assert_eq!(answer.status(), expected);
    }
}
