//! `fshare upload`: measure → create → send → settle, several files at a time.
//!
//! **Invariant:** one file here makes at most one file there, however often answers are lost: the
//! create has a key of its own, and the store takes the bytes once. A link is a result only if the bytes
//! there are those that were read here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api_client::ApiClient;
use crate::arguments;
use crate::commands::as_json;
use crate::error::{CliError, DONE};
use crate::file_calls::declaration;
use crate::file_end::FileEnd;
use crate::inputs::{self, Input};
use crate::output::{Output, local_time};
use crate::put::send;
use crate::qr::show_beside;
use crate::retry::Deadline;
use crate::wire::Record;

/// What became of one file so far.
#[derive(Debug, Clone)]
pub(crate) enum UploadState {
    /// Nothing of it is there.
    Waiting,
    /// The store has its bytes, but it isn't certain yet that they are right.
    Sent(String),
    /// It is available under this link.
    Done(String),
    Failed(CliError),
}

/// What became of all of them, for whoever asks while it goes on.
#[derive(Debug, Clone)]
pub(crate) struct UploadProgress(Arc<Mutex<Vec<(String, UploadState)>>>);

impl UploadProgress {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    fn begin(&self, inputs: &[Input]) {
        let waiting = inputs
            .iter()
            .map(|s| (s.shown.clone(), UploadState::Waiting));
        *self.lock() = waiting.collect();
    }

    fn set(&self, index: usize, state: UploadState) {
        if let Some(entry) = self.lock().get_mut(index) {
            entry.1 = state;
        }
    }

    pub(crate) fn all(&self) -> Vec<(String, UploadState)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, UploadState)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exit codes of all files, in the order of the command line.
pub(crate) async fn run(
    service: &ApiClient,
    arguments: &arguments::Upload,
    patience: Duration,
    output: &Output,
    progress: &UploadProgress,
) -> Result<Vec<u8>, CliError> {
    let size = arguments.size;
    let found = inputs::find(&arguments.files, arguments.name.as_deref(), size)?;
    for path in &found.links {
        say_skipped(output, path)?;
    }
    let inputs = found.inputs;
    progress.begin(&inputs);
    let named = arguments.metadata.iter();
    let metadata: BTreeMap<&str, &str> = named.map(|(key, value)| (&**key, &**value)).collect();
    if metadata.len() < arguments.metadata.len() {
        return Err(CliError::Usage("--metadata names a key twice".to_owned()));
    }
    let metadata = &metadata;
    // Also for when files are to be deleted: it says what time it is.
    let links = service.links_for_others().await;
    let uploads = inputs.iter().enumerate().map(|(index, input)| async move {
        let until = Deadline::after(patience);
        let upload = FileUpload {
            input,
            end: arguments.delete_after,
            metadata,
            index,
        };
        let outcome = upload_one(service, &upload, until, output, progress).await;
        let link_of = |record: &Record| links.page_of(record.id);
        report(
            service,
            input,
            outcome.map(|it| (link_of(&it), it)),
            output,
            progress,
            index,
        )
    });
    let mut finished = stream::iter(uploads).buffer_unordered(arguments.jobs.into());
    while let Some(reported) = finished.next().await {
        reported?;
    }
    // Links last, in the order in which the files were named.
    let mut codes = Vec::new();
    for (shown, state) in progress.all() {
        codes.push(match &state {
            UploadState::Done(link) => {
                if arguments.qr {
                    show_beside(link, &shown, output);
                }
                if !output.json {
                    say_link(output, link, &shown)?;
                }
                DONE
            }
            UploadState::Failed(failure) => failure.exit_code(),
            UploadState::Waiting | UploadState::Sent(_) => 1,
        });
    }
    Ok(codes)
}

/// A link alone, as programs want it; for a person what it leads to stands beside it.
pub(crate) fn say_link(output: &Output, link: &str, shown: &str) -> Result<(), CliError> {
    if output.is_read_by_a_person() {
        return output.result(&format!("{link}  {shown}"));
    }
    output.result(link)
}

