//! Clients: they create, upload, send again, renew, ask, fetch and delete, also each other's files,
//! and write down what they were told.
//!
//! Invariant: a client judges an answer by what it knew before it asked. What an API that died on it
//! might have done counts as not told.

use std::sync::Arc;

use bytes::Bytes;
use file_share::domain::{Declaration, FileId, Timestamp, whole_millis};
use file_share::metadata_store::PageRequest;
use file_share::operations::{
    Context, CreatedFile, NewFile, OperationError, Rescan, Stores, WhichFiles, Whose, create_file,
    delete_file, describe_file, download_file, list_files, renew_upload,
};
use file_share::presigned_url::{DownloadMethod, PresignedUpload, Presigner, UploadMethod};
use file_share::scanner::probes::eicar;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::bucket::{Bucket, Upload, digest};
use super::scanner::SimulatedScanner;
use super::simulation::{CHAOS, UPLOAD_LIFETIME};
use super::stores::Shared;

/// The longest pause between two calls of one client, in milliseconds.
const LONGEST_PAUSE: u64 = 15_000;
const LARGEST_FILE: u64 = 300;
/// For how long a file is kept at the most whose end is said, in milliseconds.
const LONGEST_KEPT: u64 = 400_000;

pub(crate) struct Client {
    pub shared: Shared,
    pub bucket: Arc<Bucket>,
    /// The API's, with its faults.
    pub stores: Stores,
    pub clock_is_right: bool,
    pub presigner: Arc<Presigner>,
    pub context: Context,
    /// URLs that still may be used again.
    pub uploads: Vec<Upload>,
}

impl Client {
    pub(crate) async fn run(mut self) {
        while self.shared.chaos.elapsed() < CHAOS {
            sleep(self.shared.chaos.millis(0..LONGEST_PAUSE)).await;
            match self.shared.chaos.pick(0..100) {
                0..35 => self.create_and_upload().await,
                35..50 => self.upload_again().await,
                50..60 => self.renew().await,
                60..72 => self.describe().await,
                72..82 => self.download().await,
                82..92 => self.delete().await,
                92..95 => self.list().await,
                95..97 => self.rescan().await,
                _ => self.bucket.poison(),
            }
        }
    }

    /// A call of the API. `None` if the API died meanwhile, or the client hung up.
    async fn api<T>(
        &self,
        call: impl Future<Output = Result<T, OperationError>>,
    ) -> Option<Result<T, OperationError>> {
        let chaos = &self.shared.chaos;
        if chaos.chance(10) {
            let answer = timeout(chaos.millis(0..300), call).await.ok();
            if answer.is_none() {
                chaos.note("the API dies on a client");
            }
            answer
        } else {
            Some(call.await)
        }
    }

    /// A file that some client was told of.
    fn some_file(&self) -> Option<FileId> {
        let files: Vec<_> = self.shared.histories.all();
        let known: Vec<_> = files
            .iter()
            .filter(|(_, history)| history.created)
            .collect();
        let newest = known.len().saturating_sub(20);
        let at = newest..known.len();
        (!at.is_empty()).then(|| {
            let at = self.shared.chaos.pick(at.start as u64..at.end as u64);
            known[at as usize].0
        })
    }

    fn bytes(&self, length: u64) -> Bytes {
        (0..length)
            .map(|_| self.shared.chaos.pick(0..256) as u8)
            .collect()
    }

