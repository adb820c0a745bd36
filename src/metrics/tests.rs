//! The list of all metrics is the reviewed one, and what is counted is what is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use ::http::{Method, StatusCode};

use super::*;

/// Where the reviewed list lies. `UPDATE_CONTRACT=1` writes it anew, to be reviewed in the diff.
const REVIEWED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/metrics.txt");
const HEAD: &str = "\
# Every metric that the programs expose: its name, type and labels, the programs that have it, and its help.
# Names and labels are what alerts and dashboards ask for: they are added, and keep their meaning.
# UPDATE_CONTRACT=1 cargo test --workspace --locked --lib the_metrics_are_the_reviewed_ones
";

/// Everything that a program could count, counted once.
fn touched(role: Role) -> Metrics {
    let metrics = Metrics::on(Watches {
        role,
        sweeps: true,
        scanner: ScannedWith::Clamd,
    });
    if let Some(http) = HttpMetrics::of(&metrics).filter(|_| role != Role::Worker) {
        http.route_by(["/v1/files".to_owned()]);
        let route = http.route("/v1/files");
        http.answered(route, &Method::GET, StatusCode::OK, Duration::ZERO);
    }
    for store in [StoreKind::Metadata, StoreKind::Objects] {
        StoreCalls::of(&metrics, store, &["get"]).unwrap();
    }
    metrics
}

#[derive(Default)]
struct Seen {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
    roles: BTreeSet<&'static str>,
    samples: usize,
}

fn family(sample: &str) -> &str {
    let endings = ["_bucket", "_sum", "_count"];
    let ending = endings.iter().find_map(|it| sample.strip_suffix(it));
    ending.unwrap_or(sample)
}

fn look(text: &str, role: &'static str, seen: &mut BTreeMap<String, Seen>) {
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            let of = seen.entry(name.to_owned()).or_default();
            of.roles.insert(role);
            assert!(of.help.is_empty() || of.help == help, "{line}");
            of.help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            seen.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else {
            let end = line.find(['{', ' ']).unwrap();
            let of = match seen.get_mut(&line[..end]) {
                Some(of) => of,
                None => seen.get_mut(family(&line[..end])).unwrap(),
            };
            of.samples += 1;
            let labels = line.split('{').nth(1).unwrap_or_default();
            for part in labels.split("=\"") {
                let name = part.rsplit(['"', ',']).next().unwrap_or_default();
                if name.starts_with(|c: char| c.is_ascii_lowercase()) && name != "le" {
                    of.labels.insert(name.to_owned());
                }
            }
        }
    }
}

fn all_seen() -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    for (role, name) in [
        (Role::Local, "local"),
        (Role::Api, "api"),
        (Role::Worker, "worker"),
    ] {
        look(&touched(role).exposition(), name, &mut seen);
    }
    seen
}

#[test]
fn the_metrics_are_the_reviewed_ones() {
    let mut list = HEAD.to_owned();
    for (name, of) in all_seen() {
        assert!(of.samples > 0, "{name} is never there");
        let join = |words: Vec<&str>| words.join(", ");
        let labels = join(of.labels.iter().map(String::as_str).collect());
        let roles = join(of.roles.iter().copied().collect());
        write!(
            list,
            "\n{name} {} {{{labels}}} [{roles}]\n    {}\n",
            of.kind, of.help
        )
        .unwrap();
    }
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        std::fs::write(REVIEWED, &list).unwrap();
    }
    let reviewed = std::fs::read_to_string(REVIEWED).expect("tests/metrics.txt is there");
    assert!(
        list == reviewed,
        "the metrics changed: run `UPDATE_CONTRACT=1 cargo test the_metrics_are_the_reviewed_ones` and review the diff"
    );
}

#[test]
fn names_say_their_unit_and_what_a_counter_is() {
    for (name, of) in all_seen() {
        let is_total = name.ends_with("_total");
        assert_eq!(is_total, of.kind == "counter", "{name} is a {}", of.kind);
        if of.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        assert!(of.help.ends_with('.'), "{name}: {}", of.help);
    }
}

