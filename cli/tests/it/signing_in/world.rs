//! A service that asks for its key, a user's home beside it, and a person who has signed in in a browser.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Ran, Service};

/// A service that asks for its key, and a user's home.
pub(super) struct World {
    pub(super) service: Service,
    pub(super) home: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            service: Service::start(&[("ACCESS", "key")]),
            home: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.home.path().join(".config/fshare/tokens.json")
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.service.command(arguments);
        command.env("HOME", self.home.path());
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Starts it, and gives what it says first.
    pub(super) fn begin(&self, arguments: &[&str]) -> (Waiting, Value) {
        let mut command = self.command(arguments);
        let child = command
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).unwrap_or(Value::Null);
        (Waiting { child, output }, said)
    }

    /// Signs in at `server`, which is the service or leads there.
    pub(super) fn login(&self, server: &str) -> Value {
        let (waiting, said) = self.begin(&["login", server]);
        person_at(&self.service).approves(&said);
        let ran = waiting.end();
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json().pop().unwrap()
    }

    pub(super) fn stored(&self) -> Value {
        let text = fs::read_to_string(self.token_file()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(super) fn token(&self) -> String {
        let stored = self.stored();
        let token = &stored["servers"][&self.service.base]["token"];
        token.as_str().unwrap().to_owned()
    }
}

/// A program that waits to be let in.
pub(super) struct Waiting {
    pub(super) child: Child,
    output: BufReader<ChildStdout>,
}

impl Waiting {
    pub(super) fn end(mut self) -> Ran {
        let mut out = String::new();
        self.output.read_to_string(&mut out).unwrap();
        let ended = self.child.wait_with_output().unwrap();
        Ran {
            out,
            ..Ran::of(ended)
        }
    }
}

/// Somebody who has signed in in a browser.
pub(super) struct Person {
    pub(super) base: String,
    cookie: String,
}

pub(super) fn curl(arguments: &[&str]) -> String {
    let ran = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "60"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

pub(super) fn person_at(service: &Service) -> Person {
    let body = json!({ "key": key_of(service) }).to_string();
    let answer = curl(&["--json", &body, &format!("{}/v1/session", service.base)]);
    let cookie = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_it = name.eq_ignore_ascii_case("set-cookie");
        is_it.then(|| value.split(';').next().unwrap().to_owned())
    });
    Person {
        base: service.base.clone(),
        cookie: format!("Cookie: {}", cookie.unwrap()),
    }
}

impl Person {
    pub(super) fn approves(&self, said: &Value) {
        let typed = said["userCode"].as_str().unwrap().to_lowercase();
        let body = json!({ "userCode": typed }).to_string();
        let url = format!("{}/v1/pairings/approve", self.base);
        let answer = curl(&["--header", &self.cookie, "--json", &body, &url]);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
}

pub(super) fn key_of(service: &Service) -> String {
    let key = fs::read_to_string(service.data().join("access-key")).unwrap();
    key.trim_end().to_owned()
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The status that the service gives whoever shows this token.
pub(super) fn status_with(token: &str, service: &Service) -> String {
    let proof = format!("Authorization: Bearer {token}");
    let answer = curl(&["--header", &proof, &format!("{}/v1/files", service.base)]);
    answer.split(' ').nth(1).unwrap().to_owned()
}
