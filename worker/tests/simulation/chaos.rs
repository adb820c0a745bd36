//! Everything that a seed decides: how long a call takes, and whether it fails, hangs, or is carried
//! out and its answer lost. And the trace, one line an event.
//!
//! Invariant: all chance comes from one generator, and no line of the trace holds anything that
//! another run of the seed would not have: no ID, no address, no time but the simulated one.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use file_share::domain::{Timestamp, from_millis};
use tokio::time::{Instant, sleep};

/// When the clients of the ports give up on a call.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// How long a process may seem to be stopped: longer than the visibility timeout.
const STALL_MILLIS: std::ops::Range<u64> = 35_000..100_000;

/// The store's time when it begins, in milliseconds since the Unix epoch.
const STORE_BEGAN_MILLIS: i64 = 1_790_000_000_000;

/// How many calls of a thousand go wrong, one of these a seed.
const FAULT_RATES: [u64; 4] = [0, 20, 100, 300];

pub(crate) struct Chaos {
    random: Mutex<fastrand::Rng>,
    faults_per_thousand: u64,
    healed: AtomicBool,
    began: Instant,
    trace: Mutex<Vec<String>>,
}

enum Fault {
    FailsBefore,
    HangsBefore,
    AnswerLost,
    HangsAfter,
    Stalls,
}

impl Chaos {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            faults_per_thousand: FAULT_RATES[random.usize(..FAULT_RATES.len())],
            random: Mutex::new(random),
            healed: AtomicBool::new(false),
            began: Instant::now(),
            trace: Mutex::default(),
        }
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pick(&self, from: std::ops::Range<u64>) -> u64 {
        self.random().u64(from)
    }

    pub(crate) fn millis(&self, from: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.pick(from))
    }

    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.pick(0..100) < percent
    }

    /// From now on nothing fails any more, and what was lost stays lost.
    pub(crate) fn heal(&self) {
        self.healed.store(true, SeqCst);
        self.note("everything is healed");
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.healed.load(SeqCst)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The store's time, which goes on by no process's clock.
    pub(crate) fn now(&self) -> Timestamp {
        from_millis(STORE_BEGAN_MILLIS).unwrap() + self.elapsed()
    }

    pub(crate) fn note(&self, event: impl Display) {
        let line = format!("{:>8} {event}", self.elapsed().as_millis());
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.push(line);
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.clone()
    }

    fn fault(&self) -> Option<Fault> {
        if self.is_healed() || self.pick(0..1000) >= self.faults_per_thousand {
            return None;
        }
        Some(match self.pick(0..10) {
            0..3 => Fault::FailsBefore,
            3..7 => Fault::AnswerLost,
            7 => Fault::HangsBefore,
            8 => Fault::HangsAfter,
            _ => Fault::Stalls,
        })
    }

    /// Makes a call of a port as the seed wants it. `failed` makes the port's error.
    pub(crate) async fn call<T, E>(
        &self,
        what: impl Display,
        failed: impl Fn(&'static str) -> E,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let fault = self.fault();
        sleep(self.millis(0..40)).await;
        match fault {
            None => {
                let answer = call.await;
                self.note(format_args!("{what}"));
                sleep(self.millis(0..40)).await;
                answer
            }
            Some(Fault::FailsBefore) => {
                self.note(format_args!("{what}: fails"));
                Err(failed("simulated: refused"))
            }
            Some(Fault::HangsBefore) => {
                self.note(format_args!("{what}: hangs"));
                sleep(CALL_LIMIT).await;
                Err(failed("simulated: no answer in time"))
            }
            Some(Fault::AnswerLost) => {
                let _ = call.await;
                self.note(format_args!("{what}: done, answer lost"));
                sleep(self.millis(0..40)).await;
                Err(failed("simulated: the answer was lost"))
            }
            Some(Fault::HangsAfter) => {
                let _ = call.await;
                self.note(format_args!("{what}: done, then hangs"));
                sleep(CALL_LIMIT).await;
                Err(failed("simulated: no answer in time"))
            }
            Some(Fault::Stalls) => {
                self.note(format_args!("{what}: stalls"));
                sleep(self.millis(STALL_MILLIS)).await;
                let answer = call.await;
                self.note(format_args!("{what}: after a stall"));
                answer
            }
        }
    }
}
