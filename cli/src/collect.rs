//! `fshare collect`: all that was handed in to a box, into a folder.
//!
//! **Invariant:** each file has a name of its own that Windows can keep, and under it there are only bytes whose length
//! and SHA-256 are those of the record. Nothing that is there is replaced or followed. What couldn't be fetched, is late
//! or is still on its way is said.
//!
//! **Absent on purpose:** a note of what was fetched before. The folder shows it, whoever else wrote there.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::api_client::ApiClient;
use crate::arguments;
use crate::box_calls::{FileBox, HandIn};
use crate::boxes::lateness;
use crate::download::{Leftovers, distinct_names, safe_name, same, save_new};
use crate::error::{CliError, DONE, SOME_FAILED};
use crate::hand_in_table::{self, Line};
use crate::inputs::digest;
use crate::output::{Output, local_time};
use crate::retry::Deadline;

/// A box holds fewer. What a server says beyond it isn't kept in memory.
const MAX_HAND_INS: usize = 1_000_000;

/// A file that is wanted, and where it goes.
struct Planned<'a> {
    hand_in: &'a HandIn,
    counts: bool,
    name: String,
    /// It lies there already.
    is_there: bool,
}

/// The exit code of each file, and of what isn't there yet.
pub(crate) async fn run(
    service: &ApiClient,
    arguments: &arguments::Collect,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let until = Deadline::after(patience);
    let file_box = service.find_box(&arguments.file_box, until).await?;
    let folder = arguments.folder.as_path();
    std::fs::create_dir_all(folder)
        .map_err(|error| CliError::Here(format!("{}: {error}", folder.display())))?;
    Leftovers::clear(folder);
    let all = hand_ins(service, &file_box, until).await?;
    let counting = counting(&file_box, &all);
    let wanted = all.iter().filter(|it| it.status == "available");
    let wanted = wanted.map(|it| (it, counting.contains(it.id.as_str())));
    let wanted: Vec<_> = wanted
        .filter(|(_, counts)| *counts || !arguments.latest)
        .collect();
    let planned = {
        let (folder, wanted) = (folder.to_owned(), &wanted);
        tokio::task::block_in_place(move || plan(&folder, wanted))?
    };
    let fetching = planned.iter().map(|file| async move {
        let until = Deadline::after(patience);
        let fetched = fetch(service, folder, file, until, output).await;
        if let Err(failure) = &fetched {
            output.note(&format!("✗ {}: {failure}", file.name));
        }
        fetched
    });
    let fetched: Vec<Result<(), CliError>> = stream::iter(fetching)
        .buffered(usize::from(arguments.jobs))
        .collect()
        .await;
    let lines = planned.iter().zip(&fetched).map(|(file, fetched)| Line {
        hand_in: file.hand_in,
        file: if fetched.is_ok() { &file.name } else { "" },
        counts: file.counts,
        late_by: lateness(&file_box, file.hand_in).filter(|_| file.hand_in.late),
    });
    let lines: Vec<Line<'_>> = lines.collect();
    let table = hand_in_table::write(folder, &lines)?;
    say(&file_box, folder, &lines, &fetched, output)?;
    let waiting = all.iter().filter(|it| !is_final(it)).count();
    say_end(&planned, &fetched, waiting, &table, output)?;
    let mut codes: Vec<u8> = fetched.iter().map(code).collect();
    codes.push(if waiting == 0 { DONE } else { SOME_FAILED });
    Ok(codes)
}

fn code(fetched: &Result<(), CliError>) -> u8 {
    fetched.as_ref().map_or_else(CliError::exit_code, |()| DONE)
}

/// What this program doesn't know is on its way to something.
fn is_final(hand_in: &HandIn) -> bool {
    matches!(
        hand_in.status.as_str(),
        "available" | "rejected" | "withdrawn" | "expired"
    )
}

/// All that was handed in, oldest first: so what comes later takes no name from what was there.
async fn hand_ins(
    service: &ApiClient,
    file_box: &FileBox,
    until: Deadline,
) -> Result<Vec<HandIn>, CliError> {
    let mut all = Vec::new();
    let reading = service.hand_ins(&file_box.id, until, |hand_in| {
        all.push(hand_in);
        match all.len() {
            0..=MAX_HAND_INS => Ok(true),
            _ => Err(CliError::Unusable(
                "the server's list doesn't end".to_owned(),
            )),
        }
    });
    reading.await?;
    all.reverse();
    Ok(all)
}

