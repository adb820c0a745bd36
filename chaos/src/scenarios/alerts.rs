//! The alerts of `deploy/alerts.yaml`, fired by the faults that they are for, and silent once those are over.
//!
//! Prometheus scrapes the real programs while clients upload. Nothing fires under that load. Then one fault after the
//! other is made, until its alerts fire; it is ended, and they have to stop by themselves.
//!
//! A day of failed deliveries is written into the outbox of a program that runs, since a clock that jumps counts no try. On
//! a full disk the audit log has room for long; downloads, which a full disk refuses nobody, take it.
//!
//! Absent on purpose: that `AvailabilityBurnsSlowly` stops, which would take a third of an hour. A machine that is starved
//! makes files late, and `FinalizationLate` says so under load alone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::Method;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::client::{Client, content};
use crate::fault_proxy::{AwsService, FaultAction, Refusal};
use crate::history::History;
use crate::measurement::Measurement;
use crate::process::free_address;
use crate::prometheus::Prometheus;
use crate::recounts::{self, data_dir};
use crate::support::clamd::{AS_IT_HAS_TO_BE, ClamdHome};
use crate::support::program::Program;

const LIMIT: Duration = Duration::from_secs(60);
/// For how long nothing may fire under load before anything is done: longer than any pause of an alert that this shows.
const HEALTHY: Duration = Duration::from_secs(45);
/// The longest that an alert may take to fire. The reconciler looks after a minute.
const FIRES_WITHIN: Duration = Duration::from_secs(180);
/// The longest until one stops: three minutes are an hour.
const STOPS_WITHIN: Duration = Duration::from_secs(300);
/// Looks back for six hours at the least, and so goes on firing for twenty minutes here.
const OF_DAYS: &str = "AvailabilityBurnsSlowly";
/// Between two uploads.
const PAUSE: Duration = Duration::from_millis(250);
/// For how long the scanner is away: lags are no windows, and five minutes of one are five minutes here too.
const VERY_LATE: Duration = Duration::from_secs(320);
/// How old an object without a record is: more than the day for which a sweep leaves it alone.
const OLD: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// For how long messages wait: ten minutes are half a one here.
const WAIT_FOR: Duration = Duration::from_secs(45);
/// How long a call of a store takes that is slow: not so long that its client gives it up.
const STALL: Duration = Duration::from_secs(4);
/// For how long notifications are lost.
const LOST_FOR: Duration = Duration::from_secs(50);
const MIB: usize = 1024 * 1024;
const DISK: usize = 256 * MIB;
/// What is left of it when it is full: a 64th has to be free.
const LEFT: usize = 2 * MIB;

/// Downloads until the audit log has no room: each is a line of some 300 bytes, and it has up to 1 MiB beside [`LEFT`].
const MOST_LINES: usize = 20_000;
/// The number of tries that is one less than the last of a message of a webhook.
const ALL_BUT_ONE: u32 = 12;

/// What a worker and an API don't have, without a scanner.
const LOCAL_ONLY: [&str; 4] = [
    "file_share_disk_",
    "file_share_pending_files",
    "file_share_scan",
    "file_share_webhooks_waiting",
];

/// What is seen of the alerts, while something is done and clients upload.
struct Watch<'a> {
    prometheus: &'a Prometheus,
    measurements: RefCell<Vec<Measurement>>,
}

