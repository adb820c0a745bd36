//! Where GuardDuty scans, a file is available by what the tag of the very version says that is measured, and by nothing
//! else.

use super::*;
use crate::config::Unscannable;
use crate::domain::{RejectionCode, VersionId};
use crate::scanner::Scans;
use crate::scanner::guardduty::TAG;

fn tagged(versioned: bool, unscannable: Unscannable) -> OperationsFixture {
    let mut fixture = OperationsFixture::with_versions(versioned);
    fixture.stores.scans = Scans::by_tags(unscannable);
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    fixture
}

impl OperationsFixture {
    /// The version that is there now.
    async fn version(&self, id: FileId) -> VersionId {
        let head = self.objects.head(ObjectKey::new(id)).await.unwrap();
        head.found().unwrap().version_id.unwrap()
    }

    async fn tag(&self, id: FileId, value: &str) {
        let version = self.version(id).await;
        let key = ObjectKey::new(id);
        self.objects.set_tag(key, &version, TAG, value);
    }

    async fn arrived(&self, sha256: Option<&str>) -> FileId {
        let id = self.create_declaring(5, sha256).await;
        let digest = sha256.map(|hex| Sha256Digest::parse_hex(hex).unwrap());
        self.objects.put(ObjectKey::new(id), HELLO, digest);
        id
    }

    async fn state(&self, id: FileId) -> FileState {
        self.metadata.get(id).await.unwrap().unwrap().state
    }

    async fn awaits_its_tag(&self, id: FileId) {
        assert_eq!(self.finalize(id).await, FinalizeOutcome::AwaitsScan);
        let record = self.metadata.get(id).await.unwrap().unwrap();
        assert_eq!(record.status(), Status::Pending);
        assert_eq!(record.stage(), Some("scanning"));
    }
}

#[tokio::test]
async fn a_file_is_settled_by_what_its_tag_says() {
    // Also one whose digest the store knows.
    for sha256 in [None, Some(HELLO_SHA256)] {
        let fixture = tagged(true, Unscannable::Reject);
        for (value, expected) in [
            ("NO_THREATS_FOUND", None),
            ("THREATS_FOUND", Some(RejectionCode::Infected)),
            ("UNSUPPORTED", Some(RejectionCode::Unscannable)),
        ] {
            let id = fixture.arrived(sha256).await;
            let version = fixture.version(id).await;
            fixture.tag(id, value).await;
            fixture.finalize(id).await;
            match (fixture.state(id).await, expected) {
                (FileState::Available(object), None) => {
                    assert_eq!(object.version_id, Some(version));
                    assert_eq!(object.sha256.to_hex(), HELLO_SHA256);
                    assert!(object.detected_type.is_some());
                }
                (FileState::Rejected { reason, .. }, Some(code)) => {
                    assert_eq!(reason.code, Some(code));
                    assert!(reason.detected_type.is_some());
                    let key = ObjectKey::new(id);
                    assert_eq!(fixture.objects.head(key).await.unwrap().found(), None);
                }
                (other, _) => panic!("{value}: {other:?}"),
            }
        }
    }
    let fixture = tagged(true, Unscannable::Allow);
    let id = fixture.arrived(None).await;
    fixture.tag(id, "UNSUPPORTED").await;
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
}

#[tokio::test]
async fn without_a_tag_that_is_known_a_file_waits_until_it_comes() {
    for sha256 in [None, Some(HELLO_SHA256)] {
        for value in [None, Some("FAILED"), Some("ACCESS_DENIED"), Some("CLEAN")] {
            let mut fixture = tagged(true, Unscannable::Allow);
            let id = fixture.arrived(sha256).await;
            if let Some(value) = value {
                fixture.tag(id, value).await;
            }
            fixture.awaits_its_tag(id).await;
            // Long after its uploads are over.
            for _ in 0..20 {
                fixture.clock.advance(Duration::from_secs(5 * 60));
                let report = fixture.reconcile().await;
                assert_eq!((report.reviewed, report.failed, report.expired), (1, 0, 0));
                assert_eq!(fixture.status(id).await, Some(Status::Pending), "{value:?}");
            }
            fixture.tag(id, "NO_THREATS_FOUND").await;
            fixture.clock.advance(Duration::from_secs(5 * 60));
            assert_eq!(fixture.reconcile().await.finalized, 1, "{value:?}");
            assert_eq!(fixture.status(id).await, Some(Status::Available));
        }
    }
}

#[tokio::test]
async fn a_hint_settles_what_was_tagged_meanwhile_though_it_is_not_due() {
    let mut fixture = tagged(true, Unscannable::Reject);
    let id = fixture.arrived(None).await;
    fixture.awaits_its_tag(id).await;
    // One that comes before the tag changes nothing.
    fixture.awaits_its_tag(id).await;
    assert_eq!(fixture.reconcile().await.reviewed, 0);
    fixture.tag(id, "THREATS_FOUND").await;
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Rejected);
    assert_eq!(fixture.objects.count(), 0);
}

#[tokio::test]
async fn the_tag_of_another_version_says_nothing() {
    let fixture = tagged(true, Unscannable::Reject);
    let id = fixture.arrived(None).await;
    fixture.tag(id, "NO_THREATS_FOUND").await;
    // A form is sent once more, before anybody looked.
    fixture.put(id, HELLO);
    fixture.awaits_its_tag(id).await;
    let second = fixture.version(id).await;
    fixture.tag(id, "NO_THREATS_FOUND").await;
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    let FileState::Available(object) = fixture.state(id).await else {
        panic!("it isn't available");
    };
    assert_eq!(object.version_id, Some(second));
}

#[tokio::test]
async fn without_versions_no_tag_is_believed_and_none_is_asked_for() {
    let mut fixture = tagged(false, Unscannable::Allow);
    let seen = fixture.seen();
    let id = fixture.arrived(None).await;
    fixture.awaits_its_tag(id).await;
    assert!(!seen.calls().contains(&"tag"));
    // An operator suspends versions: what came since has none either.
    let mut fixture = tagged(true, Unscannable::Allow);
    fixture.objects.suspend_versions();
    let id = fixture.arrived(None).await;
    assert_ne!(fixture.finalize(id).await, FinalizeOutcome::Available);
    for _ in 0..20 {
        fixture.clock.advance(Duration::from_secs(60 * 60));
        fixture.reconcile().await;
        assert_eq!(fixture.status(id).await, Some(Status::Pending));
    }
}

#[tokio::test]
async fn nothing_is_read_of_a_file_that_is_not_tagged() {
    let mut fixture = tagged(true, Unscannable::Reject);
    let seen = fixture.seen();
    let id = fixture.arrived(Some(HELLO_SHA256)).await;
    fixture.awaits_its_tag(id).await;
    assert_eq!(seen.calls()[..2], ["head", "tag"]);
    // The one read asks for the store's time.
    let reads = seen.calls().iter().filter(|it| it.contains("read")).count();
    assert!(reads <= 1, "{:?}", seen.calls());
    fixture.tag(id, "NO_THREATS_FOUND").await;
    assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
    assert!(seen.calls().contains(&"read_range"));
}