fn say_skipped(output: &Output, path: &Path) -> Result<(), CliError> {
    let why = "it is a link; name it on the command line to upload what it leads to";
    if output.json {
        return output.json_line(&json!({ "path": path.display().to_string(), "skipped": why }));
    }
    output.note(&format!("– {}: skipped, because {why}", path.display()));
    Ok(())
}

fn report(
    service: &ApiClient,
    input: &Input,
    outcome: Result<(String, Record), CliError>,
    output: &Output,
    progress: &UploadProgress,
    index: usize,
) -> Result<(), CliError> {
    match outcome {
        Ok((link, record)) => {
            progress.set(index, UploadState::Done(link.clone()));
            if output.json {
                let record = as_json(service, &record, &link);
                return output.json_line(&done(&input.shown, &link, record));
            }
            let end = record.delete_after.as_deref().map(local_time);
            let end = end.map_or_else(String::new, |end| format!(" (deleted on {end})"));
            output.note_to_watcher(&format!("✓ {}{end}", input.shown));
        }
        Err(failure) => {
            if output.json {
                output.json_line(&json!({ "path": input.shown, "error": failure.as_json() }))?;
            } else {
                output.note(&format!("✗ {}: {failure}", input.shown));
            }
            progress.set(index, UploadState::Failed(failure));
        }
    }
    Ok(())
}

fn done(path: &str, link: &str, record: Value) -> Value {
    let mut line = json!({ "path": path, "link": link });
    if let (Some(line), Value::Object(record)) = (line.as_object_mut(), record) {
        line.extend(record);
    }
    line
}

/// One file of those that were named.
struct FileUpload<'a> {
    input: &'a Input,
    end: Option<FileEnd>,
    metadata: &'a BTreeMap<&'a str, &'a str>,
    index: usize,
}

async fn upload_one(
    service: &ApiClient,
    &FileUpload {
        input,
        end,
        metadata,
        index,
    }: &FileUpload<'_>,
    until: Deadline,
    output: &Output,
    progress: &UploadProgress,
) -> Result<Record, CliError> {
    let reading = input.clone();
    let measured = tokio::task::spawn_blocking(move || reading.measure())
        .await
        .map_err(|_| CliError::Here("it can't be read".to_owned()))??;
    let bar = output.bar(&input.name, measured.size);
    let mut declared = declaration(&input.name, measured.size, &measured.sha256);
    if let Some(end) = end {
        // Once for all attempts: with another one it would be another request.
        declared["deleteAfter"] = end.of_a_file(service.now()).into();
    }
    if !metadata.is_empty() {
        declared["metadata"] = json!(metadata);
    }
    let created = service.create(&declared, Uuid::now_v7(), until).await?;
    let record = created.record;
    if let Some(upload) = created.upload {
        send(service, record.id, upload, &measured, until, &bar).await?;
    }
    let link = service.links_for_others().await.page_of(record.id);
    progress.set(index, UploadState::Sent(link.clone()));
    bar.set_message("checking");
    let record = settle(service, record.id, until).await;
    bar.finish_and_clear();
    let record = record.map_err(|failure| match failure {
        failure @ CliError::Refused { .. } => failure,
        other => CliError::TooSlow(format!(
            "it was sent, but its end isn't known yet ({other}); ask with: fshare info {link}"
        )),
    })?;
    if !record.is_final() {
        return Err(CliError::TooSlow(format!(
            "it was sent, but isn't available yet: it is {}; ask with: fshare info {link}",
            record.state()
        )));
    }
    if !record.is_available() {
        return Err(CliError::Settled(record.why_unavailable()));
    }
    // Whoever reaches the service can renew a pending file and fill it before its owner does.
    if record.sha256.as_deref() != Some(&measured.sha256) {
        return Err(CliError::OtherBytes(format!(
            "other bytes than yours are in this file, from somebody else: don't pass its link on. See              it with: fshare info {link}; delete it, and upload yours again"
        )));
    }
    Ok(record)
}

/// The hint that the bytes are there; where that doesn't settle it, waiting.
pub(crate) async fn settle(
    service: &ApiClient,
    id: Uuid,
    until: Deadline,
) -> Result<Record, CliError> {
    match service.complete(id, until).await {
        Ok(record) if record.is_final() => Ok(record),
        _ => service.settled(id, until).await,
    }
}
