//! Webhooks of the real programs, in both modes, and the receivers of `docs/webhooks.md` as they stand there.

mod kills;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::{create, curl_json, curl_status, upload};
use crate::support::ministack::{Deployment, MiniStack, project_root};
use crate::support::node_tests::free_port;
use crate::support::program::{Program, check_local, data_dir};

/// 29 bytes of `s`.
const SECRET: &str = "whsec_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=";
/// More than a minute: so long a message is left to a process that took it up and was killed.
const LIMIT: Duration = Duration::from_secs(150);
const POLL: Duration = Duration::from_millis(50);

/// A delivery as it came: its head in lower case, and its body.
#[derive(Debug, Clone)]
struct Delivery {
    head: String,
    body: String,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    fn said(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        self.said()["type"].as_str().unwrap().to_owned()
    }
}

/// Keeps what comes, and answers with a status that the test sets, once it may.
struct Receiver {
    address: String,
    status: Arc<AtomicU16>,
    /// While it is, nothing is answered.
    is_held: Arc<AtomicBool>,
    got: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    fn start() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn at(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        let (status, got) = (Arc::new(AtomicU16::new(204)), Arc::default());
        let (kept, answer) = (Arc::clone(&got), Arc::clone(&status));
        let is_held = Arc::new(AtomicBool::new(false));
        let held = Arc::clone(&is_held);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if let Some(delivery) = read(&stream) {
                    let kept: &Mutex<Vec<Delivery>> = &kept;
                    kept.lock().unwrap().push(delivery);
                }
                while held.load(Ordering::SeqCst) {
                    std::thread::sleep(POLL);
                }
                let status = answer.load(Ordering::SeqCst);
                let _ = (&stream).write_all(
                    format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n").as_bytes(),
                );
            }
        });
        Self {
            address,
            status,
            is_held,
            got,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    fn got(&self) -> Vec<Delivery> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until so many different messages have come.
    fn wait_for(&self, messages: usize) -> Vec<Delivery> {
        let began = Instant::now();
        loop {
            let got = self.got();
            let ids: BTreeSet<&str> = got.iter().map(|it| it.header("webhook-id")).collect();
            if ids.len() >= messages {
                return got;
            }
            assert!(began.elapsed() < LIMIT, "{messages} were to come: {got:#?}");
            std::thread::sleep(POLL);
        }
    }
}

fn read(mut stream: &TcpStream) -> Option<Delivery> {
    let mut reader = BufReader::new(&mut stream);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        head.push_str(&line.to_lowercase());
        line.clear();
    }
    let length = head
        .lines()
        .find_map(|it| it.strip_prefix("content-length: "));
    let mut body = vec![0; length?.trim().parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Delivery {
        head: head.replace("\r\n", "\n"),
        body: String::from_utf8(body).ok()?,
    })
}

/// By another program than the one that signs.
fn is_genuine(delivery: &Delivery, signature: &str, dir: &Path) -> bool {
    std::fs::write(dir.join("body.json"), &delivery.body).unwrap();
    let script = format!("set -e\n{}", recipe("A shell", "sh"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(dir);
    shell.env("WEBHOOK_SECRET", SECRET);
    shell.env("id", delivery.header("webhook-id"));
    shell.env("timestamp", delivery.header("webhook-timestamp"));
    shell.env("signature", signature);
    let output = shell.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), said == "genuine\n", "{said}");
    output.status.success()
}

