//! Flags and environment variables, read so that a variable that is empty counts as one that isn't set.
//!
//! Compose files and unit files pass on what may be empty (`PUBLIC_URL=${PUBLIC_URL:-}`), and nobody
//! who does means "the empty text instead of the default".
//!
//! Invariant: the same for every variable of every program and subcommand. A flag that is given empty is
//! judged as it stands.

use std::ffi::OsStr;

use clap::{Arg, Command, Parser};

/// What the program was started with; ends it as [`Parser::parse`] does.
pub fn parse<T: Parser>() -> T {
    let mut command = ignore_empty_variables(T::command());
    let parsed = command
        .try_get_matches_from_mut(std::env::args_os())
        .and_then(|mut matches| T::from_arg_matches_mut(&mut matches));
    parsed.unwrap_or_else(|error| error.format(&mut command).exit())
}

fn ignore_empty_variables(command: Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    let command = command.mut_args(|arg| ignore_if_empty(arg, |name| std::env::var_os(name)));
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, ignore_empty_variables)
    })
}

fn ignore_if_empty(arg: Arg, value: impl Fn(&OsStr) -> Option<std::ffi::OsString>) -> Arg {
    let is_blank =
        |value: std::ffi::OsString| value.to_str().is_some_and(|text| text.trim().is_empty());
    match arg.get_env().and_then(value).is_some_and(is_blank) {
        true => arg.env(None::<&'static str>),
        false => arg,
    }
}
