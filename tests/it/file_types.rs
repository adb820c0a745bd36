//! What is in a file has to fit its name: on the real programs, with real uploads, in both modes.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use file_share::file_types::samples::{Sample, Taken, all};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

/// What some of the samples end with, and nothing else does.
const ALLOWED: &str = "pdf,png,docx,zip,txt,csv,py,doc,gif,heic";

/// What the file at `path` comes to under this name. With a digest a store that checks it needn't be read, and else it
/// is.
fn sent(base: &str, name: &str, path: &Path, has_digest: bool) -> Value {
    let bytes = std::fs::read(path).unwrap();
    let mut body = json!({"filename": name, "size": bytes.len()});
    if has_digest {
        body["sha256"] = hex::encode(Sha256::digest(&bytes)).into();
    }
    let created = create(base, &body);
    assert_eq!(created["detectedType"], Value::Null, "{created}");
    assert_eq!(upload(&created, path), "200", "{name}");
    let url = format!("{base}/v1/files/{}", created["id"].as_str().unwrap());
    let record = curl_json(&["--request", "POST", &format!("{url}/complete")]);
    match record["status"].as_str() {
        Some("pending") => curl_json(&[&format!("{url}/metadata?wait=20")]),
        _ => record,
    }
}

fn is_as_expected(record: &Value, sample: &Sample, is_taken: bool) {
    let name = sample.name;
    assert_eq!(
        record["detectedType"], sample.media_type,
        "{name}: {record}"
    );
    match is_taken {
        true => {
            assert_eq!(record["status"], "available", "{name}: {record}");
            assert_eq!(record["reasonCode"], Value::Null, "{name}: {record}");
        }
        false => {
            assert_eq!(record["status"], "rejected", "{name}: {record}");
            assert_eq!(record["reasonCode"], "content_mismatch", "{name}: {record}");
            let reason = record["reason"].as_str().unwrap();
            assert!(reason.contains(sample.media_type), "{name}: {reason}");
        }
    }
}

/// What holds where all types are taken.
fn what_runs_elsewhere_has_its_own_name(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    for (number, sample) in all().into_iter().enumerate() {
        std::fs::write(&path, &sample.bytes).unwrap();
        let record = sent(base, sample.name, &path, number % 2 == 0);
        is_as_expected(&record, &sample, sample.taken != Taken::Never);
    }
    // Asked again it is the same, and nothing of it can be had; what may be had is never opened where it is.
    let exe = file_share::file_types::samples::exe();
    std::fs::write(&path, exe).unwrap();
    let rejected = sent(base, "report.pdf", &path, true);
    let url = format!("{base}/v1/files/{}", rejected["id"].as_str().unwrap());
    let again = curl_json(&["--request", "POST", &format!("{url}/complete")]);
    assert_eq!(again, rejected);
    let problem = curl_json(&[&url]);
    assert_eq!(problem["code"], "file_rejected", "{problem}");
    assert_eq!(problem["detail"], rejected["reason"]);
    std::fs::write(&path, "<html><script>alert(1)</script>").unwrap();
    let page = sent(base, "index.html", &path, false);
    let url = format!("{base}/v1/files/{}", page["id"].as_str().unwrap());
    let head = curl(&["--location", "--include", &url]);
    let head = String::from_utf8(head).unwrap().to_lowercase();
    // The stand-in for S3 doesn't heed what the signed URL asks of its answer.
    let is_saved = head.contains("content-disposition: attachment;")
        || head.contains("response-content-disposition=attachment%3b");
    assert!(is_saved, "{head}");
}

