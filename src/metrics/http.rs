//! How requests are answered: how long it takes, how many are under way, and whose were too many.
//!
//! Names and bounds are those of OpenTelemetry's stable conventions for servers.
//!
//! Invariant: the route is a template of the contract or of the list of own paths, or one of two words; the method and
//! the status are of a list. A request costs a walk along its path, an index and an observation: no allocation, and no
//! lock but that of its own histogram.
//!
//! Absent on purpose: `url.scheme`, since the service speaks plain HTTP and doesn't know what a proxy before it does.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::{Method, StatusCode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Buckets, Counters, Histograms, Instruments, Labels, Metrics};

/// OpenTelemetry's bounds for the durations of requests, in seconds.
const BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// What a path is that is none of ours.
const OTHER_ROUTE: &str = "other";
/// What the objects of local mode are below.
const OBJECTS: &str = "/{bucket}/{key}";
/// The methods that are told apart; others are the last.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER",
];
/// The statuses that are told apart; others are the last.
const STATUSES: [&str; 41] = [
    "200", "201", "202", "204", "206", "301", "302", "303", "304", "307", "308", "400", "401",
    "403", "404", "405", "406", "408", "409", "410", "411", "412", "413", "414", "415", "416",
    "417", "421", "422", "428", "429", "431", "451", "500", "501", "502", "503", "504", "505",
    "507", "other",
];
/// Where a status is in that list, from 100 on.
const STATUS_INDEX: [u8; 500] = status_index();

const fn status_index() -> [u8; 500] {
    let mut index = [(STATUSES.len() - 1) as u8; 500];
    let mut i = 0;
    while i < STATUSES.len() - 1 {
        let text = STATUSES[i].as_bytes();
        let status = (text[0] - b'0') as usize * 100
            + (text[1] - b'0') as usize * 10
            + (text[2] - b'0') as usize;
        index[status - 100] = i as u8;
        i += 1;
    }
    index
}

/// Why a call was one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Beyond the rate of reads.
    Read,
    /// Beyond the rate of creates.
    Create,
    /// Too many keys or tokens that are none.
    Tries,
    /// Anything else, such as too many wrong passwords.
    Other,
}

impl Refused {
    const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Tries, Self::Other];

    fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Tries => "tries",
            Self::Other => "other",
        }
    }
}

pub(super) struct HttpInstruments {
    durations: Histograms<3>,
    in_flight: Gauge,
    refused: [Counter; Refused::ALL.len()],
}

impl HttpInstruments {
    pub(super) fn registered(registry: Option<&mut Registry>) -> Self {
        let durations = Histograms::<3>::new_with_constructor(Buckets(BOUNDS));
        let in_flight = Gauge::default();
        let refused = Counters::<1>::default();
        if let Some(registry) = registry {
            registry.register(
                "http_server_request_duration_seconds",
                "How long requests took until their answer began, by method, route and status",
                durations.clone(),
            );
            registry.register(
                "http_server_active_requests",
                "Requests that are being answered",
                in_flight.clone(),
            );
            registry.register(
                "file_share_refused_calls",
                "Calls that were one too many (429), by the limit that they met",
                refused.clone(),
            );
        }
        Self {
            durations,
            in_flight,
            refused: Refused::ALL
                .map(|class| refused.get_or_create_owned(&[("class", class.label())])),
        }
    }
}

/// The instruments of a server. Clone by clone the same.
#[derive(Clone)]
pub struct HttpMetrics {
    instruments: Arc<Instruments>,
    routed: Arc<OnceLock<Routed>>,
}

#[derive(Default)]
struct Routed {
    /// Each a label; the last two are those of objects and of what is none of ours.
    templates: Vec<&'static str>,
    root: Node,
    /// By route, method and status.
    durations: Vec<OnceLock<Histogram>>,
}

/// A segment of paths, and what may come behind it.
#[derive(Default)]
struct Node {
    /// A dozen at the most, nearly all of different lengths: looked through faster than any map.
    literal: Vec<(Box<str>, Node)>,
    any: Option<Box<Node>>,
    route: Option<u16>,
}

