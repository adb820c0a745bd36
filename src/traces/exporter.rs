//! From the queue to the collector.
//!
//! Invariant: at most [`QUEUE`] journeys wait and one request of at most [`MAX_SPANS`] spans and a journey's is under way,
//! for no longer than [`EXPORT_LIMIT`]. What isn't taken is lost: it is counted, and never sent again, since a collector
//! that is away must take neither memory nor time from what is traced. A stop waits for [`FLUSH_LIMIT`] at most.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Finished, INTAKE, otlp};
use crate::config::TraceSettings;
use crate::https_client::{Bounds, HttpsClient};
use crate::metrics::Metrics;

/// Journeys that wait to be sent.
const QUEUE: usize = 1024;
/// From so many spans on a request isn't added to.
const MAX_SPANS: usize = 512;
/// For how long spans are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// How long a request to the collector may take.
const EXPORT_LIMIT: Duration = Duration::from_secs(2);
/// How long a stop waits for what is left.
const FLUSH_LIMIT: Duration = Duration::from_millis(1500);
const BOUNDS: Bounds = Bounds {
    whole: EXPORT_LIMIT,
    max_body_bytes: None,
};

/// Where finished journeys are given to.
pub(super) struct Intake {
    /// Of 2^56 as many are told.
    share: u64,
    queue: mpsc::Sender<Finished>,
    counts: Arc<Counts>,
}

/// What became of spans.
struct Counts {
    metrics: Metrics,
    /// Those that were given and are neither sent nor lost.
    waiting: AtomicU64,
}

impl Counts {
    fn lost(&self, spans: u64) {
        self.metrics.spans_lost(spans);
    }
}

impl Intake {
    /// By the last 56 bits of its ID, which are random and the same for every program; OpenTelemetry's samplers of
    /// consistent probability take the same.
    pub(super) fn takes(&self, trace_id: &[u8; 16]) -> bool {
        let random = trace_id[9..]
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        random >= (1 << 56) - self.share
    }

    /// `left_out`: spans of it that were too many.
    pub(super) fn give(&self, finished: Finished, left_out: u64) {
        let spans = finished.spans.len() as u64;
        self.counts.waiting.fetch_add(spans, Ordering::Relaxed);
        if self.queue.try_send(finished).is_err() {
            self.counts.waiting.fetch_sub(spans, Ordering::Relaxed);
            self.counts.lost(spans);
        }
        if left_out > 0 {
            self.counts.lost(left_out);
        }
    }
}

/// Sends what is traced, until it is told to finish.
pub struct Exporter(Option<Sending>);

struct Sending {
    task: JoinHandle<()>,
    closing: CancellationToken,
    counts: Arc<Counts>,
}

/// Has traces told from now on, if there is a collector. `program`: who tells.
///
/// # Errors
/// The system's certificates can't be read.
pub fn start(
    settings: Option<&TraceSettings>,
    program: &'static str,
    metrics: &Metrics,
) -> io::Result<Exporter> {
    let Some(settings) = settings else {
        return Ok(Exporter(None));
    };
    let (intake, exporter) = started(settings, program, metrics)?;
    // A second one in the same process isn't given anything.
    let _ = INTAKE.set(intake);
    tracing::info!("traces are told");
    Ok(exporter)
}

pub(super) fn started(
    settings: &TraceSettings,
    program: &'static str,
    metrics: &Metrics,
) -> io::Result<(Intake, Exporter)> {
    let client = HttpsClient::of(&settings.url)?;
    let (queue, waiting) = mpsc::channel(QUEUE);
    let counts = Arc::new(Counts {
        metrics: metrics.clone(),
        waiting: AtomicU64::new(0),
    });
    let closing = CancellationToken::new();
    let collector = Collector {
        client,
        url: settings.url.clone(),
        program,
        counts: Arc::clone(&counts),
    };
    let task = tokio::spawn(send_all(collector, waiting, closing.clone()));
    let intake = Intake {
        share: (settings.share * (1_u64 << 56) as f64) as u64,
        queue,
        counts: Arc::clone(&counts),
    };
    let sending = Sending {
        task,
        closing,
        counts,
    };
    Ok((intake, Exporter(Some(sending))))
}

impl Exporter {
    /// Traces are told to nobody.
    pub fn off() -> Self {
        Self(None)
    }

    /// Sends what is left, as far as there is time for it. `time_is_up`: when the program has to end, whatever is left.
    pub async fn finish(self, time_is_up: impl Future<Output = ()>) {
        let Some(Sending {
            mut task,
            closing,
            counts,
        }) = self.0
        else {
            return;
        };
        closing.cancel();
        tokio::select! {
            biased;
            _ = &mut task => {}
            () = sleep(FLUSH_LIMIT) => {}
            () = time_is_up => {}
        }
        task.abort();
        let left = counts.waiting.swap(0, Ordering::Relaxed);
        if left > 0 {
            counts.lost(left);
            tracing::warn!(
                spans = left,
                "the collector of traces doesn't answer; what was left for it is lost"
            );
        }
    }
}

/// Where it is told to.
struct Collector {
    client: HttpsClient,
    url: String,
    program: &'static str,
    counts: Arc<Counts>,
}

async fn send_all(
    collector: Collector,
    mut waiting: mpsc::Receiver<Finished>,
    closing: CancellationToken,
) {
    let mut was_taken = true;
    loop {
        let first = tokio::select! {
            first = waiting.recv() => first,
            () = closing.cancelled(), if !waiting.is_closed() => {
                waiting.close();
                continue;
            }
        };
        let Some(first) = first else {
            return;
        };
        let mut spans = first.spans.len();
        let mut batch = vec![first];
        let gathering = async {
            while spans < MAX_SPANS {
                let Some(next) = waiting.recv().await else {
                    return;
                };
                spans += next.spans.len();
                batch.push(next);
            }
        };
        // At the stop what is there is taken along, and nothing is waited for.
        tokio::select! {
            biased;
            () = gathering => {}
            () = closing.cancelled() => {}
            () = sleep(GATHER) => {}
        }
        was_taken = collector.send(&batch, spans as u64, was_taken).await;
    }
}

impl Collector {
    /// Whether they were taken. It says so where that wasn't so before.
    async fn send(&self, batch: &[Finished], spans: u64, was_taken: bool) -> bool {
        let body = Bytes::from(otlp::request(self.program, batch));
        let request = Request::post(&self.url).header(CONTENT_TYPE, "application/x-protobuf");
        let answer = timeout(EXPORT_LIMIT, self.client.send(request, body, BOUNDS)).await;
        let problem = match answer {
            Ok(Ok(answer)) if answer.status.is_success() => None,
            Ok(Ok(answer)) => Some(format!("it answered {}", answer.status.as_u16())),
            Ok(Err(why)) => Some(why),
            Err(_) => Some("it doesn't answer in time".into()),
        };
        self.counts.waiting.fetch_sub(spans, Ordering::Relaxed);
        match &problem {
            None => self.counts.metrics.spans_sent(spans),
            Some(_) => self.counts.lost(spans),
        }
        match (&problem, was_taken) {
            (Some(why), true) => {
                tracing::warn!(
                    why,
                    "the collector takes no traces; until it does they are lost"
                );
            }
            (None, false) => tracing::info!("the collector takes traces again"),
            (Some(_), false) | (None, true) => {}
        }
        problem.is_none()
    }
}
