//! What the clients of AWS report of their calls, handed on to the metrics.
//!
//! Invariant: nothing that a request or an answer holds gets any further: of what a client reports, the names of service
//! and operation, the attempt's number and the kind of an error are read, and compared with lists.
//!
//! Absent on purpose: sizes of bodies and times of connections, which are thrown away. The clients report to one place
//! in the process, so the program that was last to say so counts.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_observability::instruments::{
    AsyncInstrumentBuilder, AsyncMeasure, Histogram, InstrumentBuilder, MonotonicCounter,
    ProvideInstrument, UpDownCounter,
};
use aws_smithy_observability::meter::{Meter, ProvideMeter};
use aws_smithy_observability::{AttributeValue, Attributes, Context, TelemetryProvider, global};

use crate::metrics::{AwsCall, Metrics};

/// The clients' names of what is counted. Each comes with the service and the operation.
const ATTEMPT: &str = "smithy.client.call.attempt.duration";
const CALL: &str = "smithy.client.call.duration";

/// Has all clients of this process report their calls there, if anything is counted there.
pub fn count_calls(metrics: &Metrics) {
    if !metrics.is_on() {
        return;
    }
    let instruments = Arc::new(Instruments::counting(metrics));
    let provider = TelemetryProvider::builder().meter_provider(Arc::new(Provider(instruments)));
    if let Err(error) = global::set_telemetry_provider(provider.build()) {
        tracing::warn!(%error, "calls of AWS aren't counted");
    }
}

#[derive(Debug)]
struct Provider(Arc<Instruments>);

impl ProvideMeter for Provider {
    fn get_meter(&self, _: &'static str, _: Option<&Attributes>) -> Meter {
        Meter::new(Arc::clone(&self.0) as _)
    }

    fn provider_name(&self) -> &'static str {
        "file-share"
    }
}

/// Made once: the clients ask for theirs with every call.
struct Instruments {
    attempts: Arc<dyn Histogram>,
    calls: Arc<dyn Histogram>,
    nothing: Arc<Nothing>,
}

impl Instruments {
    fn counting(metrics: &Metrics) -> Self {
        Self {
            attempts: Arc::new(Attempts(metrics.clone())),
            calls: Arc::new(Calls(metrics.clone())),
            nothing: Arc::new(Nothing),
        }
    }
}

impl fmt::Debug for Instruments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instruments")
    }
}

impl ProvideInstrument for Instruments {
    fn create_gauge(
        &self,
        _: AsyncInstrumentBuilder<'_, Arc<dyn AsyncMeasure<Value = f64>>, f64>,
    ) -> Arc<dyn AsyncMeasure<Value = f64>> {
        Arc::new(NoMeasure(PhantomData))
    }

    fn create_up_down_counter(
        &self,
        _: InstrumentBuilder<'_, Arc<dyn UpDownCounter>>,
    ) -> Arc<dyn UpDownCounter> {
        Arc::clone(&self.nothing) as _
    }

    fn create_async_up_down_counter(
        &self,
        _: AsyncInstrumentBuilder<'_, Arc<dyn AsyncMeasure<Value = i64>>, i64>,
    ) -> Arc<dyn AsyncMeasure<Value = i64>> {
        Arc::new(NoMeasure(PhantomData))
    }

    fn create_monotonic_counter(
        &self,
        _: InstrumentBuilder<'_, Arc<dyn MonotonicCounter>>,
    ) -> Arc<dyn MonotonicCounter> {
        Arc::clone(&self.nothing) as _
    }

    fn create_async_monotonic_counter(
        &self,
        _: AsyncInstrumentBuilder<'_, Arc<dyn AsyncMeasure<Value = u64>>, u64>,
    ) -> Arc<dyn AsyncMeasure<Value = u64>> {
        Arc::new(NoMeasure(PhantomData))
    }

    fn create_histogram(
        &self,
        builder: InstrumentBuilder<'_, Arc<dyn Histogram>>,
    ) -> Arc<dyn Histogram> {
        match builder.get_name().as_ref() {
            ATTEMPT => Arc::clone(&self.attempts),
            CALL => Arc::clone(&self.calls),
            _ => Arc::clone(&self.nothing) as _,
        }
    }
}

#[derive(Debug)]
struct Attempts(Metrics);

