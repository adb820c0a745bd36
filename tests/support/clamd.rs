//! Debian's clamd, as a process of its own that knows one virus: the EICAR test file, wherever it stands.
//!
//! Invariant: it loads nothing from a network, and ends with the test that started it.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start: it reads one signature.
const LIMIT: Duration = Duration::from_secs(30);

/// The test file of EICAR, which is no virus and counts as one, as hexadecimal digits: no scanner knows it so.
const EICAR_HEX: &str = "58354f2150254041505b345c505a58353428505e2937434329377d2445494341522d5354414e444152442d414e5449564952\
                         55532d544553542d46494c452124482b482a";

/// What a clamd has to be set to for this service.
pub(crate) const AS_IT_HAS_TO_BE: &str = "MaxScanSize 400M
MaxFileSize 100M
StreamMaxLength 100M
AlertExceedsMax yes
AlertEncrypted yes
";
/// What Debian's package sets.
pub(crate) const AS_DEBIAN_HAS_IT: &str = "MaxScanSize 100M
MaxFileSize 25M
StreamMaxLength 25M
";

/// The test file that is no virus and counts as one.
#[allow(dead_code, reason = "for the campaigns, which share this module")]
pub(crate) fn virus() -> Vec<u8> {
    hex::decode(EICAR_HEX).expect("it has hexadecimal digits")
}

/// Where a clamd lives: its socket, settings and signatures.
pub(crate) struct ClamdHome {
    directory: tempfile::TempDir,
}

/// A clamd that runs.
pub(crate) struct ClamdProcess {
    child: Child,
    socket: PathBuf,
}

impl ClamdHome {
    /// A home in which nothing runs yet.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let signatures = directory.path().join("signatures");
        std::fs::create_dir(&signatures).expect("a directory can be made");
        let signature = format!("Eicar-Test-Body:0:*:{}\n", EICAR_HEX);
        std::fs::write(signatures.join("test.ndb"), signature).expect("it can be written");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("clamd.ctl")
    }

    /// The setting that names it.
    pub(crate) fn setting(&self) -> String {
        format!("clamd:{}", self.socket().display())
    }

    /// Has it know another virus instead.
    pub(crate) fn forget_the_test_file(&self) {
        let signature = format!("Another:0:*:{}\n", hex::encode("no test file has this"));
        std::fs::write(self.path("signatures/test.ndb"), signature).expect("it can be written");
    }

    /// Has it know one more virus from its next start or reload on: whatever has these bytes anywhere.
    #[allow(dead_code, reason = "for the campaigns, which share this module")]
    pub(crate) fn learn(&self, bytes: &[u8]) {
        let signature = format!("Later:0:*:{}\n", hex::encode(bytes));
        std::fs::write(self.path("signatures/later.ndb"), signature).expect("it can be written");
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&self, limits: &str) -> ClamdProcess {
        let settings = format!(
            "LocalSocket {}\nFixStaleSocket yes\nDatabaseDirectory {}\nTemporaryDirectory {}\nForeground yes\n{limits}",
            self.socket().display(),
            self.path("signatures").display(),
            self.directory.path().display(),
        );
        let file = self.path("clamd.conf");
        std::fs::write(&file, settings).expect("it can be written");
        let log = std::fs::File::create(self.path("clamd.log")).expect("a log can be made");
        let errors = log.try_clone().expect("a file can be shared");
        let mut option = std::ffi::OsString::from("--config-file=");
        option.push(&file);
        let child = Command::new(program())
            .arg(option)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("clamd is installed (Debian: clamav-daemon), or CLAMD says where it is");
        let process = ClamdProcess {
            child,
            socket: self.socket(),
        };
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(&process.socket).is_err() {
            let said = std::fs::read_to_string(self.path("clamd.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "clamd doesn't listen: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }
}

impl ClamdProcess {
    /// Has it read its signatures again, while it goes on with the ones that it has.
    #[allow(dead_code, reason = "for the campaigns, which share this module")]
    pub(crate) fn reload(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "USR2", &id]).status();
        assert!(sent.is_ok_and(|it| it.success()), "SIGUSR2 can be sent");
    }

    /// Kills it, as the system does with what takes too much memory. Its socket stays where it is.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for ClamdProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let named = std::env::var_os("CLAMD").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new("/usr/sbin/clamd").to_owned())
}
