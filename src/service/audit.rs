//! The audit log's line of a call.
//!
//! Invariant: what a call changed or handed out has a line, also if its client goes away in the middle or a store
//! doesn't say whether it did it; nothing is begun that there is no room to write down.

use std::io;

use crate::access::Action;
use crate::audit::{AuditLog, DONE, Entry, UNKNOWN, Written};
use crate::capability_token::RenewableId;
use crate::clock::Clock;
use crate::domain::{BoxId, FileId, FileRecord, UserId};
use crate::file_events::{EventKind, EventPage};
use crate::links::{Grant, Link, LinkPage, SharedFiles};
use crate::metadata_store::Page;
use crate::operations::{Context, CreatedFile, ErrorCode, OperationError, Stores};
use crate::presigned_url::{PresignedUpload, PresignedUrl};
use crate::receipt::SignedReceipt;
use crate::request_log;
use crate::store_error::StoreError;

const STORE: &str = "the audit log";

/// What a call is about, as its line names it.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    /// What only shows when it is done.
    Unknown,
    File(FileId),
    Link(RenewableId),
    Box(BoxId),
}

impl About {
    fn name(self) -> Option<String> {
        match self {
            Self::Unknown => None,
            Self::File(id) => Some(id.to_string()),
            Self::Link(id) => Some(id.to_string()),
            Self::Box(id) => Some(id.to_string()),
        }
    }

    fn file(self) -> Option<FileId> {
        match self {
            Self::File(id) => Some(id),
            Self::Unknown | Self::Link(_) | Self::Box(_) => None,
        }
    }
}

/// What an operation brings, by what it made or handed out.
pub(super) trait Brought {
    /// The name of what wasn't there before.
    fn name(&self) -> Option<String> {
        None
    }

    /// The file that wasn't there before.
    fn made_file(&self) -> Option<FileId> {
        None
    }

    /// Whose the file is, where the record is brought.
    fn owner(&self) -> Option<UserId> {
        None
    }

    /// What this is to whom the file belongs, where an action usually is `usual`.
    fn event(&self, usual: Option<EventKind>) -> Option<EventKind> {
        usual
    }
}

impl Brought for CreatedFile {
    fn name(&self) -> Option<String> {
        self.made_file().map(|id| id.to_string())
    }

    fn made_file(&self) -> Option<FileId> {
        Some(self.record.id)
    }

    fn owner(&self) -> Option<UserId> {
        self.record.owner
    }

    fn event(&self, usual: Option<EventKind>) -> Option<EventKind> {
        match (self.is_repeated, &self.upload) {
            (false, _) => usual,
            (true, Some(_)) => Some(EventKind::UploadRenewed),
            (true, None) => None,
        }
    }
}
impl Brought for Link {
    fn name(&self) -> Option<String> {
        Some(self.id.to_string())
    }
}
impl Brought for Grant {
    /// With what stands in the log of the store, so that the two can be read together.
    fn name(&self) -> Option<String> {
        let (file, link, grant) = (self.file, self.link.id, self.id.as_str());
        Some(format!("{file} by link {link}, grant {grant}"))
    }
}
impl Brought for EventPage {}
impl Brought for FileRecord {
    fn owner(&self) -> Option<UserId> {
        self.owner
    }
}
impl Brought for LinkPage {}
impl Brought for Page {}
impl Brought for PresignedUpload {}
impl Brought for PresignedUrl {}
impl Brought for SharedFiles {}
impl Brought for SignedReceipt {}
impl Brought for () {}

/// The line of a call that is under way.
pub(super) struct PendingLine<'a> {
    audit: &'a AuditLog,
    clock: &'a dyn Clock,
    context: &'a Context,
    action: Action,
    about: About,
    is_written: bool,
}

