//! What an operator may choose of `deploy/stack.yaml` beyond names: a key of its own, cheaper storage, GuardDuty; what the
//! templates beside it add, `downloads.yaml` and `alarms.yaml`; and what holds whatever they choose. Of `serverless.yaml`
//! only the size is looked at here: `serverless` has the rest.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::infrastructure::sqs;
use crate::support::curl::{create, curl, curl_json, upload};
use crate::support::edge::CACHE_KEY;
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::program::Program;

const TEMPLATE: &str = include_str!("../../deploy/stack.yaml");
const DOWNLOADS: &str = include_str!("../../deploy/downloads.yaml");
const ALARMS: &str = include_str!("../../deploy/alarms.yaml");
const SERVERLESS: &str = include_str!("../../deploy/serverless.yaml");

/// What stands in the template between these two lines.
fn section(from: &str, to: &str) -> &'static str {
    section_of(TEMPLATE, from, to)
}

/// The same of any template.
fn section_of<'a>(template: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = template.split_once(from).expect(from);
    rest.split_once(to).expect(to).0
}

/// The names of the table's indexes.
fn indexes() -> Vec<&'static str> {
    let table = section("\n  Table:\n", "\n  # ---- signing in");
    let indexes = table.split("- IndexName: ").skip(1);
    let indexes: Vec<_> = indexes.filter_map(|rest| rest.lines().next()).collect();
    assert_eq!(indexes.len(), 4, "a new index is counted too");
    indexes
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

#[test]
fn requests_at_the_bucket_are_logged_in_another_bucket_where_one_is_named() {
    let bucket = section("\n  Bucket:\n", "\n  BucketPolicy:\n");
    let log = section_of(bucket, "LoggingConfiguration: !If\n", "# Files leave");
    let lines: Vec<_> = log.lines().map(str::trim).collect();
    let expected = [
        "- RequestsAreLogged",
        "- DestinationBucketName: !Ref AccessLogBucket",
        r#"LogFilePrefix: !Sub "${BucketName}/""#,
        "- !Ref AWS::NoValue",
    ];
    assert_eq!(lines[..4], expected);
    let named = r#"RequestsAreLogged: !Not [!Equals [!Ref AccessLogBucket, ""]]"#;
    assert!(TEMPLATE.contains(named));
    assert!(section("  AccessLogBucket:\n", "  ColdStorage:\n").contains("Default: \"\""));
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
        "SSEAlgorithm: !If [EncryptsWithOwnKey, \"aws:kms\", AES256]\n",
        "KMSMasterKeyID: !If [EncryptsWithOwnKey, !GetAtt Key.Arn, !Ref AWS::NoValue]\n",
        "BucketKeyEnabled: !If [EncryptsWithOwnKey, true, !Ref AWS::NoValue]\n",
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
    // On the way back everybody keeps the right to what was encrypted with it.
    let kept = "HasOwnKey: !Or [!Condition EncryptsWithOwnKey, !Equals [!Ref Encryption, aws-after-own-key]]";
    assert!(TEMPLATE.contains(kept));
    for policy in [api, worker, operator] {
        let (condition, _) = policy.split_once("- kms:Decrypt\n").unwrap();
        let (_, condition) = condition.rsplit_once("- !If\n").unwrap();
        assert!(
            condition.trim_start().starts_with("- HasOwnKey\n"),
            "{condition}"
        );
    }
    let key = of("Key", "\n  # ---- the object store");
    assert!(
        key.trim_start()
            .starts_with("Type: AWS::KMS::Key\n    Condition: HasOwnKey\n")
    );
    let events = key.split_once("- Sid: LetTheBucketSendEvents\n").unwrap().1;
    assert!(events.contains("Service: s3.amazonaws.com\n"));
    assert!(events.contains("- kms:Decrypt\n") && events.contains("- kms:GenerateDataKey\n"));
}

