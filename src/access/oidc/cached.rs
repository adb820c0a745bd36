//! What an issuer says of itself, cached, and asked for again within bounds.
//!
//! Invariant: however many want it, it is asked for by one at a time and no more often than the pauses say, whatever
//! becomes of those who want it. What is there stays there while the issuer is away.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The time that passes, which tests move.
pub(super) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The first pause after a failure, while there is nothing to go on with. It doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The pause after a success, and the longest after a failure.
pub(super) const PAUSE: Duration = Duration::from_secs(60);

/// The issuer gave no answer that can be used. Says why, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the issuer can't be asked: {0}")]
pub struct IssuerUnavailable(pub String);

/// Something that the issuer says of itself, as it last said it.
pub(super) struct Cached<T> {
    value: RwLock<Option<(Arc<T>, Instant)>>,
    /// Held by whoever asks.
    turn: Arc<tokio::sync::Mutex<()>>,
    last: Mutex<Last>,
    clock: Clock,
}

/// How asking went.
#[derive(Default)]
struct Last {
    asked_at: Option<Instant>,
    failures: u32,
    away: Option<(Instant, IssuerUnavailable)>,
}

impl<T: Send + Sync + 'static> Cached<T> {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            value: RwLock::default(),
            turn: Arc::default(),
            last: Mutex::default(),
            clock,
        })
    }

    pub(super) fn value(&self) -> Option<Arc<T>> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.as_ref().map(|(value, _)| Arc::clone(value))
    }

    /// Whether what is there is older than this; also if nothing is.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        value
            .as_ref()
            .is_none_or(|(_, at)| now.saturating_duration_since(*at) > age)
    }

    /// For how long the issuer has been away, and why; `None` while it isn't.
    pub(super) fn away(&self) -> Option<(Duration, IssuerUnavailable)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        let (since, why) = last.away.as_ref()?;
        Some((now.saturating_duration_since(*since), why.clone()))
    }

    /// Whether it may be asked now.
    pub(super) fn is_due(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing_yet = self.value().is_none();
        let pause = match last.failures {
            0 => PAUSE,
            failures if nothing_yet => (FIRST_PAUSE * 2_u32.pow(failures.min(8) - 1)).min(PAUSE),
            _ => PAUSE,
        };
        let now = (self.clock)();
        last.asked_at
            .is_none_or(|at| now.saturating_duration_since(at) >= pause)
    }

    /// Asks, if it is due, and says how asking went the last time. Whoever asks goes on if nobody waits any more.
    pub(super) async fn ask<F>(self: &Arc<Self>, ask: F) -> Result<(), IssuerUnavailable>
    where
        F: Future<Output = Result<T, String>> + Send + 'static,
    {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if !self.is_due() {
            return self.away().map_or(Ok(()), |(_, why)| Err(why));
        }
        self.begin();
        let this = Arc::clone(self);
        let asking = tokio::spawn(async move {
            let result = ask.await;
            let result = this.end(result);
            drop(turn);
            result
        });
        match asking.await {
            Ok(result) => result,
            Err(_) => Err(IssuerUnavailable("the service is ending".into())),
        }
    }

    fn begin(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.asked_at = Some((self.clock)());
    }

    fn end(&self, result: Result<T, String>) -> Result<(), IssuerUnavailable> {
        let now = (self.clock)();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(value) => {
                *last = Last {
                    asked_at: last.asked_at,
                    ..Last::default()
                };
                let mut cached = self.value.write().unwrap_or_else(PoisonError::into_inner);
                *cached = Some((Arc::new(value), now));
                Ok(())
            }
            Err(why) => {
                let why = IssuerUnavailable(why);
                let since = last.away.as_ref().map_or(now, |(since, _)| *since);
                last.failures = last.failures.saturating_add(1);
                last.away = Some((since, why.clone()));
                Err(why)
            }
        }
    }
}
