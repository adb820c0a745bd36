//! What is told, how it is signed, and how it gets through: on the store in memory, with a real receiver.

mod clocks;

use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::{ManualClock, SkewedClock};
use crate::config::{WebhookSecret, WebhookSettings};
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

/// Answers what it is told to, and keeps what it got.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// The answers in turn; the last one goes on.
    async fn answering(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks?team=1", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (Arc::clone(&got), answers.to_vec());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut text = Vec::new();
                while !is_whole(&text) {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.unwrap();
                    assert!(read > 0, "a request breaks off");
                    text.extend_from_slice(&part[..read]);
                }
                let at = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(String::from_utf8(text).unwrap());
                    (kept.len() - 1).min(answers.len() - 1)
                };
                let _ = stream.write_all(answers[at].as_bytes()).await;
            }
        });
        Self { url, got }
    }

    fn settings(&self) -> WebhookSettings {
        WebhookSettings {
            url: crate::config::WebhookUrl::parse(&self.url).unwrap(),
            secrets: vec![WebhookSecret::parse(SECRET).unwrap()],
        }
    }

    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let lines = request.lines();
    let line = lines.take_while(|line| !line.is_empty());
    let mut of_name = line.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    of_name
        .next()
        .unwrap_or_else(|| panic!("no {name} in {request}"))
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

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

#[tokio::test]
async fn what_is_due_is_posted_with_its_signature_once_and_then_gone() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[TAKEN]).await;
    let record = fixture.pending().await;
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    let [message] = fixture.due().await.try_into().unwrap();
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    deliverer.send_due().await;
    let [request] = receiver.got().try_into().unwrap();
    assert!(
        request.starts_with("POST /hooks?team=1 HTTP/1.1\r\n"),
        "{request}"
    );
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, message.body);
    assert_eq!(header(&request, "content-type"), "application/json");
    assert_eq!(header(&request, "webhook-id"), message.id.as_str());
    let sent_at = header(&request, "webhook-timestamp");
    assert_eq!(sent_at, start().timestamp().to_string());
    let secrets = [WebhookSecret::parse(SECRET).unwrap()];
    let signature = sign(&secrets, message.id.as_str(), start().timestamp(), body);
    assert_eq!(header(&request, "webhook-signature"), signature);
    assert!(!request.contains("MfKQ9r8"), "the secret is sent");
    fixture.clock.advance(DAY);
    assert!(fixture.due().await.is_empty());
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_after_growing_pauses_for_a_day() {
    let redirect =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    for refusal in [
        BROKEN,
        redirect,
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "no HTTP",
    ] {
        let fixture = Fixture::counting();
        let receiver = Receiver::answering(&[refusal]).await;
        let record = fixture.pending().await;
        fixture
            .store
            .transition(record.id, &available())
            .await
            .unwrap();
        let deliverer = fixture.deliverer(&receiver).await;
        deliverer.send_due().await;
        deliverer.send_due().await;
        assert_eq!(receiver.got().len(), 1, "not before its pause is over");
        let mut minutes = 0;
        while minutes < 30 * 60 {
            minutes += 1;
            fixture.clock.advance(Duration::from_secs(60));
            deliverer.send_due().await;
        }
        let got = receiver.got();
        assert_eq!(got.len(), 13);
        let ids: std::collections::BTreeSet<_> =
            got.iter().map(|it| header(it, "webhook-id")).collect();
        assert_eq!(ids.len(), 1);
        assert!(got.iter().all(|it| it.starts_with("POST /hooks?team=1 ")));
        // Each try is one, also the last.
        let counted = fixture.stores.metrics.exposition();
        for (outcome, count) in [("taken", 0), ("not_taken", 12), ("given_up", 1)] {
            let line =
                format!("\nfile_share_webhook_tries_total{{outcome=\"{outcome}\"}} {count}\n");
            assert!(counted.contains(&line), "{line} isn't in\n{counted}");
        }
        fixture.clock.advance(DAY * 30);
        assert!(fixture.due().await.is_empty(), "it was given up");
    }
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_what_it_missed() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[BROKEN, BROKEN, TAKEN]).await;
    let record = fixture.pending().await;
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    let deliverer = fixture.deliverer(&receiver).await;
    for _ in 0..10 {
        deliverer.send_due().await;
        fixture.clock.advance(Duration::from_secs(60));
    }
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    let times: Vec<&str> = got
        .iter()
        .map(|it| header(it, "webhook-timestamp"))
        .collect();
    assert!(
        times[0] < times[1] && times[1] < times[2],
        "each try has its own time"
    );
}

#[tokio::test]
async fn a_receiver_that_says_410_is_not_told_that_again() {
    let fixture = Fixture::new();
    let gone = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(&[gone]).await;
    let record = fixture.pending().await;
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    fixture.clock.advance(DAY);
    assert!(fixture.due().await.is_empty());
    // The next is told all the same.
    let other = fixture.pending().await;
    fixture
        .store
        .transition(other.id, &available())
        .await
        .unwrap();
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_is_busy_says_for_how_long() {
    let fixture = Fixture::new();
    let busy = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1800\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(&[busy, TAKEN]).await;
    let record = fixture.pending().await;
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    fixture.clock.advance(Duration::from_secs(1799));
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    fixture.clock.advance(Duration::from_secs(1));
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn whatever_a_receiver_answers_is_not_read_beyond_its_head() {
    let fixture = Fixture::new();
    // A body that never ends.
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nxxxx";
    let receiver = Receiver::answering(&[endless]).await;
    let record = fixture.pending().await;
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    fixture.deliverer(&receiver).await.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    fixture.clock.advance(DAY);
    assert!(fixture.due().await.is_empty());
}

#[tokio::test]
async fn of_two_that_deliver_one_sends_and_what_one_leaves_behind_is_sent_by_the_other() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[TAKEN]).await;
    let record = fixture.pending().await;
    fixture
        .store
        .transition(record.id, &available())
        .await
        .unwrap();
    let [one, two] = [
        fixture.deliverer(&receiver).await,
        fixture.deliverer(&receiver).await,
    ];
    tokio::join!(one.send_due(), two.send_due());
    assert_eq!(receiver.got().len(), 1);

    let other = fixture.pending().await;
    fixture
        .store
        .transition(other.id, &available())
        .await
        .unwrap();
    let [message] = fixture.due().await.try_into().unwrap();
    // Somebody took it up, and died.
    let taken = message.due_at(start() + TimeDelta::seconds(60));
    assert!(
        fixture
            .memory
            .replace_message(&message, &taken)
            .await
            .unwrap()
    );
    two.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    fixture.clock.advance(Duration::from_secs(60));
    two.send_due().await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn where_nothing_is_told_the_store_is_the_store_itself_and_nobody_sends() {
    let memory = Arc::new(MemoryMetadataStore::default());
    let store = ToldStore::over(Arc::clone(&memory) as _, &Webhooks::default());
    let record = FileRecord::sample(start());
    store.insert(&record).await.unwrap();
    store.transition(record.id, &available()).await.unwrap();
    let outbox: &dyn Outbox = &*memory;
    assert!(
        outbox
            .due_messages(start() + DAY, 100)
            .await
            .unwrap()
            .is_empty()
    );
    let receiver = Receiver::answering(&[TAKEN]).await;
    let none = Deliverer::new(
        &Webhooks::default(),
        Some(&receiver.settings()),
        &Fixture::new().stores,
    )
    .unwrap();
    assert!(none.is_none());
}
