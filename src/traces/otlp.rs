//! Spans as OTLP has them: an `ExportTraceServiceRequest` in the wire format of Protocol Buffers.
//!
//! Invariant: fields that aren't there are left out, and what is written is what opentelemetry-proto 1.x names so. Numbers
//! of fields are never given to another meaning there, so this stays true.

use std::time::{Duration, UNIX_EPOCH};

use super::{Finished, Link, Span, Value};

const LENGTH_DELIMITED: u64 = 2;
const FIXED_64: u64 = 1;
const FIXED_32: u64 = 5;
/// Of a span that somebody decided to tell.
const SAMPLED: u32 = 1;
/// What a status is for a fault.
const ERROR: u64 = 2;

/// What tells, and what it tells.
pub(super) fn request(program: &'static str, finished: &[Finished]) -> Vec<u8> {
    let mut resource = Message::default();
    for (key, word) in [
        ("service.name", program),
        ("service.version", env!("CARGO_PKG_VERSION")),
    ] {
        resource.message(1, &attribute(key, Value::Word(word)));
    }
    let mut scope = Message::default();
    scope.text(1, "file-share");
    let mut spans = Message::default();
    spans.message(1, &scope);
    for Finished {
        trace_id,
        spans: of_it,
    } in finished
    {
        for span in of_it {
            spans.message(2, &encoded(trace_id, span));
        }
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, &resource);
    resource_spans.message(2, &spans);
    let mut request = Message::default();
    request.message(1, &resource_spans);
    request.0
}

fn encoded(trace_id: &[u8; 16], span: &Span) -> Message {
    let mut message = Message::default();
    message.bytes(1, trace_id);
    message.bytes(2, &span.id);
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
    }
    match span.name {
        [word, ""] => message.text(5, word),
        words => message.text(5, &words.join(".")),
    }
    message.number(6, span.kind as u64);
    // A clock from before 1970 tells 1970.
    let began = span.began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    message.fixed_64(7, nanos(began));
    message.fixed_64(8, nanos(began.saturating_add(span.took)));
    for (key, value) in &span.attributes {
        message.message(9, &attribute(key, *value));
    }
    if let Some(Link { trace_id, span_id }) = &span.link {
        let mut link = Message::default();
        link.bytes(1, trace_id);
        link.bytes(2, span_id);
        message.message(13, &link);
    }
    if span.has_failed {
        let mut status = Message::default();
        status.number(3, ERROR);
        message.message(15, &status);
    }
    message.fixed_32(16, SAMPLED);
    message
}

fn attribute(key: &str, value: Value) -> Message {
    let mut any = Message::default();
    match value {
        Value::Word(word) => any.text(1, word),
        Value::Number(number) => any.number(3, number as u64),
    }
    let mut attribute = Message::default();
    attribute.text(1, key);
    attribute.message(2, &any);
    attribute
}

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint((field << 3) | wire_type);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.tag(field, 0);
        self.varint(number);
    }

    fn fixed_64(&mut self, field: u64, number: u64) {
        self.tag(field, FIXED_64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn fixed_32(&mut self, field: u64, number: u32) {
        self.tag(field, FIXED_32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }
}
