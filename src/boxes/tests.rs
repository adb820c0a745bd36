//! Boxes and what comes into them, with a clock that the test moves.

mod counting;
mod owners;
mod passwords;
mod submitters;
mod times;

use std::time::Duration;

use super::*;
use crate::access::{Action, Caller, Person, Role};
use crate::clock::ManualClock;
use crate::domain::{
    AllowedTypes, BoxId, Declaration, FileEnding, FileState, Lifecycle, MAX_ENDINGS, ObjectKey,
    Status, Submitter, SubmitterName, Timestamp, Transition, UserId, from_millis,
};
use crate::item_store::memory::MemoryItemStore;
use crate::metadata_store::memory::MemoryMetadataStore;
use crate::metadata_store::{MetadataStore, PageRequest};
use crate::object_store::memory::MemoryObjectStore;
use crate::operations::{
    Context, FinalizeOutcome, OperationError, Stores, Whose, complete_upload, delete_file,
    describe_file, download_file, finalize_upload, list_files,
};
use crate::presigned_url::{BucketUrl, DownloadMethod, Presigner, SigningCredentials};

const UPLOAD_TTL: Duration = Duration::from_secs(900);
const HOUR: Duration = Duration::from_secs(3600);
const START: i64 = 1_790_000_000_000;

struct Fixture {
    stores: Stores,
    boxes: Boxes,
    presigner: Presigner,
    clock: ManualClock,
    objects: Arc<MemoryObjectStore>,
    metadata: Arc<MemoryMetadataStore>,
}

fn start() -> Timestamp {
    from_millis(START).unwrap()
}

fn person(name: &str) -> Caller {
    Caller::User(Arc::new(Person {
        id: UserId::of("https://id.example.org", name),
        role: Role::Member,
        name: Some(name.to_owned()),
    }))
}

fn by(caller: Caller) -> Context {
    let bucket = BucketUrl::path_style("http://localhost:8000", "bucket");
    Context::new(caller, None, bucket, String::new())
}

fn new_box() -> NewBox {
    NewBox {
        title: BoxTitle::given("Sheet 3").unwrap(),
        times: BoxTimes::default(),
        max_files: None,
        max_file_bytes: None,
        types: AllowedTypes::default(),
        submitter: SubmitterKind::Named,
        password: None,
        keep: Keep::Latest,
        overrides: Vec::new(),
    }
}

fn due_and_closed_in_an_hour_and_two() -> BoxTimes {
    BoxTimes {
        opens_at: None,
        due_at: Some(start() + HOUR),
        closes_at: Some(start() + 2 * HOUR),
    }
}

fn wanted(status: Option<Status>, limit: usize) -> WantedFiles {
    WantedFiles {
        status,
        before: None,
        limit,
    }
}

