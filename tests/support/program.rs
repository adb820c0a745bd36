//! The real programs, as processes of their own.
//!
//! Invariant: a program that a test started ends with the test, and what it logged lies under
//! `target/test-logs/`. A program that doesn't start fails the test with what it said.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ministack::{Credentials, Deployment};

/// How long a program may take to start or to stop. Far more than it needs, for a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Program {
    child: Child,
    /// What it is reached at; empty for the worker, which isn't.
    pub base: String,
    /// What it printed for the person who started it; empty for the worker.
    pub greeting: String,
    /// Reads what it says on standard output after that, to its end.
    rest: Option<JoinHandle<String>>,
    log: PathBuf,
}

/// What is recorded: changes of files, their syncs, descriptors, and what goes over connections.
const RECORDED: &str = "openat,close,dup,dup3,fcntl,write,writev,pwrite64,pwritev,sendto,recvfrom,\
    ftruncate,fallocate,fsync,fdatasync,?rename,renameat,renameat2,?link,linkat,?symlink,?unlink,\
    unlinkat,?mkdir,mkdirat,?rmdir";

/// A directory for local mode, gone when the test is over.
pub(crate) fn data_dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

impl Program {
    /// The API program in local mode, on a free port.
    pub(crate) fn local(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = api_command();
        command.env("DATA_DIR", data_dir);
        Self::serving(command, settings)
    }

