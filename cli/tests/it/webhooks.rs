//! `fshare webhook listen`, told by a real service and by somebody else.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Service, fshare};

struct Listening {
    child: Child,
    url: String,
    secret: String,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let mut child = fshare("http://127.0.0.1:1")
            .args(["webhook", "listen", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut value_of = |name: &str| {
            let lines = said.by_ref().map(Result::unwrap);
            let mut of_name = lines.filter_map(|line| Some(line.split_once(name)?.1.to_owned()));
            of_name.next().unwrap()
        };
        let (url, secret) = (value_of("WEBHOOK_URL="), value_of("WEBHOOK_SECRET="));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            url,
            secret,
            lines,
        }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn told_by(&self) -> Service {
        let settings = [
            ("WEBHOOK_URL", &*self.url),
            ("WEBHOOK_SECRET", &*self.secret),
        ];
        Service::start(&settings)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_service_tells_is_shown_with_what_it_is_about() {
    let mut listening = Listening::start(&[]);
    let service = listening.told_by();
    service.file("notes.txt", b"hello");
    let ran = service.run(&["upload", "--metadata", "course=INF-1\u{1b}[2J", "notes.txt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let first = listening.next();
    assert!(
        first.starts_with("✓ 20") && first.contains("  file.available  msg_"),
        "{first}"
    );
    let fields: Vec<String> = (0..13).map(|_| listening.next()).collect();
    let has = |start: &str| fields.iter().any(|line| line.starts_with(start));
    assert!(has("    displayName   notes.txt"), "{fields:?}");
    assert!(has("    metadata      {\"course\":\"INF-1"), "{fields:?}");
    assert!(
        !fields.concat().contains('\u{1b}'),
        "a terminal is steered: {fields:?}"
    );
}

#[test]
fn what_is_signed_by_somebody_else_is_shown_as_that_and_refused() {
    let mut listening = Listening::start(&["--json"]);
    let forged = std::process::Command::new("curl")
        .args([
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
        ])
        .args(["--data", r#"{"type":"file.available"}"#])
        .args(["--header", "webhook-id: msg_1"])
        .args([
            "--header",
            &format!("webhook-timestamp: {}", chrono::Utc::now().timestamp()),
        ])
        .args(["--header", "webhook-signature: v1,AAAA"])
        .arg(&listening.url)
        .output()
        .unwrap();
    assert_eq!(forged.stdout, b"401");
    let shown: Value = serde_json::from_str(&listening.next()).unwrap();
    assert_eq!(
        (&shown["id"], &shown["verified"]),
        (&"msg_1".into(), &false.into())
    );
    let service = listening.told_by();
    service.upload("notes.txt", b"hello");
    let shown: Value = serde_json::from_str(&listening.next()).unwrap();
    assert_eq!(
        (&shown["verified"], &shown["why"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(shown["payload"]["type"], "file.available");
}

#[test]
fn a_secret_that_is_none_is_refused_before_anything_is_listened_on() {
    for secret in ["hush", "whsec_hush!", ""] {
        let mut command = fshare("http://127.0.0.1:1");
        let output = command
            .args(["webhook", "listen", "--port", "0", "--secret", secret])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{secret}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hush"));
    }
}