impl<'a> PendingLine<'a> {
    /// Sees to it that there is room for the line.
    ///
    /// # Errors
    /// There is none: then nothing must be done.
    pub(super) fn begin(
        audit: &'a AuditLog,
        clock: &'a dyn Clock,
        context: &'a Context,
        action: Action,
        about: About,
    ) -> Result<Self, OperationError> {
        audit.reserve().map_err(failed)?;
        Ok(Self {
            audit,
            clock,
            context,
            action,
            about,
            is_written: false,
        })
    }

    /// Has what became of the call written; [`is_out`] waits until it is.
    ///
    /// # Errors
    /// The line can't be written: then nothing may be handed out.
    pub(super) fn end<T: Brought>(
        mut self,
        outcome: &Result<T, OperationError>,
    ) -> Result<Written, OperationError> {
        self.is_written = true;
        match outcome {
            Ok(done) => {
                let entry = self.entry(done.name().or(self.about.name()), DONE);
                self.audit.record(&entry).map_err(failed)
            }
            Err(OperationError::Store(_)) => {
                // Bounded as refusals are: a store that is away fails every call.
                let entry = self.entry(self.about.name(), UNKNOWN);
                log_failure(self.audit.record_refusal(&entry));
                Ok(Written::already())
            }
            // It was decided before anything was done.
            Err(_) => Ok(Written::already()),
        }
    }

    fn entry(&self, resource: Option<String>, outcome: &'static str) -> Entry<'a> {
        Entry {
            resource,
            ..entry(self.clock, self.context, self.action, outcome)
        }
    }
}

/// Waits for a line.
///
/// # Errors
/// It takes too long: then nothing may be handed out.
pub(super) async fn is_out(line: Written) -> Result<(), OperationError> {
    line.wait().await.map_err(failed)
}

/// The client went away.
impl Drop for PendingLine<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            let line = self.audit.record(&self.entry(self.about.name(), UNKNOWN));
            log_failure(line.map(drop));
        }
    }
}

/// Notes for whom the file belongs to what was done.
pub(super) fn note<T: Brought>(
    stores: &Stores,
    context: &Context,
    action: Action,
    about: About,
    done: &T,
) {
    let usual = match action {
        Action::CreateFile | Action::HandIn => Some(EventKind::Created),
        Action::RenewUpload => Some(EventKind::UploadRenewed),
        Action::CompleteUpload => Some(EventKind::Completed),
        Action::DownloadFile | Action::DownloadShared => Some(EventKind::Downloaded),
        Action::DeleteFile => Some(EventKind::Deleted),
        Action::HoldFile => Some(EventKind::Held),
        Action::ReleaseFile => Some(EventKind::Released),
        Action::KeepFile => Some(EventKind::Kept),
        _ => None,
    };
    let (kind, file) = (done.event(usual), done.made_file().or(about.file()));
    if let (Some(kind), Some(file)) = (kind, file) {
        let (caller, request_id) = (&context.caller, &context.request_id);
        let at = match kind {
            EventKind::Created => file.created_at(),
            _ => stores.clock.now(),
        };
        let owner = done.owner();
        stores
            .events
            .done_by(caller, kind, file, owner, request_id, at);
    }
}

/// Writes down that a call was refused.
pub(super) fn refused(
    audit: &AuditLog,
    clock: &dyn Clock,
    context: &Context,
    action: Action,
    code: ErrorCode,
) {
    log_failure(audit.record_refusal(&entry(clock, context, action, code.as_str())));
}

fn entry<'a>(
    clock: &dyn Clock,
    context: &'a Context,
    action: Action,
    outcome: &'static str,
) -> Entry<'a> {
    Entry {
        time: clock.now(),
        request_id: &context.request_id,
        caller: (&context.caller).into(),
        action: action.as_str(),
        resource: None,
        outcome,
        source: context.address,
    }
}

fn failed(error: io::Error) -> OperationError {
    OperationError::Store(StoreError::from_io(STORE, error))
}

