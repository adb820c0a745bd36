//! Where files are scanned for viruses, none is available unseen, and none is forgotten while the scanner is away.

use super::*;
use crate::config::{ScannedBy, ScannerSettings, Unscannable};
use crate::domain::RejectionCode;
use crate::object_store::ObjectReader;

use crate::item_store::memory::MemoryItemStore;
use crate::scanner::double::{Behaviour, DoubleScanner, TEST_VIRUS, UNSCANNABLE};
use crate::scanner::probes::eicar;
use crate::scanner::{ScanMark, Scans, Verdict};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

const EVERY_FAILURE: [Behaviour; 5] = [
    Behaviour::Away,
    Behaviour::GoneBeforeTheAnswer,
    Behaviour::Hangs,
    // One that passes the test files isn't believed.
    Behaviour::CallsAllClean,
    Behaviour::LooksIntoNothing,
];

fn scanned(versioned: bool, unscannable: Unscannable) -> (OperationsFixture, DoubleScanner) {
    let mut fixture = OperationsFixture::with_versions(versioned);
    let double = DoubleScanner::default();
    fixture.stores.scans = Scans::by(Arc::new(double.clone()), unscannable);
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    (fixture, double)
}

impl OperationsFixture {
    async fn upload(&self, bytes: &[u8]) -> FileId {
        let id = self.create_declaring(bytes.len() as u64, None).await;
        self.objects.put(ObjectKey::new(id), bytes.to_vec(), None);
        id
    }

    async fn record(&self, id: FileId) -> FileRecord {
        self.metadata.get(id).await.unwrap().unwrap()
    }