    /// IDs of different milliseconds sort alike in every run, whatever is random in them.
    async fn wait_for_a_millisecond_of_our_own(&self) {
        let is_taken = |at| {
            let files = self.shared.histories.all();
            files.iter().any(|(id, _)| id.created_at() == at)
        };
        while is_taken(self.stores.clock.now()) {
            sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Some begin to send just before their URL ends, by the store's clock.
    async fn dawdle(&self, upload: &Upload) {
        let left = upload.expires_at - self.bucket.clock.now();
        let Ok(left) = left.to_std() else { return };
        if left <= UPLOAD_LIFETIME && self.shared.chaos.chance(15) {
            let before_the_end = self.shared.chaos.millis(0..2_000);
            sleep(left.saturating_sub(before_the_end)).await;
        }
    }

    async fn create_and_upload(&mut self) {
        let bytes = match self.shared.chaos.chance(5) {
            true => eicar().into(),
            false => self.bytes(self.shared.chaos.pick(0..LARGEST_FILE)),
        };
        let length = bytes.len() as u64;
        let declared = match self.shared.chaos.pick(0..10) {
            0..4 => Some(digest(&bytes)),
            4 => Some(digest(b"something else")),
            _ => None,
        };
        let new = Declaration::sample().of_length(length).of_digest(declared);
        let new = NewFile {
            delete_after: self.end_of_a_file(),
            ..NewFile::sample(new)
        };
        self.wait_for_a_millisecond_of_our_own().await;
        let create = create_file(&self.stores, &self.presigner, &self.context, new, None);
        let Some(Ok(CreatedFile { record, upload, .. })) = self.api(create).await else {
            return;
        };
        let upload = upload.expect("a file that was just created is pending");
        let id = record.id;
        self.shared
            .histories
            .update(id, |history| history.created = true);
        let name = self.shared.histories.name(id);
        self.shared.chaos.note(format_args!("{name}: created"));
        let upload = Upload {
            id,
            expires_at: upload.expires_at,
            length,
            sha256: declared,
        };
        self.uploads.push(upload.clone());
        if self.shared.chaos.chance(80) {
            self.dawdle(&upload).await;
            self.bucket.put(&upload, bytes).await;
        }
    }

    /// Some are to be deleted at some time, which may come before their bytes do, by this API's clock.
    fn end_of_a_file(&self) -> Option<Timestamp> {
        let chaos = &self.shared.chaos;
        let in_a_while = chaos.millis(1..LONGEST_KEPT);
        chaos
            .chance(30)
            .then(|| whole_millis(self.stores.clock.now() + in_a_while))
    }

    fn some_upload(&self) -> Option<Upload> {
        let newest = self.uploads.len().saturating_sub(4);
        let recent = &self.uploads[newest..];
        let at = self.shared.chaos.pick(0..recent.len().max(1) as u64);
        recent.get(at as usize).cloned()
    }

    async fn upload_again(&mut self) {
        if let Some(upload) = self.some_upload() {
            let bytes = self.bytes(upload.length);
            self.bucket.put(&upload, bytes).await;
        }
    }

    async fn renew(&mut self) {
        let Some(upload) = self.some_upload() else {
            return;
        };
        let id = upload.id;
        let (presigner, context) = (&self.presigner, &self.context);
        let renew = renew_upload(&self.stores, presigner, context, id, UploadMethod::Put);
        if let Some(Ok(PresignedUpload { expires_at, .. })) = self.api(renew).await {
            let name = self.shared.histories.name(id);
            self.shared.chaos.note(format_args!("{name}: renewed"));
            let renewed = Upload {
                expires_at,
                ..upload
            };
            self.uploads.push(renewed.clone());
            if self.shared.chaos.chance(60) {
                let bytes = self.bytes(renewed.length);
                self.bucket.put(&renewed, bytes).await;
            }
        }
    }

    async fn describe(&self) {
        let Some(id) = self.some_file() else { return };
        let before = self.shared.histories.history(id);
        match self
            .api(describe_file(&self.stores, &self.context, id))
            .await
        {
            Some(Ok(record)) => self.shared.histories.told(id, &before, &record.state),
            Some(Err(OperationError::FileNotFound)) => self.shared.histories.told_absent(id),
            _ => {}
        }
    }

    async fn list(&self) {
        let before: Vec<_> = self.shared.histories.all();
        let newest = PageRequest {
            owner: None,
            status: None,
            before: None,
            limit: 20,
        };
        if let Some(Ok(page)) = self
            .api(list_files(&self.stores, &self.context, Whose::Mine, newest))
            .await
        {
            for record in page.records {
                if let Some((_, history)) = before.iter().find(|(id, _)| *id == record.id) {
                    self.shared
                        .histories
                        .told(record.id, history, &record.state);
                }
            }
        }
    }

    async fn download(&self) {
        let Some(id) = self.some_file() else { return };
        let before = self.shared.histories.history(id);
        let (stores, presigner) = (&self.stores, &self.presigner);
        let get = DownloadMethod::Get;
        let download = download_file(stores, presigner, &self.context, id, get);
        match self.api(download).await {
            Some(Ok(url)) => {
                if before.deleted {
                    self.shared
                        .histories
                        .breaks(id, "a deleted file is handed out");
                }
                if let Some(object) = &before.told
                    && let Some(version) = &object.version_id
                    && !url.expose().contains(&version.0)
                {
                    self.shared
                        .histories
                        .breaks(id, "another version is handed out");
                }
            }
            Some(Err(OperationError::FileNotFound)) => self.shared.histories.told_absent(id),
            Some(Err(OperationError::UploadExpired | OperationError::FileRejected(_)))
                if before.owed(self.shared.chaos.now()).is_some() =>
            {
                self.shared
                    .histories
                    .breaks(id, "an accepted upload was dropped");
            }
            _ => {}
        }
    }

    /// Somebody has a file scanned again, by a process that may die.
    async fn rescan(&self) {
        let Some(id) = self.some_file() else { return };
        let chaos = &self.shared.chaos;
        let stores = Stores {
            scans: SimulatedScanner::of_a_rescan(chaos),
            ..self.stores.clone()
        };
        let rescan = Rescan {
            files: WhichFiles::These(vec![id]),
            dry_run: false,
            withdraws_unscannable: false,
            limit: 1,
            log: None,
        };
        let stop = CancellationToken::new();
        let run = rescan.run(&stores, &stop, |_| {});
        let (report, _) = match timeout(chaos.millis(0..20_000), run).await {
            Ok(ended) => ended,
            Err(_) => return chaos.note("a rescan dies"),
        };
        if report.withdrawn > 0 {
            let name = self.shared.histories.name(id);
            chaos.note(format_args!("{name}: withdrawn"));
        }
    }

    async fn delete(&self) {
        let Some(id) = self.some_file() else { return };
        self.shared
            .histories
            .update(id, |history| history.delete_tried = true);
        let deleted = self.api(delete_file(&self.stores, &self.context, id)).await;
        // An API whose clock is ahead hides what is over earlier than others do.
        let is_gone = match deleted {
            Some(Ok(_)) => true,
            Some(Err(OperationError::FileNotFound)) => self.clock_is_right,
            _ => false,
        };
        if is_gone {
            self.shared
                .histories
                .update(id, |history| history.deleted = true);
            let name = self.shared.histories.name(id);
            self.shared.chaos.note(format_args!("{name}: deleted"));
        }
    }
}
