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
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::release::{pack, stand_ins};
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::issuer::Issuer;
use crate::support::node_tests::free_port;
use crate::support::program::data_dir;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/run.md"));
const DOCKERFILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Dockerfile"));

/// Starts what a unit starts, with its settings and in its folders, or runs it to its end.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -eu
stop() {
    [ -e "$ROOT/$1.pid" ] || return 0
    kill -TERM "$(cat "$ROOT/$1.pid")"
    for _ in $(seq 600); do
        kill -0 "$(cat "$ROOT/$1.pid")" 2>/dev/null || break
        sleep 0.05
    done
    rm "$ROOT/$1.pid"
}
start() {
    unit=$ROOT/usr/lib/systemd/system/$1.service
    below() { sed -e "s|/usr/bin/|$ROOT/usr/bin/|g" -e "s|/var/lib/|$ROOT/var/lib/private/|g" -e 's/%%/%/g'; }
    for folder in $(sed -n 's/^StateDirectory=//p' "$unit"); do
        mkdir -p -m 700 "$ROOT/var/lib/private/$folder"
    done
    file=$ROOT$(sed -n 's/^EnvironmentFile=-//p' "$unit")
    settings="LISTEN=127.0.0.1:$PORT $(sed -n 's/^Environment=//p' "$unit" | below) $(grep -v '^#' "$file" | tr '\n' ' ')"
    command=$(sed -n 's/^ExecStart=//p' "$unit" | below)
    if grep -q '^Type=oneshot' "$unit"; then
        eval "env $settings $command"
        return
    fi
    eval "exec env $settings $command" >"$ROOT/$1.log" 2>&1 &
    echo $! >"$ROOT/$1.pid"
    for _ in $(seq 600); do
        ! curl -sf "http://127.0.0.1:$PORT/healthz" >/dev/null || return 0
        kill -0 "$(cat "$ROOT/$1.pid")" 2>/dev/null || { rm "$ROOT/$1.pid"; cat "$ROOT/$1.log" >&2; exit 1; }
        sleep 0.05
    done
    exit 1
}
case $1 in
    daemon-reload) ;;
    enable) [ "$2" = --now ]; start "$3" ;;
    restart) stop "$2"; start "$2" ;;
    start | stop) "$1" "$2" ;;
    *) exit 2 ;;
esac
"#;

/// A machine of a test: a folder in place of its root, and programs in place of those that need one.
struct Machine {
    folder: tempfile::TempDir,
    port: u16,
}

impl Machine {
    /// With a release in the folder where the blocks are pasted.
    fn new(target: &str) -> Self {
        let machine = Self {
            folder: data_dir(),
            port: free_port(),
        };
        pack(
            target,
            stand_ins(&machine.at("programs")),
            &machine.at("release"),
        );
        let tools = machine.at("tools");
        fs::create_dir_all(&tools).unwrap();
        for (name, script) in [
            ("sudo", "#!/bin/sh\nexec \"$@\"\n"),
            ("chown", "#!/bin/sh\n"),
            (
                "apt",
                "#!/bin/sh\nfor deb; do :; done\nexec dpkg-deb --extract \"$deb\" \"$ROOT\"\n",
            ),
            ("systemctl", SYSTEMCTL),
        ] {
            fs::write(tools.join(name), script).unwrap();
            let mode = PermissionsExt::from_mode(0o755);
            fs::set_permissions(tools.join(name), mode).unwrap();
        }
        fs::create_dir_all(machine.at("root/mnt/elsewhere")).unwrap();
        machine
    }

