//! Files that are available are scanned again, and withdrawn where something is found.

use super::*;
use crate::config::Unscannable;
use crate::domain::RejectionCode;
use crate::object_store::Lookup;
use crate::presigned_url::PresignedUrl;
use crate::scanner::Scans;
use crate::scanner::double::{Behaviour, DoubleScanner, TEST_VIRUS, UNSCANNABLE};
use crate::scanner::probes::eicar;
use tokio_util::sync::CancellationToken;

pub(super) const ALL: Rescan = Rescan {
    files: WhichFiles::All {
        after: None,
        since: None,
    },
    dry_run: false,
    withdraws_unscannable: false,
    limit: 10,
    log: None,
};

/// A service that scans from now on, and has taken files without.
pub(super) struct Rescanned {
    pub(super) fixture: OperationsFixture,
    pub(super) double: DoubleScanner,
}

impl Rescanned {
    pub(super) fn new(versioned: bool) -> Self {
        let fixture = OperationsFixture::with_versions(versioned);
        let double = DoubleScanner::default();
        Self { fixture, double }
    }

    /// A file that nobody scanned.
    pub(super) async fn takes(&self, bytes: &[u8]) -> FileId {
        let fixture = &self.fixture;
        let id = fixture.create_declaring(bytes.len() as u64, None).await;
        fixture
            .objects
            .put(ObjectKey::new(id), bytes.to_vec(), None);
        assert_eq!(fixture.finalize(id).await, FinalizeOutcome::Available);
        id
    }

    pub(super) async fn run(
        &self,
        rescan: &Rescan,
    ) -> (RescanReport, RescanEnd, Vec<RescanFinding>) {
        self.run_until(rescan, |_| false).await
    }

    /// The same, stopped behind what is found so.
    pub(super) async fn run_until(
        &self,
        rescan: &Rescan,
        is_last: impl Fn(&RescanFinding) -> bool + Send + Sync,
    ) -> (RescanReport, RescanEnd, Vec<RescanFinding>) {
        let double = Arc::new(self.double.clone());
        let stores = Stores {
            scans: Scans::by(double, Unscannable::Reject),
            ..self.fixture.stores.clone()
        };
        let stop = CancellationToken::new();
        let mut found = Vec::new();
        let told = |it| {
            if is_last(&it) {
                stop.cancel();
            }
            found.push(it);
        };
        let (report, end) = rescan.run(&stores, &stop, told).await;
        (report, end, found)
    }

    pub(super) async fn record(&self, id: FileId) -> FileRecord {
        self.fixture.metadata.get(id).await.unwrap().unwrap()
    }

    pub(super) async fn has_bytes(&self, id: FileId) -> bool {
        let head = self.fixture.objects.head(ObjectKey::new(id)).await.unwrap();
        matches!(head, Lookup::Found(_))
    }

    pub(super) async fn download(&self, id: FileId) -> Result<PresignedUrl, OperationError> {
        let OperationsFixture {
            stores,
            presigner,
            context,
            ..
        } = &self.fixture;
        download_file(stores, presigner, context, id, DownloadMethod::Get).await
    }
}

