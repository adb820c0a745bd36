//! Where traces are told, and how many.
//!
//! Invariant: they can be read by nobody on their way: they go by https, or stay on this machine.

use clap::Args;
use http::Uri;

use super::Problems;
use super::oidc::is_private;

/// How long the address may be, in bytes.
const MAX_URL_BYTES: usize = 2048;
/// What OTLP puts behind the address of a collector.
const PATH: &str = "/v1/traces";

/// The flags that say where traces are told, as text. Their variables are OpenTelemetry's.
#[derive(Debug, Clone, Args)]
pub struct TraceArgs {
    /// The collector of traces that is told by OTLP (HTTP with Protocol Buffers) what calls, settlements and webhooks spend
    /// their time on, such as http://127.0.0.1:4318: https, or http on this machine; off: none
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        default_value = "off",
        value_name = "URL|off"
    )]
    pub otel_exporter_otlp_endpoint: String,
    /// Which share of traces is told, from 0 to 1; the same for all programs. A file's are told by all of them or by none
    #[arg(
        long,
        env = "OTEL_TRACES_SAMPLER_ARG",
        default_value = "1",
        value_name = "SHARE"
    )]
    pub otel_traces_sampler_arg: String,
}

/// Where traces are told.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// Of the collector, with the path for traces.
    pub url: String,
    /// Which share of them.
    pub share: f64,
}

impl TraceArgs {
    /// The outer `None`: something isn't right, and `problems` says what.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<Option<TraceSettings>> {
        let url = problems.judge(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            &self.otel_exporter_otlp_endpoint,
            |text| match text {
                "off" => Ok(None),
                text => collector(text).map(Some).ok_or_else(|| {
                    "must be a URL of https, or of http on this machine, without a user, a query or a #; or off"
                        .into()
                }),
            },
        );
        let share = problems.judge(
            "OTEL_TRACES_SAMPLER_ARG",
            &self.otel_traces_sampler_arg,
            |text| {
                let share = text.parse::<f64>().ok();
                share
                    .filter(|share| (0.0..=1.0).contains(share))
                    .ok_or_else(|| "must be a number from 0 to 1".into())
            },
        );
        let (url, share) = (url?, share?);
        Some(url.map(|url| TraceSettings { url, share }))
    }
}

fn collector(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let is_plain = !uri.authority()?.as_str().contains('@') && !text.contains(['#', '?']);
    let url = format!("{}{PATH}", text.trim_end_matches('/'));
    (is_private(&uri) && is_plain && url.len() <= MAX_URL_BYTES).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_to_a_collector_where_nobody_can_read_them_on_their_way() {
        for (text, expected) in [
            (
                "http://127.0.0.1:4318",
                Some("http://127.0.0.1:4318/v1/traces"),
            ),
            (
                "https://c.example/otlp/",
                Some("https://c.example/otlp/v1/traces"),
            ),
            ("http://c.example:4318", None),
            ("https://u:p@c.example", None),
            ("https://c.example/?key=1", None),
            ("127.0.0.1:4318", None),
            ("ftp://127.0.0.1", None),
        ] {
            assert_eq!(collector(text).as_deref(), expected, "{text}");
        }
    }
}
