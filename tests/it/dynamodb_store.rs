//! Records in DynamoDB, as the two programs see them: each with its own permissions.

use std::{
    collections::HashSet,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use file_share::{
    aws::dynamodb_client,
    domain::{
        BoxId, FileId, FileRecord, FileState, Hold, HoldReason, KeyedRequest, Quota,
        RejectionReason, Status, Timestamp, Transition, TransitionCondition, Usage, UserId,
        from_millis,
    },
    item_store::{self, Item},
    metadata_store::{
        DueRecord, EarlierRequest, KeyedInsert, MAX_PAGE, MetadataStore, Page, PageRequest,
        StoreError, TransitionOutcome,
        conformance::{Fixture, Isolation, every_settlement, far_expiry, moment, pending},
        dynamodb::DynamoDbMetadataStore,
        hand_ins::{HandInInsert, HandInStore},
        outbox::{Message, MessageId, Outbox},
        usage::{ChargedInsert, NewRecord, Recounted, UsageStore},
    },
    metadata_store_conformance,
};
use futures_util::{StreamExt, TryStreamExt, future::join_all, stream};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::support::{
    aws_clients::sdk_config,
    ministack::{Credentials, Deployment, MiniStack},
};

/// Longer than an operation may take with all its attempts.
const TIME_LIMIT: Duration = Duration::from_secs(17);

/// How many requests a test has under way while it prepares.
const CONCURRENCY: usize = 16;

/// One table, reached by the API for what the API does and by the worker for what the worker does.
struct AsDeployed {
    api: DynamoDbMetadataStore,
    worker: DynamoDbMetadataStore,
    /// Somebody who may read the whole table, as a recount has to.
    operator: DynamoDbMetadataStore,
}

impl AsDeployed {
    async fn of(deployment: &Deployment) -> Self {
        Self {
            api: store(deployment, &deployment.api).await,
            worker: store(deployment, &deployment.worker).await,
            operator: store(deployment, &deployment.admin).await,
        }
    }
}

/// How long after its deadline an upload may still arrive.
const GRACE: Duration = Duration::from_secs(900);

#[async_trait]
impl MetadataStore for AsDeployed {
    async fn insert(&self, record: &FileRecord) -> Result<(), StoreError> {
        self.api.insert(record).await
    }

    async fn insert_keyed(
        &self,
        record: &FileRecord,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<KeyedInsert, StoreError> {
        self.api.insert_keyed(record, request, now).await
    }

    async fn earlier_request(
        &self,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> Result<Option<EarlierRequest>, StoreError> {
        self.api.earlier_request(request, now).await
    }

    async fn get(&self, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        let record = self.api.get(id).await;
        assert_eq!(self.worker.get(id).await.is_ok(), record.is_ok());
        record
    }

    async fn page(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.api.page(request).await
    }

    async fn renew_upload(
        &self,
        id: FileId,
        upload_expires_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.api.renew_upload(id, upload_expires_at).await
    }

    async fn transition(
        &self,
        id: FileId,
        transition: &Transition,
    ) -> Result<TransitionOutcome, StoreError> {
        self.worker.transition(id, transition).await
    }

    async fn delete(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
    ) -> Result<bool, StoreError> {
        self.api
            .delete(id, now, purge_at, upload_grace, as_of)
            .await
    }

    async fn hold(&self, id: FileId, hold: &Hold) -> Result<Option<FileRecord>, StoreError> {
        self.api.hold(id, hold).await
    }

    async fn release(
        &self,
        id: FileId,
        hold: &Hold,
        due_at: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.api.release(id, hold, due_at).await
    }

    async fn keep_longer(
        &self,
        id: FileId,
        keep_until: Timestamp,
    ) -> Result<Option<FileRecord>, StoreError> {
        self.api.keep_longer(id, keep_until).await
    }

    async fn postpone_deletion(
        &self,
        id: FileId,
        seen: Timestamp,
        reconcile_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.worker.postpone_deletion(id, seen, reconcile_at).await
    }

    async fn due_records(
        &self,
        until: Timestamp,
        after: Option<DueRecord>,
        limit: usize,
    ) -> Result<Vec<DueRecord>, StoreError> {
        self.worker.due_records(until, after, limit).await
    }

    async fn postpone_reconcile(
        &self,
        id: FileId,
        reconcile_at: Timestamp,
        upload_grace: Duration,
    ) -> Result<bool, StoreError> {
        let postponed = &self.worker;
        let postponed = postponed.postpone_reconcile(id, reconcile_at, upload_grace);
        postponed.await
    }

    async fn schedule_reconcile(
        &self,
        id: FileId,
        status: Status,
        reconcile_at: Timestamp,
        purge_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.worker
            .schedule_reconcile(id, status, reconcile_at, purge_at)
            .await
    }

    async fn remove(&self, id: FileId, status: Status) -> Result<(), StoreError> {
        self.worker.remove(id, status).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.worker.check().await?;
        self.api.check().await
    }
}

#[async_trait]
impl HandInStore for AsDeployed {
    async fn open_box(&self, id: BoxId) -> Result<(), StoreError> {
        self.api.open_box(id).await
    }

    async fn shut_box(&self, id: BoxId) -> Result<(), StoreError> {
        self.api.shut_box(id).await
    }

    async fn insert_hand_in(
        &self,
        record: &FileRecord,
        request: Option<&KeyedRequest>,
        max_files: u32,
        now: Timestamp,
    ) -> Result<HandInInsert, StoreError> {
        self.api
            .insert_hand_in(record, request, max_files, now)
            .await
    }

    async fn box_page(
        &self,
        id: BoxId,
        before: Option<FileId>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.api.box_page(id, before, limit).await
    }

    async fn leave_box(
        &self,
        file: FileId,
        id: BoxId,
        owner: Option<UserId>,
    ) -> Result<bool, StoreError> {
        self.api.leave_box(file, id, owner).await
    }
}

/// Either program tells what it changes; the worker alone looks for it and sends it.
#[async_trait]
impl Outbox for AsDeployed {
    async fn transition_told(
        &self,
        id: FileId,
        transition: &Transition,
        messages: &[Message],
    ) -> Result<TransitionOutcome, StoreError> {
        self.worker.transition_told(id, transition, messages).await
    }

    async fn delete_told(
        &self,
        id: FileId,
        now: Timestamp,
        purge_at: Timestamp,
        upload_grace: Duration,
        as_of: Timestamp,
        messages: &[Message],
    ) -> Result<bool, StoreError> {
        self.api
            .delete_told(id, now, purge_at, upload_grace, as_of, messages)
            .await
    }

    async fn add_message(&self, message: &Message) -> Result<(), StoreError> {
        self.api.add_message(message).await
    }

    async fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>, StoreError> {
        self.worker.due_messages(now, limit).await
    }

    async fn messages_after(
        &self,
        moment: Timestamp,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.worker.messages_after(moment, limit).await
    }

    async fn replace_message(&self, seen: &Message, message: &Message) -> Result<bool, StoreError> {
        self.worker.replace_message(seen, message).await
    }

    async fn remove_message(&self, id: &MessageId) -> Result<(), StoreError> {
        self.worker.remove_message(id).await
    }
}

#[async_trait]
impl UsageStore for AsDeployed {
    async fn insert_charged(
        &self,
        new: NewRecord<'_>,
        quota: &Quota,
    ) -> Result<ChargedInsert, StoreError> {
        self.api.insert_charged(new, quota).await
    }

    async fn usage(&self, owner: UserId) -> Result<Usage, StoreError> {
        self.api.usage(owner).await
    }

    async fn recount(&self) -> Result<Vec<Recounted>, StoreError> {
        self.operator.recount().await
    }

    async fn charge_all(&self) -> Result<u64, StoreError> {
        self.operator.charge_all().await
    }

    async fn mend_usage(&self, found: &Recounted) -> Result<(), StoreError> {
        self.operator.mend_usage(found).await
    }
}

async fn store(deployment: &Deployment, user: &Credentials) -> DynamoDbMetadataStore {
    let client = dynamodb_client(&sdk_config(deployment, user).await);
    DynamoDbMetadataStore::new(client, &deployment.table)
}

async fn own_deployment() -> Deployment {
    MiniStack::shared().await.deploy("records").await
}

mod conformance {
    use super::*;

    async fn open(isolation: Isolation) -> Fixture {
        let deployment = match isolation {
            Isolation::Shared => Deployment::shared().await.clone(),
            Isolation::Own => own_deployment().await,
        };
        Fixture {
            store: Arc::new(AsDeployed::of(&deployment).await),
            keep: Box::new(()),
        }
    }

    metadata_store_conformance!(open);
}

mod hand_ins {
    use file_share::metadata_store::hand_ins::conformance::Opened;

    use super::*;

    async fn open() -> Opened<AsDeployed> {
        let deployment = Deployment::shared().await.clone();
        Opened {
            store: Arc::new(AsDeployed::of(&deployment).await),
            keep: Box::new(()),
        }
    }

    file_share::hand_in_store_conformance!(open);
}

mod outbox {
    use file_share::metadata_store::outbox::conformance::Opened;

    use super::*;

    async fn open() -> Opened<AsDeployed> {
        Opened {
            store: Arc::new(AsDeployed::of(&own_deployment().await).await),
            keep: Box::new(()),
        }
    }

    file_share::outbox_conformance!(open);
}

mod usage {
    use file_share::metadata_store::usage::conformance::Opened;

    use super::*;

    /// To themselves, since all that is there is charged.
    async fn open() -> Opened<AsDeployed> {
        Opened {
            store: Arc::new(AsDeployed::of(&own_deployment().await).await),
            keep: Box::new(()),
        }
    }

    file_share::usage_conformance!(open);
}

async fn insert_all(store: &impl MetadataStore, records: &[FileRecord]) {
    stream::iter(records)
        .map(|record| store.insert(record))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await
        .unwrap();
}

/// All pages from the newest to the oldest, with `between` run after each.
async fn walk(
    store: &impl MetadataStore,
    limit: usize,
    mut between: impl AsyncFnMut(),
) -> Vec<FileRecord> {
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store
            .page(PageRequest {
                owner: None,
                status: None,
                before,
                limit,
            })
            .await
            .unwrap();
        assert!(page.records.len() <= limit);
        seen.extend(page.records);
        match page.next {
            Some(next) => before = Some(next),
            None => return seen,
        }
        between().await;
    }
}

/// The record under an ID of the same time with this last byte, which says where it is indexed.
fn with_last_byte(mut record: FileRecord, last: u8) -> FileRecord {
    let mut bytes = *record.id.as_bytes();
    bytes[15] = last;
    record.id = FileId::from_bytes(bytes).unwrap();
    record
}

#[tokio::test]
async fn of_2000_records_each_is_on_one_page_while_others_are_inserted() {
    let store = AsDeployed::of(&own_deployment().await).await;
    let earlier: Vec<_> = (0..2_000).map(|i| pending(-i / 7)).collect();
    insert_all(&store, &earlier).await;

    let mut newer = 0;
    let seen = walk(&store, MAX_PAGE, async || {
        newer += 1;
        let batch: Vec<_> = (0..20).map(|_| pending(newer)).collect();
        insert_all(&store, &batch).await;
    })
    .await;

    assert!(newer >= 19, "records came in between");
    let mut ids: Vec<_> = seen.iter().map(|record| record.id).collect();
    assert!(
        ids.windows(2).all(|pair| pair[0] > pair[1]),
        "newest first, none twice"
    );
    let mut expected: Vec<_> = earlier.iter().map(|record| record.id).collect();
    expected.sort_unstable();
    ids.sort_unstable();
    let earlier: HashSet<_> = expected.iter().copied().collect();
    ids.retain(|id| earlier.contains(id));
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn records_that_all_share_a_shard_are_paged_like_others() {
    let store = AsDeployed::of(&own_deployment().await).await;
    let records: Vec<_> = (0..250)
        .map(|i| with_last_byte(pending(-i), 0x50))
        .collect();
    insert_all(&store, &records).await;
    for limit in [9, 50, MAX_PAGE] {
        assert!(walk(&store, limit, async || ()).await == records, "{limit}");
    }
}

#[tokio::test]
async fn a_shard_with_far_more_than_its_share_of_the_newest_records_is_read_on() {
    let store = AsDeployed::of(&own_deployment().await).await;
    let newest = (0..120).map(|i| with_last_byte(pending(-i), 0x50));
    let older = (120..320).map(|i| with_last_byte(pending(-i), u8::try_from(i % 8).unwrap()));
    let records: Vec<_> = newest.chain(older).collect();
    insert_all(&store, &records).await;
    for limit in [9, 50, MAX_PAGE] {
        assert!(walk(&store, limit, async || ()).await == records, "{limit}");
    }
}

#[tokio::test]
async fn records_too_large_for_one_answer_of_an_index_are_all_on_a_page() {
    let store = AsDeployed::of(&own_deployment().await).await;
    let records: Vec<_> = (0..40)
        .map(|i| {
            let mut record = with_last_byte(pending(-i), 3);
            record.state = FileState::Rejected {
                reason: RejectionReason::sample(&"x".repeat(100_000)),
                purge_at: far_expiry(),
            };
            record
        })
        .collect();
    insert_all(&store, &records).await;
    assert!(walk(&store, 40, async || ()).await == records);
}

#[tokio::test]
async fn a_thousand_due_records_of_one_millisecond_come_in_order_and_once() {
    let store = AsDeployed::of(&own_deployment().await).await;
    let moment = from_millis(1_790_000_000_123).unwrap();
    let mut records: Vec<_> = (0..1_300)
        .map(|i| with_last_byte(pending(i), if i % 13 == 0 { 8 } else { 9 }))
        .collect();
    for record in &mut records {
        record.reconcile_at = Some(moment);
    }
    // An order of insertion that isn't the order of reconciliations.
    fastrand::Rng::with_seed(1).shuffle(&mut records);
    insert_all(&store, &records).await;

    let mut seen: Vec<DueRecord> = Vec::new();
    loop {
        let after = seen.last().copied();
        let due = store.due_records(moment, after, MAX_PAGE).await.unwrap();
        if due.is_empty() {
            break;
        }
        seen.extend(due);
    }
    let mut expected: Vec<_> = records
        .iter()
        .map(|record| DueRecord {
            reconcile_at: moment,
            id: record.id,
        })
        .collect();
    expected.sort_unstable();
    assert!(seen == expected, "{} of {}", seen.len(), expected.len());
}

#[tokio::test]
async fn an_item_that_makes_no_sense_is_corrupt_and_named() {
    let deployment = Deployment::shared().await;
    let store = AsDeployed::of(deployment).await;
    let record = pending(0);
    store.insert(&record).await.unwrap();
    dynamodb_client(&sdk_config(deployment, &deployment.admin).await)
        .update_item()
        .table_name(&deployment.table)
        .key("fileId", AttributeValue::S(record.id.to_string()))
        .update_expression("SET sizeBytes = :text REMOVE timeShard, statusShard, reviewShard")
        .expression_attribute_values(":text", AttributeValue::S("many".into()))
        .send()
        .await
        .unwrap();

    let error = store.get(record.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
    assert!(error.to_string().contains("sizeBytes"), "{error}");
}

#[tokio::test]
async fn an_item_that_can_not_be_read_does_not_take_the_list_away() {
    let deployment = MiniStack::shared().await.deploy("damaged").await;
    let store = AsDeployed::of(&deployment).await;
    let mut records: Vec<FileRecord> = (0..40).map(pending).collect();
    for record in &records {
        store.insert(record).await.unwrap();
    }
    // Some, among them the newest, the oldest, and those around the end of a page.
    let admin = dynamodb_client(&sdk_config(&deployment, &deployment.admin).await);
    for i in [39, 30, 29, 12, 0] {
        let damaged = records.remove(i);
        let update = admin.update_item().table_name(&deployment.table);
        update
            .key("fileId", AttributeValue::S(damaged.id.to_string()))
            .update_expression("REMOVE filename")
            .send()
            .await
            .unwrap();
    }
    records.reverse();
    for status in [None, Some(Status::Pending)] {
        let mut listed = Vec::new();
        let mut before = None;
        loop {
            let request = PageRequest {
                owner: None,
                status,
                before,
                limit: 10,
            };
            let page = store.page(request).await.unwrap();
            listed.extend(page.records);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert!(listed == records, "{} of {}", listed.len(), records.len());
    }
}

fn assert_unavailable<T>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(error @ StoreError::Unavailable { .. }) => error.chain(),
        Err(error) => panic!("another error: {}", error.chain()),
        Ok(_) => panic!("no error"),
    }
}

#[tokio::test]
async fn wrong_credentials_and_a_missing_table_are_unavailable() {
    let deployment = Deployment::shared().await;
    let forged = Credentials {
        access_key_id: deployment.api.access_key_id.clone(),
        secret_access_key: "not-the-secret-of-this-key".into(),
    };
    let told = assert_unavailable(store(deployment, &forged).await.check().await);
    assert!(!told.contains(&forged.secret_access_key));

    let client = dynamodb_client(&sdk_config(deployment, &deployment.admin).await);
    let missing = DynamoDbMetadataStore::new(client, "there-is-no-such-table");
    assert_unavailable(missing.check().await);
    assert_unavailable(missing.insert(&pending(0)).await);
}

/// A store whose requests go to `address`.
async fn store_at(address: SocketAddr) -> DynamoDbMetadataStore {
    let mut deployment = Deployment::shared().await.clone();
    deployment.endpoint = format!("http://{address}");
    let api = deployment.api.clone();
    store(&deployment, &api).await
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_unavailable_within_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = store_at(silent.local_addr().unwrap()).await;
    let started_at = Instant::now();
    assert_unavailable(store.get(pending(0).id).await);
    assert!(started_at.elapsed() < TIME_LIMIT);
}

/// A store whose every request is answered by `answer`, with a status line and JSON.
async fn store_answered_by(
    answer: impl Fn(serde_json::Value) -> (&'static str, serde_json::Value) + Send + 'static,
) -> DynamoDbMetadataStore {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = store_at(listener.local_addr().unwrap()).await;
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let request = read_message(&mut connection).await.unwrap();
            let body = request.iter().position(|byte| *byte == b'{').unwrap();
            let (status, body) = answer(serde_json::from_slice(&request[body..]).unwrap());
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 connection: close\r\n\r\n{body}"
            );
            connection.write_all(answer.as_bytes()).await.unwrap();
            connection.shutdown().await.unwrap();
        }
    });
    store
}