#[tokio::test]
async fn what_is_found_later_is_withdrawn_and_everything_else_stays() {
    let rescanned = Rescanned::new(true);
    let clean = rescanned.takes(b"hello").await;
    let virus = rescanned.takes(&eicar()).await;
    let closed = rescanned.takes(UNSCANNABLE).await;
    let FileState::Available(before) = rescanned.record(virus).await.state else {
        panic!("it isn't available");
    };
    // First it is only said.
    let dry = Rescan {
        dry_run: true,
        ..ALL
    };
    for (rescan, status) in [(dry, Status::Available), (ALL, Status::Withdrawn)] {
        let (report, end, found) = rescanned.run(&rescan).await;
        assert!(matches!(end, RescanEnd::Complete), "{end:?}");
        assert_eq!(
            (report.clean, report.withdrawn, report.unscannable),
            (1, 1, 1)
        );
        let named = found.iter().find_map(|finding| match finding {
            RescanFinding::Withdrawn(id, reason) => Some((*id, reason.text.clone())),
            _ => None,
        });
        let (id, reason) = named.unwrap();
        assert_eq!(id, virus);
        assert!(reason.contains(TEST_VIRUS), "{reason}");
        assert_eq!(rescanned.record(virus).await.status(), status);
        assert_eq!(
            rescanned.has_bytes(virus).await,
            status == Status::Available
        );
    }
    let FileState::Withdrawn { was, reason, .. } = rescanned.record(virus).await.state else {
        panic!("it isn't withdrawn");
    };
    assert_eq!(
        (was.sha256, was.uploaded_at),
        (before.sha256, before.uploaded_at)
    );
    assert_eq!(reason.code, Some(RejectionCode::Infected));
    let refused = rescanned.download(virus).await.unwrap_err();
    assert!(
        matches!(refused, OperationError::FileWithdrawn(_)),
        "{refused}"
    );
    for id in [clean, closed] {
        assert_eq!(rescanned.record(id).await.status(), Status::Available);
        assert!(rescanned.has_bytes(id).await && rescanned.download(id).await.is_ok());
    }
    // Again is no error, and finds nothing new.
    let (report, _, _) = rescanned.run(&ALL).await;
    assert_eq!((report.clean, report.withdrawn), (1, 0));
    // What can't be looked into goes only if that is said.
    let strict = Rescan {
        withdraws_unscannable: true,
        files: WhichFiles::These(vec![closed, clean, virus]),
        ..ALL
    };
    let (report, _, _) = rescanned.run(&strict).await;
    assert_eq!((report.clean, report.withdrawn, report.gone), (1, 1, 1));
    assert_eq!(rescanned.record(closed).await.status(), Status::Withdrawn);
}

#[tokio::test(start_paused = true)]
async fn a_scanner_that_is_away_or_not_believed_ends_it_and_nothing_changes() {
    for failure in [
        Behaviour::Away,
        Behaviour::GoneBeforeTheAnswer,
        Behaviour::CallsAllClean,
        Behaviour::CallsAllInfected,
        Behaviour::CallsArchivesInfected,
        Behaviour::LooksIntoNothing,
    ] {
        let rescanned = Rescanned::new(true);
        let virus = rescanned.takes(&eicar()).await;
        rescanned.double.behave(failure);
        let before = rescanned.record(virus).await;
        let (report, end, _) = rescanned.run(&ALL).await;
        assert!(matches!(end, RescanEnd::ScannerAway(id, _) if id == virus));
        assert_eq!(report, RescanReport::default(), "{failure:?}");
        assert_eq!(rescanned.record(virus).await, before);
        assert!(rescanned.has_bytes(virus).await);
    }
}

#[tokio::test]
async fn files_since_a_time_are_scanned_and_the_rest_from_where_it_ended() {
    let rescanned = Rescanned::new(true);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(rescanned.takes(&eicar()).await);
        rescanned.fixture.clock.advance(Duration::from_secs(60));
    }
    let all = |after, since| Rescan {
        files: WhichFiles::All { after, since },
        ..ALL
    };
    let newest = Some(ids[2].created_at());
    let (report, _, _) = rescanned.run(&all(None, newest)).await;
    assert_eq!((report.withdrawn, report.position), (1, Some(ids[2])));
    let behind_the_next = all(Some(ids[1]), None);
    assert_eq!(rescanned.run(&behind_the_next).await.0.withdrawn, 1);
    let statuses = [Status::Withdrawn, Status::Available, Status::Withdrawn];
    for (id, status) in ids.into_iter().zip(statuses) {
        assert_eq!(rescanned.record(id).await.status(), status);
    }
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_record_say_nothing_of_the_file() {
    let rescanned = Rescanned::new(false);
    let id = rescanned.takes(b"hello").await;
    // Somebody who may write to the bucket.
    let key = ObjectKey::new(id);
    rescanned.fixture.objects.put(key, eicar(), None);
    let (report, end, _) = rescanned.run(&ALL).await;
    assert!(matches!(end, RescanEnd::Complete));
    assert_eq!((report.damaged, report.withdrawn), (1, 0));
    assert_eq!(rescanned.record(id).await.status(), Status::Available);
}

