//! Small items in DynamoDB, as the API may use them, and that nothing which looks for files sees them.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use file_share::{
    aws::{dynamodb_client, s3_client},
    clock::{Clock, SystemClock},
    domain::{Lifecycle, Status, Timestamp},
    item_store::{
        Item, ItemKey, ItemKind, ItemList, ItemParent, ItemStore, StoreError,
        conformance::{Fixture, item, moment},
    },
    item_store_conformance,
    metadata_store::{MetadataStore, PageRequest, dynamodb::DynamoDbMetadataStore},
    object_store::s3::S3ObjectStore,
    operations::{
        OrphanSweeper, ReconcileReport, Reconciler, ScrubEnd, ScrubOptions, ScrubReport, Stores,
        SweepStep, scrub,
    },
    store_marker::{MarkedStore, Marker},
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    aws_clients::sdk_config,
    ministack::{Credentials, Deployment, MiniStack},
};

async fn store(deployment: &Deployment, user: &Credentials) -> DynamoDbMetadataStore {
    let client = dynamodb_client(&sdk_config(deployment, user).await);
    DynamoDbMetadataStore::new(client, &deployment.table)
}

mod conformance {
    use super::*;

    async fn open() -> Fixture {
        let deployment = Deployment::shared().await;
        Fixture {
            store: Arc::new(store(deployment, &deployment.api).await),
            keep: Box::new(()),
        }
    }

    item_store_conformance!(open);
}

fn listed() -> Item {
    Item {
        parent: Some(ItemParent::new(ItemList::Tokens, "usr_a").unwrap()),
        ..item()
    }
}

#[tokio::test]
async fn an_item_is_in_no_list_of_files_and_never_due() {
    let deployment = MiniStack::shared().await.deploy("items").await;
    let api = store(&deployment, &deployment.api).await;
    let worker = store(&deployment, &deployment.worker).await;
    let over = Item {
        expires_at: moment(-60),
        ..listed()
    };
    for item in [item(), listed(), over] {
        assert!(api.put_new(&item, moment(-120)).await.unwrap());
    }
    for status in [None, Some(Status::Pending), Some(Status::Available)] {
        let request = PageRequest {
            owner: None,
            status,
            before: None,
            limit: 10,
        };
        let page = api.page(request).await.unwrap();
        assert_eq!((page.records, page.next), (Vec::new(), None));
    }
    let due = worker.due_records(Timestamp::MAX_UTC, None, 10).await;
    assert_eq!(due.unwrap(), []);

    // Nor do those trip over one that look for files: the clean-up, the scrub, and the marker.
    let sdk = sdk_config(&deployment, &deployment.worker).await;
    let bucket = S3ObjectStore::new(s3_client(&sdk), &deployment.bucket);
    let stores = Stores {
        metadata: Arc::new(worker),
        objects: Arc::new(bucket),
        clock: Arc::new(SystemClock),
        lifecycle: Lifecycle::default(),
        events: file_share::file_events::FileEvents::off(),
        quotas: file_share::quotas::Quotas::off(),
        scans: file_share::scanner::Scans::off(),
        metrics: file_share::metrics::Metrics::off(),
    };
    let mut reconciler = Reconciler::new(stores.clone());
    let report = reconciler.run_once(SystemClock.now()).await.unwrap();
    assert_eq!(report, ReconcileReport::default());
    let mut sweeper = OrphanSweeper::new(stores.clone(), 10);
    let swept = loop {
        if let SweepStep::Done(report) = sweeper.run_once().await.unwrap() {
            break report;
        }
    };
    assert_eq!(swept.orphans, 0);
    let stores = Stores {
        metadata: Arc::new(store(&deployment, &deployment.api).await),
        ..stores
    };
    let options = ScrubOptions::default();
    let (report, end) = scrub(&stores, options, &CancellationToken::new(), |_| ()).await;
    assert!(matches!(end, ScrubEnd::Complete));
    assert_eq!(report, ScrubReport::default());
    let marker = Marker::fresh();
    api.add_marker(&marker).await.unwrap();
    assert_eq!(api.marker().await.unwrap(), Some(marker));
}

