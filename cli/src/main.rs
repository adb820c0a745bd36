//! `fshare`: files shared from a terminal.
//!
//! Arguments → one command → exit code. The service is known by its contract alone
//! (`tests/openapi.json`): no code of the server's is in here.
//!
//! **Invariant:** presigned URLs are used and never shown; what is interrupted says what it did.
//!
//! **Absent on purpose:** settings in a file, besides the tokens that `login` gets. One address is all that there is to
//! set; proxies are set for all programs alike.

mod address;
mod answer;
mod api_client;
mod arguments;
mod box_calls;
mod boxes;
mod collect;
mod commands;
mod doctor;
mod download;
mod error;
mod events;
mod file_calls;
mod file_end;
mod hand_in_table;
mod hold_calls;
mod holds;
mod http;
mod inputs;
mod intermediary;
mod jws;
mod link_calls;
mod links;
mod links_for_others;
mod login;
mod open_browser;
mod output;
mod platform;
mod proxies;
mod put;
mod qr;
mod rates_seen;
mod receipt;
mod retry;
mod service_clock;
mod sign_in_calls;
mod stored_tokens;
mod tokens;
mod upload;
mod verify;
mod wait_notes;
mod webhook;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::api_client::ApiClient;
use crate::arguments::{Arguments, Command, LinksCommand, TokensCommand, WebhookCommand};
use crate::doctor::TestFile;
use crate::error::{CliError, common_exit_code};
use crate::output::Output;
use crate::platform::asked_to_end;
use crate::retry::Deadline;
use crate::upload::{UploadProgress, UploadState};

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
    let progress = UploadProgress::new();
    let test_file = TestFile::default();
    let code = runtime.block_on(async {
        tokio::select! {
            code = run(&arguments, &output, &progress, &test_file) => code,
            code = asked_to_end() => {
                say_where_it_stands(&output, &progress);
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
    progress: &UploadProgress,
    test_file: &TestFile,
) -> ExitCode {
    match dispatch(arguments, output, progress, test_file).await {
        Ok(codes) => common_exit_code(codes),
        Err(failure) => {
            if matches!(failure, CliError::NotRead) {
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
    progress: &UploadProgress,
    test_file: &TestFile,
) -> Result<Vec<u8>, CliError> {
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
    let server = &arguments.common.server;
    match &arguments.command {
        Command::Login { url } => {
            let url = url.as_ref().unwrap_or(server);
            return login::login(url, patience, output).await.map(one);
        }
        Command::Logout { url } => {
            let url = url.as_ref().unwrap_or(server);
            return login::logout(url, patience, output).await.map(one);
        }
        Command::Verify(verify) => {
            let until = Deadline::after(patience);
            let code = verify::run(server, verify, until, output).await;
            return code.map(|code| vec![code]);
        }
        Command::Webhook {
            command: WebhookCommand::Listen(wanted),
        } => return webhook::listen(wanted, output).await.map(one),
        _ => {}
    }
    let service = ApiClient::at(server)?.saying_waits(output);
    let until = Deadline::after(patience);
    match &arguments.command {
        Command::Upload(upload) => upload::run(&service, upload, patience, output, progress).await,
        Command::List(list) => commands::list(&service, list, patience, output)
            .await
            .map(one),
        Command::Info { file } => commands::info(&service, file, until, output).await.map(one),
        Command::Events(wanted) => events::list(&service, wanted, patience, output)
            .await
            .map(one),
        Command::Open { file } => open_browser::open(&service, file, until, output)
            .await
            .map(one),
        Command::Qr { file } => qr::show(&service, file, output).await.map(one),
        Command::Download(download) => download::run(&service, download, until, output).await,
        Command::Link(link) => links::create(&service, link, until, output).await.map(one),
        Command::Links(links) => match &links.command {
            Some(LinksCommand::End { ids }) => links::end(&service, ids, patience, output).await,
            None => links::list(&service, links.file.as_deref(), patience, output)
                .await
                .map(one),
        },
        Command::Box { command } => boxes::run(&service, command, patience, output).await,
        Command::Collect(wanted) => collect::run(&service, wanted, patience, output).await,
        Command::Receipt(receipt) => receipt::run(&service, receipt, until, output)
            .await
            .map(one),
        Command::Doctor(doctor) => doctor::run(&service, doctor, output, test_file)
            .await
            .map(|code| vec![code]),
        Command::Delete(delete) => commands::delete(&service, delete, patience, output).await,
        Command::Hold(wanted) => holds::hold(&service, wanted, patience, output).await,
        Command::Keep(wanted) => holds::keep(&service, wanted, patience, output).await,
        Command::Unhold(wanted) => holds::unhold(&service, wanted, patience, output).await,
        Command::Tokens(tokens) => match &tokens.command {
            Some(TokensCommand::Revoke { ids }) => {
                tokens::revoke(&service, ids, patience, output).await
            }
            None => tokens::list(&service, until, output).await.map(one),
        },
        Command::Login { .. }
        | Command::Logout { .. }
        | Command::Verify(_)
        | Command::Webhook { .. }
        | Command::Completions { .. }
        | Command::Man => Ok(Vec::new()),
    }
}

fn one(_: ()) -> Vec<u8> {
    vec![error::DONE]
}

fn print(text: &[u8]) -> Result<Vec<u8>, CliError> {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text).and_then(|()| output.flush());
    written.map_err(|error| CliError::of_standard_output(&error))?;
    Ok(one(()))
}

/// One page for all commands: the program's own, then what each of them takes.
fn man_page() -> Result<Vec<u8>, CliError> {
    let here = |error: std::io::Error| CliError::Here(error.to_string());
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(here)?;
    let is_shown = |command: &&clap::Command| command.get_name() != "help";
    let all = command.get_subcommands().filter(is_shown).flat_map(|one| {
        let name = one.get_name().to_uppercase();
        let below = one.get_subcommands().filter(is_shown).map({
            let name = name.clone();
            move |below| (format!("{name} {}", below.get_name().to_uppercase()), below)
        });
        std::iter::once((name, one)).chain(below.collect::<Vec<_>>())
    });
    for (name, subcommand) in all {
        let man = clap_mangen::Man::new(subcommand.clone());
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
fn say_where_it_stands(output: &Output, progress: &UploadProgress) {
    let all = progress.all();
    output.note("fshare: interrupted");
    for (shown, state) in all {
        match state {
            UploadState::Done(link) if !output.json => {
                let _ = upload::say_link(output, &link, &shown);
            }
            UploadState::Waiting => output.note(&format!("✗ {shown}: not uploaded")),
            UploadState::Sent(link) => output.note(&format!(
                "✗ {shown}: sent, but its end isn't known yet; ask with: fshare info {link}"
            )),
            UploadState::Done(_) | UploadState::Failed(_) => {}
        }
    }
}