#[test]
fn where_metrics_are_off_nothing_is_made_or_shown() {
    let metrics = Metrics::off();
    metrics.received(1, None);
    metrics.watch(|| unreachable!("nobody scrapes"));
    assert!(HttpMetrics::of(&metrics).is_none());
    assert!(StoreCalls::of(&metrics, StoreKind::Objects, &["get"]).is_none());
    assert_eq!(metrics.exposition(), "");
}

#[test]
fn what_can_be_counted_is_there_as_0_before_it_happens() {
    let text = touched(Role::Worker).exposition();
    // Else the first one is no increase to whoever asks for one.
    for series in [
        "file_share_settled_total{via=\"reconciler\",outcome=\"available\"} 0",
        "file_share_settled_total{via=\"reconciler\",outcome=\"expired\"} 0",
        "file_share_queue_deliveries_total{end=\"left_for_dead_letter\"} 0",
        "file_share_webhook_tries_total{outcome=\"given_up\"} 0",
        "file_share_aws_retries_total{service=\"S3\",operation=\"GetObject\"} 0",
        "file_share_store_call_errors_total{store=\"objects\",operation=\"get\",error=\"corrupt\"} 0",
        "file_share_finalization_lag_seconds_count{via=\"notification\"} 0",
    ] {
        assert!(text.contains(&format!("\n{series}\n")), "{series}\n{text}");
    }
}

#[test]
fn a_settlement_counts_by_its_way_and_its_lag() {
    let metrics = touched(Role::Worker);
    metrics.settled(Settlement {
        via: Via::Hint,
        as_what: SettledAs::Rejected,
        lag: Duration::from_secs(7),
        upload: Duration::from_secs(40),
    });
    let text = metrics.exposition();
    for series in [
        "file_share_settled_total{via=\"hint\",outcome=\"rejected\"} 1",
        "file_share_settled_total{via=\"hint\",outcome=\"available\"} 0",
        "file_share_finalization_lag_seconds_bucket{via=\"hint\",le=\"5\"} 0",
        "file_share_finalization_lag_seconds_bucket{via=\"hint\",le=\"10\"} 1",
        "file_share_upload_duration_seconds_bucket{le=\"60\"} 1",
    ] {
        assert!(text.contains(&format!("\n{series}\n")), "{series}\n{text}");
    }
}

#[test]
fn a_pass_of_the_reconciler_counts_as_one_only_if_nothing_failed_or_was_left() {
    let metrics = touched(Role::Worker);
    let last = || {
        let text = metrics.exposition();
        let name = "\nfile_share_reconciler_last_pass_timestamp_seconds ";
        let (_, rest) = text.split_once(name).unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    let at_start = last();
    let pass = |failed, is_complete| ReconcilerPass {
        reviewed: 3,
        failed,
        is_complete,
    };
    metrics.reconciled(pass(1, true));
    metrics.reconciled(pass(0, false));
    assert_eq!(last(), at_start);
    metrics.reconciled(pass(0, true));
    assert_ne!(last(), at_start);
    let text = metrics.exposition();
    assert!(
        text.contains("\nfile_share_reconciler_due_records_total 9\n"),
        "{text}"
    );
}

#[test]
fn what_is_watched_is_looked_at_when_somebody_scrapes() {
    let metrics = touched(Role::Local);
    metrics.watch(|| Watched::Disk {
        free: 1 << 30,
        required: 1 << 20,
    });
    metrics.watch(|| Watched::PendingFiles(3));
    metrics.watch(|| Watched::AuditFailures(2));
    metrics.watch(|| {
        Watched::Scanner(ScannerSeen {
            is_ready: true,
            asked: Some(Duration::ZERO),
        })
    });
    let text = metrics.exposition();
    for series in [
        "file_share_disk_free_bytes 1073741824.0",
        "file_share_disk_required_bytes 1048576.0",
        "file_share_pending_files 3",
        "file_share_audit_write_failures_total 2",
        "file_share_scanner_ready 1",
    ] {
        assert!(text.contains(&format!("\n{series}\n")), "{series}\n{text}");
    }
}
