//! That whoever left has nothing that holds, on the stores that there are: the logic is tested on the store in memory.

use std::sync::Arc;

use file_share::access::api_token::{ApiTokens, CreateTokenError, NewToken, TokenLabel};
use file_share::access::pairing::{Pairings, Redemption, Source};
use file_share::access::revocation::SecurityStamp;
use file_share::access::{Caller, Gate, Person, Policy, Role, Scopes, Sessions};
use file_share::aws::dynamodb_client;
use file_share::clock::{Clock, SystemClock};
use file_share::domain::UserId;
use file_share::item_store::ItemStore;
use file_share::item_store::memory::MemoryItemStore;
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use tokio::sync::Barrier;

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::Deployment;

/// How many make tokens at a time, how many each makes, and how many programs wait to be let in.
const MAKERS: usize = 4;
const TOKENS_OF_EACH: usize = 6;
const PROGRAMS: usize = 4;

fn person(name: &str) -> (UserId, Caller) {
    let subject = format!("{name} {}", fastrand::u64(..));
    let id = UserId::of("https://id.example.org", &subject);
    let person = Person {
        id,
        role: Role::Member,
        name: None,
    };
    (id, Caller::User(Arc::new(person)))
}

fn wanted(owner: UserId, stamp: &SecurityStamp) -> NewToken {
    NewToken {
        owner: Some(owner),
        label: TokenLabel::parse("build server").unwrap(),
        scopes: Scopes::parse(&["read"]).unwrap(),
        expires_at: None,
        stamp: stamp.clone(),
    }
}

/// Everybody at a process of their own, and everything of bob's at the same moment.
async fn whoever_left_has_nothing_whatever_was_under_way(store: Arc<dyn ItemStore>) {
    let now = SystemClock.now();
    let ((bob, as_bob), (carol, as_carol)) = (person("bob"), person("carol"));
    let sessions = || Sessions::new(Arc::clone(&store));
    let tokens = || ApiTokens::new(Arc::clone(&store), None);
    let pairings = || Pairings::new(Arc::clone(&store), None);
    let (id, session) = sessions().begin(&as_bob, None, None, now).await.unwrap();
    let (hers, of_carol) = sessions().begin(&as_carol, None, None, now).await.unwrap();
    let kept = tokens().create(wanted(carol, &of_carol.stamp), now).await;
    let (kept, _) = kept.unwrap();

    let barrier = Arc::new(Barrier::new(MAKERS + PROGRAMS + 1));
    let mut makers = tokio::task::JoinSet::new();
    for _ in 0..MAKERS {
        let (tokens, barrier, stamp) = (tokens(), Arc::clone(&barrier), session.stamp.clone());
        makers.spawn(async move {
            barrier.wait().await;
            let mut made = Vec::new();
            for _ in 0..TOKENS_OF_EACH {
                match tokens.create(wanted(bob, &stamp), now).await {
                    Ok((text, _)) => made.push(text),
                    Err(CreateTokenError::Revoked) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            made
        });
    }
    for _ in 0..PROGRAMS {
        let client = TokenLabel::parse("fshare on laptop").unwrap();
        let begun = pairings().begin(&client, Source::default(), now).await;
        let begun = begun.unwrap();
        let (typed, scopes) = (begun.user_code.to_string(), Scopes::parse(&["read"]));
        let (scopes, stamp) = (scopes.unwrap(), session.stamp.clone());
        let process = pairings();
        let approved = process.approve(&typed, Some(bob), scopes, stamp, now);
        approved.await.unwrap();
        let (pairings, tokens, barrier) = (pairings(), tokens(), Arc::clone(&barrier));
        makers.spawn(async move {
            barrier.wait().await;
            let code = begun.device_code.expose();
            match pairings.redeem(code, &tokens, now).await.unwrap() {
                Redemption::Approved { text, .. } => vec![text],
                Redemption::Gone => Vec::new(),
                Redemption::Pending => panic!("it was approved"),
            }
        });
    }
    let gate = Gate::new(Policy::Open, Arc::clone(&store));
    barrier.wait().await;
    gate.revoke_all_of(bob, now).await.unwrap();

    let made = makers.join_all().await;
    for text in made.into_iter().flatten() {
        let caller = tokens().verify(text.expose(), now).await.unwrap();
        assert!(caller.is_none(), "a token of bob's holds");
    }
    let found = sessions().get(id.expose(), None, now).await.unwrap();
    assert!(found.is_none(), "bob is signed in");
    // Whoever comes late has nothing either.
    let late = tokens().create(wanted(bob, &session.stamp), now).await;
    assert!(matches!(late, Err(CreateTokenError::Revoked)), "{late:?}");

    let found = sessions().get(hers.expose(), None, now).await.unwrap();
    assert!(found.is_some(), "carol is signed in");
    assert!(tokens().verify(kept.expose(), now).await.unwrap().is_some());
    // The issuer vouches for bob again.
    let (_, again) = sessions().begin(&as_bob, None, None, now).await.unwrap();
    let (text, _) = tokens()
        .create(wanted(bob, &again.stamp), now)
        .await
        .unwrap();
    assert!(tokens().verify(text.expose(), now).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_left_has_nothing_whatever_was_under_way_in_memory() {
    for _ in 0..50 {
        whoever_left_has_nothing_whatever_was_under_way(Arc::new(MemoryItemStore::default())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_left_has_nothing_whatever_was_under_way_in_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&directory.path().join("metadata.sqlite")).unwrap();
    let store: Arc<dyn ItemStore> = Arc::new(store);
    for _ in 0..10 {
        whoever_left_has_nothing_whatever_was_under_way(Arc::clone(&store)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_left_has_nothing_whatever_was_under_way_in_the_table() {
    let deployment = Deployment::shared().await;
    let client = dynamodb_client(&sdk_config(deployment, &deployment.api).await);
    let store = DynamoDbMetadataStore::new(client, &deployment.table);
    whoever_left_has_nothing_whatever_was_under_way(Arc::new(store)).await;
}
