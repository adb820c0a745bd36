//! The units of systemd: how much they expose, that they are confined alike, and that they let the programs do what they do.
//!
//! Invariant: systemd doesn't run here. Units are judged by `systemd-analyze`, and held against what the real program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::{UNITS, run, said};
use crate::support::curl::{curl, curl_json, upload};
use crate::support::ministack::project_root;
use crate::support::program::{Program, built, data_dir};

const SYSTEMD_ANALYZE: &str = "/usr/bin/systemd-analyze";
/// The most that systemd may find a unit exposed, in tenths: below 2.0 it is "OK" or better.
const MAX_EXPOSURE: &str = "20";
/// What SQLite calls where it runs as root, as tests may: it gives its files to the owner of their directory. The service
/// never is root.
const AS_ROOT_ALONE: &str = "fchown";

fn unit(name: &str) -> PathBuf {
    project_root().join("deploy/systemd").join(name)
}

#[test]
fn each_unit_is_exposed_less_than_two() {
    for name in UNITS {
        let judged = Command::new(SYSTEMD_ANALYZE)
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={MAX_EXPOSURE}"))
            .arg(unit(name))
            .output()
            .expect("systemd-analyze is there: `make test` installs it");
        assert!(judged.status.success(), "{name}: {}", said(&judged));
        assert!(said(&judged).contains("Overall exposure level"), "{name}");
    }
}

/// What a unit says of who it runs as and what it may do, but for what differs on purpose: what is started, how often, with
/// which settings and folders.
fn confinement(name: &str) -> BTreeSet<String> {
    const ITS_OWN: [&str; 12] = [
        "Type",
        "ExecStart",
        "Environment",
        "EnvironmentFile",
        "Restart",
        "RestartSec",
        "RestartPreventExitStatus",
        "LimitNOFILE",
        "User",
        "StateDirectory",
        "StateDirectoryMode",
        // Who speaks to nobody, to a network, or lists the machine's addresses.
        "RestrictAddressFamilies",
    ];
    let text = fs::read_to_string(unit(name)).unwrap();
    let (_, service) = text.split_once("[Service]\n").unwrap();
    let service = service.split("\n[").next().unwrap();
    let lines = service.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(setting, _)| !setting.starts_with('#') && !ITS_OWN.contains(setting))
        .map(|(setting, value)| format!("{setting}={value}"))
        .collect()
}

#[test]
fn the_units_are_confined_alike() {
    let [service, mut backup, worker] = UNITS.map(confinement);
    assert!(service.len() > 25, "{service:?}");
    assert_eq!(service, worker);
    assert!(
        backup.remove("PrivateNetwork=yes"),
        "a backup speaks to nobody"
    );
    assert_eq!(service, backup);
}

/// The system calls that a unit's filter lets through: what its lines name, in their order.
fn allowed_calls(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(unit(name)).unwrap();
    let mut allowed = BTreeSet::new();
    for line in text.lines() {
        let Some(line) = line.strip_prefix("SystemCallFilter=") else {
            continue;
        };
        let (taken_away, groups) = match line.strip_prefix('~') {
            Some(groups) => (true, groups),
            None => (false, line),
        };
        let calls: BTreeSet<String> = groups.split(' ').flat_map(calls_of).collect();
        if taken_away {
            allowed = &allowed - &calls;
        } else {
            allowed.extend(calls);
        }
    }
    allowed
}

/// The calls in a group of systemd's, and in those that it consists of.
fn calls_of(group: &str) -> Vec<String> {
    let listed = run(Command::new(SYSTEMD_ANALYZE).args(["syscall-filter", "--no-pager", group]));
    let lines = listed.lines().skip(1).map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| match line.starts_with('@') {
            true => calls_of(line),
            false => vec![line.to_owned()],
        })
        .collect()
}

/// The names of the calls in what strace wrote, but for those that only strace's own start makes.
fn calls_in(trace: &str) -> BTreeSet<String> {
    let lines = trace
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, call)| call.trim_start());
    lines
        .filter_map(|call| call.split_once('('))
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            name.bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        })
        .collect()
}

#[test]
fn the_units_filters_let_through_what_the_service_and_a_backup_do() {
    let dir = data_dir();
    let (data, trace) = (dir.path().join("data"), dir.path().join("trace"));
    let program = Program::local_seen(&data, &trace, &[("ACCESS", "key")]);
    // A caller with its key, so that the files that guard it are read and written too.
    let key = fs::read_to_string(data.join("access-key")).unwrap();
    let key = format!("Authorization: Bearer {}", key.trim());
    let source = dir.path().join("source");
    fs::write(&source, "hello").unwrap();
    let created = curl_json(&[
        &format!("{}/v1/files", program.base),
        "--header",
        &key,
        "--json",
        &json!({"filename": "a.txt", "size": 5}).to_string(),
    ]);
    assert_eq!(upload(&created, &source), "200");
    let file = format!(
        "{}/v1/files/{}",
        program.base,
        created["id"].as_str().unwrap()
    );
    let record = curl_json(&[&format!("{file}/metadata?wait=20"), "--header", &key]);
    assert_eq!(record["status"], "available");
    let url = String::from_utf8(curl(&[
        "--header",
        &key,
        "--output",
        "/dev/null",
        "--write-out",
        "%{redirect_url}",
        &file,
    ]));
    assert_eq!(curl(&[&url.unwrap()]), b"hello");
    let backed_up = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(dir.path().join("backup-trace"))
        .args([built("file-share").as_os_str(), "backup".as_ref()])
        .arg(dir.path().join("backup"))
        .env("DATA_DIR", &data)
        .output()
        .unwrap();
    assert!(backed_up.status.success(), "{}", said(&backed_up));
    curl(&["--request", "DELETE", "--header", &key, &file]);
    program.end_what_is_watched();

    for (unit, trace) in [
        ("file-share.service", "trace"),
        ("file-share-backup.service", "backup-trace"),
    ] {
        let text = fs::read_to_string(dir.path().join(trace)).unwrap();
        let (made, allowed) = (calls_in(&text), allowed_calls(unit));
        assert!(made.len() > 30 && allowed.len() > 200, "{made:?}");
        let refused = made.difference(&allowed).filter(|it| *it != AS_ROOT_ALONE);
        let refused: Vec<&String> = refused.collect();
        assert!(refused.is_empty(), "{unit} refuses {refused:?}");
        // What it would be refused by its limits on sockets.
        let units = fs::read_to_string(self::unit(unit)).unwrap();
        let families = units
            .lines()
            .find_map(|line| line.strip_prefix("RestrictAddressFamilies="))
            .unwrap();
        let families: Vec<&str> = families.split(' ').collect();
        for opened in text.split("socket(").skip(1) {
            let family = opened.split([',', ')']).next().unwrap();
            assert!(families.contains(&family), "{unit} refuses {family}");
        }
    }
}
