//! What a person can say on the command line. `--help`, the man page and the completions are made of this.
//!
//! **Invariant:** what is refused here was never sent.

mod boxes;
mod files;
mod links;
mod service;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use boxes::{BoxCommand, Collect, ExtendBox, NewBox, ShowBox};
pub(crate) use files::{
    Delete, Download, Events, Hold, Keep, List, Receipt, Status, Unhold, Upload, Verify,
};
pub(crate) use links::{LinkArguments, Links, LinksCommand};
pub(crate) use service::{Aws, Doctor, Tokens, TokensCommand, WebhookCommand, WebhookListen};

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
        /// The file's ID, or its link, or the URL of a link or a box
        #[arg(value_name = "ID|URL")]
        file: String,
    },
    /// Show the QR code of a link, for a room full of people: of a file, of what is passed on, of a box
    #[command(after_help = QR)]
    Qr {
        /// The file's ID, or its link, or the URL of a link or a box
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
    /// Hold files, so that nobody can delete them; for those who run the service
    Hold(Hold),
    /// End the holds of files; for those who run the service
    Unhold(Unhold),
    /// Have files kept for longer, so that nobody can delete them before; for those who run the service
    Keep(Keep),
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
