//! Uploads by form from end to end: the real programs, the real curl, both modes; and AWS's own signer.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::aws_clients::sdk_config;
use crate::support::curl::{
    create, curl, curl_json, curl_status, form_arguments, upload, upload_form,
};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::{Program, data_dir};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/form_uploads.md"));

fn create_form(base: &str, size: usize, sha256: Option<&[u8]>) -> Value {
    let sha256 = sha256.map(|bytes| hex::encode(Sha256::digest(bytes)));
    create(
        base,
        &json!({"filename": "a b.txt", "size": size, "sha256": sha256, "uploadMethod": "POST"}),
    )
}

fn id(file: &Value) -> &str {
    file["id"].as_str().unwrap()
}

fn settled(base: &str, file: &Value) -> Value {
    curl_json(&[&format!("{base}/v1/files/{}/metadata?wait=20", id(file))])
}

fn written(dir: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// What holds in both modes.
fn a_form_brings_a_file(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    for (size, declared) in [(0, false), (5, true), (20 << 20, false), (20 << 20, true)] {
        let mut bytes = vec![0; size];
        fastrand::Rng::with_seed(11).fill(&mut bytes);
        let path = written(dir.path(), "to-send", &bytes);
        let created = create_form(base, size, declared.then_some(&bytes));
        assert_eq!(created["upload"]["method"], "POST");
        assert_eq!(created["upload"]["headers"], json!({}));
        assert_eq!(upload_form(&created, &path), "201");
        let file = settled(base, &created);
        assert_eq!(file["status"], "available", "{file}");
        assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)));
        assert_eq!(file["contentType"], "text/plain");
        let url = format!("{base}/v1/files/{}", id(&created));
        assert!(
            curl(&["--location", &url]) == bytes,
            "other bytes came back"
        );
    }
}

fn a_form_takes_nothing_but_what_was_declared(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let five = written(dir.path(), "five", b"hello");
    let created = create_form(base, 5, None);
    for (name, bytes, code) in [
        ("four", &b"hell"[..], "EntityTooSmall"),
        ("six", b"hello!", "EntityTooLarge"),
    ] {
        let path = written(dir.path(), name, bytes);
        let arguments = form_arguments(&created, &path);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let answer = String::from_utf8(curl(&arguments)).unwrap();
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{answer}");
    }
    let mutated = |change: &dyn Fn(&mut Value)| {
        let mut mutated = created.clone();
        change(&mut mutated["upload"]["fields"]);
        upload_form(&mutated, &five)
    };
    let other_key = create_form(base, 5, None)["upload"]["fields"]["key"].clone();
    assert_eq!(mutated(&|fields| fields["key"] = other_key.clone()), "403");
    assert_eq!(
        mutated(&|fields| fields["Content-Type"] = "text/html".into()),
        "403"
    );
    assert_eq!(
        mutated(&|fields| fields["x-amz-meta-a"] = "b".into()),
        "403"
    );
    assert_eq!(
        mutated(&|fields| fields["acl"] = "public-read".into()),
        "403"
    );
    let forged = |fields: &mut Value| fields["x-amz-signature"] = "0".repeat(64).into();
    assert_eq!(mutated(&forged), "403");
    assert_eq!(settled_now(base, &created)["status"], "pending");
    assert_eq!(upload_form(&created, &five), "201");
    assert_eq!(settled(base, &created)["status"], "available");
}

fn settled_now(base: &str, file: &Value) -> Value {
    curl_json(&[&format!("{base}/v1/files/{}/metadata", id(file))])
}

fn a_form_is_renewed_while_the_file_is_pending(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let five = written(dir.path(), "five", b"hello");
    // From a PUT to a form and back.
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(created["upload"].get("fields"), None);
    let renew = format!("{base}/v1/files/{}/upload", id(&created));
    let post = ["--request", "POST"];
    let form = format!("{renew}?uploadMethod=POST");
    let form = curl_json(&[post[0], post[1], &form]);
    let put = curl_json(&[post[0], post[1], &format!("{renew}?uploadMethod=PUT")]);
    assert_eq!(put["upload"]["method"], "PUT");
    let other = format!("{renew}?uploadMethod=PATCH");
    assert_eq!(curl_status(&[post[0], post[1], &other]), "400");
    assert_eq!(upload_form(&form, &five), "201");
    assert_eq!(settled(base, &created)["status"], "available");
    assert_eq!(upload(&put, &five), "412", "the URL of the PUT");
    let again = format!("{renew}?uploadMethod=POST");
    assert_eq!(curl_status(&[post[0], post[1], &again]), "409");
}

fn the_document_can_be_pasted(base: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (_, block) = DOCUMENT.split_once("```sh\n").unwrap();
    let (script, _) = block.split_once("```").unwrap();
    let output = Command::new("sh")
        .arg("-c")
        .arg(script.replace("http://127.0.0.1:8000", base))
        .current_dir(dir.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("201\n"), "{printed}");
    assert!(printed.contains("\"status\":\"available\""), "{printed}");
    assert!(printed.ends_with("the same bytes\n"), "{printed}");
}

