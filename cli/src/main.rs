//! `fshare`: files shared from a terminal.
//!
//! Arguments → one command → exit code. The service is known by its contract alone
//! (`tests/openapi.json`): no code of the server's is in here.
//!
//! **Invariant:** presigned URLs are used and never shown; what is interrupted says what it did.
//!
//! **Absent on purpose:** settings in a file. One address is all that there is to set; proxies are set for all
//! programs alike.

mod address;
mod arguments;
mod browser;
mod doctor;
mod download;
mod failure;
mod http;
mod intermediary;
mod output;
mod platform;
mod proxies;
mod put;
mod records;
mod retry;
mod service;
mod sources;
mod upload;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::arguments::{Arguments, Command};
use crate::doctor::TestFile;
use crate::failure::{Failure, common_exit_code};
use crate::output::Output;
use crate::platform::asked_to_end;
use crate::retry::Deadline;
use crate::service::Service;
use crate::upload::{Fate, Ledger};

fn main() -> ExitCode {
    // Refuses what is wrong with exit code 2.
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("fshare: {error}");
            return ExitCode::FAILURE;
        }
    };
    let output = Output::new(arguments.common.json);
    let ledger = Ledger::new();
    let test_file = TestFile::default();
    let code = runtime.block_on(async {
        tokio::select! {
            code = run(&arguments, &output, &ledger, &test_file) => code,
            code = asked_to_end() => {
                say_where_it_stands(&output, &ledger);
                // Asked a second time, it ends at once.
                tokio::select! {
                    () = test_file.clean_up(&output) => {}
                    _ = asked_to_end() => {}
                }
                ExitCode::from(code)
            }
        }
    });
    // A thread that waits for standard input must not keep the program.
    runtime.shutdown_background();
    code
}

async fn run(
    arguments: &Arguments,
    output: &Output,
    ledger: &Ledger,
    test_file: &TestFile,
) -> ExitCode {
    match dispatch(arguments, output, ledger, test_file).await {
        Ok(codes) => common_exit_code(codes),
        Err(failure) => {
            if matches!(failure, Failure::NotRead) {
                // Nobody asked to hear more.
            } else if output.json {
                let _ = output.json_line(&serde_json::json!({ "error": failure.as_json() }));
            } else {
                output.note(&format!("fshare: {failure}"));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn dispatch(
    arguments: &Arguments,
    output: &Output,
    ledger: &Ledger,
    test_file: &TestFile,
) -> Result<Vec<u8>, Failure> {
    let patience = arguments.common.patience();
    match &arguments.command {
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "fshare", &mut text);
            return print(&text);
        }
        Command::Man => return print(&man_page()?),
        _ => {}
    }
    let service = Service::at(&arguments.common.server)?;
    let until = Deadline::after(patience);
    match &arguments.command {
        Command::Upload(upload) => upload::run(&service, upload, patience, output, ledger).await,
        Command::List(list) => records::list(&service, list, patience, output)
            .await
            .map(one),
        Command::Info { file } => records::info(&service, file, until, output).await.map(one),
        Command::Open { file } => browser::open(&service, file, until, output).await.map(one),
        Command::Download(download) => download::run(&service, download, until, output)
            .await
            .map(one),
        Command::Doctor(doctor) => doctor::run(&service, doctor, output, test_file)
            .await
            .map(|code| vec![code]),
        Command::Delete(delete) => records::delete(&service, delete, patience, output).await,
        Command::Completions { .. } | Command::Man => Ok(Vec::new()),
    }
}

fn one(_: ()) -> Vec<u8> {
    vec![failure::DONE]
}

fn print(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text).and_then(|()| output.flush());
    written.map_err(|error| Failure::of_standard_output(&error))?;
    Ok(one(()))
}

/// One page for all commands: the program's own, then what each of them takes.
fn man_page() -> Result<Vec<u8>, Failure> {
    let here = |error: std::io::Error| Failure::Here(error.to_string());
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(here)?;
    for subcommand in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let man = clap_mangen::Man::new(subcommand.clone());
        let name = subcommand.get_name().to_uppercase();
        writeln!(page, ".SH \"FSHARE {name}\"").map_err(here)?;
        let about = subcommand.get_about().map(ToString::to_string);
        writeln!(page, "{}", about.unwrap_or_default()).map_err(here)?;
        let mut options = Vec::new();
        man.render_options_section(&mut options).map_err(here)?;
        // A section of its own would be called the same for each.
        let options = String::from_utf8_lossy(&options).replace(".SH OPTIONS", ".PP");
        let options = options.replace(".SH ", ".SS ");
        page.extend_from_slice(options.as_bytes());
    }
    Ok(page)
}

/// What was done and what wasn't. Links of what was go where links go.
fn say_where_it_stands(output: &Output, ledger: &Ledger) {
    let all = ledger.all();
    output.note("fshare: interrupted");
    for (shown, fate) in all {
        match fate {
            Fate::Done(link) if !output.json => {
                let _ = upload::say_link(output, &link, &shown);
            }
            Fate::Waiting => output.note(&format!("✗ {shown}: not uploaded")),
            Fate::Sent(link) => output.note(&format!(
                "✗ {shown}: sent, but its end isn't known yet; ask with: fshare info {link}"
            )),
            Fate::Done(_) | Fate::Failed(_) => {}
        }
    }
}
