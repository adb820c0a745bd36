//! How messages get through to a receiver that takes them, refuses them, is busy or away.

use super::*;

#[tokio::test]
async fn what_is_due_is_posted_with_its_signature_once_and_then_gone() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[TAKEN]).await;
    fixture.file_arrives().await;
    let [message] = fixture.due().await.try_into().unwrap();
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    deliverer.send_due().await;
    let [request] = receiver.got().try_into().unwrap();
    assert!(
        request.starts_with("POST /hooks?team=1 HTTP/1.1\r\n"),
        "{request}"
    );
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, message.body);
    assert_eq!(header(&request, "content-type"), "application/json");
    assert_eq!(header(&request, "webhook-id"), message.id.as_str());
    let sent_at = header(&request, "webhook-timestamp");
    assert_eq!(sent_at, start().timestamp().to_string());
    let secrets = [WebhookSecret::parse(SECRET).unwrap()];
    let signature = sign(&secrets, message.id.as_str(), start().timestamp(), body);
    assert_eq!(header(&request, "webhook-signature"), signature);
    assert!(!request.contains("MfKQ9r8"), "the secret is sent");
    fixture.clock.advance(DAY);
    assert!(fixture.due().await.is_empty());
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_after_growing_pauses_for_a_day() {
    let redirect =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    for refusal in [
        BROKEN,
        redirect,
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "no HTTP",
    ] {
        let fixture = Fixture::counting();
        let receiver = Receiver::answering(&[refusal]).await;
        let record = fixture.pending().await;
        fixture
            .store
            .transition(record.id, &available())
            .await
            .unwrap();
        let deliverer = fixture.deliverer(&receiver).await;
        deliverer.send_due().await;
        deliverer.send_due().await;
        assert_eq!(receiver.got().len(), 1, "not before its pause is over");
        let mut minutes = 0;
        while minutes < 30 * 60 {
            minutes += 1;
            fixture.clock.advance(Duration::from_secs(60));
            deliverer.send_due().await;
        }
        let got = receiver.got();
        assert_eq!(got.len(), 13);
        let ids: std::collections::BTreeSet<_> =
            got.iter().map(|it| header(it, "webhook-id")).collect();
        assert_eq!(ids.len(), 1);
        assert!(got.iter().all(|it| it.starts_with("POST /hooks?team=1 ")));
        // Each try is one, also the last.
        let counted = fixture.stores.metrics.exposition();
        for (outcome, count) in [("taken", 0), ("not_taken", 12), ("given_up", 1)] {
            let line =
                format!("\nfile_share_webhook_tries_total{{outcome=\"{outcome}\"}} {count}\n");
            assert!(counted.contains(&line), "{line} isn't in\n{counted}");
        }
        fixture.clock.advance(DAY * 30);
        assert!(fixture.due().await.is_empty(), "it was given up");
    }
}

#[tokio::test]
async fn a_receiver_that_comes_back_gets_what_it_missed() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[BROKEN, BROKEN, TAKEN]).await;
    fixture.file_arrives().await;
    let deliverer = fixture.deliverer(&receiver).await;
    for _ in 0..10 {
        deliverer.send_due().await;
        fixture.clock.advance(Duration::from_secs(60));
    }
    let got = receiver.got();
    assert_eq!(got.len(), 3);
    let times: Vec<&str> = got
        .iter()
        .map(|it| header(it, "webhook-timestamp"))
        .collect();
    assert!(
        times[0] < times[1] && times[1] < times[2],
        "each try has its own time"
    );
}

#[tokio::test]
async fn a_receiver_that_says_410_is_not_told_that_again() {
    let fixture = Fixture::new();
    let gone = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(&[gone]).await;
    fixture.file_arrives().await;
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    fixture.clock.advance(DAY);
    assert!(fixture.due().await.is_empty());
    // The next is told all the same.
    fixture.file_arrives().await;
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_is_busy_says_for_how_long() {
    let fixture = Fixture::new();
    let busy = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1800\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering(&[busy, TAKEN]).await;
    fixture.file_arrives().await;
    let deliverer = fixture.deliverer(&receiver).await;
    deliverer.send_due().await;
    fixture.clock.advance(Duration::from_secs(1799));
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    fixture.clock.advance(Duration::from_secs(1));
    deliverer.send_due().await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn whatever_a_receiver_answers_is_not_read_beyond_its_head() {
    let fixture = Fixture::new();
    // A body that never ends.
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nxxxx";
    let receiver = Receiver::answering(&[endless]).await;
    fixture.file_arrives().await;
    fixture.deliverer(&receiver).await.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    fixture.clock.advance(DAY);
    assert!(fixture.due().await.is_empty());
}

#[tokio::test]
async fn of_two_that_deliver_one_sends_and_what_one_leaves_behind_is_sent_by_the_other() {
    let fixture = Fixture::new();
    let receiver = Receiver::answering(&[TAKEN]).await;
    fixture.file_arrives().await;
    let [one, two] = [
        fixture.deliverer(&receiver).await,
        fixture.deliverer(&receiver).await,
    ];
    tokio::join!(one.send_due(), two.send_due());
    assert_eq!(receiver.got().len(), 1);

    fixture.file_arrives().await;
    let [message] = fixture.due().await.try_into().unwrap();
    // Somebody took it up, and died.
    let taken = message.due_at(start() + TimeDelta::seconds(60));
    assert!(
        fixture
            .memory
            .replace_message(&message, &taken)
            .await
            .unwrap()
    );
    two.send_due().await;
    assert_eq!(receiver.got().len(), 1);
    fixture.clock.advance(Duration::from_secs(60));
    two.send_due().await;
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn where_nothing_is_told_the_store_is_the_store_itself_and_nobody_sends() {
    let memory = Arc::new(MemoryMetadataStore::default());
    let store = ToldStore::over(Arc::clone(&memory) as _, &Webhooks::default());
    let record = FileRecord::sample(start());
    store.insert(&record).await.unwrap();
    store.transition(record.id, &available()).await.unwrap();
    let outbox: &dyn Outbox = &*memory;
    assert!(
        outbox
            .due_messages(start() + DAY, 100)
            .await
            .unwrap()
            .is_empty()
    );
    let receiver = Receiver::answering(&[TAKEN]).await;
    let none = Deliverer::new(
        &Webhooks::default(),
        Some(&receiver.settings()),
        &Fixture::new().stores,
    )
    .unwrap();
    assert!(none.is_none());
}
