//! What a release consists of: its version, its packages, its units and its image.
//!
//! Invariant: nothing here compiles a release or runs systemd. The programs in the packages are stand-ins, of which only
//! the names count, and the units are judged by `systemd-analyze` and held against what the real program does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::ministack::project_root;
use crate::support::program::{Program, built, data_dir};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
const SYSTEMD_ANALYZE: &str = "/usr/bin/systemd-analyze";
/// The most that systemd may find a unit exposed, in tenths: below 2.0 it is "OK" or better.
const MAX_EXPOSURE: &str = "20";
/// What SQLite calls where it runs as root, as tests may: it gives its files to the owner of their directory. The service
/// never is root.
const AS_ROOT_ALONE: &str = "fchown";
/// The units of a release.
pub(crate) const UNITS: [&str; 3] = [
    "file-share.service",
    "file-share-backup.service",
    "file-share-worker.service",
];
/// The programs of a release.
const PROGRAMS: [&str; 3] = ["file-share", "file-share-worker", "fshare"];

/// Runs it in the project's folder.
///
/// # Panics
/// If it fails, with what it said.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.current_dir(project_root()).output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{command:?}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|it| String::from_utf8_lossy(it))
        .concat()
}

fn unit(name: &str) -> PathBuf {
    project_root().join("deploy/systemd").join(name)
}

/// Packs what stands in for the programs of a target.
pub(crate) fn pack(target: &str, programs: &Path, out: &Path) {
    fs::create_dir_all(out).unwrap();
    run(Command::new("deploy/release/pack.py")
        .arg(target)
        .args([programs, out]));
}

/// A folder with scripts in place of the programs, each of which starts the real one.
pub(crate) fn stand_ins(folder: &Path) -> &Path {
    fs::create_dir_all(folder).unwrap();
    for name in PROGRAMS {
        let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", built(name).display());
        fs::write(folder.join(name), script).unwrap();
    }
    folder
}

/// The paths in what a program lists, one a line, without folders.
fn files(listed: &str) -> BTreeSet<&str> {
    let paths = listed
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    paths.filter(|path| !path.ends_with('/')).collect()
}

#[test]
fn the_version_is_the_changelogs_newest_the_contracts_and_that_of_the_locks() {
    let changelog = fs::read_to_string(project_root().join("CHANGELOG.md")).unwrap();
    let mut headings = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|heading| *heading != "Unreleased");
    let newest = headings.next().unwrap();
    let (version, date) = newest.split_once(" (").expect("a version and its date");
    assert_eq!(version, VERSION);
    let date = date.strip_suffix(')').unwrap();
    assert!(date.parse::<chrono::NaiveDate>().is_ok(), "{date}");
    let contract = fs::read_to_string(project_root().join("tests/openapi.json")).unwrap();
    let contract: Value = serde_json::from_str(&contract).unwrap();
    assert_eq!(contract["info"]["version"], VERSION);
    let fuzz = fs::read_to_string(project_root().join("fuzz/Cargo.lock")).unwrap();
    for package in ["file-share", "file-share-worker"] {
        let locked = format!("name = \"{package}\"\nversion = \"{VERSION}\"\n");
        assert!(fuzz.contains(&locked), "fuzz/Cargo.lock: {package}");
    }
    // A second heading of it would hide what is below.
    assert!(headings.all(|heading| heading.split(' ').next() != Some(VERSION)));
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

