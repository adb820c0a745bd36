//! The programs in `docs/clients.md`, run as they stand there, in both modes, with a token and without. Those for a
//! browser, for Node and for TypeScript are run by `tests/browser/clients.test.mjs`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::issuer_sign_in::{self, service};
use crate::support::curl::{create, curl, curl_json, curl_status, upload};
use crate::support::issuer::{Issuer, client};
use crate::support::ministack::{MiniStack, project_root};
use crate::support::node_tests::{self, free_port};
use crate::support::program::{Program, data_dir};
use crate::support::recording_proxy::RecordingProxy;

/// A curl that ends, and says so, if an argument has the token or the secret: others on the machine can see those.
const CAREFUL_CURL: &str = "#!/bin/sh
for secret in \"$FILE_SHARE_TOKEN\" \"$CLIENT_SECRET\" 'Bearer e'; do
  case \"$secret\" in '') continue ;; esac
  case \"$*\" in *\"$secret\"*) echo 'a secret is among the arguments' >&2; exit 97 ;; esac
done
";

fn document() -> String {
    std::fs::read_to_string(project_root().join("docs/clients.md")).unwrap()
}

/// The first block in this language below a heading, for the service at `base`.
fn recipe(heading: &str, language: &str, base: &str) -> String {
    let document = document();
    let (_, below) = document
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading is there");
    let (_, block) = below
        .split_once(&format!("```{language}\n"))
        .expect("a block follows");
    let (block, _) = block.split_once("```\n").expect("the block ends");
    assert!(block.contains("http://127.0.0.1:8000"), "{block}");
    block.replace("http://127.0.0.1:8000", base)
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("set -e\n{script}")]);
    command
}

fn python(script: &str) -> Command {
    let mut command = Command::new(project_root().join("target/test-tools/bin/python"));
    command.args(["-c", script]);
    command
}

/// A program in a directory of its own, with a curl that takes care.
fn run_in(dir: &Path, program: &mut Command) -> Output {
    let found = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&found).map(|folder| folder.join("curl"));
    let real: PathBuf = real.into_iter().find(|it| it.is_file()).unwrap();
    let tools = dir.join("tools");
    std::fs::create_dir(&tools).unwrap();
    let careful = format!("{CAREFUL_CURL}exec '{}' \"$@\"\n", real.display());
    std::fs::write(tools.join("curl"), careful).unwrap();
    let executable = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(tools.join("curl"), executable).unwrap();
    let path = [tools].into_iter().chain(std::env::split_paths(&found));
    program
        .current_dir(dir)
        .env("PATH", std::env::join_paths(path).unwrap())
        .output()
        .unwrap()
}

/// Runs a program beside a file `notes.txt`, and holds that it ends as the document says.
fn shares(program: &mut Command, token: Option<&str>, content: &[u8]) {
    let dir = data_dir();
    std::fs::write(dir.path().join("notes.txt"), content).unwrap();
    match token {
        Some(token) => program.env("FILE_SHARE_TOKEN", token),
        None => program.env_remove("FILE_SHARE_TOKEN"),
    };
    let output = run_in(dir.path(), program);
    let printed = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && printed.ends_with("the same bytes\n"),
        "{printed}\n{complaints}"
    );
    assert!(printed.contains("available"), "{printed}");
}

/// What doesn't fit into one read or one packet, and nothing at all.
fn contents() -> [Vec<u8>; 2] {
    [
        (0..300_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect(),
        vec![],
    ]
}

fn curl_and_python_share(base: &str, token: Option<&str>) {
    for content in contents() {
        shares(&mut sh(&recipe("curl", "sh", base)), token, &content);
        let script = recipe("Python", "python", base);
        shares(&mut python(&script), token, &content);
    }
}

/// A token that may do what the programs do, for the owner of `proof`.
fn token_for(base: &str, proof: &str) -> String {
    let wanted = json!({"label": "recipes", "scopes": ["read", "write"]}).to_string();
    let proof = format!("Authorization: Bearer {proof}");
    let made = curl_json(&[
        "--header",
        &proof,
        "--json",
        &wanted,
        &format!("{base}/v1/tokens"),
    ]);
    made["token"].as_str().expect("a token").to_owned()
}

#[test]
fn curl_and_python_share_a_file_in_local_mode() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    curl_and_python_share(&program.base, None);
}

