//! `deploy/serverless.yaml`, deployed as `docs/serverless.md` says: the functions under the roles that it gives them, behind
//! the stand-in's API Gateway and queue.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::journey::share;
use crate::support::curl::{curl, curl_status};
use crate::support::ministack::{MiniStack, project_root};
use crate::support::program::built;

const GUIDE: &str = include_str!("../../docs/serverless.md");
const TEMPLATE: &str = include_str!("../../deploy/serverless.yaml");
const CODE_BUCKET: &str = "fs-serverless-code";
/// 32 bytes as base64url, which do for each.
const SECRET: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// The zip that `make lambda` would make, of a script that starts the program as it was built here: with all that a
/// debugger wants it has hundreds of megabytes.
fn packed(dir: &Path, program: &str) -> String {
    let script = dir.join(format!("{program}.sh"));
    let start = format!("#!/bin/sh\nexec '{}'\n", built(program).display());
    std::fs::write(&script, start).unwrap();
    let zip = dir.join(format!("{program}-1.zip"));
    let pack = project_root().join("deploy/lambda_zip.py");
    let mut command = Command::new("python3");
    let packed = command.arg(pack).args([&script, &zip]).status().unwrap();
    assert!(packed.success());
    zip.to_str().unwrap().to_owned()
}

/// The commands of the guide that deploy the functions.
fn commands() -> String {
    let block = GUIDE.split("```").find(|it| it.contains("outputs=$("));
    let block = block.unwrap().strip_prefix("sh\n").unwrap();
    let lines = block
        .lines()
        .map(|line| line.trim_start().to_owned() + "\n");
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_guide_deploys_shares_files_in_two_steps_under_the_roles_of_the_template() {
    let ministack = MiniStack::shared().await;
    let settings = [("VISIBILITY_TIMEOUT_SECONDS", "1800")];
    let deployment = ministack.deploy_with("serverless", &settings).await;
    let stack = deployment.bucket.strip_suffix("-bucket").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (api, worker) = (
        packed(dir.path(), "file-share"),
        packed(dir.path(), "file-share-worker"),
    );
    // The stand-in takes the number of a parameter for a text there.
    let template = dir.path().join("serverless.yaml");
    let for_stand_in = TEMPLATE.replace("Concurrency: !Ref QueueConcurrency", "Concurrency: 8");
    std::fs::write(&template, for_stand_in).unwrap();
    let deploy = commands()
        .replace("file-share-functions", &format!("{stack}-functions"))
        .replace(
            "--stack-name file-share ",
            &format!("--stack-name {stack} "),
        )
        .replace("deploy/serverless.yaml", template.to_str().unwrap())
        .replace("my-code", CODE_BUCKET);
    // It makes secrets of all characters, whatever the stack says.
    let secrets = ["LinkSecretArn", "SessionSecretArn", "ReceiptKeyArn"]
        .map(|name| deployment.output(name).to_owned())
        .join(" ");
    let script = format!(
        "set -e\n\
         for secret in {secrets}; do aws secretsmanager put-secret-value --secret-id $secret \
         --secret-string {SECRET} >/dev/null; done\n\
         aws s3 mb s3://{CODE_BUCKET}\n\
         aws s3 cp '{api}' s3://{CODE_BUCKET}/\n\
         aws s3 cp '{worker}' s3://{CODE_BUCKET}/\n\
         {deploy}\n"
    );
    ministack.sh(&script).await;
    let functions = format!("{stack}-functions");
    let describe = [
        "cloudformation",
        "describe-stacks",
        "--stack-name",
        &functions,
    ];
    let described = ministack.aws(&deployment.admin, &describe).await.unwrap();
    let outputs = described["Stacks"][0]["Outputs"].as_array().unwrap();
    let url = outputs.iter().find(|it| it["OutputKey"] == "Url");
    let url = url.and_then(|it| it["OutputValue"].as_str()).unwrap();
    let id = url
        .strip_prefix("https://")
        .and_then(|it| it.split('.').next());
    // Where the stand-in shows it, since nobody knows its names.
    let base = format!(
        "{}/_aws/execute-api/{}/$default",
        deployment.endpoint,
        id.unwrap()
    );
    tokio::task::block_in_place(|| {
        let file = share(&base, dir.path(), "a.txt", b"hello", true);
        assert_eq!(file["status"], "available", "{file}");
        let url = format!("{base}/v1/files/{}", file["id"].as_str().unwrap());
        assert_eq!(curl(&["--location", &url]), b"hello");
        assert_eq!(curl_status(&["--request", "DELETE", &url]), "204");
        assert_eq!(curl_status(&[&url]), "404");
    });
    let invoke = format!(
        "aws lambda invoke --function-name \"$(aws cloudformation describe-stacks --stack-name {stack}-functions \
         --query \"Stacks[0].Outputs[?OutputKey=='WorkerFunctionName'].OutputValue\" --output text)\" \
         --payload '{{\"task\":\"reconcile\"}}' '{dir}/answer' >/dev/null\n\
         cat '{dir}/answer'",
        dir = dir.path().display()
    );
    let answer: Value = serde_json::from_str(&ministack.sh(&invoke).await).unwrap();
    assert_eq!(answer["isComplete"], true, "{answer}");
}

/// The time that the template gives a function.
pub(crate) fn time_of(function: &str) -> Duration {
    let (_, function) = TEMPLATE.split_once(&format!("  {function}:\n")).unwrap();
    Duration::from_secs(number(function, "Timeout: "))
}

/// The number behind a name, at its first place.
fn number(text: &str, name: &str) -> u64 {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("no {name}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number behind {name}"))
}

#[test]
fn the_template_gives_each_the_time_that_lambda_and_the_gateway_ask_for() {
    let (api, worker) = (time_of("ApiFunction"), time_of("WorkerFunction"));
    let visibility = TEMPLATE
        .split_once("  VisibilityTimeoutSeconds:\n")
        .unwrap()
        .1;
    assert!(number(visibility, "MinValue: ") >= 6 * worker.as_secs());
    assert!(u128::from(number(TEMPLATE, "TimeoutInMillis: ")) > api.as_millis());
    assert!(api > file_share::operations::LONGEST_WAIT + Duration::from_secs(2));
    // One bad message must not bring back all others.
    assert!(TEMPLATE.contains("FunctionResponseTypes: [ReportBatchItemFailures]"));
    assert!(TEMPLATE.contains("PayloadFormatVersion: \"2.0\""));
    for task in [r#"'{"task":"reconcile"}'"#, r#"'{"task":"sweep"}'"#] {
        assert!(TEMPLATE.contains(task), "{task}");
    }
}

/// Paths of links and boxes are permissions, as are queries of presigned URLs, cookies and tokens.
#[test]
fn the_gateways_own_log_has_nothing_of_a_request_that_is_a_permission() {
    let (_, format) = TEMPLATE.split_once("        Format: >-\n").unwrap();
    let format: Value = serde_json::from_str(format.lines().next().unwrap()).unwrap();
    let said = format.as_object().unwrap().values();
    let said: Vec<&str> = said.map(|it| it.as_str().unwrap()).collect();
    assert!(said.len() >= 5, "{said:?}");
    for variable in said {
        let is_harmless = [
            "$context.requestId",
            "$context.requestTimeEpoch",
            "$context.identity.sourceIp",
            "$context.httpMethod",
            "$context.status",
            "$context.responseLatency",
            "$context.integrationErrorMessage",
        ]
        .contains(&variable);
        assert!(is_harmless, "{variable}");
    }
}