#[test]
fn the_packages_hold_the_programs_their_terms_and_where_there_is_systemd_the_units() {
    let dir = data_dir();
    let programs = dir.path().join("programs");
    let out = dir.path().join("out");
    for target in ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"] {
        pack(target, stand_ins(&programs), &out);
    }
    let archive = format!("file-share-{VERSION}-x86_64-linux-gnu");
    let listed = run(Command::new("tar")
        .arg("-tzf")
        .arg(out.join(format!("{archive}.tar.gz"))));
    let expected = [
        "LICENSE",
        "README.md",
        "THIRD-PARTY",
        "file-share",
        "file-share-worker",
        "fshare",
        "systemd/file-share-backup.service",
        "systemd/file-share-worker.service",
        "systemd/file-share.env",
        "systemd/file-share.service",
        "systemd/worker.env",
    ];
    let in_archive: Vec<String> = expected.map(|it| format!("{archive}/{it}")).into();
    assert_eq!(listed.lines().collect::<Vec<_>>(), in_archive);

    let everywhere = [
        "etc/file-share/file-share.env",
        "etc/file-share/worker.env",
        "usr/bin/file-share",
        "usr/bin/file-share-worker",
        "usr/bin/fshare",
        "usr/share/doc/file-share/README.md",
        "usr/share/doc/file-share/THIRD-PARTY",
        "usr/share/doc/file-share/copyright",
    ];
    let units = UNITS.map(|unit| format!("usr/lib/systemd/system/{unit}"));
    let in_deb: Vec<String> = everywhere.iter().map(ToString::to_string).collect();
    let in_deb: BTreeSet<String> = in_deb.into_iter().chain(units.clone()).collect();
    let deb = out.join(format!("file-share_{VERSION}-1_amd64.deb"));
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    let deb_files = files(&listed)
        .into_iter()
        .map(|path| path.replacen("./", "", 1));
    assert_eq!(deb_files.collect::<BTreeSet<_>>(), in_deb);
    // Settings have secrets in them, and an update mustn't undo what somebody wrote there.
    let settings = listed.lines().filter(|line| line.ends_with(".env"));
    assert!(
        settings
            .into_iter()
            .all(|line| line.starts_with("-rw------- root/root"))
    );
    let fields = run(Command::new("dpkg-deb")
        .arg("--info")
        .arg(&deb)
        .arg("conffiles"));
    assert_eq!(fields.matches("/etc/file-share/").count(), 2, "{fields}");
    let control = run(Command::new("dpkg-deb").arg("--info").arg(&deb));
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        assert!(
            !control.contains(script),
            "installing runs something: {control}"
        );
    }

    let apk = out.join(format!("file-share_{VERSION}-r1_x86_64.apk"));
    let listed = run(Command::new("tar")
        .args(["--ignore-zeros", "-tzf"])
        .arg(apk));
    let mut in_apk = files(&listed);
    // What the package manager reads.
    in_apk.retain(|path| !path.starts_with('.'));
    assert_eq!(in_apk, BTreeSet::from(everywhere));

    // The header of an .rpm has names as they are; there is no rpm here to ask.
    let rpm = fs::read(out.join(format!("file-share-{VERSION}-1.x86_64.rpm"))).unwrap();
    let rpm = String::from_utf8_lossy(&rpm);
    for path in in_deb {
        let (_, name) = path.rsplit_once('/').unwrap();
        assert!(rpm.contains(&format!("\0{name}\0")), "no {name}");
    }
}

#[test]
fn the_same_programs_make_the_same_packages_in_any_folder_and_at_any_time() {
    let dir = data_dir();
    let sums = |name: &str| {
        let out = dir.path().join(name).join("out");
        let programs = dir.path().join(name).join("programs");
        for target in ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"] {
            pack(target, stand_ins(&programs), &out);
        }
        run(Command::new("deploy/release/pack.py")
            .arg("--sbom")
            .arg(&out));
        let mut names: Vec<_> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        let contents = names.iter().map(|name| fs::read(out.join(name)).unwrap());
        let contents: Vec<Vec<u8>> = contents.collect();
        (names, contents)
    };
    let (names, contents) = sums("one");
    let (others, of_others) = sums("another");
    assert_eq!(names, others);
    assert_eq!(names.len(), 6, "{names:?}");
    for (name, (one, other)) in names.iter().zip(contents.iter().zip(&of_others)) {
        assert!(one == other, "{} isn't the same", name.display());
    }
    let sbom = names
        .iter()
        .position(|name| name.to_str().unwrap().ends_with(".cdx.json"));
    let sbom: Value = serde_json::from_slice(&contents[sbom.unwrap()]).unwrap();
    let built_in = sbom["components"].as_array().unwrap();
    let has = |name: &str| built_in.iter().any(|it| it["name"] == name);
    assert!(has("rusqlite") && has("aws-sdk-s3") && has("indicatif"));
    assert!(!has("proptest") && !has("file-share"), "tests' or our own");
    assert!(
        built_in
            .iter()
            .all(|it| it["hashes"][0]["content"].is_string())
    );
}

#[test]
fn the_image_is_clean_and_its_health_check_tells_a_service_that_answers() {
    run(Command::new("target/packaging-tools/bin/hadolint").arg("Dockerfile"));
    let dir = data_dir();
    let program = Program::local(&dir.path().join("data"), &[]);
    create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let listen = program.base.replace("http://", "");
    let alive = || {
        let mut check = Command::new("deploy/image/file-share-is-alive");
        let check = check.current_dir(project_root()).env("LISTEN", &listen);
        check.output().unwrap().status.success()
    };
    assert!(alive());
    assert!(program.terminate().success());
    assert!(!alive());
}
