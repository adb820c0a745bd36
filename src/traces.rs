//! Traces: what a request, a settlement or a delivery spent its time on, told to a collector by OTLP.
//!
//! The ID of a trace is the ID of its file, so that everything about a file is one trace, whichever program did it and
//! whenever, and nothing has to be stored or handed on for it. Whether a trace is told is decided by the random end of
//! that ID, so all programs agree. What is about no file has an ID of its own.
//!
//! A [`journey`] is collected in its own task and given away at its end, since only then it is known what it was about.
//!
//! Invariant: a name, and a text in a span, is a word of this program's (`&'static str`), and everything else a number,
//! so nothing that anybody sent gets into one: no URL, name, token or secret. Nobody waits for a collector: what finds
//! no room in the queue is lost, and counted. Where traces are off nothing is collected.
//!
//! Absent on purpose: the crates of OpenTelemetry. What is needed of OTLP is some hundred lines, and they would take the
//! ID from a context that has to be there before anything begins. Steps within steps: each is a part of its journey. A
//! call that is broken off leaves no trace.

mod exporter;
mod otlp;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use crate::domain::FileId;
use exporter::Intake;
pub use exporter::{Exporter, start};

/// Steps that are kept of a journey. What comes beyond counts as lost.
const MAX_STEPS: usize = 64;

/// Where journeys are given to, once that was started.
static INTAKE: OnceLock<Intake> = OnceLock::new();

tokio::task_local! {
    static JOURNEY: RefCell<Journey>;
}

/// What a span is, as OpenTelemetry has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part of something else.
    Internal = 1,
    /// A request that is answered.
    Server = 2,
    /// A request that is made.
    Client = 3,
    /// A message that is worked on.
    Consumer = 5,
}

/// What is said of a span beside its name and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A word of this program's.
    Word(&'static str),
    /// A number.
    Number(i64),
}

/// A span of somebody else's trace, which led to one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    trace_id: [u8; 16],
    span_id: [u8; 8],
}

