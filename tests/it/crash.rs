//! Local mode under SIGKILL: what was acknowledged is there, what wasn't is absent or whole, and
//! nothing half-written stays.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::curl::{create, curl, curl_json};
use crate::support::program::{Program, data_dir};

const LENGTH: usize = 4 * 1024 * 1024;

fn content(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..LENGTH).map(|_| random.u8(..)).collect()
}

/// A PUT over a socket of our own, so that it can stop half way.
struct Put(TcpStream);

impl Put {
    /// Sends the header of the upload that `created` allows.
    fn begin(created: &Value) -> Self {
        let upload = &created["upload"];
        let url = upload["url"].as_str().unwrap();
        let rest = url.strip_prefix("http://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let mut head = format!(
            "PUT /{path} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\n",
            created["size"]
        );
        for (name, value) in upload["headers"].as_object().unwrap() {
            head += &format!("{name}: {}\r\n", value.as_str().unwrap());
        }
        let mut stream = TcpStream::connect(authority).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all((head + "\r\n").as_bytes()).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }

    /// The first line of the answer; empty if the connection broke.
    fn answer(&mut self) -> String {
        let mut bytes = [0; 64];
        let read = self.0.read(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..read])
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn described(base: &str, created: &Value, wait: u32) -> Value {
    curl_json(&[&format!(
        "{base}/v1/files/{}/metadata?wait={wait}",
        created["id"].as_str().unwrap()
    )])
}

#[test]
fn an_upload_that_was_cut_off_leaves_nothing_and_can_be_made_again() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let bytes = content(1);
    let created = create(&program.base, &json!({"filename": "a", "size": LENGTH}));
    let mut put = Put::begin(&created);
    put.send(&bytes[..LENGTH / 2]).unwrap();
    program.kill();

    let program = Program::local(dir.path(), &[]);
    let marker = dir.path().join("objects/store-marker");
    assert_eq!(files_below(&dir.path().join("objects")), [marker]);
    assert_eq!(files_below(&dir.path().join("incoming")).len(), 0);
    assert_eq!(described(&program.base, &created, 0)["status"], "pending");
    let id = created["id"].as_str().unwrap();
    let mut again = created.clone();
    again["upload"] = curl_json(&[
        "--request",
        "POST",
        &format!("{}/v1/files/{id}/upload", program.base),
    ])["upload"]
        .clone();
    let mut put = Put::begin(&again);
    put.send(&bytes).unwrap();
    assert_eq!(put.answer(), "HTTP/1.1 200 OK");
    assert_eq!(
        described(&program.base, &created, 20)["status"],
        "available"
    );
}

#[test]
fn every_acknowledged_upload_outlives_a_kill_and_becomes_available() {
    const ROUNDS: u64 = 20;
    let dir = data_dir();
    let mut program = Program::local(dir.path(), &[]);
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let bytes = content(round);
        let created = create(&program.base, &json!({"filename": "a", "size": LENGTH}));
        let mut put = Put::begin(&created);
        // Half of the rounds are killed at some point of the body or of what follows it.
        let cut_off = round % 2 == 0;
        let sent = if cut_off {
            fastrand::usize(LENGTH * 3 / 4..=LENGTH)
        } else {
            LENGTH
        };
        put.send(&bytes[..sent]).unwrap();
        let was_acknowledged = !cut_off && put.answer() == "HTTP/1.1 200 OK";
        acknowledged += usize::from(was_acknowledged);
        program.kill();

        program = Program::local(dir.path(), &[]);
        assert_eq!(files_below(&dir.path().join("incoming")).len(), 0);
        let stored = files_below(&dir.path().join("objects"))
            .into_iter()
            .find(|path| {
                path.parent()
                    .unwrap()
                    .ends_with(created["id"].as_str().unwrap())
            });
        let file = described(
            &program.base,
            &created,
            if stored.is_some() { 20 } else { 0 },
        );
        match stored {
            None => {
                assert!(!was_acknowledged, "an acknowledged upload is gone");
                assert_eq!(file["status"], "pending");
            }
            Some(path) => {
                assert!(
                    std::fs::read(path).unwrap() == bytes,
                    "the object isn't whole"
                );
                assert_eq!(file["status"], "available");
                assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)));
                let url = format!("{}/v1/files/{}", program.base, file["id"].as_str().unwrap());
                assert!(curl(&["--location", &url]) == bytes);
            }
        }
    }
    assert_eq!(
        acknowledged as u64,
        ROUNDS / 2,
        "the other half was acknowledged"
    );
}

#[test]
fn two_processes_do_not_share_a_data_directory() {
    let dir = data_dir();
    let _first = Program::local(dir.path(), &[]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_file-share"))
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("data directory"), "{message}");
}

#[test]
fn a_wrong_setting_stops_the_start_with_one_message_that_names_them_all() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_file-share"))
        .env("LISTEN", "8000")
        .env("UPLOAD_URL_TTL", "soon")
        .arg("--mode=cloud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    for name in ["LISTEN", "UPLOAD_URL_TTL", "MODE"] {
        assert!(message.contains(name), "{message}");
    }
}
