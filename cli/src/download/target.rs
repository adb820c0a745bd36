//! Where a download goes: standard output, something that is written to, or a file.
//!
//! **Invariant:** nothing is replaced unless that was asked for, and only regular files ever are.

use std::fs::Permissions;
use std::path::{Path, PathBuf};

use super::here;
use crate::error::CliError;
use crate::platform::descriptor;

/// The descriptor of standard output.
const STANDARD_OUTPUT: u32 = 1;

pub(super) enum Target {
    StandardOutput,
    /// A pipe, a device or an open descriptor: written to, and never replaced.
    Stream(PathBuf),
    /// A regular file, or none yet.
    File {
        path: PathBuf,
        /// Of the one that is replaced.
        permissions: Option<Permissions>,
    },
}

pub(super) fn occupied(path: &Path) -> CliError {
    CliError::Here(format!(
        "{} is there already: --force replaces it, -o FILE takes another name",
        path.display()
    ))
}

/// The folder in which the files go; `None`: they go into none.
pub(super) fn folder_of(output: Option<&Path>) -> Option<PathBuf> {
    let here = || PathBuf::from(".");
    let Some(path) = output else {
        return Some(here());
    };
    if path.as_os_str() == "-" || descriptor(path).is_some() {
        return None;
    }
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    Some(folder.map_or_else(here, Path::to_owned))
}

/// `name` is what it is called where only a folder is named, or nothing.
pub(super) fn target_of(
    output: Option<&Path>,
    name: impl FnOnce() -> String,
    force: bool,
) -> Result<Target, CliError> {
    match output {
        Some(path) if path.as_os_str() == "-" => Ok(Target::StandardOutput),
        Some(path) => match descriptor(path) {
            Some(STANDARD_OUTPUT) => Ok(Target::StandardOutput),
            Some(_) => Ok(Target::Stream(path.to_owned())),
            None if path.is_dir() => named_by_server(path.join(name()), force),
            None => named_by_person(path, force),
        },
        None => named_by_server(name().into(), force),
    }
}

/// Links are followed.
fn named_by_person(path: &Path, force: bool) -> Result<Target, CliError> {
    let shown = path.display();
    match path.metadata() {
        Ok(there) if !there.is_file() => Ok(Target::Stream(path.to_owned())),
        Ok(_) if !force => Err(occupied(path)),
        Ok(there) => Ok(Target::File {
            path: path.canonicalize().map_err(here)?,
            permissions: Some(there.permissions()),
        }),
        Err(_) if path.is_symlink() && force => Err(CliError::Here(format!(
            "{shown} is a link to nothing: remove it first"
        ))),
        Err(_) if path.is_symlink() => Err(occupied(path)),
        Err(_) => Ok(Target::File {
            path: path.to_owned(),
            permissions: None,
        }),
    }
}

/// Nothing is followed, and nothing written to, that happens to have the name which a server chose.
fn named_by_server(path: PathBuf, force: bool) -> Result<Target, CliError> {
    let permissions = match path.symlink_metadata() {
        Err(_) => None,
        Ok(there) if there.is_symlink() && force => None,
        Ok(there) if there.is_file() && force => Some(there.permissions()),
        Ok(_) if force => {
            return Err(CliError::Here(format!(
                "{} isn't a regular file: -o FILE takes another name",
                path.display()
            )));
        }
        Ok(_) => return Err(occupied(&path)),
    };
    Ok(Target::File { path, permissions })
}