    /// The same with the limits on calls that it has by itself, which most tests switch off.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_with_its_own_rates(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = api_command();
        for rate in RATES {
            command.env_remove(rate);
        }
        command.env("DATA_DIR", data_dir);
        Self::serving(command, settings)
    }

    /// The API program in local mode, for a person at a terminal, which is util-linux's.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_in_terminal(data_dir: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = clean_command(Path::new("script"));
        command
            .args(["--quiet", "--return", "--flush", "--command"])
            .arg(format!("exec '{}'", built("file-share").display()))
            .arg("/dev/null")
            .env("SHELL", "/bin/sh")
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data_dir);
        Self::serving(command, settings)
    }

    /// The API program in local mode, with no more than so many files and sockets.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_with_descriptors(data_dir: &Path, descriptors: u32) -> Self {
        let mut command = clean_command(Path::new("sh"));
        command
            .args(["-c", "ulimit -n \"$1\" && exec \"$0\""])
            .arg(built("file-share"))
            .arg(descriptors.to_string())
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data_dir);
        Self::serving(command, &[])
    }

    /// The API program in local mode under strace, which writes every call to `trace` that changes files,
    /// syncs them, or speaks to a client. `delay` is how long each sync is held up, in microseconds.
    #[allow(dead_code, reason = "for the campaigns, which share this module")]
    pub(crate) fn local_recorded(
        data_dir: &Path,
        trace: &Path,
        delay: u32,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = clean_command(Path::new("strace"));
        command
            .args([
                "-f",
                "-qq",
                "-xx",
                "-s",
                "1048576",
                "-e",
                "signal=none",
                "-e",
            ])
            .arg(format!("trace={RECORDED}"));
        if delay > 0 {
            let held_up = format!("inject=fsync,fdatasync:delay_enter={delay}");
            command.args(["-e", &held_up]);
        }
        command
            .arg("-o")
            .arg(trace)
            .arg(built("file-share"))
            .env("DATA_DIR", data_dir);
        Self::serving(command, settings)
    }

    /// The API program in local mode under strace, which writes every system call to `trace`.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_seen(data_dir: &Path, trace: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = clean_command(Path::new("strace"));
        command
            .args(["-f", "-qq", "-e", "signal=none", "-o"])
            .arg(trace)
            .arg(built("file-share"))
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data_dir);
        Self::serving(command, settings)
    }

    /// Stops the process that strace watches, and waits for both.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn end_what_is_watched(self) {
        let watched = self.watched_process_id().to_string();
        let sent = Command::new("kill").args(["-TERM", &watched]).status();
        assert!(sent.expect("kill can be run").success());
        self.wait();
    }

    /// The process that strace watches.
    #[allow(dead_code, reason = "for the campaigns, which share this module")]
    pub(crate) fn watched_process_id(&self) -> u32 {
        let id = self.process_id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.expect("the kernel lists children");
        children.trim().parse().expect("strace has one child")
    }

    /// Waits until it has ended, as somebody made it do.
    #[allow(dead_code, reason = "for the campaigns, which share this module")]
    pub(crate) fn wait(mut self) {
        self.child.wait().expect("the program can be waited for");
    }

    /// The API program in local mode, with a limit on the size of every file that it writes, in blocks of
    /// 512 bytes.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_with_file_limit(data_dir: &Path, blocks: u32) -> Self {
        let mut command = clean_command(Path::new("sh"));
        command
            .args(["-c", "ulimit -f \"$1\" && exec \"$0\""])
            .arg(built("file-share"))
            .arg(blocks.to_string())
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data_dir);
        Self::serving(command, &[])
    }

    /// The API program in local mode on a small disk of its own, which ends with it: an in-memory
    /// file system of `size` bytes in a mount namespace that only the program is in. The test finds
    /// it at the path that comes with the program.
    pub(crate) fn local_on_small_disk(
        mount_point: &Path,
        size: usize,
        settings: &[(&str, &str)],
    ) -> (Self, PathBuf) {
        let mount = format!(
            "mount -t tmpfs -o size={size},mode=700 tmpfs \"$DATA_DIR\" || \
             {{ echo 'a small disk needs root or user namespaces' >&2; exit 1; }}; exec \"$0\""
        );
        let mut command = clean_command(Path::new("unshare"));
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
            .arg(built("file-share"))
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", mount_point);
        let program = Self::serving(command, settings);
        let seen_by_it = PathBuf::from(format!("/proc/{}/root", program.process_id()));
        let relative = mount_point
            .strip_prefix("/")
            .expect("temporary directories have absolute paths");
        (program, seen_by_it.join(relative))
    }

    /// The API program in local mode, started by another one that takes its place, such as nsenter.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_by(
        starter: &Path,
        arguments: &[&str],
        data_dir: &Path,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = clean_command(starter);
        command
            .args(arguments)
            .arg(built("file-share"))
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data_dir);
        Self::serving(command, settings)
    }

    /// The API program in local mode, started by somebody whose `umask` takes nothing away.
    pub(crate) fn local_with_open_umask(data_dir: &Path) -> Self {
        let mut command = clean_command(Path::new("sh"));
        command
            .args(["-c", "umask 000; exec \"$0\""])
            .arg(built("file-share"))
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data_dir);
        Self::serving(command, &[])
    }

    /// The API program in aws mode, with the permissions that the stack gives it.
    pub(crate) fn aws_api(deployment: &Deployment, settings: &[(&str, &str)]) -> Self {
        let mut command = api_command();
        command.env("MODE", "aws");
        set_aws(&mut command, deployment, &deployment.api);
        Self::serving(command, settings)
    }

    /// The worker, with the permissions that the stack gives it.
    pub(crate) fn worker(deployment: &Deployment, settings: &[(&str, &str)]) -> Self {
        let mut command = clean_command(&built("file-share-worker"));
        command.env("QUEUE_URL", &deployment.queue_url);
        set_aws(&mut command, deployment, &deployment.worker);
        Self::start(command, settings)
    }

    /// The API as a Lambda function whose Runtime API is at this host and port.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn api_function(
        deployment: &Deployment,
        runtime_api: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = api_command();
        command.env("MODE", "aws").env(RUNTIME_API, runtime_api);
        set_aws(&mut command, deployment, &deployment.api);
        Self::start(command, settings)
    }

    /// The worker as a Lambda function.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn worker_function(
        deployment: &Deployment,
        runtime_api: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut command = clean_command(&built("file-share-worker"));
        command
            .env("QUEUE_URL", &deployment.queue_url)
            .env(RUNTIME_API, runtime_api);
        set_aws(&mut command, deployment, &deployment.worker);
        Self::start(command, settings)
    }

    /// What the API says if it doesn't start in local mode.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_refuses(data_dir: &Path) -> String {
        Self::local_refuses_with(data_dir, &[])
    }

    /// The same with these settings.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn local_refuses_with(data_dir: &Path, settings: &[(&str, &str)]) -> String {
        let mut command = api_command();
        command.env("DATA_DIR", data_dir);
        Self::refusing(command, settings)
    }

    /// What the API says if it doesn't start in aws mode.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn aws_api_refuses(deployment: &Deployment, settings: &[(&str, &str)]) -> String {
        let mut command = api_command();
        command.env("MODE", "aws");
        set_aws(&mut command, deployment, &deployment.api);
        Self::refusing(command, settings)
    }

    /// What the worker says if it doesn't start.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn worker_refuses(deployment: &Deployment, settings: &[(&str, &str)]) -> String {
        let mut command = clean_command(&built("file-share-worker"));
        command.env("QUEUE_URL", &deployment.queue_url);
        set_aws(&mut command, deployment, &deployment.worker);
        Self::refusing(command, settings)
    }

    fn refusing(command: Command, settings: &[(&str, &str)]) -> String {
        let mut program = Self::start(command, settings);
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = program.child.try_wait().expect("it can be waited for") {
                assert!(!status.success(), "it ended well: {}", program.log());
                return program.log();
            }
            assert!(Instant::now() < deadline, "it started: {}", program.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a program that says on standard output where it is reached.
    fn serving(command: Command, settings: &[(&str, &str)]) -> Self {
        let mut program = Self::start(command, settings);
        let output = program
            .child
            .stdout
            .take()
            .expect("standard output is piped");
        let mut lines = BufReader::new(output);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            program.greeting += &line;
            if let Some((_, rest)) = line.split_once("File Share Service on ") {
                let address = rest.split_whitespace().next().unwrap_or_default();
                program.base = address.to_owned();
            }
            if line.trim_start().starts_with("try it") {
                break;
            }
            line.clear();
        }
        assert!(
            program.base.starts_with("http"),
            "the program didn't start: {}",
            program.log()
        );
        // Read to its end, so that it never waits for a reader and never has none.
        program.rest = Some(std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = lines.read_to_string(&mut rest);
            rest
        }));
        program
    }

    fn start(mut command: Command, settings: &[(&str, &str)]) -> Self {
        let logs = super::ministack::project_root().join("target/test-logs");
        std::fs::create_dir_all(&logs).expect("the directory for logs can be made");
        let log = logs.join(format!("program-{:016x}.log", fastrand::u64(..)));
        let file = File::create(&log).expect("a log can be made");
        command
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file);
        let child = command.spawn().expect("the program can be started");
        Self {
            child,
            base: String::new(),
            greeting: String::new(),
            rest: None,
            log,
        }
    }

    /// Everything that it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where that is, also when it has ended.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn log_path(&self) -> PathBuf {
        self.log.clone()
    }

    /// The address that it says in the log it listens on.
    pub(crate) fn listening_at(&self) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let log = self.log();
            let address = log.lines().find_map(|line| {
                let (_, rest) = line.split_once("listening")?;
                rest.split("address=").nth(1)?.split_whitespace().next()
            });
            if let Some(address) = address {
                return format!("http://{address}");
            }
            assert!(Instant::now() < deadline, "it doesn't listen: {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor time that it took so far.
    #[allow(
        dead_code,
        reason = "for campaigns and figures, which share this module"
    )]
    pub(crate) fn processor_time(&self) -> f64 {
        /// What Linux counts it in (proc(5): `sysconf(_SC_CLK_TCK)`, 100 on every platform of today).
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id()));
        let stat = stat.expect("a program that runs has its figures there");
        // The name before may have spaces in it.
        let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
        let fields: Vec<f64> = fields.split(' ').filter_map(|it| it.parse().ok()).collect();
        // Behind the state, which is no number: user time and system time are the 11th and 12th.
        (fields[10] + fields[11]) / TICKS_A_SECOND
    }

    /// Whether it still runs.
    #[allow(dead_code, reason = "for the campaigns, which share this module")]
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process_id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "SIG{name} can be sent"
        );
    }

    /// SIGKILL: the power cut of a process.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the program can be killed");
        self.child.wait().expect("the program ends");
    }

    /// Ends it and removes its log, where that is one line for each of a million requests.
    #[allow(dead_code, reason = "for the benchmarks, which share this module")]
    pub(crate) fn discard(self) {
        let log = self.log.clone();
        drop(self);
        let _ = std::fs::remove_file(log);
    }

    /// Its stop by whoever sits at its terminal, to its very end: SIGTERM would reach the terminal alone, and a program
    /// that is started at once would find the data directory in use.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn terminate_in_terminal(mut self) {
        let id = self.process_id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        for child in children
            .expect("the kernel lists children")
            .split_whitespace()
        {
            let sent = Command::new("kill").args(["-s", "TERM", child]).status();
            assert!(sent.is_ok_and(|status| status.success()), "{child} runs");
        }
        self.ended();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.end()
    }

    /// SIGTERM, and what it had said on standard output since its greeting.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) fn said_until_its_end(mut self) -> String {
        self.end();
        let rest = self.rest.take().expect("it says something");
        rest.join().expect("reading doesn't panic")
    }

    fn end(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .expect("the program can be waited for")
            {
                return status;
            }
            assert!(Instant::now() < deadline, "it doesn't stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that strace watches would outlive it.
        let id = self.process_id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            let _ = Command::new("kill").args(["-s", "KILL", child]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `file-share scrub` of a data directory, to its end.
#[allow(dead_code, reason = "the benchmarks share this module")]
pub(crate) fn scrub_local(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("DATA_DIR", data_dir);
    to_its_end(command.arg("scrub").args(arguments))
}

/// `file-share scrub` in aws mode, with the permissions that the stack gives the API.
#[allow(dead_code, reason = "the benchmarks share this module")]
pub(crate) fn scrub_aws(deployment: &Deployment, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("MODE", "aws");
    set_aws(&mut command, deployment, &deployment.api);
    to_its_end(command.arg("scrub").args(arguments))
}

/// `file-share check` of a data directory, to its end.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn check_local(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("DATA_DIR", data_dir);
    to_its_end(command.arg("check").args(arguments))
}

/// `file-share check` in aws mode, with the permissions of `user`.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn check_aws(
    deployment: &Deployment,
    user: &Credentials,
    settings: &[(&str, &str)],
    arguments: &[&str],
) -> Output {
    let mut command = clean_command(&built("file-share"));
    command
        .env("MODE", "aws")
        .env("QUEUE_URL", &deployment.queue_url);
    set_aws(&mut command, deployment, user);
    let command = command.envs(settings.iter().copied());
    to_its_end(command.arg("check").args(arguments))
}

/// `file-share adopt` in aws mode, with the permissions that the stack gives the API.
#[allow(dead_code, reason = "the benchmarks share this module")]
pub(crate) fn adopt_aws(deployment: &Deployment, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("MODE", "aws");
    set_aws(&mut command, deployment, &deployment.api);
    to_its_end(command.arg("adopt").args(arguments))
}

/// `file-share backup` of a data directory, to its end.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn backup_local(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("DATA_DIR", data_dir);
    to_its_end(command.arg("backup").args(arguments))
}

