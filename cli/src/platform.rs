//! What the operating systems do differently: signals, reading by position, modes, and files that are none.
//!
//! **Invariant:** nothing outside this module is for one system alone. Only the side for Unix is run by tests.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::process::Command;

/// 128 and the number of the signal, as shells have it.
const INTERRUPTED: u8 = 130;

#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod unix {
    use std::fs::Permissions;
    use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;

    use tokio::signal::unix::{SignalKind, signal};

    use super::{Command, File, INTERRUPTED, Metadata, Path, io};

    const TERMINATED: u8 = 143;
    /// What the umask then takes from.
    const NEW_FILE_MODE: u32 = 0o666;
    /// How many links are followed to see where a path leads.
    const MAX_LINKS: usize = 8;

    /// The exit code, once this program is asked to end.
    pub(crate) async fn asked_to_end() -> u8 {
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            // Then the signals do what they do by default.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => INTERRUPTED,
            _ = terminate.recv() => TERMINATED,
        }
    }

    /// Reads at a position, whoever else reads this file.
    pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
        file.read_exact_at(buffer, at)
    }

    /// Whether both are the same file and not only alike.
    pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    /// A temporary file gets what any new file gets.
    pub(crate) fn new_file(builder: &mut tempfile::Builder<'_, '_>) {
        builder.permissions(Permissions::from_mode(NEW_FILE_MODE));
    }

    /// Ctrl-C in this terminal isn't meant for it.
    pub(crate) fn detach(command: &mut Command) -> &mut Command {
        command.process_group(0)
    }

    /// Where the user's programs keep their settings.
    pub(crate) fn config_dir() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
        // A relative one isn't to be used. (XDG Base Directory Specification)
        let absolute = |path: &PathBuf| path.is_absolute();
        let chosen = set("XDG_CONFIG_HOME").filter(absolute);
        chosen.or_else(|| Some(set("HOME").filter(absolute)?.join(".config")))
    }

    /// The mode of a file that others than its owner may do anything with.
    pub(crate) fn mode_if_shared(metadata: &Metadata) -> Option<u32> {
        let mode = metadata.permissions().mode() & 0o7777;
        (mode & 0o077 != 0).then_some(mode)
    }

    /// Makes a directory for its owner alone, and those above it that are missing.
    pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path)
    }

    /// Has the disk keep the names in it, as far as it does that.
    pub(crate) fn sync_dir(path: &Path) {
        let _ = File::open(path).and_then(|dir| dir.sync_all());
    }

    /// What this machine calls itself.
    pub(crate) fn host_name() -> Option<String> {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname");
        let name = kernel.ok().or_else(|| {
            let said = Command::new("uname").arg("-n").output().ok()?;
            String::from_utf8(said.stdout).ok()
        })?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// The number of the descriptor of this process that a path names, as `/dev/stdout` does.
    pub(crate) fn descriptor(path: &Path) -> Option<u32> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            for folder in ["/dev/fd", "/proc/self/fd"] {
                if let Ok(number) = path.strip_prefix(folder) {
                    return number.to_str()?.parse().ok();
                }
            }
            path = followed(&path)?;
        }
        None
    }

    fn followed(path: &Path) -> Option<PathBuf> {
        let to = path.read_link().ok()?;
        Some(path.parent()?.join(to))
    }
}

#[cfg(not(unix))]
pub use other::*;

#[cfg(not(unix))]
mod other {
    use std::path::PathBuf;

    use super::{Command, File, INTERRUPTED, Metadata, Path, io};

    /// Where the user's programs keep their settings, which the system keeps from other users.
    pub fn config_dir() -> Option<PathBuf> {
        std::env::var_os("APPDATA").map(PathBuf::from)
    }

    /// There are no modes.
    pub fn mode_if_shared(_: &Metadata) -> Option<u32> {
        None
    }

    /// It has the rights of the one that it is in.
    pub fn make_private_dir(path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    /// A directory can't be opened there.
    pub fn sync_dir(_: &Path) {}

    /// What this machine calls itself.
    pub fn host_name() -> Option<String> {
        std::env::var("COMPUTERNAME").ok()
    }

    /// The exit code, once this program is asked to end.
    pub async fn asked_to_end() -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPTED,
            Err(_) => std::future::pending().await,
        }
    }

    /// Reads at a position, whoever else reads this file.
    pub fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        use std::os::windows::fs::FileExt;
        while !buffer.is_empty() {
            let read = file.seek_read(buffer, at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[read..];
            at += read as u64;
        }
        Ok(())
    }

    /// Not known without calls of the system's own; links need a privilege there.
    pub fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
        true
    }

    /// A temporary file gets what any new file gets.
    pub fn new_file(_: &mut tempfile::Builder<'_, '_>) {}

    /// Nothing to do: a browser is no child of the console.
    pub fn detach(command: &mut Command) -> &mut Command {
        command
    }

    /// There are no such paths.
    pub fn descriptor(_: &Path) -> Option<u32> {
        None
    }
}
