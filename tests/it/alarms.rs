//! The alarms of CloudWatch: that those of the functions watch what they say, and that none and no alert of Prometheus
//! was forgotten when the other was written.
//!
//! The stand-in evaluates no alarm, so the templates themselves are looked at.

use std::collections::{BTreeMap, BTreeSet};

const SERVERLESS: &str = include_str!("../../deploy/serverless.yaml");
const ALARMS: &str = include_str!("../../deploy/alarms.yaml");
const ALERTS: &str = include_str!("../../deploy/alerts.yaml");

/// The alarms of a template, each with its properties.
fn alarms_of(template: &'static str) -> BTreeMap<&'static str, &'static str> {
    let of_type = "\n    Type: AWS::CloudWatch::Alarm\n";
    let alarms = template.match_indices(of_type).map(|(at, _)| {
        let (before, below) = template.split_at(at);
        let name = before.lines().last().unwrap().trim().trim_end_matches(':');
        // To the next resource, or the next part of the template.
        let mut lines = below[1..].split_inclusive('\n');
        let length: usize = lines
            .by_ref()
            .take_while(|line| line.starts_with("    ") || line.trim().is_empty())
            .map(str::len)
            .sum();
        (name, &below[1..=length])
    });
    alarms.collect()
}

#[test]
fn each_alarm_of_the_functions_watches_what_it_says_and_tells_when_that_is_over() {
    let alarms = alarms_of(SERVERLESS);
    const MORE: &str = "GreaterThanThreshold";
    let expected = [
        ("ApiErrorsAlarm", "AWS/Lambda", "Errors", "ApiFunction"),
        (
            "ApiThrottlesAlarm",
            "AWS/Lambda",
            "Throttles",
            "ApiFunction",
        ),
        (
            "ApiUnavailableAlarm",
            "!Ref AWS::StackName",
            "UnavailableAnswers",
            "",
        ),
        (
            "NoRoundsAlarm",
            "AWS/Events",
            "Invocations",
            "ReconcileSchedule",
        ),
        (
            "RoundsRefusedAlarm",
            "AWS/Events",
            "FailedInvocations",
            "ReconcileSchedule",
        ),
        (
            "WorkerErrorsAlarm",
            "AWS/Lambda",
            "Errors",
            "WorkerFunction",
        ),
        (
            "WorkerThrottlesAlarm",
            "AWS/Lambda",
            "Throttles",
            "WorkerFunction",
        ),
    ];
    let names: Vec<_> = expected.iter().map(|it| it.0).collect();
    assert_eq!(alarms.keys().copied().collect::<Vec<_>>(), names);
    for (name, namespace, metric, of) in expected {
        let dimensions = match namespace {
            "AWS/Lambda" => vec![
                "- Name: FunctionName".to_owned(),
                format!("Value: !Ref {of}"),
            ],
            "AWS/Events" => vec!["- Name: RuleName".to_owned(), format!("Value: !Ref {of}")],
            _ => Vec::new(),
        };
        // That nothing is asked for is itself what is wrong with the schedule.
        let (comparison, threshold, missing) = match name {
            "NoRoundsAlarm" => ("LessThanThreshold", 1, "breaching"),
            "ApiUnavailableAlarm" => (MORE, 5, "notBreaching"),
            _ => (MORE, 0, "notBreaching"),
        };
        let lines = [
            "Condition: SomebodyIsAlarmed".to_owned(),
            format!("Namespace: {namespace}"),
            format!("MetricName: {metric}"),
            "Statistic: Sum".to_owned(),
            format!("ComparisonOperator: {comparison}"),
            format!("Threshold: {threshold}"),
            format!("TreatMissingData: {missing}"),
            "AlarmActions: [!Ref AlarmTopicArn]".to_owned(),
            "OKActions: [!Ref AlarmTopicArn]".to_owned(),
        ];
        for line in lines.into_iter().chain(dimensions) {
            let lines = alarms[name].lines().filter(|it| it.trim() == line);
            assert_eq!(lines.count(), 1, "{name}: {line}");
        }
    }
}

/// The objectives leave a quota that is reached out, and so does the alarm.
#[test]
fn an_answer_of_5xx_is_counted_as_unavailable_unless_somebody_has_reached_their_quota() {
    let (_, filter) = SERVERLESS.split_once("\n  UnavailableAnswers:\n").unwrap();
    for line in [
        "LogGroupName: !Ref HttpLog",
        r#"FilterPattern: '{ $.status = "5*" && $.status != "507" }'"#,
        "- MetricNamespace: !Ref AWS::StackName",
        "MetricName: UnavailableAnswers",
    ] {
        let mut lines = filter.lines().take_while(|it| !it.is_empty());
        assert!(lines.any(|it| it.trim() == line), "{line}");
    }
    // What the filter reads is what the access log has.
    assert!(SERVERLESS.contains(r#""status":"$context.status""#));
}

/// The alerts, each with what stands in its line about CloudWatch.
fn alerts() -> BTreeMap<&'static str, &'static str> {
    let alerts = ALERTS.split("\n      - alert: ").skip(1).map(|alert| {
        let (name, rest) = alert.split_once('\n').unwrap();
        let line = rest.lines().next().unwrap().trim();
        let equal = line.strip_prefix("# CloudWatch: ");
        (
            name,
            equal.unwrap_or_else(|| panic!("{name} has no such line")),
        )
    });
    alerts.collect()
}

#[test]
fn each_alert_names_its_alarm_or_why_there_is_none_and_each_alarm_its_alert() {
    let there: BTreeSet<_> = [ALARMS, SERVERLESS]
        .into_iter()
        .flat_map(|template| alarms_of(template).into_keys())
        .collect();
    assert_eq!(there.len(), 4 + 7);
    let mut named = BTreeSet::new();
    for (alert, equal) in alerts() {
        if let Some(why) = equal.strip_prefix("none, ") {
            assert!(
                why.starts_with("since ") || why.starts_with("as for "),
                "{alert}: {why}"
            );
            continue;
        }
        for alarm in equal.split(", ") {
            assert!(there.contains(alarm), "{alert} names {alarm}");
            named.insert(alarm);
        }
    }
    let (_, rest) = ALERTS.split_once("# An alarm without an alert: ").unwrap();
    let (without, why) = rest.split_once(", since ").unwrap();
    assert!(!without.contains('\n') && !why.is_empty());
    named.insert(without);
    assert_eq!(named, there);
}

/// Lambda tries what it was handed without a queue twice more for hours, and a schedule's rounds would pile up.
#[test]
fn a_round_that_failed_or_found_no_process_is_dropped_since_the_next_one_comes() {
    let (_, rest) = SERVERLESS
        .split_once("Type: AWS::Lambda::EventInvokeConfig\n")
        .unwrap();
    let (config, _) = rest.split_once("\n\n").unwrap();
    for line in [
        "FunctionName: !Ref WorkerFunction",
        "MaximumRetryAttempts: 0",
        "MaximumEventAgeInSeconds: 60",
    ] {
        assert!(config.lines().any(|it| it.trim() == line), "{line}");
    }
}