    /// The same, with the package installed and the service running.
    fn with_service() -> Self {
        let machine = Self::new("x86_64-unknown-linux-gnu");
        machine.paste("With systemd", 0);
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A block of the document, with what is this machine's, and `changes` for what else a test has in its place.
    fn block(&self, heading: &str, number: usize, changes: &[(&str, &str)]) -> Command {
        let root = self.at("root").display().to_string();
        let release = format!("file://{}", self.at("release").display());
        let mut script = "set -eu\n".to_owned() + block_below(heading, number);
        for (documented, here) in [
            ("http://127.0.0.1:8000", self.base()),
            ("https://downloads.example.org/file-share", release),
            ("/var/lib/private/", format!("{root}/var/lib/private/")),
            ("/etc/file-share/", format!("{root}/etc/file-share/")),
            ("/mnt/elsewhere/", format!("{root}/mnt/elsewhere/")),
        ] {
            script = script.replace(documented, &here);
        }
        for (documented, here) in changes {
            assert!(script.contains(documented), "{documented} in {script}");
            script = script.replace(documented, here);
        }
        let mut command = Command::new("sh");
        let path = std::env::var("PATH").unwrap();
        let tools = self.at("tools").display().to_string();
        command
            .args(["-c", &script])
            .env_clear()
            .env("PATH", format!("{tools}:{root}/usr/bin:{path}"))
            .env("ROOT", &root)
            .env("PORT", self.port.to_string())
            .env("LISTEN", format!("127.0.0.1:{}", self.port))
            .current_dir(self.at("release"));
        command
    }

    /// Runs a block to its end, and gives what it printed.
    fn paste(&self, heading: &str, number: usize) -> String {
        self.paste_with(heading, number, &[])
    }

    fn paste_with(&self, heading: &str, number: usize, changes: &[(&str, &str)]) -> String {
        let printed = self.at("printed");
        let file = fs::File::create(&printed).unwrap();
        // Not a pipe: a service that was started would hold it open.
        let status = self
            .block(heading, number, changes)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status()
            .unwrap();
        let printed = fs::read_to_string(printed).unwrap();
        assert!(status.success(), "{heading}: {printed}");
        printed
    }

    /// What the stand-in for systemd says.
    fn systemctl(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.block("With systemd", 0, &[]);
        let mut systemctl = Command::new(self.at("tools/systemctl"));
        systemctl.args(arguments).env_clear();
        for (name, value) in command.stdin(Stdio::null()).get_envs() {
            systemctl.env(name, value.unwrap());
        }
        systemctl.output().unwrap()
    }

    /// A file that is available, by its ID.
    fn send(&self, content: &str) -> String {
        let source = self.at("source");
        fs::write(&source, content).unwrap();
        let body = json!({"filename": "a.txt", "size": content.len()});
        let created = create(&self.base(), &body);
        assert_eq!(upload(&created, &source), "200");
        let id = created["id"].as_str().unwrap().to_owned();
        let record = curl_json(&[&format!("{}/v1/files/{id}/metadata?wait=20", self.base())]);
        assert_eq!(record["status"], "available", "{record}");
        id
    }

    fn knows(&self, id: &str) -> bool {
        curl_status(&[&format!("{}/v1/files/{id}/metadata", self.base())]) == "200"
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(id) = fs::read_to_string(self.at("root/file-share.pid")) {
            let _ = Command::new("kill").args(["-KILL", id.trim()]).status();
        }
    }
}

/// One of the blocks of shell commands in a section.
fn block_below(heading: &str, number: usize) -> &'static str {
    let (_, section) = DOCUMENT
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("{heading} is there"));
    let section = section.split("\n## ").next().unwrap();
    let block = section.split("```sh\n").nth(number + 1);
    let block = block.unwrap_or_else(|| panic!("{heading} has a block {number}"));
    block.split("```").next().unwrap()
}

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
    let version = env!("CARGO_PKG_VERSION");
    for (named, text) in [("archive", readme), ("package", DOCUMENT)] {
        let pattern = if named == "archive" {
            "file-share-"
        } else {
            "file-share_"
        };
        for rest in text.split(pattern).skip(1) {
            let is_version = rest.starts_with(|c: char| c.is_ascii_digit());
            assert!(!is_version || rest.starts_with(version), "{rest:.20}");
        }
    }
}

#[test]
fn the_archive_is_fetched_checked_and_started_by_one_paste() {
    let machine = Machine::new("x86_64-unknown-linux-musl");
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
    let name = format!(
        "file-share-{}-x86_64-linux-musl.tar.gz",
        env!("CARGO_PKG_VERSION")
    );
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

    machine.paste("An update", 1);
    assert!(machine.knows(&before));
    assert!(!machine.knows(&since));
    assert_eq!(fs::read(&secret).unwrap(), kept);
    let log = fs::read_to_string(machine.at("root/file-share.log")).unwrap();
    assert!(!log.contains("ERROR"), "{log}");
}