#[tokio::test]
async fn a_table_that_is_throttled_is_unavailable_after_a_few_attempts() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counter = attempts.clone();
    let store = store_answered_by(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        let code = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
        (
            "400 Bad Request",
            json!({"__type": code, "message": "slow down"}),
        )
    })
    .await;
    let told = assert_unavailable(store.insert(&pending(0)).await);
    assert!(
        told.contains("ProvisionedThroughputExceededException"),
        "{told}"
    );
    assert_eq!(attempts.load(Ordering::Relaxed), 5);
}

/// DynamoDB promises no order among entries of an index with the same sort key, and the emulator
/// sorts them.
#[tokio::test]
async fn due_records_of_one_moment_are_put_in_order_though_the_index_has_none() {
    let moment = from_millis(1_790_000_000_123).unwrap();
    let ids: Vec<FileId> = (0..3).map(|i| with_last_byte(pending(i), 0).id).collect();
    let later = with_last_byte(pending(3), 0).id;
    let entry = move |id: FileId, millis_later: i64| {
        json!({
            "reviewShard": {"S": "0"},
            "reviewAt": {"N": (moment.timestamp_millis() + millis_later).to_string()},
            "fileId": {"S": id.to_string()},
        })
    };
    let entries = [(ids[2], 0), (ids[1], 0), (ids[0], 0), (later, 1)];
    let store = store_answered_by(move |query| {
        let shard = &query["ExpressionAttributeValues"][":shard"]["S"];
        let (items, next) = match (shard.as_str(), query.get("ExclusiveStartKey")) {
            (Some("0"), None) => (&entries[..2], Some(entries[1])),
            (Some("0"), Some(_)) => (&entries[2..], None),
            _ => (&[][..], None),
        };
        let items: Vec<_> = items.iter().map(|(id, at)| entry(*id, *at)).collect();
        let mut answer = json!({"Items": items});
        if let Some((id, at)) = next {
            answer["LastEvaluatedKey"] = entry(id, at);
        }
        ("200 OK", answer)
    })
    .await;

    let mut seen: Vec<DueRecord> = Vec::new();
    for _ in 0..4 {
        let until = moment + Duration::from_secs(1);
        let due = store.due_records(until, seen.last().copied(), 1).await;
        seen.extend(due.unwrap());
    }
    let seen: Vec<FileId> = seen.iter().map(|due_record| due_record.id).collect();
    assert_eq!(seen, [ids[0], ids[1], ids[2], later]);
}