#[tokio::test]
async fn an_item_has_what_removes_it_by_itself_and_nothing_of_the_indexes_of_files() {
    let deployment = Deployment::shared().await;
    let api = store(deployment, &deployment.api).await;
    let item = listed();
    assert!(api.put_new(&item, moment(0)).await.unwrap());
    let admin = dynamodb_client(&sdk_config(deployment, &deployment.admin).await);
    let stored = admin
        .get_item()
        .table_name(&deployment.table)
        .key("fileId", AttributeValue::S(item.key.to_string()))
        .send()
        .await
        .unwrap();
    let stored = stored.item.unwrap();
    let mut names: Vec<_> = stored.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "body",
        "expiresAt",
        "expiresAtMillis",
        "fileId",
        "itemVersion",
        "parent",
    ];
    assert_eq!(names, expected);
    // TTL takes whole seconds, and never too early.
    let seconds: i64 = stored["expiresAt"].as_n().unwrap().parse().unwrap();
    let exact = item.expires_at.timestamp_millis();
    assert!((exact..exact + 1_000).contains(&(seconds * 1_000)));
    assert_eq!(item.key.kind(), ItemKind::Token);
}

#[tokio::test]
async fn an_item_that_can_not_be_read_is_named_and_does_not_take_the_list_away() {
    let deployment = Deployment::shared().await;
    let api = store(deployment, &deployment.api).await;
    let parent = ItemParent::new(ItemList::Tokens, "usr_of_damaged_items").unwrap();
    let mut items: Vec<_> = (0..5)
        .map(|_| Item {
            parent: Some(parent.clone()),
            ..item()
        })
        .collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    for item in &items {
        assert!(api.put_new(item, moment(0)).await.unwrap());
    }
    let damaged = items.remove(2).key;
    let admin = dynamodb_client(&sdk_config(deployment, &deployment.admin).await);
    let update = admin.update_item().table_name(&deployment.table);
    update
        .key("fileId", AttributeValue::S(damaged.to_string()))
        .update_expression("REMOVE body")
        .send()
        .await
        .unwrap();
    let got = ItemStore::get(&api, &damaged, moment(0)).await;
    assert!(matches!(got, Err(StoreError::Corrupt { .. })));
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = api.list(&parent, after.as_ref(), 1, moment(0)).await;
        let page = page.unwrap();
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, items);
}

#[tokio::test]
async fn a_program_that_may_not_write_items_is_told_so() {
    let deployment = Deployment::shared().await;
    let worker = store(deployment, &deployment.worker).await;
    let put = worker.put_new(&item(), moment(0)).await;
    assert!(matches!(put, Err(StoreError::Unavailable { .. })));
    let parent = listed().parent.unwrap();
    let list = worker.list(&parent, None, 1, moment(0)).await;
    assert!(matches!(list, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn what_happens_to_files_is_written_by_either_program_once_and_listed_by_the_api() {
    let deployment = Deployment::shared().await;
    let api = store(deployment, &deployment.api).await;
    let worker = store(deployment, &deployment.worker).await;
    let id = format!("{:032x}", fastrand::u128(..));
    let parent = ItemParent::new(ItemList::Events, &id).unwrap();
    let event = |n: u8| Item {
        key: ItemKey::new(ItemKind::Event, &format!("{id}-{n}")).unwrap(),
        parent: Some(parent.clone()),
        ..item()
    };
    let events = [event(0), event(1)];
    for (program, event) in [&worker, &api].into_iter().zip(&events) {
        assert!(program.put_new(event, moment(0)).await.unwrap());
        // Sent again it is the same, and another one finds the key taken.
        assert!(program.put_new(event, moment(0)).await.unwrap());
        let other = event.with_fresh_version();
        assert!(!program.put_new(&other, moment(0)).await.unwrap());
    }
    let page = api.list(&parent, None, 10, moment(0)).await.unwrap();
    assert_eq!(page.items, events);
    let got = ItemStore::get(&api, &events[0].key, moment(0)).await;
    assert_eq!(got.unwrap().as_ref(), Some(&events[0]));
    let listed = worker.list(&parent, None, 1, moment(0)).await;
    assert!(matches!(listed, Err(StoreError::Unavailable { .. })));
}