impl Watch<'_> {
    async fn panels_show_something(&self, absent: &[&str]) {
        let empty = self.prometheus.panels_without_data(absent).await;
        let what = format!("panels of the dashboard without data {empty:?}");
        self.add(Measurement::none(what, empty.len()));
    }

    async fn nothing_fires(&self) {
        let until = tokio::time::Instant::now() + HEALTHY;
        let mut fired = BTreeSet::new();
        while tokio::time::Instant::now() < until {
            fired.extend(self.prometheus.firing().await);
            sleep(PAUSE).await;
        }
        let what = format!("alerts under load alone {fired:?}");
        self.add(Measurement::none(what, fired.len()));
    }

    /// All of them fire.
    async fn fire(&self, alerts: &[&str]) {
        for alert in alerts {
            let took = self.prometheus.until(alert, true, FIRES_WITHIN).await;
            self.add(measured(format!("{alert} fires"), took, FIRES_WITHIN));
        }
    }

    /// All of them stop.
    async fn stop(&self, alerts: &[&str]) {
        for alert in alerts {
            let took = self.prometheus.until(alert, false, STOPS_WITHIN).await;
            self.add(measured(format!("{alert} stops"), took, STOPS_WITHIN));
        }
    }

    fn add(&self, measurement: Measurement) {
        self.measurements.borrow_mut().push(measurement);
    }

    /// What was found, with what is left firing of all that ever did.
    async fn end(self) -> Vec<Measurement> {
        for alert in self.prometheus.seen() {
            if alert == OF_DAYS {
                continue;
            }
            let took = self.prometheus.until(&alert, false, STOPS_WITHIN).await;
            let what = format!("{alert} is over in the end");
            self.add(measured(what, took, STOPS_WITHIN));
        }
        self.measurements.into_inner()
    }
}

fn measured(what: String, took: Option<Duration>, limit: Duration) -> Measurement {
    // Longer than the limit, whatever it was.
    Measurement::within(what, took.unwrap_or(limit * 2), limit)
}

/// Uploads until it is told to stop; what fails is part of it.
async fn load(client: &Client, over: &Cell<bool>) {
    let mut random = fastrand::Rng::with_seed(1);
    while !over.get() {
        let bytes = content(&mut random, 1024);
        let uploads = (0..2).map(|_| async {
            if let (_, Some(created)) = client.create_once(bytes.clone(), true).await {
                let _ = client.put_once(&created).await;
            }
        });
        futures_util::future::join_all(uploads).await;
        sleep(PAUSE).await;
    }
}

pub(super) async fn aws(_: Scale) -> Vec<Measurement> {
    let aws = Aws::start("alerts", &[("MAX_RECEIVE_COUNT", "3")]).await;
    let (listen, by_api, by_worker) = (free_address(), free_address(), free_address());
    let api_settings = [("LISTEN", listen.as_str()), ("METRICS_LISTEN", &by_api)];
    let worker_settings = [
        ("METRICS_LISTEN", by_worker.as_str()),
        ("RECONCILE_INTERVAL", "1s"),
        ("VISIBILITY_TIMEOUT", "5s"),
    ];
    let api = aws.api(&api_settings);
    let worker = aws.worker(&worker_settings);
    let client = Client::new(&api.base, History::open("alerts-aws"), LIMIT);
    let prometheus = Prometheus::scraping(&[&by_api, &by_worker]).await;
    let watch = Watch {
        prometheus: &prometheus,
        measurements: RefCell::default(),
    };
    let over = Cell::new(false);
    let story = async {
        watch.nothing_fires().await;
        watch.panels_show_something(&LOCAL_ONLY).await;

        aws.proxy.set_plan(|call| match call.service {
            AwsService::DynamoDb => FaultAction::Refuse(Refusal::Throttled),
            _ => FaultAction::Pass,
        });
        let of_table = [
            "StoreFailing",
            "AvailabilityBurnsFast",
            "AvailabilityBurns",
            "ReconcilerNotPassing",
        ];
        watch.fire(&of_table).await;
        aws.proxy.let_all_pass();
        watch.stop(&of_table).await;
        watch.fire(&[OF_DAYS]).await;

        let poison: Vec<String> = (0..5).map(|n| format!("no notification {n}")).collect();
        aws.send(aws.queue_url(), &poison).await;
        watch.fire(&["DeadLetters"]).await;
        watch.stop(&["DeadLetters"]).await;

        block_in_place(|| worker.kill());
        watch.fire(&["WorkerAway"]).await;
        let _worker = aws.worker(&worker_settings);
        watch.stop(&["WorkerAway"]).await;

        // Somebody else takes every message, and the worker gets none.
        aws.proxy
            .set_plan(|call| match call.is(AwsService::Sqs, "ReceiveMessage") {
                true => FaultAction::Refuse(Refusal::Internal),
                false => FaultAction::Pass,
            });
        let taking = async {
            let until = tokio::time::Instant::now() + LOST_FOR;
            while tokio::time::Instant::now() < until {
                aws.take(aws.queue_url()).await;
            }
        };
        tokio::join!(taking, watch.fire(&["QueueNotRead"]));
        aws.proxy.let_all_pass();
        watch.stop(&["QueueNotRead"]).await;
        let lost = ["NotificationsLost", "FinalizationLate"];
        watch.fire(&lost).await;
        watch.stop(&lost).await;

        // The worker gets none, and then gets through fewer than come.
        aws.proxy
            .set_plan(|call| match call.is(AwsService::Sqs, "ReceiveMessage") {
                true => FaultAction::Refuse(Refusal::Internal),
                false => FaultAction::Pass,
            });
        sleep(WAIT_FOR).await;
        aws.proxy.set_plan(
            |call| match call.service == AwsService::S3 && !call.is_presigned {
                true => FaultAction::Hold,
                false => FaultAction::Pass,
            },
        );
        let a_few_at_a_time = async {
            loop {
                sleep(STALL).await;
                aws.proxy.release();
            }
        };
        tokio::select! {
            () = watch.fire(&["MessagesWait"]) => {}
            () = a_few_at_a_time => {}
        }
        aws.proxy.let_all_pass();
        aws.proxy.release();
        watch.stop(&["MessagesWait"]).await;

        block_in_place(|| api.kill());
        watch.fire(&["ServiceAway"]).await;
        let _api = aws.api(&api_settings);
        watch.stop(&["ServiceAway"]).await;
        let ended = watch.end().await;
        over.set(true);
        ended
    };
    tokio::join!(load(&client, &over), story).1
}

