//! How often a file is taken by a link, whoever races and whatever dies.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::*;
use crate::item_store::{Item, ItemKey, ItemPage, ItemParent, StoreError};

async fn left(fixture: &Fixture, token: &str) -> Option<u32> {
    let shared = fixture.look(&Caller::Nobody, token).await.unwrap();
    shared.files[0].downloads_left
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_who_take_a_file_that_may_be_taken_ten_times_exactly_ten_do() {
    let fixture = Arc::new(Fixture::new());
    let file = fixture.file(&alice()).await;
    let link = fixture
        .create(&alice(), limited(&[file], 10))
        .await
        .unwrap();
    let token = fixture.token(&link);
    // Of four processes, which don't take turns among each other.
    let processes: Vec<_> = (0..4).map(|_| Arc::new(fixture.another(SECRET))).collect();
    let racers: Vec<_> = (0..64)
        .map(|n| {
            let (fixture, token) = (Arc::clone(&fixture), token.clone());
            let links = Arc::clone(&processes[n % processes.len()]);
            tokio::spawn(async move {
                let (stores, presigner) = (&fixture.stores, &fixture.presigner);
                let nobody = by(&Caller::Nobody);
                download_shared(stores, presigner, &links, &nobody, &token, of(file)).await
            })
        })
        .collect();
    let mut grants = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            Ok(grant) => grants.push(grant.downloads_left.unwrap()),
            Err(OperationError::DownloadLimitReached) => {}
            Err(other) => panic!("{other}"),
        }
    }
    grants.sort_unstable();
    assert_eq!(grants, (0..10).collect::<Vec<u32>>());
    assert_eq!(left(&fixture, &token).await, Some(0));
}

#[tokio::test]
async fn the_same_key_is_counted_once_within_a_quarter_of_an_hour() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture.create(&alice(), limited(&[file], 2)).await.unwrap();
    let token = fixture.token(&link);
    let first = fixture.take(&token, keyed(file, "a")).await.unwrap();
    fixture
        .clock
        .advance(REPLAY_WINDOW - Duration::from_secs(1));
    let again = fixture.take(&token, keyed(file, "a")).await.unwrap();
    assert_eq!(first.id, again.id);
    assert_eq!(again.downloads_left, Some(1));
    // It gets a URL of its own time.
    assert!(again.expires_at > first.expires_at);
    // Another key, another caller's, and none, are other downloads.
    fixture.clock.advance(Duration::from_secs(1));
    let later = fixture.take(&token, keyed(file, "a")).await.unwrap();
    assert_eq!(later.downloads_left, Some(0));
    let bob = person("bob", Role::Member).owner();
    let key = IdempotencyKey::parse("a").unwrap();
    let bobs = Taking {
        key: Some(GrantKey::of(key, bob)),
        ..of(file)
    };
    for more in [keyed(file, "b"), bobs, of(file)] {
        let refused = fixture.take(&token, more).await;
        assert!(matches!(refused, Err(OperationError::DownloadLimitReached)));
    }
    // Also where nothing is left, whoever got no answer gets it.
    fixture.take(&token, keyed(file, "a")).await.unwrap();
}

#[tokio::test]
async fn a_key_is_not_forgotten_because_many_others_came_since() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture
        .create(&alice(), limited(&[file], 1_000))
        .await
        .unwrap();
    let token = fixture.token(&link);
    for n in 0..300 {
        let taking = keyed(file, &format!("key-{n}"));
        fixture.take(&token, taking).await.unwrap();
    }
    for n in 0..300 {
        let taking = keyed(file, &format!("key-{n}"));
        let again = fixture.take(&token, taking).await.unwrap();
        assert_eq!(again.downloads_left, Some(700), "{n}");
    }
}

/// Does what it is asked to, and for some calls says that it doesn't know.
struct Forgetful {
    store: Arc<MemoryItemStore>,
    answers: AtomicU32,
}

#[async_trait]
impl ItemStore for Forgetful {
    async fn put_new(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        self.store.put_new(item, now).await
    }
    async fn get(&self, key: &ItemKey, now: Timestamp) -> Result<Option<Item>, StoreError> {
        self.store.get(key, now).await
    }
    async fn replace(&self, item: &Item, now: Timestamp) -> Result<bool, StoreError> {
        let done = self.store.replace(item, now).await;
        match self.answers.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => Err(StoreError::unavailable("the store", "the answer was lost")),
            _ => done,
        }
    }
    async fn remove(&self, key: &ItemKey, now: Timestamp) -> Result<bool, StoreError> {
        self.store.remove(key, now).await
    }
    async fn list(
        &self,
        parent: &ItemParent,
        after: Option<&ItemKey>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ItemPage, StoreError> {
        self.store.list(parent, after, limit, now).await
    }
}

