//! What the project's public host runs: make's own targets, which together are all of `make test`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const CHANGES: &str = include_str!("../../.github/workflows/ci.yml");
const NIGHTLY: &str = include_str!("../../.github/workflows/nightly.yml");
const FUZZ: &str = include_str!("../../fuzz/Cargo.toml");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands in brackets behind a key of a matrix.
fn listed<'a>(workflow: &'a str, key: &str) -> Vec<&'a str> {
    let (_, rest) = workflow.split_once(&format!(" {key}: [")).unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    list.split(", ").collect()
}

/// What stands behind dashes below a key of a matrix.
fn items<'a>(workflow: &'a str, key: &str) -> Vec<&'a str> {
    let (_, rest) = workflow.split_once(&format!(" {key}:\n")).unwrap();
    let items = rest.lines().map(str::trim_start);
    items.map_while(|line| line.strip_prefix("- ")).collect()
}

/// What make would run. Not by the `make` that may have started the tests.
fn recipe(arguments: &str) -> String {
    let output = Command::new("make")
        .args(["--dry-run", "--always-make"])
        .args(arguments.split(' '))
        .current_dir(root())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "make {arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_job_makes_a_target_that_exists() {
    assert!(CHANGES.contains("- run: make ${{ matrix.target }}\n"));
    assert!(NIGHTLY.contains("- run: make ${{ matrix.command }}\n"));
    let mut made = listed(CHANGES, "target");
    made.extend(items(NIGHTLY, "command"));
    made.push("fuzz TARGET=cursor SECONDS=1");
    assert!(made.len() >= 10, "{made:?}");
    for arguments in made {
        assert!(!recipe(arguments).trim().is_empty(), "make {arguments}");
    }
    let fuzzed: BTreeSet<&str> = listed(NIGHTLY, "target").into_iter().collect();
    let targets = FUZZ.split("[[bin]]\nname = \"").skip(1);
    let targets = targets.map(|part| part.split('"').next().unwrap());
    assert_eq!(fuzzed, targets.collect());
}

#[test]
fn the_jobs_of_a_change_run_all_that_make_test_runs() {
    let jobs = listed(CHANGES, "target");
    assert_eq!(jobs[0], "lint");
    let run: String = jobs[1..].iter().map(|target| recipe(target)).collect();
    // All of it but the tests, which the jobs run in these parts.
    const TESTS: &str = "cargo test --workspace --locked";
    let whole = recipe("test");
    assert!(whole.lines().any(|line| line == TESTS), "{whole}");
    let parts = [
        "cargo test --workspace --exclude file-share-model --locked --lib --bins",
        "cargo test --locked --package file-share-model --lib",
        "cargo test --workspace --locked --doc",
        "cargo test --locked --package file-share-worker --test simulation",
    ];
    let others = whole.lines().filter(|line| *line != TESTS);
    for part in others.chain(parts) {
        let is_run = run.lines().any(|line| line == part);
        assert!(is_run, "no job runs {part}:\n{run}");
    }
    // One job leaves out exactly what another one runs.
    let after = |text: &str| {
        let (_, modules) = run.split_once(text).unwrap();
        let modules = modules.lines().next().unwrap().split(' ');
        modules
            .filter(|word| *word != "--skip")
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let left_out = after("--test it -- --skip ");
    let (_, run) = run.split_once("--test it -- --skip ").unwrap();
    let (_, run) = run.split_once("--test it -- ").unwrap();
    let run_alone = run.lines().next().unwrap().split(' ').map(str::to_owned);
    assert_eq!(left_out, run_alone.collect());
    assert!(left_out.len() > 10);
    // A program of tests that is new needs a job.
    let mut programs = BTreeSet::new();
    for package in ["", "worker", "cli", "chaos"] {
        let Ok(folders) = fs::read_dir(root().join(package).join("tests")) else {
            continue;
        };
        for folder in folders {
            let path = folder.unwrap().path();
            let is_program =
                path.join("main.rs").exists() || path.extension().is_some_and(|it| it == "rs");
            if is_program {
                programs.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let known = ["it", "simulation"].map(str::to_owned);
    assert_eq!(programs, known.into_iter().collect());
}

#[test]
fn every_action_is_one_commit() {
    let used = [CHANGES, NIGHTLY].map(|workflow| workflow.matches("uses: ").count());
    assert!(used.iter().all(|count| *count > 0));
    for line in [CHANGES, NIGHTLY]
        .iter()
        .flat_map(|workflow| workflow.lines())
    {
        let Some((_, action)) = line.split_once("uses: ") else {
            continue;
        };
        let (_, version) = action.split_once('@').unwrap();
        let commit = version.split(' ').next().unwrap();
        let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(is_commit, "{line}");
    }
}
