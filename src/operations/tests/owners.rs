//! Files that are somebody's: what others find of them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::access::{Person, Role};
use crate::domain::{IdempotencyKey, UserId};
use crate::metadata_store::PageRequest;

pub(super) fn person(name: &str, role: Role) -> Caller {
    Caller::User(Arc::new(Person {
        id: UserId::of("https://id.example.org", name),
        role,
        name: None,
    }))
}

fn context_of(caller: Caller) -> Context {
    Context::new(
        caller,
        None,
        BucketUrl::path_style("http://localhost:8000", "bucket"),
        String::new(),
    )
}

/// A service, and what somebody calls it with.
struct Somebody<'a> {
    fixture: &'a OperationsFixture,
    context: Context,
}

impl<'a> Somebody<'a> {
    fn new(fixture: &'a OperationsFixture, name: &str, role: Role) -> Self {
        let context = context_of(person(name, role));
        Self { fixture, context }
    }

    async fn create(&self, key: Option<&str>) -> Result<FileId, OperationError> {
        let new = NewFile::sample(Declaration::sample());
        let key = key.map(|key| IdempotencyKey::parse(key).unwrap());
        let OperationsFixture {
            stores, presigner, ..
        } = self.fixture;
        let created = create_file(stores, presigner, &self.context, new, key).await?;
        Ok(created.record.id)
    }

    /// What becomes of each call on this file, without what would delete it.
    async fn calls(&self, id: FileId) -> Vec<Result<(), OperationError>> {
        let (stores, context) = (&self.fixture.stores, &self.context);
        let presigner = &self.fixture.presigner;
        let never = CancellationToken::new();
        let renewing = renew_upload(stores, presigner, context, id, UploadMethod::Put);
        let waiting = await_settled(stores, context, id, Duration::ZERO, &never);
        let signing = download_file(stores, presigner, context, id, DownloadMethod::Get);
        vec![
            describe_file(stores, context, id).await.map(drop),
            waiting.await.map(drop),
            renewing.await.map(drop),
            complete_upload(stores, context, id).await.map(drop),
            signing.await.map(drop),
        ]
    }

    async fn delete(&self, id: FileId) -> Result<(), OperationError> {
        delete_file(&self.fixture.stores, &self.context, id)
            .await
            .map(drop)
    }

    async fn listed(&self, whose: Whose) -> Vec<FileId> {
        let request = PageRequest {
            owner: None,
            status: None,
            before: None,
            limit: 100,
        };
        let page = list_files(&self.fixture.stores, &self.context, whose, request);
        let records = page.await.unwrap().records;
        records.iter().map(|record| record.id).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_somebodys_is_for_every_call_as_if_it_had_never_been() {
    let fixture = OperationsFixture::new();
    let alice = Somebody::new(&fixture, "alice", Role::Member);
    let bob = Somebody::new(&fixture, "bob", Role::Member);
    let guest = Somebody::new(&fixture, "alice", Role::Guest);
    let of_alice = alice.create(None).await.unwrap();
    let of_operator = fixture.create().await;
    let never_there = FileId::new(fixture.clock.now());
    for (somebody, id) in [
        (&bob, of_alice),
        (&bob, of_operator),
        (&alice, of_operator),
        (&guest, of_alice),
        (&alice, never_there),
    ] {
        for outcome in somebody.calls(id).await {
            assert!(
                matches!(outcome, Err(OperationError::FileNotFound)),
                "{outcome:?}"
            );
        }
        let deleted = somebody.delete(id).await;
        assert!(matches!(deleted, Err(OperationError::FileNotFound)));
    }
    // Nothing of that changed it, and its owner and administrators find it.
    let admin = Somebody::new(&fixture, "carol", Role::Admin);
    for somebody in [&alice, &admin] {
        for outcome in somebody.calls(of_alice).await {
            assert!(
                matches!(outcome, Ok(()) | Err(OperationError::UploadPending)),
                "{outcome:?}"
            );
        }
    }
    admin.delete(of_operator).await.unwrap();
    alice.delete(of_alice).await.unwrap();
}

#[tokio::test]
async fn everybody_lists_their_own_files_and_the_operator_all() {
    let fixture = OperationsFixture::new();
    let alice = Somebody::new(&fixture, "alice", Role::Member);
    let admin = Somebody::new(&fixture, "carol", Role::Admin);
    let of_alice = alice.create(None).await.unwrap();
    let of_operator = fixture.create().await;
    assert_eq!(alice.listed(Whose::Mine).await, [of_alice]);
    assert_eq!(admin.listed(Whose::Mine).await, []);
    let all = admin.listed(Whose::All).await;
    assert_eq!(all.len(), 2);
    let operator = Somebody {
        fixture: &fixture,
        context: fixture.context.clone(),
    };
    assert_eq!(operator.listed(Whose::Mine).await, all);
    assert!(all.contains(&of_operator));
}

#[tokio::test]
async fn two_people_with_one_idempotency_key_have_two_files() {
    let fixture = OperationsFixture::new();
    let alice = Somebody::new(&fixture, "alice", Role::Member);
    let bob = Somebody::new(&fixture, "bob", Role::Member);
    let first = alice.create(Some("k")).await.unwrap();
    assert_eq!(alice.create(Some("k")).await.unwrap(), first);
    assert_ne!(bob.create(Some("k")).await.unwrap(), first);
}
