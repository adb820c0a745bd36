//! The loop that takes event notifications from the queue and has files finalized.
//!
//! A step inside, a loop outside: [`Consumer::run_once`] takes one batch to its end, which is what
//! tests drive; [`Consumer::run`] keeps several batches in hand until it is told to stop.
//!
//! Every delivery ends in one of three ways. Done, or nothing to do: acknowledged. A store was
//! unavailable: deferred with back-off. Not understood: left alone, so that the queue moves it to
//! the dead-letter queue, where a person can look at it.
//!
//! Invariant: a message is acknowledged only after every file that it names is settled. A crash at
//! any point loses nothing, because the queue delivers again and finalizing again changes nothing.
//!
//! Absent on purpose: a memory of what was seen. Doubled and reordered deliveries are harmless.

mod acknowledger;
mod delivery;
#[cfg(test)]
pub(crate) mod tests;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use file_share::clock::{Clock, SystemClock};
use file_share::domain::ObjectKey;
use file_share::metrics::{DeliveryEnd, Metrics};
use file_share::operations::{FinalizeOutcome, OperationError, Stores, finalize_upload};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::event_queue::{Delivery, EventQueue, MAX_BATCH, MAX_RECEIVE_WAIT, QueueError};
use acknowledger::Acknowledger;
use delivery::{Acknowledged, DeliveryHandler};

/// Messages that are worked on at a time. Each may hash one object, in memory that doesn't grow
/// with the object.
pub const MAX_IN_FLIGHT: usize = 16;

/// Deliveries that this process holds at a time, those that wait for their turn included. With the
/// longest SQS message of 1 MiB they take at most 30 MiB.
pub const MAX_IN_HAND: usize = 3 * MAX_BATCH;

/// The shortest time from one receive to the next where the queue had nothing. Long polling takes
/// longer; a server that answers at once all the same isn't asked in a busy loop.
const MIN_EMPTY_POLL: Duration = Duration::from_secs(1);

/// Back-off after a failed receive: doubles from the first to the last.
const FIRST_RECEIVE_PAUSE: Duration = Duration::from_secs(1);
const LAST_RECEIVE_PAUSE: Duration = Duration::from_secs(30);

/// How long work in hand may go on at shutdown before it is given back, and a receive that is under way
/// is waited for. A queue goes on with a receive whose caller went away, and hides from all others what
/// it then hands out to nobody; so it is waited for, and what it brings is given back at once.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long giving back may take.
const GIVE_BACK_LIMIT: Duration = Duration::from_secs(2);
/// What an answer may take on its way beyond the wait at the queue.
const ANSWER_SLACK: Duration = Duration::from_secs(1);

/// What `docker stop` waits before it kills; the least of the common supervisors.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(10);
const _: () = assert!(
    MAX_RECEIVE_WAIT.as_secs() + ANSWER_SLACK.as_secs() <= DRAIN_LIMIT.as_secs(),
    "a stop waits until the last receive is over"
);
const _: () = assert!(
    DRAIN_LIMIT.as_secs() + GIVE_BACK_LIMIT.as_secs() < SUPERVISOR_PATIENCE.as_secs(),
    "nobody is killed while it gives back"
);
const _: () = assert!(MAX_IN_HAND >= MAX_IN_FLIGHT);

/// The work that a notification asks for. A trait so that tests can script its faults.
#[async_trait]
pub trait Finalize: Send + Sync {
    /// Has the file settled whose bytes have arrived under `key`, and says what became of it.
    ///
    /// # Errors
    /// Only what may go away by itself: try again later. Safe to repeat and to break off.
    async fn finalize(&self, key: ObjectKey) -> Result<FinalizeOutcome, OperationError>;
}

#[async_trait]
impl Finalize for Stores {
    async fn finalize(&self, key: ObjectKey) -> Result<FinalizeOutcome, OperationError> {
        finalize_upload(self, key).await
    }
}

/// How the deliveries of one batch ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// Deliveries that the queue handed out.
    pub received: usize,
    /// Done, or nothing to do; they don't come again.
    pub acknowledged: usize,
    /// Done, but the queue refused or didn't answer the acknowledgement: it comes again.
    pub unacknowledged: usize,
    /// A store was unavailable; they come again after a back-off.
    pub deferred: usize,
    /// Not understood.
    pub left_for_dead_letter: usize,
    /// The consumer stopped; they were visible again at once.
    pub given_back: usize,
}

impl BatchReport {
    fn count(&mut self, end: DeliveryEnd) {
        let counter = match end {
            DeliveryEnd::Acknowledged => &mut self.acknowledged,
            DeliveryEnd::Unacknowledged => &mut self.unacknowledged,
            DeliveryEnd::Deferred => &mut self.deferred,
            DeliveryEnd::LeftForDeadLetter => &mut self.left_for_dead_letter,
            DeliveryEnd::GivenBack => &mut self.given_back,
        };
        *counter += 1;
    }
}

