//! Boxes and what comes into them, with a clock that the test moves.

mod counting;
mod passwords;

use std::time::Duration;

use super::*;
use crate::access::{Action, Caller, Person, Role};
use crate::clock::ManualClock;
use crate::domain::{
    BoxId, Declaration, FileState, Lifecycle, ObjectKey, Status, Submitter, SubmitterName,
    Timestamp, Transition, UserId, from_millis,
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
        types: Vec::new(),
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
async fn a_box_takes_files_from_the_moment_it_opens_until_the_moment_it_closes() {
    let it = Fixture::new();
    let times = BoxTimes {
        opens_at: Some(start() + HOUR),
        due_at: None,
        closes_at: Some(start() + 2 * HOUR),
    };
    let file_box = it
        .create(&person("alice"), NewBox { times, ..new_box() })
        .await;
    for (seconds, is_open) in [
        (3599, false),
        (3600, true),
        (7199, true),
        (7200, false),
        (7201, false),
    ] {
        it.at(seconds);
        let handed_in = it.hand_in(&file_box, "Ada").await;
        match handed_in {
            Ok(_) => assert!(is_open, "{seconds}"),
            Err(OperationError::BoxClosed {
                opens_at,
                closes_at,
            }) => {
                assert!(!is_open, "{seconds}");
                assert_eq!((opens_at, closes_at), (times.opens_at, times.closes_at));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_url_ends_with_its_box_and_what_began_before_counts() {
    let it = Fixture::new();
    let alice = person("alice");
    let times = due_and_closed_in_an_hour_and_two();
    let file_box = it.create(&alice, NewBox { times, ..new_box() }).await;
    let expiry = |handed_in: &HandedIn| handed_in.created.upload.as_ref().unwrap().expires_at;
    let early = it.hand_in(&file_box, "Ada").await.unwrap();
    assert_eq!(expiry(&early), start() + UPLOAD_TTL);
    it.at(7200 - 60);
    let late = it.hand_in(&file_box, "Bob").await.unwrap();
    assert_eq!(expiry(&late), times.closes_at.unwrap());
    assert_eq!(
        late.created.record.upload_expires_at,
        times.closes_at.unwrap()
    );
    // A fresh one ends then too, and after that there is none.
    let by_bob = by(Caller::Submitter(late.created.record.id));
    let id = late.created.record.id;
    let renew = || renew_hand_in(&it.stores, &it.boxes, &it.presigner, &by_bob, id);
    assert_eq!(renew().await.unwrap().expires_at, times.closes_at.unwrap());
    it.at(7200);
    assert!(matches!(
        renew().await,
        Err(OperationError::BoxClosed { .. })
    ));
    // Bytes that the store took: they began before.
    it.at(7230);
    assert_eq!(it.arrives(&late, "hello").await, FinalizeOutcome::Available);
    assert_eq!(
        it.seen(&alice, file_box.id).await[0],
        ("Bob".to_owned(), true)
    );
}

#[tokio::test]
async fn a_file_is_late_from_the_first_moment_after_it_was_due_by_the_time_of_the_store() {
    let it = Fixture::new();
    let alice = person("alice");
    let times = due_and_closed_in_an_hour_and_two();
    let file_box = it.create(&alice, NewBox { times, ..new_box() }).await;
    it.at(3590);
    let mut handed_in = Vec::new();
    for name in ["before", "at", "after"] {
        handed_in.push(it.hand_in(&file_box, name).await.unwrap());
    }
    for (handed_in, seconds) in handed_in.iter().zip([3599, 3600, 3601]) {
        it.at(seconds);
        it.arrives(handed_in, "hello").await;
    }
    let mut seen = it.seen(&alice, file_box.id).await;
    seen.sort();
    let expected = [("after", true), ("at", false), ("before", false)];
    assert_eq!(seen, expected.map(|(name, late)| (name.to_owned(), late)));
    // Her lecturer extends: nobody is late any more.
    let change = BoxChange {
        due_at: Some(Some(start() + 2 * HOUR)),
        ..BoxChange::default()
    };
    it.change(&alice, file_box.id, change).await;
    assert!(
        it.seen(&alice, file_box.id)
            .await
            .iter()
            .all(|(_, late)| !late)
    );
}

#[tokio::test]
async fn an_override_holds_for_its_submitter_alone() {
    let it = Fixture::new();
    let alice = person("alice");
    let times = due_and_closed_in_an_hour_and_two();
    let overrides = vec![Override {
        submitter: named("Ada Lovelace").unwrap(),
        due_at: Some(start() + 3 * HOUR),
        closes_at: Some(start() + 4 * HOUR),
    }];
    let new = NewBox {
        times,
        overrides,
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    it.at(2 * 3600 + 10);
    let refused = it.hand_in(&file_box, "Bob").await;
    assert!(matches!(refused, Err(OperationError::BoxClosed { .. })));
    let taken = it.hand_in(&file_box, " ada  LOVELACE").await.unwrap();
    it.arrives(&taken, "hello").await;
    assert!(!it.seen(&alice, file_box.id).await[0].1);
    it.at(3 * 3600 + 1);
    let late = it.hand_in(&file_box, "Ada Lovelace").await.unwrap();
    it.arrives(&late, "hello").await;
    assert!(it.seen(&alice, file_box.id).await[0].1);
    it.at(4 * 3600);
    let closed = it.hand_in(&file_box, "Ada Lovelace").await;
    assert!(matches!(closed, Err(OperationError::BoxClosed { .. })));
}

#[tokio::test]
async fn a_box_refuses_other_types_larger_files_and_more_than_it_may_hold() {
    let it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        types: vec![FileEnding::parse(".PDF").unwrap()],
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

#[tokio::test]
async fn a_request_that_comes_again_gets_its_file_and_anybody_elses_key_is_another() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let other_box = it.create(&alice, new_box()).await;
    let keyed = async |file_box: &FileBox, name: &str, size| {
        let file = Declaration::sample().of_length(size);
        it.hand_in_as(Caller::Nobody, file_box, file, named(name), Some("1"))
            .await
    };
    let first = keyed(&file_box, "Ada", 5).await.unwrap();
    let again = keyed(&file_box, "Ada", 5).await.unwrap();
    assert_eq!(again.created.record.id, first.created.record.id);
    assert_eq!(again.token.expose(), first.token.expose());
    assert!(again.created.upload.is_some());
    let reused = keyed(&file_box, "Ada", 6).await;
    assert!(matches!(reused, Err(OperationError::IdempotencyKeyReused)));
    for (file_box, name) in [(&file_box, "Bob"), (&other_box, "Ada")] {
        let other = keyed(file_box, name, 5).await.unwrap();
        assert_ne!(other.created.record.id, first.created.record.id);
    }
    it.arrives(&first, "hello").await;
    assert!(
        keyed(&file_box, "Ada", 5)
            .await
            .unwrap()
            .created
            .upload
            .is_none()
    );
    delete_file(&it.stores, &by(alice), first.created.record.id)
        .await
        .unwrap();
    let gone = keyed(&file_box, "Ada", 5).await;
    assert!(matches!(gone, Err(OperationError::FileOfKeyDeleted)));
}

#[tokio::test]
async fn whoever_handed_in_follows_that_file_and_nothing_else() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let own = it
        .hand_in(&file_box, "Ada")
        .await
        .unwrap()
        .created
        .record
        .id;
    let other = it
        .hand_in(&file_box, "Bob")
        .await
        .unwrap()
        .created
        .record
        .id;
    let ada = by(Caller::Submitter(own));
    assert!(describe_file(&it.stores, &ada, own).await.is_ok());
    assert!(complete_upload(&it.stores, &ada, own).await.is_ok());
    let renewed = renew_hand_in(&it.stores, &it.boxes, &it.presigner, &ada, own).await;
    assert!(renewed.is_ok());
    let hidden = describe_file(&it.stores, &ada, other).await;
    assert!(matches!(hidden, Err(OperationError::FileNotFound)));
    let download = download_file(&it.stores, &it.presigner, &ada, own, DownloadMethod::Get).await;
    assert!(matches!(download, Err(OperationError::FileNotFound)));
    let delete = delete_file(&it.stores, &ada, own).await;
    assert!(matches!(delete, Err(OperationError::FileNotFound)));
    let listed = list_box_files(
        &it.stores,
        &it.boxes,
        &ada,
        Action::ListBoxFiles,
        file_box.id,
        wanted(None, 10),
    );
    assert!(listed.await.is_err());
}

#[tokio::test]
async fn a_box_for_people_who_signed_in_takes_their_name_from_the_sign_in() {
    let it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        submitter: SubmitterKind::SignedIn,
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    let hand_in = async |caller: Caller, name: Option<SubmitterName>| {
        it.hand_in_as(caller, &file_box, Declaration::sample(), name, None)
            .await
    };
    let nobody = hand_in(Caller::Nobody, named("bob")).await;
    assert!(matches!(nobody, Err(OperationError::SignInRequired)));
    let typed = hand_in(person("bob"), named("alice")).await;
    assert!(matches!(
        typed,
        Err(OperationError::BoxField("submitter", _))
    ));
    let bob = hand_in(person("bob"), None).await.unwrap();
    let hand_in_of_bob = bob.created.record.hand_in.unwrap();
    assert_eq!(hand_in_of_bob.submitter.user(), person("bob").owner());
    assert_eq!(hand_in_of_bob.submitter.shown(), "bob");
    // In a box for names that are typed, who signed in doesn't count.
    let named_box = it.create(&alice, new_box()).await;
    let file = Declaration::sample();
    let missing = it.hand_in_as(person("bob"), &named_box, file.clone(), None, None);
    let missing = missing.await;
    assert!(matches!(
        missing,
        Err(OperationError::BoxField("submitter", _))
    ));
    let as_ada = it.hand_in_as(person("bob"), &named_box, file, named("Ada"), None);
    let as_ada = as_ada.await.unwrap().created.record.hand_in.unwrap();
    assert!(matches!(as_ada.submitter, Submitter::Named(_)));
}

#[tokio::test]
async fn a_box_is_its_owners_and_the_same_as_none_for_everybody_else() {
    let it = Fixture::new();
    let (alice, bob) = (person("alice"), person("bob"));
    let file_box = it.create(&alice, new_box()).await;
    let (stores, boxes, of_bob) = (&it.stores, &it.boxes, by(bob.clone()));
    let no_box = BoxId::from_bytes([1; 14]);
    for id in [file_box.id, no_box] {
        let not_found =
            |error: OperationError| assert!(matches!(error, OperationError::BoxNotFound));
        not_found(describe_box(stores, boxes, &of_bob, id).await.unwrap_err());
        let change = BoxChange::default();
        not_found(
            change_box(stores, boxes, &of_bob, id, change)
                .await
                .unwrap_err(),
        );
        not_found(end_box(stores, boxes, &of_bob, id).await.unwrap_err());
        let action = Action::DescribeManifest;
        let listed = list_box_files(stores, boxes, &of_bob, action, id, wanted(None, 10));
        not_found(listed.await.unwrap_err());
    }
    let listed = async |caller: &Caller| {
        let list = list_boxes(stores, boxes, &by(caller.clone()), None, 10).await;
        list.unwrap().boxes.len()
    };
    assert_eq!((listed(&alice).await, listed(&bob).await), (1, 0));
}

#[tokio::test]
async fn a_url_that_was_renewed_or_changed_or_is_for_something_else_brings_nothing() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let describe = async |token: &str| {
        let nobody = by(Caller::Nobody);
        let described = describe_drop(&it.stores, &it.boxes, &nobody, token).await;
        described.map(|(file_box, ..)| file_box.id)
    };
    let old = it.boxes.token(&file_box);
    assert_eq!(describe(old.expose()).await.unwrap(), file_box.id);
    let renew = BoxChange {
        renew: true,
        ..BoxChange::default()
    };
    let renewed = it.change(&alice, file_box.id, renew).await;
    let new = it.boxes.token(&renewed);
    assert_eq!(describe(new.expose()).await.unwrap(), file_box.id);
    let handed_in = it.hand_in(&renewed, "Ada").await.unwrap();
    let mut changed = new.expose().to_owned();
    let last = if changed.ends_with('A') { "E" } else { "A" };
    changed.replace_range(42.., last);
    let wrong = [
        old.expose(),
        &changed,
        handed_in.token.expose(),
        "",
        "x",
        &"A".repeat(43),
    ];
    for token in wrong {
        let refused = describe(token).await;
        assert!(
            matches!(refused, Err(OperationError::BoxNotFound)),
            "{token}"
        );
    }
}

#[tokio::test]
async fn what_lay_in_a_box_is_in_its_owners_list_once_it_was_ended() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let mut expected = Vec::new();
    for number in 0..150 {
        let handed_in = it
            .hand_in(&file_box, &format!("Ada {number}"))
            .await
            .unwrap();
        it.arrives(&handed_in, "hello").await;
        expected.push(handed_in.created.record.id);
    }
    let pending = it.hand_in(&file_box, "Bob").await.unwrap();
    expected.push(pending.created.record.id);
    let token = it.boxes.token(&file_box);
    end_box(&it.stores, &it.boxes, &by(alice.clone()), file_box.id)
        .await
        .unwrap();
    let mut listed = Vec::new();
    let mut before = None;
    loop {
        let request = PageRequest {
            owner: None,
            status: None,
            before,
            limit: 100,
        };
        let page = list_files(&it.stores, &by(alice.clone()), Whose::Mine, request).await;
        let page = page.unwrap();
        listed.extend(page.records.iter().map(|record| record.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let described = describe_box(&it.stores, &it.boxes, &by(alice.clone()), file_box.id).await;
    assert!(matches!(described, Err(OperationError::BoxNotFound)));
    let nobody = by(Caller::Nobody);
    let drop = describe_drop(&it.stores, &it.boxes, &nobody, token.expose()).await;
    assert!(matches!(drop, Err(OperationError::BoxNotFound)));
    // Bytes that are on their way still count, and who sent them is known.
    assert_eq!(
        it.arrives(&pending, "hello").await,
        FinalizeOutcome::Available
    );
    let record = it
        .metadata
        .get(pending.created.record.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.hand_in.unwrap().submitter.shown(), "Bob");
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused_by_their_field() {
    let it = Fixture::new();
    let at = |hours: u32| Some(start() + hours * HOUR);
    let times = |opens_at, due_at, closes_at| BoxTimes {
        opens_at,
        due_at,
        closes_at,
    };
    for (times, expected) in [
        (times(at(2), None, at(1)), "closesAt"),
        (times(at(1), None, at(1)), "closesAt"),
        (times(at(1), at(1), None), "dueAt"),
        (times(None, at(2), at(1)), "dueAt"),
    ] {
        let new = NewBox { times, ..new_box() };
        let alice = by(person("alice"));
        match create_box(&it.stores, &it.boxes, &alice, new).await {
            Err(OperationError::BoxField(field, _)) => assert_eq!(field, expected),
            other => panic!("{other:?}"),
        }
    }
    let ada = |closes_at| Override {
        submitter: named("Ada").unwrap(),
        due_at: at(3),
        closes_at,
    };
    for overrides in [vec![ada(None)], vec![ada(at(4)), ada(at(5))]] {
        let new = NewBox {
            times: times(None, at(1), at(2)),
            overrides,
            ..new_box()
        };
        let alice = by(person("alice"));
        let refused = create_box(&it.stores, &it.boxes, &alice, new).await;
        assert!(matches!(
            refused,
            Err(OperationError::BoxField("overrides", _))
        ));
    }
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
        types: (0..MAX_ENDINGS).map(ending).collect(),
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
async fn a_box_that_is_closed_is_closed_for_everybody_and_nothing_that_arrived_becomes_late() {
    let it = Fixture::new();
    let alice = person("alice");
    let own = |name, due: Option<u32>, closes: Option<u32>| Override {
        submitter: named(name).unwrap(),
        due_at: due.map(|hours| start() + hours * HOUR),
        closes_at: closes.map(|hours| start() + hours * HOUR),
    };
    let new = NewBox {
        times: BoxTimes {
            due_at: Some(start() + 3 * HOUR),
            ..due_and_closed_in_an_hour_and_two()
        },
        ..new_box()
    };
    let new = NewBox {
        times: BoxTimes {
            closes_at: Some(start() + 4 * HOUR),
            ..new.times
        },
        overrides: vec![
            own("Ada", Some(5), Some(6)),
            own("Bob", Some(4), None),
            own("Cleo", Some(1), Some(2)),
        ],
        ..new
    };
    let file_box = it.create(&alice, new).await;
    it.at(2 * 3600 + 1800);
    let now = start() + 2 * HOUR + HOUR / 2;
    let handed_in = it.hand_in(&file_box, "Ada").await.unwrap();
    it.arrives(&handed_in, "hello").await;
    let close = BoxChange {
        close: true,
        ..BoxChange::default()
    };
    let closed = it.change(&alice, file_box.id, close.clone()).await;
    let is_now = Some(now);
    assert_eq!(
        (closed.times.due_at, closed.times.closes_at),
        (is_now, is_now)
    );
    let times = closed.overrides.iter().map(|it| (it.due_at, it.closes_at));
    let (one, two) = (Some(start() + HOUR), Some(start() + 2 * HOUR));
    let expected = [(is_now, is_now), (is_now, None), (one, two)];
    assert_eq!(times.collect::<Vec<_>>(), expected);
    for name in ["Ada", "Bob", "Cleo", "Eve"] {
        let refused = it.hand_in(&closed, name).await;
        assert!(matches!(refused, Err(OperationError::BoxClosed { .. })));
    }
    assert_eq!(
        it.seen(&alice, closed.id).await,
        [("Ada".to_owned(), false)]
    );
    // The same again, as where its answer was lost: it was closed then.
    it.at(3 * 3600);
    let again = it.change(&alice, file_box.id, close.clone()).await;
    assert_eq!(again, closed);
    // One that would have opened tomorrow.
    let times = BoxTimes {
        opens_at: Some(start() + 24 * HOUR),
        due_at: Some(start() + 25 * HOUR),
        closes_at: None,
    };
    let later = it.create(&alice, NewBox { times, ..new_box() }).await;
    let closed = it.change(&alice, later.id, close).await;
    let (now, refused) = (Some(start() + 3 * HOUR), it.hand_in(&closed, "Ada").await);
    assert_eq!((closed.times.opens_at, closed.times.closes_at), (None, now));
    assert!(matches!(refused, Err(OperationError::BoxClosed { .. })));
}

#[tokio::test]
async fn a_box_says_until_when_the_last_may_hand_in_and_not_who_that_is() {
    let it = Fixture::new();
    let own = |name, hours: u32| Override {
        submitter: named(name).unwrap(),
        due_at: None,
        closes_at: Some(start() + hours * HOUR),
    };
    let new = NewBox {
        times: due_and_closed_in_an_hour_and_two(),
        ..new_box()
    };
    let with = |overrides, submitter| NewBox {
        overrides,
        submitter,
        ..new.clone()
    };
    let typed = SubmitterKind::Named;
    for (new, expected) in [
        (with(vec![], typed), None),
        (with(vec![own("Ada", 1), own("Bob", 2)], typed), None),
        (
            with(vec![own("Ada", 3), own("Bob", 5), own("Eve", 1)], typed),
            Some(start() + 5 * HOUR),
        ),
        // Whose times they are is known there.
        (with(vec![own("Ada", 3)], SubmitterKind::SignedIn), None),
    ] {
        let file_box = it.create(&person("alice"), new).await;
        assert_eq!(file_box.last_closes_at(), expected);
    }
}

#[tokio::test]
async fn of_two_who_change_a_box_the_second_hears_that_it_was_changed() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let state = |file_box: &FileBox| state_of(file_box).unwrap().as_str().to_owned();
    let change = |title: &str, only_if: &[&String]| {
        let change = BoxChange {
            title: Some(BoxTitle::given(title).unwrap()),
            only_if: Some(only_if.iter().map(ToString::to_string).collect()),
            ..BoxChange::default()
        };
        let context = by(alice.clone());
        let (stores, boxes) = (&it.stores, &it.boxes);
        async move { change_box(stores, boxes, &context, file_box.id, change).await }
    };
    let before = state(&file_box);
    let changed = change("Sheet 4", &[&before]).await.unwrap();
    let refused = change("Sheet 5", &[&before]).await;
    assert!(matches!(refused, Err(OperationError::BoxChanged)));
    let refused = change("Sheet 5", &[]).await;
    assert!(matches!(refused, Err(OperationError::BoxChanged)));
    let after = state(&changed);
    assert_ne!(before, after);
    change("Sheet 5", &[&before, &after]).await.unwrap();
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
async fn whoever_had_the_url_before_it_was_renewed_gets_no_url_for_bytes_any_more() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let handed_in = it.hand_in(&file_box, "Ada").await.unwrap();
    let renewed = |handed_in: &HandedIn| {
        let id = handed_in.created.record.id;
        let (stores, boxes, presigner) = (&it.stores, &it.boxes, &it.presigner);
        let submitter = by(Caller::Submitter(id));
        async move { renew_hand_in(stores, boxes, presigner, &submitter, id).await }
    };
    renewed(&handed_in).await.unwrap();
    it.at(60);
    let renew = BoxChange {
        renew: true,
        ..BoxChange::default()
    };
    let file_box = it.change(&alice, file_box.id, renew).await;
    let refused = renewed(&handed_in).await;
    assert!(matches!(refused, Err(OperationError::BoxNotFound)));
    // Whoever has the new one isn't concerned.
    let handed_in = it.hand_in(&file_box, "Bob").await.unwrap();
    it.at(61);
    renewed(&handed_in).await.unwrap();
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

#[tokio::test]
async fn where_nobody_signs_in_no_box_is_for_people_who_do() {
    let mut it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        submitter: SubmitterKind::SignedIn,
        ..new_box()
    };
    let before = it.create(&alice, new.clone()).await;
    it.boxes = it.boxes.without_sign_in();
    let refused = create_box(&it.stores, &it.boxes, &by(alice.clone()), new).await;
    let is_refused = |refused| matches!(refused, Err(OperationError::BoxField("submitter", _)));
    assert!(is_refused(refused));
    let change = BoxChange {
        submitter: Some(SubmitterKind::SignedIn),
        ..BoxChange::default()
    };
    let context = by(alice.clone());
    let refused = change_box(&it.stores, &it.boxes, &context, before.id, change).await;
    assert!(is_refused(refused));
    // One that was made when somebody did can still be closed.
    let close = BoxChange {
        close: true,
        ..BoxChange::default()
    };
    it.change(&alice, before.id, close).await;
}
