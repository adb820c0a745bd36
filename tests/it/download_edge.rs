//! Downloads by a distribution before the bucket: the real programs, the real curl, and what CloudFront does with a
//! request in `tests/support/edge.rs`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use file_share::aws::s3_client;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl, curl_json, curl_status, upload, upload_form};
use crate::support::edge::Edge;
use crate::support::ministack::{Deployment, project_root};
use crate::support::program::{Program, check_aws};

const KEY_ID: &str = "K2JCJMDEHXQW5F";
const LIMIT: Duration = Duration::from_secs(30);

fn tool(arguments: &[&str]) -> bool {
    let root = project_root();
    let python = root.join("target/test-tools/bin/python");
    let mut command = Command::new(python);
    command
        .arg(root.join("tests/tools/cloudfront_key.py"))
        .args(arguments);
    command.output().unwrap().status.success()
}

fn id(file: &Value) -> &str {
    file["id"].as_str().unwrap()
}

/// Where a URL of the service redirects to.
fn location(url: &str) -> String {
    let head = curl(&[
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code} %{redirect_url}",
        url,
    ]);
    let head = String::from_utf8(head).unwrap();
    let (status, url) = head.split_once(' ').unwrap();
    assert!(["303", "307"].contains(&status), "{head}");
    url.to_owned()
}

/// The head of an answer, in lower case.
fn head(arguments: &[&str]) -> String {
    let all = [&["--output", "/dev/null", "--dump-header", "-"], arguments].concat();
    String::from_utf8(curl(&all)).unwrap().to_lowercase()
}