/// The two steps of a shutdown, as the deliveries in hand see it.
#[derive(Clone, Default)]
struct Shutdown {
    /// Begin nothing new.
    stop: CancellationToken,
    /// Break off what was begun.
    abandon: CancellationToken,
}

/// One consumer of one queue.
pub struct Consumer {
    queue: Arc<dyn EventQueue>,
    handler: Arc<DeliveryHandler>,
    in_hand: Arc<Semaphore>,
    metrics: Metrics,
}

impl Consumer {
    /// A consumer of notifications about `bucket`. Must be called inside a tokio runtime.
    pub fn new(
        queue: Arc<dyn EventQueue>,
        finalizer: Arc<dyn Finalize>,
        bucket: impl Into<String>,
    ) -> Self {
        let acknowledger = Acknowledger::start(queue.clone(), MAX_IN_HAND);
        Self::of(queue, finalizer, bucket, Acknowledged::ByUs(acknowledger))
    }

    /// One that receives and acknowledges nothing by itself: [`Self::settle`] takes what somebody else received, who
    /// acknowledges it as well.
    pub fn of_received(
        queue: Arc<dyn EventQueue>,
        finalizer: Arc<dyn Finalize>,
        bucket: impl Into<String>,
    ) -> Self {
        Self::of(queue, finalizer, bucket, Acknowledged::ByReceiver)
    }

    fn of(
        queue: Arc<dyn EventQueue>,
        finalizer: Arc<dyn Finalize>,
        bucket: impl Into<String>,
        acknowledged: Acknowledged,
    ) -> Self {
        Self {
            handler: Arc::new(DeliveryHandler {
                acknowledged,
                queue: queue.clone(),
                finalizer,
                bucket: bucket.into(),
                in_flight: Semaphore::new(MAX_IN_FLIGHT),
            }),
            queue,
            in_hand: Arc::new(Semaphore::new(MAX_IN_HAND)),
            metrics: Metrics::off(),
        }
    }

