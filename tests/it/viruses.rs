//! Files are scanned for viruses before they are available: the real programs, and Debian's clamd, in both modes.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use file_share::config::ClamdAddress;
use file_share::scanner::clamd::Clamd;
use file_share::scanner::probes::{bomb, eicar, encrypted};
use serde_json::{Value, json};

use crate::audit;
use crate::support::clamd::{AS_DEBIAN_HAS_IT, AS_IT_HAS_TO_BE, ClamdHome, ClamdProcess};
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, check_local, data_dir, rescan_aws, rescan_local};

/// For everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

mod clamd_itself {
    use super::*;

    async fn new() -> (Clamd, (ClamdHome, ClamdProcess)) {
        let home = ClamdHome::new();
        let process = home.start(AS_IT_HAS_TO_BE);
        (
            Clamd::new(ClamdAddress::Unix(home.socket())),
            (home, process),
        )
    }

    file_share::scanner_conformance!(new);
}

fn described(base: &str, id: &str) -> Value {
    curl_json(&[&format!("{base}/v1/files/{id}/metadata")])
}

/// The ID of a file that the store has taken.
fn sent(base: &str, name: &str, bytes: &[u8], dir: &Path) -> String {
    let path = dir.join("source");
    std::fs::write(&path, bytes).unwrap();
    let created = create(base, &json!({"filename": name, "size": bytes.len()}));
    assert_eq!(upload(&created, &path), "200", "{created}");
    created["id"].as_str().unwrap().to_owned()
}

