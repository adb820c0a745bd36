//! One batch at a time.

use std::io::Write;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::super::delivery::{FIRST_DEFERRAL, LAST_DEFERRAL, WORK_LIMIT};
use super::super::{BatchReport, backoff};
use super::support::{Call, Harness, arrivals, event, eventually, key, step_until};
use crate::event_queue::EventQueue;
use crate::event_queue::in_memory::Attributes;

#[tokio::test(start_paused = true)]
async fn of_ten_messages_of_which_three_fail_exactly_seven_are_acknowledged() {
    let harness = Harness::new();
    harness.send_arrivals(10);
    for n in [2, 5, 9] {
        harness.script.next(key(n), [Call::Fails]);
    }
    let consumer = harness.consumer();
    let began = Instant::now();
    let report = consumer.run_once().await.unwrap();
    assert_eq!(
        report,
        BatchReport {
            received: 10,
            acknowledged: 7,
            deferred: 3,
            ..BatchReport::default()
        }
    );
    assert_eq!(harness.queue.inner.len(), 3);
    assert_eq!(harness.queue.inner.visible(), 0);

    // The three come back, later than at once, and are done then.
    let report = step_until(&consumer, || harness.queue.inner.is_empty()).await;
    assert_eq!((report.received, report.acknowledged), (3, 3));
    assert!(began.elapsed() >= FIRST_DEFERRAL / 2);
    assert_eq!(harness.script.begun(), 13);
    assert!(harness.queue.inner.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_keeps_failing_is_put_off_longer_each_time_and_ends_as_a_dead_letter() {
    let harness = Harness::with(
        Attributes {
            max_receive_count: 8,
            ..Attributes::default()
        },
        Duration::ZERO,
    );
    harness.send_arrivals(1);
    harness.script.next(key(0), [Call::Fails; 8]);
    let consumer = harness.consumer();
    let began = Instant::now();
    step_until(&consumer, || harness.script.begun() == 8).await;
    // Ten minutes of outage are survived.
    assert!(began.elapsed() >= Duration::from_secs(600));
    assert!(harness.queue.inner.dead_letters().is_empty());
    step_until(&consumer, || !harness.queue.inner.dead_letters().is_empty()).await;
    assert_eq!(harness.script.begun(), 8);
}

#[test]
fn back_off_doubles_up_to_its_cap_and_scatters() {
    for attempt in 0..100 {
        let delay = backoff(FIRST_DEFERRAL, LAST_DEFERRAL, attempt);
        assert!(delay >= FIRST_DEFERRAL / 2);
        assert!(delay <= LAST_DEFERRAL);
    }
    let third = backoff(FIRST_DEFERRAL, LAST_DEFERRAL, 3);
    assert!(third >= FIRST_DEFERRAL * 2 && third <= FIRST_DEFERRAL * 4);
    assert!(backoff(FIRST_DEFERRAL, LAST_DEFERRAL, u32::MAX) >= LAST_DEFERRAL / 2);
    let delays: Vec<_> = (0..20)
        .map(|_| backoff(FIRST_DEFERRAL, LAST_DEFERRAL, 5))
        .collect();
    assert!(delays.iter().any(|delay| *delay != delays[0]), "no jitter");
}

#[tokio::test(start_paused = true)]
async fn poison_stays_until_it_is_a_dead_letter_and_is_never_deleted() {
    let harness = Harness::new();
    harness.queue.inner.send("no notification");
    harness.send_arrivals(1);
    let consumer = harness.consumer();
    let report = step_until(&consumer, || !harness.queue.inner.dead_letters().is_empty()).await;
    assert_eq!(
        report.left_for_dead_letter, 5,
        "the queue's max receive count"
    );
    assert_eq!(harness.queue.inner.dead_letters(), ["no notification"]);
    assert_eq!(*harness.queue.batches.lock().unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_message_with_two_records_is_acknowledged_when_both_are_settled() {
    let harness = Harness::new();
    harness.queue.inner.send(arrivals(&[key(0), key(1)]));
    harness.script.next(key(0), [Call::Fails]);
    let consumer = harness.consumer();
    let report = consumer.run_once().await.unwrap();
    assert_eq!((report.acknowledged, report.deferred), (0, 1));
    assert_eq!(harness.queue.inner.len(), 1);
    // The second didn't have to wait for the first.
    assert_eq!(*harness.script.finished.lock().unwrap(), [key(1)]);

    let report = step_until(&consumer, || harness.queue.inner.is_empty()).await;
    assert_eq!(report.acknowledged, 1);
    assert!(harness.script.finished.lock().unwrap().contains(&key(0)));
}

#[tokio::test(start_paused = true)]
async fn a_strange_record_keeps_its_message_and_the_others_of_it_are_settled() {
    let harness = Harness::new();
    let mut body: serde_json::Value = serde_json::from_str(&arrivals(&[key(0), key(1)])).unwrap();
    body["Records"][0]["eventVersion"] = "3.0".into();
    harness.queue.inner.send(body.to_string());
    let report = harness.consumer().run_once().await.unwrap();
    assert_eq!((report.left_for_dead_letter, report.acknowledged), (1, 0));
    assert_eq!(*harness.script.finished.lock().unwrap(), [key(1)]);
    assert_eq!(harness.queue.inner.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_nothing_is_acknowledged_and_touches_nothing() {
    let harness = Harness::new();
    for body in [
        r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "file-share-bucket"}"#,
        &event("ObjectRemoved:Delete", &key(0).to_string()),
        &event("ObjectCreated:Put", "uploads/report.pdf"),
        &event("ObjectCreated:Put", "uploads/%FF"),
        &arrivals(&[key(0)]).replace("file-share-bucket", "another-bucket"),
        r#"{"Records": []}"#,
    ] {
        harness.queue.inner.send(body);
    }
    let report = harness.consumer().run_once().await.unwrap();
    assert_eq!((report.received, report.acknowledged), (6, 6));
    assert_eq!(harness.script.begun(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_doubled_message_is_finalized_twice_and_both_are_acknowledged() {
    let harness = Harness::new();
    harness.queue.inner.send(arrivals(&[key(0)]));
    harness.queue.inner.send(arrivals(&[key(0)]));
    let report = harness.consumer().run_once().await.unwrap();
    assert_eq!(report.acknowledged, 2);
    assert_eq!(harness.script.finished(), 2);
    assert!(harness.queue.inner.is_empty());
}

#[tokio::test(start_paused = true)]
async fn work_that_outlasts_the_visibility_timeout_is_not_delivered_again() {
    let attributes = Attributes {
        visibility_timeout: Duration::from_secs(10),
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    harness.send_arrivals(1);
    harness
        .script
        .next(key(0), [Call::Takes(Duration::from_secs(95))]);
    let consumer = harness.consumer();
    let working = tokio::spawn(async move { consumer.run_once().await.unwrap() });
    let rival = harness.consumer();
    eventually(Duration::from_secs(1), || harness.script.begun() == 1).await;
    while !working.is_finished() {
        let report = rival.run_once().await.unwrap();
        assert_eq!(report.received, 0, "delivered again while it was worked on");
    }
    assert_eq!(working.await.unwrap().acknowledged, 1);
    assert_eq!(harness.script.begun(), 1);
    assert!(harness.queue.inner.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_before_it_is_too_late() {
    let attributes = Attributes {
        visibility_timeout: Duration::from_secs(16),
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    harness.send_arrivals(1);
    harness.queue.failing_deferrals.store(3, SeqCst);
    harness
        .script
        .next(key(0), [Call::Takes(Duration::from_secs(25))]);
    let consumer = harness.consumer();
    let working = tokio::spawn(async move { consumer.run_once().await.unwrap() });
    eventually(Duration::from_secs(1), || harness.script.begun() == 1).await;
    while !working.is_finished() {
        assert_eq!(harness.queue.inner.receive(10).await.unwrap(), []);
    }
    assert_eq!(harness.queue.failing_deferrals.load(SeqCst), 0);
    assert_eq!(working.await.unwrap().acknowledged, 1);
}

#[tokio::test(start_paused = true)]
async fn work_that_hangs_is_broken_off_and_put_off() {
    let harness = Harness::new();
    harness.send_arrivals(1);
    harness.script.next(key(0), [Call::Hangs]);
    let began = Instant::now();
    let report = harness.consumer().run_once().await.unwrap();
    assert_eq!(report.deferred, 1);
    assert_eq!(began.elapsed().as_secs(), WORK_LIMIT.as_secs());
    assert_eq!(harness.queue.inner.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn refused_entries_of_an_acknowledgement_come_again() {
    let harness = Harness::new();
    harness.send_arrivals(5);
    harness.queue.refused_entries.store(2, SeqCst);
    let consumer = harness.consumer();
    let report = consumer.run_once().await.unwrap();
    assert_eq!((report.acknowledged, report.unacknowledged), (3, 2));
    assert_eq!(harness.queue.inner.len(), 2);
    step_until(&consumer, || harness.queue.inner.is_empty()).await;
    assert_eq!(harness.script.finished(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_fails_as_a_whole_loses_nothing() {
    let harness = Harness::new();
    harness.send_arrivals(4);
    harness.queue.failing_acknowledgements.store(1, SeqCst);
    let consumer = harness.consumer();
    assert_eq!(consumer.run_once().await.unwrap().unacknowledged, 4);
    step_until(&consumer, || harness.queue.inner.is_empty()).await;
    assert!(harness.queue.inner.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_is_acknowledged_in_one_call() {
    let harness = Harness::new();
    harness.send_arrivals(10);
    harness.consumer().run_once().await.unwrap();
    assert_eq!(*harness.queue.batches.lock().unwrap(), [10]);
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn poison_is_logged_once_with_its_id_and_without_its_content() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let harness = Harness::new();
    harness
        .queue
        .inner
        .send("https://presigned?X-Amz-Signature=secret");
    let consumer = harness.consumer();
    step_until(&consumer, || !harness.queue.inner.dead_letters().is_empty()).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("not understood").count(), 1, "{log}");
    assert!(log.contains("message-0"), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_does_not_keep_the_next_one_from_coming_in_time() {
    let attributes = Attributes {
        visibility_timeout: Duration::from_secs(16),
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    harness.send_arrivals(1);
    harness.queue.hanging_deferrals.store(3, SeqCst);
    harness
        .script
        .next(key(0), [Call::Takes(Duration::from_secs(25))]);
    let consumer = harness.consumer();
    let working = tokio::spawn(async move { consumer.run_once().await.unwrap() });
    eventually(Duration::from_secs(1), || harness.script.begun() == 1).await;
    while !working.is_finished() {
        assert_eq!(harness.queue.inner.receive(10).await.unwrap(), []);
    }
    assert_eq!(harness.queue.hanging_deferrals.load(SeqCst), 0);
    assert_eq!(working.await.unwrap().acknowledged, 1);
}

#[tokio::test(start_paused = true)]
async fn renewal_ends_with_the_work() {
    let attributes = Attributes {
        visibility_timeout: Duration::from_secs(10),
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    harness.send_arrivals(2);
    harness
        .script
        .next(key(0), [Call::Takes(Duration::from_secs(12))]);
    harness.script.next(key(1), [Call::Fails]);
    harness.queue.inner.send("no notification");
    let report = harness.consumer().run_once().await.unwrap();
    assert_eq!(
        (
            report.acknowledged,
            report.deferred,
            report.left_for_dead_letter
        ),
        (1, 1, 1)
    );
    // Two renewals of the slow one, and the deferral of the one that failed.
    assert_eq!(harness.queue.deferrals.load(SeqCst), 3);
    // What was left isn't held on to either: it comes back after its visibility timeout.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(harness.queue.deferrals.load(SeqCst), 3);
    assert_eq!(harness.queue.inner.visible(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_renewal_lets_another_worker_finish_and_harms_nobody() {
    let attributes = Attributes {
        visibility_timeout: Duration::from_secs(10),
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    harness.send_arrivals(1);
    harness
        .script
        .next(key(0), [Call::Takes(Duration::from_secs(60))]);
    let consumer = harness.consumer();
    let working = tokio::spawn(async move { consumer.run_once().await.unwrap() });
    eventually(Duration::from_secs(1), || harness.script.begun() == 1).await;
    harness.queue.failing_deferrals.store(usize::MAX, SeqCst);
    // The message comes back, and the second worker does the work.
    let rival = harness.consumer();
    let report = step_until(&rival, || harness.queue.inner.is_empty()).await;
    assert_eq!(report.acknowledged, 1);
    assert!(!working.is_finished());
    harness.queue.failing_deferrals.store(0, SeqCst);
    // The first one comes to its end as well, and finds it done. Its receipt is stale by then.
    let report = working.await.unwrap();
    assert_eq!(report.acknowledged, 1);
    assert_eq!(harness.script.finished(), 2);
    assert_eq!(harness.script.begun(), 2);
    assert!(harness.queue.inner.is_empty());
    assert!(harness.queue.inner.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_deferred_comes_back_after_the_back_off_and_not_after_the_visibility_timeout() {
    let harness = Harness::new();
    harness.send_arrivals(1);
    harness.script.next(key(0), [Call::Fails; 3]);
    let consumer = harness.consumer();
    let mut before = Duration::ZERO;
    let began = Instant::now();
    for attempt in 1..=4 {
        step_until(&consumer, || harness.script.begun() == attempt).await;
        let pause = began.elapsed() - before;
        before = began.elapsed();
        if attempt > 1 {
            let full = FIRST_DEFERRAL * 2_u32.pow(u32::try_from(attempt).unwrap() - 2);
            assert!(pause >= full / 2, "{pause:?} before attempt {attempt}");
            let slack = Duration::from_secs(2);
            assert!(pause <= full + slack, "{pause:?} before attempt {attempt}");
        }
    }
    assert!(harness.queue.inner.is_empty());
}
