//! `fshare events`: what happened to a file, newest first.
//!
//! **Invariant:** bounded by what was asked for, whatever the server answers; kinds of events that this version doesn't
//! know are shown by their names.

use std::time::Duration;

use crate::address::parse_file;
use crate::api_client::{ApiClient, MAX_PAGE};
use crate::arguments;
use crate::error::CliError;
use crate::output::{Output, local_time};
use crate::retry::Deadline;
use crate::wire::Event;

pub(crate) async fn list(
    service: &ApiClient,
    arguments: &arguments::Events,
    patience: Duration,
    output: &Output,
) -> Result<(), CliError> {
    let (service, id) = parse_file(&arguments.file, service).await?;
    let mut left = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut cursor = None;
    // Each page has at least one event, or is the last that is asked for.
    while left > 0 {
        let (until, limit) = (Deadline::after(patience), left.min(MAX_PAGE));
        let page = service.events(id, limit, cursor.as_deref(), until).await?;
        if !page.kept {
            output.note("this service doesn't keep what happens to files");
            break;
        }
        for event in page.events.iter().take(left) {
            if output.json {
                output.json_line(&serde_json::to_value(event).unwrap_or_default())?;
            } else {
                output.result(&row(event))?;
            }
        }
        left = left.saturating_sub(page.events.len().max(1));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

fn row(event: &Event) -> String {
    let kind = event.kind.strip_prefix("file.").unwrap_or(&event.kind);
    let mut row = format!(
        "{}  {kind:14}  {}",
        local_time(&event.at),
        event.caller.as_deref().unwrap_or("others")
    );
    if let Some(token) = &event.token {
        row += &format!(" by token {token}");
    }
    if event.count > 1 {
        row += &format!(
            "  {} times until {}",
            event.count,
            local_time(&event.last_at)
        );
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_who_did_what_and_how_often() {
        let event = |text: &str| serde_json::from_str::<Event>(text).expect("an event");
        let once = event(
            r#"{"type": "file.created", "at": "2026-01-31T09:05:00.123Z", "lastAt": "2026-01-31T09:05:00.123Z",
                "count": 1, "caller": "usr_a", "token": "0a", "requestId": "r", "more": 1}"#,
        );
        assert!(row(&once).ends_with("created         usr_a by token 0a"));
        let often = event(
            r#"{"type": "link.opened", "at": "2026-01-31T09:05:00.123Z", "lastAt": "2026-01-31T09:06:00.123Z",
                "count": 7, "caller": null, "token": null, "requestId": null}"#,
        );
        let shown = row(&often);
        assert!(shown.contains("link.opened     others  7 times"), "{shown}");
    }
}
