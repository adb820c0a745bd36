//! `/s/{token}`: what browsers and programs get of it.

use super::*;
use crate::support::curl::curl;

/// What a form's field holds.
fn field<'a>(html: &'a str, name: &str) -> &'a str {
    let (_, rest) = html
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap_or_else(|| panic!("no {name}: {html}"));
    rest.split('"').next().unwrap()
}

async fn page(somebody: &Somebody, url: &str) -> (u16, String) {
    let answer = somebody.open(Method::GET, url, BROWSER).await;
    let status = answer.status().as_u16();
    let content_type = answer.headers()["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("text/html"), "{content_type}");
    (status, answer.text().await.unwrap())
}

async fn send(somebody: &Somebody, url: &str, form: &[(&str, &str)]) -> Response {
    let mut body = String::new();
    for (name, value) in form {
        let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        body += &format!("{name}={value}&");
    }
    let request = somebody.client.post(url).header(ACCEPT, BROWSER);
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", &somebody.base);
    request.body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_browser_gets_a_page_that_needs_no_script_and_takes_files_by_a_form() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&program.base);
    let one = somebody.file("<b>one</b>.txt", "hello").await;
    let other = somebody.file("two.txt", "0123456789").await;
    let wanted = json!({"files": [one, other], "title": "Lecture \"1\"", "maxDownloads": 2, "password": "right"});
    let link = somebody.link(&wanted).await;
    let url = text(&link, "url");
    for _ in 0..3 {
        let (status, html) = page(&somebody, url).await;
        assert_eq!(status, 200);
        assert!(html.contains("<meta property=\"og:title\" content=\"Lecture &quot;1&quot;\">"));
        assert!(
            html.contains("&lt;b&gt;one&lt;_b&gt;.txt") && html.contains("10 bytes"),
            "{html}"
        );
        assert!(html.contains("can be taken 2 times"));
        // What saves all of them at once, and nothing in the page itself.
        assert_eq!(
            html.matches("<script type=\"module\" src=\"../web/")
                .count(),
            1
        );
        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(!html.contains(token(&link)), "{html}");
        let head = somebody.open(Method::HEAD, url, BROWSER).await;
        assert_eq!(head.status(), 200);
    }
    let (_, html) = page(&somebody, url).await;
    let key = field(&html, "key");
    let wrong = send(
        &somebody,
        url,
        &[("file", &one), ("password", "wrong"), ("key", key)],
    )
    .await;
    assert_eq!(wrong.status(), 403);
    let wrong = wrong.text().await.unwrap();
    assert!(
        wrong.contains("That isn’t the password") && wrong.contains("two.txt"),
        "{wrong}"
    );
    // Clicked twice, it counts once.
    for _ in 0..2 {
        let form = [("file", one.as_str()), ("password", "right"), ("key", key)];
        let taken = send(&somebody, url, &form).await;
        assert_eq!(taken.status(), 303);
        let location = taken.headers()[LOCATION].to_str().unwrap();
        assert_eq!(taken.headers()["cache-control"], "private, no-store");
        let bytes = somebody.client.get(location).send().await.unwrap();
        assert_eq!(bytes.text().await.unwrap(), "hello");
    }
    let (_, html) = page(&somebody, url).await;
    assert!(html.contains("can be taken once"), "{html}");
    let form = [
        ("file", one.as_str()),
        ("password", "right"),
        ("key", "another"),
    ];
    assert_eq!(send(&somebody, url, &form).await.status(), 303);
    let (_, html) = page(&somebody, url).await;
    assert!(html.contains("was taken as often as it may be"), "{html}");
    assert_eq!(html.matches("<button").count(), 1);
    let form = [
        ("file", one.as_str()),
        ("password", "right"),
        ("key", "a third"),
    ];
    let refused = send(&somebody, url, &form).await;
    assert_eq!(refused.status(), 410);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("as often as it may be")
    );
    let german = somebody
        .client
        .get(url)
        .header("accept", "text/html")
        .header("accept-language", "de-AT, en;q=0.5");
    let german = german.send().await.unwrap().text().await.unwrap();
    assert!(german.contains("<html lang=\"de\"") && german.contains("Herunterladen"));
    assert!(
        german.contains("wurde so oft geholt, wie es erlaubt ist"),
        "{german}"
    );
    // A page of another site makes nobody take anything.
    let foreign = somebody
        .client
        .post(url)
        .header("origin", "https://evil.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("file={other}&password=right"));
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_program_gets_the_bytes_where_it_is_plain_which_and_else_is_told_what_to_do() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&program.base);
    let one = somebody.file("notes one.txt", "hello").await;
    let other = somebody.file("b.txt", "hello").await;
    let link = somebody.link(&json!({"files": [one]})).await;
    let url = text(&link, "url");
    // Whatever stood around it where it was copied.
    for behind in [
        "",
        "/",
        ".",
        ")",
        ">",
        ",",
        "%3E",
        "?utm_source=mail&x=1",
        "/?fbclid=1",
    ] {
        let url = format!("{url}{behind}");
        let answer = somebody.open(Method::GET, &url, "*/*").await;
        assert_eq!(answer.status(), 307, "{behind}");
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
        let head = somebody.open(Method::HEAD, &url, "*/*").await;
        let location = head.headers()[LOCATION].to_str().unwrap();
        let head = somebody.client.head(location).send().await.unwrap();
        assert_eq!(head.status(), 200, "{behind}");
        let (status, html) = page(&somebody, &url).await;
        assert_eq!(status, 200, "{behind}");
        // What the page loads is found from there.
        let (_, rest) = html.split_once("rel=\"icon\" href=\"").unwrap();
        let icon = rest.split('"').next().unwrap();
        let icon = reqwest::Url::parse(&url).unwrap().join(icon).unwrap();
        let icon = somebody.client.get(icon).send().await.unwrap();
        assert_eq!(icon.status(), 200, "{behind}");
    }
    // As people do it.
    let target = tempfile::tempdir().unwrap();
    let into = target.path().to_str().unwrap();
    let copied = format!("{url}.");
    curl(&["-LOJ", "--output-dir", into, &copied]);
    let saved = target.path().join("notes_one.txt");
    let by_display_name = target.path().join("notes one.txt");
    let saved = if saved.exists() {
        saved
    } else {
        by_display_name
    };
    assert_eq!(std::fs::read_to_string(saved).unwrap(), "hello");

    for (wanted, why) in [
        (json!({"files": [one, other]}), "it has 2 files"),
        (
            json!({"files": [one], "password": "right"}),
            "it has a password",
        ),
        (json!({"files": [one], "maxDownloads": 1}), "counts"),
    ] {
        let link = somebody.link(&wanted).await;
        for _ in 0..3 {
            for method in [Method::HEAD, Method::GET] {
                let answer = somebody
                    .open(method.clone(), text(&link, "url"), "*/*")
                    .await;
                assert_eq!(answer.status(), 406);
                if method == Method::GET {
                    let problem: Value = answer.json().await.unwrap();
                    assert_eq!(problem["code"], "link_opens_page");
                    assert!(text(&problem, "detail").contains(why), "{problem}");
                }
            }
        }
        let path = format!("/v1/shared/{}", token(&link));
        let (_, shared) = somebody.json(Method::GET, &path, None).await;
        if link["maxDownloads"] == 1 {
            assert_eq!(shared["downloadsLeft"], 1, "looking counted");
        }
    }
}

