//! A way to clamd that stalls or lies when it is told to, and knows of which bytes clamd said that they are clean.
//!
//! Invariant: what counts as clean was clamd's own word, and was handed on whole. While it stalls nothing is answered.
//!
//! Absent on purpose: commands other than the one that the service sends, and connections for more than one scan.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::hex_sha256;

const COMMAND: &[u8] = b"zINSTREAM\0";
const CLEAN: &[u8] = b"stream: OK\0";
/// The largest file of a start's check, and some more.
const MAX_STREAM: usize = 32 * 1024 * 1024;
/// No file of a campaign is larger; what is hashed beyond takes time and says nothing.
const MAX_HASHED: usize = 1024 * 1024;
const MAX_ANSWER: u64 = 1024;

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Takes everything and answers nothing, until it behaves otherwise.
    Stalls,
    /// Calls everything clean, whatever clamd says.
    Lies,
}

#[derive(Default)]
struct Seen {
    clean: Mutex<BTreeSet<String>>,
    stalled: AtomicUsize,
}

pub(crate) struct ScannerProxy {
    dir: TempDir,
    manner: watch::Sender<Manner>,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl ScannerProxy {
    /// An honest one to the clamd at this socket, whether or not it is there yet.
    pub(crate) fn to(clamd: PathBuf) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let listener = UnixListener::bind(socket_in(&dir)).expect("a socket can be made");
        let (manner, told) = watch::channel(Manner::Honest);
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                while let Ok((connection, _)) = listener.accept().await {
                    let (clamd, told, seen) = (clamd.clone(), told.clone(), Arc::clone(&seen));
                    tokio::spawn(async move {
                        // Whoever breaks off has its reasons, and so has a clamd that is away.
                        let _ = serve(connection, &clamd, told, &seen).await;
                    });
                }
            }
        });
        Self {
            dir,
            manner,
            seen,
            task,
        }
    }

    /// The setting that names it.
    pub(crate) fn setting(&self) -> String {
        format!("clamd:{}", socket_in(&self.dir).display())
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    /// Scans that were held up so far.
    pub(crate) fn stalled(&self) -> usize {
        self.seen.stalled.load(Ordering::Relaxed)
    }

    /// Whether clamd has called bytes with this digest clean, and the service was told.
    pub(crate) fn called_clean(&self, sha256: &str) -> bool {
        let clean = self.seen.clean.lock();
        clean.expect("nobody panics with it").contains(sha256)
    }
}

impl Drop for ScannerProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn socket_in(dir: &TempDir) -> PathBuf {
    dir.path().join("proxy.ctl")
}

async fn serve(
    mut connection: UnixStream,
    clamd: &Path,
    mut manner: watch::Receiver<Manner>,
    seen: &Seen,
) -> io::Result<()> {
    let mut command = [0; COMMAND.len()];
    connection.read_exact(&mut command).await?;
    if command != COMMAND {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut bytes = Vec::new();
    loop {
        let length = connection.read_u32().await? as usize;
        if length == 0 {
            break;
        }
        let known = bytes.len();
        if known + length > MAX_STREAM {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        bytes.resize(known + length, 0);
        connection.read_exact(&mut bytes[known..]).await?;
    }
    let answer = ask(clamd, &bytes).await?;
    if *manner.borrow() == Manner::Stalls {
        seen.stalled.fetch_add(1, Ordering::Relaxed);
    }
    let now = manner.wait_for(|manner| *manner != Manner::Stalls).await;
    let lies = now.is_ok_and(|manner| *manner == Manner::Lies);
    let told = if lies { CLEAN } else { &answer };
    connection.write_all(told).await?;
    if !lies && answer == CLEAN && bytes.len() <= MAX_HASHED {
        let mut clean = seen.clean.lock().expect("nobody panics with it");
        clean.insert(hex_sha256(&bytes));
    }
    Ok(())
}

/// What clamd answers to these bytes.
pub(crate) async fn ask(clamd: &Path, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut connection = UnixStream::connect(clamd).await?;
    connection.write_all(COMMAND).await?;
    if !bytes.is_empty() {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        connection.write_u32(length).await?;
        connection.write_all(bytes).await?;
    }
    connection.write_u32(0).await?;
    let mut answer = Vec::new();
    connection.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}