/// A request that is being answered. It counts as one until this is dropped.
pub struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl HttpMetrics {
    /// Those of a server whose routes aren't known yet; `None` where metrics are off.
    pub fn of(metrics: &Metrics) -> Option<Self> {
        metrics.0.as_ref().map(|instruments| Self {
            instruments: Arc::clone(instruments),
            routed: Arc::default(),
        })
    }

    /// Its routes, such as `/v1/files/{id}`: once in a program, since they are kept for good. Until then nothing is
    /// measured.
    pub fn route_by(&self, templates: impl IntoIterator<Item = String>) {
        self.routed.get_or_init(|| Routed::by(templates));
    }

    /// The route of a path, which may be none of ours.
    pub fn route(&self, path: &str) -> u16 {
        let Some(routed) = self.routed.get() else {
            return 0;
        };
        let found = routed.root.find(path.split('/'));
        found.unwrap_or_else(|| routed.index_from_end(1))
    }

    /// The route of everything in the store that local mode is.
    pub fn objects(&self) -> u16 {
        let routed = self.routed.get();
        routed.map_or(0, |routed| routed.index_from_end(2))
    }

    /// Counts a request as under way.
    pub fn begin(&self) -> InFlight<'_> {
        let in_flight = &self.instruments.http.in_flight;
        in_flight.inc();
        InFlight(in_flight)
    }

    /// A request was answered.
    pub fn answered(&self, route: u16, method: &Method, status: StatusCode, took: Duration) {
        let Some(routed) = self.routed.get() else {
            return;
        };
        let method = METHODS.iter().position(|known| *known == method.as_str());
        let method = method.unwrap_or(METHODS.len() - 1);
        let status = usize::from(status.as_u16()).checked_sub(100);
        let status = status.and_then(|status| STATUS_INDEX.get(status));
        let status = status.map_or(STATUSES.len() - 1, |index| usize::from(*index));
        let route = usize::from(route);
        let index = (route * METHODS.len() + method) * STATUSES.len() + status;
        if let Some(place) = routed.durations.get(index) {
            let histogram = place.get_or_init(|| {
                let labels: Labels<3> = [
                    ("http_request_method", METHODS[method]),
                    ("http_route", routed.templates[route]),
                    ("http_response_status_code", STATUSES[status]),
                ];
                let durations = &self.instruments.http.durations;
                durations.get_or_create_owned(&labels)
            });
            histogram.observe(took.as_secs_f64());
        }
    }

    /// A call was one too many.
    pub fn refused(&self, class: Refused) {
        self.instruments.http.refused[class as usize].inc();
    }
}

impl Routed {
    fn by(templates: impl IntoIterator<Item = String>) -> Self {
        let mut root = Node::default();
        let mut labels = Vec::new();
        for template in templates {
            let mut node = &mut root;
            for segment in template.split('/') {
                node = match segment.starts_with('{') {
                    true => node.any.get_or_insert_default(),
                    false => node.literal_or_new(segment),
                };
            }
            if node.route.is_none() {
                node.route = u16::try_from(labels.len()).ok();
                labels.push(&*template.leak());
            }
        }
        labels.extend([OBJECTS, OTHER_ROUTE]);
        let series = labels.len() * METHODS.len() * STATUSES.len();
        Self {
            templates: labels,
            root,
            durations: (0..series).map(|_| OnceLock::new()).collect(),
        }
    }

    fn index_from_end(&self, back: usize) -> u16 {
        u16::try_from(self.templates.len() - back).unwrap_or_default()
    }
}

impl Node {
    fn literal_or_new(&mut self, segment: &str) -> &mut Self {
        let known = self.literal.iter().position(|(name, _)| **name == *segment);
        let index = known.unwrap_or(self.literal.len());
        if known.is_none() {
            self.literal.push((segment.into(), Self::default()));
        }
        &mut self.literal[index].1
    }

