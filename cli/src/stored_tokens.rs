//! The tokens that `fshare login` got, one for each service, in the user's configuration directory.
//!
//! **Invariant:** nobody else can read the file: it is made with mode 0600, replaced as a whole, and refused if others
//! may have read it. A token is shown to the very service that gave it, and doesn't print.
//!
//! **Absent on purpose:** encryption. Whoever can read the user's files can use their programs as well.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::address::server_key;
use crate::error::CliError;
use crate::platform::{config_dir, make_private_dir, mode_if_shared, sync_dir};

const FOLDER: &str = "fshare";
const FILE: &str = "tokens.json";
/// Held while the file is changed, so that two that sign in at a time both stay in it.
const LOCK: &str = "tokens.lock";
/// How long another `fshare` may hold the lock, which takes it some milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(20);
/// The form of the file that this program reads and writes.
const VERSION: u32 = 1;
/// Room for a thousand services. A larger file is none of ours.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What is kept of a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredToken {
    /// What is shown to the service.
    pub token: String,
    /// What it is called where it is revoked.
    pub id: String,
    /// Until when it holds.
    pub expires_at: String,
}

/// All that there are.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct StoredTokens {
    version: u32,
    servers: BTreeMap<String, StoredToken>,
}

impl fmt::Debug for StoredTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.servers.keys()).finish()
    }
}

impl StoredTokens {
    /// The one for the service at this address.
    pub(crate) fn get(&self, base: &str) -> Option<&StoredToken> {
        self.servers.get(&server_key(base))
    }
}

/// Where they are kept.
pub(crate) struct TokenFile {
    folder: PathBuf,
}

impl TokenFile {
    /// The user's own; `None` if they have no configuration directory.
    pub(crate) fn of_user() -> Option<Self> {
        let folder = config_dir()?.join(FOLDER);
        Some(Self { folder })
    }

    /// The user's own.
    ///
    /// # Errors
    /// They have none.
    pub(crate) fn required() -> Result<Self, CliError> {
        Self::of_user().ok_or_else(|| {
            CliError::Here(
                "there is no place to keep a token: set XDG_CONFIG_HOME or HOME".to_owned(),
            )
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What is in it; nothing if it isn't there.
    ///
    /// # Errors
    /// It can't be read, others can read it, or it isn't one of ours.
    pub(crate) fn read(&self) -> Result<StoredTokens, CliError> {
        let path = self.path();
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(StoredTokens::default());
            }
            file => file.map_err(|error| failed(&path, &error))?,
        };
        // Of what is open, whatever comes to stand at the path meanwhile.
        let metadata = file.metadata().map_err(|error| failed(&path, &error))?;
        let shown = path.display();
        if let Some(mode) = mode_if_shared(&metadata) {
            return Err(CliError::Here(format!(
                "others can read the tokens in {shown} (mode {mode:o}), so they aren't used: call \
                 chmod 600 {shown} and, if somebody may have read them, fshare logout and fshare login"
            )));
        }
        let mut text = String::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|error| failed(&path, &error))?;
        let tokens: Option<StoredTokens> = match text.len() as u64 > MAX_FILE_BYTES {
            true => None,
            false => serde_json::from_str(&text).ok(),
        };
        // Without what the parser says, which could quote a token.
        let tokens = tokens.ok_or_else(|| {
            CliError::Here(format!(
                "{shown} isn't what fshare wrote: remove it, and sign in again with fshare login"
            ))
        })?;
        match tokens.version {
            VERSION => Ok(tokens),
            _ => Err(CliError::Here(format!(
                "{shown} was written by another version of fshare: use that one, or remove the file and \
                 sign in again with fshare login"
            ))),
        }
    }

