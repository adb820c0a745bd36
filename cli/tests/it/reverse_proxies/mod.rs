//! `fshare` behind real proxies: as docs/proxies.md has them, and with one thing wrong at a time.
//!
//! Invariant: a proxy runs with the rights and below the folder of its test, and ends with it.

pub(crate) mod caddy;
mod nginx;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::aws_support::ministack::project_root;
use crate::aws_support::reverse_proxy::ReverseProxy;
use crate::support::{Ran, Service, fshare, random};

const ALL: usize = 14;

/// The block in this language that docs/proxies.md shows.
fn documented(language: &str) -> String {
    let text = std::fs::read_to_string(project_root().join("docs/proxies.md")).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The same with one thing changed.
fn changed(block: &str, from: &str, to: &str) -> String {
    assert_eq!(block.matches(from).count(), 1, "{from} in {block}");
    block.replace(from, to)
}

/// A port that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct Proxy {
    _process: ReverseProxy,
    log: PathBuf,
    base: String,
}

impl Proxy {
    fn start(command: &mut Command, port: u16, base: String, log: PathBuf) -> Self {
        let process = ReverseProxy::start(command, port, &log);
        Self {
            _process: process,
            log,
            base,
        }
    }

    /// `fshare` through it, with what else it needs in its environment.
    fn run_with(&self, arguments: &[&str], settings: &[(&str, &str)], folder: &Path) -> Ran {
        let mut command = fshare(&self.base);
        let command = command.envs(settings.iter().copied()).args(arguments);
        Ran::of(command.current_dir(folder).output().unwrap())
    }

    fn doctor_with(&self, settings: &[(&str, &str)]) -> Diagnosis {
        let arguments = ["doctor", "--json", "--check-limit", "120"];
        let ran = self.run_with(&arguments, settings, Path::new("/"));
        let lines = ran.json();
        assert_eq!(lines.len(), ALL, "each check is one line: {ran:?}");
        Diagnosis {
            code: ran.code,
            lines,
            log: std::fs::read_to_string(&self.log).unwrap(),
        }
    }

    fn doctor(&self) -> Diagnosis {
        self.doctor_with(&[])
    }

    /// What is said when a file as large as any is uploaded.
    fn upload(&self, service: &Service) -> Ran {
        service.file("largest.bin", &random(20 * 1024 * 1024));
        self.run_with(&["upload", "largest.bin"], &[], service.folder.path())
    }
}

struct Diagnosis {
    code: i32,
    lines: Vec<Value>,
    log: String,
}

impl Diagnosis {
    fn with(&self, verdict: &str) -> Vec<&str> {
        let those = self.lines.iter().filter(|line| line["verdict"] == verdict);
        those.map(|line| line["check"].as_str().unwrap()).collect()
    }

    fn all_well(&self) {
        assert_eq!(self.code, 0, "{:#?} {}", self.lines, self.log);
        // That a service with a public URL is open to all is known here.
        let known = self.with("warning");
        assert!(
            known.is_empty() || known == ["sign-in"],
            "{:#?}",
            self.lines
        );
        let well = self.with("ok").len() + known.len();
        assert_eq!(well, ALL, "{:#?}", self.lines);
    }

    /// Exactly this check is wrong, and what it says has all of these words.
    fn only(&self, check: &str, words: &[&str]) {
        self.ends_with(1, check, words);
    }

    /// The same, with this exit code.
    fn ends_with(&self, code: i32, check: &str, words: &[&str]) {
        assert_eq!(
            self.with("wrong"),
            [check],
            "{:#?} {}",
            self.lines,
            self.log
        );
        assert_eq!(self.code, code);
        let line = self
            .lines
            .iter()
            .find(|line| line["check"] == check)
            .unwrap();
        let text = format!(
            "{} {}",
            line["said"].as_str().unwrap(),
            line["mend"].as_str().unwrap()
        );
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}

/// The proxy is named, and what helps; nothing is left unsaid.
fn names_the_proxy(ran: &Ran, words: &[&str]) {
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    for word in ["proxy"].iter().chain(words) {
        assert!(ran.err.contains(word), "{word}: {ran:?}");
    }
    assert!(
        !ran.err.contains("no message") && !ran.err.contains("no code"),
        "{ran:?}"
    );
}
