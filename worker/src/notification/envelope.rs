//! The shapes that event notifications come in, before anybody asks what they mean.
//!
//! Invariant: an envelope is opened at most twice (SNS around another one), and JSON no deeper than
//! serde_json's limit of 128 levels.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{MAX_MESSAGE_BYTES, NotUnderstood};

pub(super) enum Envelope {
    /// S3's own. Each record is read by itself, so that a strange one doesn't hide the others.
    Records(Vec<Value>),
    TestEvent,
    EventBridge(EventBridgeEvent<EventBridgeDetail>),
    GuardDuty(EventBridgeEvent<ScanResultDetail>),
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

/// The one kind of event of S3's whose details are read.
const OBJECT_CREATED: &str = "Object Created";
/// The one kind of event of GuardDuty's whose details are read.
const SCAN_RESULT: &str = "GuardDuty Malware Protection Object Scan Result";

/// An event with details of one kind.
pub(super) enum EventBridgeEvent<D> {
    /// It is of that kind; `None`: and has no details.
    Of(Option<D>),
    /// It is of another kind. Each has details of another shape.
    OtherKind,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct AnyEventBridgeEvent {
    detail_type: String,
    detail: Option<Value>,
}

impl<D: DeserializeOwned> EventBridgeEvent<D> {
    fn read(event: Value, kind: &str) -> Result<Self, NotUnderstood> {
        let unknown = |_| NotUnderstood::UnknownShape;
        let event: AnyEventBridgeEvent = serde_json::from_value(event).map_err(unknown)?;
        if event.detail_type != kind {
            return Ok(Self::OtherKind);
        }
        let detail = event.detail.map(serde_json::from_value).transpose();
        detail.map(Self::Of).map_err(unknown)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EventBridgeDetail {
    pub event_version: Option<String>,
    pub bucket: Bucket,
    pub object: Object,
}

/// What GuardDuty says of an object that it looked at. What it found isn't read: the tag of the version says it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanResultDetail {
    pub schema_version: Option<String>,
    pub s3_object_details: ScannedObject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScannedObject {
    pub bucket_name: String,
    pub object_key: String,
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
        return EventBridgeEvent::read(Value::Object(fields), OBJECT_CREATED)
            .map(|event| Opened::Envelope(Envelope::EventBridge(event)));
    }
    if is("source", "aws.guardduty") {
        return EventBridgeEvent::read(Value::Object(fields), SCAN_RESULT)
            .map(|event| Opened::Envelope(Envelope::GuardDuty(event)));
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