impl Histogram for Attempts {
    fn record(&self, seconds: f64, attributes: Option<&Attributes>, _: Option<&dyn Context>) {
        let is_first = match attributes.and_then(|it| it.get("attempt")) {
            Some(AttributeValue::I64(attempt)) => *attempt <= 1,
            _ => true,
        };
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.0.aws_attempted(call(attributes), took, is_first);
    }
}

#[derive(Debug)]
struct Calls(Metrics);

impl Histogram for Calls {
    fn record(&self, _: f64, attributes: Option<&Attributes>, _: Option<&dyn Context>) {
        self.0
            .aws_called(call(attributes), text(attributes, "error.type"));
    }
}

fn call(attributes: Option<&Attributes>) -> AwsCall {
    let named = |key| text(attributes, key).unwrap_or_default();
    AwsCall::named(named("rpc.service"), named("rpc.method"))
}

fn text<'a>(attributes: Option<&'a Attributes>, key: &str) -> Option<&'a str> {
    match attributes?.get(key) {
        Some(AttributeValue::String(text)) => Some(text),
        _ => None,
    }
}

/// What isn't counted.
#[derive(Debug)]
struct Nothing;

impl Histogram for Nothing {
    fn record(&self, _: f64, _: Option<&Attributes>, _: Option<&dyn Context>) {}
}

impl UpDownCounter for Nothing {
    fn add(&self, _: i64, _: Option<&Attributes>, _: Option<&dyn Context>) {}
}

impl MonotonicCounter for Nothing {
    fn add(&self, _: u64, _: Option<&Attributes>, _: Option<&dyn Context>) {}
}

/// The same of what is asked for.
#[derive(Debug)]
struct NoMeasure<T>(PhantomData<T>);

impl<T: fmt::Debug + Send + Sync> AsyncMeasure for NoMeasure<T> {
    type Value = T;

    fn record(&self, _: T, _: Option<&Attributes>, _: Option<&dyn Context>) {}

    fn stop(&self) {}
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::aws::{AwsSettings, load_sdk_config, s3_client};
    use crate::metrics::{Role, ScannedWith, Watches};

    /// Answers in turn, each on a connection of its own.
    async fn answering(answers: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        url
    }

    fn metrics() -> Metrics {
        Metrics::on(Watches {
            role: Role::Api,
            sweeps: false,
            scanner: ScannedWith::Nothing,
        })
    }

    /// One test, since there is one place in the process where clients report. No other test's clients make these calls.
    #[tokio::test]
    async fn a_client_reports_attempts_retries_and_ends_and_nothing_of_what_it_is_about() {
        const BUSY: &str =
            "HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        const WELL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        const REFUSED: &str =
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let metrics = metrics();
        count_calls(&metrics);
        let settings = AwsSettings {
            endpoint_url: Some(answering(&[BUSY, WELL, REFUSED, REFUSED]).await),
            region: Some("eu-central-1".into()),
            credentials: Some(SharedCredentialsProvider::new(Credentials::for_tests())),
        };
        let client = s3_client(&load_sdk_config(settings).await.unwrap());
        let retention = || client.get_object_retention().bucket("secret-bucket");
        retention().key("secret-key").send().await.unwrap();
        retention().key("secret-key").send().await.unwrap_err();
        let accelerate = client.get_bucket_accelerate_configuration();
        accelerate.bucket("secret-bucket").send().await.unwrap_err();
        let text = metrics.exposition();
        let of_it = "service=\"S3\",operation=\"GetObjectRetention\"";
        for series in [
            format!("file_share_aws_attempt_duration_seconds_count{{{of_it}}} 3"),
            format!("file_share_aws_retries_total{{{of_it}}} 1"),
            format!("file_share_aws_calls_total{{{of_it},outcome=\"ok\"}} 1"),
            format!("file_share_aws_calls_total{{{of_it},outcome=\"operation\"}} 1"),
        ] {
            assert!(text.contains(&format!("\n{series}\n")), "{series}\n{text}");
        }
        // Others may be under way beside this test.
        let other = "file_share_aws_calls_total{service=\"other\",operation=\"other\",outcome=\"operation\"} ";
        assert!(
            text.contains(other) && !text.contains(&format!("{other}0\n")),
            "{text}"
        );
        for secret in ["secret", "Accelerate", "127.0.0.1"] {
            assert!(!text.contains(secret), "{secret} is in\n{text}");
        }
    }
}
