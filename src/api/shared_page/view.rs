//! What the page of a link says, and what a program is told in its place.

use super::super::problem::{Code, Problem};
use super::is_there;
use crate::domain::{FileState, Timestamp};
use crate::links::{SharedFile, SharedFiles};
use crate::web_page::{SharedNotice, SharedRow, SharedView};

/// The link as a page shows it. `message`: what became of the last try.
pub(super) fn view(shared: &SharedFiles, message: Option<&str>) -> SharedView {
    SharedView {
        title: title(shared),
        summary: summary(shared),
        message: message.map(str::to_owned),
        needs_password: shared.link.password.is_some(),
        is_waiting: shared
            .files
            .iter()
            .any(|file| matches!(file.record.state, FileState::Pending)),
        // Only to be told apart from other pages.
        key: format!("page-{:032x}", fastrand::u128(..)),
        rows: shared.files.iter().map(row).collect(),
    }
}

fn title(shared: &SharedFiles) -> String {
    match (&shared.link.title, shared.files.as_slice()) {
        (Some(title), _) => title.as_str().to_owned(),
        (None, []) => "Nothing here any more".into(),
        (None, [file]) => file.record.declared.shown_name().to_owned(),
        (None, files) => format!("{} files", files.len()),
    }
}

fn summary(shared: &SharedFiles) -> String {
    let files = match shared.files.len() {
        0 => "All files were deleted".into(),
        1 => "1 file".into(),
        n => format!("{n} files"),
    };
    let bytes: u64 = shared
        .files
        .iter()
        .map(|file| file.record.declared.length.bytes())
        .sum();
    let until = time(shared.link.expires_at);
    format!("{files}, {}, until {until}", size(bytes))
}

fn row(shared: &SharedFile) -> SharedRow {
    let record = &shared.record;
    let size = size(record.declared.length.bytes());
    let is_left = shared.downloads_left != Some(0);
    let note = match (&record.state, shared.downloads_left) {
        (FileState::Pending, _) => format!("{size} · on its way"),
        (FileState::Available(_), Some(0)) => {
            format!("{size} · was taken as often as it may be")
        }
        (FileState::Available(_), Some(1)) => format!("{size} · can be taken once"),
        (FileState::Available(_), Some(n)) => format!("{size} · can be taken {n} times"),
        (FileState::Available(_), None) => size,
        _ => "never arrived".into(),
    };
    SharedRow {
        id: (is_there(&record.state) && is_left).then(|| record.id.to_string()),
        name: record.declared.shown_name().to_owned(),
        note,
    }
}

/// A size in the units that people know.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    match unit {
        None if bytes == 1 => "1 byte".into(),
        None => format!("{bytes} bytes"),
        Some((unit, name)) => {
            let tenths = bytes * 10 / unit;
            match tenths % 10 {
                0 => format!("{} {name}", tenths / 10),
                tenth => format!("{}.{tenth} {name}", tenths / 10),
            }
        }
    }
}

fn time(at: Timestamp) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A problem as a page says it.
pub(super) fn notice(problem: &Problem, request_id: &str) -> SharedNotice {
    let code = problem.code;
    SharedNotice {
        title: code.title().to_owned(),
        detail: problem.detail.clone(),
        advice: code.advice().replace('`', ""),
        code: code.as_str(),
        request_id: request_id.to_owned(),
        action: None,
        refresh: None,
    }
}

/// What a program is told that wanted the bytes of something that isn't one file, or not for nothing.
pub(super) fn for_programs(shared: &SharedFiles) -> Problem {
    let why = match (&shared.link.password, shared.link.max_downloads) {
        (Some(_), _) => "it has a password".to_owned(),
        (None, Some(_)) => "each download of it counts".to_owned(),
        (None, None) => format!("it has {} files", shared.files.len()),
    };
    Code::LinkOpensPage.with(format!(
        "{why}: open the link in a browser, give it to `fshare download`, or ask GET /v1/shared/TOKEN what there is \
         and POST /v1/shared/TOKEN/files/ID/downloads for a URL"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::from_millis;

    #[test]
    fn sizes_and_times_are_such_as_people_read() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1 KB"),
            (1_250_000, "1.2 MB"),
            (20_971_520, "20.9 MB"),
            (2_097_152_000, "2 GB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        let at = from_millis(1_790_000_000_000).unwrap();
        assert_eq!(time(at), "21 September 2026, 14:13 UTC");
    }
}
