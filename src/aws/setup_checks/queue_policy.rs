//! Whether a queue's policy admits the events of a bucket, read as IAM reads it.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.
//!
//! **Invariant:** what isn't understood here doesn't admit anybody.
//!
//! **Absent on purpose:** whether it admits too much. A policy for everybody also works.

use serde_json::Value;

/// The request that S3 makes for each event.
pub(super) struct Event {
    pub bucket_arn: String,
    queue_arn: String,
    account: String,
}

impl Event {
    /// The bucket's account is taken to be the queue's.
    pub(super) fn of(bucket: &str, queue_arn: &str) -> Self {
        let part = |index| queue_arn.split(':').nth(index).unwrap_or_default();
        Self {
            bucket_arn: format!("arn:{}:s3:::{bucket}", part(1)),
            account: part(4).to_owned(),
            queue_arn: queue_arn.to_owned(),
        }
    }
}

/// Why the event isn't admitted; `None` if it is.
pub(super) fn refusal(policy: &Value, event: &Event) -> Option<String> {
    let statements = as_list(&policy["Statement"]);
    let with = |effect: &str| -> Vec<&Value> {
        let those = statements.iter().filter(|s| s["Effect"] == effect);
        those.copied().collect()
    };
    if with("Deny")
        .into_iter()
        .any(|deny| mismatch(deny, event).is_none())
    {
        return Some("a statement denies it".to_owned());
    }
    let mut nearest = (0, "no statement allows anything".to_owned());
    for allow in with("Allow") {
        match mismatch(allow, event) {
            None => return None,
            Some(why) if why.0 > nearest.0 => nearest = why,
            Some(_) => {}
        }
    }
    Some(nearest.1)
}

/// Why a statement isn't about the event, and how far it was from that.
fn mismatch(statement: &Value, event: &Event) -> Option<(u8, String)> {
    let principal = &statement["Principal"];
    let services = as_texts(&principal["Service"]);
    let everybody = principal == "*" || as_texts(&principal["AWS"]).contains(&"*");
    if !everybody && !services.contains(&"s3.amazonaws.com") {
        return Some((
            1,
            "no statement allows s3.amazonaws.com anything".to_owned(),
        ));
    }
    let sends = |action: &&str| like(&action.to_lowercase(), "sqs:sendmessage");
    if !as_texts(&statement["Action"]).iter().any(sends) {
        return Some((2, "no statement allows S3 sqs:SendMessage".to_owned()));
    }
    let is_this = |resource: &&str| like(resource, &event.queue_arn);
    if !as_texts(&statement["Resource"]).iter().any(is_this) {
        return Some((3, "the statement for S3 is about another queue".to_owned()));
    }
    let conditions = statement["Condition"].as_object()?;
    for (operator, keys) in conditions {
        for (key, values) in keys.as_object().into_iter().flatten() {
            if !holds(operator, key, &as_texts(values), event) {
                return Some((
                    4,
                    format!("the condition on {key} doesn't hold for this bucket"),
                ));
            }
        }
    }
    None
}

fn holds(operator: &str, key: &str, values: &[&str], event: &Event) -> bool {
    let actual = match key.to_lowercase().as_str() {
        "aws:sourcearn" => &event.bucket_arn,
        "aws:sourceaccount" => &event.account,
        _ => return false,
    };
    let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
    values.iter().any(|value| match operator {
        // Both of these take wildcards.
        "ArnEquals" | "ArnLike" | "StringLike" => like(value, actual),
        "StringEquals" => value == actual,
        "StringEqualsIgnoreCase" => value.eq_ignore_ascii_case(actual),
        _ => false,
    })
}

/// Whether a pattern with `*` and `?` is the whole of a text.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            // The last star takes one more.
            _ => match star.as_mut() {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// A policy may leave the brackets out where there is one.
fn as_list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

fn as_texts(value: &Value) -> Vec<&str> {
    as_list(value)
        .into_iter()
        .filter_map(Value::as_str)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:uploads";

    fn statement() -> Value {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": QUEUE,
            "Condition": {
                "ArnEquals": { "aws:SourceArn": "arn:aws:s3:::files" },
                "StringEquals": { "aws:SourceAccount": "123456789012" },
            },
        })
    }

    fn refused(statements: Value) -> Option<String> {
        refusal(
            &json!({ "Statement": statements }),
            &Event::of("files", QUEUE),
        )
    }

    #[test]
    fn a_policy_admits_the_bucket_however_it_is_written() {
        assert_eq!(refused(statement()), None);
        for (field, value) in [
            ("Principal", json!("*")),
            ("Principal", json!({ "AWS": "*" })),
            (
                "Principal",
                json!({ "Service": ["sns.amazonaws.com", "s3.amazonaws.com"] }),
            ),
            ("Action", json!(["SQS:Send*", "sqs:GetQueueUrl"])),
            ("Resource", json!("*")),
            (
                "Condition",
                json!({ "ArnLike": { "AWS:SourceArn": "arn:aws:s3:*:*:fil?s" } }),
            ),
            ("Condition", json!({})),
        ] {
            let mut changed = statement();
            changed[field] = value;
            assert_eq!(refused(json!([changed])), None, "{changed}");
        }
    }

    #[test]
    fn what_does_not_admit_it_is_named() {
        for (field, value, why) in [
            (
                "Principal",
                json!({ "Service": "sns.amazonaws.com" }),
                "s3.amazonaws.com",
            ),
            ("Action", json!("sqs:ReceiveMessage"), "sqs:SendMessage"),
            (
                "Resource",
                json!(format!("{QUEUE}-dead-letter")),
                "another queue",
            ),
            (
                "Condition",
                json!({ "ArnEquals": { "aws:SourceArn": "arn:aws:s3:::others" } }),
                "aws:SourceArn",
            ),
            (
                "Condition",
                json!({ "StringEquals": { "aws:SourceAccount": "210987654321" } }),
                "aws:SourceAccount",
            ),
            (
                "Condition",
                json!({ "Bool": { "aws:SecureTransport": "true" } }),
                "SecureTransport",
            ),
            ("Effect", json!("Deny"), "denies"),
        ] {
            let mut changed = statement();
            changed[field] = value;
            let refused = refused(json!([changed])).unwrap_or_default();
            assert!(refused.contains(why), "{why}: {refused}");
        }
        assert!(refused(json!([])).is_some());
        // The nearest one is told about.
        let mut near = statement();
        near["Action"] = json!("sqs:ReceiveMessage");
        let far = json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::1:root" } });
        let refused = refused(json!([far, near, far])).unwrap();
        assert!(refused.contains("sqs:SendMessage"), "{refused}");
    }

    #[test]
    fn patterns_match_as_a_whole() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdef", false),
            ("??", "ab", true),
            ("?", "", false),
            ("*aab", "aaaab", true),
        ] {
            assert_eq!(like(pattern, text), matches, "{pattern} {text}");
        }
    }
}
