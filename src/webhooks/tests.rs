//! What is told, how it is signed, and how it gets through: on the store in memory, with a real receiver.

mod clocks;
mod delivering;
mod receiver;

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use self::receiver::{BROKEN, Receiver, TAKEN, header};
use super::*;
use crate::clock::{ManualClock, SkewedClock};
use crate::config::WebhookSecret;
use crate::domain::{
    BoxId, ContentLength, ContentType, Declaration, FileState, HandIn, Lifecycle, RejectionReason,
    Sha256Digest, StoredObject, Submitter, SubmitterName, Timestamp, Transition, from_millis,
};
use crate::metadata_store::memory::MemoryMetadataStore;
use crate::metadata_store::{MetadataStore, TransitionOutcome};
use crate::metrics::{Metrics, Role, ScannedWith, Watches};
use crate::object_store::memory::MemoryObjectStore;
use crate::operations::Stores;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn start() -> Timestamp {
    from_millis(1_790_000_000_000).unwrap()
}

struct Fixture {
    memory: Arc<MemoryMetadataStore>,
    store: Arc<dyn MetadataStore>,
    webhooks: Webhooks,
    /// The store's clock, which is right, and moves the other one.
    clock: ManualClock,
    /// The process's own.
    own_clock: SkewedClock,
    objects: Arc<MemoryObjectStore>,
    stores: Stores,
}

impl Fixture {
    fn new() -> Self {
        let memory = Arc::new(MemoryMetadataStore::default());
        let clock = ManualClock::at(start());
        let own_clock = SkewedClock::new(Arc::new(clock.clone()), 0);
        let webhooks = Webhooks::kept_in(Arc::clone(&memory) as _, Arc::new(own_clock.clone()));
        let store = ToldStore::over(Arc::clone(&memory) as _, &webhooks);
        let objects = Arc::new(MemoryObjectStore::new(Arc::new(clock.clone()), true));
        let stores = Stores {
            metadata: Arc::clone(&store),
            objects: Arc::clone(&objects) as _,
            clock: Arc::new(own_clock.clone()),
            lifecycle: Lifecycle {
                upload_grace: DAY,
                reconcile_after: DAY,
                retention: DAY,
                empty_retention: DAY,
                max_keep: None,
                min_keep: None,
            },
            events: crate::file_events::FileEvents::off(),
            quotas: crate::quotas::Quotas::off(),
            scans: crate::scanner::Scans::off(),
            metrics: crate::metrics::Metrics::off(),
        };
        Self {
            memory,
            store,
            webhooks,
            clock,
            own_clock,
            objects,
            stores,
        }
    }

    /// The same, which counts.
    fn counting() -> Self {
        let mut fixture = Self::new();
        fixture.stores.metrics = Metrics::on(Watches {
            role: Role::Worker,
            sweeps: false,
            scanner: ScannedWith::Nothing,
        });
        fixture
    }

    async fn pending(&self) -> FileRecord {
        let declared = Declaration::sample()
            .named("résumé final.pdf")
            .with_metadata(&[("course", "INF-1")]);
        let record = FileRecord::sample_of(start(), declared);
        self.store.insert(&record).await.unwrap();
        record
    }

    /// A file that has arrived, so that somebody is to be told.
    async fn file_arrives(&self) -> FileRecord {
        let record = self.pending().await;
        let settled = self.store.transition(record.id, &available()).await;
        assert_eq!(settled.unwrap(), TransitionOutcome::Applied);
        record
    }

    async fn due(&self) -> Vec<Message> {
        let outbox: &dyn Outbox = &*self.memory;
        outbox
            .due_messages(self.own_clock.now(), 100)
            .await
            .unwrap()
    }

    async fn told(&self) -> Vec<Value> {
        let due = self.due().await;
        let bodies = due.iter().map(|it| serde_json::from_str(&it.body).unwrap());
        bodies.collect()
    }

    async fn deliverer(&self, receiver: &Receiver) -> Deliverer {
        let settings = receiver.settings();
        Deliverer::new(&self.webhooks, Some(&settings), &self.stores)
            .unwrap()
            .unwrap()
    }
}

fn available() -> Transition {
    let object = StoredObject {
        sha256: Sha256Digest::from_bytes([7; 32]),
        version_id: None,
        uploaded_at: start(),
        detected_type: ContentType::parse("text/plain").ok(),
    };
    Transition::available(object, None)
}

fn rejected() -> Transition {
    let reason = RejectionReason::length_mismatch(ContentLength::new(5, 9).unwrap(), 6);
    Transition::rejected(reason, start() + DAY, start())
}