/// As when the first answer gets lost: whoever sends again hears 412.
#[test]
fn python_and_curl_take_a_412_for_what_it_says_when_they_declared_the_digest() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let content = b"sent twice".to_vec();
    let twice = "import requests\n_put = requests.put\ndef _twice(*args, **more):\n    \
                 _put(*args, **more).raise_for_status()\n    answer = _put(*args, **more)\n    \
                 assert answer.status_code == 412\n    return answer\nrequests.put = _twice\n";
    let script = format!("{twice}{}", recipe("Python", "python", &program.base));
    shares(&mut python(&script), None, &content);
    let recipe = recipe("curl", "sh", &program.base);
    let (before, _) = recipe
        .split_once("sent=$(curl")
        .expect("the recipe sends the bytes");
    let first = "curl --silent --fail --upload-file notes.txt --header @headers.txt \"$url\"\n";
    let rest = &recipe[before.len()..];
    shares(&mut sh(&format!("{before}{first}{rest}")), None, &content);
}

#[test]
fn pages_node_uppy_and_typescript_share_files_in_local_mode() {
    let dir = data_dir();
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let program = Program::local(dir.path(), &[("ALLOWED_ORIGINS", &origin)]);
    let setup = json!({"mode": "local", "service": program.base, "port": port});
    node_tests::run("clients.test.mjs", &setup, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_share_files_in_aws_mode() {
    let deployment = MiniStack::shared().await.deploy("clients").await;
    let share = move || {
        let port = free_port();
        let origin = format!("http://127.0.0.1:{port}");
        let program = Program::aws_api(&deployment, &[("ALLOWED_ORIGINS", &origin)]);
        let _worker = Program::worker(&deployment, &[]);
        curl_and_python_share(&program.base, None);
        let setup = json!({
            "mode": "aws",
            "service": program.base,
            "port": port,
            "store": deployment.endpoint,
        });
        node_tests::run("clients.test.mjs", &setup, 4);
    };
    tokio::task::spawn_blocking(share).await.unwrap();
}

#[test]
fn all_of_them_show_a_token_to_a_service_in_local_mode_that_asks_for_one() {
    let dir = data_dir();
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let settings = [("ACCESS", "key"), ("ALLOWED_ORIGINS", origin.as_str())];
    let program = Program::local(dir.path(), &settings);
    let key = std::fs::read_to_string(dir.path().join("access-key")).unwrap();
    let token = token_for(&program.base, key.trim_end());
    curl_and_python_share(&program.base, Some(&token));
    let setup = json!({
        "mode": "local",
        "service": program.base,
        "port": port,
        "token": token,
    });
    node_tests::run("clients.test.mjs", &setup, 4);
    // The key does as well, and nothing doesn't.
    curl_and_python_share(&program.base, Some(key.trim_end()));
    let files = format!("{}/v1/files", program.base);
    assert_eq!(curl_status(&[&files]), "401");
    for secret in [&token, key.trim_end()] {
        assert!(!program.log().contains(secret), "the log has a secret");
    }
}

/// The store is on another origin here, and what is sent there is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_show_their_token_to_the_service_and_never_to_the_store() {
    let deployment = MiniStack::shared().await.deploy("client-tokens").await;
    let issuer = Issuer::start();
    let access_token = issuer.tokens_of("bob").await.access;
    let store = RecordingProxy::to(&deployment.endpoint);
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let store_url = store.url();
    let listen = format!("127.0.0.1:{}", free_port());
    let public_url = format!("http://{listen}");
    let settings = issuer_sign_in::settings(&issuer);
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<(&str, &str)> = settings
        .chain([
            ("SESSION_SECRET", issuer_sign_in::SESSION_SECRET),
            ("LISTEN", &listen),
            ("PUBLIC_URL", &public_url),
            ("ALLOWED_ORIGINS", &origin),
            ("S3_PUBLIC_ENDPOINT_URL", &store_url),
        ])
        .collect();
    let share = || {
        let program = Program::aws_api(&deployment, &settings);
        let _worker = Program::worker(&deployment, &[]);
        let token = token_for(&program.base, &access_token);
        let tokens = [&token, &access_token];
        for token in tokens {
            curl_and_python_share(&program.base, Some(token));
        }
        let setup = json!({
            "mode": "aws",
            "service": program.base,
            "port": port,
            "store": store_url,
            "token": token,
        });
        node_tests::run("clients.test.mjs", &setup, 4);
        let sent = store.take_sent();
        let uploads = sent.matches("\r\nif-none-match: *").count()
            + sent.matches("\r\nIf-None-Match: *").count();
        // Four programs of two contents, a page, Node, TypeScript, and three of Uppy's.
        assert_eq!(uploads, 4 * 2 + 3 + 3, "the uploads come by the proxy");
        let log = program.log();
        for token in tokens {
            assert!(!sent.contains(token), "the store was shown a token");
            assert!(!log.contains(token), "the log has a token");
        }
        assert!(!sent.to_ascii_lowercase().contains("\r\nauthorization:"));
        // It would have been seen.
        let proof = format!("Authorization: Bearer {token}");
        curl(&["--header", &proof, &format!("{store_url}/")]);
        assert!(store.take_sent().contains(&token));
    };
    tokio::task::block_in_place(share);
}

/// The access tokens that calls came with, in their order.
fn bearers(sent: &str) -> Vec<&str> {
    let lines = sent.lines().filter_map(|line| line.split_once(": Bearer "));
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .map(|(_, token)| token)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_on_its_own_renews_its_token_before_it_ends_and_once_after_a_401() {
    const HEADING: &str = "A program on its own";
    let (dir, issuer) = (data_dir(), Issuer::start());
    let program = service(dir.path(), &issuer, &[]);
    let proxy = RecordingProxy::to(&program.base);
    let base = proxy.url();
    for (said, expected) in [
        // Two calls, each with a token by its number.
        (json!({"groups": ["members"]}), &[0, 0][..]),
        (json!({"groups": ["members"], "first": []}), &[0, 1, 1]),
        (json!({"groups": ["members"], "seconds": 25}), &[0, 1]),
        (json!({"groups": []}), &[0, 1]),
    ] {
        for mut command in [
            sh(&recipe(HEADING, "sh", &base)),
            python(&recipe(HEADING, "python", &base)),
        ] {
            issuer.set_program(&said).await;
            command
                .env("OIDC_ISSUER", &issuer.url)
                .env("CLIENT_ID", "program")
                .env("CLIENT_SECRET", "program-secret");
            let dir = data_dir();
            let output = tokio::task::block_in_place(|| run_in(dir.path(), &mut command));
            let [printed, complaints] =
                [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
            let sent = proxy.take_sent();
            let shown = bearers(&sent);
            let mut known: Vec<&str> = Vec::new();
            let numbers = shown.iter().map(|&token| {
                let at = known.iter().position(|it| *it == token);
                at.unwrap_or_else(|| {
                    known.push(token);
                    known.len() - 1
                })
            });
            let numbers: Vec<usize> = numbers.collect();
            assert_eq!(numbers, expected, "{said} {command:?}\n{complaints}");
            // Without a group it is nobody, and hears so.
            let is_in = said["groups"] != json!([]);
            assert_eq!(output.status.success(), is_in, "{said}\n{complaints}");
            match is_in {
                true => {
                    let record: Value = serde_json::from_str(&printed).unwrap();
                    assert_eq!(record["filename"], "report.csv", "{record}");
                }
                false => {
                    assert!(complaints.contains("401") || complaints.contains("sign_in_required"))
                }
            }
            for token in known {
                assert!(!program.log().contains(token), "the log has a token");
            }
        }
    }
    // It is a member: its files are its own.
    issuer.set_program(&json!({"groups": ["members"]})).await;
    let token = issuer.program_token("RS256").await;
    let list = client().get(format!("{}/v1/files", program.base));
    let list = list.bearer_auth(token).send().await.unwrap();
    assert_eq!(list.status(), StatusCode::OK);
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["files"].as_array().unwrap().len(), 6);
}

#[test]
fn a_receipt_is_verified_as_the_document_says_and_what_was_changed_is_refused() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    let base = &program.base;
    let record = {
        let path = dir.path().join("to-send");
        std::fs::write(&path, "handed in").unwrap();
        let created = create(base, &json!({"filename": "notes.txt", "size": 9}));
        assert_eq!(upload(&created, &path), "200");
        created
    };
    let url = format!("{base}/v1/files/{}", record["id"].as_str().unwrap());
    let settled = curl_json(&[&format!("{url}/metadata?wait=20")]);
    assert_eq!(settled["status"], "available");
    let receipt = String::from_utf8(curl(&[&format!("{url}/receipt")])).unwrap();
    let changed = receipt.replacen("eyJ", "eyI", 2);
    let script = recipe("Receipts", "python", base);
    for (receipt, content, said) in [
        (&receipt, "handed in", "the same bytes"),
        (&receipt, "handed on", "another file"),
        (&changed, "handed in", "not genuine"),
    ] {
        let beside = data_dir();
        std::fs::write(beside.path().join("notes.txt"), content).unwrap();
        std::fs::write(beside.path().join("notes.txt.receipt.jws"), receipt).unwrap();
        let output = run_in(beside.path(), &mut python(&script));
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.ends_with(&format!("{said}\n")), "{printed}");
        assert_eq!(
            output.status.success(),
            said == "the same bytes",
            "{printed}"
        );
    }
}

/// Versions in the document are those that the tests install.
#[test]
fn the_document_names_the_major_version_of_uppy_that_is_tested() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/package.json");
    let packages: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(packages).unwrap()).unwrap();
    let version = packages["devDependencies"]["@uppy/aws-s3"]
        .as_str()
        .unwrap();
    let (major, _) = version.split_once('.').unwrap();
    assert!(document().contains(&format!("`@uppy/core` and `@uppy/aws-s3` {major}.")));
}
