//! How pages are served: compressed, cached, and to whom. `tests/browser/served.test.mjs` measures in real Chromium what
//! comes of it.

use std::path::Path;

use serde_json::json;

use crate::issuer_sign_in;
use crate::support::curl::{curl, curl_json, upload};
use crate::support::issuer::Issuer;
use crate::support::node_tests;
use crate::support::program::{Program, data_dir};

/// An ID that no file has.
const NEVER: &str = "01a20c20-66ec-73bb-a365-2d7ee6e60e8b";
const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
/// A messenger that shows what a link leads to.
const AGENT: &str = "User-Agent: Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)";

#[test]
fn pages_are_small_soon_there_and_readable_without_scripts() {
    let dirs = [data_dir(), data_dir()];
    let plain = Program::local(dirs[0].path(), &[]);
    let asking = Program::local(dirs[1].path(), &[("ACCESS", "key")]);
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "asking": {"base": asking.base},
    });
    node_tests::run("served.test.mjs", &setup, 13);
}

/// Status, headers in lower case, and body.
fn fetch(url: &str, headers: &[&str]) -> (u16, String, Vec<u8>) {
    let mut arguments = vec!["--include", url];
    for header in headers {
        arguments.extend(["--header", header]);
    }
    let answer = curl(&arguments);
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), answer[end + 4..].to_vec())
}

fn text(url: &str, headers: &[&str]) -> (u16, String, String) {
    let (status, head, body) = fetch(url, headers);
    (status, head, String::from_utf8(body).unwrap())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("{name}: ");
    head.lines().find_map(|line| line.strip_prefix(&start))
}

/// Creates a file with these bytes, and waits until it is available.
fn share(program: &Program, name: &str, bytes: &str, at: &Path) -> String {
    share_as(program, "Accept: */*", name, bytes, at)
}

/// The same by whoever shows this header.
fn share_as(program: &Program, proof: &str, name: &str, bytes: &str, at: &Path) -> String {
    let body = json!({"filename": name, "size": bytes.len()}).to_string();
    let url = format!("{}/v1/files", program.base);
    let created = curl_json(&["--header", proof, "--json", &body, &url]);
    let path = at.join("to-send");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(upload(&created, &path), "200");
    let id = created["id"].as_str().unwrap().to_owned();
    let record = format!("{}/v1/files/{id}/metadata?wait=20", program.base);
    let record = curl_json(&["--header", proof, &record]);
    assert_eq!(record["status"], "available");
    id
}

/// The script of the first page.
fn script(program: &Program) -> String {
    let (_, _, html) = text(&format!("{}/", program.base), &[]);
    let script = html
        .split("src=\"web/")
        .find(|part| part.contains("/app.js\""));
    let script = script.unwrap().split('"').next().unwrap();
    format!("{}/web/{script}", program.base)
}

#[test]
fn a_page_is_asked_about_before_it_is_used_again_and_what_it_consists_of_never_changes() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let index = format!("{}/", program.base);
    let (status, head, _) = text(&index, &[]);
    assert_eq!(status, 200);
    assert_eq!(header(&head, "cache-control"), Some("no-cache"));
    assert_eq!(
        header(&head, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        header(&head, "vary"),
        Some("accept-encoding, accept-language")
    );
    let tag = format!("If-None-Match: {}", header(&head, "etag").unwrap());
    let (status, head, body) = text(&index, &[&tag]);
    assert_eq!((status, body.as_str()), (304, ""));
    assert_eq!(header(&head, "cache-control"), Some("no-cache"));

    let (status, head, _) = text(&script(&program), &[]);
    assert_eq!(status, 200);
    let content_type = header(&head, "content-type");
    assert_eq!(content_type, Some("text/javascript; charset=utf-8"));
    assert!(
        header(&head, "cache-control")
            .unwrap()
            .contains("immutable")
    );
    // A page of another version of the program, as in the middle of an update.
    let (status, head, _) = text(&format!("{index}web/0123/app.js"), &[]);
    assert_eq!(status, 200);
    assert_eq!(header(&head, "cache-control"), Some("no-cache"));
    assert_eq!(text(&format!("{index}web/0123/none.js"), &[]).0, 404);
}

