//! clamd that loads its signatures anew, or is started again at the same place, while files wait for it.
//!
//! It is one that speaks the protocol on a socket. While it reloads it takes connections and answers none, as clamd does
//! with `ConcurrentDatabaseReload no`; while it restarts nobody is at its socket, and who was connected is cut off.

use std::path::Path;

use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::config::{ClamdAddress, Unscannable};
use crate::scanner::Scans;
use crate::scanner::clamd::Clamd;
use crate::scanner::clamd_double::{Manner, serve};
use crate::scanner::probes::eicar;

/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a reload takes: clamd reads millions of signatures.
const RELOAD: Duration = Duration::from_secs(100);
/// Longer than a scanner that failed is left alone, and than the reconciler waits at the most.
const LATER: Duration = Duration::from_secs(5 * 60);
/// Called clean whatever it is, as by one that has lost its signatures.
const BLIND: Manner = Manner::Says(b"stream: OK\0");

/// A clamd on a socket, which ends with all of its connections.
struct Daemon {
    serving: JoinHandle<()>,
    is_reloading: watch::Sender<bool>,
    taken: watch::Receiver<usize>,
}

impl Daemon {
    fn at(socket: &Path, manner: Manner) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (is_reloading, reloading) = watch::channel(false);
        let (count, taken) = watch::channel(0);
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.send_modify(|count| *count += 1);
                let mut reloading = reloading.clone();
                connections.spawn(async move {
                    let _ = reloading.wait_for(|it| !it).await;
                    let _ = serve(stream, manner).await;
                });
            }
        });
        Self {
            serving,
            is_reloading,
            taken,
        }
    }

    /// Waits until so many more connections were taken than before.
    async fn takes(&mut self, more: usize) {
        let before = *self.taken.borrow();
        let taking = self.taken.wait_for(|count| *count >= before + more);
        tokio::time::timeout(LIMIT, taking).await.unwrap().unwrap();
    }

    async fn ends(self, socket: &Path) {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
        std::fs::remove_file(socket).unwrap();
    }
}

struct Waiting {
    fixture: OperationsFixture,
    clean: Vec<FileId>,
    infected: Vec<FileId>,
    /// With the socket in it.
    dir: TempDir,
}

impl Waiting {
    /// Files that were uploaded, beside one that was scanned, so that the scanner is believed.
    async fn for_a_scanner() -> (Self, Daemon) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("clamd.ctl");
        let daemon = Daemon::at(&socket, Manner::Right);
        let mut fixture = OperationsFixture::with_versions(true);
        let clamd = Arc::new(Clamd::new(ClamdAddress::Unix(socket)));
        fixture.stores.scans = Scans::by(clamd, Unscannable::Reject);
        fixture.reconciler = Reconciler::new(fixture.stores.clone());
        let mut waiting = Self {
            fixture,
            clean: Vec::new(),
            infected: Vec::new(),
            dir,
        };
        let before = waiting.upload(b"before").await;
        let outcome = waiting.fixture.finalize(before).await;
        assert_eq!(outcome, FinalizeOutcome::Available);
        for number in 0..4 {
            let text = format!("file {number}");
            let clean = waiting.upload(text.as_bytes()).await;
            waiting.clean.push(clean);
            let virus = [text.as_bytes(), &eicar()].concat();
            let infected = waiting.upload(&virus).await;
            waiting.infected.push(infected);
        }
        (waiting, daemon)
    }

    async fn upload(&self, bytes: &[u8]) -> FileId {
        let fixture = &self.fixture;
        let id = fixture.create_declaring(bytes.len() as u64, None).await;
        let key = ObjectKey::new(id);
        fixture.objects.put(key, bytes.to_vec(), None);
        id
    }

    fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("clamd.ctl")
    }

    fn all(&self) -> Vec<FileId> {
        [self.clean.clone(), self.infected.clone()].concat()
    }

    /// All of them at once, as their notifications come.
    async fn finalized(&self) -> Vec<FinalizeOutcome> {
        let all = self.all();
        // Each step of a scan has its limit.
        join_all(all.into_iter().map(|id| self.fixture.finalize(id))).await
    }

    async fn none_is_settled(&self) {
        for id in self.all() {
            let status = self.fixture.status(id).await;
            assert_eq!(status, Some(Status::Pending));
        }
    }

    async fn pass(&self, time: Duration) {
        self.fixture.clock.advance(time);
        // Else what waits for a socket would make the time pass.
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }

    async fn each_has_its_verdict(&self) {
        for (ids, expected) in [
            (&self.clean, Status::Available),
            (&self.infected, Status::Rejected),
        ] {
            for id in ids {
                assert_eq!(self.fixture.status(*id).await, Some(expected));
            }
        }
    }
}

#[tokio::test]
async fn what_comes_while_clamd_reloads_waits_for_it_and_is_settled_by_what_it_says_then() {
    let (waiting, mut daemon) = Waiting::for_a_scanner().await;
    daemon.is_reloading.send_replace(true);
    let reloading = async {
        daemon.takes(waiting.all().len()).await;
        waiting.pass(RELOAD).await;
        waiting.none_is_settled().await;
        daemon.is_reloading.send_replace(false);
    };
    let (outcomes, ()) = tokio::join!(waiting.finalized(), reloading);
    let awaits = outcomes.contains(&FinalizeOutcome::AwaitsScan);
    assert!(!awaits, "{outcomes:?}");
    waiting.each_has_its_verdict().await;
}

#[tokio::test]
async fn what_clamd_had_in_hand_when_it_was_started_again_is_settled_by_the_next_one_that_is_right()
{
    let (mut waiting, mut daemon) = Waiting::for_a_scanner().await;
    let socket = waiting.socket();
    daemon.is_reloading.send_replace(true);
    let ending = async {
        daemon.takes(waiting.all().len()).await;
        daemon.ends(&socket).await;
    };
    let (outcomes, ()) = tokio::join!(waiting.finalized(), ending);
    let all = waiting.all().len();
    assert_eq!(outcomes, vec![FinalizeOutcome::AwaitsScan; all]);
    waiting.none_is_settled().await;

    // Nobody is there, and then one that has lost its signatures.
    for blind in [None, Some(BLIND)] {
        let daemon = blind.map(|manner| Daemon::at(&socket, manner));
        waiting.pass(LATER).await;
        let report = waiting.fixture.reconcile().await;
        assert_eq!((report.reviewed, report.failed), (all, 0), "{blind:?}");
        waiting.none_is_settled().await;
        if let Some(daemon) = daemon {
            daemon.ends(&socket).await;
        }
    }

    let _daemon = Daemon::at(&socket, Manner::Right);
    waiting.pass(LATER).await;
    assert_eq!(waiting.fixture.reconcile().await.finalized, all);
    waiting.each_has_its_verdict().await;
}