/// The process ends between the write and the deletion.
pub(super) struct EndsBeforeTheDeletion;

impl Interceptor for EndsBeforeTheDeletion {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match call.name() {
            "delete_all_versions" => Err(StoreError::unavailable("the object store", "away")),
            _ => made.await,
        }
    }
}

#[tokio::test]
async fn the_bytes_of_a_withdrawn_file_are_deleted_by_the_reconciler_and_its_record_goes_in_time() {
    for versioned in [true, false] {
        let mut rescanned = Rescanned::new(versioned);
        let id = rescanned.takes(&eicar()).await;
        let objects = Arc::new(Intercepted {
            store: rescanned.fixture.objects.clone(),
            interceptor: EndsBeforeTheDeletion,
        });
        let whole = std::mem::replace(&mut rescanned.fixture.stores.objects, objects);
        assert_eq!(rescanned.run(&ALL).await.0.withdrawn, 1);
        rescanned.fixture.stores.objects = whole;
        assert!(rescanned.has_bytes(id).await);
        assert!(rescanned.download(id).await.is_err());
        rescanned.fixture.reconcile().await;
        // Without a version they keep others away that a download URL would bring, as long as some can come.
        assert_eq!(rescanned.has_bytes(id).await, !versioned);
        rescanned.fixture.clock.advance(UPLOAD_TTL + GRACE);
        rescanned.fixture.reconcile().await;
        assert!(!rescanned.has_bytes(id).await);
        assert_eq!(rescanned.record(id).await.status(), Status::Withdrawn);
        rescanned.fixture.clock.advance(RETENTION);
        rescanned.fixture.reconcile().await;
        assert_eq!(rescanned.fixture.metadata.get(id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn bytes_without_a_version_keep_others_away_from_a_download_url_as_long_as_some_can_come() {
    let mut rescanned = Rescanned::new(false);
    let id = rescanned.takes(&eicar()).await;
    assert_eq!(rescanned.run(&ALL).await.0.withdrawn, 1);
    assert!(rescanned.has_bytes(id).await);
    assert!(rescanned.download(id).await.is_err());
    rescanned.fixture.clock.advance(UPLOAD_TTL + GRACE);
    rescanned.fixture.reconcile().await;
    assert!(!rescanned.has_bytes(id).await);
}

#[tokio::test]
async fn a_withdrawn_file_can_be_deleted_and_bytes_that_come_for_it_go() {
    let rescanned = Rescanned::new(true);
    let fixture = &rescanned.fixture;
    let id = rescanned.takes(&eicar()).await;
    rescanned.run(&ALL).await;
    fixture.put(id, HELLO);
    assert_eq!(
        fixture.finalize(id).await,
        FinalizeOutcome::LateArrivalDeleted
    );
    assert!(!rescanned.has_bytes(id).await);
    let deleted = delete_file(&fixture.stores, &fixture.context, id).await;
    assert_eq!(deleted.unwrap().status(), Status::Withdrawn);
    assert_eq!(rescanned.record(id).await.status(), Status::Deleted);
    let (report, _, _) = rescanned
        .run(&Rescan {
            files: WhichFiles::These(vec![id]),
            ..ALL
        })
        .await;
    assert_eq!(report.gone, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_withdrawn_that_there_is_no_room_to_write_down() {
    let rescanned = Rescanned::new(true);
    let id = rescanned.takes(&eicar()).await;
    let log = Arc::new(super::events::Deletions::default());
    let rescan = Rescan {
        log: Some(log.clone() as _),
        ..ALL
    };
    let full = std::sync::atomic::Ordering::Relaxed;
    log.is_full.store(true, full);
    assert_eq!(rescanned.run(&rescan).await.0.unseen, 1);
    assert_eq!(rescanned.record(id).await.status(), Status::Available);
    log.is_full.store(false, full);
    assert_eq!(rescanned.run(&rescan).await.0.withdrawn, 1);
    assert_eq!(*log.told.lock().unwrap(), [(id, true)]);
}