#[test]
fn whatever_is_the_same_for_everybody_comes_in_the_coding_that_the_client_weighs_most() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    for (url, at_most) in [
        (format!("{base}/"), 10_000),
        (format!("{base}/pair"), 8_000),
        // In gzip. What the first page weighs with all of it is tested by itself.
        (script(&program), 52_000),
        (format!("{base}/openapi.json"), 60_000),
        (format!("{base}/docs"), 500_000),
        (format!("{base}/explorer"), 400_000),
    ] {
        let (_, plain_head, plain) = fetch(&url, &[]);
        assert_eq!(header(&plain_head, "content-encoding"), None, "{url}");
        let mut tags = vec![header(&plain_head, "etag").unwrap().to_owned()];
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("br;q=0.2, gzip;q=0.3, identity;q=0", "gzip"),
            ("*, br;q=0", "gzip"),
        ] {
            let accept = format!("Accept-Encoding: {accepted}");
            let (status, head, body) = fetch(&url, &[&accept]);
            assert_eq!(status, 200, "{url}");
            assert_eq!(
                header(&head, "content-encoding"),
                Some(expected),
                "{url}: {accepted}"
            );
            assert!(
                header(&head, "vary").unwrap().contains("accept-encoding"),
                "{head}"
            );
            assert!(body.len() < at_most, "{url}: {} bytes", body.len());
            // curl undoes it, and then it is the same.
            if expected == "gzip" {
                let decoded = curl(&["--compressed", "--header", "Accept-Encoding: gzip", &url]);
                assert!(decoded == plain, "{url}");
            }
            let tag = header(&head, "etag").unwrap().to_owned();
            let (status, _, body) = fetch(&url, &[&accept, &format!("If-None-Match: {tag}")]);
            assert_eq!((status, body.len()), (304, 0), "{url}");
            let other = fetch(&url, &[&format!("If-None-Match: {tag}")]);
            assert_eq!((other.0, other.2.len()), (200, plain.len()), "{url}");
            tags.push(tag);

            let head = curl(&["--head", "--header", &accept, &url]);
            let head = String::from_utf8(head).unwrap().to_lowercase();
            assert_eq!(header(&head, "content-encoding"), Some(expected), "{head}");
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3, "{url}: {tags:?}");
        for accepted in ["gzip;q=0", "identity", "br;q=0, gzip;q=0, *;q=0", "deflate"] {
            let (_, head, body) = fetch(&url, &[&format!("Accept-Encoding: {accepted}")]);
            assert_eq!(header(&head, "content-encoding"), None, "{url}: {accepted}");
            assert_eq!(body.len(), plain.len());
        }
    }
}

