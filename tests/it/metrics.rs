//! What the real programs say to whoever scrapes them, and that it is what was reviewed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::Deployment;
use crate::support::program::{Program, data_dir};

const REVIEWED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/metrics.txt"));
const ON: (&str, &str) = ("METRICS_LISTEN", "127.0.0.1:0");
const LIMIT: Duration = Duration::from_secs(60);
const SECRET: &str = "0123456789abcdef-in-no-metric";

/// Where a program says that it can be scraped.
fn scraped_at(program: &Program) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        let log = program.log();
        let line = log.lines().find(|it| it.contains("metrics can be scraped"));
        if let Some(address) = line.and_then(|it| it.split("address=").nth(1)) {
            return format!("http://{}", address.trim());
        }
        assert!(Instant::now() < deadline, "nobody can scrape it: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn exposition(program: &Program) -> String {
    String::from_utf8(curl(&[&format!("{}/metrics", scraped_at(program))])).unwrap()
}

/// The value of a series, as it is written; `None` if there is none.
fn value<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

/// Waits until a series has a value.
fn await_value(program: &Program, series: &str, expected: &str) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        let text = exposition(program);
        if value(&text, series) == Some(expected) {
            return text;
        }
        assert!(
            Instant::now() < deadline,
            "{series} isn't {expected} in\n{text}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The reviewed names, each with its type, labels and help.
fn reviewed() -> BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>, &'static str)> {
    let entries = REVIEWED.split("\n\n").filter(|it| !it.starts_with('#'));
    let entries = entries.map(|entry| {
        let (head, help) = entry.trim().split_once("\n    ").unwrap();
        let (name, rest) = head.split_once(' ').unwrap();
        let (kind, rest) = rest.split_once(" {").unwrap();
        let labels = rest.split('}').next().unwrap().split(", ");
        let labels = labels.filter(|it| !it.is_empty()).collect();
        (name, (kind, labels, help))
    });
    entries.collect()
}

/// Every family is a reviewed one, with its type, its help and no label that it hasn't there.
fn is_as_reviewed(text: &str) {
    let reviewed = reviewed();
    let mut name = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (of, help) = rest.split_once(' ').unwrap();
            assert_eq!(reviewed[of].2, help, "{of}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (of, kind) = rest.split_once(' ').unwrap();
            assert_eq!(reviewed[of].0, kind, "{of}");
            name = of;
        } else {
            assert!(line.starts_with(name), "{line} isn't of {name}");
            let labels = line.split('{').nth(1).unwrap_or_default();
            for label in labels.split("=\"") {
                let label = label.rsplit(['"', ',']).next().unwrap_or_default();
                if label.starts_with(|c: char| c.is_ascii_lowercase()) && label != "le" {
                    assert!(reviewed[name].1.contains(label), "{line}");
                }
            }
        }
    }
}

