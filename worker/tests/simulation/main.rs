//! The whole life of many files under faults, in simulated time: the operations, the reconciler and
//! the consumer loop as they are, on stores and a queue that fail, hang, lose answers, stall, double,
//! drop and reorder; with workers that crash at any await.
//!
//! `make simulate SEEDS=100000 FIRST=1` runs as many seeds as asked; one that breaks a promise is told
//! with its trace and how to run it again.
//!
//! Invariant: a seed gives the same trace in every run. So nothing here takes the real time, and what
//! is random in the code that runs comes from the generator that the seed is put into.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod bucket;
mod chaos;
mod client;
mod file_histories;
mod process;
mod queue;
mod scanner;
mod simulation;
mod stores;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use simulation::{Outcome, simulate};

/// Seeds of a usual test run.
const SEEDS: u64 = 1_000;
/// How much of a trace is printed.
const LINES: usize = 300;

fn from_environment(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number")),
        Err(_) => otherwise,
    }
}

fn describe(seed: u64, outcome: &Outcome) -> String {
    let from = outcome.trace.len().saturating_sub(LINES);
    format!(
        "seed {seed} breaks promises; run it again with\n\n    make simulate SEEDS=1 FIRST={seed}\n\n\
         the end of its trace:\n{}\n\n{}",
        outcome.trace[from..].join("\n"),
        outcome.broken.join("\n")
    )
}

#[test]
fn the_promises_hold_for_every_seed() {
    let first = from_environment("SIMULATION_FIRST_SEED", 1);
    let seeds = from_environment("SIMULATION_SEEDS", SEEDS);
    let next = AtomicU64::new(first);
    let [available, deleted, ended, withdrawn] = std::array::from_fn(|_| AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, |it| it.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, SeqCst);
                    if seed >= first + seeds {
                        return;
                    }
                    let outcome = simulate(seed);
                    available.fetch_add(outcome.available, SeqCst);
                    deleted.fetch_add(outcome.deleted, SeqCst);
                    ended.fetch_add(outcome.ended, SeqCst);
                    withdrawn.fetch_add(outcome.withdrawn, SeqCst);
                    if !outcome.broken.is_empty() {
                        // One is enough to look into.
                        next.store(u64::MAX / 2, SeqCst);
                        panic!("{}", describe(seed, &outcome));
                    }
                }
            });
        }
    });
    let [available, deleted, ended, withdrawn] =
        [available, deleted, ended, withdrawn].map(AtomicUsize::into_inner);
    println!(
        "{seeds} seeds from {first}: {available} files available, {deleted} deleted, {ended} at their time, \
         {withdrawn} withdrawn"
    );
    let did_something = available > 0 && deleted > 0 && ended > 0;
    let did_something = did_something && (withdrawn > 0 || seeds < SEEDS);
    assert!(did_something, "the simulation does nothing");
}

#[test]
fn a_seed_gives_the_same_trace_every_time() {
    for seed in [7, 8, 9, 10] {
        let once = simulate(seed).trace;
        let again = std::thread::spawn(move || simulate(seed).trace)
            .join()
            .unwrap();
        assert!(once.len() > 100, "hardly anything happens: {once:?}");
        for (line, (once, again)) in once.iter().zip(&again).enumerate() {
            assert_eq!(once, again, "line {line} of seed {seed}");
        }
        assert_eq!(once.len(), again.len());
    }
}
