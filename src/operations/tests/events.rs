//! What the program does to files by itself, as those see it whom they belong to, and who sees it at all.

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::owners::person;
use super::*;
use crate::access::Role;
use crate::domain::UserId;
use crate::file_events::{EVENT_LIFETIME, EventKind, FileEvents, KeptOf};
use crate::item_store::memory::MemoryItemStore;
use crate::object_store::intercepted::{Call, Intercepted, Interceptor};

/// As it is where events are kept.
fn kept() -> (OperationsFixture, CancellationToken) {
    let mut fixture = OperationsFixture::new();
    let items = Arc::new(MemoryItemStore::default());
    let clock = Arc::new(fixture.clock.clone());
    let (events, writer) = FileEvents::kept_in(items, KeptOf::AllFiles, clock);
    let stop = CancellationToken::new();
    tokio::spawn(writer.run(stop.clone()));
    fixture.stores.events = events;
    fixture.reconciler = Reconciler::new(fixture.stores.clone());
    fixture.context.caller = person("alice", Role::Member);
    (fixture, stop)
}

impl OperationsFixture {
    /// A file whose creation was noted, as the service does it.
    async fn create_noted(&self, delete_after: Option<Duration>) -> FileId {
        let new = NewFile {
            delete_after: delete_after.map(|after| self.clock.now() + after),
            ..NewFile::sample(Declaration::sample())
        };
        let (stores, context) = (&self.stores, &self.context);
        let created = create_file(stores, &self.presigner, context, new, None).await;
        let (id, kind) = (created.unwrap().record.id, EventKind::Created);
        let (events, now) = (&stores.events, self.clock.now());
        let owner = context.caller.owner();
        events.done_by(&context.caller, kind, id, owner, "r", now);
        id
    }

    async fn events(&self, id: FileId) -> Result<Vec<(String, String)>, OperationError> {
        // Until all that was noted is written.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let page = list_events(&self.stores, &self.context, id, None, 10).await?;
        assert!(page.are_kept && page.next.is_none());
        let events = page.events.into_iter();
        Ok(events
            .map(|it| (it.kind, it.by.caller.unwrap_or_default()))
            .collect())
    }
}

fn named(events: &[(&str, &str)]) -> Vec<(String, String)> {
    let named = events.iter();
    named
        .map(|(kind, by)| ((*kind).to_owned(), (*by).to_owned()))
        .collect()
}

#[tokio::test]
async fn the_end_of_an_upload_and_of_a_files_time_are_seen_as_what_the_program_did() {
    let (mut fixture, _stop) = kept();
    let alice = UserId::of("https://id.example.org", "alice").to_string();
    let created = ("file.created", alice.as_str());
    let short = Duration::from_secs(60);
    let (available, rejected, expired) = (
        fixture.create_noted(Some(short)).await,
        fixture.create_noted(None).await,
        fixture.create_noted(None).await,
    );
    fixture.put(available, HELLO);
    fixture.put(rejected, "hello and more");
    fixture.finalize(available).await;
    fixture.finalize(rejected).await;
    let seen = fixture.events(available).await.unwrap();
    assert_eq!(seen, named(&[("file.available", "system"), created]));
    let seen = fixture.events(rejected).await.unwrap();
    assert_eq!(seen, named(&[("file.rejected", "system"), created]));
    fixture.clock.advance(short);
    assert_eq!(fixture.reconcile().await.deleted, 1);
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    let seen = fixture.events(expired).await.unwrap();
    assert_eq!(seen, named(&[("file.expired", "system"), created]));
    // Its record is gone by now.
    let gone = fixture.stores.metadata.get(available).await.unwrap();
    assert_eq!(gone, None);
    let deleted = ("file.deleted", "system");
    let all = named(&[deleted, ("file.available", "system"), created]);
    assert_eq!(fixture.events(available).await.unwrap(), all);
}

#[tokio::test]
async fn what_happened_to_a_file_is_for_whom_it_belongs_to_and_for_administrators() {
    let (mut fixture, _stop) = kept();
    let id = fixture.create_noted(None).await;
    for gone in [false, true] {
        if gone {
            delete_file(&fixture.stores, &fixture.context, id)
                .await
                .unwrap();
            fixture.clock.advance(UPLOAD_TTL + GRACE);
            fixture.reconcile().await;
            assert_eq!(fixture.stores.metadata.get(id).await.unwrap(), None);
        }
        for (name, role, sees) in [
            ("alice", Role::Member, true),
            ("carol", Role::Admin, true),
            ("bob", Role::Member, false),
            ("bob", Role::Guest, false),
        ] {
            fixture.context.caller = person(name, role);
            match fixture.events(id).await {
                Ok(seen) => assert!(sees && seen.len() == 1, "{name} {seen:?}"),
                Err(OperationError::FileNotFound) => assert!(!sees, "{name}"),
                Err(error) => panic!("{error}"),
            }
        }
        fixture.context.caller = person("alice", Role::Member);
    }
    let never = FileId::new(fixture.clock.now());
    let refused = fixture.events(never).await;
    assert!(matches!(refused, Err(OperationError::FileNotFound)));
}