fn named(name: &str) -> Option<SubmitterName> {
    Some(SubmitterName::given(name).unwrap())
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::at(start());
        let objects = Arc::new(MemoryObjectStore::new(Arc::new(clock.clone()), true));
        let metadata = Arc::new(MemoryMetadataStore::default());
        let lifetime = Duration::from_secs(300);
        let credentials = SigningCredentials::fixed("local", "secret");
        Self {
            stores: Stores {
                metadata: metadata.clone(),
                objects: objects.clone(),
                clock: Arc::new(clock.clone()),
                lifecycle: Lifecycle::default(),
                events: crate::file_events::FileEvents::off(),
                quotas: crate::quotas::Quotas::off(),
                scans: crate::scanner::Scans::off(),
                metrics: crate::metrics::Metrics::off(),
            },
            boxes: Boxes::new(
                Arc::new(MemoryItemStore::default()),
                metadata.clone(),
                CapabilityKeys::of_secrets("a secret of a test that is long enough", []),
                Arc::default(),
                20 * 1024 * 1024,
            ),
            presigner: Presigner::new(credentials, "local".into(), UPLOAD_TTL, lifetime),
            clock,
            objects,
            metadata,
        }
    }

    fn at(&self, seconds: i64) {
        let at = start() + chrono::TimeDelta::seconds(seconds);
        let by = (at - self.stores.clock.now()).to_std();
        self.clock.advance(by.expect("a clock goes forward"));
    }

    async fn create(&self, owner: &Caller, new: NewBox) -> FileBox {
        let context = by(owner.clone());
        let created = create_box(&self.stores, &self.boxes, &context, new).await;
        created.unwrap()
    }

    async fn hand_in_as(
        &self,
        caller: Caller,
        file_box: &FileBox,
        file: Declaration,
        submitter: Option<SubmitterName>,
        key: Option<&str>,
    ) -> Result<HandedIn, OperationError> {
        let token = self.boxes.token(file_box);
        let new = NewHandIn {
            declared: file,
            submitter,
            password: None,
        };
        let key = key.map(|key| crate::domain::IdempotencyKey::parse(key).unwrap());
        let (stores, boxes, presigner) = (&self.stores, &self.boxes, &self.presigner);
        hand_in(
            stores,
            boxes,
            presigner,
            &by(caller),
            token.expose(),
            (new, key),
            |_| Ok(()),
        )
        .await
    }

    async fn hand_in(&self, file_box: &FileBox, name: &str) -> Result<HandedIn, OperationError> {
        let file = Declaration::sample();
        self.hand_in_as(Caller::Nobody, file_box, file, named(name), None)
            .await
    }

    /// What the client does with its URL, and the store then.
    async fn arrives(&self, handed_in: &HandedIn, bytes: &'static str) -> FinalizeOutcome {
        let key = ObjectKey::new(handed_in.created.record.id);
        self.objects.put(key, bytes, None);
        finalize_upload(&self.stores, key).await.unwrap()
    }

    async fn files(&self, owner: &Caller, id: BoxId) -> BoxFiles {
        let context = by(owner.clone());
        let action = Action::ListBoxFiles;
        let wanted = wanted(None, 100);
        list_box_files(&self.stores, &self.boxes, &context, action, id, wanted)
            .await
            .unwrap()
    }

    /// Who handed in what lies in the box, newest first, and whether it is late.
    async fn seen(&self, owner: &Caller, id: BoxId) -> Vec<(String, bool)> {
        let files = self.files(owner, id).await;
        let records = files.page.records.iter();
        records
            .map(|record| {
                let submitter = &record.hand_in.as_ref().unwrap().submitter;
                let late = match &record.state {
                    FileState::Available(object) => files
                        .file_box
                        .times_for(submitter)
                        .is_late(object.uploaded_at),
                    _ => false,
                };
                (submitter.shown(), late)
            })
            .collect()
    }

    async fn change(&self, owner: &Caller, id: BoxId, change: BoxChange) -> FileBox {
        let context = by(owner.clone());
        let changed = change_box(&self.stores, &self.boxes, &context, id, change).await;
        changed.unwrap()
    }
}

#[tokio::test]
async fn what_is_handed_in_lies_in_the_box_belongs_to_its_owner_and_has_the_life_of_any_file() {
    let it = Fixture::new();
    let (alice, bob) = (person("alice"), person("bob"));
    let file_box = it.create(&alice, new_box()).await;
    let handed_in = it.hand_in(&file_box, "Ada").await.unwrap();
    let id = handed_in.created.record.id;
    assert_eq!(handed_in.created.record.owner, alice.owner());
    assert_eq!(
        it.arrives(&handed_in, "hello").await,
        FinalizeOutcome::Available
    );
    assert_eq!(
        it.seen(&alice, file_box.id).await,
        [("Ada".to_owned(), false)]
    );
    // It is in no list of hers besides, and she may do with it what she may with any.
    let request = PageRequest {
        owner: None,
        status: None,
        before: None,
        limit: 10,
    };
    let own = list_files(&it.stores, &by(alice.clone()), Whose::Mine, request).await;
    assert!(own.unwrap().records.is_empty());
    let download = |caller: Caller| {
        let (stores, presigner) = (&it.stores, &it.presigner);
        async move { download_file(stores, presigner, &by(caller), id, DownloadMethod::Get).await }
    };
    assert!(download(alice.clone()).await.is_ok());
    assert!(matches!(
        download(bob).await,
        Err(OperationError::FileNotFound)
    ));
    delete_file(&it.stores, &by(alice.clone()), id)
        .await
        .unwrap();
    assert!(it.seen(&alice, file_box.id).await.is_empty());
}

#[tokio::test]
async fn the_same_name_twice_is_two_files_and_nothing_is_overwritten() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let first = it.hand_in(&file_box, "Ada").await.unwrap();
    let second = it.hand_in(&file_box, "Ada").await.unwrap();
    assert_ne!(first.created.record.id, second.created.record.id);
    assert_ne!(first.token.expose(), second.token.expose());
    for handed_in in [&first, &second] {
        it.arrives(handed_in, "hello").await;
    }
    let files = it.files(&alice, file_box.id).await;
    assert_eq!(files.page.records.len(), 2);
}

