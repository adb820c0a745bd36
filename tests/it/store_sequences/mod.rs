//! Random sequences of calls to each metadata store, beside a reference that says what each has to
//! answer. A sequence that fails is cut down to what it takes.
//!
//! Invariant: one harness for all stores. A store differs in how it is opened and in how long its
//! indexes may lag, and in nothing that it answers.
//!
//! Absent on purpose: calls at the same time. The conformance suite has races.

mod call;
mod reference;

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use file_share::aws::dynamodb_client;
use file_share::metadata_store::dynamodb::DynamoDbMetadataStore;
use file_share::metadata_store::memory::MemoryMetadataStore;
use file_share::metadata_store::sqlite::SqliteMetadataStore;
use file_share::metadata_store::{MetadataStore, StoreError};
use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::support::aws_clients::sdk_config;
use crate::support::ministack::{Deployment, MiniStack};
use call::{Call, GRACE, every_file};
use reference::{Answer, Reference};

/// How often an answer from a lagging index is asked for again.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A store under test, empty when it is opened.
trait Subject: 'static {
    /// How long an index may take to show what was written.
    const INDEX_DELAY: Duration = Duration::ZERO;

    fn open() -> Self;

    fn store(&self) -> Arc<dyn MetadataStore>;

    /// Closes it and opens it again, if it is one that is opened.
    fn reopen(self) -> Self;
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

struct InMemory(Arc<MemoryMetadataStore>);

impl Subject for InMemory {
    fn open() -> Self {
        Self(Arc::default())
    }

    fn store(&self) -> Arc<dyn MetadataStore> {
        self.0.clone()
    }

    fn reopen(self) -> Self {
        self
    }
}

struct Sqlite {
    store: Arc<SqliteMetadataStore>,
    directory: tempfile::TempDir,
}

impl Sqlite {
    fn open_in(directory: tempfile::TempDir) -> Self {
        let store = SqliteMetadataStore::open(&directory.path().join("metadata.sqlite")).unwrap();
        Self {
            store: Arc::new(store),
            directory,
        }
    }
}

impl Subject for Sqlite {
    fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> Arc<dyn MetadataStore> {
        self.store.clone()
    }

    fn reopen(self) -> Self {
        let Self { store, directory } = self;
        drop(store);
        Self::open_in(directory)
    }
}

/// A table of its own for all sequences, emptied after each.
struct DynamoDb(Arc<DynamoDbMetadataStore>);

impl DynamoDb {
    fn table() -> &'static (Deployment, aws_sdk_dynamodb::Client) {
        static TABLE: OnceLock<(Deployment, aws_sdk_dynamodb::Client)> = OnceLock::new();
        TABLE.get_or_init(|| {
            runtime().block_on(async {
                let deployment = MiniStack::shared().await.deploy("sequences").await;
                // API and worker share the port's calls between them; their permissions are tested
                // with the suite.
                let client = dynamodb_client(&sdk_config(&deployment, &deployment.admin).await);
                (deployment, client)
            })
        })
    }
}

impl Subject for DynamoDb {
    const INDEX_DELAY: Duration = Duration::from_secs(5);

    fn open() -> Self {
        let (deployment, client) = Self::table();
        let store = DynamoDbMetadataStore::new(client.clone(), &deployment.table);
        let subject = Self(Arc::new(store));
        // A sequence that failed has left something.
        subject.empty();
        subject
    }

    fn store(&self) -> Arc<dyn MetadataStore> {
        self.0.clone()
    }

    fn reopen(self) -> Self {
        self
    }
}

impl DynamoDb {
    fn empty(&self) {
        let (deployment, client) = Self::table();
        runtime().block_on(async {
            for id in every_file() {
                client
                    .delete_item()
                    .table_name(&deployment.table)
                    .key("fileId", AttributeValue::S(id.to_string()))
                    .send()
                    .await
                    .unwrap();
            }
        });
    }
}

