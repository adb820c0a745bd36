//! `fshare download`: record → bytes into a file that nobody sees → length and SHA-256 → its name. Of a link that
//! somebody passed on, all its files so, one after the other.
//!
//! **Invariant:** under its name, and on standard output, there are only bytes whose length and SHA-256
//! are those of the record; nothing is replaced unless that was asked for, and only regular files ever are:
//! pipes and devices are written to. What a server calls a file is a name in a folder and nothing else.

use std::collections::HashSet;
use std::fs::{File, Permissions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use http::header::USER_AGENT;
use http::{Method, Request, Uri};
use indicatif::ProgressBar;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::address::{ShareLink, parse_file, parse_share};
use crate::answer::may_pass;
use crate::api_client::{AGENT, ApiClient};
use crate::arguments;
use crate::error::{CliError, DONE};
use crate::http::{Sent, empty, next_piece};
use crate::output::Output;
use crate::platform::{descriptor, new_file};
use crate::put::StoreAnswer;
use crate::retry::{Deadline, Retry, retry_after};
use crate::wire::Record;

/// The longest name that common file systems take.
pub(crate) const MAX_NAME_BYTES: usize = 255;
/// The longest ending, with its dot, that is kept of a name that is too long.
pub(crate) const MAX_ENDING_BYTES: usize = 32;
/// How many digits of an ID tell files of one name apart: all of them random.
const SHORT_ID_CHARS: usize = 8;
/// The descriptor of standard output.
const STANDARD_OUTPUT: u32 = 1;

enum Target {
    StandardOutput,
    /// A pipe, a device or an open descriptor: written to, and never replaced.
    Stream(PathBuf),
    /// A regular file, or none yet.
    File {
        path: PathBuf,
        /// Of the one that is replaced.
        permissions: Option<Permissions>,
    },
}

/// Where a URL of the bytes comes from.
enum Source<'a> {
    /// A file that the caller may fetch.
    File(&'a ApiClient),
    /// A link that somebody passed on.
    Link {
        service: &'a ApiClient,
        token: &'a str,
        password: Option<&'a str>,
        /// The same for all attempts at one file: they count once.
        key: Uuid,
    },
}

impl Source<'_> {
    fn service(&self) -> &ApiClient {
        match self {
            Self::File(service) | Self::Link { service, .. } => service,
        }
    }

    async fn locate(&self, id: Uuid, until: Deadline) -> Result<Uri, CliError> {
        match self {
            Self::File(service) => service.locate(id, until).await,
            Self::Link {
                service,
                token,
                password,
                key,
            } => service.take_shared(token, id, *password, *key, until).await,
        }
    }
}

/// The exit codes of all.
pub(crate) async fn run(
    service: &ApiClient,
    arguments: &arguments::Download,
    until: Deadline,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    match parse_share(&arguments.file)? {
        Some(link) => take_all(service, &link, arguments, until, output).await,
        None => fetch_one(service, arguments, until, output)
            .await
            .map(|()| vec![DONE]),
    }
}

/// All that a link passes on, each for itself.
async fn take_all(
    service: &ApiClient,
    link: &ShareLink,
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
        let record = file.record()?;
        let name = unused_name(&record, &mut used);
        let source = Source::Link {
            service: &service,
            token: &link.token,
            password,
            key: Uuid::from_u128(fastrand::u128(..)),
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
    let (service, id) = parse_file(&arguments.file, service)?;
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
            let mut hidden = hidden_beside(&path, permissions.is_none())?;
            fetch(source, record, hidden.as_file_mut(), until, output).await?;
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
    let mut hidden = hidden_beside(path, true)?;
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
            let mut hidden = hidden_beside(&path, permissions.is_none())?;
            hidden.write_all(content).map_err(here)?;
            keep(hidden, permissions, &path, force)?;
            Ok(Some(path))
        }
    }
}

/// A file in the same folder, that has no name of its own yet.
fn hidden_beside(path: &Path, is_new: bool) -> Result<NamedTempFile, CliError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".fshare-");
    if is_new {
        new_file(&mut builder);
    }
    let hidden = builder.tempfile_in(folder.unwrap_or(Path::new(".")));
    hidden.map_err(here)
}

