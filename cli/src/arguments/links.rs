//! What is said of links.

use clap::{Args, Subcommand};

use super::Secret;
use crate::file_end::FileEnd;

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