    /// The same, which counts what it receives and how that ends.
    #[must_use]
    pub fn counting(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Receives one batch and sees every delivery of it to its end.
    ///
    /// # Errors
    /// If nothing could be received.
    pub async fn run_once(&self) -> Result<BatchReport, QueueError> {
        let mut report = BatchReport::default();
        let Some(room) = self.room().await else {
            return Ok(report);
        };
        let mut tasks = JoinSet::new();
        let deliveries = self.queue.receive(MAX_BATCH).await?;
        report.received = deliveries.len();
        self.begin(deliveries, room, &Shutdown::default(), &mut tasks);
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(end) => report.count(end),
                // A step has nobody to survive for; the loop outside does.
                Err(error) => {
                    if let Ok(panic) = error.try_into_panic() {
                        resume_unwind(panic);
                    }
                }
            }
        }
        Ok(report)
    }

    /// Sees deliveries that somebody else received to their end, by `until` at the latest: one ending for each, in their
    /// order. What isn't done by then is given back; `None` where nothing is known, after a panic or because the queue
    /// doesn't answer.
    pub async fn settle(
        &self,
        deliveries: Vec<Delivery>,
        until: Instant,
    ) -> Vec<Option<DeliveryEnd>> {
        let left = until.saturating_duration_since(Instant::now());
        let abandon_at = until - GIVE_BACK_LIMIT.min(left / 4);
        let shutdown = Shutdown::default();
        let mut endings = vec![None; deliveries.len()];
        let mut tasks = JoinSet::new();
        for (at, delivery) in deliveries.into_iter().enumerate() {
            let (handler, shutdown) = (self.handler.clone(), shutdown.clone());
            tasks.spawn(async move { (at, handler.handle(delivery, &shutdown).await) });
        }
        for limit in [abandon_at, until] {
            while let Ok(Some(joined)) = timeout_at(limit, tasks.join_next()).await {
                match joined {
                    Ok((at, ending)) => {
                        self.metrics.delivery_ended(ending);
                        if let Some(place) = endings.get_mut(at) {
                            *place = Some(ending);
                        }
                    }
                    Err(error) => log_panic::<()>(Err(error)),
                }
            }
            shutdown.abandon.cancel();
        }
        tasks.shutdown().await;
        endings
    }

    /// Consumes until `stop` is cancelled; then takes nothing new, finishes what it began, gives
    /// back the rest, and returns within 10 seconds.
    pub async fn run(self, stop: CancellationToken) {
        let shutdown = Shutdown {
            stop: stop.clone(),
            abandon: CancellationToken::new(),
        };
        let mut tasks = JoinSet::new();
        tokio::select! {
            biased;
            () = self.consume(&shutdown, &mut tasks) => {}
            () = time_to_drain(&stop) => {}
        }
        give_back(tasks, &shutdown).await;
    }

    /// Returns when it was told to stop, and all that it had in hand then is over.
    async fn consume(&self, shutdown: &Shutdown, tasks: &mut JoinSet<DeliveryEnd>) {
        let stop = &shutdown.stop;
        let mut failures = 0;
        while !stop.is_cancelled() {
            let room = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                room = self.room() => room,
            };
            reap(tasks);
            let Some(room) = room else { break };
            let began = Instant::now();
            // Not broken off by a stop: see DRAIN_LIMIT.
            let pause_until = match self.queue.receive(MAX_BATCH).await {
                Ok(deliveries) => {
                    if failures > 0 {
                        tracing::info!(failures, "the event queue answers again");
                        failures = 0;
                    }
                    let empty = deliveries.is_empty();
                    let oldest = deliveries.iter().filter_map(|it| it.sent_at).min();
                    let age = oldest.map(|at| (SystemClock.now() - at).to_std());
                    let age = age.map(Result::unwrap_or_default);
                    self.metrics.received(deliveries.len(), age);
                    self.begin(deliveries, room, shutdown, tasks);
                    if empty { began + MIN_EMPTY_POLL } else { began }
                }
                Err(error) => {
                    failures += 1;
                    self.metrics.receive_failed();
                    // Once per change of state: an outage mustn't fill the log.
                    if failures == 1 {
                        tracing::warn!(error = %error.chain(), "receiving failed and is tried again");
                    }
                    Instant::now() + receive_pause(failures)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = sleep_until(pause_until) => {}
            }
        }
        join_all(tasks).await;
    }

    /// Waits until a whole batch can be taken in hand. `None` can't come: nobody closes the
    /// semaphore.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let batch = u32::try_from(MAX_BATCH).ok()?;
        self.in_hand.clone().acquire_many_owned(batch).await.ok()
    }

    fn begin(
        &self,
        deliveries: Vec<Delivery>,
        mut room: OwnedSemaphorePermit,
        shutdown: &Shutdown,
        tasks: &mut JoinSet<DeliveryEnd>,
    ) {
        for delivery in deliveries {
            // A queue that hands out more than it was asked for gets the rest back by itself.
            let Some(place) = room.split(1) else { break };
            let handler = self.handler.clone();
            let shutdown = shutdown.clone();
            let metrics = self.metrics.clone();
            tasks.spawn(async move {
                let end = handler.handle(delivery, &shutdown).await;
                metrics.delivery_ended(end);
                drop(place);
                end
            });
        }
    }
}

/// Forgets the tasks that are over, so that they don't pile up.
fn reap(tasks: &mut JoinSet<DeliveryEnd>) {
    while let Some(joined) = tasks.try_join_next() {
        log_panic(joined);
    }
}

fn log_panic<T>(joined: Result<T, tokio::task::JoinError>) {
    if let Err(error) = joined
        && error.is_panic()
    {
        // The panic's own message has been printed by the hook; the message comes back by itself.
        tracing::error!("handling a delivery panicked");
    }
}

async fn join_all(tasks: &mut JoinSet<DeliveryEnd>) {
    while let Some(joined) = tasks.join_next().await {
        log_panic(joined);
    }
}

async fn time_to_drain(stop: &CancellationToken) {
    stop.cancelled().await;
    tracing::info!("the consumer stops");
    sleep(DRAIN_LIMIT).await;
}

/// Has whatever is still in hand given back.
async fn give_back(mut tasks: JoinSet<DeliveryEnd>, shutdown: &Shutdown) {
    shutdown.abandon.cancel();
    if timeout(GIVE_BACK_LIMIT, join_all(&mut tasks))
        .await
        .is_err()
    {
        tracing::warn!(
            deliveries = tasks.len(),
            "the queue doesn't answer; what was in hand comes back after the visibility timeout"
        );
    }
    tasks.shutdown().await;
}

/// How long to wait after the `failures`th failed receive in a row: exponential, and between half
/// and all of it so that many workers don't come back at once.
fn receive_pause(failures: u32) -> Duration {
    backoff(FIRST_RECEIVE_PAUSE, LAST_RECEIVE_PAUSE, failures)
}

/// `first` doubled with every attempt after the first, at most `last`, and of that a random share
/// between half and all.
fn backoff(first: Duration, last: Duration, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    let full = first.saturating_mul(1 << doublings).min(last);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}
