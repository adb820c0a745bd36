//! What `docs/run.md` tells an operator to paste does what it says: from the archive, under systemd, behind a proxy, with a
//! sign-in, backed up, updated and taken back.
//!
//! Invariant: nothing outside of a test's folder is touched. The packages are made as `make release` makes them, of
//! stand-ins that start the built programs. `sudo`, `apt`, `systemctl` and `chown` stand in too: systemd doesn't run where
//! tests do, so the units' commands, settings and folders are taken from the installed units, and their confinement is
//! what `release` judges. Docker is none either; its block is held against the Dockerfile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::machine::{Machine, block_below};
use crate::release::VERSION;
use crate::support::curl::{curl, curl_json};
use crate::support::issuer::Issuer;

mod machine;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run.md"));
const DOCKERFILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile"));

#[test]
fn each_block_is_one_of_those_that_are_run_here() {
    let sections = DOCUMENT.split("\n## ").skip(1).map(|section| {
        let heading = section.lines().next().unwrap();
        (heading, section.matches("```sh\n").count())
    });
    let with_blocks: Vec<(&str, usize)> = sections.filter(|(_, blocks)| *blocks > 0).collect();
    assert_eq!(
        with_blocks,
        [
            ("From the archive", 1),
            ("With systemd", 1),
            ("In a container", 1),
            ("Behind a proxy", 1),
            ("Who may use it", 2),
            ("A backup", 1),
            ("An update", 2),
        ]
    );
    // README shows the first of them too, and both name the version that is released.
    let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    assert!(readme.contains(block_below("From the archive", 0)));
    for (named, text) in [("archive", readme), ("package", DOCUMENT)] {
        let pattern = if named == "archive" {
            "file-share-"
        } else {
            "file-share_"
        };
        for rest in text.split(pattern).skip(1) {
            let is_version = rest.starts_with(|c: char| c.is_ascii_digit());
            assert!(!is_version || rest.starts_with(VERSION), "{rest:.20}");
        }
    }
}

#[test]
fn the_archive_is_fetched_checked_and_started_by_one_paste() {
    let machine = Machine::new("x86_64-unknown-linux-gnu");
    let release = machine.at("release");
    let made = Command::new("sh")
        .args(["-c", "sha256sum -- file-share* > SHA256SUMS"])
        .current_dir(&release)
        .status();
    assert!(made.unwrap().success());
    let home = machine.at("home");
    fs::create_dir(&home).unwrap();
    let run = |log: &Path| {
        let log = fs::File::create(log).unwrap();
        let mut block = machine.block("From the archive", 0, &[]);
        let block = block.current_dir(&home).process_group(0);
        block.stdout(log.try_clone().unwrap()).stderr(log);
        block.spawn().unwrap()
    };
    let mut running = run(&machine.at("log"));
    let ready = format!("{}/readyz", machine.base());
    curl(&[
        "--retry",
        "30",
        "--retry-delay",
        "1",
        "--retry-connrefused",
        &ready,
    ]);
    machine.send("hello");
    assert!(home.join("data/objects").exists());
    let group = format!("-{}", running.id());
    let ended = Command::new("kill").args(["-TERM", "--", &group]).status();
    assert!(ended.unwrap().success());
    running.wait().unwrap();

    // What isn't what the sums say isn't unpacked.
    fs::remove_dir_all(&home).unwrap();
    fs::create_dir(&home).unwrap();
    let name = format!("file-share-{VERSION}-x86_64-linux-gnu.tar.gz");
    let mut archive = fs::OpenOptions::new()
        .append(true)
        .open(release.join(name))
        .unwrap();
    std::io::Write::write_all(&mut archive, b"more").unwrap();
    let mut refused = run(&machine.at("log"));
    assert!(!refused.wait().unwrap().success());
    assert_eq!(fs::read_dir(&home).unwrap().count(), 2);
}

#[test]
fn the_container_is_built_and_run_as_the_dockerfile_has_it() {
    let block = block_below("In a container", 0);
    let after = |option: &str| {
        let (_, rest) = block.split_once(option).unwrap();
        rest.split_whitespace().next().unwrap()
    };
    assert!(DOCKERFILE.contains(&format!(" AS {}\n", after("--target "))));
    let (_, port) = after("--publish ").rsplit_once(':').unwrap();
    assert!(DOCKERFILE.contains(&format!("EXPOSE {port}\n")));
    let (_, volume) = after("--volume ").split_once(':').unwrap();
    assert!(DOCKERFILE.contains(&format!("VOLUME {volume}\n")));
}

