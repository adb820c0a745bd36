//! The loop: bounds, faults of the queue, and the end.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::super::{DRAIN_LIMIT, MAX_IN_FLIGHT, MAX_IN_HAND, SUPERVISOR_PATIENCE};
use super::support::{Call, Harness, eventually, key};
use crate::event_queue::MAX_RECEIVE_WAIT;
use crate::event_queue::in_memory::Attributes;

fn start(harness: &Harness) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let running = tokio::spawn(harness.consumer().run(stop.clone()));
    (running, stop)
}

/// Stops the consumer and says how long that took.
async fn stopped(running: JoinHandle<()>, stop: &CancellationToken) -> Duration {
    let began = Instant::now();
    stop.cancel();
    running.await.unwrap();
    began.elapsed()
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn the_bounds_on_work_and_on_deliveries_in_hand_are_reached_and_never_exceeded() {
    let harness = Harness::with(Attributes::default(), Duration::from_secs(2));
    harness.send_arrivals(100);
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.queue.inner.is_empty()).await;
    assert_eq!(harness.script.most_running.load(SeqCst), MAX_IN_FLIGHT);
    assert_eq!(harness.queue.most_hidden.load(SeqCst), MAX_IN_HAND);
    assert_eq!(harness.script.finished(), 100);
    stopped(running, &stop).await;
}

#[tokio::test(start_paused = true)]
async fn one_slow_message_does_not_hold_up_the_others() {
    let harness = Harness::with(Attributes::default(), Duration::from_millis(100));
    harness.send_arrivals(60);
    harness.script.next(key(0), [Call::Takes(MINUTE)]);
    let (running, stop) = start(&harness);
    eventually(Duration::from_secs(5), || harness.queue.inner.len() == 1).await;
    eventually(2 * MINUTE, || harness.queue.inner.is_empty()).await;
    stopped(running, &stop).await;
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_what_was_begun_is_finished_and_the_rest_is_given_back_at_once() {
    let harness = Harness::with(Attributes::default(), Duration::from_secs(3));
    harness.send_arrivals(25);
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.script.begun() == MAX_IN_FLIGHT).await;
    eventually(MINUTE, || harness.queue.inner.visible() == 0).await;
    stop.cancel();
    // Given back before the work that goes on is over.
    eventually(Duration::from_secs(1), || {
        harness.queue.inner.visible() == 9
    })
    .await;
    assert_eq!(harness.script.finished(), 0);
    assert!(stopped(running, &stop).await < SUPERVISOR_PATIENCE);
    assert_eq!(harness.script.finished(), MAX_IN_FLIGHT);
    assert_eq!(harness.script.begun(), MAX_IN_FLIGHT);
    assert_eq!(harness.queue.inner.len(), 9);
    assert_eq!(harness.queue.inner.visible(), 9);
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_work_that_hangs_is_given_back_within_the_supervisor_s_patience() {
    let harness = Harness::new();
    harness.send_arrivals(3);
    harness.script.next(key(1), [Call::Hangs]);
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.queue.inner.len() == 1).await;
    assert!(stopped(running, &stop).await < SUPERVISOR_PATIENCE);
    assert_eq!(harness.queue.inner.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_even_if_the_queue_does_not_take_anything_back() {
    let harness = Harness::new();
    harness.send_arrivals(3);
    harness.script.next(key(1), [Call::Hangs]);
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.queue.inner.len() == 1).await;
    harness.queue.failing_deferrals.store(usize::MAX, SeqCst);
    assert!(stopped(running, &stop).await < SUPERVISOR_PATIENCE);
    assert_eq!(harness.queue.inner.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_consumer_stops_as_soon_as_its_poll_is_over() {
    let harness = Harness::new();
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.queue.receives.load(SeqCst) == 1).await;
    assert!(stopped(running, &stop).await <= MAX_RECEIVE_WAIT);
    assert_eq!(harness.queue.receives.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_receive_brings_during_shutdown_is_given_back() {
    let harness = Harness::new();
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.queue.receives.load(SeqCst) == 1).await;
    stop.cancel();
    harness.send_arrivals(2);
    stopped(running, &stop).await;
    assert_eq!(harness.script.begun(), 0);
    assert_eq!(harness.queue.inner.len(), 2);
    assert_eq!(harness.queue.inner.visible(), 2);
}

/// SQS goes on with a poll whose caller went away, and hides what it takes.
#[tokio::test(start_paused = true)]
async fn nothing_that_comes_while_a_consumer_stops_or_afterwards_stays_hidden() {
    for seconds in 0..12 {
        let harness = Harness::new();
        let (running, stop) = start(&harness);
        eventually(MINUTE, || harness.queue.receives.load(SeqCst) == 1).await;
        stop.cancel();
        sleep(Duration::from_secs(seconds)).await;
        harness.send_arrivals(1);
        eventually(Duration::from_secs(1), || {
            harness.queue.inner.visible() == 1
        })
        .await;
        assert!(stopped(running, &stop).await < SUPERVISOR_PATIENCE);
        assert_eq!(harness.script.begun(), 0, "{seconds} s after the stop");
        assert_eq!(
            harness.queue.inner.visible(),
            1,
            "{seconds} s after the stop"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_waited_for_does_not_lengthen_the_work_that_is_waited_for() {
    let harness = Harness::with(Attributes::default(), Duration::ZERO);
    harness.send_arrivals(1);
    harness.script.next(key(0), [Call::Hangs]);
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.script.begun() == 1).await;
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    sleep(DRAIN_LIMIT + Duration::from_millis(100)).await;
    assert_eq!(harness.queue.inner.visible(), 1);
    assert!(stopped(running, &stop).await < SUPERVISOR_PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_queue_is_survived_with_few_calls() {
    let harness = Harness::new();
    harness.send_arrivals(3);
    harness.queue.failing_receives.store(usize::MAX, SeqCst);
    let (running, stop) = start(&harness);
    sleep(10 * MINUTE).await;
    let receives = harness.queue.receives.load(SeqCst);
    assert!((20..=50).contains(&receives), "{receives} in ten minutes");
    harness.queue.failing_receives.store(0, SeqCst);
    eventually(MINUTE, || harness.queue.inner.is_empty()).await;
    stopped(running, &stop).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_wait_is_not_polled_in_a_busy_loop() {
    let attributes = Attributes {
        wait_time: Duration::ZERO,
        ..Attributes::default()
    };
    let harness = Harness::with(attributes, Duration::ZERO);
    let (running, stop) = start(&harness);
    sleep(MINUTE).await;
    let receives = harness.queue.receives.load(SeqCst);
    assert!((55..=61).contains(&receives), "{receives} in a minute");
    stopped(running, &stop).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_delivery_and_not_the_consumer() {
    let harness = Harness::new();
    harness.send_arrivals(5);
    harness.script.next(key(2), [Call::Panics]);
    let (running, stop) = start(&harness);
    eventually(MINUTE, || harness.queue.inner.len() == 1).await;
    // It comes back after its visibility timeout, and is done then.
    eventually(2 * MINUTE, || harness.queue.inner.is_empty()).await;
    stopped(running, &stop).await;
}