impl Link {
    /// Reads the header `traceparent` of the W3C; `None` for anything else.
    pub fn of_traceparent(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
        let flags = parts.next()?;
        let is_lowercase = |text: &str| {
            text.bytes()
                .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        // A later version may have more parts.
        let is_known = version.len() == 2 && version != "ff" && is_lowercase(version);
        let is_whole = version != "00" || parts.next().is_none();
        if !is_known || !is_whole || flags.len() != 2 || !is_lowercase(flags) {
            return None;
        }
        let mut link = Self {
            trace_id: [0; 16],
            span_id: [0; 8],
        };
        if !is_lowercase(trace_id) || !is_lowercase(span_id) {
            return None;
        }
        hex::decode_to_slice(trace_id, &mut link.trace_id).ok()?;
        hex::decode_to_slice(span_id, &mut link.span_id).ok()?;
        (link.trace_id != [0; 16] && link.span_id != [0; 8]).then_some(link)
    }
}

/// How a journey ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What it was.
    pub name: &'static str,
    /// Whether that failed by a fault of ours or of a store.
    pub has_failed: bool,
    /// What else there is to say.
    pub attributes: Vec<(&'static str, Value)>,
}

/// A part of a trace, with all that is told of it.
#[derive(Debug, Clone)]
struct Span {
    id: [u8; 8],
    /// Of the journey that it is a part of; `None`: it is the journey.
    parent: Option<[u8; 8]>,
    /// Two words with a dot in between, or one and nothing.
    name: [&'static str; 2],
    kind: Kind,
    began: SystemTime,
    took: Duration,
    has_failed: bool,
    attributes: Vec<(&'static str, Value)>,
    link: Option<Link>,
}

/// Spans of one trace.
#[derive(Debug)]
struct Finished {
    trace_id: [u8; 16],
    spans: Vec<Span>,
}

struct Journey {
    file: Option<FileId>,
    root: [u8; 8],
    steps: Vec<Span>,
    left_out: u64,
}

impl Journey {
    fn begun() -> Self {
        Self {
            file: None,
            root: new_span_id(),
            steps: Vec::new(),
            left_out: 0,
        }
    }
}

/// Whether traces are told anywhere.
pub fn are_on() -> bool {
    INTAKE.get().is_some()
}

/// Does something whose trace is told. `link`: what led to it. Within another journey it is a step of that.
pub async fn journey<T>(
    kind: Kind,
    link: Option<Link>,
    made: impl Future<Output = T>,
    ended: impl FnOnce(&T) -> Ended,
) -> T {
    // Pinned, or what is a part of each branch would be kept once for each.
    let made = pin!(made);
    match INTAKE.get() {
        None => made.await,
        Some(intake) => travelled(intake, kind, link, made, ended).await,
    }
}

async fn travelled<T>(
    intake: &Intake,
    kind: Kind,
    link: Option<Link>,
    made: impl Future<Output = T>,
    ended: impl FnOnce(&T) -> Ended,
) -> T {
    let (began, clock) = (SystemTime::now(), Instant::now());
    if JOURNEY.try_with(|_| ()).is_ok() {
        let made = made.await;
        let Ended {
            name,
            has_failed,
            attributes,
        } = ended(&made);
        add_step(began, clock.elapsed(), [name, ""], has_failed, attributes);
        return made;
    }
    let travelling = async {
        let made = made.await;
        let journey = JOURNEY.with(|it| it.replace(Journey::begun()));
        (made, journey)
    };
    let (made, journey) = JOURNEY
        .scope(RefCell::new(Journey::begun()), travelling)
        .await;
    let took = clock.elapsed();
    let trace_id = match journey.file {
        Some(file) => *file.as_bytes(),
        None => fastrand::u128(1..).to_be_bytes(),
    };
    if intake.takes(&trace_id) {
        let Ended {
            name,
            has_failed,
            attributes,
        } = ended(&made);
        let mut spans = journey.steps;
        spans.push(Span {
            id: journey.root,
            parent: None,
            name: [name, ""],
            kind,
            began,
            took,
            has_failed,
            attributes,
            link,
        });
        intake.give(Finished { trace_id, spans }, journey.left_out);
    }
    made
}

/// Does a part of a journey, under this name: two words. Outside of one nothing is noted.
pub async fn step<T, E>(
    name: [&'static str; 2],
    made: impl Future<Output = Result<T, E>>,
    is_fault: impl FnOnce(&E) -> bool,
) -> Result<T, E> {
    let made = pin!(made);
    if JOURNEY.try_with(|_| ()).is_err() {
        return made.await;
    }
    let (began, clock) = (SystemTime::now(), Instant::now());
    let made = made.await;
    let has_failed = made.as_ref().err().is_some_and(is_fault);
    add_step(began, clock.elapsed(), name, has_failed, Vec::new());
    made
}

fn add_step(
    began: SystemTime,
    took: Duration,
    name: [&'static str; 2],
    has_failed: bool,
    attributes: Vec<(&'static str, Value)>,
) {
    let _ = JOURNEY.try_with(|journey| {
        let mut journey = journey.borrow_mut();
        if journey.steps.len() >= MAX_STEPS {
            journey.left_out += 1;
            return;
        }
        let step = Span {
            id: new_span_id(),
            parent: Some(journey.root),
            name,
            kind: Kind::Internal,
            began,
            took,
            has_failed,
            attributes,
            link: None,
        };
        journey.steps.push(step);
    });
}

/// Says which file the journey is about: of several the last, since a create learns late that it is a repetition.
pub fn about(file: FileId) {
    let _ = JOURNEY.try_with(|journey| journey.borrow_mut().file = Some(file));
}

/// Not to be guessed is nothing about it; it has to be another one than those of its trace.
fn new_span_id() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}
