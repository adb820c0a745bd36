//! Starts the two programs.
//!
//! Invariant: a service that a test started ends with the test, and inherits no setting.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::stub::{Stub, StubFault};

/// The service in local mode, and a folder for a test's files.
pub(crate) struct Service {
    child: Child,
    pub base: String,
    pub folder: TempDir,
}

impl Service {
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let program = service_program();
        let folder = tempfile::tempdir().unwrap();
        let mut child = clean(&program)
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", folder.path().join("data"))
            // Who may do what, and how often, has tests of its own, which set this themselves.
            .env("ACCESS", "open")
            .envs(["RATE_READ", "RATE_CREATE", "RATE_SECRET"].map(|rate| (rate, "off")))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("File Share Service on ")?;
                Some(rest.split_whitespace().next()?.to_owned())
            })
            .expect("the service starts");
        Self {
            child,
            base,
            folder,
        }
    }

    /// One that asks for its key, with the limits on calls that it has by itself, which most tests switch off. And the key.
    pub(crate) fn start_limited() -> (Self, String) {
        let own = [
            ("RATE_READ", "100/s:200"),
            ("RATE_CREATE", "20/s:100"),
            ("RATE_SECRET", "10/min"),
        ];
        let service = Self::start(&[&own[..], &[("ACCESS", "key")]].concat());
        let key = std::fs::read_to_string(service.data().join("access-key")).unwrap();
        (service, key.trim_end().to_owned())
    }

    /// One that people reach elsewhere; `base` is where it listens itself.
    pub(crate) fn start_public(public_url: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut service = Self::start(&[("PUBLIC_URL", public_url), ("LISTEN", &address)]);
        service.base = format!("http://{address}");
        service
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file of the test's.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `fshare` in the test's folder, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// The same, through this stub.
    pub(crate) fn run_through(&self, stub: &Stub, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        Ran::of(command.args(["--server", &stub.base]).output().unwrap())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = fshare(&self.base);
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Uploads it, and gives its link.
    pub(crate) fn upload(&self, name: &str, content: &[u8]) -> String {
        self.file(name, content);
        let ran = self.run(&["upload", name]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.trim_end().to_owned()
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        let ran = self.run(&["list", "--all", "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.json()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo names only this package's own programs; the service lies beside them once it is built.
pub(crate) fn service_program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_fshare")).with_file_name("file-share");
    assert!(
        program.exists(),
        "{} isn't built: run `make test`, or `cargo build --workspace` first",
        program.display()
    );
    program
}

/// How `fshare` ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let ran = Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        // Of everything that any test makes it say.
        for said in [&ran.out, &ran.err] {
            assert!(!said.contains("X-Amz-"), "a presigned URL is shown: {said}");
        }
        ran
    }

    /// Standard output, one object a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) fn fshare(server: &str) -> Command {
    let mut command = clean(Path::new(env!("CARGO_BIN_EXE_fshare")));
    command.env("FILE_SHARE_URL", server).stdin(Stdio::null());
    command
}

fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Changes a bit in the middle of the one stored object whose path contains `name`.
pub(crate) fn damage(data: &Path, name: &str) {
    let mut stored = Vec::new();
    find(data, name, &mut stored);
    assert_eq!(stored.len(), 1, "{stored:?}");
    let mut content = std::fs::read(&stored[0]).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::set_permissions(&stored[0], PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&stored[0], content).unwrap();
}

fn find(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, name, found);
        } else if path.to_str().unwrap().contains(name) && !path.ends_with("store-marker") {
            found.push(path);
        }
    }
}

/// Bytes that no compression or luck makes shorter.
pub(crate) fn random(bytes: usize) -> Vec<u8> {
    let mut content = vec![0; bytes];
    fastrand::fill(&mut content);
    content
}

/// The command in a pseudo-terminal of util-linux, with what is typed into it; everything that it shows.
pub(crate) fn in_terminal(service: &Service, command: &str, typed: &str) -> (i32, String) {
    in_terminal_with(service, command, typed, &[])
}

pub(crate) fn in_terminal_with(
    service: &Service,
    command: &str,
    typed: &str,
    settings: &[(&str, &str)],
) -> (i32, String) {
    use std::io::Write;
    let mut script = clean(Path::new("script"));
    let program = env!("CARGO_BIN_EXE_fshare");
    let mut child = script
        .args(["--quiet", "--return", "--flush", "--command"])
        .arg(format!("stty cols 120; {program} {command}"))
        .arg("/dev/null")
        .env("FILE_SHARE_URL", &service.base)
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .envs(settings.iter().copied())
        .current_dir(service.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    let ran = child.wait_with_output().unwrap();
    drop(keyboard);
    let shown = String::from_utf8_lossy(&ran.stdout).into_owned();
    (ran.status.code().unwrap_or(-1), shown)
}

/// What `fshare` says that gets this signal when the last of the requests that begin like `requests`
/// is on its way: that one stays unanswered, and what comes before it passes.
pub(crate) fn signalled(
    service: &Service,
    signal: &str,
    requests: &[&'static str],
    arguments: &[&str],
) -> Ran {
    signalled_at(service, signal, requests, |base| {
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        arguments
            .chain(["--server".to_owned(), base.to_owned()])
            .collect()
    })
}

/// The same with arguments that name the address at which the requests are held up.
pub(crate) fn signalled_at(
    service: &Service,
    signal: &str,
    requests: &[&'static str],
    arguments: impl FnOnce(&str) -> Vec<String>,
) -> Ran {
    let (stop, stopped): (_, Receiver<()>) = channel();
    let (at_it, arrived) = channel();
    let hold = move || {
        at_it.send(()).unwrap();
        let _ = stopped.recv();
    };
    let (last, before) = requests.split_last().unwrap();
    let mut faults: Vec<_> = before
        .iter()
        .map(|start| (*start, StubFault::Before(Box::new(|| {}))))
        .collect();
    faults.push((*last, StubFault::Before(Box::new(hold))));
    let stub = Stub::before(&service.base, faults);
    let child = service
        .command(&[])
        .args(arguments(&stub.base))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    arrived.recv_timeout(Duration::from_secs(30)).unwrap();
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(stop);
    ran
}