/// Reads one HTTP message that has a content-length.
async fn read_message(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let head_end = message
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .map(|at| at + 4);
        if let Some(head_end) = head_end {
            let head = String::from_utf8_lossy(&message[..head_end]).to_lowercase();
            let body: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if message.len() >= head_end + body {
                return Ok(message);
            }
        }
        if from.read_buf(&mut message).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A store whose every first answer to a request is lost on the way: DynamoDB did what it was asked
/// to do, and the client has to ask again to find out.
async fn store_with_lost_answers(deployment: &Deployment) -> DynamoDbMetadataStore {
    let emulator = deployment
        .endpoint
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = store_at(listener.local_addr().unwrap()).await;
    tokio::spawn(async move {
        let mut is_lost = true;
        while let Ok((mut client, _)) = listener.accept().await {
            let request = read_message(&mut client).await.unwrap();
            let mut server = TcpStream::connect(&emulator).await.unwrap();
            server.write_all(&request).await.unwrap();
            let answer = read_message(&mut server).await.unwrap();
            if !is_lost {
                // One request for each connection, so that the next one is lost again.
                let answer = String::from_utf8(answer).unwrap();
                let answer = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                client.write_all(answer.as_bytes()).await.unwrap();
                client.shutdown().await.unwrap();
            }
            is_lost = !is_lost;
        }
    });
    store
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_answered_as_what_it_did() {
    let deployment = Deployment::shared().await;
    let store = store_with_lost_answers(deployment).await;
    let direct = AsDeployed::of(deployment).await;
    let [available, rejected, expired] = every_settlement(&pending(0));
    for settlement in [available, rejected, expired] {
        let mut record = pending(0);
        if let TransitionCondition::UploadExpiresAt(deadline) = settlement.condition {
            record.upload_expires_at = deadline;
        }
        store.insert(&record).await.unwrap();
        assert_eq!(direct.get(record.id).await.unwrap().as_ref(), Some(&record));

        let settled = store.transition(record.id, &settlement).await;
        assert_eq!(settled.unwrap(), TransitionOutcome::Applied);
        let deleted = store
            .delete(record.id, moment(3), far_expiry(), GRACE, moment(3))
            .await;
        assert!(deleted.unwrap());
        store.remove(record.id, Status::Deleted).await.unwrap();
        assert_eq!(direct.get(record.id).await.unwrap(), None);
    }
    let record = pending(0);
    store.insert(&record).await.unwrap();
    let later = record.upload_expires_at + Duration::from_secs(60);
    let renewed = store.renew_upload(record.id, later).await.unwrap().unwrap();
    assert_eq!(renewed.upload_expires_at, later);
    let hold = Hold {
        reason: HoldReason::given("case 4711").unwrap(),
        since: moment(1),
        by: None,
    };
    let held = store.hold(record.id, &hold).await.unwrap().unwrap();
    assert_eq!(held.hold.as_ref(), Some(&hold));
    let released = store.release(record.id, &hold, moment(2)).await.unwrap();
    assert_eq!(released, Some(renewed));
}

#[tokio::test]
async fn a_write_of_an_item_whose_answer_was_lost_is_answered_as_what_it_did() {
    // Here alone: both ports have calls of the same names.
    use file_share::item_store::ItemStore;

    let deployment = Deployment::shared().await;
    let store = store_with_lost_answers(deployment).await;
    let direct = AsDeployed::of(deployment).await.api;
    let item = item_store::conformance::item();
    assert!(store.put_new(&item, moment(0)).await.unwrap());
    let stored = ItemStore::get(&direct, &item.key, moment(0)).await;
    assert_eq!(stored.unwrap(), Some(item.clone()));
    assert!(store.replace(&item, moment(0)).await.unwrap());
    // Whoever comes too late is told so all the same.
    assert!(!store.replace(&item, moment(0)).await.unwrap());
    let other = Item {
        key: item.key.clone(),
        ..item_store::conformance::item()
    };
    assert!(!store.put_new(&other, moment(0)).await.unwrap());
    ItemStore::remove(&store, &item.key, moment(0))
        .await
        .unwrap();
    let stored = ItemStore::get(&direct, &item.key, moment(0)).await;
    assert_eq!(stored.unwrap(), None);
}

#[tokio::test]
async fn a_write_that_came_too_late_is_told_so_even_if_its_answer_was_lost() {
    let deployment = Deployment::shared().await;
    let store = store_with_lost_answers(deployment).await;
    let direct = AsDeployed::of(deployment).await;
    let record = pending(0);
    direct.insert(&record).await.unwrap();
    assert!(matches!(
        store.insert(&record).await,
        Err(StoreError::AlreadyExists { .. })
    ));
    assert!(
        direct
            .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
            .await
            .unwrap()
    );
    let outcomes = join_all(
        every_settlement(&record)
            .iter()
            .map(|settlement| direct.transition(record.id, settlement)),
    )
    .await;
    for outcome in outcomes {
        assert_eq!(outcome.unwrap(), TransitionOutcome::Unchanged);
    }
    assert!(
        !store
            .delete(record.id, moment(1), far_expiry(), GRACE, moment(1))
            .await
            .unwrap()
    );
}

/// A program that knows of no quotas ends a record, and leaves in it whom it was charged.
#[tokio::test]
async fn what_another_program_ended_is_given_back_once_by_a_recount() {
    let deployment = own_deployment().await;
    let store = AsDeployed::of(&deployment).await;
    let owner = UserId::of("https://id.example.org", "ada");
    let quota = Quota {
        max_files: Some(10),
        max_bytes: None,
    };
    let records = [0, 1].map(|number| FileRecord {
        owner: Some(owner),
        ..pending(number)
    });
    for record in &records {
        let new = NewRecord {
            record,
            request: None,
            max_files_in_box: None,
            now: record.created_at(),
        };
        let inserted = store.insert_charged(new, &quota).await.unwrap();
        assert_eq!(inserted, ChargedInsert::Inserted);
    }
    let ended = &records[0];
    dynamodb_client(&sdk_config(&deployment, &deployment.admin).await)
        .update_item()
        .table_name(&deployment.table)
        .key("fileId", AttributeValue::S(ended.id.to_string()))
        .update_expression("SET #status = :expired REMOVE reviewShard")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":expired", AttributeValue::S("expired".into()))
        .send()
        .await
        .unwrap();
    assert_eq!(store.usage(owner).await.unwrap().files, 2);

    for _ in 0..2 {
        assert_eq!(store.charge_all().await.unwrap(), 0);
        assert_eq!(store.usage(owner).await.unwrap().files, 1);
    }
    let found = store.recount().await.unwrap();
    assert!(found.iter().all(Recounted::is_right), "{found:?}");
}
