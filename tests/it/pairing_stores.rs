//! Pairings on the stores that there are: their logic is tested on the store in memory.

use std::sync::Arc;

use file_share::access::Scopes;
use file_share::access::api_token::{ApiTokens, TokenLabel};
use file_share::access::pairing::{ApproveError, Pairings, Redemption, Source};
use file_share::access::revocation::SecurityStamp;
use file_share::aws::dynamodb_client;
use file_share::clock::{Clock, SystemClock};
use file_share::domain::UserId;
use file_share::item_store::ItemStore;
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::metadata_store::sqlite::SqliteMetadataStore;

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::Deployment;

/// How many ask for the one token at a time.
const REDEEMERS: usize = 8;

/// Each step at another process, as behind a load balancer.
async fn a_pairing_goes_from_process_to_process(store: Arc<dyn ItemStore>) {
    let now = SystemClock.now();
    let person = |name: &str| {
        let subject = format!("{name} {}", fastrand::u64(..));
        Some(UserId::of("https://id.example.org", &subject))
    };
    let (alice, bob) = (person("alice"), person("bob"));
    let process = || Pairings::new(Arc::clone(&store), Some("key"));
    let client = TokenLabel::parse("fshare on laptop").unwrap();
    let begun = process().begin(&client, Source::default(), now).await;
    let begun = begun.unwrap();
    let (typed, code) = (begun.user_code.to_string(), begun.device_code.expose());
    let tokens = || ApiTokens::new(Arc::clone(&store), Some("key"));
    let waiting = process().redeem(code, &tokens(), now).await.unwrap();
    assert!(matches!(waiting, Redemption::Pending));
    let seen = process().look(&typed, alice, now).await.unwrap();
    assert_eq!(seen.client, client);
    let scopes = Scopes::parse(&["read"]).unwrap();
    let approve = async |by| {
        let stamp = SecurityStamp::default();
        let process = process();
        process.approve(&typed, by, scopes, stamp, now).await
    };
    approve(alice).await.unwrap();
    let late = approve(bob).await;
    assert!(matches!(late, Err(ApproveError::Unknown)), "{late:?}");

    let redeemers = (0..REDEEMERS).map(|_| {
        let (pairings, tokens, code) = (process(), tokens(), code.to_owned());
        tokio::spawn(async move { pairings.redeem(&code, &tokens, now).await.unwrap() })
    });
    let outcomes = futures_util::future::join_all(redeemers).await;
    let given: Vec<_> = outcomes
        .into_iter()
        .filter_map(|outcome| match outcome.unwrap() {
            Redemption::Approved { text, token, .. } => Some((text, token)),
            Redemption::Gone => None,
            Redemption::Pending => panic!("it was approved"),
        })
        .collect();
    let [(text, token)] = given.as_slice() else {
        panic!("{} tokens were given", given.len());
    };
    assert_eq!(token.owner, alice);
    let caller = tokens().verify(text.expose(), now).await.unwrap();
    assert_eq!(caller.unwrap().id, token.id);
}

#[tokio::test]
async fn a_pairing_goes_from_process_to_process_in_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&directory.path().join("metadata.sqlite")).unwrap();
    a_pairing_goes_from_process_to_process(Arc::new(store)).await;
}

#[tokio::test]
async fn a_pairing_goes_from_process_to_process_in_the_table() {
    let deployment = Deployment::shared().await;
    let client = dynamodb_client(&sdk_config(deployment, &deployment.api).await);
    let store = DynamoDbMetadataStore::new(client, &deployment.table);
    a_pairing_goes_from_process_to_process(Arc::new(store)).await;
}
