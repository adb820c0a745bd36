//! What a release consists of: its version, its packages, its units and its image.
//!
//! Invariant: nothing here compiles a release. The programs in the packages are stand-ins, of which only the names count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::curl::create;
use crate::support::ministack::project_root;
use crate::support::program::{Program, built, data_dir};

mod units;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The units of a release.
const UNITS: [&str; 3] = [
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

/// Where the packages of stand-ins are, for either C library, below this folder.
fn packages_in(folder: &Path) -> PathBuf {
    let (programs, out) = (folder.join("programs"), folder.join("out"));
    for target in ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"] {
        pack(target, stand_ins(&programs), &out);
    }
    out
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
fn the_packages_hold_the_programs_their_terms_and_where_there_is_systemd_the_units() {
    let dir = data_dir();
    let out = packages_in(dir.path());
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

    for program in ["file-share", "file-share-worker"] {
        let zip = out.join(format!("{program}-{VERSION}-lambda-x86_64.zip"));
        let listed = run(Command::new("python3")
            .args(["-m", "zipfile", "--list"])
            .arg(zip));
        let entries = listed.lines().skip(1);
        let names: Vec<_> = entries.filter_map(|it| it.split(' ').next()).collect();
        assert_eq!(names, ["bootstrap", "LICENSE", "THIRD-PARTY"], "{listed}");
    }

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
        let out = packages_in(&dir.path().join(name));
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
    assert_eq!(names.len(), 8, "{names:?}");
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
