//! The API program: settings → stores → serve → drain. Its subcommands check what is stored and
//! what a start needs, and mark stores as belonging together.

use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use file_share::access::LocalKey;
use file_share::app::{App, RequiredKey, StartError, listen};
use file_share::audit_verify::{self, AuditArgs};
use file_share::config::{
    self, AFTER_HELP, AdoptArgs, AdoptSettings, ApiArgs, ApiSettings, CheckArgs, CheckSettings,
    Mode, ScrubArgs, ScrubSettings,
};
use file_share::{adopt, check, scrub, shutdown, telemetry};

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
    greet(settings, address, app.key());
    if settings.is_open_to_others() {
        tracing::warn!("whoever reaches this service may do everything (ACCESS=open)");
    }
    app.serve(listener, stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// What a person who just started the program wants to know.
fn greet(settings: &ApiSettings, address: SocketAddr, key: Option<&RequiredKey>) {
    let base = match &settings.public_url {
        Some(url) => url.to_string().trim_end_matches('/').to_owned(),
        None => format!("http://{}", reached_at(address)),
    };
    let place = match &settings.mode {
        Mode::Local { data_dir } => format!("files and records are kept in {}", data_dir.display()),
        Mode::Aws { .. } => format!(
            "bucket {}, table {}",
            settings.common.bucket_name, settings.common.table_name
        ),
    };
    let (sign_in, header) = match key {
        Some(key) => (sign_in(settings, &base, key), bearer_of(settings)),
        None => (String::new(), String::new()),
    };
    let greeting = format!(
        "File Share Service on {base} ({place})\n{sign_in}  \
           explorer   {base}/explorer\n  \
           Swagger UI {base}/docs\n  \
           try it     curl -s {base}/v1/files{header} -H 'Content-Type: application/json' \
           -d '{{\"filename\":\"hello.txt\",\"size\":5}}'\n"
    );
    // Nobody may be reading, which is no reason not to serve.
    let _ = std::io::stdout().write_all(greeting.as_bytes());
}

/// What shows the key to a call of curl, and no eye that looks on.
fn bearer_of(settings: &ApiSettings) -> String {
    match &settings.mode {
        Mode::Local { data_dir } => {
            let file = data_dir.join(LocalKey::FILE_NAME);
            format!(" -H \"Authorization: Bearer $(cat '{}')\"", file.display())
        }
        Mode::Aws { .. } => String::new(),
    }
}

/// How somebody signs in. The key itself is shown once, to a person at a terminal: standard output often ends
/// in a log. It stands behind a `#`, which browsers send to nobody.
fn sign_in(settings: &ApiSettings, base: &str, key: &RequiredKey) -> String {
    match &settings.mode {
        Mode::Local { .. } if key.is_new && std::io::stdout().is_terminal() => {
            format!("  sign in    {base}/#key={}\n", key.key.expose())
        }
        Mode::Local { data_dir } => format!(
            "  sign in    with the key in {}\n",
            data_dir.join(LocalKey::FILE_NAME).display()
        ),
        Mode::Aws { .. } => String::new(),
    }
}

/// Where others reach what listens on all of this machine's addresses, as far as can be told: at the one that
/// this machine would send from. No packet is sent for it.
fn reached_at(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // An address that is nobody's (RFC 5737), which is routed as any other.
    let own = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    match own {
        Ok(own) => SocketAddr::new(own.ip(), address.port()),
        Err(_) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
    }
}