#[test]
fn local_mode_takes_forms() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    a_form_brings_a_file(base);
    a_form_takes_nothing_but_what_was_declared(base);
    a_form_is_renewed_while_the_file_is_pending(base);
    the_document_can_be_pasted(base);

    let scratch = tempfile::tempdir().unwrap();
    let five = written(scratch.path(), "five", b"hello");
    let created = create_form(base, 5, Some(b"jello"));
    assert_eq!(upload_form(&created, &five), "400", "another digest");
    let created = create_form(base, 5, Some(b"hello"));
    assert_eq!(upload_form(&created, &five), "201");
    let before = settled(base, &created);
    assert_eq!(before["status"], "available");
    let other = written(scratch.path(), "other", b"jello");
    for again in [&five, &other] {
        assert_eq!(upload_form(&created, again), "412", "after it was settled");
    }
    assert_eq!(settled_now(base, &created), before);
    assert!(program.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_mode_takes_forms_where_the_bucket_keeps_versions_and_no_other() {
    let deployment = MiniStack::shared().await.deploy("forms").await;
    let admin = sdk_config(&deployment, &deployment.admin).await;
    let admin = file_share::aws::s3_client(&admin);
    let own = deployment.clone();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let api = Program::aws_api(&own, &[]);
        let worker = Program::worker(&own, &[]);
        a_form_brings_a_file(&api.base);
        a_form_takes_nothing_but_what_was_declared(&api.base);
        a_form_is_renewed_while_the_file_is_pending(&api.base);
        the_document_can_be_pasted(&api.base);
        let count = |prefix: &str| runtime.block_on(count_versions(&admin, &own, prefix));
        a_form_that_comes_again_leaves_nothing(&api.base, &count);
        runtime.block_on(suspend_versions(&admin, &own));
        without_versions_there_is_no_form(&api.base);
        assert!(worker.terminate().success());
        assert!(api.terminate().success());
    })
    .await
    .unwrap();
}

/// The bytes of an available file stay the current version, so no lifecycle rule ever takes them.
fn a_form_that_comes_again_leaves_nothing(base: &str, count: &dyn Fn(&str) -> usize) {
    let dir = tempfile::tempdir().unwrap();
    let created = create_form(base, 5, None);
    let key = created["upload"]["fields"]["key"].as_str().unwrap();
    let five = written(dir.path(), "five", b"hello");
    assert_eq!(upload_form(&created, &five), "201");
    let before = settled(base, &created);
    assert_eq!(before["status"], "available");
    let other = written(dir.path(), "other", b"jello");
    assert_eq!(upload_form(&created, &other), "201", "S3 can't be told");
    let waited_since = std::time::Instant::now();
    while count(key) != 1 {
        let waited = waited_since.elapsed();
        assert!(waited.as_secs() < 60, "another version stays");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(settled_now(base, &created), before);
    let url = format!("{base}/v1/files/{}", id(&created));
    assert_eq!(curl(&["--location", &url]), b"hello");
}

fn without_versions_there_is_no_form(base: &str) {
    let body = json!({"filename": "a.txt", "size": 5, "uploadMethod": "POST"});
    let refused = create(base, &body);
    assert_eq!(refused["code"], "form_upload_unavailable", "{refused}");
    assert_eq!(refused["status"], 422);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("keeps no versions"), "{detail}");
    let created = create(base, &json!({"filename": "a.txt", "size": 5}));
    assert_eq!(created["upload"]["method"], "PUT");
    let renew = format!("{base}/v1/files/{}/upload?uploadMethod=POST", id(&created));
    assert_eq!(curl_status(&["--request", "POST", &renew]), "422");
}

/// The form was handed out while the bucket kept versions, and what it brings afterwards replaces what it
/// brought before.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_again_after_versions_were_suspended_never_brings_other_bytes_than_recorded()
 {
    let deployment = MiniStack::shared().await.deploy("suspended").await;
    let admin = file_share::aws::s3_client(&sdk_config(&deployment, &deployment.admin).await);
    let settings = [
        ("UPLOAD_URL_TTL", "8s"),
        ("UPLOAD_GRACE", "4s"),
        ("RECONCILE_INTERVAL", "500ms"),
    ];
    let (api, _worker) = tokio::task::block_in_place(|| {
        (
            Program::aws_api(&deployment, &settings),
            Program::worker(&deployment, &settings),
        )
    });
    let dir = tempfile::tempdir().unwrap();
    let created = create_form(&api.base, 5, None);
    suspend_versions(&admin, &deployment).await;
    let send = |bytes: &[u8; 5]| upload_form(&created, &written(dir.path(), "to-send", bytes));
    assert_eq!(send(b"first"), "201");
    let complete = format!("{}/v1/files/{}/complete", api.base, id(&created));
    let completed = curl_json(&["--request", "POST", &complete]);
    assert_eq!(completed["status"], "pending", "other bytes may still come");
    assert_eq!(send(b"other"), "201");
    let deadline = Instant::now() + Duration::from_secs(120);
    let file = loop {
        let file = settled_now(&api.base, &created);
        if file["status"] != "pending" {
            break file;
        }
        assert!(Instant::now() < deadline, "{file}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(send(b"third"), "403", "settled while a form still worked");
    assert_eq!(file["status"], "available", "{file}");
    let url = format!("{}/v1/files/{}", api.base, id(&created));
    let bytes = curl(&["--location", &url]);
    assert_eq!(bytes, b"other");
    assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)));
}