/// Prometheus's own check finds nothing to say.
fn promtool_has_no_objection(text: &str) {
    let mut promtool = promtool();
    let mut child = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there (Debian's package prometheus)");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

fn promtool() -> Command {
    let named = std::env::var_os("PROMTOOL");
    Command::new(named.unwrap_or_else(|| "/usr/bin/promtool".into()))
}

fn answered(method: &str, route: &str, status: u16) -> String {
    format!(
        "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",\
         http_route=\"{route}\",http_response_status_code=\"{status}\"}}"
    )
}

/// Creates a file of five bytes and sends them; its ID.
fn hello(base: &str, dir: &tempfile::TempDir) -> String {
    let path = dir.path().join("hello");
    fs::write(&path, "hello").unwrap();
    let created = create(base, &json!({"filename": "hello.txt", "size": 5}));
    assert_eq!(upload(&created, &path), "200");
    created["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_metrics_of_local_mode_say_what_happened_and_nothing_of_whom() {
    let dir = data_dir();
    let program = Program::local(
        &dir.path().join("data"),
        &[ON, ("RATE_CREATE", "1/min:1"), ("AUDIT", "on")],
    );
    let base = &program.base;
    let source = tempfile::tempdir().unwrap();
    let path = source.path().join("hello");
    fs::write(&path, "hello").unwrap();
    let body = json!({"filename": "secret-name.txt", "size": 5});
    let created = create(base, &body);
    let id = created["id"].as_str().unwrap();
    assert_eq!(upload(&created, &path), "200");
    let record = curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")]);
    assert_eq!(record["status"], "available", "{record}");
    let redirect = curl_status(&[&format!("{base}/files/{id}")]);
    assert_eq!(redirect, "307");
    let refused = create(base, &body);
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    for made_up in ["wp-login.php", SECRET, "v1/files/a/b/c/d"] {
        curl_status(&[&format!("{base}/{made_up}?token={SECRET}")]);
    }
    curl_status(&["--request", "BREW", &format!("{base}/v1/files")]);

    let settled = "file_share_settled_total{via=\"notification\",outcome=\"available\"}";
    let text = await_value(&program, settled, "1");
    for (series, expected) in [
        (answered("POST", "/v1/files", 201), "1"),
        (answered("POST", "/v1/files", 429), "1"),
        (answered("PUT", "/{bucket}/{key}", 200), "1"),
        (answered("GET", "/v1/files/{id}/metadata", 200), "1"),
        (answered("GET", "/v1/files/{id}", 307), "1"),
        (answered("GET", "other", 404), "3"),
        (
            "file_share_refused_calls_total{class=\"create\"}".to_owned(),
            "1",
        ),
        (
            "file_share_finalization_lag_seconds_count{via=\"notification\"}".to_owned(),
            "1",
        ),
        ("file_share_upload_duration_seconds_count".to_owned(), "1"),
        (
            "file_share_store_call_duration_seconds_count{store=\"metadata\",operation=\"insert\"}"
                .to_owned(),
            "1",
        ),
        ("file_share_pending_files".to_owned(), "0"),
        ("file_share_audit_write_failures_total".to_owned(), "0"),
        ("http_server_active_requests".to_owned(), "0"),
        (
            concat!(
                "file_share_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\",program=\"file-share\",mode=\"local\",scanner=\"none\"}"
            )
            .to_owned(),
            "1",
        ),
    ] {
        assert_eq!(value(&text, &series), Some(expected), "{series} in\n{text}");
    }
    assert!(text.contains("http_request_method=\"_OTHER\""), "{text}");
    for secret in [id, "secret-name", SECRET, "wp-login", "BREW", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    is_as_reviewed(&text);
    promtool_has_no_objection(&text);
    // Nobody who reaches the service reaches them.
    assert_eq!(curl_status(&[&format!("{base}/metrics")]), "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_of_api_and_worker_say_who_settled_a_file_and_how_late() {
    let deployment = Deployment::shared().await;
    tokio::task::spawn_blocking(|| {
        let api = Program::aws_api(deployment, &[ON]);
        let worker = Program::worker(deployment, &[ON]);
        let dir = tempfile::tempdir().unwrap();
        let id = hello(&api.base, &dir);
        let record = curl_json(&[&format!("{}/v1/files/{id}/metadata?wait=20", api.base)]);
        assert_eq!(record["status"], "available", "{record}");
        let by_api = exposition(&api);
        // Other tests' workers may be at the same queue.
        let received = "file_share_queue_received_messages_total";
        let by_worker = exposition(&worker);
        for name in [
            received,
            "file_share_queue_last_receive_timestamp_seconds",
            "file_share_reconciler_last_pass_timestamp_seconds",
        ] {
            assert!(value(&by_worker, name).is_some(), "{name} in\n{by_worker}");
            assert!(value(&by_api, name).is_none(), "{name} in\n{by_api}");
        }
        let created = answered("POST", "/v1/files", 201);
        assert_eq!(value(&by_api, &created), Some("1"), "{by_api}");
        for (text, service, operation) in [
            (&by_api, "DynamoDB", "PutItem"),
            (&by_worker, "SQS", "ReceiveMessage"),
        ] {
            let attempts = format!(
                "file_share_aws_attempt_duration_seconds_count{{service=\"{service}\",operation=\"{operation}\"}}"
            );
            let attempts = value(text, &attempts).expect("it is counted");
            assert_ne!(attempts, "0", "{service} {operation} in\n{text}");
        }
        for text in [&by_api, &by_worker] {
            is_as_reviewed(text);
            promtool_has_no_objection(text);
        }
        // A hint settles in the API.
        let created = create(&api.base, &json!({"filename": "a.txt", "size": 0}));
        let empty = dir.path().join("empty");
        fs::write(&empty, "").unwrap();
        assert_eq!(upload(&created, &empty), "200");
        let id = created["id"].as_str().unwrap();
        let url = format!("{}/v1/files/{id}/complete", api.base);
        let completed = curl_json(&["--request", "POST", &url]);
        assert_eq!(completed["status"], "available", "{completed}");
        for path in ["healthz", "readyz"] {
            let url = format!("{}/{path}", scraped_at(&worker));
            assert_eq!(curl_status(&[&url]), "200");
        }
    })
    .await
    .unwrap();
}

#[test]
fn without_the_setting_nobody_listens_and_an_address_that_is_taken_stops_the_start() {
    let dir = data_dir();
    let program = Program::local(&dir.path().join("off"), &[]);
    assert!(!program.log().contains("metrics can be scraped"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = [("METRICS_LISTEN", address.as_str())];
    let said = Program::local_refuses_with(&dir.path().join("on"), &settings);
    assert!(said.contains("METRICS_LISTEN"), "{said}");
}

/// The alerts, each with its expression and the section that it points to.
fn alerts() -> Vec<(String, String, String)> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/alerts.yaml"));
    let rules = text.split("- alert: ").skip(1);
    rules
        .map(|rule| {
            let (name, rest) = rule.split_once('\n').unwrap();
            let (_, rest) = rest.split_once("expr:").unwrap();
            let (expression, rest) = rest.split_once("labels:").unwrap();
            let (_, section) = rest.split_once("runbook: ").unwrap();
            let section = section.lines().next().unwrap();
            (name.to_owned(), expression.to_owned(), section.to_owned())
        })
        .collect()
}

#[test]
fn each_alert_has_a_section_in_the_runbook_and_each_section_an_alert() {
    let runbook = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md"));
    let (_, sections) = runbook
        .split_once("\n# Alerts\n")
        .expect("the alerts have a part");
    let sections: BTreeMap<&str, &str> = sections
        .split("\n## ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap())
        .collect();
    let alerts = alerts();
    assert!(alerts.len() >= 15, "{}", alerts.len());
    let names: BTreeSet<&str> = alerts.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, sections.keys().copied().collect());
    for (name, _, section) in &alerts {
        let expected = format!("docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(section, &expected, "{name}");
        let text = sections[name.as_str()];
        for part in ["**Means**", "**Users**", "**Look**", "**Do**", "**Over**"] {
            assert!(text.contains(part), "{name} has no {part}");
        }
        assert!(text.contains("```"), "{name} has nothing to paste");
    }
}

#[test]
fn every_metric_that_an_alert_a_panel_or_the_runbook_asks_for_is_a_reviewed_one() {
    let reviewed = reviewed();
    let runbook = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runbook.md"));
    let mut asked = 0;
    let expressions = alerts().into_iter().map(|it| it.1);
    let dashboard = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/dashboard.json"
    ));
    for text in expressions.chain([runbook.to_owned(), dashboard.to_owned()]) {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        for word in text.split(|c: char| !is_name(c)) {
            let is_metric = ["file_share_", "http_server_", "process_start_"]
                .iter()
                .any(|prefix| word.starts_with(prefix));
            if !is_metric {
                continue;
            }
            let endings = ["_bucket", "_sum", "_count"];
            let base = endings.iter().find_map(|it| word.strip_suffix(it));
            let is_there = reviewed.contains_key(word)
                || base.is_some_and(|it| reviewed.get(it).is_some_and(|it| it.0 == "histogram"));
            assert!(is_there, "{word} is no metric");
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
}

#[test]
fn the_unit_tests_of_the_alerts_pass_and_each_alert_fires_in_one() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    for arguments in [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts.test.yaml"],
    ] {
        let output = promtool().args(arguments).current_dir(root).output();
        let output = output.expect("promtool is there (Debian's package prometheus)");
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let tests = fs::read_to_string(format!("{root}/alerts.test.yaml")).unwrap();
    for (name, ..) in alerts() {
        let of_it = tests
            .split("\n  - name: ")
            .filter(|it| it.contains(&format!("alertname: {name}\n")));
        let fires = of_it.filter(|it| it.contains("exp_alerts:")).any(|it| {
            // It fires at one moment, and is silent before and at the end.
            let moments: Vec<bool> = it
                .split("- alertname: ")
                .skip(1)
                .map(|moment| moment.contains("exp_alerts:"))
                .collect();
            moments == [false, true, false]
        });
        assert!(fires, "{name} isn't seen to fire and to stop");
    }
}

#[test]
fn a_start_with_the_metrics_where_the_service_is_says_so() {
    let dir = data_dir();
    let settings = [("LISTEN", "127.0.0.1:8099"), ("METRICS_LISTEN", ":8099")];
    let said = Program::local_refuses_with(dir.path(), &settings);
    assert!(
        said.contains("METRICS_LISTEN: is where LISTEN is"),
        "{said}"
    );
}
