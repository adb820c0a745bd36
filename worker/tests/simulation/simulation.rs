//! One seed: a simulation is built, put through its troubles, healed, and judged.
//!
//! Invariant: everything runs on one thread in paused time, so the seed decides all of it.

use std::sync::Arc;
use std::time::Duration;

use file_share::access::Caller;
use file_share::clock::{Clock, SkewedClock};
use file_share::domain::{FileId, FileState, Lifecycle, ObjectKey, Timestamp};
use file_share::metadata_store::MetadataStore;
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::object_store::ObjectStore;
use file_share::object_store::memory::MemoryObjectStore;
use file_share::operations::Context;
use file_share::presigned_url::{BucketUrl, Presigner, SigningCredentials};
use file_share_worker::event_queue::MAX_RECEIVE_WAIT;
use file_share_worker::event_queue::in_memory::{Attributes, InMemoryQueue};
use futures_util::TryStreamExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bucket::{Bucket, digest};
use super::chaos::Chaos;
use super::client::Client;
use super::file_histories::{FileHistories, FileHistory};
use super::process::{SETTLING, stores, supervise};
use super::scanner::{LONGEST_WAIT, SimulatedScanner};
use super::stores::{Alive, Power, Shared};

pub(crate) const BUCKET: &str = "file-share-bucket";

/// How long things go wrong.
pub(crate) const CHAOS: Duration = Duration::from_secs(300);
pub(crate) const RECONCILE_INTERVAL: Duration = Duration::from_secs(30);
/// Within so many reconciliations of its time a file is deleted, once nothing fails any more.
const REVIEWS: u32 = 4;
/// The life of a file in short, with production's proportions where they matter: what is kept is kept
/// for longer than a URL can bring bytes.
pub(crate) const UPLOAD_LIFETIME: Duration = Duration::from_secs(120);
pub(crate) const UPLOAD_GRACE: Duration = Duration::from_secs(120);
const RETENTION: Duration = Duration::from_secs(900);
const EMPTY_RETENTION: Duration = Duration::from_secs(300);
/// Longer than a poison message takes to become a dead letter.
const QUEUE: Attributes = Attributes {
    visibility_timeout: Duration::from_secs(30),
    max_receive_count: 8,
    wait_time: MAX_RECEIVE_WAIT,
};
const CLIENTS: usize = 4;
/// By how many milliseconds an API's clock may be ahead of the store's. Most are right.
const API_AHEAD: [i64; 8] = [0, 0, 0, 0, 40_000, -40_000, 31 * 60_000, -31 * 60_000];
/// The largest of them: by so much later what was created is over.
const LATER: Duration = Duration::from_secs(31 * 60);
const WORKERS: usize = 2;

pub(crate) fn lifecycle() -> Lifecycle {
    Lifecycle {
        upload_grace: UPLOAD_GRACE,
        reconcile_after: Duration::from_secs(30),
        retention: RETENTION,
        empty_retention: EMPTY_RETENTION,
        max_keep: None,
        min_keep: None,
    }
}

/// The store's clock: wall-clock time that goes with tokio's.
#[derive(Clone)]
pub(crate) struct SimulatedClock(Arc<Chaos>);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// What came of one seed.
pub(crate) struct Outcome {
    pub trace: Vec<String>,
    pub broken: Vec<String>,
    pub available: usize,
    pub deleted: usize,
    /// How many were deleted because their time was over.
    pub ended: usize,
    /// How many were withdrawn.
    pub withdrawn: usize,
}

pub(crate) fn simulate(seed: u64) -> Outcome {
    // Jitter and version IDs come from this thread's generator.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(live(seed))
}

async fn live(seed: u64) -> Outcome {
    let chaos = Arc::new(Chaos::new(seed));
    let clock = SimulatedClock(chaos.clone());
    let versioned = chaos.chance(50);
    let scanner = SimulatedScanner::start(&chaos, chaos.chance(40));
    let shared = Shared {
        histories: Arc::new(FileHistories::new(chaos.clone())),
        metadata: Arc::new(MemoryMetadataStore::default()),
        objects: Arc::new(MemoryObjectStore::new(Arc::new(clock.clone()), versioned)),
        chaos,
        power: Power::default(),
        scanner,
    };
    let queue = Arc::new(InMemoryQueue::new(QUEUE));
    let bucket = Arc::new(Bucket {
        shared: shared.clone(),
        queue: queue.clone(),
        clock: Arc::new(clock.clone()),
        knows_digests: shared.chaos.chance(50),
        has_versions: versioned,
    });
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let own = SkewedClock::new(Arc::new(clock.clone()), 0);
        workers.spawn(supervise(number, shared.clone(), queue.clone(), own));
    }
    let presigner = Arc::new(Presigner::new(
        SigningCredentials::fixed("simulated", "secret"),
        "local".into(),
        UPLOAD_LIFETIME,
        Duration::from_secs(60),
    ));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let ahead = API_AHEAD[shared.chaos.pick(0..API_AHEAD.len() as u64) as usize];
        let api = SkewedClock::new(Arc::new(clock.clone()), ahead);
        let client = Client {
            shared: shared.clone(),
            bucket: bucket.clone(),
            stores: stores(&shared, &Alive::new(), &api),
            clock_is_right: ahead == 0,
            presigner: presigner.clone(),
            context: Context::new(
                Caller::Operator,
                None,
                BucketUrl::path_style("http://localhost:8000", BUCKET),
                String::new(),
            ),
            uploads: Vec::new(),
        };
        clients.spawn(client.run());
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    shared.chaos.heal();
    sleep(SETTLING + LONGEST_WAIT).await;
    judge_recovery(&shared).await;
    sleep(LATER + UPLOAD_LIFETIME + UPLOAD_GRACE + RETENTION + SETTLING).await;
    judge_the_end(&shared, &queue).await
}

