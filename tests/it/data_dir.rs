//! The data directory is the service's alone: what is in it nobody else can read, and what somebody
//! else put into it is neither followed nor used.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::curl::{create, curl_json, curl_status, upload};
use crate::support::program::{Program, backup_local, check_local, data_dir, scrub_local};

const PATIENCE: Duration = Duration::from_secs(30);
/// What lies outside the data directory.
const PRECIOUS: &str = "somebody else's, and precious";

/// Starts the program, which has to refuse, and gives what it said.
fn refusal(data_dir: &Path) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_file-share"))
        .env_clear()
        .env("LISTEN", "127.0.0.1:0")
        .env("DATA_DIR", data_dir)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it started, or hangs");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut message = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut message)
        .unwrap();
    assert_eq!(status.code(), Some(1), "{message}");
    assert!(message.starts_with("file-share can't start: "), "{message}");
    message
}

/// Everything below a directory, itself included, by its path, with its mode.
fn modes(path: &Path, found: &mut Vec<(PathBuf, u32)>) {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return; // Gone meanwhile.
    };
    found.push((path.to_owned(), metadata.permissions().mode() & 0o7777));
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            modes(&entry.unwrap().path(), found);
        }
    }
}

fn assert_private(data_dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    modes(data_dir, &mut found);
    for (path, mode) in &found {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(*mode, expected, "{} has mode {mode:o}", path.display());
    }
    found
        .iter()
        .map(|(path, _)| path.strip_prefix(data_dir).unwrap())
        .map(|path| path.to_str().unwrap().to_owned())
        .collect()
}

/// Sends the head and the first bytes of an upload, and keeps the connection.
fn begin_upload(created: &Value) -> TcpStream {
    let url = created["upload"]["url"].as_str().unwrap();
    let (authority, path) = url["http://".len()..].split_once('/').unwrap();
    let mut head = format!("PUT /{path} HTTP/1.1\r\nhost: {authority}\r\n");
    head += &format!("content-length: {}\r\n", created["size"]);
    for (name, value) in created["upload"]["headers"].as_object().unwrap() {
        head += &format!("{name}: {}\r\n", value.as_str().unwrap());
    }
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.write_all((head + "\r\nhalf").as_bytes()).unwrap();
    stream
}

#[test]
fn nobody_else_can_read_anything_even_under_an_open_umask() {
    let parent = data_dir();
    let dir = parent.path().join("data");
    let program = Program::local_with_open_umask(&dir);
    let source = parent.path().join("source");
    fs::write(&source, "hello").unwrap();
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(upload(&created, &source), "200");
    let id = created["id"].as_str().unwrap();
    curl_json(&[&format!("{}/v1/files/{id}/metadata?wait=20", program.base)]);

    let half = begin_upload(&create(
        &program.base,
        &json!({"filename": "b.txt", "size": 50}),
    ));
    let deadline = Instant::now() + PATIENCE;
    let names = loop {
        let names = assert_private(&dir);
        if names.iter().any(|name| name.starts_with("incoming/")) {
            break names;
        }
        assert!(Instant::now() < deadline, "the upload didn't begin");
        std::thread::sleep(Duration::from_millis(5));
    };
    drop(half);
    let object = format!("objects/{}/{id}", &id[id.len() - 2..]);
    for expected in [
        "lock",
        "signing-secret",
        "receipt-key",
        "link-secret",
        "metadata.sqlite",
        "metadata.sqlite-wal",
        "metadata.sqlite-shm",
        "metadata.sqlite-seen",
        &object,
    ] {
        assert!(names.iter().any(|name| name == expected), "no {expected}");
    }
    let version = format!("{object}/");
    assert!(names.iter().any(|name| name.starts_with(&version)));
}

#[test]
fn what_was_too_open_is_closed_at_the_next_start() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    // The log and its index stay.
    program.kill();
    let mut found = Vec::new();
    modes(dir.path(), &mut found);
    for (path, _) in &found {
        let mode = if path.is_dir() { 0o777 } else { 0o666 };
        let is_secret = ["signing-secret", "receipt-key", "link-secret"]
            .iter()
            .any(|name| path.ends_with(name));
        if !is_secret {
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
    }
    let program = Program::local(dir.path(), &[]);
    assert_private(dir.path());
    drop(program);

    // A secret that others could read isn't one any more.
    let secret = dir.path().join("signing-secret");
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
    let message = refusal(dir.path());
    assert!(message.contains("delete it to get a new one"), "{message}");
}