async fn count_versions(
    admin: &aws_sdk_s3::Client,
    deployment: &Deployment,
    prefix: &str,
) -> usize {
    let list = admin.list_object_versions().bucket(&deployment.bucket);
    let listed = list.prefix(prefix).send().await.unwrap();
    listed.versions().len() + listed.delete_markers().len()
}

async fn suspend_versions(admin: &aws_sdk_s3::Client, deployment: &Deployment) {
    let suspended = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Suspended)
        .build();
    let put = admin.put_bucket_versioning().bucket(&deployment.bucket);
    let put = put.versioning_configuration(suspended);
    put.send().await.unwrap();
}

/// Signs a form by botocore, for the time and with the conditions of ours, and signs our policy too.
const BOTOCORE: &str = r#"
import base64, datetime, json, sys
import botocore.auth, botocore.awsrequest, botocore.credentials
ours = json.load(sys.stdin)
policy = json.loads(base64.b64decode(ours["policy"]))
taken = ("x-amz-algorithm", "x-amz-credential", "x-amz-date")
conditions = [c for c in policy["conditions"] if not (isinstance(c, dict) and set(c) & set(taken))]
now = datetime.datetime.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ")
botocore.auth.get_current_datetime = lambda *a, **k: now
credentials = botocore.credentials.Credentials(sys.argv[1], sys.argv[2])
auth = botocore.auth.S3SigV4PostAuth(credentials, "s3", sys.argv[3])
request = botocore.awsrequest.AWSRequest("POST", "https://b.example/")
request.context["s3-presign-post-fields"] = {}
request.context["s3-presign-post-policy"] = {"expiration": policy["expiration"], "conditions": conditions}
auth.add_auth(request)
fields = request.context["s3-presign-post-fields"]
theirs = json.loads(base64.b64decode(fields.pop("policy")))
fields.pop("x-amz-signature")
print(json.dumps({"fields": fields, "policy": theirs, "signature": auth.signature(ours["policy"], request)}))
"#;

/// MiniStack checks our signature with code of its own; this is AWS's.
#[tokio::test]
async fn botocore_signs_the_same_form() {
    use file_share::domain::{ContentLength, ContentType, FileId, MAX_CONTENT_LENGTH, ObjectKey};
    use file_share::presigned_url::{BucketUrl, Presigner, SigningCredentials, UploadTerms};
    let (id, secret, region) = ("AKIDEXAMPLE", "a secret/+", "eu-central-1");
    let lifetime = std::time::Duration::from_secs(900);
    let credentials = SigningCredentials::fixed(id, secret);
    let presigner = Presigner::new(credentials, region.into(), lifetime, lifetime);
    let now = chrono::Utc::now();
    let terms = UploadTerms {
        key: ObjectKey::new(FileId::new(now)),
        length: ContentLength::new(5, MAX_CONTENT_LENGTH).unwrap(),
        content_type: &ContentType::parse("text/plain; charset=\"utf-8\"").unwrap(),
        sha256: Some(file_share::domain::Sha256Digest::from_bytes([9; 32])),
    };
    let bucket = BucketUrl::virtual_hosted("a.bucket", region).unwrap();
    let form = presigner.upload_form(&bucket, &terms, now).await.unwrap();
    let fields = form.kind.fields().unwrap().iter();
    let ours: Value = fields
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let theirs = signed_by_botocore(&ours, [id, secret, region]);
    assert_eq!(theirs["signature"], ours["x-amz-signature"]);
    for name in ["x-amz-algorithm", "x-amz-credential", "x-amz-date"] {
        assert_eq!(theirs["fields"][name], ours[name], "{name}");
    }
    assert_eq!(theirs["fields"].as_object().unwrap().len(), 3);
    let policy = BASE64_STANDARD.decode(ours["policy"].as_str().unwrap());
    let policy: Value = serde_json::from_slice(&policy.unwrap()).unwrap();
    assert_eq!(theirs["policy"], policy);
    assert!(
        policy["conditions"]
            .to_string()
            .contains(r#"{"bucket":"a.bucket"}"#)
    );
}

fn signed_by_botocore(ours: &Value, arguments: [&str; 3]) -> Value {
    use std::io::Write;
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-tools/bin/python");
    let mut child = Command::new(python)
        .args(["-c", BOTOCORE])
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the test tools are installed");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ours.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}
