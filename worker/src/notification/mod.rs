//! Event notifications: what a message says has happened in the bucket.
//!
//! Three envelopes are understood: S3's own, the same inside an SNS notification, and EventBridge's, of S3 and of
//! GuardDuty. Each holds one or more events; every event becomes one [`Event`].
//!
//! Invariant: any text whatever gives an answer, without a panic and in bounded memory and depth;
//! and a key of ours is found however the sender spelled it.
//!
//! Absent on purpose: the object's size, ETag, version and sequencer, and what GuardDuty found. A notification is a hint, and
//! servers differ in what they fill in; the truth is read from the store.

mod envelope;
#[cfg(test)]
mod tests;

use file_share::domain::ObjectKey;
use percent_encoding::percent_decode;

use envelope::{EventBridgeDetail, EventBridgeEvent, S3Record, ScanResultDetail};

/// The longest message that is read, in bytes: 256 KiB, what SNS and EventBridge carry at most. S3's
/// own notifications have about 1 KiB.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// In the order of the message.
    pub events: Vec<Event>,
}

/// What one event says to this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Bytes have arrived under a key of ours, or were scanned there: it is worth a look.
    Arrived(ObjectKey),
    /// Understood, and nothing to do.
    Ignored(IgnoredReason),
    /// This event isn't understood. Others of the same message may be.
    NotUnderstood(NotUnderstood),
}

/// Why an event asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IgnoredReason {
    /// Somebody set up the bucket's notification; no object was made.
    #[error("it is the test event that S3 sends when a notification is set up")]
    TestEvent,
    /// Something else happened to an object, such as its deletion.
    #[error("it is of another kind than the creation of an object, or its scan")]
    OtherKind,
    /// It names another bucket than this program's.
    #[error("it is from another bucket")]
    ForeignBucket,
    /// An object was made under a key that this service doesn't make.
    #[error("the key is none of this service")]
    ForeignKey,
    /// An object was made under a key that can't be one of this service's, which are ASCII.
    #[error("the key isn't UTF-8 when decoded")]
    UndecodableKey,
}

/// Why a message or an event can't be read. Never holds any of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// It is longer than anything that S3, SNS or EventBridge sends; it wasn't read.
    #[error("it has more than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// It can't be parsed as JSON.
    #[error("it isn't JSON, or nested too deeply")]
    NotJson,
    /// It is JSON, and nothing in it says how it is to be read.
    #[error("it is none of the envelopes of S3, SNS and EventBridge")]
    UnknownEnvelope,
    /// The envelope is known, and the event inside isn't such as S3 sends.
    #[error("a field of the event is missing or of another type")]
    UnknownShape,
    /// The event's source isn't named `…:s3`.
    #[error("the event is from another source than S3")]
    UnknownSource,
    /// S3 changed the format in a way that older readers needn't understand.
    #[error("the event's format has another major version")]
    UnknownVersion,
}

/// Reads a message about the bucket `bucket`.
///
/// # Errors
/// If the message as a whole isn't understood; an event inside that isn't is an
/// [`Event::NotUnderstood`].
pub fn parse(body: &str, bucket: &str) -> Result<Notification, NotUnderstood> {
    let events = match envelope::open(body)? {
        envelope::Envelope::Records(records) => records
            .into_iter()
            .map(|record| {
                serde_json::from_value(record)
                    .map_err(|_| NotUnderstood::UnknownShape)
                    .and_then(|record| read_record(&record, bucket))
                    .unwrap_or_else(Event::NotUnderstood)
            })
            .collect(),
        envelope::Envelope::EventBridge(event) => {
            vec![read_event_bridge(&event, bucket).unwrap_or_else(Event::NotUnderstood)]
        }
        envelope::Envelope::GuardDuty(event) => {
            vec![read_scan_result(&event, bucket).unwrap_or_else(Event::NotUnderstood)]
        }
        envelope::Envelope::TestEvent => vec![Event::Ignored(IgnoredReason::TestEvent)],
    };
    Ok(Notification { events })
}

/// Version 2 of S3's event format; the minor version grows with added fields
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
fn read_record(record: &S3Record, bucket: &str) -> Result<Event, NotUnderstood> {
    // Other stores with S3's API put their own name in front.
    let from_s3 = |source: &String| source.ends_with(":s3");
    if !record.event_source.as_ref().is_none_or(from_s3) {
        return Err(NotUnderstood::UnknownSource);
    }
    if !is_major(&record.event_version, "2") {
        return Err(NotUnderstood::UnknownVersion);
    }
    // The name is documented without `s3:`, and configured and sometimes sent with it.
    let name = record.event_name.as_str();
    let name = name.strip_prefix("s3:").unwrap_or(name);
    if !name.starts_with("ObjectCreated:") {
        return Ok(Event::Ignored(IgnoredReason::OtherKind));
    }
    let s3 = record.s3.as_ref().ok_or(NotUnderstood::UnknownShape)?;
    Ok(arrived(
        &s3.bucket.name,
        bucket,
        decode_key(&s3.object.key).as_deref(),
    ))
}

/// EventBridge's format. Unlike in S3's own events the key stands there as it is, not encoded, so
/// decoding it would turn `+` and `%41` into something else
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>).
fn read_event_bridge(
    event: &EventBridgeEvent<EventBridgeDetail>,
    bucket: &str,
) -> Result<Event, NotUnderstood> {
    let EventBridgeEvent::Of(detail) = event else {
        return Ok(Event::Ignored(IgnoredReason::OtherKind));
    };
    let detail = detail.as_ref().ok_or(NotUnderstood::UnknownShape)?;
    // A field of later years; `version` beside it is the envelope's and stays "0".
    let version = detail.event_version.as_deref();
    if !version.is_none_or(|version| is_major(version, "1")) {
        return Err(NotUnderstood::UnknownVersion);
    }
    Ok(arrived(
        &detail.bucket.name,
        bucket,
        Some(&detail.object.key),
    ))
}

/// GuardDuty's result of a scan. Version 1 of its format; the key stands there as it is.
fn read_scan_result(
    event: &EventBridgeEvent<ScanResultDetail>,
    bucket: &str,
) -> Result<Event, NotUnderstood> {
    let EventBridgeEvent::Of(detail) = event else {
        return Ok(Event::Ignored(IgnoredReason::OtherKind));
    };
    let detail = detail.as_ref().ok_or(NotUnderstood::UnknownShape)?;
    let version = detail.schema_version.as_deref();
    if !version.is_none_or(|version| is_major(version, "1")) {
        return Err(NotUnderstood::UnknownVersion);
    }
    let object = &detail.s3_object_details;
    Ok(arrived(
        &object.bucket_name,
        bucket,
        Some(&object.object_key),
    ))
}

fn is_major(version: &str, major: &str) -> bool {
    version.split('.').next() == Some(major)
}

fn arrived(bucket: &str, our_bucket: &str, key: Option<&str>) -> Event {
    if bucket != our_bucket {
        return Event::Ignored(IgnoredReason::ForeignBucket);
    }
    let Some(key) = key else {
        return Event::Ignored(IgnoredReason::UndecodableKey);
    };
    match ObjectKey::parse(key) {
        Ok(key) => Event::Arrived(key),
        Err(_) => Event::Ignored(IgnoredReason::ForeignKey),
    }
}

/// Decodes the form encoding of a key, once: `+` is a space, then `%XX` are bytes. Servers differ
/// in what they encode (`+` or `%20`, `/` or `%2F`), and this reads all of it. `None` if the bytes
/// aren't UTF-8.
fn decode_key(encoded: &str) -> Option<String> {
    let spaced = encoded.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