/// What Kubernetes does to a volume of a pod with `fsGroup`, each time that it is mounted.
fn mount_with_group(path: &Path) {
    let mut found = Vec::new();
    modes(path, &mut found);
    for (path, mode) in &found {
        let opened = if path.is_dir() { 0o2770 } else { 0o660 };
        fs::set_permissions(path, PermissionsExt::from_mode(mode | opened)).unwrap();
    }
}

#[test]
fn a_pod_comes_up_by_itself_however_often_its_volume_is_mounted_for_a_group() {
    let parent = data_dir();
    let (dir, source) = (parent.path().join("data"), parent.path().join("source"));
    fs::write(&source, "hello").unwrap();
    // The root of a volume is the operator's, and we are told of a directory in it.
    fs::set_permissions(parent.path(), PermissionsExt::from_mode(0o2770)).unwrap();
    let program = Program::local(&dir, &[]);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let port = program.base.rsplit(':').next().unwrap().to_owned();
    drop(program);
    for _ in 0..2 {
        mount_with_group(&dir);
        let listen = format!("127.0.0.1:{port}");
        let program = Program::local(&dir, &[("LISTEN", &listen)]);
        assert_private(&dir);
        let said = program.log().matches("was open to a group").count();
        assert_eq!(said, 1, "{}", program.log());
    }
    // The secret is the same: a URL from before is still good.
    let program = Program::local(&dir, &[("LISTEN", &format!("127.0.0.1:{port}"))]);
    assert_eq!(upload(&created, &source), "200");
    drop(program);

    // A secret that was restored so that everybody can read it isn't closed silently.
    let secret = dir.join("signing-secret");
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
    let message = refusal(&dir);
    for way_out in ["delete it to get a new one", "chmod 600"] {
        assert!(message.contains(way_out), "{message}");
    }
}

#[test]
fn no_link_at_a_name_that_the_program_opens_is_followed() {
    for (name, is_dir) in [
        ("lock", false),
        ("signing-secret", false),
        ("receipt-key", false),
        ("link-secret", false),
        ("metadata.sqlite", false),
        ("metadata.sqlite-wal", false),
        ("metadata.sqlite-shm", false),
        ("metadata.sqlite-journal", false),
        ("metadata.sqlite-seen", false),
        ("incoming", true),
        ("quarantine", true),
        ("objects", true),
        ("objects/00", true),
        ("objects/ff", true),
    ] {
        for leads_somewhere in [true, false] {
            let parent = data_dir();
            let (dir, outside) = (parent.path().join("data"), parent.path().join("outside"));
            let target = outside.join("target");
            fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
            fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
            fs::create_dir(&outside).unwrap();
            if leads_somewhere && is_dir {
                fs::create_dir(&target).unwrap();
                fs::write(target.join("file"), PRECIOUS).unwrap();
            } else if leads_somewhere {
                fs::write(&target, PRECIOUS).unwrap();
            }
            symlink(&target, dir.join(name)).unwrap();
            let mut before = Vec::new();
            modes(&outside, &mut before);

            let message = refusal(&dir);
            let place = dir.join(name).display().to_string();
            assert!(message.contains(&place), "{name}: {message}");
            assert!(message.contains("symbolic link"), "{name}: {message}");
            assert!(message.contains("remove it"), "{name}: {message}");

            let mut after = Vec::new();
            modes(&outside, &mut after);
            assert_eq!(before, after, "{name}");
            if leads_somewhere {
                let file = if is_dir { target.join("file") } else { target };
                assert_eq!(fs::read_to_string(file).unwrap(), PRECIOUS, "{name}");
            }
        }
    }
}

#[test]
fn a_file_that_has_another_name_elsewhere_is_not_used() {
    for name in [
        "lock",
        "signing-secret",
        "receipt-key",
        "metadata.sqlite",
        "metadata.sqlite-wal",
    ] {
        let parent = data_dir();
        let (dir, outside) = (parent.path().join("data"), parent.path().join("outside"));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
        fs::write(&outside, PRECIOUS).unwrap();
        fs::hard_link(&outside, dir.join(name)).unwrap();
        let message = refusal(&dir);
        assert!(message.contains("hard link"), "{name}: {message}");
        assert_eq!(fs::read_to_string(&outside).unwrap(), PRECIOUS, "{name}");
    }
}