pub(super) async fn local(_: Scale) -> Vec<Measurement> {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mount_point = dir.path().join("disk");
    fs::create_dir(&mount_point).expect("the directory can be made");
    let (home, scraped) = (ClamdHome::new(), free_address());
    let clamd = block_in_place(|| home.start(AS_IT_HAS_TO_BE));
    let scanner = home.setting();
    let settings = [
        ("METRICS_LISTEN", scraped.as_str()),
        ("SCANNER", &scanner),
        ("AUDIT", "on"),
        ("RECONCILE_INTERVAL", "500ms"),
    ];
    let (api, seen) =
        block_in_place(|| Program::local_on_small_disk(&mount_point, DISK, &settings));
    let client = Client::new(&api.base, History::open("alerts-local"), LIMIT);
    // Whose records can be reached from here.
    let (damaged_dir, by_damaged) = (data_dir(), free_address());
    let damaged = [
        ("METRICS_LISTEN", by_damaged.as_str()),
        ("ORPHAN_SWEEP_INTERVAL", "1s"),
        // Where nobody listens.
        ("WEBHOOK_URL", "http://127.0.0.1:9/"),
        (
            "WEBHOOK_SECRET",
            "whsec_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=",
        ),
    ];
    let damaged = block_in_place(|| Program::local(damaged_dir.path(), &damaged));
    let whose = Client::new(&damaged.base, History::open("alerts-damaged"), LIMIT);
    let prometheus = Prometheus::scraping(&[&scraped, &by_damaged]).await;
    let watch = Watch {
        prometheus: &prometheus,
        measurements: RefCell::default(),
    };
    let over = Cell::new(false);
    let story = async {
        watch.nothing_fires().await;
        watch
            .panels_show_something(&["file_share_queue_", "file_share_aws_"])
            .await;

        clamd.kill();
        watch.fire(&["ScannerAway"]).await;
        sleep(VERY_LATE).await;
        let _clamd = block_in_place(|| home.start(AS_IT_HAS_TO_BE));
        watch.stop(&["ScannerAway"]).await;
        watch.fire(&["FinalizationVeryLate"]).await;
        watch.stop(&["FinalizationVeryLate"]).await;

        let downloads = Client::new(&api.base, History::open("alerts-audit"), LIMIT);
        let file = downloads.create(content(&mut fastrand::Rng::with_seed(3), 5), false);
        let file = file.await.expect("a file");
        downloads.put(&file).await.expect("its bytes are taken");
        downloads
            .await_settled(&file.id)
            .await
            .expect("it is settled");
        let filled = seen.join("filler");
        fill(&filled);
        let of_disk = ["DiskFull", "DiskNearlyFull", "AuditFailing"];
        watch.fire(&of_disk[..2]).await;
        let path = format!("/v1/files/{}", file.id);
        for _ in 0..MOST_LINES {
            let answer = downloads.call(downloads.request(Method::GET, &path)).await;
            if answer.is_some_and(|it| it.status().is_server_error()) {
                break;
            }
        }
        watch.fire(&of_disk[2..]).await;
        fs::remove_file(&filled).expect("it can be removed");
        watch.stop(&of_disk).await;

        let created = whose.create(content(&mut fastrand::Rng::with_seed(2), 5), false);
        let created = created.await.expect("a file");
        let records = rusqlite::Connection::open(damaged_dir.path().join("metadata.sqlite"));
        let records = records.expect("the records can be opened");
        whose.put(&created).await.expect("its bytes are taken");
        whose
            .await_settled(&created.id)
            .await
            .expect("it is settled");
        // As if a day had passed.
        let sql = "UPDATE outbox SET attempts = ?1, due_at = 0";
        let changed = records.execute(sql, [ALL_BUT_ONE]);
        assert_eq!(changed, Ok(1), "a message waits");
        watch.fire(&["WebhooksGivenUp"]).await;

        let id = created.id.replace('-', "");
        let call_it = |content_type: &str| {
            let sql = "UPDATE files SET content_type = ?1 WHERE id = unhex(?2)";
            let changed = records.execute(sql, [content_type, id.as_str()]);
            assert_eq!(changed, Ok(1), "a record can be damaged");
        };
        call_it("\u{1}");
        let path = format!("/v1/files/{}/metadata", created.id);
        for _ in 0..10 {
            whose.call(whose.request(Method::GET, &path)).await;
            sleep(PAUSE).await;
        }
        watch.fire(&["RecordsDamaged"]).await;
        call_it("text/plain");
        watch.stop(&["RecordsDamaged"]).await;

        let orphan = old_orphan(damaged_dir.path());
        watch.fire(&["SweepSuspicious"]).await;
        fs::remove_file(&orphan).expect("it can be removed");
        watch.stop(&["SweepSuspicious"]).await;
        let ended = watch.end().await;
        over.set(true);
        // It is gone with the program.
        recounts::now(seen.clone()).await;
        ended
    };
    tokio::join!(load(&client, &over), story).1
}

/// An object that no record names, and that is [`OLD`] by its ID and by its file.
fn old_orphan(data_dir: &Path) -> PathBuf {
    let long_ago = SystemTime::now() - OLD;
    let since = long_ago.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.expect("it is later than 1970").as_millis();
    let hex = format!("{millis:012x}");
    let id = format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..]);
    let folder = data_dir.join("objects/00");
    fs::create_dir_all(&folder).expect("a folder can be made");
    let path = folder.join(id);
    let mut object = fs::File::create(&path).expect("a file can be made");
    object.write_all(b"hello").expect("it can be written");
    object.set_modified(long_ago).expect("its time can be set");
    path
}

/// Leaves [`LEFT`] of the disk, which is another one than what its path says to whoever asks the system for its room.
fn fill(path: &Path) {
    let mut filler = fs::File::create(path).expect("a file can be made");
    let chunk = vec![0; MIB];
    let mut written = 0;
    while written < DISK && filler.write_all(&chunk).is_ok() {
        written += MIB;
    }
    let kept = written.saturating_sub(LEFT) as u64;
    filler.set_len(kept).expect("it can be made shorter");
}
