//! The compose file: what can be held without a Docker daemon.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The compose file with its anchors and merges resolved, by the test tools' YAML reader. It refuses
/// a file that isn't YAML.
fn compose() -> Value {
    let tools = std::env::var_os("MINISTACK_BIN").map_or_else(
        || Path::new(ROOT).join("target/test-tools/bin/ministack"),
        PathBuf::from,
    );
    let output = Command::new(tools.with_file_name("python"))
        .args([
            "-c",
            "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)",
        ])
        .stdin(std::fs::File::open(Path::new(ROOT).join("docker-compose.yml")).unwrap())
        .output()
        .expect("the test tools are installed: run `make test`");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    let all = value.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_emulator_can_be_chosen_and_checks_signatures() {
    let compose = compose();
    let emulator = &compose["services"]["localstack"];
    let image = emulator["image"].as_str().unwrap();
    assert!(
        image.starts_with("${") && image.ends_with(":-localstack/localstack:4.14.0}"),
        "{image}"
    );
    assert_eq!(emulator["environment"]["S3_SKIP_SIGNATURE_VALIDATION"], "0");
    assert_eq!(emulator["environment"]["AUTH"], "true");
    // LocalStack takes no other secret once it checks.
    for program in ["api", "worker"] {
        let environment = &compose["services"][program]["environment"];
        assert_eq!(environment["AWS_SECRET_ACCESS_KEY"], "test");
    }
}

#[test]
fn the_emulator_deploys_the_one_template_and_is_healthy_only_then() {
    let compose = compose();
    let emulator = &compose["services"]["localstack"];
    let mounts = texts(&emulator["volumes"]);
    assert!(mounts.contains(&"./localstack-init/ready.d:/etc/localstack/init/ready.d:ro"));
    for mount in &mounts {
        let source = mount.split(':').next().unwrap();
        assert!(
            Path::new(ROOT).join(source).is_dir(),
            "{source} isn't there"
        );
    }
    assert!(Path::new(ROOT).join("deploy/stack.yaml").is_file());
    let ready_file = emulator["environment"]["STACK_READY_FILE"]
        .as_str()
        .unwrap();
    assert!(texts(&emulator["healthcheck"]["test"]).contains(&ready_file));
    for program in ["api", "worker"] {
        assert_eq!(
            compose["services"][program]["depends_on"]["localstack"]["condition"],
            "service_healthy"
        );
    }
}

/// LocalStack answers for those services alone that it is told to have.
#[test]
fn the_emulator_has_the_services_of_everything_that_the_template_makes_by_default() {
    let compose = compose();
    let services = &compose["services"]["localstack"]["environment"]["SERVICES"];
    let services: BTreeSet<&str> = services.as_str().unwrap().split(',').collect();
    let template = include_str!("../../deploy/stack.yaml");
    let (_, resources) = template.split_once("\nResources:\n").unwrap();
    let (resources, _) = resources.split_once("\nOutputs:\n").unwrap();
    let mut types = 0;
    for resource in resources.split("    Type: AWS::").skip(1) {
        let (kind, rest) = resource.split_once('\n').unwrap();
        // Such as a key or a rule of one's own; the emulator speaks no TLS either.
        if rest.starts_with("    Condition: ") {
            continue;
        }
        let service = kind.split("::").next().unwrap().to_ascii_lowercase();
        assert!(services.contains(&*service), "{kind} needs {service}");
        types += 1;
    }
    assert!(types > 8, "{types}");
}

#[test]
fn the_programs_use_the_inner_endpoint_and_clients_the_outer_one() {
    let compose = compose();
    for program in ["api", "worker"] {
        let environment = &compose["services"][program]["environment"];
        assert_eq!(environment["AWS_ENDPOINT_URL"], "http://localstack:4566");
        let names = &compose["services"]["localstack"]["environment"];
        for name in ["BUCKET_NAME", "TABLE_NAME"] {
            assert_eq!(environment[name], names[name], "{name}");
        }
    }
    let api = &compose["services"]["api"]["environment"];
    let public = api["S3_PUBLIC_ENDPOINT_URL"].as_str().unwrap();
    assert!(public.starts_with("http://localhost:"), "{public}");
    let queue = compose["services"]["worker"]["environment"]["QUEUE_URL"].as_str();
    let name = compose["services"]["localstack"]["environment"]["QUEUE_NAME"].as_str();
    assert!(queue.unwrap().ends_with(&format!("/{}", name.unwrap())));
}

#[test]
fn every_setting_in_it_is_one_of_the_program_that_gets_it() {
    // In aws mode or not is the API's to know; the worker has no other.
    const FOR_BOTH: [&str; 5] = [
        "MODE",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ];
    let compose = compose();
    let api = PathBuf::from(env!("CARGO_BIN_EXE_file-share"));
    let worker = api.with_file_name("file-share-worker");
    for (service, program) in [("api", api), ("worker", worker)] {
        let help = Command::new(program).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let settings = compose["services"][service]["environment"].as_object();
        for name in settings.unwrap().keys() {
            assert!(
                FOR_BOTH.contains(&name.as_str())
                    || help.contains(&format!("[env: {name}="))
                    // A secret, whose value isn't shown.
                    || help.contains(&format!("[env: {name}]")),
                "{service} doesn't know {name}"
            );
        }
    }
}

#[test]
fn what_happens_is_told_where_it_is_said_where_compose_runs_and_the_worker_alone_signs() {
    let compose = compose();
    let given = |service: &str, name: &str| {
        let settings = compose["services"][service]["environment"].as_object();
        settings.unwrap().get(name).cloned()
    };
    // Without a value: taken over if it is set, and absent if it isn't.
    let taken_over = Some(Value::Null);
    assert_eq!(given("api", "WEBHOOK_URL"), taken_over);
    assert_eq!(given("api", "WEBHOOK_SECRET"), None);
    for name in ["WEBHOOK_URL", "WEBHOOK_SECRET"] {
        assert_eq!(given("worker", name), taken_over, "{name}");
    }
}

#[test]
fn images_are_built_from_targets_that_exist_and_run_without_root() {
    let compose = compose();
    let dockerfile = std::fs::read_to_string(Path::new(ROOT).join("Dockerfile")).unwrap();
    let mut targets = BTreeSet::new();
    for program in ["api", "worker"] {
        let target = compose["services"][program]["build"]["target"].as_str();
        let target = target.unwrap();
        let (_, stage) = dockerfile
            .split_once(&format!(" AS {target}\n"))
            .unwrap_or_else(|| panic!("the Dockerfile has no target {target}"));
        targets.insert(target.to_owned());
        let stage = stage.split("\nFROM ").next().unwrap();
        assert!(stage.contains("\nENTRYPOINT "), "{target} starts nothing");
        assert!(
            stage
                .lines()
                .any(|line| line.starts_with("USER ") && !line.contains("root")),
            "{target} runs as root"
        );
    }
    assert_eq!(targets.len(), 2);
    assert!(
        dockerfile.contains("\nHEALTHCHECK "),
        "the API has a health check"
    );
}