#[tokio::test]
async fn the_deletion_of_a_file_that_is_older_than_its_events_is_still_its_owners_to_see() {
    let (mut fixture, _stop) = kept();
    let id = fixture.create_noted(None).await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    fixture
        .clock
        .advance(EVENT_LIFETIME + Duration::from_secs(1));
    assert_eq!(fixture.events(id).await.unwrap(), []);
    let admin = person("carol", Role::Admin);
    let record = delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    let (events, now) = (&fixture.stores.events, fixture.clock.now());
    events.done_by(&admin, EventKind::Deleted, id, record.owner, "r", now);
    fixture.clock.advance(UPLOAD_TTL + GRACE);
    fixture.reconcile().await;
    assert_eq!(fixture.stores.metadata.get(id).await.unwrap(), None);
    let seen = fixture.events(id).await.unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].0, "file.deleted");
    fixture.context.caller = person("bob", Role::Member);
    let refused = fixture.events(id).await;
    assert!(matches!(refused, Err(OperationError::FileNotFound)));
}

#[tokio::test]
async fn where_no_events_are_kept_a_file_has_none_and_what_is_no_file_is_none() {
    let fixture = OperationsFixture::new();
    let id = fixture.create().await;
    let events = async |id| list_events(&fixture.stores, &fixture.context, id, None, 10).await;
    let page = events(id).await.unwrap();
    assert!(page.events.is_empty() && !page.are_kept);
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    assert!(matches!(
        events(id).await,
        Err(OperationError::FileNotFound)
    ));
}

/// A bucket in which no deletion comes to an end.
struct EndlessDeletions;

impl Interceptor for EndlessDeletions {
    async fn around<T: Send>(
        &self,
        call: Call,
        made: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if matches!(call, Call::DeleteAllVersions(_)) {
            std::future::pending::<()>().await;
        }
        made.await
    }
}

/// Has room, or none, and keeps what it is told.
#[derive(Default)]
pub(super) struct Deletions {
    pub(super) is_full: std::sync::atomic::AtomicBool,
    pub(super) told: std::sync::Mutex<Vec<(FileId, bool)>>,
}

impl DeletionLog for Deletions {
    fn reserve(&self) -> Result<(), StoreError> {
        match self.is_full.load(std::sync::atomic::Ordering::Relaxed) {
            true => Err(StoreError::unavailable("the audit log", "full")),
            false => Ok(()),
        }
    }

    fn record(&self, file: FileId, is_certain: bool) {
        self.told.lock().unwrap().push((file, is_certain));
    }
}

#[tokio::test]
async fn a_deletion_by_the_program_is_written_down_or_not_made() {
    let mut fixture = OperationsFixture::new();
    let log = Arc::new(Deletions::default());
    let reconciler = Reconciler::new(fixture.stores.clone());
    fixture.reconciler = reconciler.logging_to(Some(log.clone() as _));
    let short = Duration::from_secs(60);
    let id = fixture.create_noted(Some(short)).await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    fixture.clock.advance(short);
    log.is_full
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let report = fixture.reconcile().await;
    assert_eq!((report.deleted, report.failed), (0, 1));
    assert_eq!(fixture.status(id).await, Some(Status::Available));
    log.is_full
        .store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(fixture.reconcile().await.deleted, 1);
    assert_eq!(*log.told.lock().unwrap(), [(id, true)]);
    // What somebody else deletes isn't the program's.
    let id = fixture.create_noted(None).await;
    delete_file(&fixture.stores, &fixture.context, id)
        .await
        .unwrap();
    fixture.reconcile().await;
    assert_eq!(log.told.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_deletion_that_the_end_of_the_program_breaks_off_has_its_line() {
    let fixture = OperationsFixture::new();
    let log = Arc::new(Deletions::default());
    let short = Duration::from_secs(60);
    let id = fixture.create_noted(Some(short)).await;
    fixture.put(id, HELLO);
    fixture.finalize(id).await;
    fixture.clock.advance(short);
    let stores = Stores {
        objects: Arc::new(Intercepted {
            store: Arc::clone(&fixture.stores.objects),
            interceptor: EndlessDeletions,
        }),
        ..fixture.stores.clone()
    };
    let mut reconciler = Reconciler::new(stores).logging_to(Some(log.clone() as _));
    let round = reconciler.run_once(fixture.clock.now()).now_or_never();
    assert!(round.is_none(), "it came to an end");
    assert_eq!(*log.told.lock().unwrap(), [(id, false)]);
    let record = fixture.stores.metadata.get(id).await.unwrap().unwrap();
    assert_eq!(record.status(), Status::Deleted);
}

#[tokio::test]
async fn who_holds_a_file_is_for_those_alone_who_may_and_its_owner_sees_that_it_is_held() {
    let (mut fixture, _stop) = kept();
    let id = fixture.create_noted(None).await;
    let alice = UserId::of("https://id.example.org", "alice").to_string();
    let carol = UserId::of("https://id.example.org", "carol").to_string();
    for kind in [EventKind::Held, EventKind::Released, EventKind::Kept] {
        fixture.clock.advance(Duration::from_secs(1));
        let (events, now) = (&fixture.stores.events, fixture.clock.now());
        events.done_by(&person("carol", Role::Admin), kind, id, None, "r", now);
    }
    for (name, role, shown) in [
        ("alice", Role::Member, "operator"),
        ("carol", Role::Admin, carol.as_str()),
    ] {
        fixture.context.caller = person(name, role);
        let kinds = ["file.kept", "file.released", "file.held"];
        let mut wanted = named(&kinds.map(|kind| (kind, shown)));
        wanted.extend(named(&[("file.created", &alice)]));
        assert_eq!(fixture.events(id).await.unwrap(), wanted, "{name}");
    }
}
