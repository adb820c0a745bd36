//! What an operator may choose of `deploy/stack.yaml` beyond names: a key of its own, alarms, cheaper storage; and what
//! holds whatever they choose.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::infrastructure::sqs;
use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::Program;

const TEMPLATE: &str = include_str!("../../deploy/stack.yaml");

/// What stands in the template between these two lines.
fn section(from: &str, to: &str) -> &'static str {
    let (_, rest) = TEMPLATE.split_once(from).expect(from);
    rest.split_once(to).expect(to).0
}

async fn told(deployment: &Deployment, arguments: &[&str]) -> Value {
    let ministack = MiniStack::shared().await;
    let told = ministack.aws(&deployment.admin, arguments).await;
    told.unwrap_or_else(|why| panic!("{arguments:?}: {why}"))
}

/// Which key the queues encrypt with.
async fn keys(deployment: &Deployment) -> [Option<String>; 2] {
    let sqs = sqs(deployment, &deployment.admin);
    let urls = [
        &*deployment.queue_url,
        deployment.output("DeadLetterQueueUrl"),
    ];
    let asked = urls.map(async |url| {
        let asked = sqs.get_queue_attributes().queue_url(url);
        let told = asked.attribute_names(QueueAttributeName::All).send().await;
        told.unwrap()
            .attributes?
            .remove(&QueueAttributeName::KmsMasterKeyId)
    });
    let [events, dead_letters] = asked;
    [events.await, dead_letters.await]
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_of_the_stacks_own_files_are_shared_as_without() {
    let ministack = MiniStack::shared().await;
    let settings = [("ENCRYPTION", "own-key")];
    let deployment = ministack.deploy_with("own-key", &settings).await;
    let arn = Some(deployment.output("KeyArn").to_owned());
    assert_eq!(keys(&deployment).await, [arn.clone(), arn]);

    let (api, _worker) = tokio::task::block_in_place(|| {
        (
            Program::aws_api(&deployment, &[]),
            Program::worker(&deployment, &[]),
        )
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("to-send");
    std::fs::write(&path, "hello").unwrap();
    tokio::task::block_in_place(|| {
        let created = create(&api.base, &json!({"filename": "a.txt", "size": 5}));
        assert_eq!(upload(&created, &path), "200", "{created}");
        let url = format!("{}/v1/files/{}", api.base, created["id"].as_str().unwrap());
        let file = curl_json(&[&format!("{url}/metadata?wait=20")]);
        assert_eq!(file["status"], "available", "{file}");
        assert_eq!(curl(&["--location", &url]), b"hello");
    });
}

#[tokio::test]
async fn without_one_nothing_of_kms_is_made_and_nobody_may_use_any_key() {
    let deployment = Deployment::shared().await;
    assert_eq!(keys(deployment).await, [None, None]);
    assert!(deployment.outputs.get("KeyArn").is_none());
}

/// MiniStack lets everybody use every key and forgets that of a bucket, so the template itself is looked at.
#[test]
fn each_program_may_use_the_key_for_what_it_does_and_s3_may_send_events() {
    let bucket = section("\n  Bucket:\n", "\n  BucketPolicy:\n");
    for line in [
        "SSEAlgorithm: !If [HasOwnKey, \"aws:kms\", AES256]\n",
        "KMSMasterKeyID: !If [HasOwnKey, !GetAtt Key.Arn, !Ref AWS::NoValue]\n",
        "BucketKeyEnabled: !If [HasOwnKey, true, !Ref AWS::NoValue]\n",
    ] {
        assert!(bucket.contains(line), "{line}");
    }
    let of = |policy: &str, next: &str| section(&format!("\n  {policy}:\n"), next);
    let encrypts = "                - kms:Decrypt\n                - kms:GenerateDataKey\n";
    let api = of("ApiPolicy", "\n  WorkerPolicy:\n");
    assert!(api.contains(encrypts), "it signs PUTs and GETs");
    let worker = of("WorkerPolicy", "\n  ExecutionPolicy:\n");
    assert!(worker.contains("kms:Decrypt\n") && !worker.contains("GenerateDataKey"));
    let operator = of("OperatorPolicy", "\nOutputs:\n");
    assert!(operator.contains(encrypts), "it sends events back");
    for policy in [api, worker, operator] {
        assert_eq!(
            policy.matches("kms:").count(),
            policy.matches("- kms:").count()
        );
        assert!(policy.contains("Resource: !GetAtt Key.Arn\n"));
    }
    let key = of("Key", "\n  # ---- the object store");
    let events = key.split_once("- Sid: LetTheBucketSendEvents\n").unwrap().1;
    assert!(events.contains("Service: s3.amazonaws.com\n"));
    assert!(events.contains("- kms:Decrypt\n") && events.contains("- kms:GenerateDataKey\n"));
}

#[tokio::test]
async fn alarms_are_there_where_somebody_is_to_be_told() {
    let ministack = MiniStack::shared().await;
    let topic = "arn:aws:sns:us-east-1:000000000000:on-call";
    let settings = [("ALARM_TOPIC_ARN", topic)];
    let deployment = ministack.deploy_with("alarms", &settings).await;
    let all = told(&deployment, &["cloudwatch", "describe-alarms"]).await;
    let alarms = all["MetricAlarms"].as_array().unwrap().iter();
    let prefix = deployment.bucket.strip_suffix("-bucket").unwrap();
    let ours: Vec<_> = alarms
        .filter(|alarm| alarm.to_string().contains(prefix))
        .collect();
    let watched: Vec<_> = ours
        .iter()
        .filter_map(|it| it["MetricName"].as_str())
        .collect();
    for metric in [
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
    ] {
        assert!(watched.contains(&metric), "{ours:?}");
    }
    for alarm in ours {
        assert_eq!(alarm["AlarmActions"], json!([topic]), "{alarm}");
        assert_eq!(alarm["OKActions"], json!([topic]), "{alarm}");
    }
    let refused = ministack
        .refuses_to_deploy(&[("ALARM_TOPIC_ARN", "me@example.org")])
        .await;
    assert!(refused.is_some(), "an address is no topic");
}

/// The emulator speaks no TLS, takes tables away and leaves lifecycles out, so the template itself is looked at.
#[test]
fn queues_take_tls_alone_tables_stay_and_cold_storage_gives_bytes_at_once() {
    for (policy, next, queue) in [
        ("QueuePolicy", "\n  DeadLetterQueuePolicy:\n", "Queue"),
        (
            "DeadLetterQueuePolicy",
            "\n  # ---- metadata",
            "DeadLetterQueue",
        ),
    ] {
        let policy = section(&format!("\n  {policy}:\n"), next);
        let denied = policy.split_once("- Sid: DenyPlainHttp\n").unwrap().1;
        let lines: Vec<&str> = denied.lines().map(str::trim).collect();
        let resource = format!("Resource: !GetAtt {queue}.Arn");
        for line in [
            "Effect: Deny",
            "Principal: \"*\"",
            "Action: sqs:*",
            &resource,
            "aws:SecureTransport: \"false\"",
        ] {
            assert!(lines.contains(&line), "{line}");
        }
    }
    for protected in ["DeletionProtection", "RequireTls"] {
        let parameter = section(&format!("\n  {protected}:\n"), "    Description:");
        assert!(parameter.contains("Default: \"true\"\n"), "{protected}");
    }
    let classes = section("\n  ColdStorage:\n", "\n  ColdStorageDays:\n");
    // From all others a download would have to wait for hours.
    assert!(classes.contains("AllowedValues: [none, STANDARD_IA, GLACIER_IR]\n"));
}

/// The emulator knows neither who a principal is nor what a bucket tells the bus, so the template itself is looked at.
#[test]
fn where_guardduty_scans_nobody_else_tags_and_its_rule_alone_is_let_in() {
    let bucket = section("\n  BucketPolicy:\n", "\n  # ---- upload events");
    let denied = bucket
        .split_once("- Sid: DenyTaggingToAllButGuardDuty\n")
        .unwrap()
        .1;
    let (denied, _) = denied.split_once("AWS::NoValue").unwrap();
    for line in [
        "Effect: Deny\n",
        "Principal: \"*\"\n",
        "- s3:PutObjectTagging\n",
        "- s3:PutObjectVersionTagging\n",
        "Resource: !Sub \"${Bucket.Arn}/uploads/*\"\n",
        "ArnNotEquals:\n",
        "aws:PrincipalArn: !Ref GuardDutyRoleArn\n",
    ] {
        assert!(denied.contains(line), "{line}");
    }
    let policies = section("\n  ApiPolicy:\n", "\nOutputs:\n");
    assert!(
        !policies.contains("PutObjectTagging") && !policies.contains("PutObjectVersionTagging")
    );
    assert_eq!(policies.matches("ObjectVersionTagging").count(), 1);
    let queue = section("\n  QueuePolicy:\n", "\n  ScanResultRule:\n");
    let admitted = queue.split_once("- Sid: AdmitResultsOfScans\n").unwrap().1;
    let (admitted, _) = admitted.split_once("AWS::NoValue").unwrap();
    for line in [
        "Service: events.amazonaws.com\n",
        "Action: sqs:SendMessage\n",
        "aws:SourceArn: !GetAtt ScanResultRule.Arn\n",
    ] {
        assert!(admitted.contains(line), "{line}");
    }
    // Without it the bucket would stop to tell GuardDuty of new objects.
    let events = section(
        "\n      NotificationConfiguration:\n",
        "QueueConfigurations:\n",
    );
    assert!(events.contains("EventBridgeEnabled: true\n"));
    for statement in [
        "AdmitResultsOfScans",
        "DenyTaggingToAllButGuardDuty",
        "ReadWhatGuardDutySays",
    ] {
        let (before, _) = TEMPLATE.split_once(&format!("Sid: {statement}\n")).unwrap();
        let (_, condition) = before.rsplit_once("- !If\n").unwrap();
        assert!(
            condition.trim_start().starts_with("- GuardDutyScans\n"),
            "{statement}"
        );
    }
}