#[test]
fn the_page_of_a_file_tells_people_and_previews_what_it_is_and_gives_programs_the_bytes() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let id = share(&program, "Notes <1> & \"2\".txt", "hello", dir.path());
    let url = format!("{}/f/{id}", program.base);
    let (status, head, html) = text(&url, &[HTML]);
    assert_eq!(status, 200);
    assert_eq!(header(&head, "cache-control"), Some("private, no-store"));
    let name = "Notes &lt;1&gt; &amp; &quot;2&quot;.txt";
    for part in [
        format!("<title>\u{2068}{name}\u{2069} – File Share</title>"),
        format!("<meta property=\"og:title\" content=\"{name}\">"),
        format!("<meta property=\"og:url\" content=\"{url}\">"),
        "<meta property=\"og:description\" content=\"5 bytes · sent ".to_owned(),
        format!("href=\"../v1/files/{id}\" download"),
    ] {
        assert!(html.contains(&part), "{part} isn't in {html}");
    }
    assert!(!html.contains("<1>"), "{html}");
    let (_, head, _) = fetch(&url, &[HTML, "Accept-Encoding: br"]);
    assert_eq!(header(&head, "content-encoding"), Some("br"));
    // A messenger accepts everything, as curl does, and goes by its name.
    assert!(text(&url, &[AGENT]).2.contains("og:title"));

    // wget from version 2 on says that it likes pages best, and saves what it gets.
    for agent in ["User-Agent: Wget/2.2.0", "User-Agent: Wget/1.25.0"] {
        let (status, head, _) = fetch(&url, &[HTML, agent]);
        assert_eq!(status, 307, "{agent}");
        let to = header(&head, "location").unwrap();
        assert!(to.starts_with(&program.base), "{head}");
        assert_eq!(
            curl(&["--location", "--header", HTML, "--header", agent, &url]),
            b"hello"
        );
    }

    // As people pass it to a terminal.
    for (at, tail) in ["", "/", ".", "/?utm_source=mail"].into_iter().enumerate() {
        let url = format!("{url}{tail}");
        let (status, head, _) = fetch(&url, &[]);
        assert_eq!(status, 307, "{url}");
        assert_eq!(header(&head, "cache-control"), Some("private, no-store"));
        let to = dir.path().join(format!("got-{at}"));
        std::fs::create_dir_all(&to).unwrap();
        let to = to.to_str().unwrap();
        curl(&[
            "-L",
            "-O",
            "-J",
            "--output-dir",
            to,
            &format!("{}/f/{id}{}", program.base, tail.trim_start_matches('/')),
        ]);
        let saved: Vec<_> = std::fs::read_dir(to).unwrap().map(Result::unwrap).collect();
        assert_eq!(saved.len(), 1);
        assert_eq!(std::fs::read(saved[0].path()).unwrap(), b"hello");
        assert_eq!(curl(&["--location", &url]), b"hello");
        let head = String::from_utf8(curl(&["-I", "-L", &url])).unwrap();
        assert!(head.contains("200") && head.contains("ontent-"), "{head}");
    }
}

#[test]
fn what_is_no_file_is_the_same_page_whatever_was_asked_for() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let page = |path: &str| {
        let (status, head, html) = text(&format!("{}/f/{path}", program.base), &[HTML]);
        assert_eq!(status, 404, "{path}");
        assert_eq!(header(&head, "cache-control"), Some("private, no-store"));
        html
    };
    let never = page(NEVER);
    assert!(
        never.contains("There is no such file") && !never.contains(NEVER),
        "{never}"
    );
    for path in [
        "nonsense",
        "%22%3E%3Cscript%3E",
        "01a20c20-66ec-73bb-a365-2d7ee6e60e8c",
    ] {
        assert_eq!(page(path), never, "{path}");
    }
    // From one level further down everything is one level further up.
    assert_eq!(
        page("nonsense/"),
        never
            .replace("../", "../../")
            .replace("\"..\"", "\"../..\"")
    );
    // What was deleted is as if it had never been.
    let id = share(&program, "gone.txt", "x", dir.path());
    curl(&[
        "--request",
        "DELETE",
        &format!("{}/v1/files/{id}", program.base),
    ]);
    assert_eq!(page(&id), never);
    // A program hears it as it hears it from the API.
    for path in [NEVER, "nonsense"] {
        let (status, head, body) = text(&format!("{}/f/{path}", program.base), &[]);
        assert_eq!(status, 404);
        assert_eq!(
            header(&head, "content-type"),
            Some("application/problem+json")
        );
        assert!(body.contains("\"file_not_found\""), "{body}");
    }
}

