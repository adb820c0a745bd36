//! Local mode with a data directory that can't be written to, and with records that somebody else
//! has locked.
//!
//! What is asked is the same each time: the right status with advice, no partial object, nothing
//! lost, and well again when the cause is gone, without a restart. A full disk is the integration
//! tests' (`tests/it/local_faults.rs`), where the answers are read to the letter.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::time::sleep;

use super::Scale;
use crate::checker::{self, Inside, files_below, objects_below};
use crate::client::{Client, Created, content};
use crate::history::{History, Observation};
use crate::measurement::Measurement;
use crate::recounts::{self, data_dir};
use crate::support::program::Program;

const LIMIT: Duration = Duration::from_secs(60);
const DISK: usize = 64 * 1024 * 1024;
const LENGTH: usize = 64 * 1024;
const WELL_AGAIN: Duration = Duration::from_secs(10);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let mut measurements = read_only(scale).await;
    measurements.extend(locked(scale).await);
    measurements
}

/// The directories of the objects become read-only under the running program. The records stay as
/// they are: the kernel makes nothing read-only that is open for writing.
async fn read_only(scale: Scale) -> Vec<Measurement> {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mount_point = dir.path().join("disk");
    std::fs::create_dir(&mount_point).expect("the directory can be made");
    let (api, seen) =
        tokio::task::block_in_place(|| Program::local_on_small_disk(&mount_point, DISK, &[]));
    let client = Client::new(&api.base, History::open("read-only"), LIMIT);
    let running = RunningService {
        name: "data directory read-only",
        client: &client,
        dir: &seen,
        creation_status: 201,
        put_status: 503,
    };
    // In the program's own namespace of mounts.
    let in_its_place = |script: &str| {
        let status = Command::new("nsenter")
            .args(["--user", "--mount", "--preserve-credentials", "--target"])
            .arg(api.process_id().to_string())
            .args(["sh", "-e", "-c", script])
            .env("DISK", &mount_point)
            .status();
        assert!(status.is_ok_and(|it| it.success()), "{script}");
    };
    let begin = "for it in incoming objects; do mount --bind $DISK/$it $DISK/$it; \
                 mount -o remount,bind,ro $DISK/$it; done";
    let end = "umount $DISK/incoming $DISK/objects";
    let measurements = running.trouble(scale, || in_its_place(begin), || in_its_place(end));
    let measurements = measurements.await;
    // It is gone with the program.
    recounts::now(seen.clone()).await;
    measurements
}

/// A backup or a person with a shell, who holds the database for longer than anybody waits.
async fn locked(scale: Scale) -> Vec<Measurement> {
    let dir = data_dir();
    let api = tokio::task::block_in_place(|| Program::local(dir.path(), &[]));
    let client = Client::new(&api.base, History::open("locked"), LIMIT);
    let running = RunningService {
        name: "SQLite busy",
        client: &client,
        dir: dir.path(),
        creation_status: 503,
        put_status: 200,
    };
    let records = rusqlite::Connection::open(dir.path().join("metadata.sqlite"));
    let records = records.expect("the records can be opened");
    let run = |sql: &str| records.execute_batch(sql).expect(sql);
    running
        .trouble(scale, || run("BEGIN IMMEDIATE"), || run("ROLLBACK"))
        .await
}

struct RunningService<'a> {
    name: &'static str,
    client: &'a Client,
    dir: &'a Path,
    /// The status of a creation and of a PUT meanwhile.
    creation_status: usize,
    put_status: usize,
}

impl RunningService<'_> {
    async fn trouble(&self, scale: Scale, begin: impl Fn(), end: impl Fn()) -> Vec<Measurement> {
        let client = self.client;
        let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), LENGTH);
        let stored = client.create(bytes.clone(), false).await.expect("a file");
        client.put(&stored).await.expect("it is stored");
        client
            .await_settled(&stored.id)
            .await
            .expect("it is available");
        let waiting = client.create(bytes.clone(), true).await.expect("a file");

        begin();
        let (creation, _) = client.create_once(bytes.clone(), false).await;
        let put = client.put_once(&waiting).await;
        if put == Some(StatusCode::OK) {
            client.history.append(&waiting.id, Observation::Stored);
        }
        let is_served = client.download_once(&stored.id).await.is_some();
        let without_advice = client.stats.without_advice.get();
        let partial = self.partial(&waiting);

        end();
        let ended = Instant::now();
        while client.create_once(bytes.clone(), false).await.1.is_none() {
            assert!(
                ended.elapsed() < LIMIT,
                "{}: it doesn't get well",
                self.name
            );
            sleep(Duration::from_millis(50)).await;
        }
        let recovered = ended.elapsed();
        client.put(&waiting).await.expect("it is stored in the end");
        client.await_settled(&waiting.id).await;
        let findings = checker::check(client, Inside::Local(self.dir)).await;
        let name = self.name;
        let code = |status: Option<StatusCode>| usize::from(status.map_or(0, |it| it.as_u16()));
        let mut measurements = vec![
            Measurement::exactly(
                format!("{name}: status of a creation"),
                code(creation),
                self.creation_status,
            ),
            // Bytes that can be stored are, whatever the records do.
            Measurement::exactly(
                format!("{name}: status of a PUT"),
                code(put),
                self.put_status,
            ),
            Measurement::none(format!("{name}: 5xx without Retry-After"), without_advice),
            Measurement::exactly(
                format!("{name}: what was stored is served"),
                usize::from(is_served),
                1,
            ),
            Measurement::none(format!("{name}: partial objects"), partial),
            Measurement::within(format!("{name}: well again"), recovered, WELL_AGAIN),
        ];
        let left = findings
            .measurements()
            .into_iter()
            .filter(|it| !it.is_only_told());
        measurements.extend(left.map(|it| it.named(name)));
        measurements
    }

    /// Objects that aren't whole, and temporary files.
    fn partial(&self, waiting: &Created) -> usize {
        let objects = objects_below(self.dir);
        let of_waiting = objects.iter().filter(|path| path.ends_with(&waiting.id));
        let broken = of_waiting
            .filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes != waiting.content))
            .count();
        broken + files_below(&self.dir.join("incoming")).len()
    }
}
