//! What a person can say on the command line. `--help`, the man page and the completions are made of this.
//!
//! **Invariant:** what is refused here was never sent.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::file_end::FileEnd;

/// What ends below `--help`, and in the man page, which doesn't name variables by itself.
const EXIT_CODES: &str = "Environment:
  FILE_SHARE_URL  where the service is, unless --server says it
  FILE_SHARE_TOKEN
                  a token, or the key of a service that asks for one; sent to that service alone, and
                  counts before what `login` got
  FILE_SHARE_LINK_PASSWORD
                  the password of a link, for `link` and `download`
  FILE_SHARE_BOX_PASSWORD
                  the password of a box, for `box create`
  XDG_CONFIG_HOME where `login` keeps its tokens, in fshare/tokens.json; else ~/.config
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                  proxies on the way, as for curl; none to this machine itself
  BROWSER         what `open` starts, before what the system has
  BUCKET_NAME, TABLE_NAME, QUEUE_URL, AWS_*
                  for `doctor --aws`, as for the service and the worker
  WEBHOOK_SECRET  for `webhook listen`, as for the service
  FILE_SHARE_PROGRAM
                  what `doctor --aws` asks, unless it is `file-share` on the PATH

Exit codes:
  0    everything was done
  1    some of it failed; standard error says what
  2    the command line is wrong, or nobody was there to confirm
  3    the server can't be reached
  130  interrupted (Ctrl-C); 143 when asked to end (SIGTERM)
  141  standard output wasn't read to its end, as by head";

const LOGIN: &str = "The token that this gets holds for 90 days. It is kept in the user's configuration directory, for this
service alone, and all commands use it there. Only the person at the browser needs one, so this works over SSH.";

const QR: &str =
    "The code names the address by which others reach the service, where that knows it. In a pipe the dark modules are
drawn, for light paper; --json gives them as rows of 1 and 0.";

const RECEIPT: &str = "Whoever has a receipt can show what arrived and when, also after the file is gone. It leads nobody to the file.";

const VERIFY: &str = "The keys are those of the service that --server or FILE_SHARE_URL names, never of the one that the receipt names.
Without a service: save what its /v1/receipts/keys answers, and name that file with --keys. Exit code 0: all of it holds;
1: the receipt isn't genuine, or the file is another one, or something can't be read; 3: the service that has the keys
can't be reached.";

const COLLECT: &str =
    "Each file is called SUBMITTER – NAME, and is there only once its length and SHA-256 are those of the record. What is in
the folder already isn't fetched again, so the same command goes on where it stopped. Nothing that is there is replaced: a
file that was changed stays, and what was handed in is put beside it. The table is hand-ins.csv.
Exit code 0: all that was handed in is there; 1: some of it isn't, or is still on its way.";

const WEBHOOK: &str = "It says what to start the service with. What is signed by another secret, old or changed is shown and refused (401).
Ctrl-C ends it.";

const DOCTOR: &str =
    "Each check is a line: ✓ all is well, ! it works and something should be known, ✗ it isn't well (the next line says what
helps), – it wasn't looked at. A test file is created, as large as the service takes any, sent, fetched and deleted again.
Exit code 0: all is ✓ or !; 3: the server can't be reached; 1: anything else.";

/// Share files from a terminal, through a File Share Service.
#[derive(Debug, Parser)]
#[command(name = "fshare", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Where the service is
    #[arg(long, global = true, env = "FILE_SHARE_URL", value_name = "URL")]
    #[arg(default_value = "http://127.0.0.1:8000")]
    pub server: String,
    /// Write one JSON object a line to standard output, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// For how long to try with one file, or to wait for whom `login` asks, in seconds, retries included
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 600)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

impl Common {
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Upload files, and print the link of each
    Upload(Upload),
    /// List files, newest first
    List(List),
    /// Show what is known of a file
    Info {
        /// The file's ID, or its link
        #[arg(value_name = "ID|URL")]
        file: String,
    },
    /// Show what happened to a file: who did what when, newest first
    Events(Events),
    /// Open the page of a file in the browser; in a pipe, print its address
    Open {
        /// The file's ID, or its link
        #[arg(value_name = "ID|URL")]
        file: String,
    },
    /// Show the QR code of a file's link, for a room full of people
    #[command(after_help = QR)]
    Qr {
        /// The file's ID, or its link
        #[arg(value_name = "ID|URL")]
        file: String,
    },
    /// Download a file, or all that a link passes on, and check that it is what was uploaded
    Download(Download),
    /// Get the receipt of a file: what arrived and when, signed by the service
    #[command(after_help = RECEIPT)]
    Receipt(Receipt),
    /// Verify a receipt, and that a file is the one that it is about
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// Pass files on to people without an account: makes a link, and prints it
    Link(LinkArguments),
    /// List your links; `links end` ends some
    Links(Links),
    /// Have others hand in files, without an account: makes boxes, and shows who handed in what and when
    Box {
        #[command(subcommand)]
        command: BoxCommand,
    },
    /// Fetch all that was handed in to a box, each file checked, with a table of who, what, when and what is late
    #[command(after_help = COLLECT)]
    Collect(Collect),
    /// Delete files for good
    Delete(Delete),
    /// Sign in at a service that asks who you are: shows a code, which you type in the browser
    #[command(after_help = LOGIN)]
    Login {
        /// Where the service is, if it isn't the one of --server
        #[arg(value_name = "URL")]
        url: Option<String>,
    },
    /// Revoke the token that `login` got, and remove it here in any case
    Logout {
        /// Where the service is, if it isn't the one of --server
        #[arg(value_name = "URL")]
        url: Option<String>,
    },
    /// List the tokens that act for you; `tokens revoke` ends some
    Tokens(Tokens),
    /// Walk the whole way that a file takes, and say what is wrong on it and how to mend it
    #[command(after_help = DOCTOR)]
    Doctor(Doctor),
    /// See what a service tells by webhooks
    Webhook {
        #[command(subcommand)]
        command: WebhookCommand,
    },
    /// Print completions for a shell
    #[command(after_help = "Try them with: source <(fshare completions bash)")]
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the man page
    #[command(after_help = "Read it with: fshare man | man -l -")]
    Man,
}