fn log_failure(written: io::Result<()>) {
    if let Err(error) = written {
        request_log::FAILED
            .log(|| tracing::error!(%error, "a line of the audit log can't be written"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio_util::sync::CancellationToken;

    use super::super::{CallPermits, FileService, ServiceParts};
    use super::*;
    use crate::access::Caller;
    use crate::audit::AuditKey;
    use crate::boxes::Boxes;
    use crate::capability_token::CapabilityKeys;
    use crate::clock::ManualClock;
    use crate::create_limits::CreateLimit;
    use crate::domain::{Declaration, Lifecycle, from_millis};
    use crate::item_store::memory::MemoryItemStore;
    use crate::links::Links;
    use crate::metadata_store::memory::MemoryMetadataStore;
    use crate::object_store::intercepted::{Call, Intercepted, Interceptor};
    use crate::object_store::memory::MemoryObjectStore;
    use crate::operations::{NewFile, Stores};
    use crate::presigned_url::{
        BucketUrl, DownloadMethod, Presigner, SigningCredentials, UploadMethod,
    };

    /// A bucket in which no deletion comes to an end.
    struct EndlessDeletions;

    impl Interceptor for EndlessDeletions {
        async fn around<T: Send>(
            &self,
            call: Call,
            made: impl Future<Output = Result<T, StoreError>> + Send,
        ) -> Result<T, StoreError> {
            if matches!(call, Call::DeleteAllVersions(_)) {
                std::future::pending::<()>().await;
            }
            made.await
        }
    }

    fn links() -> Links {
        let keys = CapabilityKeys::of_secrets("0123456789abcdef0123456789abcdef", []);
        Links::new(Arc::new(MemoryItemStore::default()), keys, Arc::default())
    }

    fn now() -> crate::domain::Timestamp {
        from_millis(1_790_000_000_000).unwrap()
    }

    struct Service {
        service: FileService,
        metadata: Arc<MemoryMetadataStore>,
        audit: Arc<AuditLog>,
        dir: tempfile::TempDir,
        context: Context,
    }

    impl Service {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let key = AuditKey::from_seed(&[7; 32]).unwrap();
            let audit = AuditLog::in_data_dir(dir.path(), key, now()).unwrap();
            Self {
                dir,
                ..Self::with_audit(Arc::new(audit))
            }
        }

        fn with_audit(audit: Arc<AuditLog>) -> Self {
            let clock = Arc::new(ManualClock::at(now()));
            let metadata = Arc::new(MemoryMetadataStore::default());
            let lifetime = Duration::from_secs(900);
            let credentials = SigningCredentials::fixed("local", "secret");
            let service = FileService::new(ServiceParts {
                stores: Stores {
                    metadata: Arc::clone(&metadata) as _,
                    objects: Arc::new(Intercepted {
                        store: Arc::new(MemoryObjectStore::new(Arc::clone(&clock) as _, true)),
                        interceptor: EndlessDeletions,
                    }),
                    clock: clock as _,
                    lifecycle: Lifecycle::default(),
                    events: crate::file_events::FileEvents::off(),
                    quotas: crate::quotas::Quotas::off(),
                    scans: crate::scanner::Scans::off(),
                    metrics: crate::metrics::Metrics::off(),
                },
                boxes: Boxes::new(
                    Arc::new(MemoryItemStore::default()),
                    Arc::clone(&metadata) as _,
                    CapabilityKeys::of_secrets("a secret of a test that is long enough", []),
                    Arc::default(),
                    0,
                ),
                presigner: Presigner::new(credentials, "local".into(), lifetime, lifetime),
                receipt_keys: Arc::default(),
                links: links(),
                allowed_types: crate::domain::AllowedTypes::default(),
                create_limit: CreateLimit::Off,
                permits: CallPermits::new(false),
                audit: Some(Arc::clone(&audit)),
                stop: CancellationToken::new(),
            });
            let bucket = BucketUrl::path_style("http://localhost:8000", "bucket");
            Self {
                service,
                metadata,
                audit,
                dir: tempfile::tempdir().unwrap(),
                context: Context::new(Caller::Operator, None, bucket, "r".into()),
            }
        }

        async fn create(&self) -> Result<FileId, OperationError> {
            let new = NewFile::sample(Declaration::sample());
            let created = self.service.create_file(&self.context, new, None).await?;
            Ok(created.record.id)
        }

        fn log(&self) -> String {
            let days = std::fs::read_dir(self.dir.path().join("audit")).unwrap();
            days.map(|day| std::fs::read_to_string(day.unwrap().path()).unwrap())
                .collect()
        }
    }

    #[tokio::test]
    async fn what_could_not_be_written_down_is_not_done() {
        let service = Service::new();
        let id = service.create().await.unwrap();
        service.audit.take_all_room().unwrap();
        let (api, context) = (&service.service, &service.context);
        service.create().await.unwrap_err();
        api.delete_file(context, id).await.unwrap_err();
        let renewed = api.renew_upload(context, id, UploadMethod::Put).await;
        assert!(matches!(renewed, Err(OperationError::Store(_))));
        let downloaded = api.download_file(context, id, DownloadMethod::Get).await;
        assert!(matches!(downloaded, Err(OperationError::Store(_))));
        assert_eq!(service.metadata.count(), 1);
        // What changes nothing goes on, and so does a refusal.
        api.describe_file(context, id).await.unwrap();
        let mut nobody = context.clone();
        nobody.caller = Caller::Nobody;
        let refused = api.delete_file(&nobody, id).await;
        assert!(matches!(refused, Err(OperationError::SignInRequired)));
    }

    #[tokio::test]
    async fn a_call_whose_client_went_away_or_whose_store_said_nothing_has_a_line() {
        let service = Service::new();
        let id = service.create().await.unwrap();
        let (api, context) = (&service.service, &service.context);
        // The tombstone is there, and nobody waits for the rest.
        let deleted = api.delete_file(context, id).now_or_never();
        assert!(deleted.is_none(), "it came to an end");
        let line = |outcome: &str| {
            let wanted = format!(
                "\"action\":\"delete_file\",\"resource\":\"{id}\",\"outcome\":\"{outcome}\""
            );
            service.log().matches(&wanted).count()
        };
        assert_eq!(line("unknown"), 1, "{}", service.log());
        service.metadata.set_fault(Some("away"));
        api.delete_file(context, id).await.unwrap_err();
        assert_eq!((line("unknown"), line("done")), (2, 0));
    }

    #[tokio::test]
    async fn as_long_as_nobody_takes_the_lines_nothing_is_handed_out_and_nothing_begun() {
        let (reader, writer) = std::io::pipe().unwrap();
        let file = std::fs::File::from(std::os::fd::OwnedFd::from(writer));
        let audit = AuditLog::on_pipe(file, Duration::from_millis(50));
        let service = Service::with_audit(Arc::new(audit));
        let (api, context) = (&service.service, &service.context);
        let id = service.create().await.unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let downloaded = api.download_file(context, id, DownloadMethod::Get).await;
            match downloaded {
                Err(OperationError::UploadPending) => {
                    service.audit.fill();
                }
                Err(OperationError::Store(StoreError::Unavailable { .. })) => break,
                other => panic!("{other:?}"),
            }
            assert!(tokio::time::Instant::now() < deadline, "it goes on");
        }
        let before = service.metadata.count();
        for _ in 0..2 {
            let refused = service.create().await.unwrap_err();
            assert_eq!(refused.code(), ErrorCode::StoreUnavailable);
        }
        assert_eq!(service.metadata.count(), before);
        // What changes nothing goes on.
        api.describe_file(context, id).await.unwrap();
        let reading = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
        while service.create().await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "it doesn't go on");
            tokio::task::yield_now().await;
        }
        drop(service);
        let text = reading.join().unwrap();
        assert!(text.lines().count() > 2 && text.ends_with('\n'));
    }
}
