//! Debian's Prometheus, which scrapes the programs and judges what it finds by `deploy/alerts.yaml`.
//!
//! The rules are those that are shipped, with every window, every `for:` and every minute in an expression shortened by
//! [`FACTOR`]: an hour is three minutes. Shares, counts and objectives stay as they are.
//!
//! Invariant: what it says to fire is what it would send somebody; an alert that is only pending counts for nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::process::free_address;
use crate::support::ministack::project_root;

/// By which times are shortened. The shortest window is five minutes, which has to hold some scrapes; the worker's
/// receives take up to four seconds, which must not look like five minutes.
const FACTOR: u64 = 20;
/// How often programs are scraped and rules are judged, in seconds.
const EVERY: u64 = 1;
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(500);

pub(crate) struct Prometheus {
    child: Child,
    base: String,
    http: reqwest::Client,
    /// What fired at any time.
    seen: RefCell<BTreeSet<String>>,
    _dir: TempDir,
}

impl Prometheus {
    /// One that scrapes these addresses.
    pub(crate) async fn scraping(targets: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let write = |name: &str, text: String| {
            fs::write(dir.path().join(name), text).expect("a file can be written");
        };
        let rules = fs::read_to_string(project_root().join("deploy/alerts.yaml"));
        write(
            "alerts.yaml",
            shortened(&rules.expect("the alerts are there")),
        );
        let targets = targets.join("','");
        write(
            "prometheus.yml",
            format!(
                "global: {{scrape_interval: {EVERY}s, evaluation_interval: {EVERY}s}}\nrule_files: [alerts.yaml]\n\
                 scrape_configs:\n  - job_name: file-share\n    static_configs: [{{targets: ['{targets}']}}]\n"
            ),
        );
        let address = free_address();
        let log = format!(
            "target/test-logs/prometheus-{}.log",
            address.replace(':', "-")
        );
        let log = fs::File::create(project_root().join(log));
        let child = Command::new(program())
            .arg(format!(
                "--config.file={}",
                dir.path().join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.map_or_else(|_| Stdio::null(), Stdio::from))
            .spawn()
            .expect("Prometheus is installed (Debian: prometheus), or PROMETHEUS says where it is");
        let prometheus = Self {
            child,
            base: format!("http://{address}"),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a plain client needs nothing that could fail"),
            seen: RefCell::default(),
            _dir: dir,
        };
        let began = Instant::now();
        while prometheus.ask("/-/ready").await.is_none() {
            assert!(began.elapsed() < START_LIMIT, "Prometheus doesn't start");
            sleep(POLL).await;
        }
        prometheus
    }

    async fn ask(&self, path: &str) -> Option<String> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await;
        answer.ok()?.error_for_status().ok()?.text().await.ok()
    }

    /// The alerts that fire now.
    pub(crate) async fn firing(&self) -> BTreeSet<String> {
        let answer = self
            .ask("/api/v1/alerts")
            .await
            .expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&answer).expect("in JSON");
        let alerts = answer["data"]["alerts"].as_array().into_iter().flatten();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        let names = firing.filter_map(|alert| alert["labels"]["alertname"].as_str());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        self.seen.borrow_mut().extend(names.iter().cloned());
        names
    }

    /// The expressions of `deploy/dashboard.json` that come to nothing now, apart from those about one of `absent`.
    pub(crate) async fn panels_without_data(&self, absent: &[&str]) -> Vec<String> {
        let dashboard = fs::read_to_string(project_root().join("deploy/dashboard.json"));
        let dashboard = dashboard.expect("the dashboard is there");
        let dashboard: Value = serde_json::from_str(&dashboard).expect("it is JSON");
        let panels = dashboard["panels"].as_array().expect("it has panels");
        let targets = panels
            .iter()
            .filter_map(|panel| panel["targets"].as_array());
        let expressions = targets
            .flatten()
            .filter_map(|target| target["expr"].as_str());
        let mut empty = Vec::new();
        for expression in expressions {
            if absent.iter().any(|name| expression.contains(name)) {
                continue;
            }
            let query = utf8_percent_encode(expression, NON_ALPHANUMERIC);
            let answer = self.ask(&format!("/api/v1/query?query={query}")).await;
            let answer: Value =
                serde_json::from_str(&answer.unwrap_or_default()).unwrap_or_default();
            let result = answer["data"]["result"].as_array();
            if result.is_none_or(Vec::is_empty) {
                empty.push(expression.to_owned());
            }
        }
        empty
    }

    /// What fired at any time so far.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        self.seen.borrow().clone()
    }

    /// How long it took until the alert fired, or stopped to; `None`: longer than the limit.
    pub(crate) async fn until(
        &self,
        alert: &str,
        fires: bool,
        limit: Duration,
    ) -> Option<Duration> {
        let began = Instant::now();
        while self.firing().await.contains(alert) != fires {
            if began.elapsed() > limit {
                return None;
            }
            sleep(POLL).await;
        }
        Some(began.elapsed())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    let named = std::env::var_os("PROMETHEUS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new("/usr/bin/prometheus").to_owned())
}

/// The rules with all times shortened.
fn shortened(rules: &str) -> String {
    let minute = format!("* {}", 60 / FACTOR);
    let lines = rules.lines().map(|line| {
        let line = line.replace("* 60", &minute);
        match line.split_once("for: ") {
            Some((indent, time)) if indent.trim().is_empty() => {
                format!("{indent}for: {}\n", shorter(time).unwrap_or_default())
            }
            _ => with_shorter_windows(&line) + "\n",
        }
    });
    lines.collect()
}

fn with_shorter_windows(line: &str) -> String {
    let mut parts = line.split('[');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, behind) = part.split_once(']').unwrap_or((part, ""));
        let (time, colon) = match inside.strip_suffix(':') {
            Some(time) => (time, ":"),
            None => (inside, ""),
        };
        match shorter(time) {
            Some(time) => whole += &format!("[{time}{colon}]{behind}"),
            None => whole += &format!("[{part}"),
        }
    }
    whole
}

/// A time such as `5m`; `None` for what is none.
fn shorter(time: &str) -> Option<String> {
    let (number, unit) = time.split_at_checked(time.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()? * seconds * 1000 / FACTOR;
    Some(format!("{millis}ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_pauses_and_minutes_are_shortened_and_nothing_else_is() {
        for (rule, expected) in [
            (
                "expr: sum(rate(a_total[1h])) > 14.4 * 0.001",
                "expr: sum(rate(a_total[180000ms])) > 14.4 * 0.001",
            ),
            ("  for: 5m", "  for: 15000ms"),
            (
                "min_over_time(max(b)[5m:]) > 10 * 60",
                "min_over_time(max(b)[15000ms:]) > 10 * 3",
            ),
            ("summary: waits for: 5m", "summary: waits for: 5m"),
            ("rule_files: [alerts.yaml]", "rule_files: [alerts.yaml]"),
        ] {
            assert_eq!(shortened(rule), format!("{expected}\n"));
        }
    }
}
