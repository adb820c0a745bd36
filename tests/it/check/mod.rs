//! `file-share check` as a program: what it says of what a start would meet, and that it only looks.

mod setup;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use aws_sdk_dynamodb::types::AttributeValue;
use file_share::aws::dynamodb_client;
use serde_json::{Value, json};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{create, curl_json, upload};
use crate::support::fault_proxy::{ProxyMode, TcpFaultProxy};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, check_aws, check_local, data_dir};
use crate::support::small_disk::SmallDisk;

/// The size of a small disk, in bytes.
const DISK: usize = 32 * 1024 * 1024;

const LOCAL: [&str; 10] = [
    "data-dir",
    "signing-secret",
    "access-key",
    "session-secret",
    "link-secret",
    "receipt-key",
    "audit-key",
    "records",
    "markers",
    "disk-space",
];
const AWS: [&str; 4] = ["aws", "table", "bucket", "markers"];

/// How a check ended, and its lines.
#[derive(Debug)]
struct Checked {
    code: i32,
    lines: Vec<Value>,
}

impl Checked {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let parse = |line| serde_json::from_str(line).unwrap();
        let lines: Vec<Value> = text.lines().map(parse).collect();
        assert!(!lines.is_empty(), "nothing was said: {errors}");
        Self {
            code: output.status.code().unwrap(),
            lines,
        }
    }

    fn local(data: &Path) -> Self {
        let checked = Self::of(&check_local(data, &["--json"]));
        let names: Vec<_> = checked.lines.iter().map(|line| &line["check"]).collect();
        assert_eq!(names, LOCAL, "each check is one line");
        checked
    }
}

fn with<'a>(verdict: &str, lines: &'a [Value]) -> Vec<&'a str> {
    let those = lines.iter().filter(|line| line["verdict"] == verdict);
    those.map(|line| line["check"].as_str().unwrap()).collect()
}

/// Asserts that exactly this check is wrong, that it says what, and how to mend it.
fn only_wrong(lines: &[Value], check: &str, said: &str, mend: &str) {
    assert_eq!(with("wrong", lines), [check], "{lines:#?}");
    assert_eq!(with("not_looked_at", lines), [""; 0], "{lines:#?}");
    let line = lines.iter().find(|line| line["check"] == check).unwrap();
    assert!(line["said"].as_str().unwrap().contains(said), "{line}");
    assert!(line["mend"].as_str().unwrap().contains(mend), "{line}");
}

/// Every name below a directory, with its mode, length and time.
fn footprint(dir: &Path) -> Vec<(std::path::PathBuf, u32, u64, std::time::SystemTime)> {
    let mut all = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                dirs.push(entry.path());
            }
            let mode = metadata.permissions().mode();
            all.push((
                entry.path(),
                mode,
                metadata.len(),
                metadata.modified().unwrap(),
            ));
        }
    }
    all.sort();
    all
}

fn stored_file(base: &str, dir: &Path) {
    let source = dir.join("source");
    fs::write(&source, "hello").unwrap();
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(upload(&created, &source), "200");
    let id = created["id"].as_str().unwrap();
    let settled = curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")]);
    assert_eq!(settled["status"], "available");
}

#[test]
fn a_data_directory_is_well_before_its_first_start_beside_the_service_and_afterwards_and_stays_as_it_is()
 {
    let dir = data_dir();
    let data = dir.path().join("data");
    let before = Checked::local(&data);
    assert_eq!(
        (before.code, with("ok", &before.lines)),
        (0, LOCAL.to_vec())
    );
    assert!(!data.exists(), "it was made");

    let program = Program::local(&data, &[]);
    stored_file(&program.base, dir.path());
    let beside = Checked::local(&data);
    assert_eq!(
        (beside.code, with("ok", &beside.lines)),
        (0, LOCAL.to_vec())
    );
    stored_file(&program.base, dir.path());
    assert!(program.terminate().success());

    let was = footprint(&data);
    let after = Checked::local(&data);
    assert_eq!((after.code, with("ok", &after.lines)), (0, LOCAL.to_vec()));
    assert_eq!(footprint(&data), was);
    let shown = check_local(&data, &[]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.lines().count(), LOCAL.len(), "{shown}");
    assert!(shown.lines().all(|line| line.starts_with("✓ ")), "{shown}");
}

