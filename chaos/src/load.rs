//! Many uploads at a time, while something is done to the service.
//!
//! Invariant: the number of clients at a time is bounded; nobody waits for anybody but the service.

use std::cell::Cell;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::sleep;

use crate::checker::objects_below;
use crate::client::{Client, content};

/// Clients at a time.
pub(crate) const CLIENTS: usize = 32;
/// The largest file of a campaign that is about numbers, in bytes.
const MAX_BYTES: usize = 16 * 1024;
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// `count` contents of random lengths, the empty one among them.
pub(crate) fn contents(seed: u64, count: usize) -> Vec<Bytes> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|number| {
            let length = if number == 0 {
                0
            } else {
                random.usize(0..=MAX_BYTES)
            };
            content(&mut random, length)
        })
        .collect()
}

/// Creates and sends all of them. The IDs of those that the store has accepted.
pub(crate) async fn upload_all(client: &Client, contents: Vec<Bytes>) -> Vec<String> {
    futures_util::stream::iter((0_usize..).zip(contents))
        .map(|(number, content)| async move {
            // Half of the files have their digest declared, so that both ways are gone.
            let created = client.create(content, number % 2 == 0).await?;
            client.put(&created).await?;
            Some(created.id)
        })
        .buffer_unordered(CLIENTS)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Waits until no file is pending; the time that it took, at most `limit`, and how many were left.
pub(crate) async fn await_none_pending(client: &Client, limit: Duration) -> (Duration, usize) {
    let began = Instant::now();
    loop {
        let pending = client.list(Some("pending")).await.len();
        // Creations whose answer was lost made records that nobody sends bytes for.
        let left = pending.saturating_sub(client.stats.untold.get());
        if left == 0 || began.elapsed() > limit {
            return (began.elapsed(), left);
        }
        sleep(POLL).await;
    }
}

/// Waits until every object of a data directory belongs to an available file: what is whole is
/// finalized, acknowledged or not. How many were left after `limit`.
pub(crate) async fn await_stored_available(client: &Client, dir: &Path, limit: Duration) -> usize {
    let began = Instant::now();
    loop {
        let stored = objects_below(dir).len();
        let available = client.list(Some("available")).await.len();
        if available >= stored || began.elapsed() > limit {
            return stored.saturating_sub(available);
        }
        sleep(POLL).await;
    }
}

/// Does `work` and, all the while, `disturb` again and again, `pause` apart; ends with the work.
pub(crate) async fn while_disturbed<T>(
    work: impl Future<Output = T>,
    pause: Duration,
    mut disturb: impl AsyncFnMut(),
) -> T {
    let done = Cell::new(false);
    let working = async {
        let result = work.await;
        done.set(true);
        result
    };
    let disturbing = async {
        loop {
            sleep(pause).await;
            if done.get() {
                return;
            }
            disturb().await;
        }
    };
    tokio::join!(working, disturbing).0
}
