//! `fshare upload`: measure → create → send → settle, several files at a time.
//!
//! **Invariant:** one file here makes at most one file there, however often answers are lost: the
//! create has a key of its own, and the store takes the bytes once. A link is a result only if the bytes
//! there are those that were read here.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::arguments;
use crate::failure::{DONE, Failure};
use crate::output::Output;
use crate::put::send;
use crate::records::as_json;
use crate::retry::Deadline;
use crate::service::{Service, declaration};
use crate::sources::{self, Source};
use crate::wire::Record;

/// What became of one file so far.
#[derive(Debug, Clone)]
pub enum Fate {
    /// Nothing of it is there.
    Waiting,
    /// The store has its bytes, but it isn't certain yet that they are right.
    Sent(String),
    /// It is available under this link.
    Done(String),
    Failed(Failure),
}

/// What became of all of them, for whoever asks while it goes on.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Mutex<Vec<(String, Fate)>>>);

impl Ledger {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    fn begin(&self, sources: &[Source]) {
        let waiting = sources.iter().map(|s| (s.shown.clone(), Fate::Waiting));
        *self.lock() = waiting.collect();
    }

    fn set(&self, index: usize, fate: Fate) {
        if let Some(entry) = self.lock().get_mut(index) {
            entry.1 = fate;
        }
    }

    pub fn all(&self) -> Vec<(String, Fate)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, Fate)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exit codes of all files, in the order of the command line.
pub async fn run(
    service: &Service,
    arguments: &arguments::Upload,
    patience: Duration,
    output: &Output,
    ledger: &Ledger,
) -> Result<Vec<u8>, Failure> {
    let size = arguments.size;
    let found = sources::find(&arguments.files, arguments.name.as_deref(), size)?;
    for path in &found.links {
        say_skipped(output, path)?;
    }
    let sources = found.sources;
    ledger.begin(&sources);
    let uploads = sources
        .iter()
        .enumerate()
        .map(|(index, source)| async move {
            let until = Deadline::after(patience);
            let outcome = upload_one(service, source, until, output, ledger, index).await;
            report(service, source, outcome, output, ledger, index)
        });
    let mut finished = stream::iter(uploads).buffer_unordered(arguments.jobs.into());
    while let Some(reported) = finished.next().await {
        reported?;
    }
    // Links last, in the order in which the files were named.
    let mut codes = Vec::new();
    for (shown, fate) in ledger.all() {
        codes.push(match &fate {
            Fate::Done(link) => {
                if !output.json {
                    say_link(output, link, &shown)?;
                }
                DONE
            }
            Fate::Failed(failure) => failure.exit_code(),
            Fate::Waiting | Fate::Sent(_) => 1,
        });
    }
    Ok(codes)
}

/// A link alone, as programs want it; for a person what it leads to stands beside it.
pub fn say_link(output: &Output, link: &str, shown: &str) -> Result<(), Failure> {
    if output.is_read_by_a_person() {
        return output.result(&format!("{link}  {shown}"));
    }
    output.result(link)
}

fn say_skipped(output: &Output, path: &Path) -> Result<(), Failure> {
    let why = "it is a link; name it on the command line to upload what it leads to";
    if output.json {
        return output.json_line(&json!({ "path": path.display().to_string(), "skipped": why }));
    }
    output.note(&format!("– {}: skipped, because {why}", path.display()));
    Ok(())
}

fn report(
    service: &Service,
    source: &Source,
    outcome: Result<Record, Failure>,
    output: &Output,
    ledger: &Ledger,
    index: usize,
) -> Result<(), Failure> {
    match outcome {
        Ok(record) => {
            let link = service.link(record.id);
            ledger.set(index, Fate::Done(link.clone()));
            if output.json {
                return output.json_line(&done(service, &source.shown, &record));
            }
            output.note_to_watcher(&format!("✓ {}", source.shown));
        }
        Err(failure) => {
            if output.json {
                output.json_line(&json!({ "path": source.shown, "error": failure.as_json() }))?;
            } else {
                output.note(&format!("✗ {}: {failure}", source.shown));
            }
            ledger.set(index, Fate::Failed(failure));
        }
    }
    Ok(())
}

fn done(service: &Service, path: &str, record: &Record) -> Value {
    let mut line = json!({ "path": path, "link": service.link(record.id) });
    if let (Some(line), Value::Object(record)) = (line.as_object_mut(), as_json(service, record)) {
        line.extend(record);
    }
    line
}

async fn upload_one(
    service: &Service,
    source: &Source,
    until: Deadline,
    output: &Output,
    ledger: &Ledger,
    index: usize,
) -> Result<Record, Failure> {
    let reading = source.clone();
    let measured = tokio::task::spawn_blocking(move || reading.measure())
        .await
        .map_err(|_| Failure::Here("it can't be read".to_owned()))??;
    let bar = output.bar(&source.name, measured.size);
    let declared = declaration(&source.name, measured.size, &measured.sha256);
    let created = service.create(&declared, Uuid::now_v7(), until).await?;
    let record = created.record;
    if let Some(upload) = created.upload {
        send(service, record.id, upload, &measured, until, &bar).await?;
    }
    let link = service.link(record.id);
    ledger.set(index, Fate::Sent(link.clone()));
    bar.set_message("checking");
    let record = settle(service, record.id, until).await;
    bar.finish_and_clear();
    let record = record.map_err(|failure| match failure {
        failure @ Failure::Refused { .. } => failure,
        other => Failure::TooSlow(format!(
            "it was sent, but its end isn't known yet ({other}); ask with: fshare info {link}"
        )),
    })?;
    if !record.is_final() {
        return Err(Failure::TooSlow(format!(
            "it was sent, but isn't available yet: it is {}; ask with: fshare info {link}",
            record.state()
        )));
    }
    if !record.is_available() {
        return Err(Failure::Settled(record.obstacle()));
    }
    // Whoever reaches the service can renew a pending file and fill it before its owner does.
    if record.sha256.as_deref() != Some(&measured.sha256) {
        return Err(Failure::OtherBytes(format!(
            "other bytes than yours are in this file, from somebody else: don't pass its link on. See              it with: fshare info {link}; delete it, and upload yours again"
        )));
    }
    Ok(record)
}

/// The hint that the bytes are there; where that doesn't settle it, waiting.
pub async fn settle(service: &Service, id: Uuid, until: Deadline) -> Result<Record, Failure> {
    match service.complete(id, until).await {
        Ok(record) if record.is_final() => Ok(record),
        _ => service.settled(id, until).await,
    }
}