async fn ask(store: &dyn MetadataStore, call: &Call) -> Result<Answer, StoreError> {
    Ok(match call {
        Call::Insert(record) => match store.insert(record).await {
            Err(StoreError::AlreadyExists { .. }) => Answer::AlreadyExists,
            other => other.map(|()| Answer::Nothing)?,
        },
        Call::Get(id) => Answer::Record(store.get(*id).await?.map(Box::new)),
        Call::Page(request) => Answer::Page(store.page(*request).await?),
        Call::RenewUpload(id, until) => {
            let renewed = store.renew_upload(*id, *until).await?;
            Answer::Record(renewed.map(Box::new))
        }
        Call::Transition(id, transition) => {
            Answer::Transition(store.transition(*id, transition).await?)
        }
        Call::Delete(id, now, purge_at) => {
            let deleting = store.delete(*id, *now, *purge_at, GRACE, *now);
            Answer::Deleted(deleting.await?)
        }
        Call::Hold(id, hold) => Answer::Record(store.hold(*id, hold).await?.map(Box::new)),
        Call::Release(id, hold, due_at) => {
            Answer::Record(store.release(*id, hold, *due_at).await?.map(Box::new))
        }
        Call::KeepLonger(id, at) => {
            Answer::Record(store.keep_longer(*id, *at).await?.map(Box::new))
        }
        Call::PostponeDeletion(id, seen, at) => {
            Answer::Deleted(store.postpone_deletion(*id, *seen, *at).await?)
        }
        Call::DueRecords(until, after, limit) => {
            Answer::Due(store.due_records(*until, *after, *limit).await?)
        }
        Call::PostponeReconcile(id, at) => {
            Answer::Deleted(store.postpone_reconcile(*id, *at, GRACE).await?)
        }
        Call::ScheduleReconcile(id, status, at, purge_at) => {
            let scheduled = store.schedule_reconcile(*id, *status, *at, *purge_at);
            scheduled.await?;
            Answer::Nothing
        }
        Call::Remove(id, status) => {
            store.remove(*id, *status).await?;
            Answer::Nothing
        }
        Call::Reopen => Answer::Nothing,
    })
}

struct Sequence<S>(PhantomData<S>);

impl<S: Subject> StateMachineTest for Sequence<S> {
    type SystemUnderTest = S;
    type Reference = Reference;

    fn init_test(_: &Reference) -> S {
        S::open()
    }

    fn apply(mut subject: S, reference: &Reference, call: Call) -> S {
        if matches!(call, Call::Reopen) {
            subject = subject.reopen();
        }
        let store = subject.store();
        let read_from_index = matches!(call, Call::Page(_) | Call::DueRecords(..));
        runtime().block_on(async {
            let patience = if read_from_index {
                S::INDEX_DELAY
            } else {
                Duration::ZERO
            };
            let deadline = Instant::now() + patience;
            loop {
                let answer = ask(&*store, &call).await.unwrap();
                if answer == reference.answer {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{call:?}\nhas to answer {:?}\nand answers   {answer:?}",
                    reference.answer
                );
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            if let Some(id) = call.file() {
                let stored = store.get(id).await.unwrap();
                assert_eq!(stored, reference.get(id), "after {call:?}");
            }
        });
        subject
    }

    fn teardown(subject: S, reference: Reference) {
        let store = subject.store();
        runtime().block_on(async {
            for id in every_file() {
                assert_eq!(store.get(id).await.unwrap(), reference.get(id));
            }
        });
        drop(store);
    }
}

/// Nothing is written down for the next run: a sequence that failed becomes a test by hand.
fn sequences(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20 * cases,
        ..Config::default()
    }
}

prop_state_machine! {
    #![proptest_config(sequences(256))]
    #[test]
    fn the_store_in_memory_answers_as_the_reference(sequential 1..80 => Sequence<InMemory>);
}

prop_state_machine! {
    #![proptest_config(sequences(48))]
    #[test]
    fn sqlite_answers_as_the_reference(sequential 1..80 => Sequence<Sqlite>);
}

prop_state_machine! {
    #![proptest_config(sequences(16))]
    #[test]
    fn dynamodb_answers_as_the_reference(sequential 1..40 => Sequence<DynamoDb>);
}