/// As if the process had been killed between the count and its answer, each second time.
#[tokio::test]
async fn who_gets_no_answer_after_the_count_gets_it_with_the_key_and_is_counted_once() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture
        .create(&alice(), limited(&[file], 10))
        .await
        .unwrap();
    let token = fixture.token(&link);
    let store = Arc::new(Forgetful {
        store: Arc::clone(&fixture.items),
        answers: AtomicU32::new(0),
    });
    let (stores, presigner) = (&fixture.stores, &fixture.presigner);
    let nobody = by(&Caller::Nobody);
    for n in 0..10 {
        let taking = keyed(file, &format!("key-{n}"));
        // A new process each time: nothing is known of what was in hand.
        let keys = || CapabilityKeys::of_secrets(SECRET, []);
        let links = || Links::new(store.clone(), keys(), Arc::default());
        let before = links();
        let lost = download_shared(stores, presigner, &before, &nobody, &token, taking.clone());
        if let Err(error) = lost.await {
            assert!(matches!(error, OperationError::Store(_)), "{error}");
            let after = links();
            let again = download_shared(stores, presigner, &after, &nobody, &token, taking);
            again.await.unwrap();
        }
        assert_eq!(left(&fixture, &token).await, Some(9 - n));
    }
    let more = fixture.take(&token, of(file)).await;
    assert!(matches!(more, Err(OperationError::DownloadLimitReached)));
}

#[tokio::test]
async fn each_file_is_counted_for_itself_and_looking_counts_nothing() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.file(&alice()).await, fixture.file(&alice()).await);
    let link = fixture
        .create(&alice(), limited(&[one, other], 1))
        .await
        .unwrap();
    let token = fixture.token(&link);
    for _ in 0..20 {
        let shared = fixture.look(&Caller::Nobody, &token).await.unwrap();
        let left: Vec<_> = shared.files.iter().map(|it| it.downloads_left).collect();
        assert_eq!(left, [Some(1), Some(1)]);
    }
    fixture.take(&token, of(one)).await.unwrap();
    let refused = fixture.take(&token, of(one)).await;
    assert!(matches!(refused, Err(OperationError::DownloadLimitReached)));
    fixture.take(&token, of(other)).await.unwrap();
}

#[tokio::test]
async fn what_was_taken_stays_counted_whatever_is_changed_about_the_link() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let other = fixture.file(&alice()).await;
    let now = fixture.clock.now();
    let new = NewLink {
        expires_at: Some(now + Duration::from_secs(60)),
        ..limited(&[file], 2)
    };
    let link = fixture.create(&alice(), new).await.unwrap();
    fixture.take(&fixture.token(&link), of(file)).await.unwrap();
    let none = LinkChange::default;
    let far = now + Duration::from_secs(86_400);
    for change in [
        LinkChange {
            renew: true,
            ..none()
        },
        LinkChange {
            expires_at: Some(far),
            ..none()
        },
        LinkChange {
            files: Some(vec![other]),
            ..none()
        },
        LinkChange {
            files: Some(vec![other, file]),
            ..none()
        },
        LinkChange {
            max_downloads: Some(None),
            ..none()
        },
        LinkChange {
            max_downloads: Some(Some(2)),
            ..none()
        },
    ] {
        fixture.change(&alice(), &link, change).await.unwrap();
    }
    // Beyond the end that the link had first: what was counted must last as long as the link.
    fixture.clock.advance(Duration::from_secs(3_600));
    let kept = fixture
        .links
        .get(link.id, fixture.clock.now())
        .await
        .unwrap();
    let token = fixture.token(&kept.unwrap().link);
    fixture.take(&token, of(file)).await.unwrap();
    let refused = fixture.take(&token, of(file)).await;
    assert!(matches!(refused, Err(OperationError::DownloadLimitReached)));
    for _ in 0..2 {
        fixture.take(&token, of(other)).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_handed_out_that_could_not_be_counted() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture.create(&alice(), limited(&[file], 2)).await.unwrap();
    let token = fixture.token(&link);
    let key = super::super::grants::key(link.id, file).unwrap();
    let now = fixture.clock.now();
    assert!(fixture.items.remove(&key, now).await.unwrap());
    let refused = fixture.take(&token, of(file)).await;
    assert!(matches!(refused, Err(OperationError::LinkGone)));
}

#[tokio::test]
async fn a_file_that_can_not_be_fetched_is_not_counted() {
    let fixture = Fixture::new();
    let file = fixture.pending(&alice()).await;
    let new = NewLink {
        password: Some(Password::parse("right").unwrap()),
        ..limited(&[file], 1)
    };
    let link = fixture.create(&alice(), new).await.unwrap();
    let token = fixture.token(&link);
    let right = Taking {
        password: Some(Password::parse("right").unwrap()),
        ..of(file)
    };
    let pending = fixture.take(&token, right.clone()).await;
    assert!(matches!(pending, Err(OperationError::UploadPending)));
    fixture.settle(file).await;
    let wrong = fixture.take(&token, of(file)).await;
    assert!(matches!(wrong, Err(OperationError::WrongPassword)));
    let taken = fixture.take(&token, right).await.unwrap();
    assert_eq!(taken.downloads_left, Some(0));
}