fn here(error: io::Error) -> CliError {
    CliError::Here(error.to_string())
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

/// `permissions` are those of the file that is replaced.
fn keep(
    hidden: NamedTempFile,
    permissions: Option<Permissions>,
    path: &Path,
    force: bool,
) -> Result<(), CliError> {
    let file = hidden.as_file();
    if let Some(permissions) = permissions {
        file.set_permissions(permissions).map_err(here)?;
    }
    file.sync_all().map_err(here)?;
    let kept = if force {
        hidden.persist(path)
    } else {
        hidden.persist_noclobber(path)
    };
    match kept {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(occupied(path)),
        Err(error) => Err(CliError::Here(format!(
            "{}: {}",
            path.display(),
            error.error
        ))),
    }
}

fn occupied(path: &Path) -> CliError {
    CliError::Here(format!(
        "{} is there already: --force replaces it, -o FILE takes another name",
        path.display()
    ))
}

/// `name` is what it is called where only a folder is named, or nothing.
fn target_of(
    output: Option<&Path>,
    name: impl FnOnce() -> String,
    force: bool,
) -> Result<Target, CliError> {
    match output {
        Some(path) if path.as_os_str() == "-" => Ok(Target::StandardOutput),
        Some(path) => match descriptor(path) {
            Some(STANDARD_OUTPUT) => Ok(Target::StandardOutput),
            Some(_) => Ok(Target::Stream(path.to_owned())),
            None if path.is_dir() => named_by_server(path.join(name()), force),
            None => named_by_person(path, force),
        },
        None => named_by_server(name().into(), force),
    }
}

/// Links are followed.
fn named_by_person(path: &Path, force: bool) -> Result<Target, CliError> {
    let shown = path.display();
    match path.metadata() {
        Ok(there) if !there.is_file() => Ok(Target::Stream(path.to_owned())),
        Ok(_) if !force => Err(occupied(path)),
        Ok(there) => Ok(Target::File {
            path: path.canonicalize().map_err(here)?,
            permissions: Some(there.permissions()),
        }),
        Err(_) if path.is_symlink() && force => Err(CliError::Here(format!(
            "{shown} is a link to nothing: remove it first"
        ))),
        Err(_) if path.is_symlink() => Err(occupied(path)),
        Err(_) => Ok(Target::File {
            path: path.to_owned(),
            permissions: None,
        }),
    }
}

/// Nothing is followed, and nothing written to, that happens to have the name which a server chose.
fn named_by_server(path: PathBuf, force: bool) -> Result<Target, CliError> {
    let permissions = match path.symlink_metadata() {
        Err(_) => None,
        Ok(there) if there.is_symlink() && force => None,
        Ok(there) if there.is_file() && force => Some(there.permissions()),
        Ok(_) if force => {
            return Err(CliError::Here(format!(
                "{} isn't a regular file: -o FILE takes another name",
                path.display()
            )));
        }
        Ok(_) => return Err(occupied(&path)),
    };
    Ok(Target::File { path, permissions })
}

/// A name that stays in its folder, is no hidden file, can't steer a terminal, is no option to a program, and
/// that Windows can keep and takes for no device, whatever a server says.
pub(crate) fn safe_name(name: &str, otherwise: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        let c = match c {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            '.' | '-' if safe.is_empty() => '_',
            c if crate::output::printable(&c.to_string()) != c.to_string() => '_',
            c => c,
        };
        safe.push(c);
    }
    // With room for what is put before a device's name.
    let mut safe = shortened(safe, MAX_NAME_BYTES - 1);
    if safe.chars().all(|c| matches!(c, '_' | '.' | ' ')) {
        return otherwise.to_owned();
    }
    // Windows leaves them out, and finds another file.
    if safe.ends_with(['.', ' ']) {
        safe.pop();
        safe.push('_');
    }
    match is_device(&safe) {
        true => format!("_{safe}"),
        false => safe,
    }
}

/// The name in so many bytes, shortened before its ending.
pub(crate) fn shortened(name: String, max_bytes: usize) -> String {
    if name.len() <= max_bytes {
        return name;
    }
    let is_ending = |at: &usize| *at > 0 && name.len() - at <= MAX_ENDING_BYTES;
    let at = name.rfind('.').filter(is_ending).unwrap_or(name.len());
    let (stem, ending) = name.split_at(at);
    let kept = stem.floor_char_boundary(max_bytes - ending.len());
    format!("{}{ending}", &stem[..kept])
}

/// What a file may be called, the best first: no two files have the last one.
pub(crate) fn distinct_names(plain: &str, id: &str) -> [String; 3] {
    let start = id.len().saturating_sub(SHORT_ID_CHARS);
    let short = id.get(start..).unwrap_or(id);
    [plain.to_owned(), marked(plain, short), marked(plain, id)]
}

/// Names that are one on some system: of other capitals, or composed otherwise.
pub(crate) fn same(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

/// A name with something before its ending that no other has.
fn marked(name: &str, mark: &str) -> String {
    let mark = format!(" ({})", safe_name(mark, "x"));
    // With room for what is put before a device's name.
    let name = shortened(name.to_owned(), MAX_NAME_BYTES - 1 - mark.len());
    let is_ending = |at: &usize| *at > 0 && name.len() - at <= MAX_ENDING_BYTES;
    let at = name.rfind('.').filter(is_ending).unwrap_or(name.len());
    let (stem, ending) = name.split_at(at);
    format!("{stem}{mark}{ending}")
}

/// Whether Windows takes the name for a device, whatever its ending
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
    });
    numbered || matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
}