/// What holds where some are, and in a box that takes some.
fn where_some_types_are_taken_files_are_what_they_are_called(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    let endings: Vec<&str> = ALLOWED.split(',').collect();
    for (number, sample) in all().into_iter().enumerate() {
        let ending = sample.name.rsplit_once('.').map(|(_, ending)| ending);
        if !ending.is_some_and(|it| endings.contains(&it)) {
            let refused = create(base, &json!({"filename": sample.name, "size": 1}));
            assert_eq!(refused["code"], "type_not_allowed", "{}", sample.name);
            assert_eq!(refused["status"], 415);
            let detail = refused["detail"].as_str().unwrap();
            assert!(
                detail.contains("csv, doc, docx, gif, heic, pdf"),
                "{detail}"
            );
            continue;
        }
        std::fs::write(&path, &sample.bytes).unwrap();
        let record = sent(base, sample.name, &path, number % 2 == 1);
        let found = match (sample.taken, &record["reason"]) {
            // It is refused for what lies behind it.
            (Taken::WhereAllAre, Value::String(reason)) if reason.ends_with("application/zip") => {
                "application/zip"
            }
            _ => sample.media_type,
        };
        let media_type = Sample {
            media_type: found,
            ..sample.clone()
        };
        is_as_expected(&record, &media_type, sample.taken == Taken::Always);
    }
    let listed = curl_status(&[&format!("{base}/v1/files?status=rejected&limit=100")]);
    assert_eq!(listed, "200");
}

/// A box says what it takes, and looks at it: also where the service takes all.
fn a_box_takes_what_its_types_say(base: &str, shown: &Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("source");
    let body = json!({"title": "Sheet 3", "types": ["pdf", "py", "xyz"]}).to_string();
    let made = curl_json(&["--json", &body, &format!("{base}/v1/boxes")]);
    let token = made["url"].as_str().unwrap().rsplit_once("/b/").unwrap().1;
    let drop = format!("{base}/v1/drop/{token}");
    assert_eq!(&curl_json(&[&drop])["types"], shown);
    for (name, bytes, ends_as) in [
        ("a.pdf", file_share::file_types::samples::pdf(), "available"),
        ("a.pdf", b"hello".to_vec(), "rejected"),
        ("a.py", b"print(1)".to_vec(), "available"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let body = json!({"filename": name, "size": bytes.len(), "submitter": "Ada"});
        let url = format!("{drop}/files");
        let handed_in = curl_json(&["--json", &body.to_string(), &url]);
        assert_eq!(upload(&handed_in, &path), "200");
        let id = handed_in["id"].as_str().unwrap();
        let completed = curl_json(&[
            "--request",
            "POST",
            &format!("{base}/v1/files/{id}/complete"),
        ]);
        assert_eq!(completed["status"], ends_as, "{name}: {completed}");
    }
}

fn as_text(types: &[&str]) -> Value {
    json!(types)
}

fn in_local_mode() {
    let dir = data_dir();
    let program = Program::local(&dir.path().join("all"), &[]);
    what_runs_elsewhere_has_its_own_name(&program.base);
    a_box_takes_what_its_types_say(&program.base, &as_text(&["pdf", "py", "xyz"]));
    drop(program);
    let program = Program::local(&dir.path().join("some"), &[("ALLOWED_TYPES", ALLOWED)]);
    where_some_types_are_taken_files_are_what_they_are_called(&program.base);
    // Of a box and the service, what both take.
    a_box_takes_what_its_types_say(&program.base, &as_text(&["pdf", "py"]));
}

fn in_aws_mode(deployment: &Deployment) {
    // The worker settles what the API doesn't.
    let worker = Program::worker(deployment, &[]);
    let program = Program::aws_api(deployment, &[]);
    what_runs_elsewhere_has_its_own_name(&program.base);
    a_box_takes_what_its_types_say(&program.base, &as_text(&["pdf", "py", "xyz"]));
    drop(program);
    let program = Program::aws_api(deployment, &[("ALLOWED_TYPES", ALLOWED)]);
    where_some_types_are_taken_files_are_what_they_are_called(&program.base);
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_is_has_to_fit_its_name_in_both_modes() {
    let deployment = MiniStack::shared().await.deploy("file-types").await;
    tokio::task::spawn_blocking(move || {
        in_local_mode();
        in_aws_mode(&deployment);
    })
    .await
    .unwrap();
}

#[test]
fn what_is_no_type_is_named_when_the_program_starts() {
    let dir = data_dir();
    let said = Program::local_refuses_with(dir.path(), &[("ALLOWED_TYPES", "pdf,*.docx")]);
    assert!(
        said.contains("ALLOWED_TYPES") && said.contains("*.docx"),
        "{said}"
    );
}