#[tokio::test]
async fn a_box_refuses_other_types_larger_files_and_more_than_it_may_hold() {
    let it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        types: AllowedTypes::new(vec![FileEnding::parse(".PDF").unwrap()]).unwrap(),
        max_file_bytes: Some(5),
        max_files: Some(2),
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    let hand_in = async |name: &str, size| {
        let file = Declaration::sample().named(name).of_length(size);
        it.hand_in_as(Caller::Nobody, &file_box, file, named("Ada"), None)
            .await
    };
    for name in ["a.txt", "pdf", "a.pdf.exe", "a"] {
        let refused = hand_in(name, 5).await;
        assert!(
            matches!(refused, Err(OperationError::TypeNotAllowed(_))),
            "{name}"
        );
    }
    let refused = hand_in("a.pdf", 6).await;
    assert!(matches!(refused, Err(OperationError::TooLargeForBox(5))));
    let first = hand_in("a.Pdf", 5).await.unwrap();
    hand_in("a.pdf", 0).await.unwrap();
    let refused = hand_in("a.pdf", 5).await;
    assert!(matches!(refused, Err(OperationError::BoxFull)));
    // Other bytes than were said are rejected, and somebody else has the place.
    assert_eq!(
        it.arrives(&first, "hello, world").await,
        FinalizeOutcome::Rejected
    );
    hand_in("a.pdf", 5).await.unwrap();
}

#[test]
fn the_largest_box_there_can_be_fits_into_an_item() {
    let name = |number: usize| {
        let text = format!("{number:03}{}", "\u{10FFFF}".repeat(97));
        SubmitterName::given(&text).or_else(|_| SubmitterName::given(&"\u{1F600}".repeat(97)))
    };
    let overrides = (0..MAX_OVERRIDES).map(|number| Override {
        submitter: name(number).unwrap(),
        due_at: Some(start()),
        closes_at: Some(start()),
    });
    let ending = |number: usize| FileEnding::parse(&format!("{number:016}")).unwrap();
    let file_box = FileBox {
        id: BoxId::from_bytes([0xff; 14]),
        generation: crate::capability_token::Generation::from_number(u16::MAX),
        owner: Some(UserId::of("i", "alice")),
        title: BoxTitle::given(&"\u{1F600}".repeat(MAX_TITLE_CHARACTERS)).unwrap(),
        times: due_and_closed_in_an_hour_and_two(),
        max_files: MAX_BOX_FILES,
        max_file_bytes: Some(20 * 1024 * 1024),
        types: AllowedTypes::new((0..MAX_ENDINGS).map(ending).collect()).unwrap(),
        submitter: SubmitterKind::SignedIn,
        password: Some(crate::passwords::PasswordHash::sample()),
        keep: Keep::All,
        overrides: overrides.collect(),
        created_at: start(),
        renewed_at: Some(start()),
        is_ended: true,
    };
    let item = stored::to_item(&file_box).unwrap();
    assert_eq!(stored::from_item(&item).unwrap(), file_box);
}

#[tokio::test]
async fn a_hand_in_that_never_comes_holds_its_place_for_a_day_at_the_most() {
    let it = Fixture::new();
    let file_box = it.create(&person("alice"), new_box()).await;
    let handed_in = it.hand_in(&file_box, "Ada").await.unwrap();
    let id = handed_in.created.record.id;
    let by_ada = by(Caller::Submitter(id));
    let renew = || renew_hand_in(&it.stores, &it.boxes, &it.presigner, &by_ada, id);
    it.at(24 * 3600 - 60);
    assert_eq!(renew().await.unwrap().expires_at, start() + 24 * HOUR);
    it.at(24 * 3600);
    assert!(matches!(renew().await, Err(OperationError::UploadSettled)));
}

#[tokio::test]
async fn hand_ins_whose_bytes_never_came_bury_no_others() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let arrived = it.hand_in(&file_box, "Ada").await.unwrap();
    it.arrives(&arrived, "hello").await;
    // IDs are in the order of time, to the millisecond.
    it.at(1);
    for _ in 0..30 {
        let troll = it.hand_in(&file_box, "troll").await.unwrap();
        let record = &troll.created.record;
        let expired = Transition::expired(record, start() + 24 * HOUR, start() + 24 * HOUR);
        let made = it.metadata.transition(record.id, &expired).await;
        made.unwrap();
    }
    let listed = |status, limit| {
        let (stores, boxes, context) = (&it.stores, &it.boxes, by(alice.clone()));
        async move {
            let (id, wanted) = (file_box.id, wanted(status, limit));
            let listing = list_box_files(stores, boxes, &context, Action::ListBoxFiles, id, wanted);
            let page = listing.await.unwrap().page;
            (page.records.len(), page.next.is_some())
        }
    };
    assert_eq!(listed(None, 10).await, (1, false));
    assert_eq!(listed(Some(Status::Available), 10).await, (1, false));
    assert_eq!(listed(Some(Status::Expired), 10).await, (10, true));
    // A page is bounded all the same, and says that more follows.
    assert_eq!(listed(None, 1).await, (0, true));
}