/// A file whose bytes are there, as its record.
fn available(base: &str, created: &Value) -> Value {
    let record = curl_json(&[&format!("{base}/v1/files/{}/metadata?wait=20", id(created))]);
    assert_eq!(record["status"], "available", "{record}");
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_leads_to_the_distribution_which_brings_it_once_from_the_bucket_and_only_as_signed()
 {
    let deployment = Deployment::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert!(block_in_place(|| tool(&[
        "make",
        folder.path().to_str().unwrap()
    ])));
    let public = std::fs::read_to_string(path("public.pem")).unwrap();
    let s3 = s3_client(&sdk_config(deployment, &deployment.admin).await);
    let edge = Edge::before(&deployment.bucket, s3, KEY_ID, &public).await;
    let key_file = path("private.pem");
    let settings = [
        ("DOWNLOAD_ORIGIN", edge.origin.as_str()),
        ("DOWNLOAD_KEY_ID", KEY_ID),
        ("DOWNLOAD_KEY_FILE", &key_file),
        ("RUST_LOG", "trace"),
    ];
    block_in_place(|| {
        let api = Program::aws_api(deployment, &settings);
        let _worker = Program::worker(deployment, &[]);
        journey(&api.base, &edge, folder.path());
        is_well(deployment, &settings, &edge.origin);

        // The same key as a variable has it, and a life of a second.
        let pem = std::fs::read_to_string(&key_file).unwrap();
        let short = [
            settings[0],
            settings[1],
            ("DOWNLOAD_KEY", &pem),
            ("DOWNLOAD_URL_TTL", "1s"),
        ];
        let briefly = Program::aws_api(deployment, &short);
        expires(&briefly.base, folder.path());

        let log = api.log();
        let secret = pem.lines().nth(1).unwrap();
        for hidden in ["Signature=", secret] {
            assert!(!log.contains(hidden), "{hidden} is in the log");
        }
    });
}

fn journey(base: &str, edge: &Edge, folder: &Path) {
    let source = folder.join("source");
    std::fs::write(&source, "hello").unwrap();
    let created = create(base, &json!({"filename": "a b.txt", "size": 5}));
    assert!(
        !created["upload"]["url"]
            .as_str()
            .unwrap()
            .starts_with(&edge.origin)
    );
    assert_eq!(upload(&created, &source), "200");
    available(base, &created);

    let file = format!("{base}/v1/files/{}", id(&created));
    let before = edge.fetched();
    let url = location(&file);
    assert!(
        url.starts_with(&format!("{}/uploads/{}?", edge.origin, id(&created))),
        "{url}"
    );
    assert!(
        tool(&["verify", folder.to_str().unwrap(), &url]),
        "another library refuses it"
    );
    assert!(!tool(&[
        "verify",
        folder.to_str().unwrap(),
        &url.replacen("text", "best", 1)
    ]));
    for (expected, whence) in [(1, "miss"), (1, "hit")] {
        let told = head(&["--location", &file]);
        assert_eq!(curl(&["--location", &file]), b"hello");
        for line in [
            format!("x-cache: {whence} from cloudfront\r\n"),
            "content-disposition: attachment; filename=\"a_b.txt\"".into(),
            "content-type: text/plain\r\n".into(),
            "content-encoding: identity\r\n".into(),
            "cache-control: private, no-store\r\n".into(),
            "x-content-type-options: nosniff\r\n".into(),
        ] {
            assert!(told.contains(&line), "{line}: {told}");
        }
        assert_eq!(edge.fetched() - before, expected);
    }
    assert!(head(&["--head", "--location", &file]).contains("content-length: 5\r\n"));
    assert_eq!(curl(&["--location", "--range", "1-2", &file]), b"el");
    assert!(head(&["--location", "--range", "1-", &file]).contains("content-range: bytes 1-4/5"));
    assert_eq!(edge.fetched() - before, 1);

    // Whatever is changed of it, it is worth nothing.
    let letter = |at: usize| if &url[at..=at] == "A" { "B" } else { "A" };
    let changed = |at: usize| format!("{}{}{}", &url[..at], letter(at), &url[at + 1..]);
    let (signature, expires) = (
        url.find("Signature=").unwrap(),
        url.find("Expires=").unwrap(),
    );
    for wrong in [
        changed(url.find("uploads/").unwrap() + 10),
        changed(url.find("versionId=").unwrap() + 10),
        changed(url.find("filename").unwrap()),
        changed(signature + 20),
        changed(url.find("Key-Pair-Id=").unwrap() + 13),
        url.replace("&Hash-Algorithm=SHA256", ""),
        format!("{url}&x=1"),
        format!("{}9{}", &url[..expires + 8], &url[expires + 9..]),
        url.split('?').next().unwrap().to_owned(),
    ] {
        assert_eq!(curl_status(&[&wrong]), "403", "{wrong}");
    }
    assert_eq!(curl_status(&[&url]), "200");

    // Whoever takes it by a link goes there too, and pages may lead there.
    let link = json!({"files": [id(&created)]}).to_string();
    let link = curl_json(&["--json", &link, &format!("{base}/v1/links")]);
    let shared = link["url"].as_str().unwrap_or_else(|| panic!("{link}"));
    let granted = location(shared);
    assert!(
        granted.starts_with(&edge.origin) && granted.contains("&x-grant="),
        "{granted}"
    );
    assert_eq!(curl(&[&granted]), b"hello");
    assert_eq!(
        edge.fetched() - before,
        1,
        "a grant is no part of what is cached"
    );
    let policy = head(&[&format!("{base}/")]);
    let (_, policy) = policy.split_once("connect-src ").unwrap();
    assert!(
        policy.split(';').next().unwrap().contains(&edge.origin),
        "{policy}"
    );

    // A form that is sent again makes another version, which nobody was promised.
    let form = json!({"filename": "f.txt", "size": 5, "uploadMethod": "POST"});
    let form = create(base, &form);
    assert_eq!(upload_form(&form, &source), "201");
    available(base, &form);
    std::fs::write(&source, "HELLO").unwrap();
    assert_eq!(upload_form(&form, &source), "201");
    let again = format!("{base}/v1/files/{}", id(&form));
    assert_eq!(curl(&["--location", &again]), b"hello");

    // What is deleted has no URL any more, and the one that somebody has goes on until its end.
    assert_eq!(curl_status(&["--request", "DELETE", &file]), "204");
    assert_eq!(curl_status(&[&file]), "404");
    assert_eq!(curl(&[&url]), b"hello");
}

fn expires(base: &str, folder: &Path) {
    let source = folder.join("brief");
    std::fs::write(&source, "brief").unwrap();
    let created = create(base, &json!({"filename": "brief.txt", "size": 5}));
    assert_eq!(upload(&created, &source), "200");
    available(base, &created);
    let file = format!("{base}/v1/files/{}", id(&created));
    // A machine that is busy for a second finds it over at once.
    let began = Instant::now();
    while curl_status(&["--location", &file]) != "200" {
        assert!(began.elapsed() < LIMIT, "no URL works");
    }
    let url = location(&file);
    let began = Instant::now();
    while curl_status(&[&url]) != "403" {
        assert!(began.elapsed() < LIMIT, "it never ends");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_well(deployment: &Deployment, settings: &[(&str, &str)], origin: &str) {
    let check = |more: &[(&str, &str)]| {
        let all = [settings, more].concat();
        let output = check_aws(deployment, &deployment.api, &all, &["--json"]);
        let said = String::from_utf8(output.stdout).unwrap();
        let mut lines = said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .find(|line| line["check"] == "downloads")
            .unwrap_or_default()
    };
    let well = check(&[]);
    assert_eq!(well["verdict"], "ok", "{well}");
    assert!(well["said"].as_str().unwrap().contains(origin), "{well}");
    let unknown = check(&[("DOWNLOAD_KEY_ID", "K0")]);
    assert_eq!(unknown["verdict"], "wrong", "{unknown}");
    assert!(
        unknown["mend"]
            .as_str()
            .unwrap()
            .contains("its key group has K0"),
        "{unknown}"
    );

    let refused = Program::aws_api_refuses(
        deployment,
        &[settings[0], settings[1], ("DOWNLOAD_KEY", "hush-hush")],
    );
    assert!(
        refused.contains("DOWNLOAD_KEY: must be a private key"),
        "{refused}"
    );
    assert!(!refused.contains("hush"), "{refused}");
}