fn signature(delivery: &Delivery) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[b's'; 29]);
    let id = delivery.header("webhook-id");
    let signed = format!(
        "{id}.{}.{}",
        delivery.header("webhook-timestamp"),
        delivery.body
    );
    let code = ring::hmac::sign(&key, signed.as_bytes());
    let expected = format!("v1,{}", base64_of(code.as_ref()));
    // What came is that, but for the case that was lost.
    assert_eq!(
        delivery.header("webhook-signature"),
        expected.to_lowercase()
    );
    expected
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The first block in this language below a heading of the document.
fn recipe(heading: &str, language: &str) -> String {
    let document = std::fs::read_to_string(project_root().join("docs/webhooks.md")).unwrap();
    let (_, below) = document.split_once(&format!("\n### {heading}\n")).unwrap();
    let (_, block) = below.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```\n").unwrap().0.to_owned()
}

fn settings(receiver: &Receiver) -> [(String, String); 2] {
    [
        ("WEBHOOK_URL".into(), receiver.url()),
        ("WEBHOOK_SECRET".into(), SECRET.into()),
    ]
}

fn by_name(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    let pairs = settings.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

fn file_of(base: &str, created: &Value) -> String {
    format!("{base}/v1/files/{}", text(created, "id"))
}

fn one_of(got: &[Delivery], kind: &str) -> Value {
    let mut found = got.iter().filter(|it| it.kind() == kind);
    let found = found
        .next()
        .unwrap_or_else(|| panic!("no {kind}: {got:#?}"));
    found.said()
}

/// What holds in both modes, with a receiver that nothing else is told.
fn each_thing_that_happens_is_told(base: &str, receiver: &Receiver) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let body = json!({"filename": "a b.txt", "size": 5, "metadata": {"course": "INF-1"}});
    let created = create(base, &body);
    assert_eq!(upload(&created, &source), "200");
    let got = receiver.wait_for(1);
    let told = one_of(&got, "file.available");
    let file = file_of(base, &created);
    let record = curl_json(&[&format!("{file}/metadata?wait=20")]);
    assert_eq!(told["data"], record, "the file of the API, field for field");
    assert_eq!(told["data"]["metadata"], json!({"course": "INF-1"}));

    let link = json!({"files": [created["id"]], "maxDownloads": 5}).to_string();
    let link = curl_json(&["--json", &link, &format!("{base}/v1/links")]);
    let token = text(&link, "url").rsplit('/').next().unwrap().to_owned();
    curl_json(&[&format!("{base}/v1/shared/{token}")]);
    let grants = format!(
        "{base}/v1/shared/{token}/files/{}/downloads",
        text(&created, "id")
    );
    let grant = curl_json(&["--json", "{}", &grants]);
    assert!(grant["url"].is_string(), "{grant}");
    let told = one_of(&receiver.wait_for(2), "link.downloaded");
    assert_eq!(told["data"]["link"], link["id"]);
    assert_eq!(told["data"]["file"], record);

    let new_box = json!({"title": "Sheet 3"}).to_string();
    let new_box = curl_json(&["--json", &new_box, &format!("{base}/v1/boxes")]);
    let token = text(&new_box, "url").rsplit('/').next().unwrap().to_owned();
    let body = json!({"filename": "c.txt", "size": 5, "submitter": "Ada"}).to_string();
    let handed_in = curl_json(&["--json", &body, &format!("{base}/v1/drop/{token}/files")]);
    assert_eq!(upload(&handed_in, &source), "200");
    let told = one_of(&receiver.wait_for(4), "box.submitted");
    assert_eq!(
        (&told["data"]["box"], text(&told["data"], "submitter")),
        (&new_box["id"], "Ada")
    );
    assert_eq!(told["data"]["file"]["id"], handed_in["id"]);

    assert_eq!(curl_status(&["--request", "DELETE", &file]), "204");
    let got = receiver.wait_for(5);
    let told = one_of(&got, "file.deleted");
    assert_eq!(told["data"], record, "as it was before");

    for delivery in &got {
        assert!(
            delivery.head.starts_with("post /hooks http/1.1\n"),
            "{delivery:?}"
        );
        let signature = signature(delivery);
        assert!(is_genuine(delivery, &signature, dir.path()), "{delivery:?}");
        let changed = Delivery {
            body: delivery.body.replace("\"size\":5", "\"size\":6"),
            ..delivery.clone()
        };
        assert_ne!(changed.body, delivery.body);
        assert!(!is_genuine(&changed, &signature, dir.path()));
        assert!(!delivery.body.contains("X-Amz"), "a presigned URL is told");
    }
}

#[test]
fn local_mode_tells_each_thing_that_happens_with_a_signature_that_others_verify() {
    let dir = data_dir();
    let receiver = Receiver::start();
    let of_receiver = settings(&receiver);
    let mut settings = by_name(&of_receiver);
    settings.push(("RUST_LOG", "trace"));
    let program = Program::local(dir.path(), &settings);
    each_thing_that_happens_is_told(&program.base, &receiver);
    let log = program.log();
    let base64 = SECRET.strip_prefix("whsec_").unwrap();
    for secret in [base64, "INF-1", "/hooks", "v1,"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_the_worker_tells_with_its_own_permissions_what_either_program_does() {
    let deployment = MiniStack::shared().await.deploy("webhooks").await;
    tokio::task::spawn_blocking(move || in_aws_mode(&deployment))
        .await
        .unwrap();
}

fn in_aws_mode(deployment: &Deployment) {
    let receiver = Receiver::start();
    let of_receiver = settings(&receiver);
    // The API needs no secret.
    let api = Program::aws_api(deployment, &by_name(&of_receiver[..1]));
    let _worker = Program::worker(deployment, &by_name(&of_receiver));
    each_thing_that_happens_is_told(&api.base, &receiver);
}

#[test]
fn a_receiver_that_is_away_is_told_once_it_is_back_and_none_is_lost() {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    // A port at which nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/hooks");
    let settings = [("WEBHOOK_URL", url.as_str()), ("WEBHOOK_SECRET", SECRET)];
    let program = Program::local(&dir.path().join("data"), &settings);
    let mut expected = BTreeSet::new();
    for n in 0..3 {
        let created = create(
            &program.base,
            &json!({"filename": format!("{n}.txt"), "size": 5}),
        );
        assert_eq!(upload(&created, &source), "200");
        let record = curl_json(&[&format!(
            "{}/metadata?wait=20",
            file_of(&program.base, &created)
        )]);
        assert_eq!(record["status"], "available", "nobody waits for a receiver");
        expected.insert(text(&created, "id").to_owned());
    }
    let waits = |log: String| log.contains("webhooks weren't taken");
    let began = Instant::now();
    while !waits(program.log()) {
        assert!(began.elapsed() < LIMIT, "it wasn't tried");
        std::thread::sleep(POLL);
    }
    assert!(!program.log().contains("/hooks"), "the URL is in the log");
    let receiver = Receiver::at(TcpListener::bind(address).unwrap());
    let got = receiver.wait_for(3);
    let told: BTreeSet<String> = got
        .iter()
        .map(|it| text(&it.said()["data"], "id").to_owned())
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn what_was_to_be_told_when_the_program_was_killed_is_told_after_its_next_start() {
    let dir = data_dir();
    let data = dir.path().join("data");
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let receiver = Receiver::start();
    let of_receiver = settings(&receiver);
    receiver.status.store(500, Ordering::SeqCst);
    let mut expected = BTreeSet::new();
    for n in 0..5 {
        let program = Program::local(&data, &by_name(&of_receiver));
        let created = create(
            &program.base,
            &json!({"filename": format!("{n}.txt"), "size": 5}),
        );
        assert_eq!(upload(&created, &source), "200");
        let file = file_of(&program.base, &created);
        curl_json(&[&format!("{file}/metadata?wait=20")]);
        expected.insert(format!("msg_{}_available", text(&created, "id")));
        if n % 2 == 0 {
            assert_eq!(curl_status(&["--request", "DELETE", &file]), "204");
            expected.insert(format!("msg_{}_deleted", text(&created, "id")));
        }
        // The answer to the last call is there, and nothing was taken yet.
        program.kill();
    }
    receiver.status.store(204, Ordering::SeqCst);
    receiver.got.lock().unwrap().clear();
    let _program = Program::local(&data, &by_name(&of_receiver));
    let got = receiver.wait_for(expected.len());
    let told: BTreeSet<String> = got
        .iter()
        .map(|it| it.header("webhook-id").to_owned())
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn what_is_wrong_with_the_settings_is_said_at_the_start_and_no_secret_with_it() {
    let dir = data_dir();
    let url = "https://hooks.example.org/hush";
    for (settings, names) in [
        (
            vec![
                ("WEBHOOK_URL", "http://hooks.example.org/hush"),
                ("WEBHOOK_SECRET", SECRET),
            ],
            "WEBHOOK_URL",
        ),
        (
            vec![
                ("WEBHOOK_URL", "https://user:hush@example.org/"),
                ("WEBHOOK_SECRET", SECRET),
            ],
            "WEBHOOK_URL",
        ),
        (
            vec![("WEBHOOK_URL", url), ("WEBHOOK_SECRET", "whsec_aHVzaA==")],
            "WEBHOOK_SECRET",
        ),
        (vec![("WEBHOOK_URL", url)], "WEBHOOK_SECRET"),
        (vec![("WEBHOOK_SECRET", SECRET)], "WEBHOOK_URL"),
    ] {
        let said = Program::local_refuses_with(dir.path(), &settings);
        assert!(said.contains(&format!("  {names}: ")), "{said}");
        assert!(!said.contains("hush") && !said.contains("aHVzaA"), "{said}");
        assert!(!said.contains("c3Nz"), "{said}");
    }
    let output = check_local(dir.path(), &["--webhook-url", "ftp://hush"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("WEBHOOK_URL") && !said.contains("hush"),
        "{said}"
    );
}

/// A receiver of the document, with what it prints.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let port = free_port();
        let child = command
            .env("PORT", port.to_string())
            .env("WEBHOOK_SECRET", SECRET)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let address = format!("127.0.0.1:{port}");
        let began = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(began.elapsed() < LIMIT, "it doesn't listen");
            std::thread::sleep(POLL);
        }
        Self { child, address }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn a_receiver_of_the_document_takes_what_is_genuine_and_nothing_else(command: Command) {
    let dir = data_dir();
    let source = dir.path().join("source");
    std::fs::write(&source, "hello").unwrap();
    let mut receiver = Running::start(command);
    let url = format!("http://{}/", receiver.address);
    // What isn't by the secret, is old, or isn't there at all.
    let now = chrono::Utc::now().timestamp();
    for (at, signature) in [
        (now, "v1,AAAA"),
        (now, "v1,\u{e9}"),
        (
            1_614_265_330,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (now, ""),
    ] {
        let status = curl_status(&[
            "--data",
            "{}",
            "--header",
            "webhook-id: msg_1",
            "--header",
            &format!("webhook-timestamp: {at}"),
            "--header",
            &format!("webhook-signature: {signature}"),
            &url,
        ]);
        assert_eq!(status, "401", "{signature}");
    }
    let settings = [("WEBHOOK_URL", url.as_str()), ("WEBHOOK_SECRET", SECRET)];
    let program = Program::local(&dir.path().join("data"), &settings);
    let created = create(
        &program.base,
        &json!({"filename": "notes one.txt", "size": 5}),
    );
    assert_eq!(upload(&created, &source), "200");
    let mut printed = String::new();
    let output = receiver.child.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut printed).unwrap();
    assert_eq!(printed, "file.available notes one.txt\n");
}

#[test]
fn the_receiver_in_python_takes_what_is_genuine_and_nothing_else() {
    let mut command = Command::new(project_root().join("target/test-tools/bin/python"));
    command.args(["-c", &recipe("Python", "python")]);
    a_receiver_of_the_document_takes_what_is_genuine_and_nothing_else(command);
}

#[test]
fn the_receiver_in_node_takes_what_is_genuine_and_nothing_else() {
    let mut command = Command::new("node");
    command.args(["--input-type=module", "--eval", &recipe("Node", "js")]);
    a_receiver_of_the_document_takes_what_is_genuine_and_nothing_else(command);
}