    async fn rejection(&self, id: FileId) -> crate::domain::RejectionReason {
        match self.record(id).await.state {
            FileState::Rejected { reason, .. } => reason,
            other => panic!("it isn't rejected: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_clean_is_available_and_what_is_not_is_rejected_with_what_was_found() {
    for versioned in [true, false] {
        let (fixture, double) = scanned(versioned, Unscannable::Reject);
        let clean = fixture.upload(b"hello").await;
        assert_eq!(fixture.finalize(clean).await, FinalizeOutcome::Available);
        let FileState::Available(object) = fixture.record(clean).await.state else {
            panic!("it isn't available");
        };
        assert_eq!(double.said(&object.sha256), Some(Verdict::Clean));

        let virus = fixture.upload(&eicar()).await;
        assert_eq!(fixture.finalize(virus).await, FinalizeOutcome::Rejected);
        let reason = fixture.rejection(virus).await;
        assert_eq!(reason.code, Some(RejectionCode::Infected));
        assert!(reason.text.contains(TEST_VIRUS), "{}", reason.text);
        assert!(reason.detected_type.is_some());
        assert_eq!(fixture.objects.count(), 1);
    }
}

#[tokio::test]
async fn what_can_not_be_looked_into_is_rejected_unless_it_is_allowed() {
    for (unscannable, expected) in [
        (Unscannable::Reject, FinalizeOutcome::Rejected),
        (Unscannable::Allow, FinalizeOutcome::Available),
    ] {
        let (fixture, _) = scanned(true, unscannable);
        let id = fixture.upload(UNSCANNABLE).await;
        assert_eq!(fixture.finalize(id).await, expected);
        if expected == FinalizeOutcome::Rejected {
            let reason = fixture.rejection(id).await;
            assert_eq!(reason.code, Some(RejectionCode::Unscannable));
        }
        // What is allowed is a file that the scanner can't open, not one in which it found something.
        let virus = fixture.upload(&eicar()).await;
        assert_eq!(fixture.finalize(virus).await, FinalizeOutcome::Rejected);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_scanner_fails_a_file_stays_pending_and_is_settled_when_it_is_back() {
    for failure in EVERY_FAILURE {
        for (bytes, settled) in [
            (b"hello".to_vec(), Status::Available),
            (eicar(), Status::Rejected),
        ] {
            let (mut fixture, double) = scanned(true, Unscannable::Reject);
            double.behave(failure);
            let id = fixture.upload(&bytes).await;
            assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AwaitsScan);
            assert_eq!(fixture.record(id).await.stage(), Some("scanning"));
            // Long after its uploads are over, and as often as the reconciler comes by.
            for _ in 0..20 {
                fixture.clock.advance(Duration::from_secs(5 * 60));
                tokio::time::advance(Duration::from_secs(60)).await;
                let report = fixture.reconcile().await;
                assert_eq!((report.reviewed, report.failed, report.expired), (1, 0, 0));
                let record = fixture.record(id).await;
                assert_eq!(record.status(), Status::Pending, "{failure:?}");
                assert_eq!(record.stage(), Some("scanning"));
            }
            double.behave(Behaviour::Right);
            fixture.clock.advance(Duration::from_secs(5 * 60));
            tokio::time::advance(Duration::from_secs(60)).await;
            assert_eq!(fixture.reconcile().await.finalized, 1);
            assert_eq!(fixture.status(id).await, Some(settled), "{failure:?}");
            assert_eq!(fixture.record(id).await.stage(), None);
        }
    }
}

/// In the middle of a file, after it was believed.
#[tokio::test(start_paused = true)]
async fn a_file_is_not_available_by_a_scan_that_broke_off() {
    for failure in [Behaviour::Away, Behaviour::GoneBeforeTheAnswer] {
        for bytes in [b"hello".to_vec(), eicar()] {
            let (mut fixture, double) = scanned(true, Unscannable::Reject);
            let before = fixture.upload(b"before").await;
            assert_eq!(fixture.finalize(before).await, FinalizeOutcome::Available);
            let id = fixture.upload(&bytes).await;
            let breaks_off = BreaksOff {
                double: double.clone(),
                failure,
            };
            let objects = Arc::new(Intercepted {
                store: fixture.objects.clone(),
                interceptor: breaks_off,
            });
            let stores = Stores {
                objects,
                ..fixture.stores.clone()
            };
            let outcome = finalize_upload(&stores, ObjectKey::new(id)).await.unwrap();
            assert_eq!(outcome, FinalizeOutcome::AwaitsScan);
            let record = fixture.record(id).await;
            assert_eq!(
                (record.status(), record.stage()),
                (Status::Pending, Some("scanning"))
            );
            double.behave(Behaviour::Right);
            fixture.clock.advance(Duration::from_secs(60));
            tokio::time::advance(Duration::from_secs(60)).await;
            assert_eq!(fixture.reconcile().await.finalized, 1);
        }
    }
}

/// Has the scanner fail from the first byte of an object on that is read.
#[derive(Clone)]
struct BreaksOff {
    double: DoubleScanner,
    failure: Behaviour,
}

impl Interceptor for BreaksOff {
    async fn around<T: Send>(
        &self,
        _: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        made.await
    }

    fn reader(&self, reader: ObjectReader) -> ObjectReader {
        let breaks_off = self.clone();
        let body = reader.body.inspect(move |_| {
            breaks_off.double.behave(breaks_off.failure);
        });
        ObjectReader {
            body: Box::pin(body),
            ..reader
        }
    }
}

#[tokio::test(start_paused = true)]
async fn between_two_tries_a_file_is_not_due() {
    let (mut fixture, double) = scanned(true, Unscannable::Reject);
    double.behave(Behaviour::Away);
    let id = fixture.upload(b"hello").await;
    fixture.finalize(id).await;
    assert_eq!(fixture.reconcile().await.reviewed, 0);
    let mut tries = 0;
    for _ in 0..3600 {
        fixture.clock.advance(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        tries += fixture.reconcile().await.reviewed;
    }
    // Within an hour: at growing gaps, of five minutes at the most.
    assert!((12..45).contains(&tries), "{tries}");
}

#[tokio::test]
async fn a_file_that_waits_for_the_scanner_is_deleted_by_its_owner_like_any() {
    let (fixture, double) = scanned(true, Unscannable::Reject);
    double.behave(Behaviour::Away);
    let id = fixture.upload(b"hello").await;
    fixture.finalize(id).await;
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert_eq!(fixture.status(id).await, None);
    double.behave(Behaviour::Right);
    assert_eq!(
        fixture.finalize(id).await,
        FinalizeOutcome::LateArrivalDeleted
    );
    assert_eq!(fixture.objects.count(), 0);
}

#[tokio::test]
async fn a_digest_that_the_store_knows_spares_no_scan_and_only_where_none_is_made_the_read() {
    for is_on in [true, false] {
        let (mut fixture, double) = scanned(true, Unscannable::Reject);
        let seen = fixture.seen();
        if !is_on {
            fixture.stores.scans = Scans::off();
        }
        let virus = eicar();
        let digest =
            Sha256Digest::from_bytes(<sha2::Sha256 as sha2::Digest>::digest(&virus).into());
        let id = fixture
            .create_declaring(virus.len() as u64, Some(&digest.to_hex()))
            .await;
        fixture.objects.put(ObjectKey::new(id), virus, Some(digest));
        let outcome = fixture.finalize(id).await;
        let expected = match is_on {
            true => FinalizeOutcome::Rejected,
            false => FinalizeOutcome::Available,
        };
        assert_eq!(outcome, expected);
        let calls = seen.calls();
        let reads = |name| calls.iter().filter(|it| **it == name).count();
        assert_eq!(reads("read"), usize::from(is_on));
        assert_eq!(reads("read_range"), usize::from(!is_on));
        assert_eq!(double.begun() > 0, is_on);
    }
}

#[tokio::test]
async fn while_the_scanner_is_away_nothing_is_read_for_it() {
    let (mut fixture, double) = scanned(true, Unscannable::Reject);
    double.behave(Behaviour::Away);
    let seen = fixture.seen();
    let id = fixture.create_declaring(5, Some(HELLO_SHA256)).await;
    fixture.put(id, HELLO);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AwaitsScan);
    // The second asks the store for its time.
    assert_eq!(seen.calls(), ["head", "read"]);
}

#[tokio::test]
async fn other_bytes_than_were_declared_are_rejected_though_the_scanner_calls_them_clean() {
    let (fixture, _) = scanned(true, Unscannable::Reject);
    let id = fixture.create_declaring(5, Some(HELLO_SHA256)).await;
    fixture.put(id, "HELLO");
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Rejected);
    let reason = fixture.rejection(id).await;
    assert_eq!(reason.code, Some(RejectionCode::Sha256Mismatch));
}

#[tokio::test]
async fn where_another_program_scans_a_completion_leaves_the_file_to_it() {
    let (mut fixture, _) = scanned(true, Unscannable::Reject);
    let settings = ScannerSettings {
        by: ScannedBy::Clamd(crate::config::ClamdAddress::Unix("/nowhere".into())),
        ..Default::default()
    };
    fixture.stores.scans = Scans::elsewhere(&settings);
    let id = fixture.upload(b"hello").await;
    let before = fixture.record(id).await;
    let record = complete_upload(&fixture.stores, &fixture.context, id).await;
    assert_eq!(record.unwrap(), before);
    // Nor does a hint that came here by mistake.
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AwaitsScan);
    assert_eq!(fixture.record(id).await, before);
}

/// Programs of one table: one that scans, and others that weren't told so.
struct HalfConfigured {
    fixture: OperationsFixture,
    items: Arc<MemoryItemStore>,
}

impl HalfConfigured {
    /// The program under test has these scans.
    fn with(scans: Scans) -> Self {
        let mut fixture = OperationsFixture::with_versions(true);
        let items = Arc::<MemoryItemStore>::default();
        fixture.stores.scans = scans.with_mark(mark_in(&fixture, &items));
        fixture.reconciler = Reconciler::new(fixture.stores.clone());
        Self { fixture, items }
    }

    /// The one that scans, as it starts.
    fn scanner(&self) -> Scans {
        let double = DoubleScanner::default();
        let scans = Scans::by(Arc::new(double), Unscannable::Reject);
        scans.with_mark(mark_in(&self.fixture, &self.items))
    }

    async fn scanner_starts(&self) {
        starts(&self.scanner()).await;
    }
}

/// It starts, and is stopped at once.
async fn starts(scanner: &Scans) {
    let stop = CancellationToken::new();
    stop.cancel();
    scanner.keep_mark(stop).await;
}

fn mark_in(fixture: &OperationsFixture, items: &Arc<MemoryItemStore>) -> Arc<ScanMark> {
    let clock = Arc::clone(&fixture.stores.clock);
    Arc::new(ScanMark::new(Arc::clone(items) as _, clock))
}

fn that_says_nothing(finalizes: bool) -> Scans {
    let settings = ScannerSettings::default();
    match finalizes {
        true => Scans::new(&settings),
        false => Scans::elsewhere(&settings),
    }
}

#[tokio::test]
async fn beside_a_program_that_scans_none_calls_a_file_available_whatever_it_was_told() {
    let off = ScannerSettings {
        by: ScannedBy::Nothing,
        ..Default::default()
    };
    for (scans, is_marked) in [
        (that_says_nothing(false), false),
        (that_says_nothing(true), true),
        (Scans::elsewhere(&off), false),
        (Scans::new(&off), true),
    ] {
        let half = HalfConfigured::with(scans);
        let fixture = &half.fixture;
        let before = fixture.upload(b"hello").await;
        assert_eq!(fixture.finalize(before).await, FinalizeOutcome::Available);
        half.scanner_starts().await;
        // Also what the store has compared itself.
        let compared = fixture.create_declaring(5, Some(HELLO_SHA256)).await;
        fixture.put(compared, HELLO);
        for id in [fixture.upload(b"hello").await, compared] {
            assert_eq!(fixture.finalize(id).await, FinalizeOutcome::AwaitsScan);
            let record = complete_upload(&fixture.stores, &fixture.context, id).await;
            let record = record.unwrap();
            assert_eq!(record.status(), Status::Pending);
            // One that takes hints from others leaves it where whoever scans finds it.
            let stage = is_marked.then_some("scanning");
            assert_eq!(record.stage(), stage);
        }
    }
}

/// Somebody begins to scan while an object is asked for.
struct StartsMeanwhile(Scans);

impl Interceptor for StartsMeanwhile {
    async fn around<T: Send>(
        &self,
        _: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let made = made.await;
        starts(&self.0).await;
        made
    }
}

#[tokio::test]
async fn a_file_that_is_measured_while_the_scanner_starts_waits_for_it() {
    let half = HalfConfigured::with(that_says_nothing(false));
    let id = half.fixture.upload(b"hello").await;
    let objects = Arc::new(Intercepted {
        store: half.fixture.objects.clone(),
        interceptor: StartsMeanwhile(half.scanner()),
    });
    let stores = Stores {
        objects,
        ..half.fixture.stores.clone()
    };
    let outcome = finalize_upload(&stores, ObjectKey::new(id)).await.unwrap();
    assert_eq!(outcome, FinalizeOutcome::AwaitsScan);
}

#[tokio::test]
async fn while_nobody_can_say_whether_files_are_scanned_none_is_available() {
    let half = HalfConfigured::with(that_says_nothing(false));
    let fixture = &half.fixture;
    let id = fixture.upload(b"hello").await;
    half.items.set_fault(Some("it is away"));
    assert!(
        finalize_upload(&fixture.stores, ObjectKey::new(id))
            .await
            .is_err()
    );
    assert_eq!(fixture.status(id).await, Some(Status::Pending));
    half.items.set_fault(None);
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
}