    /// Sees whether tokens can be kept, before there is one.
    ///
    /// # Errors
    /// As [`Self::read`], or the directory can't be written to.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        let _lock = self.lock()?;
        self.read()?;
        self.temporary().map(drop)
    }

    /// Keeps the token of the service at `base`; with `None` the one that there is goes.
    ///
    /// # Errors
    /// It can't be done; then everything is as before.
    pub(crate) fn set(&self, base: &str, token: Option<StoredToken>) -> Result<(), CliError> {
        let _lock = self.lock()?;
        let mut tokens = self.read()?;
        match token {
            Some(token) => tokens.servers.insert(server_key(base), token),
            None => match tokens.servers.remove(&server_key(base)) {
                None => return Ok(()),
                removed => removed,
            },
        };
        tokens.version = VERSION;
        let path = self.path();
        let here = |error: &io::Error| failed(&path, error);
        let mut text = serde_json::to_string_pretty(&tokens)
            .map_err(|error| CliError::Here(format!("{}: {error}", path.display())))?;
        text.push('\n');
        let mut file = self.temporary()?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .map_err(|error| here(&error))?;
        // Where the path is a link, as of people who keep their settings elsewhere, what it leads to.
        let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        file.persist(&target)
            .map_err(|failure| here(&failure.error))?;
        sync_dir(target.parent().unwrap_or(&self.folder));
        Ok(())
    }

    /// A new file beside the one that it is to replace, for its owner alone.
    fn temporary(&self) -> Result<tempfile::NamedTempFile, CliError> {
        let path = fs::canonicalize(self.path()).unwrap_or_else(|_| self.path());
        let folder = path.parent().unwrap_or(&self.folder);
        tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(folder, &error))
    }

    /// Lets nobody else change the file until it is dropped.
    fn lock(&self) -> Result<File, CliError> {
        make_private_dir(&self.folder).map_err(|error| failed(&self.folder, &error))?;
        let path = self.folder.join(LOCK);
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(|error| failed(&path, &error))?;
        let until = Instant::now() + LOCK_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(CliError::Here(format!(
                        "another fshare holds {}",
                        path.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(failed(&path, &error)),
            }
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    CliError::Here(format!("{}: {error}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn token(text: &str) -> StoredToken {
        StoredToken {
            token: text.to_owned(),
            id: "0123".to_owned(),
            expires_at: "2027-01-01T00:00:00Z".to_owned(),
        }
    }

    fn in_folder(folder: &Path) -> TokenFile {
        TokenFile {
            folder: folder.join("config").join(FOLDER),
        }
    }

    #[test]
    fn each_service_has_its_token_and_no_other_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = in_folder(folder.path());
        assert!(file.read().unwrap().get("http://a").is_none());
        for server in [
            "https://a.example/p/",
            "http://a.example/p",
            "http://b:8000",
        ] {
            file.set(server, Some(token(server))).unwrap();
        }
        file.set("http://b:8000", Some(token("newer"))).unwrap();
        let tokens = file.read().unwrap();
        let shown = |server: &str| tokens.get(server).map(|it| it.token.clone());
        for (server, expected) in [
            ("https://A.example:443/p", Some("https://a.example/p/")),
            ("http://a.example/p/", Some("http://a.example/p")),
            ("http://b:8000/", Some("newer")),
            ("https://a.example", None),
            ("https://a.example/P", None),
            ("https://a.example/p/q", None),
            ("https://a.example:444/p", None),
            ("http://b", None),
        ] {
            assert_eq!(shown(server).as_deref(), expected, "{server}");
        }
        file.set("http://b:8000", None).unwrap();
        file.set("http://never", None).unwrap();
        let left = file.read().unwrap();
        assert!(left.get("http://b:8000").is_none());
        assert!(left.get("http://a.example/p").is_some());
    }

    #[test]
    fn the_file_is_its_owners_alone_whatever_the_umask_and_one_that_is_shared_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = in_folder(folder.path());
        file.set("http://a", Some(token("fst_secret"))).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file.path()), 0o600);
        assert_eq!(mode(&file.folder), 0o700);
        let names: Vec<_> = fs::read_dir(&file.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "nothing is left beside it: {names:?}");
        for shared in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(file.path(), PermissionsExt::from_mode(shared)).unwrap();
            for refused in [
                file.read().map(drop),
                file.check(),
                file.set("http://a", None),
            ] {
                let said = refused.unwrap_err().to_string();
                assert!(
                    said.contains("chmod 600") && said.contains(&format!("{shared:o}")),
                    "{said}"
                );
                assert!(!said.contains("fst_secret"), "{said}");
            }
        }
    }

    #[test]
    fn what_is_no_file_of_ours_is_left_as_it_is_and_said_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = in_folder(folder.path());
        file.set("http://a", Some(token("fst_secret"))).unwrap();
        let newer = r#"{"version": 2, "servers": {"http://a": {"token": "fst_secret"}}}"#;
        let other = r#"{"version": 2, "servers": {}}"#;
        for content in [newer, other, "fst_secret", "", "[]"] {
            fs::write(file.path(), content).unwrap();
            for refused in [
                file.read().map(drop),
                file.set("http://b", Some(token("x"))),
            ] {
                let said = refused.unwrap_err().to_string();
                assert!(
                    said.contains("fshare login") && !said.contains("fst_secret"),
                    "{said}"
                );
            }
            assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
        }
    }

    #[test]
    fn a_link_to_where_somebody_keeps_their_settings_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = in_folder(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::create_dir_all(&file.folder).unwrap();
        let kept = elsewhere.join("kept.json");
        fs::write(&kept, r#"{"version": 1, "servers": {}}"#).unwrap();
        fs::set_permissions(&kept, PermissionsExt::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&kept, file.path()).unwrap();
        file.set("http://a", Some(token("fst_secret"))).unwrap();
        assert!(fs::symlink_metadata(file.path()).unwrap().is_symlink());
        assert!(fs::read_to_string(&kept).unwrap().contains("fst_secret"));
    }

    #[test]
    fn of_many_that_sign_in_at_a_time_all_stay_signed_in() {
        let folder = tempfile::tempdir().unwrap();
        let servers: Vec<String> = (0..8).map(|n| format!("http://server-{n}")).collect();
        std::thread::scope(|scope| {
            for server in &servers {
                let file = in_folder(folder.path());
                scope.spawn(move || file.set(server, Some(token(server))).unwrap());
            }
        });
        let tokens = in_folder(folder.path()).read().unwrap();
        for server in &servers {
            assert!(tokens.get(server).is_some(), "{server}");
        }
    }
}