#[test]
fn a_link_in_an_objects_place_is_neither_read_nor_written_nor_its_target_deleted() {
    let parent = data_dir();
    let dir = parent.path().join("data");
    let program = Program::local(&dir, &[]);
    let (outside, source) = (parent.path().join("outside"), parent.path().join("source"));
    fs::write(&outside, PRECIOUS).unwrap();
    fs::write(&source, PRECIOUS.to_uppercase()).unwrap();
    let body = json!({"filename": "a.txt", "size": PRECIOUS.len()});
    let created = create(&program.base, &body);
    let id = created["id"].as_str().unwrap();
    let place = dir.join("objects").join(&id[id.len() - 2..]).join(id);
    symlink(&outside, &place).unwrap();

    assert_eq!(upload(&created, &source), "412");
    let url = format!("{}/v1/files/{id}", program.base);
    let record = curl_json(&[&format!("{url}/metadata?wait=1")]);
    assert_ne!(record["status"], "available", "{record}");
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    assert_eq!(fs::read_to_string(&outside).unwrap(), PRECIOUS);
}

#[test]
fn a_directory_that_is_shared_with_others_is_left_alone() {
    let dir = data_dir();
    fs::write(dir.path().join("holiday.jpg"), "").unwrap();
    for mode in [0o1777, 0o777, 0o755] {
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
        let message = refusal(dir.path());
        assert!(message.contains("chmod 700"), "{message}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let kept = fs::metadata(dir.path()).unwrap().permissions().mode() & 0o7777;
        assert_eq!(kept, mode);
    }
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_nothing_is_put_into_it() {
    let own = data_dir();
    // Only root can give one away; for everybody else there are root's.
    let given_away = std::os::unix::fs::chown(own.path(), Some(12_345), None).is_ok();
    let dir = if given_away {
        own.path()
    } else {
        Path::new("/usr/share")
    };
    let message = refusal(dir);
    assert!(message.contains("belongs to user"), "{message}");
    assert!(message.contains("chown"), "{message}");
    if given_away {
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    }
}

#[test]
fn the_directory_itself_may_be_a_link_of_our_own() {
    let parent = data_dir();
    let (target, link) = (parent.path().join("big-disk"), parent.path().join("data"));
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    let program = Program::local(&link, &[]);
    create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    // Commands beside it are told the same name.
    let backup = parent.path().join("backup");
    for looked in [
        check_local(&link, &[]),
        scrub_local(&link, &[]),
        backup_local(&link, &[backup.to_str().unwrap()]),
    ] {
        assert!(looked.status.success(), "{looked:?}");
    }
    assert!(program.terminate().success());
    assert_private(&target);
    if std::os::unix::fs::lchown(&link, Some(12_345), None).is_ok() {
        let message = refusal(&link);
        assert!(message.contains("name the directory itself"), "{message}");
    }
}

#[test]
fn a_second_process_is_refused_also_where_the_lock_file_was_removed() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let incoming = dir.path().join("incoming/somebodys");
    fs::write(&incoming, "half an upload").unwrap();
    for removed in [false, true] {
        if removed {
            fs::remove_file(dir.path().join("lock")).unwrap();
        }
        let message = refusal(dir.path());
        assert!(message.contains("in use by another process"), "{message}");
        assert!(incoming.exists());
    }
    drop(program);
    Program::local(dir.path(), &[]);
    assert!(!incoming.exists());
}

#[test]
fn a_data_directory_that_is_replaced_under_the_running_service_takes_nothing() {
    let dir = data_dir();
    let (data, moved) = (dir.path().join("data"), dir.path().join("moved"));
    let program = Program::local(&data, &[]);
    let created = create(&program.base, &json!({"filename": "a.txt", "size": 5}));
    let source = dir.path().join("source");
    fs::write(&source, "hello").unwrap();
    fs::rename(&data, &moved).unwrap();
    let copied = Command::new("cp").arg("-a").args([&moved, &data]).status();
    assert!(copied.unwrap().success());

    assert_eq!(upload(&created, &source), "503");
    assert_eq!(curl_status(&[&format!("{}/readyz", program.base)]), "503");
    assert!(program.log().contains("was replaced while it is in use"));
    // Put back, all is well again.
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&moved, &data).unwrap();
    assert_eq!(upload(&created, &source), "200");
    assert_eq!(curl_status(&[&format!("{}/readyz", program.base)]), "200");
}
