//! The two steps from end to end: the real programs, the real curl, both modes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::ministack::Deployment;
use crate::support::program::{Program, data_dir};

const MIB: usize = 1024 * 1024;

fn content(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7 + length as u64);
    (0..length).map(|_| random.u8(..)).collect()
}

/// Uploads `bytes` under `name` as a user with curl does, and gives the record as it is then.
pub(crate) fn share(
    base: &str,
    dir: &Path,
    name: &str,
    bytes: &[u8],
    declare_digest: bool,
) -> Value {
    let path = dir.join("to-send");
    fs::write(&path, bytes).unwrap();
    let mut body = json!({"filename": name, "size": bytes.len()});
    if declare_digest {
        body["sha256"] = hex::encode(Sha256::digest(bytes)).into();
    }
    let created = create(base, &body);
    assert_eq!(created["status"], "pending", "{created}");
    assert_eq!(created["sha256"], Value::Null);
    assert_eq!(upload(&created, &path), "200");
    let id = created["id"].as_str().unwrap();
    curl_json(&[&format!("{base}/v1/files/{id}/metadata?wait=20")])
}

/// Who answers a presigned URL. The stand-in for S3 leaves out `response-*` where a version is named,
/// which S3 doesn't, so there the redirect is looked at instead of the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Local,
    StandInForS3,
}

/// The head of the redirect, as it was sent.
fn curl_head(url: &str) -> String {
    String::from_utf8(curl(&["--head", url])).unwrap()
}

fn saves_under_its_name(dir: &Path, url: &str, bytes: &[u8]) {
    let folder = dir.join(format!("{:016x}", fastrand::u64(..)));
    fs::create_dir(&folder).unwrap();
    let output_dir = folder.to_str().unwrap();
    curl(&["-L", "-O", "-J", "--output-dir", output_dir, url]);
    assert!(fs::read(folder.join("resume_final.pdf")).unwrap() == bytes);
}

/// What every mode has to do for a client.
fn two_steps(base: &str, store: Store) {
    let dir = tempfile::tempdir().unwrap();
    for (length, declare_digest) in [
        (0, false),
        (1, true),
        (5, false),
        (20 * MIB, false),
        (20 * MIB, true),
    ] {
        let bytes = content(length);
        let file = share(base, dir.path(), "résumé final.pdf", &bytes, declare_digest);
        assert_eq!(file["status"], "available", "{file}");
        assert_eq!(file["size"], length);
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)));
        assert_eq!(file["filename"], "résumé_final.pdf");
        assert_eq!(file["contentType"], "application/pdf");
        let url = format!("{base}/v1/files/{}", file["id"].as_str().unwrap());

        assert!(
            curl(&["--location", &url]) == bytes,
            "other bytes came back"
        );
        let head = String::from_utf8(curl(&["--location", "--head", &url])).unwrap();
        assert!(head.contains("HTTP/1.1 307"), "{head}");
        assert!(head.contains("HTTP/1.1 200"), "{head}");
        let head = head.to_lowercase();
        assert!(
            head.contains(&format!("content-length: {length}")),
            "{head}"
        );
        assert!(head.contains("content-type: application/pdf"), "{head}");
        let redirect = curl_head(&url);
        assert!(
            redirect.contains(
                "response-content-disposition=attachment%3B%20filename%3D%22resume_final.pdf%22"
            ),
            "{redirect}"
        );
        if store == Store::Local {
            saves_under_its_name(dir.path(), &url, &bytes);
        }
    }

    let listed = curl_json(&[&format!("{base}/files")]);
    assert_eq!(listed["files"].as_array().unwrap().len(), 5);
    let id = listed["files"][0]["id"].as_str().unwrap();
    let url = format!("{base}/v1/files/{id}");
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
    assert_eq!(curl_status(&[&url]), "404");
    assert_eq!(curl_status(&["--request", "DELETE", &url]), "404");
    assert_eq!(
        curl_json(&[&format!("{base}/files")])["files"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

/// What an upload URL must not do, in every mode.
fn an_upload_url_is_good_for_the_declared_bytes_once(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (five, six) = (dir.path().join("five"), dir.path().join("six"));
    fs::write(&five, "hello").unwrap();
    fs::write(&six, "hello!").unwrap();

    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(
        upload(&created, &six),
        "403",
        "one byte more than was signed"
    );
    let mut without = created.clone();
    without["upload"]["headers"]
        .as_object_mut()
        .unwrap()
        .remove("if-none-match");
    assert_eq!(upload(&without, &five), "403", "without if-none-match");
    assert_eq!(upload(&created, &five), "200");
    assert_eq!(upload(&created, &five), "412", "a second time");

    let wrong = hex::encode(Sha256::digest("other"));
    let created = create(
        base,
        &json!({"filename": "a.txt", "size": 5, "sha256": wrong}),
    );
    assert_eq!(
        upload(&created, &five),
        "400",
        "other bytes than the digest says"
    );
    let id = created["id"].as_str().unwrap();
    let file = curl_json(&[&format!("{base}/v1/files/{id}/metadata")]);
    assert_eq!(file["status"], "pending");
}

#[test]
fn local_mode_shares_files_in_two_steps() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    two_steps(&program.base, Store::Local);
    an_upload_url_is_good_for_the_declared_bytes_once(&program.base);
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_mode_shares_files_in_two_steps_with_api_and_worker_as_separate_programs() {
    let deployment = crate::support::ministack::MiniStack::shared()
        .await
        .deploy("journey")
        .await;
    tokio::task::spawn_blocking(move || aws_journey(&deployment))
        .await
        .unwrap();
}

fn aws_journey(deployment: &Deployment) {
    let api = Program::aws_api(deployment, &[]);
    let worker = Program::worker(deployment, &[]);
    two_steps(&api.base, Store::StandInForS3);
    an_upload_url_is_good_for_the_declared_bytes_once(&api.base);
    assert!(worker.terminate().success());
    assert!(api.terminate().success());
}
