//! Campaigns: the real programs under kills, faults and load, and a check of what is left.
//!
//! One row is one property with one thing that is done against it. A row starts its own programs,
//! drives clients that write down what they were told, does its worst, and counts what isn't as it
//! must be. `make chaos` runs all rows in full, `make chaos ROWS="worker-killed poison"` some of
//! them; `make test` runs all of them in short.
//!
//! Invariant: what is tested is what is shipped: the programs as processes of their own, on the
//! stand-in that enforces signatures and policies, or on a real disk. A broken bound makes the run
//! fail, and so does a row that can't be carried out.
//!
//! Absent on purpose: code of the server. A campaign knows the programs by their contract, their
//! logs and their stores.

mod aws;
mod checker;
mod client;
mod fault_proxy;
mod figure;
mod ledger;
mod load;
mod odd_clock;
mod power_cut;
mod process;
mod relay;
mod rows;
mod tally;

#[allow(
    dead_code,
    reason = "the integration tests' support, of which the campaigns need a part"
)]
#[path = "../../tests/support"]
mod support {
    pub mod aws_clients;
    pub mod ministack;
    pub mod program;
}

use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use clap::Parser;

use figure::Outcome;
use rows::{Row, Scale};

/// Runs campaigns against the real programs and checks what is left of them.
#[derive(Parser)]
#[command(name = "chaos")]
struct Cli {
    /// The rows to run; all of them if none is named
    rows: Vec<String>,
    /// In full: the numbers that the rows are meant to have, one row after the other
    #[arg(long)]
    full: bool,
    /// What random choices begin with. A failure prints the one that it had
    #[arg(long, env = "CHAOS_SEED")]
    seed: Option<u64>,
    /// List the rows
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for row in rows::ALL {
            println!("{:<22} {}", row.name, row.what);
        }
        return ExitCode::SUCCESS;
    }
    for name in &cli.rows {
        if rows::ALL.iter().all(|row| row.name != name) {
            eprintln!("there is no row {name}; --list shows those that there are");
            return ExitCode::from(2);
        }
    }
    let chosen: Vec<&Row> = rows::ALL
        .iter()
        .filter(|row| match cli.rows.is_empty() {
            true => cli.full || row.is_short,
            false => cli.rows.iter().any(|name| name == row.name),
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
    figure::print(&outcomes, began.elapsed());
    if outcomes.iter().all(Outcome::passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Rows that run at the same time. Each has an emulator of its own, which takes a processor if it can.
const AT_A_TIME: usize = 3;

/// In short, the rows that mostly wait run at the same time; those that measure run alone, after
/// them.
fn run_all(chosen: &[&'static Row], scale: Scale) -> Vec<Outcome> {
    let (together, alone): (Vec<&Row>, Vec<&Row>) =
        chosen.iter().partition(|row| !scale.full && !row.alone);
    let left = Mutex::new(together.into_iter());
    let next = || left.lock().ok().and_then(|mut rows| rows.next());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(row) = next() {
                    let outcome = run_row(row, scale);
                    done.lock().expect("rows break off elsewhere").push(outcome);
                }
            });
        }
    });
    let mut outcomes = done.into_inner().expect("rows break off elsewhere");
    outcomes.extend(alone.into_iter().map(|row| run_row(row, scale)));
    outcomes
}

/// On a runtime of its own, so that a row that breaks off takes nobody with it.
fn run_row(row: &'static Row, scale: Scale) -> Outcome {
    eprintln!("{} …", row.name);
    let began = Instant::now();
    let running = thread::Builder::new()
        .name(row.name.to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime needs nothing that could fail here");
            runtime.block_on((row.run)(scale))
        });
    let joined = running.expect("a thread can be started").join();
    let figures = joined.map_err(|panicked| {
        let text = panicked.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panicked.downcast_ref::<&str>().map(|it| (*it).to_owned()));
        text.unwrap_or_else(|| "it panicked".to_owned())
    });
    let outcome = Outcome {
        row: row.name,
        took: began.elapsed(),
        figures,
    };
    let verdict = if outcome.passed() { "passed" } else { "FAILED" };
    eprintln!(
        "{} {verdict} after {:.0} s",
        row.name,
        outcome.took.as_secs_f64()
    );
    outcome
}