#[test]
fn whoever_may_not_see_a_file_gets_the_page_of_one_that_never_was() {
    let dir = data_dir();
    let open = Program::local(dir.path(), &[]);
    let id = share(&open, "secret name.txt", "hello", dir.path());
    drop(open);
    let program = Program::local(dir.path(), &[("ACCESS", "key")]);
    let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
    let url = |id: &str| format!("{}/f/{id}", program.base);
    let (status, _, there) = text(&url(&id), &[HTML]);
    assert_eq!(status, 404);
    assert_eq!(there, text(&url(NEVER), &[HTML]).2);
    assert_eq!(there, text(&url("nonsense"), &[HTML]).2);
    assert!(!there.contains("secret"), "{there}");
    // A program is told to sign in, as by the API.
    assert_eq!(text(&url(&id), &[]).0, 401);
    // Whoever shows the key sees it.
    let bearer = format!("Authorization: Bearer {}", key.trim_end());
    let (status, head, html) = text(&url(&id), &[HTML, &bearer]);
    assert_eq!(status, 200);
    assert!(
        html.contains("secret name.txt") && html.contains("data-session=\"in\""),
        "{html}"
    );
    assert_eq!(header(&head, "cache-control"), Some("private, no-store"));
    assert_eq!(
        curl(&["--location", "--header", &bearer, &url(&id)]),
        b"hello"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_and_another_member_get_the_page_of_a_file_that_never_was_to_the_byte() {
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = issuer_sign_in::service(dir.path(), &issuer, &[]);
    let proof = async |person: &str| {
        let token = issuer.tokens_of(person).await.access;
        format!("Authorization: Bearer {token}")
    };
    let bob = proof("bob").await;
    let id = share_as(&program, &bob, "secret name.txt", "hello", dir.path());
    let page = |id: &str, who: &[&str]| {
        let url = format!("{}/f/{id}", program.base);
        let (status, head, body) = text(&url, &[who, &["X-Request-Id: same"]].concat());
        let lines = head.lines().filter(|line| !line.starts_with("date:"));
        (status, lines.collect::<Vec<_>>().join("\n"), body)
    };
    let browsers: [&[&str]; 3] = [&[HTML], &[HTML, "Accept-Language: de"], &[AGENT]];
    for person in ["carol", "erin"] {
        let proof = proof(person).await;
        for browser in browsers {
            let who = [browser, &[&proof]].concat();
            let strangers = page(&id, &who);
            assert_eq!(strangers.0, 404, "{person}");
            assert!(!strangers.2.contains("secret"), "{}", strangers.2);
            assert!(!strangers.2.contains(&id), "{}", strangers.2);
            assert_eq!(strangers, page(NEVER, &who), "{person} {browser:?}");
        }
        // A program hears what it hears of every ID.
        let (status, head, problem) = page(&id, &[&proof]);
        assert_eq!(status, 404);
        assert!(problem.contains("\"file_not_found\""), "{problem}");
        assert_eq!((status, head, problem), page(NEVER, &[&proof]), "{person}");
    }
    // Whoever may see it does.
    for person in ["bob", "alice"] {
        let proof = proof(person).await;
        let (status, _, html) = page(&id, &[HTML, &proof]);
        assert_eq!(status, 200, "{person}");
        assert!(html.contains("secret name.txt"), "{html}");
    }
}

#[test]
fn pages_answer_head_and_refuse_what_they_are_not_for() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    for (path, status) in [
        ("/", 200),
        ("/f/x", 404),
        ("/f/x/", 404),
        ("/pair", 200),
        ("/receipt", 200),
        ("/web/0/app.js", 200),
        ("/docs", 200),
    ] {
        let url = format!("{}{path}", program.base);
        let head = String::from_utf8(curl(&["--head", "--header", HTML, &url])).unwrap();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {head}"
        );
        let answer = String::from_utf8(curl(&["--include", "--request", "POST", &url])).unwrap();
        assert!(answer.starts_with("HTTP/1.1 405"), "{path}: {answer}");
        assert!(answer.to_lowercase().contains("\nallow: get"), "{answer}");
    }
}
