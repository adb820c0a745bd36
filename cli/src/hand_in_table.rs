//! The table of what was handed in, for a spreadsheet.
//!
//! **Invariant:** a spreadsheet takes no cell for a formula, whatever people call themselves and their files, and also
//! where it takes another character for the end of a cell. A table that is there is never replaced: somebody may have
//! written marks into it.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{Local, SubsecRound};

use crate::box_calls::HandIn;
use crate::download::hidden_beside;
use crate::error::CliError;

/// What the table is called, unless there is another one already.
const NAME: &str = "hand-ins.csv";
const COLUMNS: [&str; 11] = [
    "submitter",
    "submitterId",
    "name",
    "file",
    "size",
    "sha256",
    "uploadedAt",
    "late",
    "lateBy",
    "counts",
    "id",
];
/// So that spreadsheets take it for UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A line of the table.
pub(crate) struct Line<'a> {
    pub hand_in: &'a HandIn,
    /// What it is called in the folder; empty: it isn't there.
    pub file: &'a str,
    pub counts: bool,
    /// By how much it is late, where that can be told.
    pub late_by: Option<String>,
}

/// Writes the table into the folder; where it is.
///
/// # Errors
/// It can't be written.
pub(crate) fn write(folder: &Path, lines: &[Line<'_>]) -> Result<PathBuf, CliError> {
    let text = text(lines);
    let path = folder.join(NAME);
    if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(path);
    }
    let beside = |error: std::io::Error| CliError::Here(format!("{}: {error}", path.display()));
    let mut hidden = hidden_beside(&path, true, None)?;
    hidden.write_all(text.as_bytes()).map_err(beside)?;
    hidden.as_file().sync_all().map_err(beside)?;
    let hidden = match hidden.persist_noclobber(&path) {
        Ok(_) => return Ok(path),
        Err(occupied) => occupied.file,
    };
    let now = Local::now().trunc_subsecs(0).format("%Y-%m-%d %H.%M.%S");
    let other = folder.join(format!("hand-ins {now}.csv"));
    let kept = hidden.persist_noclobber(&other);
    kept.map_err(|error| CliError::Here(format!("{}: {}", other.display(), error.error)))?;
    Ok(other)
}

fn text(lines: &[Line<'_>]) -> String {
    let mut text = BYTE_ORDER_MARK.to_owned();
    text += &row(&COLUMNS);
    let yes = |is: bool| if is { "yes" } else { "no" };
    for line in lines {
        let hand_in = line.hand_in;
        text += &row(&[
            &hand_in.submitter,
            hand_in.submitter_id.as_deref().unwrap_or_default(),
            &hand_in.display_name,
            line.file,
            &hand_in.size.to_string(),
            hand_in.sha256.as_deref().unwrap_or_default(),
            hand_in.uploaded_at.as_deref().unwrap_or_default(),
            yes(hand_in.late),
            line.late_by.as_deref().unwrap_or_default(),
            yes(line.counts),
            &hand_in.id,
        ]);
    }
    text
}

/// RFC 4180.
fn row(cells: &[&str]) -> String {
    let cells = cells.iter().map(|cell| {
        let cell = harmless(cell).replace('"', "\"\"");
        format!("\"{cell}\"")
    });
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

/// A text that is no formula where it stands, nor where one of its characters ends a cell
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn harmless(text: &str) -> String {
    let mut safe = String::new();
    let mut is_start = true;
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        let begins_formula = matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
        if is_start && begins_formula {
            safe.push('\'');
        }
        let ends_cell = matches!(c, ',' | ';' | '|');
        let is_skipped = c.is_whitespace() || matches!(c, '"' | '\'');
        is_start = ends_cell || is_start && is_skipped;
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_whatever_ends_a_cell() {
        for (given, safe) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("a-b+c=d@e", "a-b+c=d@e"),
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", " '=1"),
            ("\r=1", " '=1"),
            ("\n=1", " '=1"),
            ("  =1", "  '=1"),
            ("＝1+1", "'＝1+1"),
            ("\"=1", "\"'=1"),
            // Where a semicolon, as in German, or something else ends a cell.
            ("a;=1+1;b", "a;'=1+1;b"),
            ("a; \"=1", "a; \"'=1"),
            ("a|@x", "a|'@x"),
            ("a,-1", "a,'-1"),
        ] {
            assert_eq!(harmless(given), safe, "{given:?}");
        }
    }

    #[test]
    fn a_row_is_read_back_as_it_was_by_whoever_knows_the_format() {
        assert_eq!(
            row(&["a \"b\"", "c,d", ""]),
            "\"a \"\"b\"\"\",\"c,d\",\"\"\r\n"
        );
    }

    #[test]
    fn a_table_that_is_there_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = write(folder.path(), &[]).expect("a table");
        assert_eq!(write(folder.path(), &[]).expect("the same"), first);
        std::fs::write(&first, "with marks").expect("marks");
        let second = write(folder.path(), &[]).expect("another table");
        assert_ne!(second, first);
        assert_eq!(std::fs::read(&first).expect("a table"), b"with marks");
    }
}
