//! A small disk that can be filled to its last byte, and outlives the programs that use it.
//!
//! It is a file system in memory, in a mount namespace of its own that a sleeping process holds. It needs
//! root or user namespaces.

#![allow(
    clippy::expect_used,
    reason = "a test whose disk can't be made fails, as it should"
)]

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::program::Program;

/// Takes a program into the disk's namespace.
const ENTER: &str = "nsenter";
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct SmallDisk {
    holder: Child,
    mount_point: tempfile::TempDir,
}

impl SmallDisk {
    /// Of `size` bytes.
    pub(crate) fn new(size: usize) -> Self {
        let mount_point = super::program::data_dir();
        let script = format!(
            "mount -t tmpfs -o size={size},mode=700 tmpfs \"$0\" && mkdir -m 700 \"$0/data\" && \
             exec sleep infinity"
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .arg(mount_point.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare can be started");
        let deadline = Instant::now() + LIMIT;
        let is_there = |holder: &Child| seen_by(holder, mount_point.path()).join("data").exists();
        while !is_there(&holder) {
            let ended = holder.try_wait().expect("it can be waited for");
            assert!(
                ended.is_none(),
                "a small disk needs root or user namespaces"
            );
            assert!(Instant::now() < deadline, "the small disk isn't there");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self {
            holder,
            mount_point,
        }
    }

    /// Where the test sees the data directory.
    pub(crate) fn data(&self) -> PathBuf {
        seen_by(&self.holder, self.mount_point.path()).join("data")
    }

    /// The API program in local mode, with its data on the disk.
    pub(crate) fn program(&self, settings: &[(&str, &str)]) -> Program {
        let holder = self.holder.id().to_string();
        let data = self.mount_point.path().join("data");
        Program::local_by(Path::new(ENTER), &enter(&holder), &data, settings)
    }

    /// Another command about the data on the disk, to its end.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str]) -> std::process::Output {
        let holder = self.holder.id().to_string();
        Command::new(ENTER)
            .args(enter(&holder))
            .arg(program)
            .args(arguments)
            .env_clear()
            .env("DATA_DIR", self.mount_point.path().join("data"))
            .output()
            .expect("nsenter can be started")
    }

    /// Another program that has the records open: it does `before`, and once it is told to go on, `after`.
    /// (SQLite takes no path through another process's root.)
    pub(crate) fn with_records(&self, before: &str, between: impl FnOnce(), after: &str) {
        let script = "import sqlite3, sys\n\
            records = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            records.execute(sys.argv[2])\n\
            print('done', flush=True)\n\
            sys.stdin.read()\n\
            records.execute(sys.argv[3])\n";
        let mut other = Command::new(ENTER)
            .args(enter(&self.holder.id().to_string()))
            .args(["python3", "-c", script])
            .arg(self.mount_point.path().join("data/metadata.sqlite"))
            .args([before, after])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 can be started");
        let mut line = String::new();
        let output = other.stdout.take().expect("it is piped");
        let read = BufReader::new(output).read_line(&mut line);
        assert!(read.is_ok_and(|length| length > 0), "{before} failed");
        between();
        drop(other.stdin.take());
        assert!(other.wait().is_ok_and(|it| it.success()), "{after} failed");
    }

    /// Has a file of somebody else's take what is left, and gives its path.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.data().join("../somebody-elses");
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(&path)
            .expect("a file can be made");
        for chunk in [64 * 1024, 4096, 1] {
            loop {
                match file.write_all(&vec![7; chunk]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn enter(holder: &str) -> [&str; 5] {
    [
        "--user",
        "--mount",
        "--preserve-credentials",
        "--target",
        holder,
    ]
}

fn seen_by(process: &Child, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", process.id()));
    root.join(path.strip_prefix("/").unwrap_or(path))
}
