//! What a collector gets, and what happens where there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::exporter::started;
use super::*;
use crate::config::TraceSettings;
use crate::domain::Timestamp;
use crate::metrics::{Metrics, Role, ScannedWith, Watches};

const PROGRAM: &str = "file-share";

/// The fields of a message, by their numbers.
#[derive(Debug, Default)]
struct Fields(BTreeMap<u64, Vec<Vec<u8>>>);

impl Fields {
    fn of(mut bytes: &[u8]) -> Self {
        let mut fields = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let length = match tag & 7 {
                0 => {
                    let number = varint(&mut bytes).to_be_bytes();
                    fields.0.entry(tag >> 3).or_default().push(number.into());
                    continue;
                }
                1 => 8,
                2 => usize::try_from(varint(&mut bytes)).unwrap(),
                5 => 4,
                other => panic!("wire type {other}"),
            };
            let (value, rest) = bytes.split_at(length);
            fields.0.entry(tag >> 3).or_default().push(value.into());
            bytes = rest;
        }
        fields
    }

    fn all(&self, field: u64) -> Vec<Self> {
        let values = self.0.get(&field).into_iter().flatten();
        values.map(|value| Self::of(value)).collect()
    }

    fn one(&self, field: u64) -> &[u8] {
        self.0.get(&field).map_or(&[], |values| &values[0])
    }

    fn text(&self, field: u64) -> &str {
        std::str::from_utf8(self.one(field)).unwrap()
    }

    fn number(&self, field: u64) -> u64 {
        u64::from_be_bytes(self.one(field).try_into().unwrap())
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The spans of a request to a collector.
fn spans(request: &[u8]) -> Vec<Fields> {
    let [resource_spans] = Fields::of(request).all(1).try_into().unwrap();
    let [service, _] = resource_spans.all(1)[0].all(1).try_into().unwrap();
    assert_eq!(service.text(1), "service.name");
    assert_eq!(service.all(2)[0].text(1), PROGRAM);
    resource_spans.all(2)[0].all(2)
}

/// Takes what it gets, and keeps it.
struct Stub {
    settings: TraceSettings,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Stub {
    async fn taking() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = settings(&listener);
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap().to_lowercase();
                assert!(head.starts_with("post /v1/traces "), "{head}");
                assert!(
                    head.contains("content-type: application/x-protobuf"),
                    "{head}"
                );
                let length = head.split("content-length: ").nth(1).unwrap();
                let length = length.lines().next().unwrap().parse().unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                kept.lock().unwrap().push(body);
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { settings, got }
    }

    fn spans(&self) -> Vec<Fields> {
        let got = self.got.lock().unwrap();
        got.iter().flat_map(|request| spans(request)).collect()
    }
}

fn settings(listener: &TcpListener) -> TraceSettings {
    TraceSettings {
        url: format!("http://{}/v1/traces", listener.local_addr().unwrap()),
        share: 1.0,
    }
}

fn metrics() -> Metrics {
    Metrics::on(Watches {
        role: Role::Worker,
        sweeps: false,
        scanner: ScannedWith::Nothing,
    })
}

fn counted(metrics: &Metrics, outcome: &str) -> u64 {
    let text = metrics.exposition();
    let name = format!("\nfile_share_trace_spans_total{{outcome=\"{outcome}\"}} ");
    let (_, rest) = text.split_once(&name).unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

fn ended(name: &'static str) -> impl FnOnce(&()) -> Ended {
    move |()| Ended {
        name,
        has_failed: false,
        attributes: vec![
            ("attempt", Value::Number(300)),
            ("what", Value::Word("word")),
        ],
    }
}

fn file() -> FileId {
    FileId::parse("0199b7c2-8f00-7abc-8123-456789abcdef").unwrap()
}

async fn step_of(name: &'static str, made: Result<(), &'static str>) {
    let _ = step(["store", name], async { made }, |why| *why == "fault").await;
}

async fn never() {
    std::future::pending().await
}

#[tokio::test]
async fn a_journey_is_one_trace_whose_id_is_that_of_its_file() {
    let (stub, metrics) = (Stub::taking().await, metrics());
    let (intake, exporter) = started(&stub.settings, PROGRAM, &metrics).unwrap();
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let link = Link::of_traceparent(caller);
    let made = async {
        step_of("get", Ok(())).await;
        about(file());
        step_of("insert", Err("fault")).await;
        step_of("insert", Err("an answer")).await;
    };
    travelled(&intake, Kind::Server, link, made, ended("create_file")).await;
    exporter.finish(never()).await;
    let spans = stub.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.text(5)).collect();
    assert_eq!(
        names,
        ["store.get", "store.insert", "store.insert", "create_file"]
    );
    let root = &spans[3];
    for span in &spans {
        assert_eq!(span.one(1), file().as_bytes());
        assert_eq!(span.one(2).len(), 8);
        // Sampled: a collector may leave out what isn't.
        assert_eq!(span.one(16), 1_u32.to_le_bytes());
        let began = u64::from_le_bytes(span.one(7).try_into().unwrap());
        let over = u64::from_le_bytes(span.one(8).try_into().unwrap());
        assert!(
            began > 1_700_000_000_000_000_000 && over >= began,
            "{began} {over}"
        );
    }
    for span in &spans[..3] {
        assert_eq!((span.one(4), span.number(6)), (root.one(2), 1));
    }
    assert_eq!((root.one(4), root.number(6)), (&[][..], 2));
    let failed = spans.iter().map(|span| span.all(15).len());
    assert_eq!(failed.collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert_eq!(spans[1].all(15)[0].number(3), 2);
    let [attempt, what] = root.all(9).try_into().unwrap();
    assert_eq!(
        (attempt.text(1), attempt.all(2)[0].number(3)),
        ("attempt", 300)
    );
    assert_eq!((what.text(1), what.all(2)[0].text(1)), ("what", "word"));
    let [link] = root.all(13).try_into().unwrap();
    assert_eq!(hex::encode(link.one(1)), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex::encode(link.one(2)), "00f067aa0ba902b7");
    assert_eq!(
        (counted(&metrics, "sent"), counted(&metrics, "lost")),
        (4, 0)
    );
}

#[tokio::test]
async fn within_a_journey_another_is_a_step_and_outside_of_one_nothing_is_noted() {
    let (stub, metrics) = (Stub::taking().await, metrics());
    let (intake, exporter) = started(&stub.settings, PROGRAM, &metrics).unwrap();
    step_of("get", Ok(())).await;
    about(file());
    let inner = travelled(&intake, Kind::Consumer, None, async {}, ended("inner"));
    travelled(&intake, Kind::Server, None, inner, ended("outer")).await;
    exporter.finish(never()).await;
    let spans = stub.spans();
    let names: Vec<&str> = spans.iter().map(|span| span.text(5)).collect();
    assert_eq!(names, ["inner", "outer"]);
    assert_eq!(spans[0].one(4), spans[1].one(2));
    assert_eq!(spans[0].one(1), spans[1].one(1));
    assert_ne!(spans[0].one(1), file().as_bytes());
}

#[tokio::test]
async fn every_program_tells_the_same_traces_and_so_many_as_was_said() {
    let taken = |share: f64| {
        let settings = TraceSettings {
            url: "http://127.0.0.1:9/v1/traces".into(),
            share,
        };
        let (intake, _) = started(&settings, PROGRAM, &Metrics::off()).unwrap();
        intake
    };
    let (none, some, many, all) = (taken(0.0), taken(0.25), taken(0.5), taken(1.0));
    let mut counts = [0; 2];
    for _ in 0..4000 {
        let id = *FileId::new(Timestamp::UNIX_EPOCH).as_bytes();
        assert!(all.takes(&id) && !none.takes(&id));
        assert!(
            many.takes(&id) || !some.takes(&id),
            "a larger share has what a smaller has"
        );
        counts[0] += u32::from(some.takes(&id));
        counts[1] += u32::from(many.takes(&id));
    }
    assert!((850..1150).contains(&counts[0]), "{counts:?}");
    assert!((1800..2200).contains(&counts[1]), "{counts:?}");
}

#[tokio::test]
async fn what_is_too_much_is_lost_and_counted_and_nobody_waits_for_it() {
    // It takes connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = metrics();
    let (intake, exporter) = started(&settings(&listener), PROGRAM, &metrics).unwrap();
    let began = Instant::now();
    let many_steps = async {
        for _ in 0..MAX_STEPS + 6 {
            step_of("get", Ok(())).await;
        }
    };
    travelled(&intake, Kind::Server, None, many_steps, ended("long")).await;
    assert_eq!(counted(&metrics, "lost"), 6);
    // Without a pause in which any could be sent: 1,024 wait, the long one among them.
    for _ in 0..1030 {
        travelled(&intake, Kind::Server, None, async {}, ended("short")).await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(counted(&metrics, "lost"), 6 + 7);
    let began = Instant::now();
    exporter.finish(never()).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    let (sent, lost) = (counted(&metrics, "sent"), counted(&metrics, "lost"));
    assert_eq!((sent, lost), (0, 6 + 1030 + MAX_STEPS as u64 + 1));
}

#[tokio::test]
async fn a_stop_that_has_no_time_left_waits_for_no_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = metrics();
    let (intake, exporter) = started(&settings(&listener), PROGRAM, &metrics).unwrap();
    travelled(&intake, Kind::Server, None, async {}, ended("last")).await;
    let began = Instant::now();
    exporter.finish(async {}).await;
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(counted(&metrics, "lost"), 1);
}

#[test]
fn a_callers_trace_is_linked_only_if_its_header_is_one() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (header, is_one) in [
        (format!("00-{trace}-{span}-01"), true),
        // Whether the caller tells its trace is its own matter.
        (format!("00-{trace}-{span}-00"), true),
        (format!("01-{trace}-{span}-00-more"), true),
        (format!("00-{trace}-{span}-01-more"), false),
        (format!("ff-{trace}-{span}-01"), false),
        (format!("00-{}-{span}-01", trace.to_uppercase()), false),
        (format!("00-{}-{span}-01", "0".repeat(32)), false),
        (format!("00-{trace}-{}-01", "0".repeat(16)), false),
        (format!("00-{trace}0-{span}-01"), false),
        (format!("00-{trace}-{span}"), false),
        (String::new(), false),
        ("é".repeat(30), false),
    ] {
        assert_eq!(Link::of_traceparent(&header).is_some(), is_one, "{header}");
    }
}
