//! What must hold for any message whatever. See the module of the same name in the library.
//!
//! Only with the feature `fuzzing`.
//!
//! Invariant: a property is a function of its bytes alone.

#![allow(
    clippy::panic,
    reason = "a property that doesn't hold ends the run, which is what it is for"
)]

use file_share::domain::ObjectKey;
use serde_json::json;

use crate::notification::{Event, MAX_MESSAGE_BYTES, NotUnderstood, parse};

const BUCKET: &str = "file-share-bucket";

/// A property: panics on an input for which it doesn't hold.
pub type Property = fn(&[u8]);

/// The properties of this crate, by the names of their fuzz targets and corpora.
pub const PROPERTIES: [(&str, Property); 1] = [("notification", notification)];

/// A message names only keys of ours in our bucket, and says the same however it is wrapped.
pub fn notification(data: &[u8]) {
    let body = String::from_utf8_lossy(data);
    let parsed = parse(&body, BUCKET);
    assert_eq!(parse(&body, BUCKET), parsed, "read twice");
    if body.len() > MAX_MESSAGE_BYTES {
        assert_eq!(parsed, Err(NotUnderstood::TooLong));
        return;
    }
    let elsewhere = parse(&body, "another-bucket");
    assert_eq!(parsed.is_ok(), elsewhere.is_ok());
    if let (Ok(here), Ok(elsewhere)) = (&parsed, &elsewhere) {
        assert_eq!(here.events.len(), elsewhere.events.len());
        for (here, elsewhere) in here.events.iter().zip(&elsewhere.events) {
            let arrived = |event: &Event| matches!(event, Event::Arrived(_));
            assert!(!(arrived(here) && arrived(elsewhere)), "for two buckets");
        }
        for event in &here.events {
            if let Event::Arrived(key) = event {
                assert_reads_back(*key);
            }
        }
    }
    // Inside SNS it says the same, unless it comes from there already or is too long then.
    let wrapped = json!({"Type": "Notification", "Message": body}).to_string();
    if wrapped.len() <= MAX_MESSAGE_BYTES {
        let inner = parse(&wrapped, BUCKET);
        let is_sns = inner == Err(NotUnderstood::UnknownEnvelope);
        assert!(inner == parsed || is_sns, "{inner:?} and {parsed:?}");
    }
}

fn assert_reads_back(key: ObjectKey) {
    let text = key.to_string();
    assert_eq!(ObjectKey::parse(&text), Ok(key));
    let encoded = text.replace('/', "%2F").replace('-', "%2d");
    let message = json!({"Records": [{
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": encoded}},
    }]});
    let parsed = parse(&message.to_string(), BUCKET).map(|notification| notification.events);
    assert_eq!(parsed, Ok(vec![Event::Arrived(key)]));
}
