//! `fshare list`, `info` and `delete`: what is known of files, and getting rid of them.
//!
//! **Invariant:** nothing is deleted unless a person agreed or `--yes` was said.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use crate::address::parse_file;
use crate::api_client::{ApiClient, MAX_PAGE};
use crate::arguments;
use crate::error::CliError;
use crate::output::{Deed, Output, human, local_time};
use crate::retry::Deadline;
use crate::wire::{Page, Record};

const DELETED: Deed = Deed {
    field: "deleted",
    in_words: "is deleted",
    is_for_watchers: true,
};

/// How many pages in a row may be empty before a list is given up. A service may give some where much was
/// deleted, and one that gives nothing else has no end.
const MAX_EMPTY_PAGES: u32 = 100;

pub(crate) async fn list(
    service: &ApiClient,
    arguments: &arguments::List,
    patience: Duration,
    output: &Output,
) -> Result<(), CliError> {
    let mut left = if arguments.all {
        usize::MAX
    } else {
        arguments.limit.try_into().unwrap_or(usize::MAX)
    };
    let status = arguments.status.map(arguments::Status::name);
    let mut pages = Pages::default();
    let mut cursor = None;
    loop {
        let until = Deadline::after(patience);
        let limit = left.min(MAX_PAGE);
        let page = service
            .page(limit, status, cursor.as_deref(), until)
            .await?;
        for record in page.files.iter().take(left) {
            if output.json {
                let link = service.links_for_others().await.page_of(record.id);
                output.json_line(&as_json(service, record, &link))?;
            } else {
                output.result(&row(record))?;
            }
        }
        if !arguments.all {
            left = left.saturating_sub(page.files.len());
        }
        if left == 0 {
            return Ok(());
        }
        cursor = pages.after(page)?;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Notices a list that never ends, in the memory of one cursor (Brent's search for a cycle).
#[derive(Default)]
struct Pages {
    empty: u32,
    kept: Option<String>,
    since_kept: u64,
    keep_for: u64,
}

impl Pages {
    /// Where the next page begins.
    fn after(&mut self, page: Page) -> Result<Option<String>, CliError> {
        let endless = |why: &str| {
            Err(CliError::Unusable(format!(
                "the list doesn't end: {why}; what was shown isn't all"
            )))
        };
        let Some(cursor) = page.next_cursor else {
            return Ok(None);
        };
        self.empty = if page.files.is_empty() {
            self.empty + 1
        } else {
            0
        };
        if self.empty == MAX_EMPTY_PAGES {
            return endless(&format!(
                "there are no files on {MAX_EMPTY_PAGES} pages in a row"
            ));
        }
        if self.kept.as_ref() == Some(&cursor) {
            return endless("the server leads through its pages in a circle");
        }
        self.since_kept += 1;
        if self.since_kept > self.keep_for {
            self.keep_for = self.since_kept.saturating_mul(2);
            self.since_kept = 0;
            self.kept = Some(cursor.clone());
        }
        Ok(Some(cursor))
    }
}

fn row(record: &Record) -> String {
    format!(
        "{}  {:9}  {:>11}  {}  {}",
        record.id,
        record.state(),
        human(record.size),
        local_time(&record.created_at),
        record.name()
    )
}

pub(crate) async fn info(
    service: &ApiClient,
    file: &str,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let (service, id) = parse_file(file, service).await?;
    let record = service.describe(id, until).await?;
    let link = service.links_for_others().await.page_of(record.id);
    if output.json {
        return output.json_line(&as_json(&service, &record, &link));
    }
    let mut lines = vec![
        ("name", record.name().to_owned()),
        (
            "size",
            format!("{} ({} bytes)", human(record.size), record.size),
        ),
        ("type", record.content_type.clone()),
        ("status", record.state()),
        ("created", local_time(&record.created_at)),
    ];
    let [uploaded, end] =
        [&record.uploaded_at, &record.delete_after].map(|time| time.as_deref().map(local_time));
    let more = [
        ("reason", &record.reason),
        ("uploaded", &uploaded),
        ("delete on", &end),
        ("held", &record.held()),
        ("kept to", &record.kept_until()),
        ("sha256", &record.sha256),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            lines.push((name, value.clone()));
        }
    }
    let kept = record
        .metadata()
        .map(|(key, value)| format!("{key}={value}"));
    lines.extend(kept.map(|kept| ("metadata", kept)));
    lines.push(("link", link));
    for (name, value) in lines {
        output.result(&format!("{name:9} {value}"))?;
    }
    Ok(())
}

/// A record with its addresses: `link` for people, and where its bytes are.
pub(crate) fn as_json(service: &ApiClient, record: &Record, link: &str) -> Value {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("link".to_owned(), link.into());
        let content = service.content_url(record.id);
        fields.insert("contentUrl".to_owned(), content.into());
    }
    value
}

/// The exit codes of all files.
pub(crate) async fn delete(
    service: &ApiClient,
    arguments: &arguments::Delete,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let mut files = Vec::new();
    for file in &arguments.files {
        files.push(parse_file(file, service).await?);
    }
    if !arguments.yes {
        somebody_is_there("whether to delete")?;
        let mut shown = Vec::new();
        for (service, id) in &files {
            let record = service.describe(*id, Deadline::after(patience)).await;
            shown.push(match record {
                Ok(record) => format!("{}  {}  {id}", record.name(), human(record.size)),
                Err(failure) => format!("{id}: {failure}"),
            });
        }
        if !agreed("This deletes for good:", &shown, output).await? {
            return Err(CliError::Here("nothing was deleted".to_owned()));
        }
    }
    let mut codes = Vec::new();
    for (service, id) in files {
        let deleted = service.delete(id, Deadline::after(patience)).await;
        codes.push(output.outcome(&id.to_string(), &DELETED, deleted)?);
    }
    Ok(codes)
}

/// Whether a person can be asked.
///
/// # Errors
/// There is none.
pub(crate) fn somebody_is_there(what: &str) -> Result<(), CliError> {
    match io::stdin().is_terminal() && io::stderr().is_terminal() {
        true => Ok(()),
        false => Err(CliError::Usage(format!(
            "nobody is there to ask {what}: say --yes"
        ))),
    }
}

/// Says what will be done, and with what; whether a person wants that.
pub(crate) async fn agreed(what: &str, with: &[String], output: &Output) -> Result<bool, CliError> {
    output.note(what);
    for one in with {
        output.note(&format!("  {one}"));
    }
    let asked = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        let mut question = io::stderr().lock();
        write!(question, "Go on? [y/N] ").and_then(|()| question.flush())?;
        io::stdin().read_line(&mut answer)?;
        Ok::<_, io::Error>(answer)
    });
    let answer = asked
        .await
        .map_err(|error| CliError::Here(error.to_string()))?;
    let answer = answer.map_err(|error| CliError::Here(error.to_string()))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