/// `file-share restore` to a data directory, to its end.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn restore_local(data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("DATA_DIR", data_dir);
    to_its_end(command.arg("restore").args(arguments))
}

/// `file-share recount` of a data directory, to its end. Where only another process sees it, as it is seen by
/// [`Program::local_on_small_disk`], there: SQLite takes no path that leads over a link.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn recount_local(data_dir: &Path, arguments: &[&str]) -> Output {
    let program = built("file-share");
    let (mut command, data_dir) = match seen_by_another(data_dir) {
        None => (clean_command(&program), data_dir.to_owned()),
        Some((process_id, seen_there)) => {
            let mut command = clean_command(Path::new("nsenter"));
            command
                .args(["--user", "--mount", "--preserve-credentials", "--target"])
                .arg(process_id)
                .arg(program);
            (command, seen_there)
        }
    };
    command.env("DATA_DIR", data_dir);
    to_its_end(command.arg("recount").args(arguments))
}

/// Which process sees this path, and as what, if it is below `/proc/…/root`.
fn seen_by_another(path: &Path) -> Option<(&str, PathBuf)> {
    let path = path.to_str()?.strip_prefix("/proc/")?;
    let (process_id, seen_there) = path.split_once("/root/")?;
    Some((process_id, Path::new("/").join(seen_there)))
}

