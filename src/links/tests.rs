//! Links from their making to their end, with a clock that the test moves.

mod grants;
mod life;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::access::{Caller, Person, Role, Scope, TokenCaller, TokenId};
use crate::capability_token::CapabilityKeys;
use crate::clock::{Clock, ManualClock};
use crate::domain::{
    Audience, Declaration, FileId, IdempotencyKey, Lifecycle, ObjectKey, Timestamp, UserId,
    from_millis,
};
use crate::file_events::FileEvents;
use crate::item_store::memory::MemoryItemStore;
use crate::metadata_store::memory::MemoryMetadataStore;
use crate::object_store::memory::MemoryObjectStore;
use crate::operations::{
    Context, NewFile, OperationError, Stores, create_file, delete_file, finalize_upload,
};
use crate::presigned_url::{BucketUrl, DownloadMethod, Presigner, SigningCredentials};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn links_in(items: &Arc<MemoryItemStore>, secret: &str) -> Links {
    let keys = CapabilityKeys::of_secrets(secret, []);
    Links::new(Arc::clone(items) as _, keys, Arc::default())
}

struct Fixture {
    stores: Stores,
    links: Links,
    presigner: Presigner,
    clock: ManualClock,
    items: Arc<MemoryItemStore>,
    objects: Arc<MemoryObjectStore>,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::at(from_millis(1_790_000_000_000).unwrap());
        let objects = Arc::new(MemoryObjectStore::new(Arc::new(clock.clone()), true));
        let items = Arc::new(MemoryItemStore::default());
        Self {
            stores: Stores {
                metadata: Arc::new(MemoryMetadataStore::default()),
                objects: objects.clone(),
                clock: Arc::new(clock.clone()),
                lifecycle: Lifecycle::default(),
                events: FileEvents::off(),
                quotas: crate::quotas::Quotas::off(),
                scans: crate::scanner::Scans::off(),
                metrics: crate::metrics::Metrics::off(),
            },
            links: links_in(&items, SECRET),
            presigner: Presigner::new(
                SigningCredentials::fixed("local", "secret"),
                "local".into(),
                Duration::from_secs(900),
                Duration::from_secs(300),
            ),
            clock,
            items,
            objects,
        }
    }

    /// Another process of the service.
    fn another(&self, secret: &str) -> Links {
        links_in(&self.items, secret)
    }

    async fn pending(&self, caller: &Caller) -> FileId {
        let new = NewFile::sample(Declaration::sample());
        let context = by(caller);
        let created = create_file(&self.stores, &self.presigner, &context, new, None).await;
        created.unwrap().record.id
    }

    async fn settle(&self, id: FileId) {
        self.objects.put(ObjectKey::new(id), "hello", None);
        let finalized = finalize_upload(&self.stores, ObjectKey::new(id)).await;
        finalized.unwrap();
    }

    async fn file(&self, caller: &Caller) -> FileId {
        let id = self.pending(caller).await;
        self.settle(id).await;
        id
    }

    async fn create(&self, caller: &Caller, new: NewLink) -> Result<Link, OperationError> {
        create_link(&self.stores, &self.links, &by(caller), new).await
    }

    async fn change(
        &self,
        caller: &Caller,
        link: &Link,
        change: LinkChange,
    ) -> Result<Link, OperationError> {
        change_link(&self.stores, &self.links, &by(caller), link.id, change).await
    }

    async fn revoke(&self, caller: &Caller, link: &Link) -> Result<(), OperationError> {
        revoke_link(&self.stores, &self.links, &by(caller), link.id).await
    }

    fn token(&self, link: &Link) -> String {
        self.links.token(link).expose().to_owned()
    }

    async fn look(&self, caller: &Caller, token: &str) -> Result<SharedFiles, OperationError> {
        describe_shared(&self.stores, &self.links, &by(caller), token).await
    }

    async fn take(&self, token: &str, taking: Taking) -> Result<Grant, OperationError> {
        let nobody = by(&Caller::Nobody);
        self.take_as(&nobody, token, taking).await
    }

    async fn take_as(
        &self,
        context: &Context,
        token: &str,
        taking: Taking,
    ) -> Result<Grant, OperationError> {
        let (stores, presigner, links) = (&self.stores, &self.presigner, &self.links);
        download_shared(stores, presigner, links, context, token, taking).await
    }
}

fn by(caller: &Caller) -> Context {
    from(caller, None)
}

fn from(caller: &Caller, address: Option<IpAddr>) -> Context {
    let bucket = BucketUrl::path_style("http://localhost:8000", "bucket");
    Context::new(caller.clone(), address, bucket, String::new())
}

fn person(name: &str, role: Role) -> Caller {
    Caller::User(Arc::new(Person {
        id: UserId::of("https://id.example.org", name),
        role,
        name: None,
    }))
}

fn alice() -> Caller {
    person("alice", Role::Member)
}

fn to(files: &[FileId]) -> NewLink {
    NewLink {
        files: files.to_vec(),
        title: None,
        label: None,
        expires_at: None,
        max_downloads: None,
        password: None,
        audience: Audience::Anyone,
    }
}

fn limited(files: &[FileId], limit: u32) -> NewLink {
    NewLink {
        max_downloads: Some(limit),
        ..to(files)
    }
}

fn of(file: FileId) -> Taking {
    Taking {
        file,
        password: None,
        key: None,
        method: DownloadMethod::Get,
    }
}

fn keyed(file: FileId, key: &str) -> Taking {
    let key = IdempotencyKey::parse(key).unwrap();
    Taking {
        key: Some(GrantKey::of(key, None)),
        ..of(file)
    }
}