    /// What is written out comes before what may be anything, as routers have it.
    fn find<'a>(&self, mut segments: impl Iterator<Item = &'a str> + Clone) -> Option<u16> {
        let Some(segment) = segments.next() else {
            return self.route;
        };
        let mut literals = self.literal.iter();
        let literal = literals.find(|(name, _)| **name == *segment);
        literal
            .and_then(|(_, node)| node.find(segments.clone()))
            .or_else(|| match &self.any {
                Some(any) if !segment.is_empty() => any.find(segments),
                _ => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Role, Watches};

    fn server() -> (Metrics, HttpMetrics) {
        let metrics = Metrics::on(Watches {
            role: Role::Local,
            sweeps: false,
            scanner: crate::metrics::ScannedWith::Nothing,
        });
        let paths = [
            "/",
            "/v1/files",
            "/v1/files/{id}",
            "/v1/files/{id}/metadata",
            "/v1/receipts/keys",
        ];
        let http = HttpMetrics::of(&metrics).unwrap();
        http.route_by(paths.map(str::to_owned));
        (metrics, http)
    }

    fn label(http: &HttpMetrics, route: u16) -> &'static str {
        http.routed.get().unwrap().templates[usize::from(route)]
    }

    fn template(http: &HttpMetrics, path: &str) -> &'static str {
        label(http, http.route(path))
    }

    #[test]
    fn a_path_is_its_template_and_what_is_none_of_ours_is_other() {
        let (_, http) = server();
        for (path, expected) in [
            ("/", "/"),
            ("/v1/files", "/v1/files"),
            ("/v1/files/0190", "/v1/files/{id}"),
            ("/v1/files/keys/metadata", "/v1/files/{id}/metadata"),
            ("/v1/receipts/keys", "/v1/receipts/keys"),
            ("/v1/receipts/other", "other"),
            ("/v1/files/", "other"),
            ("/v1/files//metadata", "other"),
            ("/v1/files/a/b/c", "other"),
            ("", "other"),
            ("*", "other"),
            ("/wp-login.php", "other"),
        ] {
            assert_eq!(template(&http, path), expected, "{path}");
        }
        assert_eq!(label(&http, http.objects()), OBJECTS);
    }

    #[test]
    fn what_clients_make_up_makes_no_series_of_its_own() {
        let (metrics, http) = server();
        for n in 0..1000_u16 {
            let method = Method::from_bytes(format!("M{n}").as_bytes()).unwrap();
            let status = StatusCode::from_u16(100 + n % 900).unwrap();
            let route = http.route(&format!("/made/up/{n}"));
            http.answered(route, &method, status, Duration::ZERO);
        }
        let text = metrics.exposition();
        let count = |line: &&str| line.starts_with("http_server_request_duration_seconds_count");
        let series: Vec<&str> = text.lines().filter(count).collect();
        assert!(series.len() <= STATUSES.len(), "{}", series.len());
        for line in series {
            assert!(line.contains("http_request_method=\"_OTHER\""), "{line}");
            assert!(line.contains("http_route=\"other\""), "{line}");
        }
    }

    #[test]
    fn an_answer_counts_under_its_method_route_and_status() {
        let (metrics, http) = server();
        let route = http.route("/v1/files/0190");
        let took = Duration::from_millis(30);
        http.answered(route, &Method::GET, StatusCode::TEMPORARY_REDIRECT, took);
        let labels = "http_request_method=\"GET\",http_route=\"/v1/files/{id}\",http_response_status_code=\"307\"";
        let text = metrics.exposition();
        for line in [
            format!("http_server_request_duration_seconds_count{{{labels}}} 1"),
            format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.025\"}} 0"),
            format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.05\"}} 1"),
        ] {
            assert!(text.contains(&line), "{line} isn't in\n{text}");
        }
    }

    #[test]
    fn a_request_is_under_way_until_it_is_answered_or_dropped() {
        let (metrics, http) = server();
        let shows = |n: u32| {
            let line = format!("\nhttp_server_active_requests {n}\n");
            metrics.exposition().contains(&line)
        };
        let first = http.begin();
        let second = http.begin();
        assert!(shows(2));
        drop(first);
        assert!(shows(1));
        drop(second);
        assert!(shows(0));
    }
}