/// `file-share recount` in aws mode, by somebody who may read the whole table.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn recount_aws(deployment: &Deployment, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("MODE", "aws");
    set_aws(&mut command, deployment, &deployment.admin);
    to_its_end(command.arg("recount").args(arguments))
}

/// `file-share rescan` of a data directory, to its end.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn rescan_local(data_dir: &Path, scanner: &str, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("DATA_DIR", data_dir).env("SCANNER", scanner);
    to_its_end(command.arg("rescan").args(arguments))
}

/// `file-share rescan` in aws mode, with the permissions that the stack gives the API.
#[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
pub(crate) fn rescan_aws(deployment: &Deployment, scanner: &str, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share"));
    command.env("MODE", "aws").env("SCANNER", scanner);
    set_aws(&mut command, deployment, &deployment.api);
    to_its_end(command.arg("rescan").args(arguments))
}

/// A command of the worker about the dead-letter queue, with the permissions that the stack gives
/// the operator.
#[allow(dead_code, reason = "the benchmarks share this module")]
pub(crate) fn operate(deployment: &Deployment, arguments: &[&str]) -> Output {
    let mut command = clean_command(&built("file-share-worker"));
    command.env("QUEUE_URL", &deployment.queue_url);
    set_aws(&mut command, deployment, &deployment.operator);
    to_its_end(command.args(arguments))
}

