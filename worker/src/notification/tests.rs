use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const BUCKET: &str = "file-share-bucket";
const KEY: &str = "uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f";
const OTHER_KEY: &str = "uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e40";

fn events(body: &str) -> Vec<Event> {
    parse(body, BUCKET).unwrap().events
}

fn arrival(key: &str) -> Event {
    Event::Arrived(ObjectKey::parse(key).unwrap())
}

fn record(name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}},
    })
}

fn message(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

fn event_bridge(key: &str) -> Value {
    let mut event: Value =
        serde_json::from_str(include_str!("fixtures/event_bridge.json")).unwrap();
    event["detail"]["object"]["key"] = key.into();
    event
}

#[test]
fn every_server_s_spelling_of_an_upload_names_the_key() {
    for body in [
        include_str!("fixtures/s3_put.json"),
        include_str!("fixtures/s3_prefixed_name.json"),
        include_str!("fixtures/s3_encoded_slash.json"),
        include_str!("fixtures/sns_put.json"),
        include_str!("fixtures/event_bridge.json"),
        include_str!("fixtures/guardduty.json"),
    ] {
        assert_eq!(events(body), [arrival(KEY)], "{body}");
    }
}

#[test]
fn every_record_of_a_message_is_read_and_not_only_the_first() {
    assert_eq!(
        events(include_str!("fixtures/s3_two_records.json")),
        [arrival(KEY), arrival(OTHER_KEY)]
    );
}

#[test]
fn the_test_event_is_ignored_bare_and_inside_sns() {
    let test_event = include_str!("fixtures/s3_test_event.json");
    let in_sns = json!({"Type": "Notification", "Message": test_event}).to_string();
    for body in [test_event, &in_sns] {
        assert_eq!(events(body), [Event::Ignored(IgnoredReason::TestEvent)]);
    }
}

#[test]
fn all_ways_to_create_an_object_count_and_other_kinds_are_ignored() {
    for kind in ["Put", "Post", "Copy", "CompleteMultipartUpload"] {
        for prefix in ["", "s3:"] {
            let name = format!("{prefix}ObjectCreated:{kind}");
            assert_eq!(events(&message(&[record(&name, KEY)])), [arrival(KEY)]);
        }
    }
    let other = Event::Ignored(IgnoredReason::OtherKind);
    assert_eq!(events(include_str!("fixtures/s3_removed.json")), [other]);
    for name in [
        "s3:ObjectRemoved:Delete",
        "ObjectRestore:Completed",
        "LifecycleExpiration:Delete",
        "",
    ] {
        assert_eq!(events(&message(&[record(name, KEY)])), [other], "{name}");
    }
    let mut deleted = event_bridge(KEY);
    deleted["detail-type"] = "Object Deleted".into();
    assert_eq!(events(&deleted.to_string()), [other]);
}

#[test]
fn a_kind_without_an_object_is_ignored_too() {
    let body = r#"{"Records": [{"eventVersion": "2.3", "eventName": "IntelligentTiering"}]}"#;
    assert_eq!(events(body), [Event::Ignored(IgnoredReason::OtherKind)]);
}

#[test]
fn the_minor_version_may_grow_and_the_major_may_not() {
    let versioned = |version: &str| {
        let mut record = record("ObjectCreated:Put", KEY);
        record["eventVersion"] = version.into();
        events(&message(&[record]))
    };
    for version in ["2", "2.0", "2.4", "2.99"] {
        assert_eq!(versioned(version), [arrival(KEY)], "{version}");
    }
    for version in ["1.0", "3.0", "20.1", "", "x"] {
        let unknown = Event::NotUnderstood(NotUnderstood::UnknownVersion);
        assert_eq!(versioned(version), [unknown], "{version}");
    }
    let mut event = event_bridge(KEY);
    event["detail"]["event-version"] = "1.7".into();
    assert_eq!(events(&event.to_string()), [arrival(KEY)]);
    event["detail"]["event-version"] = Value::Null;
    assert_eq!(events(&event.to_string()), [arrival(KEY)]);
    event["detail"]["event-version"] = "2.0".into();
    assert_eq!(
        events(&event.to_string()),
        [Event::NotUnderstood(NotUnderstood::UnknownVersion)]
    );
}

#[test]
fn a_key_is_decoded_exactly_once() {
    for (encoded, decoded) in [
        ("red+flower.jpg", "red flower.jpg"),
        ("red%20flower.jpg", "red flower.jpg"),
        ("a%2Bb", "a+b"),
        ("a%252Bb", "a%2Bb"),
        ("%E4%B8%96", "世"),
        ("uploads%2fx", "uploads/x"),
        ("100%", "100%"),
        ("%zz", "%zz"),
    ] {
        assert_eq!(decode_key(encoded).as_deref(), Some(decoded), "{encoded}");
    }
    assert_eq!(decode_key("%FF%FE"), None);
    let twice = KEY.replace('/', "%252F");
    assert_eq!(
        events(&message(&[record("ObjectCreated:Put", &twice)])),
        [Event::Ignored(IgnoredReason::ForeignKey)]
    );
}

#[test]
fn a_key_from_event_bridge_is_not_decoded() {
    let encoded = KEY.replace('/', "%2F");
    assert_eq!(
        events(&event_bridge(&encoded).to_string()),
        [Event::Ignored(IgnoredReason::ForeignKey)]
    );
}

#[test]
fn whatever_guardduty_says_that_it_found_is_a_hint_to_look_at_a_key_of_ours() {
    let scanned = |change: &dyn Fn(&mut Value)| {
        let fixture = include_str!("fixtures/guardduty.json");
        let mut event: Value = serde_json::from_str(fixture).unwrap();
        change(&mut event);
        events(&event.to_string())
    };
    for found in ["THREATS_FOUND", "FAILED", "no such result"] {
        let says = scanned(&|event| {
            event["detail"]["scanResultDetails"]["scanResultStatus"] = found.into();
        });
        assert_eq!(says, [arrival(KEY)], "{found}");
    }
    let without = scanned(&|event| event["detail"]["scanResultDetails"] = Value::Null);
    assert_eq!(without, [arrival(KEY)]);
    let object = |name: &str, value: &str| {
        scanned(&|event| event["detail"]["s3ObjectDetails"][name] = value.into())
    };
    let encoded = KEY.replace('/', "%2F");
    for key in ["logs/2026", "uploads/report.pdf", "", &encoded] {
        let foreign = [Event::Ignored(IgnoredReason::ForeignKey)];
        assert_eq!(object("objectKey", key), foreign, "{key}");
    }
    let elsewhere = object("bucketName", "another-bucket");
    assert_eq!(elsewhere, [Event::Ignored(IgnoredReason::ForeignBucket)]);
    let finding = scanned(&|event| event["detail-type"] = "GuardDuty Finding".into());
    assert_eq!(finding, [Event::Ignored(IgnoredReason::OtherKind)]);
    let later = scanned(&|event| event["detail"]["schemaVersion"] = "2.0".into());
    let unknown = Event::NotUnderstood(NotUnderstood::UnknownVersion);
    assert_eq!(later, [unknown]);
    for detail in [
        json!({}),
        json!({"s3ObjectDetails": {"objectKey": 7}}),
        Value::Null,
    ] {
        let mut event: Value =
            serde_json::from_str(include_str!("fixtures/guardduty.json")).unwrap();
        event["detail"] = detail;
        let read = parse(&event.to_string(), BUCKET).map(|it| it.events);
        let is_refused = match &read {
            Err(why) => *why == NotUnderstood::UnknownShape,
            Ok(events) => *events == [Event::NotUnderstood(NotUnderstood::UnknownShape)],
        };
        assert!(is_refused, "{event}: {read:?}");
    }
}

#[test]
fn what_is_not_ours_is_ignored_with_the_reason() {
    let one = |key: &str| events(&message(&[record("ObjectCreated:Put", key)]));
    for key in ["uploads/report.pdf", "", "logs/2026", &KEY.to_uppercase()] {
        assert_eq!(
            one(key),
            [Event::Ignored(IgnoredReason::ForeignKey)],
            "{key}"
        );
    }
    assert_eq!(
        one("uploads/%FF"),
        [Event::Ignored(IgnoredReason::UndecodableKey)]
    );
    let body = include_str!("fixtures/s3_put.json");
    let elsewhere = parse(body, "another-bucket").unwrap().events;
    assert_eq!(elsewhere, [Event::Ignored(IgnoredReason::ForeignBucket)]);
}

#[test]
fn what_is_none_of_the_envelopes_is_not_understood() {
    use NotUnderstood::*;
    let nested_sns = json!({"Type": "Notification", "Message":
        json!({"Type": "Notification", "Message": "{}"}).to_string()})
    .to_string();
    for (body, why) in [
        ("", NotJson),
        ("hello", NotJson),
        (r#"{"Records": ["#, NotJson),
        (&"[".repeat(10_000), NotJson),
        (&"x".repeat(MAX_MESSAGE_BYTES + 1), TooLong),
        ("null", UnknownEnvelope),
        ("[]", UnknownEnvelope),
        ("{}", UnknownEnvelope),
        (r#"{"Records": {}}"#, UnknownEnvelope),
        (
            r#"{"Type": "SubscriptionConfirmation", "Message": "x"}"#,
            UnknownEnvelope,
        ),
        (
            r#"{"source": "aws.ec2", "detail-type": "Object Created", "detail": {}}"#,
            UnknownEnvelope,
        ),
        (r#"{"Type": "Notification"}"#, UnknownShape),
        (r#"{"Type": "Notification", "Message": "hello"}"#, NotJson),
        (
            r#"{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}"#,
            UnknownShape,
        ),
        (&nested_sns, UnknownEnvelope),
    ] {
        assert_eq!(
            parse(body, BUCKET),
            Err(why),
            "{}",
            body.get(..60).unwrap_or(body)
        );
    }
}

#[test]
fn what_else_aws_says_of_a_bucket_is_of_another_kind_and_no_poison() {
    // CloudTrail's, whose details have nothing of an object's creation.
    let call = json!({
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "detail": {
            "eventVersion": "1.11",
            "eventSource": "s3.amazonaws.com",
            "eventName": "PutBucketVersioning",
            "requestParameters": {"bucketName": BUCKET},
        },
    });
    let without_detail = json!({"detail-type": "Object Restore Completed", "source": "aws.s3"});
    let a_text = json!({"detail-type": "AWS Service Event", "source": "aws.s3", "detail": "x"});
    for event in [call, without_detail, a_text] {
        assert_eq!(
            events(&event.to_string()),
            [Event::Ignored(IgnoredReason::OtherKind)],
            "{event}"
        );
    }
}

#[test]
fn a_strange_record_does_not_hide_its_neighbours() {
    let mut foreign_source = record("ObjectCreated:Put", KEY);
    foreign_source["eventSource"] = "aws:dynamodb".into();
    let mut without_object = record("ObjectCreated:Put", KEY);
    without_object["s3"] = Value::Null;
    let body = message(&[
        json!(17),
        record("ObjectCreated:Put", KEY),
        foreign_source,
        without_object,
        record("ObjectCreated:Put", OTHER_KEY),
    ]);
    assert_eq!(
        events(&body),
        [
            Event::NotUnderstood(NotUnderstood::UnknownShape),
            arrival(KEY),
            Event::NotUnderstood(NotUnderstood::UnknownSource),
            Event::NotUnderstood(NotUnderstood::UnknownShape),
            arrival(OTHER_KEY),
        ]
    );
}

#[test]
fn other_stores_with_the_api_of_s3_are_heard() {
    for source in [json!("minio:s3"), json!("ceph:s3"), Value::Null] {
        let mut record = record("s3:ObjectCreated:Put", KEY);
        record["eventSource"] = source;
        assert_eq!(events(&message(&[record])), [arrival(KEY)]);
    }
}

/// Form encoding as servers do it: some encode what they needn't, and a space in either way.
fn encode(key: &str, plus_for_space: bool, encode_all: bool) -> String {
    key.bytes()
        .map(|byte| match byte {
            b' ' if plus_for_space => "+".to_owned(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/'
                if !encode_all =>
            {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        Just("Records"),
        Just("s3"),
        Just("bucket"),
        Just("object"),
        Just("key"),
        Just("name"),
        Just("eventName"),
        Just("eventVersion"),
        Just("eventSource"),
        Just("Type"),
        Just("Message"),
        Just("source"),
        Just("detail-type"),
        Just("detail"),
        Just("Event"),
        Just("s3ObjectDetails"),
        Just("bucketName"),
        Just("objectKey"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            Just("ObjectCreated:Put"),
            Just("2.1"),
            Just("aws:s3"),
            Just("aws.s3"),
            Just("aws.guardduty"),
            Just("GuardDuty Malware Protection Object Scan Result"),
            Just(BUCKET),
            Just(KEY),
            Just("Notification"),
            Just("Object Created"),
            Just("s3:TestEvent"),
        ]
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(body in "(?s:.{0,200})") {
        let _ = parse(&body, BUCKET);
    }

    #[test]
    fn no_json_makes_it_panic_however_it_resembles_an_event(value in any_json()) {
        let _ = parse(&value.to_string(), BUCKET);
    }

    #[test]
    fn half_a_message_is_never_taken_for_a_whole_one(cut in 1_usize..900) {
        let whole = include_str!("fixtures/s3_put.json").trim_end();
        let part = &whole[..cut.min(whole.len() - 1)];
        prop_assert_eq!(parse(part, BUCKET), Err(NotUnderstood::NotJson));
    }

    #[test]
    fn any_key_survives_encoding_and_decoding(
        key in "(?s:.{0,60})", plus_for_space: bool, encode_all: bool,
    ) {
        prop_assert_eq!(decode_key(&encode(&key, plus_for_space, encode_all)), Some(key));
    }

    #[test]
    fn every_key_of_ours_is_found_in_any_spelling_and_envelope(
        millis in 0_i64..4_000_000_000_000, encode_all: bool, in_sns: bool,
    ) {
        let at = file_share::domain::from_millis(millis).unwrap();
        let key = ObjectKey::new(file_share::domain::FileId::new(at));
        let encoded = encode(&key.to_string(), true, encode_all);
        let mut body = message(&[record("ObjectCreated:Put", &encoded)]);
        if in_sns {
            body = json!({"Type": "Notification", "Message": body}).to_string();
        }
        prop_assert_eq!(events(&body), [Event::Arrived(key)]);
        let bridged = event_bridge(&key.to_string()).to_string();
        prop_assert_eq!(events(&bridged), [Event::Arrived(key)]);
    }

    #[test]
    fn a_mixture_of_records_gives_one_event_each_in_order(kinds in prop::collection::vec(0..5, 0..20)) {
        let (records, expected): (Vec<_>, Vec<_>) = kinds
            .into_iter()
            .map(|kind| match kind {
                0 => (record("ObjectCreated:Put", KEY), arrival(KEY)),
                1 => (record("ObjectCreated:Copy", OTHER_KEY), arrival(OTHER_KEY)),
                2 => (
                    record("ObjectRemoved:Delete", KEY),
                    Event::Ignored(IgnoredReason::OtherKind),
                ),
                3 => (
                    record("ObjectCreated:Put", "elsewhere"),
                    Event::Ignored(IgnoredReason::ForeignKey),
                ),
                _ => (Value::Null, Event::NotUnderstood(NotUnderstood::UnknownShape)),
            })
            .unzip();
        prop_assert_eq!(events(&message(&records)), expected);
    }
}
