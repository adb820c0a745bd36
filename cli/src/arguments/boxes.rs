//! What is said of boxes, and of what was handed in to them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Secret;
use crate::file_end::FileEnd;

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
