//! Worker processes: consumer loop and reconciler as the program runs them, until they crash at any
//! await, are told to stop, or everything is healed; then a new one starts.

use std::sync::Arc;
use std::time::Duration;

use file_share::operations::{Reconciler, Stores};
use file_share_worker::consumer::Consumer;
use file_share_worker::event_queue::in_memory::InMemoryQueue;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::queue::FaultyQueue;
use super::stores::{Alive, FaultyStores, Shared};
use super::world::{BUCKET, RECONCILE_INTERVAL, SimulatedClock, lifecycle};

/// How long a process lives, and how long nobody starts the next one, in milliseconds.
const LIFE: std::ops::Range<u64> = 500..120_000;
const DOWN: std::ops::Range<u64> = 0..20_000;

pub fn stores(shared: &Shared, alive: &Alive, clock: &SimulatedClock) -> Stores {
    let faulty = Arc::new(FaultyStores {
        shared: shared.clone(),
        alive: alive.clone(),
    });
    Stores {
        metadata: faulty.clone(),
        objects: faulty,
        clock: Arc::new(*clock),
        lifecycle: lifecycle(),
    }
}

/// One worker after the other.
pub async fn supervise(
    number: usize,
    shared: Shared,
    queue: Arc<InMemoryQueue>,
    clock: SimulatedClock,
) {
    let chaos = shared.chaos.clone();
    loop {
        let alive = Alive::new();
        let stop = CancellationToken::new();
        let process = work(&shared, &queue, &clock, &alive, stop.clone());
        tokio::pin!(process);
        let lives = chaos.millis(LIFE);
        let ended = async {
            sleep(lives).await;
            if chaos.is_healed() {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            () = &mut process => return,
            () = ended => {}
        }
        if chaos.chance(20) {
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

async fn work(
    shared: &Shared,
    queue: &Arc<InMemoryQueue>,
    clock: &SimulatedClock,
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
pub const SETTLING: Duration = Duration::from_secs(240);