/// The record once it is as it should be.
fn becomes(base: &str, id: &str, is_right: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A client that can't wait says that its bytes are there; it changes nothing.
        let url = format!("{base}/v1/files/{id}/complete");
        let record = curl_json(&["--request", "POST", &url]);
        if is_right(&record) {
            return record;
        }
        assert!(Instant::now() < deadline, "it stays {record}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn is_available(record: &Value) -> bool {
    record["status"] == "available"
}

fn is_rejected_for(code: &str) -> impl Fn(&Value) -> bool {
    move |record| record["status"] == "rejected" && record["reasonCode"] == code
}

fn waits_for_the_scanner(record: &Value) -> bool {
    record["status"] == "pending" && record["stage"] == "scanning"
}

/// What holds in both modes, of a service that was started before its clamd; `log` is that of the program that scans.
fn every_file_is_scanned(base: &str, home: &ClamdHome, log: impl Fn() -> String) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // It isn't there yet; files are taken and wait.
    let early = sent(base, "early.txt", b"hello", dir);
    becomes(base, &early, waits_for_the_scanner);
    // One that passes what it has to find isn't believed.
    let wrong = home.start(AS_DEBIAN_HAS_IT);
    let deadline = Instant::now() + PATIENCE;
    while !log().contains("isn't believed") {
        assert!(Instant::now() < deadline, "it is believed: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(waits_for_the_scanner(&described(base, &early)));
    wrong.kill();

    let clamd = home.start(AS_IT_HAS_TO_BE);
    becomes(base, &early, is_available);
    let clean = sent(base, "clean.txt", b"hello", dir);
    let record = becomes(base, &clean, is_available);
    assert_eq!(record.get("stage"), None);
    let url = format!("{base}/v1/files/{clean}");
    assert_eq!(curl(&["--location", &url]), b"hello");
    for (name, bytes, code, found) in [
        ("virus.txt", eicar(), "infected", "Eicar-Test-Body"),
        ("deep.zip", bomb().to_vec(), "infected", "Eicar-Test-Body"),
        ("secret.zip", encrypted(), "unscannable", "encrypted"),
    ] {
        let id = sent(base, name, &bytes, dir);
        let record = becomes(base, &id, is_rejected_for(code));
        let reason = record["reason"].as_str().unwrap();
        assert!(reason.contains(found), "{reason}");
        let problem = curl_json(&[&format!("{base}/v1/files/{id}")]);
        assert_eq!(problem["code"], "file_rejected", "{problem}");
        assert_eq!(problem["detail"], record["reason"]);
    }

    // It goes away, and comes back.
    clamd.kill();
    let clean = sent(base, "later.txt", b"hello, later", dir);
    let virus = sent(base, "later.exe", &eicar(), dir);
    for id in [&clean, &virus] {
        becomes(base, id, waits_for_the_scanner);
        let problem = curl_json(&[&format!("{base}/v1/files/{id}")]);
        assert_eq!(problem["code"], "upload_pending", "{problem}");
    }
    let listed = curl_json(&[&format!("{base}/v1/files?status=pending")]);
    assert_eq!(listed["files"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["files"][0]["stage"], "scanning");
    let _clamd = home.start(AS_IT_HAS_TO_BE);
    becomes(base, &clean, is_available);
    becomes(base, &virus, is_rejected_for("infected"));
    assert_eq!(described(base, &virus)["status"], "rejected");
}

fn in_local_mode() {
    let (dir, home) = (data_dir(), ClamdHome::new());
    let settings = [
        ("SCANNER", home.setting()),
        ("RECONCILE_INTERVAL", "200ms".into()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let program = Program::local(dir.path(), &settings);
    let log = program.log();
    assert!(log.contains("the virus scanner is away"), "{log}");
    let ready = curl_json(&[&format!("{}/readyz", program.base)]);
    assert_eq!(ready, json!({"status": "ready", "scanner": "away"}));
    every_file_is_scanned(&program.base, &home, || program.log());
}

fn in_aws_mode(deployment: &Deployment) {
    let home = ClamdHome::new();
    let setting = home.setting();
    let scanner = ("SCANNER", setting.as_str());
    // Started before anybody scans, and told nothing about it.
    let api = Program::aws_api(deployment, &[]);
    let worker = Program::worker(deployment, &[scanner, ("RECONCILE_INTERVAL", "200ms")]);
    let deadline = Instant::now() + PATIENCE;
    while !worker.log().contains("leaves its files to the scanner") {
        assert!(Instant::now() < deadline, "{}", worker.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let refused = Program::worker_refuses(deployment, &[]);
    assert!(refused.contains("SCANNER=off"), "{refused}");
    every_file_is_scanned(&api.base, &home, || worker.log());
    let log = worker.log();
    assert!(log.contains("the virus scanner is away"), "{log}");
    // Nothing was given up.
    assert!(!log.contains("tried again"), "{log}");
}

#[test]
fn no_file_is_available_unscanned_in_local_mode_and_none_is_forgotten() {
    in_local_mode();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_available_unscanned_in_aws_mode_and_none_is_forgotten() {
    let deployment = MiniStack::shared().await.deploy("viruses").await;
    let run = move || in_aws_mode(&deployment);
    tokio::task::spawn_blocking(run).await.unwrap();
}

const LINES: [&str; 5] = [
    "MaxScanSize",
    "MaxFileSize",
    "StreamMaxLength",
    "AlertExceedsMax yes",
    "AlertEncrypted yes",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_program_starts_with_a_clamd_that_passes_what_it_has_to_find() {
    let deployment = MiniStack::shared().await.deploy("viruses-start").await;
    let run = move || {
        let dir = data_dir();
        let home = ClamdHome::new();
        let setting = home.setting();
        let settings = [("SCANNER", setting.as_str())];
        let clamd = home.start(AS_DEBIAN_HAS_IT);
        for said in [
            Program::local_refuses_with(dir.path(), &settings),
            Program::worker_refuses(&deployment, &settings),
        ] {
            for line in LINES {
                assert!(said.contains(line), "{line} is missing in {said}");
            }
        }
        clamd.kill();
        home.forget_the_test_file();
        let _clamd = home.start(AS_IT_HAS_TO_BE);
        let said = Program::local_refuses_with(dir.path(), &settings);
        assert!(said.contains("doesn't find the EICAR test file"), "{said}");
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[test]
fn a_check_says_how_the_scanner_is() {
    let (dir, home) = (data_dir(), ClamdHome::new());
    let scanner = format!("--scanner={}", home.setting());
    // A data directory to look at.
    drop(Program::local(dir.path(), &[]));
    let said = |arguments: &[&str]| {
        let output = check_local(dir.path(), arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        let mut lines = said.lines().skip_while(|line| !line.contains(" scanner "));
        let line = lines.next().unwrap_or_default().to_owned();
        (line, lines.next().unwrap_or_default().to_owned())
    };
    assert_eq!(said(&[]), Default::default());
    let (line, _) = said(&[&scanner]);
    assert!(
        line.starts_with("✗ scanner") && line.contains("away"),
        "{line}"
    );
    let clamd = home.start(AS_DEBIAN_HAS_IT);
    let (line, remedy) = said(&[&scanner]);
    assert!(line.starts_with("✗ scanner"), "{line}");
    assert!(LINES.iter().all(|line| remedy.contains(line)), "{remedy}");
    clamd.kill();
    let _clamd = home.start(AS_IT_HAS_TO_BE);
    let (line, _) = said(&[&scanner]);
    assert!(line.starts_with("✓ scanner"), "{line}");
}

/// Files that were taken while nothing scanned: one with a virus, and one without, and a link to both.
struct Taken {
    virus: String,
    clean: String,
    /// Its path.
    link: String,
}

fn taken(base: &str) -> Taken {
    let dir = tempfile::tempdir().unwrap();
    let virus = sent(base, "virus.txt", &eicar(), dir.path());
    let clean = sent(base, "clean.txt", b"hello", dir.path());
    for id in [&virus, &clean] {
        becomes(base, id, is_available);
    }
    let body = json!({"files": [virus, clean]}).to_string();
    let json = "Content-Type: application/json";
    let link = curl_json(&["-H", json, "--data", &body, &format!("{base}/v1/links")]);
    let (_, token) = link["url"].as_str().unwrap().rsplit_once("/s/").unwrap();
    let link = format!("/v1/shared/{token}");
    Taken { virus, clean, link }
}

/// What the command ended with, and said on standard output.
fn rescanned(output: &Output) -> (Option<i32>, String) {
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code(), said)
}

fn is_withdrawn(base: &str, taken: &Taken, before: &Value) {
    let Taken { virus, clean, link } = taken;
    let record = described(base, virus);
    assert_eq!(record["status"], "withdrawn", "{record}");
    assert_eq!(record["reasonCode"], "infected");
    for kept in ["sha256", "uploadedAt", "displayName", "size"] {
        assert_eq!(record[kept], before[kept], "{kept}");
    }
    let downloads = format!("{base}{link}/files/{virus}/downloads");
    let json = ["-H", "Content-Type: application/json", "--data", "{}"];
    for problem in [
        curl_json(&[&format!("{base}/v1/files/{virus}")]),
        curl_json(&[&json[..], &[&downloads]].concat()),
        curl_json(&[&format!("{base}/v1/files/{virus}/receipt")]),
    ] {
        assert_eq!(problem["code"], "file_withdrawn", "{problem}");
        assert_eq!(problem["status"], 410);
        assert_eq!(problem["detail"], record["reason"]);
    }
    // Nor can it be held or kept from then on.
    for (what, body) in [
        ("hold", json!({"reason": "case 4711"})),
        ("keep-until", json!({"keepUntil": "2030-01-01T00:00:00Z"})),
    ] {
        let (body, url) = (body.to_string(), format!("{base}/v1/files/{virus}/{what}"));
        let problem = curl_json(&["--request", "PUT", "--json", &body, &url]);
        assert_eq!(problem["code"], "file_withdrawn", "{what}: {problem}");
    }
    let page = curl(&["-H", "Accept: text/html", &format!("{base}/f/{virus}")]);
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("This file was withdrawn"), "{page}");
    let listed = curl_json(&[&format!("{base}/v1/files?status=withdrawn")]);
    assert_eq!(listed["files"].as_array().unwrap().len(), 1, "{listed}");
    let url = format!("{base}/v1/files/{clean}");
    assert_eq!(curl(&["--location", &url]), b"hello");
}

fn is_withdrawn_in_local_mode() {
    let (dir, home) = (data_dir(), ClamdHome::new());
    let program = Program::local(dir.path(), &[("AUDIT", "on")]);
    let taken = taken(&program.base);
    let before = described(&program.base, &taken.virus);
    program.kill();
    let scanner = home.setting();
    // It is away.
    let (code, said) = rescanned(&rescan_local(dir.path(), &scanner, &[]));
    assert_eq!((code, said.as_str()), (Some(3), ""));
    let _clamd = home.start(AS_IT_HAS_TO_BE);
    // While the service runs it can only be looked.
    let program = Program::local(dir.path(), &[("AUDIT", "on")]);
    assert_eq!(described(&program.base, &taken.virus), before);
    let (code, said) = rescanned(&rescan_local(dir.path(), &scanner, &["--dry-run"]));
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with(&taken.virus) && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(described(&program.base, &taken.virus), before);
    let (code, _) = rescanned(&rescan_local(dir.path(), &scanner, &[&taken.virus]));
    assert_eq!(code, Some(3));
    program.kill();
    let (code, again) = rescanned(&rescan_local(dir.path(), &scanner, &[&taken.virus]));
    assert_eq!((code, again), (Some(1), said));
    let program = Program::local(dir.path(), &[("AUDIT", "on")]);
    is_withdrawn(&program.base, &taken, &before);
    program.kill();
    let (code, said) = rescanned(&rescan_local(dir.path(), &scanner, &[]));
    assert_eq!((code, said.as_str()), (Some(0), ""));
    is_in_the_audit_log(dir.path(), &taken.virus);
}

/// Each rescan that changes something is a writer of the same chain as the service before and after it.
fn is_in_the_audit_log(data_dir: &Path, withdrawn: &str) {
    let lines = audit::lines(data_dir);
    let of_rescan = lines.iter().filter(|line| line["requestId"] == "rescan");
    let of_rescan: Vec<_> = of_rescan
        .map(|line| ["action", "caller", "resource", "outcome"].map(|field| line[field].clone()))
        .collect();
    assert_eq!(of_rescan, [["withdraw_file", "system", withdrawn, "done"]]);
    let (code, said) = audit::verify(data_dir, &[]);
    assert_eq!(code, Some(0), "{said}");
}

fn is_withdrawn_in_aws_mode(deployment: &Deployment) {
    let home = ClamdHome::new();
    let _clamd = home.start(AS_IT_HAS_TO_BE);
    let api = Program::aws_api(deployment, &[]);
    let _worker = Program::worker(deployment, &[]);
    let taken = taken(&api.base);
    let before = described(&api.base, &taken.virus);
    let url = format!("{}/v1/files/{}", api.base, taken.virus);
    let handed_out = curl(&[
        "--write-out",
        "%{redirect_url}",
        "--output",
        "/dev/null",
        &url,
    ]);
    let handed_out = String::from_utf8(handed_out).unwrap();
    assert_eq!(curl_status(&[&handed_out]), "200");
    // Beside both programs.
    let (code, said) = rescanned(&rescan_aws(deployment, &home.setting(), &[]));
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with(&taken.virus) && said.lines().count() == 1,
        "{said}"
    );
    is_withdrawn(&api.base, &taken, &before);
    // The bytes are gone, whoever has a URL.
    assert_eq!(curl_status(&[&handed_out]), "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_withdrawn_in_both_modes() {
    let deployment = MiniStack::shared().await.deploy("viruses-rescan").await;
    let run = move || {
        is_withdrawn_in_local_mode();
        is_withdrawn_in_aws_mode(&deployment);
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
