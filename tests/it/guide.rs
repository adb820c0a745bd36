//! The guide of a service: what it says, and that its recipes work as they are copied from it:
//! `tests/browser/guide.test.mjs`.

use std::path::Path;

use serde_json::json;

use crate::packages;
use crate::support::curl::{curl, curl_json, curl_status};
use crate::support::node_tests::{self, free_port};
use crate::support::program::{Program, built, data_dir};

fn programs() -> &'static Path {
    static FSHARE: std::sync::LazyLock<std::path::PathBuf> =
        std::sync::LazyLock::new(|| built("fshare"));
    FSHARE.parent().expect("a program lies in a folder")
}

fn recipes_work(access: &str) {
    let dir = data_dir();
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let settings = [("ACCESS", access), ("ALLOWED_ORIGINS", origin.as_str())];
    let program = Program::local(dir.path(), &settings);
    let token = (access == "key").then(|| packages::token_of(&program, dir.path()));
    let setup = json!({
        "mode": "local",
        "service": program.base,
        "port": port,
        "token": token,
        "modules": packages::node_modules(),
        "site": packages::site(),
        "programs": programs(),
    });
    node_tests::run("guide.test.mjs", &setup, 11);
}

#[test]
fn the_recipes_of_the_guide_work_as_they_are_copied() {
    recipes_work("open");
}

#[test]
fn the_recipes_of_the_guide_work_with_a_token_where_the_service_asks_for_one() {
    recipes_work("key");
}

#[test]
fn the_guide_names_the_public_address_and_none_that_somebody_made_up() {
    let dir = data_dir();
    let public = [("PUBLIC_URL", "https://share.example.org/files")];
    let program = Program::local(dir.path(), &public);
    let guide = format!("{}/guide", program.listening_at());
    let host = "Host: share.example.org";
    let html = String::from_utf8(curl(&["--header", host, &guide])).unwrap();
    assert!(
        html.contains("base=https://share.example.org/files\n"),
        "{html}"
    );
    assert!(!html.contains("127.0.0.1"), "{html}");
    drop(program);

    let dir = data_dir();
    let allowed = [("ALLOWED_HOSTS", "*.example")];
    let program = Program::local(dir.path(), &allowed);
    let guide = format!("{}/guide", program.base);
    let html = String::from_utf8(curl(&["--header", "Host: a.example", &guide])).unwrap();
    assert!(html.contains("base=http://a.example\n"), "{html}");
    // A name that would mean something to a shell, of those that the service answers to.
    for made_up in ["a$(id).example", "a;id.example", "a'id.example"] {
        let host = format!("Host: {made_up}");
        let status = curl_status(&["--header", &host, &guide]);
        assert!(
            ["400", "421"].contains(&status.as_str()),
            "{made_up}: {status}"
        );
        let problem = curl_json(&["--header", &host, &guide]);
        assert!(!problem["code"].is_null(), "{problem}");
    }
    // It is a page like others: for reading alone.
    assert_eq!(curl_status(&["--request", "POST", &guide]), "405");
}