/// The recipe of docs/clients.md, as it stands there.
#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_takes_what_a_link_has_and_compares_it() {
    let document = include_str!("../../../docs/clients.md");
    let (_, below) = document
        .split_once("## A link that somebody passed on")
        .unwrap();
    let (_, recipe) = below.split_once("```sh\n").unwrap();
    let (recipe, _) = recipe.split_once("```").unwrap();
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let somebody = Somebody::at(&program.base);
    let one = somebody.file("one.txt", "hello").await;
    let other = somebody.file("other.txt", "0123456789").await;
    let wanted = json!({"files": [one, other], "password": "it's \"so\"", "maxDownloads": 1});
    let link = somebody.link(&wanted).await;
    let run = |url: &str, password: &str| {
        let into = tempfile::tempdir().unwrap();
        let output = std::process::Command::new("sh")
            .args(["-ec", recipe, "sh", url, password])
            .current_dir(into.path())
            .output()
            .unwrap();
        (into, output)
    };
    let (_, refused) = run(text(&link, "url"), "wrong");
    assert!(!String::from_utf8_lossy(&refused.stdout).contains("OK"));
    let url = format!("{}?utm_source=mail", text(&link, "url"));
    let (into, taken) = run(&url, "it's \"so\"");
    let printed = String::from_utf8_lossy(&taken.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert_eq!(printed, "one.txt: OK\nother.txt: OK\n", "{complaints}");
    let fetched = std::fs::read_to_string(into.path().join("other.txt"));
    assert_eq!(fetched.unwrap(), "0123456789");
}

#[tokio::test]
async fn whoever_opens_a_link_that_is_over_or_none_reads_so_and_a_program_gets_a_problem() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("ACCESS", "key")]);
    let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
    let operator = Somebody::with(&program.base, key.trim_end());
    let somebody = Somebody::at(&program.base);
    let file = operator.file("a.txt", "hello").await;
    let link = operator.link(&json!({"files": [file]})).await;
    let signed_in = json!({"files": [file], "audience": "signed_in"});
    let signed_in = operator.link(&signed_in).await;
    let path = format!("/v1/links/{}", text(&link, "id"));
    operator.ask(Method::DELETE, &path, None).await;
    let never = format!("{}/s/nothing", program.base);
    for (url, status, code, title) in [
        (text(&link, "url"), 410, "link_gone", "This link is over"),
        (
            never.as_str(),
            404,
            "link_not_found",
            "There is no such link",
        ),
        (
            text(&signed_in, "url"),
            401,
            "sign_in_required",
            "This link is for people who are signed in",
        ),
    ] {
        let (answered, html) = page(&somebody, url).await;
        assert_eq!(answered, status, "{url}");
        assert!(html.contains(title) && html.contains(code), "{html}");
        let answer = somebody.open(Method::GET, url, "*/*").await;
        assert_eq!(super::code(answer).await, (status, code.to_owned()));
        let sent = send(&somebody, url, &[("file", &file)]).await;
        assert_eq!(sent.status(), status, "{url}");
    }
    // A cookie that is strictly for ours doesn't come along from elsewhere: the page asks for itself once more.
    let (_, html) = page(&somebody, text(&signed_in, "url")).await;
    assert!(html.contains("content=\"0; url=?again\""), "{html}");
    let again = format!("{}?again", text(&signed_in, "url"));
    let (_, html) = page(&somebody, &again).await;
    assert!(!html.contains("http-equiv"), "{html}");
    let shown = operator.client.get(&again).header(ACCEPT, BROWSER);
    let shown = shown.bearer_auth(key.trim_end()).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    // Another method is none.
    let other = somebody.open(Method::PUT, text(&link, "url"), "*/*").await;
    assert_eq!(super::code(other).await, (405, "method_not_allowed".into()));
}
