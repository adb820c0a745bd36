//! The packages for developers, made as `make packages` makes them, and used as whoever installs them would:
//! `packages/npm` by `tests/browser/package.test.mjs`, `packages/python` by its own tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::curl::curl_json;
use crate::support::ministack::project_root;
use crate::support::node_tests::{self, free_port};
use crate::support::program::{Program, data_dir};

/// Where the packages of the tests lie.
const MADE: &str = "target/packages/tests";
/// The tools that make and judge Python's.
const TOOLS: &str = "target/package-tools/bin";

/// Runs it in the project's folder.
///
/// # Panics
/// If it fails, with what it said.
fn run(command: &mut Command) -> String {
    let output = command.current_dir(project_root()).output().unwrap();
    let [printed, complaints] =
        [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(
        output.status.success(),
        "{command:?}\n{printed}\n{complaints}"
    );
    printed
}

/// An empty folder for what this process makes.
fn made(name: &str) -> PathBuf {
    let folder = project_root().join(MADE).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A folder such as `node_modules`, with what `npm pack` made.
pub(crate) fn node_modules() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = made("npm");
        let packed = run(Command::new("node")
            .arg("packages/npm/pack.mjs")
            .arg(&folder));
        let modules = folder.join("node_modules");
        std::fs::create_dir(&modules).unwrap();
        run(Command::new("tar")
            .args(["-xzf", packed.trim_end(), "-C"])
            .arg(&modules));
        std::fs::rename(modules.join("package"), modules.join("file-share-client")).unwrap();
        modules
    });
    &FOLDER
}

/// A folder for `PYTHONPATH`, where pip installed the wheel.
pub(crate) fn site() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = made("python");
        let pip = |command: &str| {
            let mut pip = Command::new(project_root().join(TOOLS).join("python"));
            pip.args([
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--quiet",
                command,
            ]);
            pip.args(["--no-index", "--no-deps"]);
            pip
        };
        run(pip("wheel")
            .args(["--no-build-isolation", "--wheel-dir"])
            .arg(&folder)
            .arg("packages/python"));
        let wheel = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
        let site = folder.join("site");
        run(pip("install").arg("--target").arg(&site).arg(wheel.path()));
        site
    });
    &FOLDER
}

/// A token that may read and write, of a service that asks for one.
pub(crate) fn token_of(program: &Program, data_dir: &Path) -> String {
    let key = std::fs::read_to_string(data_dir.join("access-key")).unwrap();
    let proof = format!("Authorization: Bearer {}", key.trim_end());
    let wanted = json!({"label": "packages", "scopes": ["read", "write"]}).to_string();
    let url = format!("{}/v1/tokens", program.base);
    let made = curl_json(&["--header", &proof, "--json", &wanted, &url]);
    made["token"].as_str().expect("a token").to_owned()
}

#[test]
fn the_packages_have_the_version_of_the_programs() {
    let version = env!("CARGO_PKG_VERSION");
    let npm = std::fs::read_to_string(project_root().join("packages/npm/package.json")).unwrap();
    let npm: Value = serde_json::from_str(&npm).unwrap();
    assert_eq!(npm["version"], version);
    let python = project_root().join("packages/python/pyproject.toml");
    let python = std::fs::read_to_string(python).unwrap();
    assert!(python.contains(&format!("\nversion = \"{version}\"\n")));
}

#[test]
fn pages_of_another_origin_and_node_upload_with_npms_package_whatever_breaks_off() {
    let dir = data_dir();
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let settings = [("ACCESS", "key"), ("ALLOWED_ORIGINS", origin.as_str())];
    let program = Program::local(dir.path(), &settings);
    let token = token_of(&program, dir.path());
    let setup = json!({
        "mode": "local",
        "service": program.base,
        "port": port,
        "token": token,
        "modules": node_modules(),
    });
    node_tests::run("package.test.mjs", &setup, 13);
    assert!(!program.log().contains(&token), "the log has the token");
}

#[test]
fn pythons_package_shares_and_fetches_in_bounded_memory_whatever_breaks_off() {
    let dir = data_dir();
    let program = Program::local(dir.path(), &[("ACCESS", "key")]);
    let token = token_of(&program, dir.path());
    let mut tests = Command::new(project_root().join(TOOLS).join("python"));
    tests
        .args(["-m", "unittest", "discover", "-s", "packages/python/tests"])
        .env("PYTHONPATH", site())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("FILE_SHARE_TEST_URL", &program.base)
        .env("FILE_SHARE_TOKEN", &token)
        .env_remove("FILE_SHARE_URL")
        .current_dir(project_root());
    let output = tests.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let (_, count) = told.split_once("\nRan ").expect("it says how many ran");
    let count: u32 = count.split(' ').next().unwrap().parse().unwrap();
    assert!(count >= 25, "{told}");
    assert!(!told.contains("skipped"), "{told}");
    assert!(!program.log().contains(&token), "the log has the token");
}

#[test]
fn pythons_package_is_typed_through_and_through() {
    let mypy = project_root().join(TOOLS).join("mypy");
    run(Command::new(mypy)
        .args(["--config-file", "packages/python/pyproject.toml"])
        .args(["--cache-dir", "target/packages/mypy", "packages/python/src"]));
}
