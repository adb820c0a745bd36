//! A machine of folders, on which blocks of the document are pasted.
//!
//! Invariant: what it starts ends with it, and nothing outside of its folder is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::DOCUMENT;
use crate::release::{pack, stand_ins};
use crate::support::curl::{create, curl_json, curl_status, upload};
use crate::support::node_tests::free_port;
use crate::support::program::data_dir;

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
pub(super) struct Machine {
    folder: tempfile::TempDir,
    port: u16,
}

impl Machine {
    /// With a release in the folder where the blocks are pasted.
    pub(super) fn new(target: &str) -> Self {
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
    pub(super) fn with_service() -> Self {
        let machine = Self::new("x86_64-unknown-linux-gnu");
        machine.paste("With systemd", 0);
        machine
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A block of the document, with what is this machine's, and `changes` for what else a test has in its place.
    pub(super) fn block(&self, heading: &str, number: usize, changes: &[(&str, &str)]) -> Command {
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
    pub(super) fn paste(&self, heading: &str, number: usize) -> String {
        self.paste_with(heading, number, &[])
    }

    pub(super) fn paste_with(
        &self,
        heading: &str,
        number: usize,
        changes: &[(&str, &str)],
    ) -> String {
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
    pub(super) fn systemctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.block("With systemd", 0, &[]);
        let mut systemctl = Command::new(self.at("tools/systemctl"));
        systemctl.args(arguments).env_clear();
        for (name, value) in command.stdin(Stdio::null()).get_envs() {
            systemctl.env(name, value.unwrap());
        }
        systemctl.output().unwrap()
    }

    /// A file that is available, by its ID.
    pub(super) fn send(&self, content: &str) -> String {
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

    pub(super) fn knows(&self, id: &str) -> bool {
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
pub(super) fn block_below(heading: &str, number: usize) -> &'static str {
    let (_, section) = DOCUMENT
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("{heading} is there"));
    let section = section.split("\n## ").next().unwrap();
    let block = section.split("```sh\n").nth(number + 1);
    let block = block.unwrap_or_else(|| panic!("{heading} has a block {number}"));
    block.split("```").next().unwrap()
}
