//! `fshare link` and `links`: files passed on to people without an account, and which links there are.
//!
//! **Invariant:** a password is sent to the service alone, and shown nowhere.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::address::parse_file;
use crate::api_client::ApiClient;
use crate::arguments;
use crate::error::CliError;
use crate::link_calls::Link;
use crate::links_for_others::tell_watcher_if_only_here;
use crate::output::{Deed, Output, local_time};
use crate::retry::Deadline;

/// How many pages of links are shown at the most: a list that never ends is given up.
const MAX_PAGES: usize = 10_000;

/// Makes a link, and prints its URL.
pub(crate) async fn create(
    service: &ApiClient,
    arguments: &arguments::LinkArguments,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let mut files = Vec::new();
    for file in &arguments.files {
        files.push(parse_file(file, service).await?);
    }
    let Some((service, _)) = files.first() else {
        return Ok(());
    };
    if files
        .iter()
        .any(|(other, _)| other.base() != service.base())
    {
        return Err(CliError::Usage(
            "the files of one link are all at one service".to_owned(),
        ));
    }
    let now = service.asked_now().await;
    let link = service
        .create_link(&wanted(arguments, &files, now), until)
        .await?;
    let link = for_others(service, link).await;
    if output.json {
        return output.json_line(&serde_json::to_value(&link).unwrap_or_default());
    }
    output.note_to_watcher(&format!("works until {}", local_time(&link.expires_at)));
    tell_watcher_if_only_here(&link.url, output);
    output.result(&link.url)
}

/// The same by the address at which others open it.
async fn for_others(service: &ApiClient, link: Link) -> Link {
    let url = service.links_for_others().await.named(&link.url);
    Link { url, ..link }
}

fn wanted(
    arguments: &arguments::LinkArguments,
    files: &[(ApiClient, uuid::Uuid)],
    now: DateTime<Utc>,
) -> Value {
    let ids: Vec<String> = files.iter().map(|(_, id)| id.to_string()).collect();
    let mut wanted = Map::from_iter([("files".to_owned(), json!(ids))]);
    let more = [
        ("title", arguments.title.as_ref().map(|it| json!(it))),
        ("label", arguments.label.as_ref().map(|it| json!(it))),
        (
            "password",
            arguments.password.as_ref().map(|it| json!(it.0)),
        ),
        ("maxDownloads", arguments.max_downloads.map(|it| json!(it))),
        (
            "expiresAt",
            arguments.expires.map(|it| json!(it.of_a_file(now))),
        ),
        ("audience", arguments.signed_in.then(|| json!("signed_in"))),
    ];
    let more = more.into_iter();
    wanted.extend(more.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(wanted)
}

/// Lists links: the caller's, or those of a file.
pub(crate) async fn list(
    service: &ApiClient,
    file: Option<&str>,
    patience: Duration,
    output: &Output,
) -> Result<(), CliError> {
    let (service, file) = match file {
        None => (service.clone(), None),
        Some(file) => {
            let (service, id) = parse_file(file, service).await?;
            (service, Some(id))
        }
    };
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let until = Deadline::after(patience);
        let page = service.links(file, cursor.as_deref(), until).await?;
        for link in page.links {
            show(&for_others(&service, link).await, output)?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
    Err(CliError::Unusable(
        "the list doesn't end; what was shown isn't all".to_owned(),
    ))
}

fn show(link: &Link, output: &Output) -> Result<(), CliError> {
    if output.json {
        return output.json_line(&serde_json::to_value(link).unwrap_or_default());
    }
    let files = match link.files.len() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let name = link.label.as_ref().or(link.title.as_ref());
    output.result(&format!(
        "{}  until {}  {files:>9}  {}  {}",
        link.id,
        local_time(&link.expires_at),
        link.url,
        name.map_or("", String::as_str)
    ))
}

/// The exit codes of all.
pub(crate) async fn end(
    service: &ApiClient,
    ids: &[String],
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let mut codes = Vec::new();
    for id in ids {
        let ended = service.end_link(id, Deadline::after(patience)).await;
        codes.push(output.outcome(id, &Deed::ENDED, ended)?);
    }
    Ok(codes)
}