/// The IDs of the files that count: of each submitter the latest that isn't late, and the latest if all are; where all
/// are kept, each.
fn counting<'a>(file_box: &FileBox, all: &'a [HandIn]) -> HashSet<&'a str> {
    let mut best: HashMap<_, (bool, &str, &str)> = HashMap::new();
    let mut counting = HashSet::new();
    for hand_in in all.iter().filter(|it| it.status == "available") {
        if file_box.keep == "all" {
            counting.insert(hand_in.id.as_str());
            continue;
        }
        // Times of the service sort as texts do: all are in UTC and have milliseconds.
        let at = hand_in.uploaded_at.as_deref().unwrap_or_default();
        let rank = (!hand_in.late, at, hand_in.id.as_str());
        let theirs = best.entry(hand_in.whose()).or_insert(rank);
        *theirs = (*theirs).max(rank);
    }
    counting.extend(best.into_values().map(|(_, _, id)| id));
    counting
}

/// Finds a name for each, and whether it lies there. One that is taken by something else gets a part of its ID.
fn plan<'a>(folder: &Path, wanted: &[(&'a HandIn, bool)]) -> Result<Vec<Planned<'a>>, CliError> {
    let mut used = HashSet::new();
    let mut planned = Vec::new();
    for (hand_in, counts) in wanted {
        let plain = safe_name(
            &format!("{} – {}", hand_in.submitter, hand_in.display_name),
            &hand_in.id,
        );
        let names = distinct_names(&plain, &hand_in.id);
        let mut chosen = None;
        for name in names {
            if used.contains(&same(&name)) {
                continue;
            }
            match look(&folder.join(&name), hand_in)? {
                Found::SomethingElse => {}
                found => {
                    chosen = Some((name, found == Found::This));
                    break;
                }
            }
        }
        let (name, is_there) = chosen.ok_or_else(|| {
            let shown = folder.join(&plain);
            CliError::Here(format!("{}: all its names are taken", shown.display()))
        })?;
        used.insert(same(&name));
        planned.push(Planned {
            hand_in,
            counts: *counts,
            name,
            is_there,
        });
    }
    Ok(planned)
}

#[derive(PartialEq)]
enum Found {
    Nothing,
    /// These bytes.
    This,
    SomethingElse,
}

/// What lies there. Links aren't followed.
fn look(path: &Path, hand_in: &HandIn) -> Result<Found, CliError> {
    let failed = |error: io::Error| CliError::Here(format!("{}: {error}", path.display()));
    let there = match path.symlink_metadata() {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(failed(error)),
    };
    if !there.is_file() || there.len() != hand_in.size {
        return Ok(Found::SomethingElse);
    }
    let mut file = File::open(path).map_err(failed)?;
    let (size, sha256) = digest(&mut file, &mut io::sink()).map_err(failed)?;
    let is_this = size == hand_in.size && hand_in.sha256.as_ref() == Some(&sha256);
    Ok(match is_this {
        true => Found::This,
        false => Found::SomethingElse,
    })
}

async fn fetch(
    service: &ApiClient,
    folder: &Path,
    file: &Planned<'_>,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    if file.is_there {
        return Ok(());
    }
    let path = folder.join(&file.name);
    save_new(service, &file.hand_in.record()?, &path, until, output).await
}