#[test]
fn a_service_behind_a_proxy_gives_out_its_address_and_asks_for_its_key_or_leads_to_the_issuer() {
    let issuer = Issuer::start();
    let machine = Machine::with_service();
    let sign_in = || {
        let session = curl_json(&[&format!("{}/v1/session", machine.base())]);
        session["signIn"].clone()
    };
    assert_eq!(sign_in(), Value::Null);
    machine.paste("Behind a proxy", 0);
    assert_eq!(sign_in(), "key");
    let session = machine.paste("Who may use it", 0);
    let session: Value = serde_json::from_str(&session).unwrap();
    assert!(!session["principal"].is_null(), "{session}");
    assert_eq!(session["shareBase"], "https://files.example.org");

    let settings = machine.at("root/etc/file-share/file-share.env");
    let mode = fs::metadata(settings).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds a secret");
    machine.paste_with(
        "Who may use it",
        1,
        &[("https://login.example.org", &issuer.url)],
    );
    assert_eq!(sign_in(), "oidc");
    let leads_to = curl(&[
        "--output",
        "/dev/null",
        "--write-out",
        "%{redirect_url}",
        &format!("{}/v1/session/start", machine.base()),
    ]);
    let leads_to = String::from_utf8(leads_to).unwrap();
    assert!(leads_to.starts_with(&issuer.url), "{leads_to}");
    let back = "redirect_uri=https%3A%2F%2Ffiles.example.org%2Fv1%2Fsession%2Fcallback";
    assert!(leads_to.contains(back), "{leads_to}");
}

#[test]
fn a_backup_is_made_by_its_unit_and_can_be_restored_elsewhere() {
    let machine = Machine::with_service();
    machine.send("hello");
    let printed = machine.paste("A backup", 0);
    assert!(printed.contains("1 files are in the backup"), "{printed}");
    // systemd lets the unit write into no others, which what stands in for it doesn't hold.
    let unit = machine.at("root/usr/lib/systemd/system/file-share-backup.service");
    let unit = fs::read_to_string(unit).unwrap();
    for folder in fs::read_dir(machine.at("root/var/lib/private")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let mut lines = unit
            .lines()
            .filter_map(|line| line.strip_prefix("StateDirectory="));
        assert!(
            lines.any(|line| line.split(' ').any(|it| it == name)),
            "{name}"
        );
    }
    let copies = fs::read_dir(machine.at("root/mnt/elsewhere")).unwrap();
    let copies: Vec<PathBuf> = copies.map(|it| it.unwrap().path()).collect();
    assert_eq!(copies.len(), 1);
    assert!(!copies[0].join("signing-secret").exists());
}

#[test]
fn an_update_keeps_everything_and_an_older_program_refuses_with_words_and_is_gone_back_to() {
    let machine = Machine::with_service();
    let before = machine.send("before");
    let secret = machine.at("root/var/lib/private/file-share/link-secret");
    let kept = fs::read(&secret).unwrap();
    machine.paste("An update", 0);
    assert!(machine.knows(&before));
    let since = machine.send("since");

    // What a newer program leaves: a database of a version that this one doesn't know.
    assert!(machine.systemctl(&["stop", "file-share"]).status.success());
    let database = machine.at("root/var/lib/private/file-share/metadata.sqlite");
    let newer = rusqlite::Connection::open(&database).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let bytes = fs::read(&database).unwrap();
    let refused = machine.systemctl(&["start", "file-share"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    for part in [
        "file-share can't start: ",
        "a newer version of this program made it",
    ] {
        assert!(words.contains(part), "{words}");
    }
    assert!(fs::read(&database).unwrap() == bytes, "it was changed");

    // There is one package here, so it stands for the one of the older version too.
    machine.paste_with("An update", 1, &[("_OLDER-", &format!("_{VERSION}-"))]);
    assert!(machine.knows(&before));
    assert!(!machine.knows(&since));
    assert_eq!(fs::read(&secret).unwrap(), kept);
    let log = fs::read_to_string(machine.at("root/file-share.log")).unwrap();
    assert!(!log.contains("ERROR"), "{log}");
}
