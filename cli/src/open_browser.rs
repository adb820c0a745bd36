//! `fshare open`: the page of a file, in the person's browser.
//!
//! **Invariant:** only an address of the page goes to another program, and never through a shell.
//!
//! **Absent on purpose:** opening anything for a program. In a pipe, and with `--json`, the address is
//! printed instead.

use std::io::{self, IsTerminal};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::address::{PassedOn, parse_capability, parse_file};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::output::Output;
use crate::platform::detach;
use crate::retry::Deadline;

/// A program that fails to open something has said so by then; one that still runs is the browser.
const BROWSER_START: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// Opens the page of a file or a share in the browser; where nobody sits at a terminal its address is
/// printed.
///
/// # Errors
/// There is no such file, or no browser; then the address was printed.
pub(crate) async fn open(
    service: &ApiClient,
    file: &str,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    if let Some(passed_on) = parse_capability(file)? {
        let page = passed_on.page();
        let what = match passed_on.kind {
            PassedOn::Link => "the link",
            PassedOn::Box => "the box",
        };
        return show(&page, json!({ "page": page }), what, output).await;
    }
    let (service, id) = parse_file(file, service).await?;
    // Said here, where the person looks, and not on a page of the browser.
    let record = service.describe(id, until).await?;
    let page = service.link(id);
    let line = json!({ "id": id.to_string(), "page": page });
    show(&page, line, record.name(), output).await
}

async fn show(page: &str, line: Value, name: &str, output: &Output) -> Result<(), CliError> {
    if output.json {
        return output.json_line(&line);
    }
    if !io::stdout().is_terminal() {
        return output.result(page);
    }
    if open_page(page).await {
        output.note(&format!("✓ {name} is open in the browser"));
        return Ok(());
    }
    output.result(page)?;
    Err(CliError::Here(
        "no browser could be started here; open the address yourself".to_owned(),
    ))
}

/// Whether a browser opens it.
pub(crate) async fn open_page(page: &str) -> bool {
    for command in browsers(page) {
        if started(command).await {
            return true;
        }
    }
    false
}

/// What may open it, best first: the person's own choice, then what the system has.
fn browsers(page: &str) -> Vec<Command> {
    let chosen = std::env::var("BROWSER").unwrap_or_default();
    let mut commands = chosen_browsers(&chosen, page);
    commands.extend(open::commands(page));
    commands
}

/// `BROWSER` as other programs read it: commands separated by colons, with `%s` for the address.
fn chosen_browsers(chosen: &str, page: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    for entry in chosen.split(':') {
        let mut words = entry.split_whitespace();
        let Some(program) = words.next() else {
            continue;
        };
        let mut command = Command::new(program);
        let mut has_place = false;
        for word in words {
            has_place |= word.contains("%s");
            command.arg(word.replace("%s", page));
        }
        if !has_place {
            command.arg(page);
        }
        commands.push(command);
    }
    commands
}

/// Whether it runs, or has handed the address on to what does.
async fn started(mut command: Command) -> bool {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = detach(command).spawn();
    let Ok(mut child) = child else {
        return false;
    };
    let until = Instant::now() + BROWSER_START;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => sleep(POLL).await,
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_of_a_browser_is_read_as_other_programs_read_it() {
        let read = |chosen: &str| -> Vec<String> {
            chosen_browsers(chosen, "http://x/f/1;date")
                .iter()
                .map(|command| {
                    let arguments = command.get_args().map(|a| a.to_string_lossy());
                    let words: Vec<_> = std::iter::once(command.get_program().to_string_lossy())
                        .chain(arguments)
                        .collect();
                    words.join("|")
                })
                .collect()
        };
        assert_eq!(read(""), Vec::<String>::new());
        assert_eq!(
            read("firefox --new-window %s::w3m"),
            [
                "firefox|--new-window|http://x/f/1;date",
                "w3m|http://x/f/1;date"
            ]
        );
    }
}
