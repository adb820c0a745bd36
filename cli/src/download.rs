//! `fshare download`: record → bytes into a file that nobody sees → length and SHA-256 → its name. Of a link that
//! somebody passed on, all its files so, one after the other.
//!
//! **Invariant:** under its name, and on standard output, there are only bytes whose length and SHA-256
//! are those of the record; nothing is replaced unless that was asked for, and only regular files ever are:
//! pipes and devices are written to. What a server calls a file is a name in a folder and nothing else.

mod fetch;
mod hidden;
mod names;
mod target;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::address::{CapabilityLink, parse_file, parse_share};
use crate::api_client::ApiClient;
use crate::arguments;
use crate::error::{CliError, DONE};
use crate::output::Output;
use crate::retry::Deadline;
use crate::wire::Record;
use fetch::{Source, fetch};
pub(crate) use hidden::{Leftovers, hidden_beside};
use hidden::{LinkRequest, keep};
#[cfg(test)]
pub(crate) use names::MAX_NAME_BYTES;
pub(crate) use names::{distinct_names, safe_name, same};
use target::{Target, folder_of, target_of};

/// The exit codes of all.
pub(crate) async fn run(
    service: &ApiClient,
    arguments: &arguments::Download,
    until: Deadline,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let folder = folder_of(arguments.output.as_deref());
    let left = folder.map(|folder| Leftovers::clear(&folder));
    match parse_share(&arguments.file)? {
        Some(link) => {
            let taking = Taking {
                link,
                left: left.unwrap_or_default(),
            };
            take_all(service, taking, arguments, until, output).await
        }
        None => fetch_one(service, arguments, until, output)
            .await
            .map(|()| vec![DONE]),
    }
}

/// A link, and what is left of who took its files and was cut short.
struct Taking {
    link: CapabilityLink,
    left: Leftovers,
}

/// All that a link passes on, each for itself.
async fn take_all(
    service: &ApiClient,
    Taking { link, mut left }: Taking,
    arguments: &arguments::Download,
    until: Deadline,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let service = service.elsewhere(link.base.clone());
    let shared = service.shared(&link.token, until).await?;
    let password = arguments.password.as_ref().map(|it| it.0.as_str());
    if shared.needs_password && password.is_none() {
        return Err(CliError::Usage(
            "the link asks for a password: set FILE_SHARE_LINK_PASSWORD, or say --password"
                .to_owned(),
        ));
    }
    let is_alone = shared.files.len() == 1;
    if let Some(path) = arguments.output.as_ref().filter(|path| !path.is_dir())
        && !is_alone
    {
        return Err(CliError::Usage(format!(
            "{} is no folder, and the link has {} files",
            path.display(),
            shared.files.len()
        )));
    }
    let mut codes = Vec::new();
    let mut used = HashSet::new();
    for file in shared.files {
        let is_counted = file.is_counted();
        let record = file.record()?;
        let name = unused_name(&record, &mut used);
        let source = Source::Link {
            service: &service,
            token: &link.token,
            password,
            request: left.request(&link.token, record.id),
            is_counted,
        };
        let taken = match record.is_available() {
            true => save_record(&source, (&record, name), arguments, until, output).await,
            false => Err(CliError::Settled(record.why_unavailable())),
        };
        match taken {
            Ok(()) => codes.push(DONE),
            Err(failure) if is_alone => return Err(failure),
            Err(failure) => {
                output.note(&format!("✗ {}: {failure}", record.name()));
                codes.push(failure.exit_code());
            }
        }
    }
    Ok(codes)
}

async fn fetch_one(
    service: &ApiClient,
    arguments: &arguments::Download,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let (service, id) = parse_file(&arguments.file, service).await?;
    let mut record = service.describe(id, until).await?;
    if !record.is_final() {
        output.note_to_watcher("waiting until its bytes are there");
        record = service.settled(id, until).await?;
    }
    if !record.is_available() {
        return Err(CliError::Settled(record.why_unavailable()));
    }
    let source = Source::File(&service);
    let name = name_of(&record);
    save_record(&source, (&record, name), arguments, until, output).await
}

fn name_of(record: &Record) -> String {
    safe_name(record.name(), &record.id.to_string())
}

/// A name that no other file of the same link has: `--force` is for what was there before.
fn unused_name(record: &Record, used: &mut HashSet<String>) -> String {
    let names = distinct_names(&name_of(record), &record.id.to_string());
    let mut unused = names.into_iter().filter(|name| used.insert(same(name)));
    unused.next().unwrap_or_else(|| record.id.to_string())
}

