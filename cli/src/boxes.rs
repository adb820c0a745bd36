//! `fshare box`: where others hand in files without an account, and what they handed in.
//!
//! **Invariant:** a password is sent to the service alone, and shown nowhere. A box is due and closed by the service's
//! clock, not by that of this machine: times from now on count from there.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::api_client::ApiClient;
use crate::arguments;
use crate::box_calls::{FileBox, HandIn, Override};
use crate::commands::{agreed, somebody_is_there};
use crate::error::{CliError, DONE};
use crate::file_end::FileEnd;
use crate::links_for_others::tell_watcher_if_only_here;
use crate::output::{Deed, Output, human, local_time};
use crate::retry::Deadline;

/// How often a change is made anew if somebody else changed the box meanwhile, and the longest pause before that.
const MAX_ROUNDS: usize = 20;
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// The exit codes of all.
pub(crate) async fn run(
    service: &ApiClient,
    command: &arguments::BoxCommand,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    use arguments::BoxCommand;
    let until = Deadline::after(patience);
    match command {
        BoxCommand::Create(new) => create(service, new, until, output).await?,
        BoxCommand::List => {
            let links = service.links_for_others().await;
            let shown = service.boxes(until, |file_box| {
                let url = links.named(&file_box.url);
                show_row(&FileBox { url, ..file_box }, output).map(|()| true)
            });
            shown.await?;
        }
        BoxCommand::Show(wanted) => show(service, wanted, until, output).await?,
        BoxCommand::Extend(extend) => self::extend(service, extend, until, output).await?,
        BoxCommand::Close { file_box } => close(service, file_box, until, output).await?,
        BoxCommand::End { boxes, yes } => return end(service, boxes, *yes, patience, output).await,
    }
    Ok(vec![DONE])
}

/// Makes a box, and prints its URL.
async fn create(
    service: &ApiClient,
    arguments: &arguments::NewBox,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let wanted = wanted(arguments, service.asked_now().await);
    let made = for_others(service, service.create_box(&wanted, until).await?).await;
    if output.json {
        return output.json_line(&as_json(&made));
    }
    let due = made.due_at.as_deref().map(local_time);
    let due = due.map_or_else(String::new, |due| format!(", due {due}"));
    output.note_to_watcher(&format!("box {}{due}", made.id));
    tell_watcher_if_only_here(&made.url, output);
    output.result(&made.url)
}

/// The same by the address at which others open it.
async fn for_others(service: &ApiClient, file_box: FileBox) -> FileBox {
    let url = service.links_for_others().await.named(&file_box.url);
    FileBox { url, ..file_box }
}

