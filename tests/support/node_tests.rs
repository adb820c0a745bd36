//! The tests in `tests/browser/`, run by node's own test runner against programs that are up.
//!
//! Invariant: a run that can't start, fails, leaves something out or doesn't end is a failure.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ministack::project_root;

/// How long all of it may take. Far more than it needs, for a busy machine.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Runs `tests/browser/{script}`, which finds in `FILE_SHARE_BROWSER_TEST` what was set up for it.
///
/// # Panics
/// If not all of its tests pass, or there are fewer than `at_least`.
pub(crate) fn run(script: &str, setup: &Value, at_least: u32) {
    let mut node = Command::new("node")
        .arg("--test-reporter=spec")
        .arg(format!("tests/browser/{script}"))
        .current_dir(project_root())
        .env("FILE_SHARE_BROWSER_TEST", setup.to_string())
        // Ends with this process, also if that is killed.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("node is installed");
    let mut output = node.stdout.take().expect("standard output is piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = node.try_wait().expect("node can be waited for") {
            break Some(status);
        }
        if Instant::now() > deadline {
            node.kill().expect("node can be killed");
            node.wait().expect("node ends");
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let text = reader
        .join()
        .expect("reading doesn't panic")
        .expect("node prints text");
    assert!(
        status.is_some_and(|status| status.success()),
        "{script} failed ({status:?}):\n{text}"
    );
    // What can't start fails, and what was left out is no success.
    let number = |label: &str| -> u32 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("ℹ {label} ")));
        line.and_then(|text| text.parse().ok()).unwrap_or(u32::MAX)
    };
    assert!(number("pass") >= at_least, "{text}");
    assert_eq!(number("skipped") + number("todo"), 0, "{text}");
}

/// A port that is free now, for a server of a test's whose address a program has to know before.
///
/// # Panics
/// If there is none.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port()
}