/// What only those may know who are told. It doesn't print.
#[derive(Clone)]
pub(crate) struct Secret(pub String);

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Debug, Args)]
pub(crate) struct LinkArguments {
    /// The files' IDs, or their links
    #[arg(required = true, value_name = "ID|URL")]
    pub files: Vec<String>,
    /// When it ends: after a time, such as 12h or 7d, or at one, such as 2027-01-31T09:05:00+01:00; after 30 days, if
    /// this isn't said
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub expires: Option<FileEnd>,
    /// How often each file may be taken
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_downloads: Option<u32>,
    /// What those who get it have to know. Others on this machine can see arguments: set the variable
    #[arg(long, env = "FILE_SHARE_LINK_PASSWORD", hide_env_values = true)]
    pub password: Option<Secret>,
    /// Only for people who sign in
    #[arg(long)]
    pub signed_in: bool,
    /// What those who get it see above the files
    #[arg(long)]
    pub title: Option<String>,
    /// A note for yourself, which the list shows
    #[arg(long)]
    pub label: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Links {
    #[command(subcommand)]
    pub command: Option<LinksCommand>,
    /// Only those of this file, by its ID or its link
    #[arg(long, value_name = "ID|URL")]
    pub file: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LinksCommand {
    /// End links for good
    End {
        /// The links' IDs, from the list
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BoxCommand {
    /// Make a box, and print the URL to pass on
    Create(NewBox),
    /// List your boxes, newest first
    List,
    /// Show a box, and who handed in what, newest first
    Show(ShowBox),
    /// Give everybody, or one person, more time
    Extend(ExtendBox),
    /// Take nothing more, as of now; `extend` opens it again
    Close {
        /// The box's ID, or its URL
        #[arg(value_name = "BOX")]
        file_box: String,
    },
    /// End boxes for good; what was handed in goes into your list of files
    End {
        /// The boxes' IDs, or their URLs
        #[arg(required = true, value_name = "BOX")]
        boxes: Vec<String>,
        /// Don't ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewBox {
    /// What people see above it
    pub title: String,
    /// What comes later is late, and taken all the same: after a time, such as 12h or 7d, or at one, such as
    /// 2027-01-31T09:05:00+01:00
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub due: Option<FileEnd>,
    /// Until when it takes files; until it is closed, if this isn't said
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub closes: Option<FileEnd>,
    /// From when on it takes files; at once, if this isn't said
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub opens: Option<FileEnd>,
    /// How many files it may hold
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_files: Option<u32>,
    /// How large each may be, in bytes
    #[arg(long, value_name = "BYTES")]
    pub max_file_bytes: Option<u64>,
    /// What names may end with, such as pdf,docx
    #[arg(long, value_name = "ENDING", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Only for people who sign in: their name comes from that
    #[arg(long)]
    pub signed_in: bool,
    /// What whoever hands in has to know. Others on this machine can see arguments: set the variable
    #[arg(long, env = "FILE_SHARE_BOX_PASSWORD", hide_env_values = true)]
    pub password: Option<Secret>,
    /// All files of a person count, and not only the latest that isn't late
    #[arg(long)]
    pub keep_all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowBox {
    /// The box's ID, or its URL
    #[arg(value_name = "BOX")]
    pub file_box: String,
    /// Only what is late
    #[arg(long)]
    pub late: bool,
    /// Only what this person handed in, by their name or the ID of their sign-in
    #[arg(long, value_name = "NAME")]
    pub submitter: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExtendBox {
    /// The box's ID, or its URL
    #[arg(value_name = "BOX")]
    pub file_box: String,
    /// What comes later is late: after a time, such as 12h or 7d, or at one, such as 2027-01-31T09:05:00+01:00
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse, required_unless_present = "closes")]
    pub due: Option<FileEnd>,
    /// Until when files are taken
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub closes: Option<FileEnd>,
    /// For this person alone, by their name or the ID of their sign-in
    #[arg(long, value_name = "NAME")]
    pub submitter: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Collect {
    /// The box's ID, or its URL
    #[arg(value_name = "BOX")]
    pub file_box: String,
    /// The folder; it is made if it isn't there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Of each person only the file that counts: the latest that isn't late
    #[arg(long)]
    pub latest: bool,
    /// How many to fetch at a time
    #[arg(long, short, default_value_t = 4, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=32))]
    pub jobs: u16,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Receive them on this machine, and show each with whether its signature is right
    #[command(after_help = WEBHOOK)]
    Listen(WebhookListen),
}

#[derive(Debug, Args)]
pub(crate) struct WebhookListen {
    /// The port to listen on, on this machine alone; 0: any that is free
    #[arg(long, default_value_t = 9000, value_name = "PORT")]
    pub port: u16,
    /// What they are signed with, as the service's WEBHOOK_SECRET; left out, one is made and shown. Others on this
    /// machine can see flags, so set the variable
    #[arg(
        long,
        env = "WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRETS"
    )]
    pub secret: Option<Secret>,
}

#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    pub command: Option<TokensCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// End tokens for good
    Revoke {
        /// The tokens' IDs, from the list
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// What stands before the first `=`, and what behind it. The service judges both.
fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be a name, = and a text, such as course=INF-1".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Upload {
    /// Files; folders with everything in them; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How many to upload at a time
    #[arg(long, short, default_value_t = 4, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=32))]
    pub jobs: u16,
    /// The name that people see, if only one file is uploaded; needed for standard input
    #[arg(long)]
    pub name: Option<String>,
    /// How many bytes standard input has; any other number is refused before anything is sent
    #[arg(long, value_name = "BYTES")]
    pub size: Option<u64>,
    /// When the service is to delete the files: after a time, such as 12h or 7d, or at one, such as
    /// 2027-01-31T09:05:00+01:00
    #[arg(long, value_name = "TIME", value_parser = FileEnd::parse)]
    pub delete_after: Option<FileEnd>,
    /// What the service keeps with each file: up to 16 texts by name, which `info` shows
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub metadata: Vec<(String, String)>,
    /// Show the QR code of each link as well, on standard error
    #[arg(long, conflicts_with = "json")]
    pub qr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only files with this status
    #[arg(long, value_enum)]
    pub status: Option<Status>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N", conflicts_with = "all")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// The file's ID, or its link
    #[arg(value_name = "ID|URL")]
    pub file: String,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Status {
    Pending,
    Available,
    Rejected,
    Expired,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The file's ID, or its link, or a link that somebody passed on
    #[arg(value_name = "ID|URL")]
    pub file: String,
    /// Where to write it: a file, a folder, or `-` for standard output; else a file of its name here
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, short)]
    pub force: bool,
    /// The password of a link that somebody passed on. Others on this machine can see arguments: set the variable
    #[arg(long, env = "FILE_SHARE_LINK_PASSWORD", hide_env_values = true)]
    pub password: Option<Secret>,
}

#[derive(Debug, Args)]
pub(crate) struct Receipt {
    /// The file's ID, or its link
    #[arg(value_name = "ID|URL")]
    pub file: String,
    /// Where to write it: a file, or a folder; else standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long, short)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The receipt; `-` for standard input
    #[arg(value_name = "RECEIPT")]
    pub receipt: PathBuf,
    /// A file that may be the one of the receipt
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A file with the service's keys, instead of asking the service for them
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The origin of the pages that shall upload, if it isn't the service's own
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// How long any other check may take, in seconds; up and down, the test file may take 300 in any case
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=300))]
    pub check_limit: u64,
    /// For how long to wait for the store's notification, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    pub notification_limit: u64,
    #[command(flatten)]
    pub aws: Aws,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "AWS")]
pub(crate) struct Aws {
    /// Also have the service's program look at bucket, queue and table (`file-share check --setup`), with
    /// the credentials and the region of the environment; the stack's OperatorPolicy is enough
    #[arg(long)]
    pub aws: bool,
    /// The service's program, for --aws
    #[arg(long, env = "FILE_SHARE_PROGRAM", value_name = "PROGRAM")]
    #[arg(default_value = "file-share")]
    pub file_share: PathBuf,
    /// As the service's
    #[arg(long, env, value_name = "NAME", default_value = "file-share-bucket")]
    pub bucket_name: String,
    /// As the service's
    #[arg(long, env, value_name = "NAME", default_value = "FileMetadata")]
    pub table_name: String,
    /// As the worker's
    #[arg(long, env, value_name = "URL", required_if_eq("aws", "true"))]
    pub queue_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The files' IDs, or their links
    #[arg(required = true, value_name = "ID|URL")]
    pub files: Vec<String>,
    /// Don't ask
    #[arg(long, short)]
    pub yes: bool,
}
