//! `file-share backup` and `file-share restore` as programs: what a copy has that is made while files come and go, and
//! that one which isn't whole is never taken for one.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::program::{Program, backup_local, data_dir, restore_local};

/// What is known of a file from the answers to whoever sent it.
#[derive(Debug, Clone)]
struct Sent {
    sha256: String,
    available_at: Instant,
    deletion: Option<Deletion>,
}

#[derive(Debug, Clone, Copy)]
struct Deletion {
    began_at: Instant,
    answered_at: Option<Instant>,
}

/// Somebody who sends files and deletes some of them, until told to stop.
struct Sender {
    sent: Arc<Mutex<HashMap<String, Sent>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Sender {
    fn start(base: &str, dir: &Path) -> Self {
        let (sent, stop) = (
            Arc::<Mutex<HashMap<String, Sent>>>::default(),
            Arc::default(),
        );
        let (ledger, told): (_, Arc<AtomicBool>) = (Arc::clone(&sent), Arc::clone(&stop));
        let (base, path) = (base.to_owned(), dir.join("to-send"));
        let thread = std::thread::spawn(move || {
            for number in 0_u32.. {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                let content = format!("file {number}").into_bytes();
                let (id, file) = send(&base, &path, &content);
                ledger.lock().unwrap().insert(id, file);
                // Every third is followed by the deletion of an older one.
                let older = ledger.lock().unwrap().iter().find_map(|(id, it)| {
                    (number % 3 == 2 && it.deletion.is_none()).then(|| id.clone())
                });
                if let Some(id) = older {
                    let note = |answered_at, began_at| {
                        let deletion = Some(Deletion {
                            began_at,
                            answered_at,
                        });
                        ledger.lock().unwrap().get_mut(&id).unwrap().deletion = deletion;
                    };
                    let began_at = Instant::now();
                    note(None, began_at);
                    let url = format!("{base}/v1/files/{id}");
                    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
                    note(Some(Instant::now()), began_at);
                }
            }
        });
        Self { sent, stop, thread }
    }

    fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Waits until so many more were sent.
    fn wait_for(&self, more: usize) {
        let (wanted, limit) = (self.count() + more, Instant::now());
        while self.count() < wanted {
            assert!(limit.elapsed().as_secs() < 60, "nobody sends any more");
            std::thread::yield_now();
        }
    }

    /// What was sent, by whoever was stopped by this or by a service that went away.
    fn end(self) -> HashMap<String, Sent> {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        let sent = self.sent.lock();
        sent.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn send(base: &str, path: &Path, content: &[u8]) -> (String, Sent) {
    fs::write(path, content).unwrap();
    let created = create(
        base,
        &json!({"filename": "notes.txt", "size": content.len()}),
    );
    assert_eq!(upload(&created, path), "200", "{created}");
    let id = created["id"].as_str().unwrap().to_owned();
    let file = curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")]);
    assert_eq!(file["status"], "available", "{file}");
    let sent = Sent {
        sha256: hex::encode(Sha256::digest(content)),
        available_at: Instant::now(),
        deletion: None,
    };
    (id, sent)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn succeeds(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
}

fn list(base: &str) -> HashMap<String, Value> {
    let mut all = HashMap::new();
    let mut more = String::new();
    loop {
        let page = curl_json(&[&format!("{base}/v1/files?limit=100{more}")]);
        for file in page["files"].as_array().unwrap() {
            all.insert(file["id"].as_str().unwrap().to_owned(), file.clone());
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => more = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

#[test]
fn what_was_there_before_a_backup_is_restored_and_what_was_deleted_is_not() {
    let (dir, place) = (data_dir(), data_dir());
    let program = Program::local(dir.path(), &[]);
    let sender = Sender::start(&program.base, place.path());
    let mut backups = Vec::new();
    for number in 0..3 {
        sender.wait_for(4);
        let backup = place.path().join(format!("backup-{number}"));
        let began_at = Instant::now();
        succeeds(&backup_local(dir.path(), &[text(&backup)]));
        backups.push((backup, began_at, Instant::now()));
    }
    // A power cut doesn't wait for a backup either.
    program.kill();
    let backup = place.path().join("backup-of-what-is-left");
    let began_at = Instant::now();
    succeeds(&backup_local(dir.path(), &[text(&backup)]));
    backups.push((backup, began_at, Instant::now()));
    let sent = sender.end();

    for (backup, began_at, ended_at) in backups {
        let looked = restore_local(&place.path().join("unused"), &[text(&backup), "--check"]);
        succeeds(&looked);
        let restored = backup.with_extension("restored");
        let output = restore_local(&restored, &[text(&backup)]);
        succeeds(&output);
        assert!(said(&output).contains("revoke tokens"), "{}", said(&output));
        let program = Program::local(&restored, &[]);
        let files = list(&program.base);
        let mut kept = 0;
        for (id, file) in &sent {
            let was_there = file.available_at < began_at;
            let stayed = file.deletion.is_none_or(|it| it.began_at > ended_at);
            let went = file.deletion.and_then(|it| it.answered_at);
            if was_there && stayed {
                kept += 1;
                assert_eq!(files[id]["sha256"], *file.sha256, "{id}");
                let url = format!("{}/v1/files/{id}", program.base);
                let bytes = curl(&["--location", &url]);
                assert_eq!(hex::encode(Sha256::digest(bytes)), file.sha256, "{id}");
            }
            if went.is_some_and(|at| at < began_at) {
                assert!(!files.contains_key(id), "{id} came back");
            }
        }
        assert!(kept > 0, "a backup of nothing shows nothing");
        // It goes on as any other.
        send(&program.base, &place.path().join("another"), b"another");
        program.discard();
    }
}

/// A service with some files, stopped.
fn stopped_service(dir: &Path) -> Vec<String> {
    let program = Program::local(dir, &[]);
    let ids = (0_u8..3).map(|number| send(&program.base, &dir.join("to-send"), &[number]).0);
    let ids = ids.collect();
    assert!(program.terminate().success());
    fs::remove_file(dir.join("to-send")).unwrap();
    ids
}

/// Every file below the directory, with its content.
fn contents(dir: &Path) -> HashMap<PathBuf, Vec<u8>> {
    let mut all = HashMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => dirs.push(path),
                false => drop(all.insert(path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    all
}

#[test]
fn a_backup_changes_nothing_of_what_it_copies_and_leaves_secrets_out_unless_told() {
    let (dir, place) = (data_dir(), data_dir());
    stopped_service(dir.path());
    let before = contents(dir.path());
    let (without, with) = (place.path().join("without"), place.path().join("with"));
    let output = backup_local(dir.path(), &[text(&without)]);
    succeeds(&output);
    assert!(
        said(&output).contains("signing-secret"),
        "{}",
        said(&output)
    );
    succeeds(&backup_local(dir.path(), &[text(&with), "--with-secrets"]));
    assert_eq!(contents(dir.path()), before);

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for backup in [&without, &with] {
        assert_eq!(mode(backup), 0o700);
        assert_eq!(mode(&backup.join("metadata.sqlite")), 0o600);
    }
    for secret in ["signing-secret", "link-secret", "receipt-key"] {
        assert!(!without.join(secret).exists(), "{secret}");
        let copy = with.join(secret);
        assert_eq!(fs::read(&copy).unwrap(), before[&dir.path().join(secret)]);
        assert_eq!(mode(&copy), 0o600);
    }
}

#[test]
fn a_backup_that_was_cut_off_is_neither_restored_nor_started() {
    let (dir, place) = (data_dir(), data_dir());
    stopped_service(dir.path());
    let backup = place.path().join("backup");
    succeeds(&backup_local(dir.path(), &[text(&backup)]));
    // What comes last.
    fs::remove_file(backup.join("objects/store-marker")).unwrap();

    let restored = place.path().join("restored");
    for arguments in [&[text(&backup)][..], &[text(&backup), "--check"]] {
        let output = restore_local(&restored, arguments);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(!restored.exists());
    }
    let said = Program::local_refuses(&backup);
    assert!(said.contains("don't belong together"), "{said}");
}

#[test]
fn a_file_without_its_bytes_is_named_and_all_others_are_in_the_backup() {
    let (dir, place) = (data_dir(), data_dir());
    let ids = stopped_service(dir.path());
    let shard = &ids[0][ids[0].len() - 2..];
    fs::remove_dir_all(dir.path().join(format!("objects/{shard}/{}", ids[0]))).unwrap();
    let backup = place.path().join("backup");
    let output = backup_local(dir.path(), &[text(&backup)]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let named = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        named,
        format!("{} missing: its bytes aren't there\n", ids[0])
    );
    for id in &ids[1..] {
        let shard = &id[id.len() - 2..];
        assert!(
            backup.join(format!("objects/{shard}/{id}")).exists(),
            "{id}"
        );
    }
    // It is as damaged as what it was made from, and says so.
    let output = restore_local(&place.path().join("unused"), &[text(&backup), "--check"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

#[test]
fn nothing_is_copied_over_anything_else() {
    let (dir, place) = (data_dir(), data_dir());
    stopped_service(dir.path());
    let before = contents(dir.path());
    let inside = dir.path().join("objects/backup");
    fs::write(place.path().join("of somebody's"), "text").unwrap();
    for to in [place.path(), dir.path(), &inside] {
        let output = backup_local(dir.path(), &[text(to)]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    }
    assert_eq!(contents(dir.path()), before);
    assert_eq!(contents(place.path()).len(), 1);

    // Nor is a data directory that is in use replaced.
    let backup = data_dir();
    let backup = backup.path().join("backup");
    succeeds(&backup_local(dir.path(), &[text(&backup)]));
    let output = restore_local(dir.path(), &[text(&backup)]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(contents(dir.path()), before);
}
