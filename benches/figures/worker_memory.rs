//! The most memory that the worker takes while it hashes as many files as it works on at a time.
//!
//! The limit beside it is the content in its hands at that time: memory that grew with the files
//! would be above it. The bound is on the memory itself, since somebody pays for it.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use file_share::domain::MAX_CONTENT_LENGTH;

use crate::report::{Bound, Figure};
use crate::support::curl::{create, curl_json, upload};
use crate::support::ministack::MiniStack;
use crate::support::program::{Program, data_dir};

/// What the worker works on at a time.
const AT_A_TIME: usize = 16;
/// Twice as many, so that new ones are begun while others are under way.
const FILES: usize = 2 * AT_A_TIME;
const MOST_MIB: f64 = 64.0;
const MIB: f64 = 1024.0 * 1024.0;
/// How long all of it may take. The emulator needs a second for a handful of such files.
const LIMIT: Duration = Duration::from_secs(120);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(10);
/// How often it is looked whether the work is done.
const SAMPLES_PER_LOOK: u32 = 20;

pub(crate) fn figures() -> Vec<Figure> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ministack = runtime.block_on(MiniStack::start());
    let deployment = runtime.block_on(ministack.deploy("worker-memory"));
    let api = Program::aws_api(&deployment, &[]);
    send_files(&api);
    // Started only now, so that it finds all of them.
    let worker = Program::worker(&deployment, &[]);
    let connections = wait_until_available(&api, &worker);
    assert!(
        connections >= AT_A_TIME,
        "the worker never had more than {connections} connections open, so it can't have read \
         {AT_A_TIME} files at a time"
    );
    let peak = peak_memory(&worker);
    let in_hand = MAX_CONTENT_LENGTH as f64 * AT_A_TIME as f64;
    vec![Figure {
        name: "peak memory of the worker",
        measured: format!("{:.0} MiB", peak / MIB),
        limit: format!("{:.0} MiB in {AT_A_TIME} files", in_hand / MIB),
        value: peak / MIB,
        unit: " MiB",
        bound: Bound::AtMost(MOST_MIB),
        note: format!("{FILES} files, up to {connections} connections open"),
    }]
}

/// Creates and uploads the files, without digests, so that the worker has to read them.
fn send_files(api: &Program) {
    let dir = data_dir();
    let path = dir.path().join("to-send");
    let length = usize::try_from(MAX_CONTENT_LENGTH).expect("20 MiB fit");
    let mut random = fastrand::Rng::with_seed(16);
    let content: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
    fs::write(&path, &content).expect("the file can be written");
    let body = json!({"filename": "lecture.mp4", "size": length});
    for _ in 0..FILES {
        let status = upload(&create(&api.base, &body), &path);
        assert_eq!(status, "200", "the upload is taken");
    }
}

/// Waits for the end of the work. The most connections that the worker had open meanwhile.
fn wait_until_available(api: &Program, worker: &Program) -> usize {
    let list = format!("{}/v1/files?status=available&limit=100", api.base);
    let began = Instant::now();
    let mut most = 0;
    for sample in 1.. {
        most = most.max(connections(worker));
        if sample % SAMPLES_PER_LOOK == 0
            && curl_json(&[&list])["files"].as_array().map(Vec::len) == Some(FILES)
        {
            break;
        }
        assert!(
            began.elapsed() < LIMIT,
            "the worker doesn't get done: {}",
            worker.log()
        );
        std::thread::sleep(SAMPLE_INTERVAL);
    }
    most
}

fn connections(program: &Program) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", program.process_id()));
    open.expect("the program runs")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

/// In bytes: the high-water mark of what was in memory, by the kernel's account.
fn peak_memory(program: &Program) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.process_id()));
    let status = status.expect("the program runs");
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .expect("Linux counts it");
    kibibytes * 1024.0
}
