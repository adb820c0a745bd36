//! Programs that are killed and started again, and what the kernel knows of one that runs.
//!
//! Invariant: a killed program was waited for before the next one starts, as a supervisor does it.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use crate::support::program::Program;

/// How long a program may take until it answers at all.
const START_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// A program in one place, for which another one steps in when it is killed.
pub(crate) struct Supervised {
    start: Arc<dyn Fn() -> Program + Send + Sync>,
    program: Option<Program>,
    /// The IDs that the killed ones logged as finalized.
    finalized: Vec<String>,
    pub kills: usize,
    /// The longest time from a start to the first answer.
    pub slowest_start: Duration,
}

impl Supervised {
    pub(crate) fn new(start: impl Fn() -> Program + Send + Sync + 'static) -> Self {
        Self {
            program: Some(block_in_place(&start)),
            start: Arc::new(start),
            finalized: Vec::new(),
            kills: 0,
            slowest_start: Duration::ZERO,
        }
    }

    pub(crate) fn program(&self) -> &Program {
        self.program.as_ref().expect("somebody is always there")
    }

    /// SIGKILL, and a new one in its place. Clients go on meanwhile.
    pub(crate) async fn kill_and_start(&mut self) {
        self.kill().await;
        self.start().await;
    }

    /// SIGKILL, and nobody in its place until [`Self::start`].
    pub(crate) async fn kill(&mut self) {
        if let Some(program) = self.program.take() {
            self.finalized.extend(finalizations(&program));
            self.kills += 1;
            let killed = spawn_blocking(|| program.kill()).await;
            killed.expect("a program can be killed");
        }
    }

    /// SIGTERM as a supervisor sends it, and the next one as soon as this one is gone. How long it took to
    /// go.
    pub(crate) async fn stop_and_start(&mut self) -> Duration {
        let began = Instant::now();
        if let Some(program) = self.program.take() {
            self.finalized.extend(finalizations(&program));
            self.kills += 1;
            let exit = spawn_blocking(|| program.terminate()).await;
            assert!(
                exit.is_ok_and(|it| it.success()),
                "it ends well when told to"
            );
        }
        let took = began.elapsed();
        self.start().await;
        took
    }

    pub(crate) async fn start(&mut self) {
        let start = Arc::clone(&self.start);
        let started = spawn_blocking(move || start()).await;
        self.program = Some(started.expect("the program starts"));
    }

    /// The same for a program that serves, with the time from its start to its first answer.
    pub(crate) async fn kill_and_serve(&mut self) {
        self.kill().await;
        let began = Instant::now();
        self.start().await;
        let base = self.program().base.clone();
        await_healthy(&base).await;
        self.slowest_start = self.slowest_start.max(began.elapsed());
    }

    /// How many files were finalized by more than one program, or twice by one, by their logs.
    pub(crate) fn finalized_twice(&self) -> usize {
        let mut ids = self.finalized.clone();
        ids.extend(finalizations(self.program()));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        count - ids.len()
    }
}

/// The IDs of the files that a program says it finalized.
fn finalizations(program: &Program) -> Vec<String> {
    let log = program.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("file available") || line.contains("upload rejected"));
    lines
        .filter_map(|line| line.split("file_id=").nth(1)?.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Waits until `/healthz` answers.
pub(crate) async fn await_healthy(base: &str) {
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a plain client needs nothing that could fail");
    let began = Instant::now();
    let limit = Duration::from_secs(1);
    loop {
        let request = http.get(format!("{base}/healthz")).timeout(limit);
        if request
            .send()
            .await
            .is_ok_and(|it| it.status().is_success())
        {
            return;
        }
        assert!(began.elapsed() < START_LIMIT, "{base} doesn't answer");
        sleep(POLL).await;
    }
}

/// An address that a program can come back to. Somebody else may take the port in between, which
/// stops the scenario with the program's own message.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it has an address");
    address.to_string()
}

/// In MiB: the high-water mark of what was in memory.
pub(crate) fn peak_memory_mib(program: &Program) -> f64 {
    status_field(program, "VmHWM:") / 1024.0
}

/// In MiB: what is in memory now.
pub(crate) fn memory_mib(program: &Program) -> f64 {
    status_field(program, "VmRSS:") / 1024.0
}

/// In kB.
fn status_field(program: &Program, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.process_id()));
    let status = status.expect("the program runs");
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .expect("Linux counts it")
}

/// Open descriptors.
pub(crate) fn descriptors(program: &Program) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", program.process_id()));
    open.expect("the program runs").count()
}

/// Gives this process as many descriptors as it may have, and another one as few as it should have.
pub(crate) fn limit_descriptors(process_id: u32, limit: &str) {
    let set = std::process::Command::new("prlimit")
        .args(["--pid", &process_id.to_string()])
        .arg(format!("--nofile={limit}"))
        .status();
    assert!(
        set.is_ok_and(|status| status.success()),
        "prlimit (of util-linux) can set --nofile={limit}"
    );
}
