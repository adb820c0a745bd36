//! Creates that nobody sends bytes for, from the create to the removal of the record: how many calls each
//! costs at AWS.
//!
//! A day and a half pass in some minutes, by one clock for the programs and the stand-in, so that all of
//! them agree. What counts are the calls that name the file; the looks for what is due are shared by all
//! files, and come as often if there is none.

use std::time::Duration;

use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::client::{Client, content};
use crate::fake_clock::FakeClock;
use crate::history::History;
use crate::measurement::Measurement;

const LIMIT: Duration = Duration::from_secs(60);
/// From the create to the removal.
const CALLS: f64 = 12.0;

/// In seconds. While something may be due about a file, the clock moves by less than what the programs
/// take for a clock that is wrong.
const SMALL_STEP: i64 = 50;
const LARGE_STEP: i64 = 20 * 60;
const HOUR: i64 = 60 * 60;
/// The end of uploads is at half an hour; a day later the record has to go.
const SMALL_UNTIL: i64 = HOUR;
const SMALL_AGAIN_FROM: i64 = 24 * HOUR;
const UNTIL: i64 = 26 * HOUR;
/// For a round of the worker, or several.
const STEP_PAUSE: Duration = Duration::from_millis(400);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let clock = FakeClock::make();
    let aws = Aws::start_by("abandoned-create", &[], &clock).await;
    let [preload, offset_file] = clock.settings();
    let settings = [preload, offset_file, ("RECONCILE_INTERVAL", "100ms")];
    let api = aws.api(&settings);
    let worker = aws.worker(&settings);
    let client = Client::new(&api.base, History::open("abandoned-create"), LIMIT);
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), 1024);
    let mut ids = Vec::new();
    for _ in 0..scale.of(3, 20) {
        ids.push(
            client
                .create(bytes.clone(), false)
                .await
                .expect("a file")
                .id,
        );
    }
    let mut offset = 0;
    while offset < UNTIL {
        let is_quiet = (SMALL_UNTIL..SMALL_AGAIN_FROM).contains(&offset);
        offset += if is_quiet { LARGE_STEP } else { SMALL_STEP };
        clock.set(offset);
        sleep(STEP_PAUSE).await;
    }
    let left = aws.items().await.len();
    drop((worker, api));
    let calls = ids.iter().map(|id| aws.proxy.recorder().calls_about(id));
    let calls: Vec<usize> = calls.collect();
    let most = calls.iter().max().copied().unwrap_or_default();
    let fewest = calls.iter().min().copied().unwrap_or_default();
    vec![
        Measurement::none("records left after 26 hours", left),
        // The create, a look, the expiry, the removal.
        Measurement::at_least("fewest calls of a create", fewest, 4),
        Measurement::at_most("most calls of a create", most as f64, CALLS, ""),
    ]
}