/// The emulator refuses sums of figures, so the template itself is looked at.
#[test]
fn alarms_tell_one_topic_when_something_is_wrong_and_when_that_is_over() {
    let alarms = ALARMS.matches("Type: AWS::CloudWatch::Alarm\n").count();
    assert_eq!(alarms, 4);
    for actions in [
        "AlarmActions: [!Ref TopicArn]\n",
        "OKActions: [!Ref TopicArn]\n",
    ] {
        assert_eq!(ALARMS.matches(actions).count(), alarms);
    }
    for (metric, queue) in [
        (
            "ApproximateNumberOfMessagesVisible",
            "!Sub \"${QueueName}-dead-letter\"\n",
        ),
        ("ApproximateAgeOfOldestMessage", "!Ref QueueName\n"),
    ] {
        let alarm = section_of(ALARMS, metric, "TreatMissingData: notBreaching\n");
        let queue = format!("Name: QueueName\n          Value: {queue}");
        assert!(alarm.contains(&queue), "{alarm}");
    }
    // As the stack calls it.
    let name = "QueueName: !Sub \"${QueueName}-dead-letter\"\n";
    assert!(section("\n  DeadLetterQueue:\n", "\n  QueuePolicy:\n").contains(name));
}

/// The emulator has no sums of figures, and so not this template; what CloudFormation fills in stands in texts.
#[test]
fn the_dashboard_shows_each_alarm_and_figures_of_the_stacks_own_queues_and_table() {
    let (_, body) = ALARMS.split_once("DashboardBody: !Sub |\n").unwrap();
    let shown: Value = serde_json::from_str(body).expect("CloudWatch takes JSON alone");
    let widgets = shown["widgets"].as_array().unwrap();
    let alarms = widgets[0]["properties"]["alarms"].as_array().unwrap();
    let names = ALARMS.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.strip_suffix("Alarm:")?;
        (!name.starts_with(' ')).then(|| json!(format!("${{{name}Alarm.Arn}}")))
    });
    assert_eq!(*alarms, names.collect::<Vec<_>>());
    let metrics: Vec<_> = widgets
        .iter()
        .filter_map(|widget| widget["properties"]["metrics"].as_array())
        .flatten()
        .collect();
    for name in ["ReadThrottleEvents", "WriteThrottleEvents"] {
        // Nothing is behind the table's own name, and an index's name behind those of its own.
        let of = metrics.iter().filter(|metric| metric[1] == name);
        let of: Vec<_> = of.map(|metric| metric[5].as_str()).collect();
        let whole = [None].into_iter().chain(indexes().into_iter().map(Some));
        assert_eq!(of, whole.collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(metrics.len(), 6 + 2 * (1 + indexes().len()));
    for metric in metrics {
        let of = [metric[2].as_str().unwrap(), metric[3].as_str().unwrap()];
        assert!(
            [
                ["QueueName", "${QueueName}"],
                ["QueueName", "${QueueName}-dead-letter"],
                ["TableName", "${TableName}"],
            ]
            .contains(&of),
            "{metric}"
        );
    }
}

/// A larger one has to be put into a bucket first, for `aws cloudformation deploy` to take it from there.
#[test]
fn each_template_can_be_deployed_from_a_file() {
    const MAX_TEMPLATE_BYTES: usize = 51_200;
    for template in [TEMPLATE, DOWNLOADS, ALARMS, SERVERLESS] {
        assert!(template.len() <= MAX_TEMPLATE_BYTES, "{}", template.len());
    }
}

/// The emulator counts nothing, so the template itself is looked at.
#[test]
fn throttling_is_seen_at_the_table_and_at_each_index_and_its_alarm_ends() {
    let indexes = indexes();
    for (alarm, next, metric) in [
        (
            "ThrottledReadsAlarm",
            "\n  ThrottledWritesAlarm:\n",
            "ReadThrottleEvents",
        ),
        (
            "ThrottledWritesAlarm",
            "\n  Dashboard:\n",
            "WriteThrottleEvents",
        ),
    ] {
        let alarm = section_of(ALARMS, &format!("\n  {alarm}:\n"), next);
        assert_eq!(alarm.matches(metric).count(), indexes.len() + 1);
        assert_eq!(
            alarm.matches("Name: TableName\n").count(),
            indexes.len() + 1
        );
        for index in &indexes {
            let dimension =
                format!("Name: GlobalSecondaryIndexName\n                  Value: {index}\n");
            assert!(alarm.contains(&dimension), "{index}");
        }
        let (_, expression) = alarm.split_once("Expression: ").unwrap();
        let sum = expression.lines().next().unwrap();
        assert_eq!(sum.matches(", 0)").count(), indexes.len() + 1);
        for id in sum
            .split("FILL(")
            .skip(1)
            .map(|part| part.split(',').next().unwrap())
        {
            assert!(alarm.contains(&format!("- Id: {id}\n")), "{id}");
        }
    }
}

/// The emulator makes neither public keys nor key groups, so the templates themselves are looked at. `support::edge` behaves
/// as they say, and `download_edge` has downloads go by it.
#[test]
fn the_distribution_alone_reads_the_bucket_and_keeps_apart_what_differs() {
    let source = "aws:SourceArn: !Sub \"arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${DistributionId}\"\n";
    for (sid, lines) in [
        (
            "LetTheDistributionRead",
            &[
                "- s3:GetObject\n",
                "- s3:GetObjectVersion\n",
                "Resource: !Sub \"${Bucket.Arn}/uploads/*\"\n",
            ][..],
        ),
        ("LetTheDistributionDecrypt", &["Action: kms:Decrypt\n"]),
    ] {
        let (before, statement) = TEMPLATE.split_once(&format!("- Sid: {sid}\n")).unwrap();
        let (statement, _) = statement.split_once("AWS::NoValue").unwrap();
        for line in lines.iter().chain(&[
            "Service: cloudfront.amazonaws.com\n",
            "StringEquals:\n",
            source,
        ]) {
            assert!(statement.contains(line), "{sid}: {line}");
        }
        // It has no right but these.
        assert_eq!(
            statement.matches("s3:").count() + statement.matches("kms:").count(),
            lines.len().min(2)
        );
        assert!(before.contains("- HasDistribution\n"));
    }
    let distribution = section_of(
        DOWNLOADS,
        "\n  Distribution:\n",
        "\n  DistributionAccess:\n",
    );
    for line in [
        "ViewerProtocolPolicy: https-only\n",
        "AllowedMethods: [GET, HEAD, OPTIONS]\n",
        "Compress: false\n",
        "TrustedKeyGroups: [!Ref DownloadKeyGroup]\n",
        "OriginAccessControlId: !GetAtt DistributionAccess.Id\n",
    ] {
        assert!(distribution.contains(line), "{line}");
    }
    // The bucket lets in what it has signed, and whoever comes by it signs nothing for S3.
    let signed = section_of(
        DOWNLOADS,
        "\n  DistributionAccess:\n",
        "\n  DistributionCachePolicy:\n",
    );
    for line in [
        "OriginType: s3\n",
        "Behavior: always\n",
        "Protocol: sigv4\n",
    ] {
        assert!(signed.contains(line), "{line}");
    }
    let (from, to) = (
        "\n  DistributionCachePolicy:\n",
        "\n  DistributionHeadersPolicy:\n",
    );
    let cached = section_of(DOWNLOADS, from, to);
    let (_, names) = cached.split_once("QueryStrings:\n").unwrap();
    let names = names
        .lines()
        .map_while(|line| line.trim_start().strip_prefix("- "));
    assert_eq!(names.collect::<Vec<_>>(), CACHE_KEY);
    for line in [
        "CookieBehavior: none\n",
        "HeaderBehavior: none\n",
        "MinTTL: 86400\n",
    ] {
        assert!(cached.contains(line), "{line}");
    }
    let told = section_of(DOWNLOADS, to, "\n  DownloadPublicKey:\n");
    assert!(told.contains("Value: private, no-store\n") && told.contains("ContentTypeOptions:\n"));
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
