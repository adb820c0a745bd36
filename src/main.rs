//! The API program: settings → stores → serve → drain. Its subcommands check what is stored and
//! what a start needs, mark stores as belonging together, scan files again, recount what is kept for quotas, and copy
//! local mode's data directory.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use file_share::app::{App, Greeting, StartError, listen};
use file_share::audit_verify::{self, AuditArgs};
use file_share::config::{
    self, AFTER_HELP, AdoptArgs, ApiArgs, ApiSettings, BackupArgs, CheckArgs, CommonSettings,
    Problems, RecountArgs, RescanArgs, RestoreArgs, ScrubArgs,
};
use file_share::lambda_runtime::{self, RuntimeApi};
use file_share::network_addresses::reached_at;
use file_share::{adopt, backup, check, recount, rescan, scrub, shutdown, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hands out presigned URLs and keeps metadata, while the bytes go straight to the object store.
#[derive(Parser)]
#[command(name = "file-share", version, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    /// Without a command the service is served
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    args: ApiArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Read every available file's bytes and name the files whose bytes are wrong or missing
    #[command(after_help = scrub::AFTER_HELP)]
    Scrub(Box<ScrubArgs>),
    /// Have available files scanned for viruses again, and withdraw those in which something is found
    #[command(after_help = rescan::AFTER_HELP)]
    Rescan(Box<RescanArgs>),
    /// Mark records and objects as belonging together, after a start refused them or records were restored
    #[command(after_help = adopt::AFTER_HELP)]
    Adopt(Box<AdoptArgs>),
    /// Look at what a start would look at, and say what is wrong and how to mend it
    #[command(after_help = check::AFTER_HELP)]
    Check(Box<CheckArgs>),
    /// Compare how much everybody has, as it is kept for quotas, with the records
    #[command(after_help = recount::AFTER_HELP)]
    Recount(Box<RecountArgs>),
    /// Copy local mode's data directory as a whole, while the service runs
    #[command(after_help = backup::BACKUP_AFTER_HELP)]
    Backup(Box<BackupArgs>),
    /// Make a data directory out of a backup, or look whether that could be done
    #[command(after_help = backup::RESTORE_AFTER_HELP)]
    Restore(Box<RestoreArgs>),
    /// Look through the audit log
    Audit(AuditArgs),
}

impl Command {
    fn run(self) -> ExitCode {
        match self {
            Self::Scrub(args) => run_command(
                "file-share scrub",
                args.judge(),
                |it| &it.common,
                async |it| scrub::run(&it, shutdown::on_signal()).await,
            ),
            Self::Rescan(args) => run_command(
                "file-share rescan",
                args.judge(),
                |it| &it.common,
                async |it| rescan::run(&it, shutdown::on_signal()).await,
            ),
            Self::Adopt(args) => run_command(
                "file-share adopt",
                args.judge(),
                |it| &it.common,
                async |it| adopt::run(&it).await,
            ),
            Self::Check(args) => run_command(
                "file-share check",
                args.judge(),
                |it| &it.common,
                async |it| check::run(&it).await,
            ),
            Self::Recount(args) => run_command(
                "file-share recount",
                args.judge(),
                |it| &it.common,
                async |it| recount::run(&it).await,
            ),
            Self::Backup(args) => run_command(
                "file-share backup",
                args.judge(),
                |it| &it.common,
                async |it| backup::back_up(&it).await,
            ),
            Self::Restore(args) => run_command(
                "file-share restore",
                args.judge(),
                |it| &it.common,
                async |it| backup::restore(&it, shutdown::on_signal()).await,
            ),
            Self::Audit(args) => audit_verify::run(&args),
        }
    }
}

fn main() -> ExitCode {
    use_small_pages();
    let cli: Cli = config::parse();
    match cli.command {
        Some(command) => command.run(),
        None => serve_until_stopped(&cli.args),
    }
}

fn serve_until_stopped(args: &ApiArgs) -> ExitCode {
    let settings = match args.judge() {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems, 2),
    };
    let runtime_api = RuntimeApi::of_this_process();
    if runtime_api.is_some()
        && let Err(problems) = settings.fit_function()
    {
        return refused(&problems, 2);
    }
    if let Err(error) = telemetry::start(&settings.common) {
        return refused(&error, 2);
    }
    match run(&settings, runtime_api) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error, 1),
    }
}

/// Says why there is no service, to Lambda as well if that started it.
fn refused(error: &impl Display, code: u8) -> ExitCode {
    let message = format!("file-share can't start: {error}");
    eprintln!("{}", message.trim_end());
    lambda_runtime::refuse_start(&message);
    ExitCode::from(code)
}

/// Keeps memory in pages of 4 KiB. The allocator asks for huge ones, of which a service with many small
/// buffers touches a part each: a quarter of its memory would be such pages' unused rest.
fn use_small_pages() {
    // A system that can't is one where memory is as it always was.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Judges what was said, starts the log, and does it: `name` is how errors speak of the command.
fn run_command<T>(
    name: &str,
    judged: Result<T, Problems>,
    common: impl Fn(&T) -> &CommonSettings,
    run: impl AsyncFnOnce(T) -> ExitCode,
) -> ExitCode {
    let settings = match judged {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("{name} can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(common(&settings)) {
        eprintln!("{name} can't start: {error}");
        return ExitCode::from(2);
    }
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(settings)),
        Err(error) => {
            eprintln!("{name} can't start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Threads for calls of the file system, which block. Enough to keep a disk busy; what comes beyond
/// waits. Without a bound of ours there would be up to 512, each with memory of its own.
const BLOCKING_THREADS: usize = 32;

fn run(settings: &ApiSettings, runtime_api: Option<RuntimeApi>) -> Result<(), StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| StartError::new("the runtime", error))?
        .block_on(async {
            match runtime_api {
                None => serve(settings).await,
                Some(runtime_api) => answer_events(settings, &runtime_api).await,
            }
        })
}

/// As a Lambda function.
async fn answer_events(settings: &ApiSettings, runtime_api: &RuntimeApi) -> Result<(), StartError> {
    let stop = shutdown::on_signal();
    let app = App::build(settings).await?;
    let answered = app.answer_events(settings, runtime_api, stop).await;
    answered.map_err(|error| StartError::new("no events can be answered", error))
}

async fn serve(settings: &ApiSettings) -> Result<(), StartError> {
    shutdown::outlive_file_size_limit();
    let app = App::build(settings).await?;
    let listener = listen(settings.listen).await?;
    // The port may have been left to the system to choose.
    let address = listener.local_addr().unwrap_or(settings.listen);
    // Before anybody is told that it runs: who was told may stop it at once.
    let stop = shutdown::on_signal();
    app.serve_metrics(settings, &stop)?;
    greet(&Greeting {
        settings,
        listening: address,
        reached: reached_at(address),
        key: app.key(),
        is_read_by_a_person: std::io::stdout().is_terminal(),
    });
    if settings.is_open_to_others() {
        tracing::warn!("whoever reaches this service may do everything (ACCESS=open)");
    }
    app.serve(listener, stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// Nobody may be reading, which is no reason not to serve.
fn greet(greeting: &Greeting<'_>) {
    let _ = std::io::stdout().write_all(greeting.to_string().as_bytes());
}
