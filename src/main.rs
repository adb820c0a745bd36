//! The API program: settings → stores → serve → drain. Its subcommands check what is stored and
//! what a start needs, mark stores as belonging together, and recount what is kept for quotas.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use file_share::app::{App, Greeting, StartError, listen};
use file_share::audit_verify::{self, AuditArgs};
use file_share::config::{
    self, AFTER_HELP, AdoptArgs, AdoptSettings, ApiArgs, ApiSettings, CheckArgs, CheckSettings,
    RecountArgs, RecountSettings, ScrubArgs, ScrubSettings,
};
use file_share::network_addresses::reached_at;
use file_share::{adopt, check, recount, scrub, shutdown, telemetry};

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
    /// Mark records and objects as belonging together, after a start refused them or records were restored
    #[command(after_help = adopt::AFTER_HELP)]
    Adopt(Box<AdoptArgs>),
    /// Look at what a start would look at, and say what is wrong and how to mend it
    #[command(after_help = check::AFTER_HELP)]
    Check(Box<CheckArgs>),
    /// Compare how much everybody has, as it is kept for quotas, with the records
    #[command(after_help = recount::AFTER_HELP)]
    Recount(Box<RecountArgs>),
    /// Look through the audit log
    Audit(AuditArgs),
}

fn main() -> ExitCode {
    use_small_pages();
    let cli: Cli = config::parse();
    match cli.command {
        Some(Command::Scrub(args)) => return run_scrub(&args),
        Some(Command::Adopt(args)) => return run_adopt(&args),
        Some(Command::Check(args)) => return run_check(&args),
        Some(Command::Recount(args)) => return run_recount(&args),
        Some(Command::Audit(args)) => return audit_verify::run(&args),
        None => {}
    }
    let settings = match cli.args.judge() {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.common) {
        eprintln!("file-share can't start: {error}");
        return ExitCode::from(2);
    }
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("file-share can't start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Keeps memory in pages of 4 KiB. The allocator asks for huge ones, of which a service with many small
/// buffers touches a part each: a quarter of its memory would be such pages' unused rest.
fn use_small_pages() {
    // A system that can't is one where memory is as it always was.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn run_scrub(args: &ScrubArgs) -> ExitCode {
    let settings = match args.judge() {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share scrub can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.common) {
        eprintln!("file-share scrub can't start: {error}");
        return ExitCode::from(2);
    }
    look_through(&settings)
}

fn run_adopt(args: &AdoptArgs) -> ExitCode {
    let settings = match args.judge() {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share adopt can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.common) {
        eprintln!("file-share adopt can't start: {error}");
        return ExitCode::from(2);
    }
    mark(&settings)
}

fn run_check(args: &CheckArgs) -> ExitCode {
    let settings = match args.judge() {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share check can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.common) {
        eprintln!("file-share check can't start: {error}");
        return ExitCode::from(2);
    }
    look_at_all(&settings)
}

fn run_recount(args: &RecountArgs) -> ExitCode {
    let settings = match args.judge() {
        Ok(settings) => settings,
        Err(problems) => {
            eprint!("file-share recount can't start: {problems}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = telemetry::start(&settings.common) {
        eprintln!("file-share recount can't start: {error}");
        return ExitCode::from(2);
    }
    count_again(&settings)
}

#[tokio::main]
async fn count_again(settings: &RecountSettings) -> ExitCode {
    recount::run(settings).await
}

#[tokio::main]
async fn look_at_all(settings: &CheckSettings) -> ExitCode {
    check::run(settings).await
}

#[tokio::main]
async fn mark(settings: &AdoptSettings) -> ExitCode {
    adopt::run(settings).await
}

#[tokio::main]
async fn look_through(settings: &ScrubSettings) -> ExitCode {
    scrub::run(settings, shutdown::on_signal()).await
}

/// Threads for calls of the file system, which block. Enough to keep a disk busy; what comes beyond
/// waits. Without a bound of ours there would be up to 512, each with memory of its own.
const BLOCKING_THREADS: usize = 32;

fn run(settings: &ApiSettings) -> Result<(), StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| StartError::new("the runtime", error))?
        .block_on(serve(settings))
}

async fn serve(settings: &ApiSettings) -> Result<(), StartError> {
    shutdown::outlive_file_size_limit();
    let app = App::build(settings).await?;
    let listener = listen(settings.listen).await?;
    // The port may have been left to the system to choose.
    let address = listener.local_addr().unwrap_or(settings.listen);
    // Before anybody is told that it runs: who was told may stop it at once.
    let stop = shutdown::on_signal();
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