/// Once nothing fails any more, what was accepted doesn't keep anybody waiting.
async fn judge_recovery(shared: &Shared) {
    for (id, history) in shared.histories.all() {
        if history.should_be_gone(shared.chaos.now(), REVIEWS * RECONCILE_INTERVAL)
            && let Some(FileState::Available(_)) = state(shared, id).await
        {
            let promise = "its time is over, and it isn't deleted";
            shared.histories.breaks(id, promise);
        }
        if history.owed(shared.chaos.now()).is_some() {
            let state = state(shared, id).await;
            if !matches!(state, Some(FileState::Available(_))) {
                shared
                    .histories
                    .breaks(id, "an accepted upload isn't available in time");
            }
        }
    }
}

async fn state(shared: &Shared, id: FileId) -> Option<FileState> {
    let record = shared.metadata.get(id).await.unwrap();
    record.map(|record| record.state)
}

/// When all time is over, only files that are owed to somebody are left, and they are what they were.
async fn judge_the_end(shared: &Shared, queue: &InMemoryQueue) -> Outcome {
    let histories = &shared.histories;
    let (mut available, mut deleted, mut ended, mut withdrawn) = (0, 0, 0, 0);
    for (id, history) in histories.all() {
        deleted += usize::from(history.deleted);
        ended += usize::from(history.ended);
        withdrawn += usize::from(history.withdrawn);
        match state(shared, id).await {
            Some(FileState::Available(object)) => {
                available += 1;
                judge_available(shared, id, &history, &object).await;
            }
            Some(other) => {
                let status = other.status().as_str();
                histories.breaks(id, &format!("it is {status} for ever"));
            }
            None if history.owed(shared.chaos.now()).is_some() => {
                histories.breaks(id, "an accepted upload is lost")
            }
            None if history.told.is_some()
                && !history.delete_tried
                && !history.ended
                && !history.withdrawn =>
            {
                histories.breaks(id, "an available file is gone");
            }
            None => {}
        }
    }
    let objects = shared.objects.count();
    if objects != available {
        shared.chaos.note("BROKEN: bytes that no record names");
    }
    let mut broken = histories.broken();
    if objects != available {
        broken.push(format!("{objects} objects for {available} available files"));
    }
    if !queue.is_empty() {
        broken.push(format!("{} messages are never done with", queue.len()));
    }
    Outcome {
        trace: shared.chaos.trace(),
        broken,
        available,
        deleted,
        ended,
        withdrawn,
    }
}

async fn judge_available(
    shared: &Shared,
    id: FileId,
    history: &FileHistory,
    object: &file_share::domain::StoredObject,
) {
    let histories = &shared.histories;
    if history.is_over(shared.chaos.now()) {
        histories.breaks(id, "it is kept beyond its time");
    }
    if history.deleted {
        histories.breaks(id, "a deleted file is back");
    }
    if history.told.as_ref().is_some_and(|told| told != object) {
        histories.breaks(id, "it isn't what clients were told");
    }
    if history
        .declared_sha256
        .is_some_and(|it| it != object.sha256)
    {
        histories.breaks(id, "it isn't what was declared");
    }
    if history.accepted.first() != Some(&object.sha256) {
        histories.breaks(id, "it isn't what the store accepted first");
    }
    let read = shared
        .objects
        .read(ObjectKey::new(id), object.version_id.as_ref());
    let Some(reader) = read.await.unwrap().found() else {
        return histories.breaks(id, "its bytes aren't there");
    };
    let bytes: Vec<_> = reader.body.try_collect().await.unwrap();
    if digest(&bytes.concat()) != object.sha256 {
        histories.breaks(id, "its bytes have another digest");
    }
}