#[test]
fn what_a_start_would_refuse_in_a_data_directory_is_named_and_left_as_it_is() {
    let dir = data_dir();
    let data = dir.path().join("data");
    assert!(Program::local(&data, &[]).terminate().success());
    let away = dir.path().join("away");
    let records = data.join("metadata.sqlite");

    for (name, is_none) in [
        ("signing-secret", "isn't a signing secret"),
        ("access-key", "isn't an access key"),
        ("session-secret", "isn't a session secret"),
        ("link-secret", "isn't a secret of links"),
        ("receipt-key", "isn't a key that signs receipts"),
        ("audit-key", "isn't a key of the audit log"),
    ] {
        // Also one that a start by these settings wouldn't use.
        let secret = data.join(name);
        if !secret.exists() {
            fs::copy(data.join("signing-secret"), &secret).unwrap();
        }
        // Others could have read it.
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
        let exposed = Checked::local(&data);
        assert_eq!(exposed.code, 1);
        only_wrong(&exposed.lines, name, "mode 644", "");
        let mode = fs::metadata(&secret).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        fs::rename(&secret, &away).unwrap();
        symlink(&away, &secret).unwrap();
        let linked = Checked::local(&data);
        only_wrong(&linked.lines, name, "symbolic link", "remove it");
        fs::remove_file(&secret).unwrap();
        fs::write(&secret, "hello").unwrap();
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        only_wrong(&Checked::local(&data).lines, name, is_none, "");
        fs::remove_file(&secret).unwrap();
        if ["signing-secret", "link-secret", "receipt-key"].contains(&name) {
            fs::rename(&away, &secret).unwrap();
        }
    }

    // The database is gone, or something else.
    fs::rename(&records, &away).unwrap();
    only_wrong(
        &Checked::local(&data).lines,
        "markers",
        "the objects are marked",
        "the database is gone",
    );
    fs::write(
        &records,
        "no database, but long enough to look like one".repeat(100),
    )
    .unwrap();
    let checked = Checked::local(&data);
    assert!(
        with("wrong", &checked.lines).contains(&"records"),
        "{checked:?}"
    );
    fs::rename(&away, &records).unwrap();

    // The disk of the objects isn't mounted.
    fs::rename(data.join("objects"), &away).unwrap();
    only_wrong(
        &Checked::local(&data).lines,
        "markers",
        "no objects",
        "mounted",
    );
    fs::rename(&away, data.join("objects")).unwrap();
    let checked = Checked::local(&data);
    assert_eq!(
        (checked.code, with("ok", &checked.lines)),
        (0, LOCAL.to_vec())
    );
}

#[test]
fn a_directory_that_others_use_too_is_refused_and_an_older_copy_of_the_records_is_named() {
    let dir = data_dir();
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("holiday.jpg"), "").unwrap();
    fs::set_permissions(&shared, PermissionsExt::from_mode(0o755)).unwrap();
    only_wrong(
        &Checked::local(&shared).lines,
        "data-dir",
        "mode 755",
        "empty directory",
    );

    let data = dir.path().join("data");
    assert!(Program::local(&data, &[]).terminate().success());
    let copy = dir.path().join("copy");
    fs::copy(data.join("metadata.sqlite"), &copy).unwrap();
    assert!(Program::local(&data, &[]).terminate().success());
    fs::copy(&copy, data.join("metadata.sqlite")).unwrap();
    only_wrong(
        &Checked::local(&data).lines,
        "markers",
        "an older copy",
        "file-share adopt",
    );
}

#[test]
fn a_disk_that_is_full_is_said_to_be_so() {
    let disk = SmallDisk::new(DISK);
    assert!(disk.program(&[]).terminate().success());
    let checked = || {
        Checked::of(&disk.run(
            Path::new(env!("CARGO_BIN_EXE_file-share")),
            &["check", "--json"],
        ))
    };
    let before = checked();
    assert_eq!(with("ok", &before.lines), LOCAL, "{before:#?}");
    disk.fill();
    let full = checked();
    assert_eq!(full.code, 1);
    only_wrong(&full.lines, "disk-space", "no space left", "make room");
}

