//! Campaigns: the real programs under kills, faults and load, and a check of what is left.
//!
//! One scenario is one property with one thing that is done against it. A scenario starts its own programs,
//! drives clients that write down what they were told, does its worst, and counts what isn't as it
//! must be. `make chaos` runs all scenarios in full, `make chaos SCENARIOS="worker-killed poison"` some of
//! them; `make test` runs all of them in short.
//!
//! Invariant: what is tested is what is shipped: the programs as processes of their own, on the
//! stand-in that enforces signatures and policies, or on a real disk. A broken bound makes the run
//! fail, and so does a scenario that can't be carried out.
//!
//! Absent on purpose: code of the server. A campaign knows the programs by their contract, their
//! logs and their stores.

mod aws;
mod checker;
mod client;
mod client_stats;
mod fake_clock;
mod fault_proxy;
mod history;
mod load;
mod measurement;
mod person;
mod power_cut;
mod process;
mod prometheus;
mod recounts;
mod relay;
mod scanner_proxy;
mod scenarios;

#[allow(
    dead_code,
    reason = "the integration tests' support, of which the campaigns need a part"
)]
#[path = "../../tests/support"]
mod support {
    pub(crate) mod aws_clients;
    pub(crate) mod clamd;
    pub(crate) mod issuer;
    pub(crate) mod ministack;
    pub(crate) mod program;
}

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use clap::Parser;

use measurement::Outcome;
use scenarios::{Scale, Scenario};

/// Runs campaigns against the real programs and checks what is left of them.
#[derive(Parser)]
#[command(name = "chaos")]
struct Cli {
    /// The scenarios to run; all of them if none is named
    scenarios: Vec<String>,
    /// In full: the numbers that the scenarios are meant to have, one scenario after the other
    #[arg(long)]
    full: bool,
    /// What random choices begin with. A failure prints the one that it had
    #[arg(long, env = "CHAOS_SEED")]
    seed: Option<u64>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for scenario in scenarios::ALL {
            println!("{:<22} {}", scenario.name, scenario.what);
        }
        return ExitCode::SUCCESS;
    }
    for name in &cli.scenarios {
        if scenarios::ALL.iter().all(|scenario| scenario.name != name) {
            eprintln!("there is no scenario {name}; --list shows those that there are");
            return ExitCode::from(2);
        }
    }
    let chosen: Vec<&Scenario> = scenarios::ALL
        .iter()
        .filter(|scenario| match cli.scenarios.is_empty() {
            true => cli.full || scenario.is_short,
            false => cli.scenarios.iter().any(|name| name == scenario.name),
        })
        .collect();
    // The campaigns open thousands of connections.
    process::limit_descriptors(std::process::id(), "16384:");
    let scale = Scale {
        full: cli.full,
        seed: cli.seed.unwrap_or_else(|| fastrand::u64(..)),
    };
    eprintln!("seed {}", scale.seed);
    let began = Instant::now();
    let outcomes = run_all(&chosen, scale);
    measurement::print(&outcomes, began.elapsed());
    if outcomes.iter().all(Outcome::passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Rows that run at the same time. Each has an emulator of its own, which takes a processor if it can.
const AT_A_TIME: usize = 3;

/// In short, the scenarios that mostly wait run at the same time; those that measure run alone, after
/// them.
fn run_all(chosen: &[&'static Scenario], scale: Scale) -> Vec<Outcome> {
    let (together, alone): (Vec<&Scenario>, Vec<&Scenario>) = chosen
        .iter()
        .partition(|scenario| !scale.full && !scenario.alone);
    let left = Mutex::new(together.into_iter());
    let next = || left.lock().ok().and_then(|mut scenarios| scenarios.next());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(scenario) = next() {
                    let outcome = run_scenario(scenario, scale);
                    done.lock()
                        .expect("scenarios break off elsewhere")
                        .push(outcome);
                }
            });
        }
    });
    let mut outcomes = done.into_inner().expect("scenarios break off elsewhere");
    outcomes.extend(
        alone
            .into_iter()
            .map(|scenario| run_scenario(scenario, scale)),
    );
    outcomes
}

/// On a runtime of its own, so that a scenario that breaks off takes nobody with it.
fn run_scenario(scenario: &'static Scenario, scale: Scale) -> Outcome {
    eprintln!("{} …", scenario.name);
    let began = Instant::now();
    let running = thread::Builder::new()
        .name(scenario.name.to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime needs nothing that could fail here");
            runtime.block_on(recounts::after((scenario.run)(scale)))
        });
    let joined = running.expect("a thread can be started").join();
    let measurements = joined.map_err(|panicked| {
        let text = panicked.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panicked.downcast_ref::<&str>().map(|it| (*it).to_owned()));
        text.unwrap_or_else(|| "it panicked".to_owned())
    });
    let outcome = Outcome {
        scenario: scenario.name,
        took: began.elapsed(),
        measurements,
    };
    let verdict = if outcome.passed() { "passed" } else { "FAILED" };
    eprintln!(
        "{} {verdict} after {:.0} s",
        scenario.name,
        outcome.took.as_secs_f64()
    );
    outcome
}