fn wanted(arguments: &arguments::NewBox, now: DateTime<Utc>) -> Value {
    let at = |end: &Option<FileEnd>| end.map(|it| json!(it.of_a_file(now)));
    let mut wanted = Map::from_iter([("title".to_owned(), json!(arguments.title))]);
    let more = [
        ("opensAt", at(&arguments.opens)),
        ("dueAt", at(&arguments.due)),
        ("closesAt", at(&arguments.closes)),
        ("maxFiles", arguments.max_files.map(|it| json!(it))),
        ("maxFileBytes", arguments.max_file_bytes.map(|it| json!(it))),
        (
            "types",
            (!arguments.types.is_empty()).then(|| json!(arguments.types)),
        ),
        ("submitter", arguments.signed_in.then(|| json!("signed_in"))),
        (
            "password",
            arguments.password.as_ref().map(|it| json!(it.0)),
        ),
        ("keep", arguments.keep_all.then(|| json!("all"))),
    ];
    let more = more.into_iter();
    wanted.extend(more.filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(wanted)
}

fn as_json(file_box: &FileBox) -> Value {
    serde_json::to_value(file_box).unwrap_or_default()
}

fn show_row(file_box: &FileBox, output: &Output) -> Result<(), CliError> {
    if output.json {
        return output.json_line(&as_json(file_box));
    }
    let time = |at: &Option<String>| at.as_deref().map_or_else(|| "–".to_owned(), local_time);
    output.result(&format!(
        "{}  due {:26}  closes {:26}  {}  {}",
        file_box.id,
        time(&file_box.due_at),
        time(&file_box.closes_at),
        file_box.url,
        file_box.title
    ))
}

/// A box, and who handed in what and when.
async fn show(
    service: &ApiClient,
    arguments: &arguments::ShowBox,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let file_box = service.find_box(&arguments.file_box, until).await?;
    let is_asked_for = |hand_in: &HandIn| {
        let by = arguments.submitter.as_ref();
        let is_theirs = by.is_none_or(|name| is_called(hand_in, name));
        is_theirs && (!arguments.late || hand_in.late)
    };
    let file_box = for_others(service, file_box).await;
    if !output.json {
        show_head(&file_box, output)?;
    }
    let showing = service.hand_ins(&file_box.id, until, |hand_in| {
        if !is_asked_for(&hand_in) {
            return Ok(true);
        }
        match output.json {
            true => output.json_line(&serde_json::to_value(&hand_in).unwrap_or_default())?,
            false => output.result(&row(&file_box, &hand_in))?,
        }
        Ok(true)
    });
    showing.await
}

fn show_head(file_box: &FileBox, output: &Output) -> Result<(), CliError> {
    let mut lines = vec![
        ("title", file_box.title.clone()),
        ("url", file_box.url.clone()),
    ];
    let times = [("due", &file_box.due_at), ("closes", &file_box.closes_at)];
    let times = times.into_iter();
    lines.extend(times.filter_map(|(name, at)| Some((name, local_time(at.as_deref()?)))));
    for own in &file_box.overrides {
        let at = |at: &Option<String>| at.as_deref().map(local_time);
        let due = at(&own.due_at).map(|due| format!("due {due}"));
        let closes = at(&own.closes_at).map(|closes| format!("closes {closes}"));
        let both: Vec<String> = [due, closes].into_iter().flatten().collect();
        lines.push(("for", format!("{}: {}", own.submitter, both.join(", "))));
    }
    for (name, value) in lines {
        output.result(&format!("{name:7} {value}"))?;
    }
    Ok(())
}

/// Whether a person means the one who handed this in.
fn is_called(hand_in: &HandIn, name: &str) -> bool {
    hand_in.submitter.to_lowercase() == name.to_lowercase()
        || hand_in.submitter_id.as_deref() == Some(name)
}

fn row(file_box: &FileBox, hand_in: &HandIn) -> String {
    let at = hand_in.uploaded_at.as_deref();
    let when = at.map_or_else(
        || format!("{:26}", hand_in.status),
        |at| format!("{:26}", local_time(at)),
    );
    let late = match (hand_in.late, lateness(file_box, hand_in)) {
        (false, _) => String::new(),
        (true, None) => "  late".to_owned(),
        (true, Some(by)) => format!("  late by {by}"),
    };
    format!(
        "{}  {when}  {:>11}  {} – {}{late}",
        hand_in.id,
        human(hand_in.size),
        hand_in.submitter,
        hand_in.display_name
    )
}

/// By how much a file is late, as far as that can be told.
pub(crate) fn lateness(file_box: &FileBox, hand_in: &HandIn) -> Option<String> {
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    let due = time(file_box.due_for(hand_in)?)?;
    let late = (time(hand_in.uploaded_at.as_deref()?)? - due).num_seconds();
    let (days, hours) = (late / 86_400, late / 3_600 % 24);
    let rest = format!("{hours:02}:{:02}:{:02}", late / 60 % 60, late % 60);
    match days {
        _ if late < 0 => None,
        0 => Some(rest),
        days => Some(format!("{days} d {rest}")),
    }
}

/// Gives everybody, or one person, other times.
async fn extend(
    service: &ApiClient,
    arguments: &arguments::ExtendBox,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let file_box = service.find_box(&arguments.file_box, until).await?;
    // Others hand in by its clock, and it has just said what time that is.
    let now = service.now();
    let at = |end: &Option<FileEnd>| end.map(|it| it.of_a_file(now));
    let (due, closes) = (at(&arguments.due), at(&arguments.closes));
    let changed = match &arguments.submitter {
        None => {
            let times = [("dueAt", due), ("closesAt", closes)].into_iter();
            let times = times.filter_map(|(name, at)| Some((name.to_owned(), json!(at?))));
            let change = Value::Object(times.collect());
            service.change_box(&file_box.id, &change, until).await?
        }
        Some(name) => extend_one(service, &file_box.id, name, (due, closes), until).await?,
    };
    say_times(&for_others(service, changed).await, output)
}

/// The times of others are sent along, so they must be what they are: whoever changes them meanwhile is asked for again.
async fn extend_one(
    service: &ApiClient,
    id: &str,
    name: &str,
    (due, closes): (Option<String>, Option<String>),
    until: Deadline,
) -> Result<FileBox, CliError> {
    for _ in 0..MAX_ROUNDS {
        let (file_box, tag) = service.box_as_it_is(id, until).await?;
        let overrides = with_override(&file_box, name, due.clone(), closes.clone());
        let change = json!({ "overrides": overrides });
        let changing = service.change_box_if(id, tag.as_ref(), &change, until);
        if let Some(changed) = changing.await? {
            return Ok(changed);
        }
        // So that those who race don't go on in step.
        tokio::time::sleep(MAX_PAUSE.mul_f64(fastrand::f64())).await;
    }
    let why = "others change the box all the time: run the same command again";
    Err(CliError::Unusable(why.to_owned()))
}

/// What there is for others stays, and what isn't said for this one too.
fn with_override(
    file_box: &FileBox,
    name: &str,
    due: Option<String>,
    closes: Option<String>,
) -> Vec<Override> {
    let is_theirs = |it: &Override| it.submitter.to_lowercase() == name.to_lowercase();
    let mut overrides = file_box.overrides.clone();
    let there = overrides.iter_mut().find(|it| is_theirs(it));
    match there {
        Some(own) => {
            own.due_at = due.or(own.due_at.take());
            own.closes_at = closes.or(own.closes_at.take());
        }
        None => overrides.push(Override {
            submitter: name.to_owned(),
            due_at: due,
            closes_at: closes,
        }),
    }
    overrides
}

/// Closes a box for everybody, at once: by the clock of the service, which alone knows what arrived before.
async fn close(
    service: &ApiClient,
    file_box: &str,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let file_box = service.find_box(file_box, until).await?;
    let change = json!({ "close": true });
    let changed = service.change_box(&file_box.id, &change, until).await?;
    say_times(&for_others(service, changed).await, output)
}

fn say_times(file_box: &FileBox, output: &Output) -> Result<(), CliError> {
    match output.json {
        true => output.json_line(&as_json(file_box)),
        false => show_head(file_box, output),
    }
}

/// The exit codes of all.
async fn end(
    service: &ApiClient,
    boxes: &[String],
    yes: bool,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let mut found = Vec::new();
    for file_box in boxes {
        let until = Deadline::after(patience);
        found.push(service.find_box(file_box, until).await?);
    }
    if !yes {
        somebody_is_there("whether to end a box")?;
        let what = found
            .iter()
            .map(|it| format!("{}  {}", it.id, it.title))
            .collect::<Vec<_>>();
        let question = "This ends for good, and puts what was handed in into your list of files:";
        if !agreed(question, &what, output).await? {
            return Err(CliError::Here("nothing was ended".to_owned()));
        }
    }
    let mut codes = Vec::new();
    for FileBox { id, .. } in found {
        let ended = service.end_box(&id, Deadline::after(patience)).await;
        codes.push(output.outcome(&id, &Deed::ENDED, ended)?);
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_box() -> FileBox {
        serde_json::from_value(json!({
            "id": "b", "url": "https://files.example.org/b/token", "title": "Sheet 3",
            "dueAt": "2027-01-31T12:00:00.000Z", "closesAt": "2027-01-31T18:00:00.000Z", "keep": "latest",
            "overrides": [
                { "submitter": "Ada", "dueAt": "2027-02-02T12:00:00.000Z", "closesAt": "2027-02-03T12:00:00.000Z" },
                { "submitter": "Bob", "dueAt": "2027-01-30T12:00:00.000Z", "closesAt": null },
            ],
        }))
        .expect("a box")
    }

    fn hand_in(submitter: &str, user: Option<&str>, at: &str) -> HandIn {
        serde_json::from_value(json!({
            "id": "f", "displayName": "a.pdf", "size": 5, "status": "available", "submitter": submitter,
            "submitterId": user, "createdAt": at, "uploadedAt": at, "late": true,
        }))
        .expect("a hand-in")
    }

    #[test]
    fn to_extend_for_one_leaves_others_and_what_is_not_said_as_they_are() {
        let more = with_override(&a_box(), "ADA", None, Some("later".into()));
        assert_eq!(more.len(), 2);
        assert_eq!(more[0].due_at.as_deref(), Some("2027-02-02T12:00:00.000Z"));
        assert_eq!(more[0].closes_at.as_deref(), Some("later"));
        let more = with_override(&a_box(), "Eve", Some("later".into()), None);
        assert_eq!((more.len(), more[2].submitter.as_str()), (3, "Eve"));
    }

    #[test]
    fn how_late_a_file_is_goes_by_the_submitters_own_time() {
        let by = |name: &str, user, at: &str| lateness(&a_box(), &hand_in(name, user, at));
        assert_eq!(
            by("Eve", None, "2027-01-31T12:00:07.900Z").as_deref(),
            Some("00:00:07")
        );
        assert_eq!(
            by("ada", None, "2027-02-03T13:01:02.000Z").as_deref(),
            Some("1 d 01:01:02")
        );
        // Whoever signed in isn't who typed that name.
        let signed_in = by("Ada", Some("usr_a"), "2027-01-31T13:00:00.000Z");
        assert_eq!(signed_in.as_deref(), Some("01:00:00"));
        assert_eq!(by("Ada", None, "2027-01-31T13:00:00.000Z"), None);
    }
}
