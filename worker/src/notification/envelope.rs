//! The shapes that event notifications come in, before anybody asks what they mean.
//!
//! Invariant: an envelope is opened at most twice (SNS around another one), and JSON no deeper than
//! serde_json's limit of 128 levels.

use serde::Deserialize;
use serde_json::Value;

use super::{MAX_MESSAGE_BYTES, NotUnderstood};

pub(super) enum Envelope {
    /// S3's own. Each record is read by itself, so that a strange one doesn't hide the others.
    Records(Vec<Value>),
    TestEvent,
    EventBridge(EventBridgeEvent),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct S3Record {
    pub event_version: String,
    pub event_source: Option<String>,
    pub event_name: String,
    /// Other kinds of event have other fields here or none.
    pub s3: Option<S3Entity>,
}

#[derive(Deserialize)]
pub(super) struct S3Entity {
    pub bucket: Bucket,
    pub object: Object,
}

#[derive(Deserialize)]
pub(super) struct Bucket {
    pub name: String,
}

#[derive(Deserialize)]
pub(super) struct Object {
    pub key: String,
}

/// The one kind of event whose details are read.
pub(super) const OBJECT_CREATED: &str = "Object Created";

pub(super) struct EventBridgeEvent {
    pub detail_type: String,
    /// `None` for other kinds than [`OBJECT_CREATED`]: each has details of another shape.
    pub detail: Option<EventBridgeDetail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct AnyEventBridgeEvent {
    detail_type: String,
    detail: Option<Value>,
}

impl TryFrom<AnyEventBridgeEvent> for EventBridgeEvent {
    type Error = serde_json::Error;

    fn try_from(event: AnyEventBridgeEvent) -> Result<Self, Self::Error> {
        let detail = event
            .detail
            .filter(|_| event.detail_type == OBJECT_CREATED)
            .map(serde_json::from_value)
            .transpose()?;
        Ok(Self {
            detail_type: event.detail_type,
            detail,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EventBridgeDetail {
    pub event_version: Option<String>,
    pub bucket: Bucket,
    pub object: Object,
}

/// Takes a message out of what it was sent in.
pub(super) fn open(body: &str) -> Result<Envelope, NotUnderstood> {
    match open_once(body)? {
        Opened::Envelope(envelope) => Ok(envelope),
        Opened::Sns(inner) => match open_once(&inner)? {
            Opened::Envelope(envelope) => Ok(envelope),
            Opened::Sns(_) => Err(NotUnderstood::UnknownEnvelope),
        },
    }
}

enum Opened {
    Envelope(Envelope),
    /// The message inside an SNS notification.
    Sns(String),
}

fn open_once(body: &str) -> Result<Opened, NotUnderstood> {
    if body.len() > MAX_MESSAGE_BYTES {
        return Err(NotUnderstood::TooLong);
    }
    let value: Value = serde_json::from_str(body).map_err(|_| NotUnderstood::NotJson)?;
    let Value::Object(mut fields) = value else {
        return Err(NotUnderstood::UnknownEnvelope);
    };
    let is = |name: &str, text: &str| fields.get(name).and_then(Value::as_str) == Some(text);
    if is("Event", "s3:TestEvent") {
        return Ok(Opened::Envelope(Envelope::TestEvent));
    }
    if is("source", "aws.s3") {
        let event = serde_json::from_value::<AnyEventBridgeEvent>(Value::Object(fields));
        return event
            .and_then(EventBridgeEvent::try_from)
            .map(|event| Opened::Envelope(Envelope::EventBridge(event)))
            .map_err(|_| NotUnderstood::UnknownShape);
    }
    if is("Type", "Notification") {
        return match fields.remove("Message") {
            Some(Value::String(inner)) => Ok(Opened::Sns(inner)),
            _ => Err(NotUnderstood::UnknownShape),
        };
    }
    match fields.remove("Records") {
        Some(Value::Array(records)) => Ok(Opened::Envelope(Envelope::Records(records))),
        _ => Err(NotUnderstood::UnknownEnvelope),
    }
}