/// The bytes of an available file, to where they belong.
async fn save_record(
    source: &Source<'_>,
    (record, name): (&Record, String),
    arguments: &arguments::Download,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    match target_of(arguments.output.as_deref(), || name, arguments.force)? {
        Target::StandardOutput => {
            let kept = fetch_hidden(source, record, until, output).await?;
            pass_on(kept, || Ok(io::stdout())).await
        }
        Target::Stream(path) => {
            let kept = fetch_hidden(source, record, until, output).await?;
            let open = path.clone();
            // To the end of what somebody else may have written there.
            pass_on(kept, move || File::options().append(true).open(open)).await?;
            say_where(&path, record, output)
        }
        Target::File { path, permissions } => {
            let request = source.counted_request();
            let mut hidden = hidden_beside(&path, permissions.is_none(), request)?;
            // What the service may have counted isn't asked for by another key, however this ends.
            hidden.disable_cleanup(request.is_some());
            let fetched = fetch(source, record, hidden.as_file_mut(), until, output).await;
            match &fetched {
                Err(CliError::Refused { .. }) => {
                    hidden.disable_cleanup(request.is_some_and(LinkRequest::may_be_counted));
                }
                Err(CliError::Damaged(_)) => hidden.as_file().set_len(0).map_err(here)?,
                _ => {}
            }
            fetched?;
            keep(hidden, permissions, &path, arguments.force)?;
            say_where(&path, record, output)
        }
    }
}

/// The bytes of an available file of the caller's, as a new file at `path`. What a server named isn't followed.
///
/// # Errors
/// They can't be had, or something is there already.
pub(crate) async fn save_new(
    service: &ApiClient,
    record: &Record,
    path: &Path,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let mut hidden = hidden_beside(path, true, None)?;
    let source = Source::File(service);
    fetch(&source, record, hidden.as_file_mut(), until, output).await?;
    keep(hidden, None, path, false)
}

/// Writes a short content as a download is written, and says where, unless that was standard output. In a folder it
/// is called `name`, as far as that is a name.
///
/// # Errors
/// It can't be written, or something is there already.
pub(crate) async fn save(
    output: &Path,
    name: &str,
    force: bool,
    content: &[u8],
) -> Result<Option<PathBuf>, CliError> {
    match target_of(Some(output), || safe_name(name, "receipt"), force)? {
        Target::StandardOutput => {
            let mut out = io::stdout();
            let written = out.write_all(content).and_then(|()| out.flush());
            written.map_err(|error| CliError::of_standard_output(&error))?;
            Ok(None)
        }
        Target::Stream(path) => {
            let mut kept = tempfile::tempfile().map_err(here)?;
            kept.write_all(content)
                .and_then(|()| kept.rewind())
                .map_err(here)?;
            let open = path.clone();
            pass_on(kept, move || File::options().append(true).open(open)).await?;
            Ok(Some(path))
        }
        Target::File { path, permissions } => {
            let mut hidden = hidden_beside(&path, permissions.is_none(), None)?;
            hidden.write_all(content).map_err(here)?;
            keep(hidden, permissions, &path, force)?;
            Ok(Some(path))
        }
    }
}

fn say_where(path: &Path, record: &Record, output: &Output) -> Result<(), CliError> {
    if output.json {
        return output.json_line(&json!({ "path": path.display().to_string(), "record": record }));
    }
    output.note_to_watcher(&format!("✓ {}", path.display()));
    Ok(())
}

/// Checked before a byte of it is passed on: what reads it can't take it back.
async fn fetch_hidden(
    source: &Source<'_>,
    record: &Record,
    until: Deadline,
    output: &Output,
) -> Result<File, CliError> {
    let mut kept = tempfile::tempfile().map_err(here)?;
    fetch(source, record, &mut kept, until, output).await?;
    kept.rewind().map_err(here)?;
    Ok(kept)
}

/// `open` may take until somebody reads.
async fn pass_on<W: Write>(
    mut kept: File,
    open: impl FnOnce() -> io::Result<W> + Send + 'static,
) -> Result<(), CliError> {
    let copied = tokio::task::spawn_blocking(move || {
        let mut out = open()?;
        io::copy(&mut kept, &mut out).and_then(|_| out.flush())
    });
    let copied = copied
        .await
        .map_err(|error| CliError::Here(error.to_string()))?;
    copied.map_err(here)
}

fn here(error: io::Error) -> CliError {
    CliError::Here(error.to_string())
}
