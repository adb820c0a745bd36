//! Lambda's part is played here: it receives, hides for long, and acknowledges what isn't named.

mod rounds;

use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::consumer::tests::support::{Call, Harness, arrivals, event, key};
use crate::event_queue::in_memory::Attributes;

/// What a function may take, with the visibility that Lambda asks for: six times that.
const TIME: Duration = Duration::from_secs(60);

fn harness() -> Harness {
    let attributes = Attributes {
        visibility_timeout: 6 * TIME,
        ..Attributes::default()
    };
    Harness::with(attributes, Duration::ZERO)
}

async fn receive(harness: &Harness) -> Vec<Value> {
    let deliveries = harness.queue.inner.receive(10).await.unwrap();
    let record = |delivery: &Delivery| {
        json!({
            "messageId": delivery.message_id,
            "receiptHandle": delivery.receipt_handle.as_str(),
            "body": delivery.body,
            "attributes": {
                "ApproximateReceiveCount": delivery.receive_count.to_string(),
                "SentTimestamp": "1790000000000",
            },
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:file-share-uploads",
        })
    };
    deliveries.iter().map(record).collect()
}

/// The IDs of the messages that are to come again, in order.
async fn named(harness: &Harness, records: &[Value]) -> Vec<String> {
    let event = json!({"Records": records}).to_string();
    let Asked::Settle(messages) = read(event.as_bytes()).unwrap() else {
        panic!("it isn't of SQS: {event}");
    };
    let consumer = harness.consumer_of_received();
    let until = Instant::now() + TIME;
    let answer = failures(settle(&consumer, messages, until).await);
    assert!(Instant::now() <= until, "it took too long");
    let named = answer["batchItemFailures"].as_array().unwrap();
    let named = named
        .iter()
        .map(|it| it["itemIdentifier"].as_str().unwrap());
    let mut named: Vec<_> = named.map(str::to_owned).collect();
    named.sort();
    named
}

fn ids(records: &[Value], at: &[usize]) -> Vec<String> {
    let id = |at: &usize| records[*at]["messageId"].as_str().unwrap().to_owned();
    let mut ids: Vec<_> = at.iter().map(id).collect();
    ids.sort();
    ids
}

#[tokio::test(start_paused = true)]
async fn exactly_the_messages_that_are_to_come_again_are_named_and_the_others_are_done() {
    let harness = harness();
    harness.send_arrivals(6);
    for body in [
        "poison",
        "{\"Records\":[{}]}",
        &event("ObjectRemoved:Delete", "x"),
        "",
    ] {
        harness.queue.inner.send(body);
    }
    harness.script.next(key(1), [Call::Fails]);
    harness.script.next(key(2), [Call::Panics]);
    harness.script.next(key(3), [Call::Hangs]);
    let records = receive(&harness).await;
    assert_eq!(records.len(), 10);
    let again = named(&harness, &records).await;
    assert_eq!(again, ids(&records, &[1, 2, 3, 6, 7, 9]));
    let finished = harness.script.finished.lock().unwrap().clone();
    assert_eq!(finished.len(), 3);
    assert!([0, 4, 5].iter().all(|n| finished.contains(&key(*n))));
    // Nothing is acknowledged here: whoever received them does it.
    assert_eq!(harness.queue.inner.len(), 10);
    assert!(harness.queue.batches.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_to_come_again_does_so_as_soon_as_in_the_loop_and_not_when_lambda_would_bring_it() {
    let harness = harness();
    harness.send_arrivals(2);
    harness.queue.inner.send("poison");
    harness.script.next(key(0), [Call::Fails]);
    harness.script.next(key(1), [Call::Hangs]);
    let records = receive(&harness).await;
    assert_eq!(named(&harness, &records).await.len(), 3);
    // What hung was given back at the end, and what failed was put off for ten seconds before that. What isn't
    // understood comes after the worker's own visibility timeout.
    assert_eq!(harness.queue.inner.visible(), 2);
    assert_eq!(harness.queue.deferrals.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_long_is_not_hidden_anew_since_lambda_hides_it_for_longer() {
    let attributes = Attributes {
        visibility_timeout: TIME / 6,
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    harness.send_arrivals(1);
    harness.script.next(key(0), [Call::Takes(TIME / 2)]);
    let records = receive(&harness).await;
    assert_eq!(named(&harness, &records).await, [""; 0]);
    assert_eq!(harness.queue.deferrals.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_empty_id_is_never_named_and_what_has_none_is_worked_on_all_the_same() {
    let harness = harness();
    let record = |id: Value, body: &str| json!({"messageId": id, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs"});
    let records = [
        record("".into(), "poison"),
        record("".into(), &arrivals(&[key(0)])),
        record(Value::Null, "poison"),
        json!({"eventSource": "aws:sqs"}),
        json!({"messageId": "a", "eventSource": "aws:sqs"}),
        record("b".into(), "poison"),
        record("b".into(), "poison"),
    ];
    assert_eq!(named(&harness, &records).await, ["a", "b"]);
    assert_eq!(*harness.script.finished.lock().unwrap(), [key(0)]);
}

#[test]
fn a_schedule_asks_for_a_task_and_what_asks_for_nothing_known_is_an_error_that_repeats_nothing() {
    for (event, task) in [
        (r#"{"task":"reconcile"}"#, Task::Reconcile),
        (r#"{"task":"sweep"}"#, Task::Sweep),
        (r#"{"task":"sweep","source":"aws.events"}"#, Task::Sweep),
        (
            r#"{"version":"0","source":"aws.events","detail-type":"Scheduled Event","detail":{}}"#,
            Task::Reconcile,
        ),
    ] {
        let Ok(Asked::Do(asked)) = read(event.as_bytes()) else {
            panic!("{event}");
        };
        assert_eq!(asked, task, "{event}");
    }
    for event in [
        "",
        "secret",
        "[]",
        "{}",
        r#"{"task":"secret"}"#,
        r#"{"Records":[]}"#,
        r#"{"Records":"secret"}"#,
        // S3 without its queue: nothing would bring a message again.
        r#"{"Records":[{"eventSource":"aws:s3","messageId":"secret"}]}"#,
        r#"{"Records":[{"eventSource":"aws:sqs"},{"eventSource":"aws:sns"}]}"#,
        r#"{"source":"secret"}"#,
    ] {
        let error = read(event.as_bytes()).unwrap_err();
        assert_eq!(error.kind, "UnknownEvent", "{event}");
        assert!(!error.message.contains("secret"), "{error}");
    }
}
