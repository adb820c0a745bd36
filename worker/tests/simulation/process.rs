//! Worker processes: consumer loop and reconciler as the program runs them, until they crash at any
//! await, are told to stop, or everything is healed; then a new one starts.

use std::sync::Arc;
use std::time::Duration;

use file_share::clock::SkewedClock;
use file_share::operations::{Reconciler, Stores};
use file_share_worker::consumer::Consumer;
use file_share_worker::event_queue::in_memory::InMemoryQueue;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::queue::FaultyQueue;
use super::simulation::{BUCKET, RECONCILE_INTERVAL, lifecycle};
use super::stores::{Alive, Faults, Shared};

/// How long a process lives, and how long nobody starts the next one, in milliseconds.
const LIFE: std::ops::Range<u64> = 500..120_000;
const DOWN: std::ops::Range<u64> = 0..20_000;

const MINUTE: i64 = 60_000;
/// By how many milliseconds a worker's clock may be ahead of the store's. Some are right.
const AHEAD: [i64; 8] = [
    0,
    0,
    50_000,
    -50_000,
    31 * MINUTE,
    -31 * MINUTE,
    3 * 24 * 60 * MINUTE,
    -3 * 24 * 60 * MINUTE,
];

pub(crate) fn stores(shared: &Shared, alive: &Alive, clock: &SkewedClock) -> Stores {
    let faults = Faults {
        shared: shared.clone(),
        alive: alive.clone(),
    };
    faults.before_the_stores(clock, lifecycle())
}

/// One worker after the other.
pub(crate) async fn supervise(
    number: usize,
    shared: Shared,
    queue: Arc<InMemoryQueue>,
    clock: SkewedClock,
) {
    let chaos = shared.chaos.clone();
    loop {
        let alive = shared.power.start();
        let stop = CancellationToken::new();
        let process = work(&shared, &queue, &clock, &alive, stop.clone());
        tokio::pin!(process);
        let lives = chaos.millis(LIFE);
        let ended = async {
            keep_setting(&clock, lives, number, &shared).await;
            if chaos.is_healed() {
                std::future::pending().await
            }
        };
        let power_cut = tokio::select! {
            biased;
            () = shared.power.is_cut() => true,
            () = &mut process => return,
            () = ended => false,
        };
        if !power_cut && chaos.chance(20) {
            chaos.note(format_args!("worker {number} is told to stop"));
            stop.cancel();
            process.await;
        } else {
            chaos.note(format_args!("worker {number} crashes"));
        }
        alive.end();
        sleep(chaos.millis(DOWN)).await;
        chaos.note(format_args!("worker {number} starts"));
    }
}

/// For as long as a process lives its clock is right or wrong, and jumps. In the end it is set right.
async fn keep_setting(clock: &SkewedClock, lives: Duration, number: usize, shared: &Shared) {
    let chaos = &shared.chaos;
    for part in [2, 4, 4] {
        let ahead = match chaos.is_healed() {
            true => 0,
            false => AHEAD[chaos.pick(0..AHEAD.len() as u64) as usize],
        };
        chaos.note(format_args!(
            "worker {number}: its clock is {ahead} ms ahead"
        ));
        clock.set_ahead(ahead);
        sleep(lives / part).await;
    }
    if chaos.is_healed() {
        clock.set_ahead(0);
    }
}

async fn work(
    shared: &Shared,
    queue: &Arc<InMemoryQueue>,
    clock: &SkewedClock,
    alive: &Alive,
    stop: CancellationToken,
) {
    let stores = stores(shared, alive, clock);
    let queue = FaultyQueue {
        inner: queue.clone(),
        chaos: shared.chaos.clone(),
        alive: alive.clone(),
    };
    let consumer = Consumer::new(Arc::new(queue), Arc::new(stores.clone()), BUCKET);
    let reconciler = Reconciler::new(stores);
    let reconcile = async {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = reconciler.run(RECONCILE_INTERVAL, stop.clone()) => {}
        }
    };
    tokio::join!(consumer.run(stop.clone()), reconcile);
}

/// Long enough for whatever was under way to end.
pub(crate) const SETTLING: Duration = Duration::from_secs(240);