/// The example of the standard's own reference libraries.
#[test]
fn a_message_is_signed_as_the_standard_says() {
    let secrets = [WebhookSecret::parse(SECRET).unwrap()];
    let body = r#"{"test": 2432232314}"#;
    let signed = sign(
        &secrets,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        body,
    );
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let both = [secrets[0].clone(), secrets[0].clone()];
    let twice = sign(&both, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
    assert_eq!(twice, format!("{signed} {signed}"));
}

#[tokio::test]
async fn a_file_is_told_of_when_it_is_available_or_rejected_and_when_it_is_deleted() {
    for (transition, kind, status) in [
        (available(), "file.available", "available"),
        (rejected(), "file.rejected", "rejected"),
    ] {
        let fixture = Fixture::new();
        let record = fixture.pending().await;
        let outcome = fixture.store.transition(record.id, &transition).await;
        assert_eq!(outcome.unwrap(), TransitionOutcome::Applied);
        let told = fixture.told().await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["type"], kind);
        assert_eq!(told[0]["timestamp"], "2026-09-21T14:13:20.000Z");
        assert_eq!(told[0]["data"]["id"], record.id.to_string());
        assert_eq!(told[0]["data"]["status"], status);
        assert_eq!(told[0]["data"]["displayName"], "résumé final.pdf");
        assert_eq!(told[0]["data"]["metadata"], json!({"course": "INF-1"}));
        assert!(!told[0].to_string().contains("http"), "{}", told[0]);

        let end = start() + DAY;
        let deleting = fixture.store.delete(record.id, start(), end, DAY, start());
        assert!(deleting.await.unwrap());
        let again = fixture.store.delete(record.id, start(), end, DAY, start());
        assert!(!again.await.unwrap());
        let told = fixture.told().await;
        assert_eq!(told.len(), 2);
        let deleted = told.iter().find(|it| it["type"] == "file.deleted").unwrap();
        assert_eq!(deleted["data"]["status"], status);
    }
}

#[tokio::test]
async fn what_expires_is_not_told_and_what_is_not_made_neither() {
    let fixture = Fixture::new();
    let record = fixture.pending().await;
    let expired = Transition {
        to: FileState::Expired {
            purge_at: start() + DAY,
        },
        ..rejected()
    };
    fixture.store.transition(record.id, &expired).await.unwrap();
    let late = fixture.store.transition(record.id, &available()).await;
    assert_eq!(late.unwrap(), TransitionOutcome::Unchanged);
    let never = FileRecord::sample(start()).id;
    assert!(
        !fixture
            .store
            .delete(never, start(), start(), DAY, start())
            .await
            .unwrap()
    );
    assert!(fixture.due().await.is_empty());
}

#[tokio::test]
async fn a_hand_in_is_told_of_beside_its_file() {
    let fixture = Fixture::new();
    let in_box = BoxId::from_bytes([1; 14]);
    let record = FileRecord::sample(start()).handed_in(Some(HandIn {
        in_box: Some(in_box),
        submitter: Submitter::Named(SubmitterName::given("Ada").unwrap()),
    }));
    fixture.store.insert(&record).await.unwrap();
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    let told = fixture.told().await;
    let kinds: Vec<&Value> = told.iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["file.available", "box.submitted"]);
    let data = &told[1]["data"];
    assert_eq!(data["box"], in_box.to_string());
    assert_eq!(
        (&data["submitter"], &data["submitterId"]),
        (&json!("Ada"), &Value::Null)
    );
    assert_eq!(data["file"], told[0]["data"]);
}

#[tokio::test]
async fn a_download_by_a_link_is_one_message_however_often_it_is_kept() {
    let fixture = Fixture::new();
    let record = fixture.pending().await;
    for _ in 0..2 {
        let keeping = fixture
            .webhooks
            .link_downloaded("fe63", "0123abcd", &record);
        keeping.await.unwrap();
    }
    let told = fixture.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["type"], "link.downloaded");
    assert_eq!(told[0]["data"]["link"], "fe63");
    assert_eq!(told[0]["data"]["grant"], "0123abcd");
    assert_eq!(told[0]["data"]["file"]["id"], record.id.to_string());

    fixture.memory.set_fault(Some("away"));
    let refused = fixture.webhooks.link_downloaded("fe63", "ffff", &record);
    assert!(
        refused.await.is_err(),
        "what can't be told isn't handed out"
    );
    let nowhere = Webhooks::default();
    let nothing = nowhere.link_downloaded("fe63", "ffff", &record);
    nothing.await.unwrap();
}

#[tokio::test]
async fn the_longest_record_there_can_be_is_told() {
    let fixture = Fixture::new();
    let long = |c: &str, n: usize| c.repeat(n);
    let declared = Declaration::sample()
        .named(&format!("{}.pdf", long("\"", 251)))
        .of_type(&format!("text/plain; charset={}", long("x", 200)))
        .with_metadata(&[("a", &long("\u{1}", 1023))]);
    let record = FileRecord::sample_of(start(), declared);
    fixture.store.insert(&record).await.unwrap();
    let outcome = fixture.store.transition(record.id, &available()).await;
    assert_eq!(outcome.unwrap(), TransitionOutcome::Applied);
    assert_eq!(fixture.due().await.len(), 1);
}
