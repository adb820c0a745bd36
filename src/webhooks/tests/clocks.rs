//! What clocks that are wrong do to messages: none is given up for one.

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn days(n: i64) -> i64 {
    TimeDelta::days(n).num_milliseconds()
}

impl Fixture {
    async fn told_message(&self) -> Message {
        let record = self.pending().await;
        let change = self.store.transition(record.id, &available()).await;
        assert_eq!(change.unwrap(), TransitionOutcome::Applied);
        let outbox: &dyn Outbox = &*self.memory;
        let mut kept = outbox.due_messages(start() + DAY * 10_000, 100).await;
        kept.as_mut().unwrap().pop().unwrap()
    }

    /// Whatever it is due at.
    async fn kept(&self) -> Vec<Message> {
        let outbox: &dyn Outbox = &*self.memory;
        outbox
            .due_messages(start() + DAY * 10_000, 100)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn what_was_never_tried_is_sent_however_far_the_clock_has_jumped() {
    for jump in [2 * DAY, DAY * 400] {
        let fixture = Fixture::new();
        let receiver = Receiver::answering(&[BROKEN, TAKEN]).await;
        fixture.told_message().await;
        // A machine that slept: both clocks are ahead.
        fixture.clock.advance(jump);
        let deliverer = fixture.deliverer(&receiver).await;
        deliverer.send_due().await;
        assert_eq!(fixture.kept().await.len(), 1, "one try isn't a day");
        fixture.clock.advance(jump);
        deliverer.send_due().await;
        assert_eq!(receiver.got().len(), 2);
        assert!(fixture.kept().await.is_empty());
    }
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_again_and_again_gives_nothing_up() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[BROKEN]).await;
    fixture.told_message().await;
    let deliverer = fixture.deliverer(&receiver).await;
    for jumps in 1..=40 {
        fixture.own_clock.set_ahead(days(2 * jumps));
        deliverer.send_due().await;
    }
    assert_eq!(receiver.got().len(), 40, "each jump made it due");
    let [kept] = fixture.kept().await.try_into().unwrap();
    assert_eq!((kept.attempts, kept.tried_since), (0, None));
}

#[tokio::test]
async fn a_store_that_does_not_say_its_time_gives_nothing_up_either() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[BROKEN]).await;
    fixture.told_message().await;
    let deliverer = fixture.deliverer(&receiver).await;
    fixture.objects.set_fault(Some("away"));
    for _ in 0..30 {
        deliverer.send_due().await;
        fixture.clock.advance(5 * HOUR);
    }
    assert_eq!(fixture.kept().await.len(), 1);
    fixture.objects.set_fault(None);
    for _ in 0..13 {
        assert_eq!(fixture.kept().await.len(), 1);
        deliverer.send_due().await;
        fixture.clock.advance(5 * HOUR);
    }
    assert!(fixture.kept().await.is_empty(), "it was tried 13 times");
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_put_off_is_brought_forward() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[BROKEN, BROKEN, TAKEN]).await;
    fixture.own_clock.set_ahead(days(30));
    fixture.told_message().await;
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    // While the clock is wrong nothing is known of what is right.
    fixture.own_clock.set_ahead(days(3));
    assert!(!deliverer.bring_forward().await);
    fixture.own_clock.set_ahead(0);
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 1, "it is due in a month");
    assert!(!deliverer.bring_forward().await);
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 2);
    // By the pause that it has now, and not sooner.
    assert!(!deliverer.bring_forward().await);
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 2);
    fixture.clock.advance(Duration::from_secs(6));
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 3);
    assert!(fixture.kept().await.is_empty());
}

#[tokio::test]
async fn a_process_whose_clock_is_behind_brings_nothing_forward() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[BROKEN]).await;
    let message = fixture.told_message().await;
    let put_off = message.not_taken(start(), start() + 4 * HOUR);
    let replaced = fixture.memory.replace_message(&message, &put_off);
    assert!(replaced.await.unwrap());
    let deliverer = fixture.deliverer(&receiver).await;
    fixture.own_clock.set_ahead(days(-2));
    assert!(!deliverer.bring_forward().await);
    assert_eq!(fixture.kept().await, [put_off]);
}

#[tokio::test]
async fn all_that_was_put_off_for_too_long_is_brought_forward_however_much_it_is() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[TAKEN]).await;
    for n in 0..100 {
        let id = crate::metadata_store::outbox::MessageId::parse(&format!("msg_{n}")).unwrap();
        let at = start() + 6 * HOUR;
        let message = Message::new(id, "{}".into(), at).unwrap();
        fixture.memory.add_message(&message).await.unwrap();
    }
    let deliverer = fixture.deliverer(&receiver).await;
    assert!(!deliverer.bring_forward().await);
    assert_eq!(fixture.due().await.len(), 100);
}