/// Each file for programs; for people what is late.
fn say(
    file_box: &FileBox,
    folder: &Path,
    lines: &[Line<'_>],
    fetched: &[Result<(), CliError>],
    output: &Output,
) -> Result<(), CliError> {
    for (line, fetched) in lines.iter().zip(fetched) {
        let hand_in = line.hand_in;
        if output.json {
            let path = (!line.file.is_empty()).then(|| folder.join(line.file));
            output.json_line(&json!({
                "path": path.map(|path| path.display().to_string()),
                "counts": line.counts,
                "handIn": hand_in,
                "error": fetched.as_ref().err().map(CliError::as_json),
            }))?;
        } else if hand_in.late {
            let at = hand_in.uploaded_at.as_deref().unwrap_or_default();
            let by = lateness(file_box, hand_in);
            let by = by.map_or_else(String::new, |by| format!(" by {by}"));
            output.note(&format!(
                "late{by}: {} – {}, {}",
                hand_in.submitter,
                hand_in.display_name,
                local_time(at)
            ));
        }
    }
    Ok(())
}

fn say_end(
    planned: &[Planned<'_>],
    fetched: &[Result<(), CliError>],
    waiting: usize,
    table: &Path,
    output: &Output,
) -> Result<(), CliError> {
    if waiting > 0 {
        output.note(&format!(
            "{waiting} of what was handed in is still on its way: the same command fetches it once it is there"
        ));
    }
    if output.json {
        return Ok(());
    }
    let there = planned.iter().filter(|file| file.is_there).count();
    let failed = fetched.iter().filter(|fetched| fetched.is_err()).count();
    let late = planned.iter().filter(|file| file.hand_in.late).count();
    output.note(&format!(
        "{} files: {} fetched, {there} were there, {failed} failed; {late} late",
        planned.len(),
        planned.len() - there - failed
    ));
    output.result(&table.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::MAX_NAME_BYTES;

    fn hand_in(n: u32, submitter: &str, name: &str, content: &str) -> HandIn {
        let (size, sha256) = digest(&mut content.as_bytes(), &mut io::sink()).expect("a digest");
        serde_json::from_value(json!({
            "id": format!("019aaaaa-0000-7000-8000-0000{n:08x}"), "displayName": name, "size": size,
            "sha256": sha256, "status": "available", "submitter": submitter, "submitterId": null,
            "createdAt": "2027-01-31T12:00:00.000Z", "uploadedAt": format!("2027-01-31T12:00:{n:02}.000Z"),
            "late": n > 50,
        }))
        .expect("a hand-in")
    }

    fn names(folder: &Path, all: &[HandIn]) -> Vec<(String, bool)> {
        let wanted: Vec<_> = all.iter().map(|it| (it, true)).collect();
        let planned = plan(folder, &wanted).expect("a plan");
        let planned = planned.into_iter();
        planned.map(|it| (it.name, it.is_there)).collect()
    }

    #[test]
    fn no_two_have_the_same_name_and_no_name_leaves_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let all = [
            hand_in(1, "Ada", "a.pdf", "1"),
            hand_in(2, "ada", "A.PDF", "1"),
            hand_in(3, "Ada", "a.pdf", "1"),
            hand_in(4, "..", "../../etc/passwd", "4"),
            hand_in(5, "CON", "nul.", "5"),
            hand_in(6, "=cmd|'/c calc'!A1", "\u{202e}x", "6"),
            hand_in(
                7,
                &"é".repeat(100),
                &format!("{}.pdf", "é".repeat(200)),
                "7",
            ),
            hand_in(
                8,
                &"é".repeat(100),
                &format!("{}.pdf", "é".repeat(200)),
                "8",
            ),
        ];
        let planned = names(folder.path(), &all);
        assert_eq!(planned[0].0, "Ada – a.pdf");
        assert_eq!(planned[1].0, "ada – A (00000002).PDF");
        assert_eq!(planned[2].0, "Ada – a (00000003).pdf");
        let distinct: HashSet<_> = planned.iter().map(|(name, _)| same(name)).collect();
        assert_eq!(distinct.len(), all.len());
        for (name, _) in &planned {
            let is_safe = !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
                && !name.starts_with('.')
                && !name.ends_with(['.', ' '])
                && name.len() <= MAX_NAME_BYTES;
            assert!(is_safe, "{name}");
        }
    }

    #[test]
    fn what_is_there_keeps_its_name_and_what_was_changed_stays_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut all = vec![hand_in(1, "Ada", "a.pdf", "one")];
        std::fs::write(folder.path().join("Ada – a.pdf"), "one").expect("a file");
        assert_eq!(
            names(folder.path(), &all),
            [("Ada – a.pdf".to_owned(), true)]
        );
        // The same again by the same person is another file.
        all.push(hand_in(2, "Ada", "a.pdf", "one"));
        let second = ("Ada – a (00000002).pdf".to_owned(), false);
        assert_eq!(names(folder.path(), &all)[1], second);
        // Of the same length.
        std::fs::write(folder.path().join("Ada – a.pdf"), "two").expect("marks");
        let first = ("Ada – a (00000001).pdf".to_owned(), false);
        assert_eq!(names(folder.path(), &all)[0], first);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_has_the_name_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("elsewhere"), "one").expect("a file");
        let link = folder.path().join("Ada – a.pdf");
        std::os::unix::fs::symlink("elsewhere", link).expect("a link");
        let all = [hand_in(1, "Ada", "a.pdf", "one")];
        let beside = ("Ada – a (00000001).pdf".to_owned(), false);
        assert_eq!(names(folder.path(), &all), [beside]);
    }

    #[test]
    fn of_each_person_the_latest_counts_that_is_not_late() {
        let latest: FileBox = serde_json::from_value(json!({
            "id": "b", "url": "u", "title": "t", "keep": "latest", "overrides": [],
        }))
        .expect("a box");
        let mut all = vec![
            hand_in(1, "Ada", "a", "1"),
            hand_in(2, "ada", "b", "2"),
            hand_in(51, "Ada", "late", "3"),
            hand_in(52, "Bob", "late", "4"),
            hand_in(53, "Bob", "later", "5"),
        ];
        let mut signed_in = hand_in(3, "Ada", "by sign-in", "6");
        signed_in.submitter_id = Some("usr_a".to_owned());
        all.push(signed_in);
        let counted = |file_box: &FileBox| {
            let counting = counting(file_box, &all);
            let counted = all.iter().filter(|it| counting.contains(it.id.as_str()));
            counted
                .map(|it| it.display_name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(counted(&latest), ["b", "later", "by sign-in"]);
        let keeping_all = FileBox {
            keep: "all".to_owned(),
            ..latest
        };
        assert_eq!(counted(&keeping_all).len(), all.len());
    }
}
