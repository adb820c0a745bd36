//! What a worker does beside its queue, done by a function that stands still between two events.

use std::sync::Arc;

use file_share::clock::{Clock, ManualClock};
use file_share::config::{ScannedBy, ScannerSettings, Unscannable};
use file_share::domain::{Declaration, FileRecord, Lifecycle, ObjectKey, Status, UserId};
use file_share::file_events::{FileEvents, KeptOf};
use file_share::item_store::memory::MemoryItemStore;
use file_share::metadata_store::MetadataStore;
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::metrics::Metrics;
use file_share::object_store::memory::MemoryObjectStore;
use file_share::quotas::Quotas;
use file_share::scanner::{ScanMark, Scans};

use super::*;
use crate::consumer::tests::support::BUCKET;

/// How often the schedule asks for a round.
const MINUTE: Duration = Duration::from_secs(60);
const RECONCILE: &str = r#"{"task":"reconcile"}"#;

/// What outlives any process.
struct Kept {
    clock: ManualClock,
    metadata: Arc<MemoryMetadataStore>,
    objects: Arc<MemoryObjectStore>,
    items: Arc<MemoryItemStore>,
}

impl Kept {
    fn new() -> Self {
        let clock = ManualClock::at(from_millis(1_790_000_000_000).unwrap());
        Self {
            objects: Arc::new(MemoryObjectStore::new(Arc::new(clock.clone()), true)),
            metadata: Arc::default(),
            items: Arc::default(),
            clock,
        }
    }

    /// The mark as one process knows it.
    fn mark(&self) -> Arc<ScanMark> {
        let clock = Arc::new(self.clock.clone());
        Arc::new(ScanMark::new(Arc::clone(&self.items) as _, clock))
    }

    async fn is_marked(&self) -> bool {
        self.mark().is_there().await.unwrap()
    }

    /// A process of the function.
    async fn starts(&self, scans: Scans) -> (WorkerFunction, FileEvents) {
        let clock = Arc::new(self.clock.clone());
        let items = Arc::clone(&self.items) as _;
        let (events, event_writer) = FileEvents::kept_in(items, KeptOf::OwnedFiles, clock.clone());
        let stores = Stores {
            metadata: Arc::clone(&self.metadata) as _,
            objects: Arc::clone(&self.objects) as _,
            clock,
            lifecycle: Lifecycle::default(),
            events: events.clone(),
            quotas: Quotas::off(),
            scans: scans.with_mark(self.mark()),
            metrics: Metrics::off(),
        };
        let parts = FunctionParts {
            queue: harness().queue,
            stores,
            bucket: BUCKET.into(),
            sweeps: None,
            deliverer: None,
            event_writer,
        };
        (WorkerFunction::start(parts).await, events)
    }
}

async fn answered(function: &mut WorkerFunction, event: &str) -> Value {
    let invocation = Invocation {
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into(),
        answer_by: Instant::now() + TIME,
        event: event.to_owned().into(),
    };
    let answer = function.answer(&invocation).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

fn said_off() -> Scans {
    Scans::new(&ScannerSettings {
        by: ScannedBy::Nothing,
        ..ScannerSettings::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_function_says_from_its_start_on_and_in_each_round_that_files_are_scanned() {
    let kept = Kept::new();
    let (mut function, _) = kept.starts(Scans::by_tags(Unscannable::Reject)).await;
    assert!(kept.is_marked().await, "not at its start");
    // Beside one that was told that nothing is scanned, which takes the mark away once nobody writes it.
    let off = said_off().with_mark(kept.mark());
    let mut off = off.mark_keeper();
    for _ in 0..10 {
        let answer = answered(&mut function, RECONCILE).await;
        assert_eq!(answer["isComplete"], true, "{answer}");
        off.keep().await.unwrap();
        tokio::time::advance(MINUTE).await;
        assert!(kept.is_marked().await, "not in a round");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_was_told_that_nothing_is_scanned_ends_the_mark_by_its_rounds_alone() {
    let kept = Kept::new();
    kept.starts(Scans::by_tags(Unscannable::Reject)).await;
    let (mut function, _) = kept.starts(said_off()).await;
    // Its start was the first look.
    for _ in 0..4 {
        tokio::time::advance(MINUTE).await;
        answered(&mut function, RECONCILE).await;
        assert!(kept.is_marked().await, "it is taken too early");
    }
    tokio::time::advance(MINUTE).await;
    answered(&mut function, RECONCILE).await;
    assert!(!kept.is_marked().await, "it is never taken");
}

#[tokio::test]
async fn what_a_function_did_to_a_file_is_written_down_before_its_process_may_stand_still() {
    let kept = Kept::new();
    let (mut function, events) = kept.starts(Scans::off()).await;
    for _ in 0..8 {
        let now = kept.clock.now();
        let owner = UserId::of("https://id.example.org", "alice");
        let declared = Declaration::sample().of_length(5);
        let record = FileRecord::sample_of(now, declared).owned_by(Some(owner));
        kept.metadata.insert(&record).await.unwrap();
        let key = ObjectKey::new(record.id);
        kept.objects.put(key, "hello", None);
        let message = json!({
            "messageId": "a", "receiptHandle": "r", "body": arrivals(&[key]), "eventSource": "aws:sqs",
        });
        let event = json!({"Records": [message]}).to_string();
        let answer = answered(&mut function, &event).await;
        assert_eq!(answer, json!({"batchItemFailures": []}));
        function.settle().await;
        // Nothing else gets a turn after that.
        let page = events.page(record.id, None, 10, now).await.unwrap();
        let kinds: Vec<_> = page.events.iter().map(|it| it.kind.as_str()).collect();
        assert_eq!(kinds, ["file.available"]);
        let record = kept.metadata.get(record.id).await.unwrap().unwrap();
        assert_eq!(record.status(), Status::Available);
    }
}