/// The bytes of an available file, checked.
///
/// # Errors
/// They can't be had, or they aren't those of the record.
async fn fetch(
    source: &Source<'_>,
    record: &Record,
    into: &mut File,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let bar = output.bar(record.name(), record.size);
    let mut retry = Retry::until(until);
    let result = loop {
        into.rewind().and_then(|()| into.set_len(0)).map_err(here)?;
        bar.set_position(0);
        let attempt = attempt(source, record, into, until, &bar);
        let attempt = tokio::time::timeout(until.left(), attempt).await;
        match attempt.unwrap_or_else(|_| Err((CliError::TooSlow("time is over".to_owned()), None)))
        {
            Ok(()) => break Ok(()),
            Err((failure @ CliError::NoAnswer(_), pause)) => {
                if !retry.again(pause).await {
                    break Err(failure);
                }
            }
            Err((failure, _)) => break Err(failure),
        }
    };
    bar.finish_and_clear();
    result
}

type Pause = Option<std::time::Duration>;

async fn attempt(
    source: &Source<'_>,
    record: &Record,
    into: &mut File,
    until: Deadline,
    bar: &ProgressBar,
) -> Result<(), (CliError, Pause)> {
    let plain = |failure| (failure, None);
    let service = source.service();
    let url = source.locate(record.id, until).await.map_err(plain)?;
    let store = url.authority().map(ToString::to_string).unwrap_or_default();
    let lost = |cause: &dyn std::fmt::Display| {
        plain(CliError::NoAnswer(format!(
            "the store at {store} doesn't answer: {cause}"
        )))
    };
    let request = Request::builder().method(Method::GET).uri(url);
    let request = request
        .header(USER_AGENT, AGENT)
        .body(empty())
        .map_err(|error| lost(&error))?;
    let answer = service.http.send(request, &Sent::default()).await;
    let answer = answer.map_err(|cause| lost(&cause))?;
    if !answer.status().is_success() {
        let answer = StoreAnswer::read(&service.http, answer).await;
        if may_pass(answer.status) {
            let pause = retry_after(&answer.headers);
            let why = answer.into_error("the download", 0);
            let failure = CliError::NoAnswer(format!("the store at {store} is busy: {why}"));
            return Err((failure, pause));
        }
        return Err(plain(answer.into_error("the download", 0)));
    }
    let mut body = answer.into_body();
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    while let Some(piece) = next_piece(&mut body).await.map_err(|cause| lost(&cause))? {
        size += piece.len() as u64;
        if size > record.size {
            break;
        }
        hasher.update(&piece);
        into.write_all(&piece).map_err(|error| plain(here(error)))?;
        bar.inc(piece.len() as u64);
    }
    let digest = hex::encode(hasher.finalize());
    if size != record.size || record.sha256.as_deref() != Some(&digest) {
        return Err(plain(CliError::Damaged(
            "the bytes that came aren't those that were uploaded (length or SHA-256 differs); nothing \
             was kept. Tell the operator: `file-share scrub` finds what is damaged"
                .to_owned(),
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder_whatever_the_server_says() {
        for (name, safe) in [
            ("hello.txt", "hello.txt"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            (".bashrc", "_bashrc"),
            ("résumé_final.pdf", "résumé_final.pdf"),
            ("a\u{1b}[2Jb\n", "a_[2Jb_"),
            ("..", "the-id"),
            ("", "the-id"),
            ("-rf", "_rf"),
            ("con", "_con"),
            ("Nul.tar.gz", "_Nul.tar.gz"),
            ("com1 .txt", "_com1 .txt"),
            ("contract.pdf", "contract.pdf"),
            ("com10", "com10"),
            ("trailing.", "trailing_"),
            ("What? \"a:b\" <c> *|.txt", "What_ _a_b_ _c_ __.txt"),
            ("party 🎉 100 %.png", "party 🎉 100 %.png"),
        ] {
            let made = safe_name(name, "the-id");
            assert!(!made.contains('/') && !made.starts_with('.'), "{made}");
            if name != "../../etc/passwd" {
                assert_eq!(made, safe, "{name}");
            }
        }
        for long in ["é".repeat(300), format!("con.{}", "a".repeat(300))] {
            assert!(safe_name(&long, "x").len() <= MAX_NAME_BYTES, "{long}");
        }
        // Four bytes a character, and a file system takes 255.
        let long = safe_name(&format!("{}.pdf", "🎉".repeat(251)), "x");
        assert_eq!(long, format!("{}.pdf", "🎉".repeat(62)));
    }
}
