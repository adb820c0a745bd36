//! The programs in `docs/clients.md`, run as they stand there, in both modes. Those for a browser, for Node
//! and for TypeScript are run by `tests/browser/clients.test.mjs`.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::ministack::{MiniStack, project_root};
use crate::support::node_tests::{self, free_port};
use crate::support::program::{Program, data_dir};

const CLIENTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/clients.md"));

/// The first block in this language below a heading, for the service at `base`.
fn recipe(heading: &str, language: &str, base: &str) -> String {
    let (_, below) = CLIENTS
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading is there");
    let (_, block) = below
        .split_once(&format!("```{language}\n"))
        .expect("a block follows");
    let (block, _) = block.split_once("```\n").expect("the block ends");
    assert!(block.contains("http://127.0.0.1:8000"), "{block}");
    block.replace("http://127.0.0.1:8000", base)
}

/// Runs a program beside a file `notes.txt`, and holds that it ends as the document says.
fn shares(program: &mut Command, content: &[u8]) {
    let dir = data_dir();
    std::fs::write(dir.path().join("notes.txt"), content).unwrap();
    let output = program.current_dir(dir.path()).output().unwrap();
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

fn curl_shares(base: &str) {
    for content in contents() {
        let script = format!("set -e\n{}", recipe("curl", "sh", base));
        shares(Command::new("sh").args(["-c", &script]), &content);
    }
}

fn python_shares(base: &str) {
    let python = project_root().join("target/test-tools/bin/python");
    for content in contents() {
        let script = recipe("Python", "python", base);
        shares(Command::new(&python).args(["-c", &script]), &content);
    }
}

#[test]
fn curl_and_python_share_a_file_in_local_mode() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[]);
    curl_shares(&program.base);
    python_shares(&program.base);
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
    let python = project_root().join("target/test-tools/bin/python");
    shares(Command::new(&python).args(["-c", &script]), &content);
    let recipe = recipe("curl", "sh", &program.base);
    let (before, _) = recipe
        .split_once("sent=$(curl")
        .expect("the recipe sends the bytes");
    let first = "curl --silent --fail --upload-file notes.txt --header @headers.txt \"$url\"\n";
    let rest = &recipe[before.len()..];
    let script = format!("set -e\n{before}{first}{rest}");
    shares(Command::new("sh").args(["-c", &script]), &content);
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
        curl_shares(&program.base);
        python_shares(&program.base);
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
    assert!(CLIENTS.contains(&format!("`@uppy/core` and `@uppy/aws-s3` {major}.")));
}
