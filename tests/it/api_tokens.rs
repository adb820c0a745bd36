//! API tokens on the stores that there are: their logic is tested on the store in memory.

use std::sync::Arc;
use std::time::Duration;

use file_share::access::Scopes;
use file_share::access::api_token::{ApiTokens, NewToken, TokenLabel};
use file_share::access::revocation::SecurityStamp;
use file_share::aws::dynamodb_client;
use file_share::clock::{Clock, SystemClock};
use file_share::domain::UserId;
use file_share::item_store::ItemStore;
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use tokio::time::Instant;

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::Deployment;

/// How long a list may be behind.
const PATIENCE: Duration = Duration::from_secs(20);

async fn a_token_lives_and_ends(store: Arc<dyn ItemStore>) {
    let now = SystemClock.now();
    let owner = Some(UserId::of(
        "https://id.example.org",
        &fastrand::u64(..).to_string(),
    ));
    // As processes that have the same store.
    let process = || ApiTokens::new(Arc::clone(&store), Some("key"));
    let wanted = NewToken {
        owner,
        label: TokenLabel::parse("résumé uploads").unwrap(),
        scopes: Scopes::parse(&["read"]).unwrap(),
        expires_at: None,
        stamp: SecurityStamp::default(),
    };
    let tokens = process();
    let (text, info) = tokens.create(wanted.clone(), now).await.unwrap();
    let (second, _) = tokens.create(wanted, now).await.unwrap();
    let elsewhere = process();
    let caller = elsewhere.verify(text.expose(), now).await.unwrap().unwrap();
    assert_eq!((caller.id, caller.owner), (info.id, owner));
    assert_eq!(caller.expires_at, info.expires_at);

    // Its use comes to be seen, by the process that made it too.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = tokens.list(owner, now).await.unwrap();
        if listed.len() == 2 && listed.iter().any(|token| token.last_used_at.is_some()) {
            break;
        }
        assert!(Instant::now() < deadline, "{listed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert!(tokens.revoke(owner, info.id, now).await.unwrap());
    let verified = process().verify(text.expose(), now).await.unwrap();
    assert_eq!(verified, None);
    assert!(
        process()
            .verify(second.expose(), now)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(tokens.revoke_all(owner, now).await.unwrap(), 1);
    assert_eq!(process().verify(second.expose(), now).await.unwrap(), None);
}

#[tokio::test]
async fn a_token_lives_and_ends_in_the_database() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteMetadataStore::open(&directory.path().join("metadata.sqlite")).unwrap();
    a_token_lives_and_ends(Arc::new(store)).await;
}

#[tokio::test]
async fn a_token_lives_and_ends_in_the_table() {
    let deployment = Deployment::shared().await;
    let client = dynamodb_client(&sdk_config(deployment, &deployment.api).await);
    let store = DynamoDbMetadataStore::new(client, &deployment.table);
    a_token_lives_and_ends(Arc::new(store)).await;
}