fn to_its_end(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    output.expect("the program can be started")
}

fn api_command() -> Command {
    let mut command = clean_command(&built("file-share"));
    // Who may do what, and how often, has tests of its own, which set this themselves.
    command
        .env("LISTEN", "127.0.0.1:0")
        .env("ACCESS", "open")
        .envs(RATES.map(|rate| (rate, "off")));
    command
}

/// By which a program knows that it is a Lambda function.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The settings that limit how often somebody may call.
const RATES: [&str; 3] = ["RATE_READ", "RATE_CREATE", "RATE_SECRET"];

/// A command that inherits no setting from whoever runs the tests.
fn clean_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

fn set_aws(command: &mut Command, deployment: &Deployment, user: &Credentials) {
    command
        .env("AWS_ENDPOINT_URL", &deployment.endpoint)
        .env("AWS_REGION", &deployment.region)
        .env("AWS_ACCESS_KEY_ID", &user.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &user.secret_access_key)
        .env("BUCKET_NAME", &deployment.bucket)
        .env("TABLE_NAME", &deployment.table)
        // For the API, which doesn't start without one.
        .env("LINK_SECRET", "fedcba9876543210fedcba9876543210");
}

/// A program of this workspace, as it was built. It lies beside whoever shares this module, or one
/// folder above it: cargo puts test binaries into `deps/`.
pub(crate) fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program knows where it lies");
    let path = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    path.unwrap_or_else(|| {
        panic!("{name} isn't built: run `make test`, or `cargo build --workspace` first")
    })
}