#[test]
fn what_the_user_may_not_read_is_not_called_well() {
    let dir = data_dir();
    let data = dir.path().join("data");
    assert!(Program::local(&data, &[]).terminate().success());
    // The system refuses root nothing, so that is somebody else then.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = if is_root {
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(env!("CARGO_BIN_EXE_file-share"));
        command
    } else {
        fs::set_permissions(&data, PermissionsExt::from_mode(0o000)).unwrap();
        Command::new(env!("CARGO_BIN_EXE_file-share"))
    };
    let output = command
        .args(["check", "--json", "--data-dir"])
        .arg(&data)
        .env_remove("MODE")
        .output();
    if !is_root {
        fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();
    }
    let checked = Checked::of(&output.unwrap());
    assert_eq!(checked.code, 1);
    let hidden = with("not_looked_at", &checked.lines);
    // All but the room on the disk, which anybody may see.
    let private = LOCAL.len() - 1;
    assert_eq!(hidden, LOCAL[..private], "{checked:#?}");
    for line in &checked.lines[..private] {
        let mend = line["mend"].as_str().unwrap();
        assert!(mend.contains("the user that the service runs as"), "{line}");
    }
}

// ---- aws mode --------------------------------------------------------------------------------------

fn checked_aws(deployment: &Deployment, settings: &[(&str, &str)]) -> Checked {
    let checked = Checked::of(&check_aws(
        deployment,
        &deployment.api,
        settings,
        &["--json"],
    ));
    let names: Vec<_> = checked.lines.iter().map(|line| &line["check"]).collect();
    assert_eq!(names, AWS, "each check is one line");
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_what_the_service_needs_is_well_with_its_own_permissions_and_nothing_is_marked()
{
    let deployment = MiniStack::shared().await.deploy("check").await;
    let sdk = sdk_config(&deployment, &deployment.admin).await;
    let items = async || {
        let scan = dynamodb_client(&sdk).scan().table_name(&deployment.table);
        scan.send().await.unwrap().items.unwrap_or_default()
    };
    let before = checked_aws(&deployment, &[]);
    assert_eq!((before.code, with("ok", &before.lines)), (0, AWS.to_vec()));
    assert_eq!(items().await, [], "it was marked");
    let api = Program::aws_api(&deployment, &[]);
    let beside = checked_aws(&deployment, &[]);
    assert_eq!((beside.code, with("ok", &beside.lines)), (0, AWS.to_vec()));
    assert!(api.terminate().success());

    // The table is another one's now.
    for item in items().await {
        let id: &AttributeValue = &item["fileId"];
        let delete = dynamodb_client(&sdk).delete_item();
        let delete = delete
            .table_name(&deployment.table)
            .key("fileId", id.clone());
        delete.send().await.unwrap();
    }
    let other = checked_aws(&deployment, &[]);
    only_wrong(
        &other.lines,
        "markers",
        "the objects are marked",
        "TABLE_NAME",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_each_thing_that_ends_a_start_is_named_with_what_mends_it() {
    let deployment = Deployment::shared().await;
    let admin = Deployment {
        api: deployment.admin.clone(),
        ..deployment.clone()
    };
    let names = [
        ("TABLE_NAME", "NoSuchTable"),
        ("BUCKET_NAME", "no-such-bucket"),
    ];
    let missing = checked_aws(&admin, &names);
    assert_eq!(missing.code, 1);
    let says = |line: &Value, said: &str, mend: &str| {
        assert_eq!(line["verdict"], "wrong", "{line}");
        assert!(line["said"].as_str().unwrap().contains(said), "{line}");
        assert!(line["mend"].as_str().unwrap().contains(mend), "{line}");
    };
    says(
        &missing.lines[1],
        "table NoSuchTable: there is none",
        "correct TABLE_NAME",
    );
    says(
        &missing.lines[2],
        "bucket no-such-bucket: there is none",
        "correct BUCKET_NAME",
    );

    let worker = Deployment {
        api: deployment.worker.clone(),
        ..deployment.clone()
    };
    let forbidden = checked_aws(&worker, &[]);
    says(&forbidden.lines[1], "lack dynamodb:PutItem", "ApiPolicy");
    says(
        &forbidden.lines[1],
        "lack dynamodb:Query on index/byTime",
        "ApiPolicy",
    );
    assert_eq!(forbidden.lines[2]["verdict"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_stores_that_are_away_are_not_called_well() {
    let deployment = Deployment::shared().await;
    let proxy = TcpFaultProxy::to(&deployment.endpoint, ProxyMode::Closed).await;
    let url = proxy.url();
    let away = tokio::task::block_in_place(|| {
        checked_aws(deployment, &[("AWS_ENDPOINT_URL", url.as_str())])
    });
    assert_eq!(away.code, 1);
    assert_eq!(with("wrong", &away.lines), AWS[1..], "{away:#?}");
    for line in &away.lines[1..] {
        assert!(
            line["mend"].as_str().unwrap().contains("AWS_ENDPOINT_URL"),
            "{line}"
        );
    }
}
