//! Everything that clients do, for a while: what a program takes must not grow with what it has done.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::checker::{self, Inside};
use crate::client::{Client, content};
use crate::history::History;
use crate::load;
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::process::{descriptors, memory_mib};
use crate::recounts::data_dir;
use crate::support::issuer::Issuer;
use crate::support::program::Program;

const CLIENTS: usize = 8;
const LIMIT: Duration = Duration::from_secs(60);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);
/// What the median of a program's last quarter may lie above that of its second quarter.
const MORE_DESCRIPTORS: f64 = 8.0;
const MORE_MIB: f64 = 8.0;
/// The same in half a minute. The allocator keeps memory for a while before it gives it back, which moves
/// what a program holds by some 16 MiB, and only the medians of minutes even that out. What a leak of a
/// page for each operation would add in that time is as much as this.
const MORE_MIB_IN_SHORT: f64 = 32.0;
/// Of both: pools and caches that fill up with time do so more slowly than a leak.
const MORE_SHARE: f64 = 0.1;

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let time = scale.of(Duration::from_secs(30), Duration::from_secs(600));
    let dir = data_dir();
    let issuer = block_in_place(Issuer::start);
    let settings = Settings::that_count(&issuer);
    let local = block_in_place(|| Program::local(dir.path(), &settings.as_str()));
    let local_client = client("mixed-load-local", &local, &issuer).await;
    let aws = Aws::start("mixed-load", &[]).await;
    let settings = Settings::that_count(&issuer);
    let (api, worker) = (aws.api(&settings.as_str()), aws.worker(&[]));
    let aws_client = client("mixed-load-aws", &api, &issuer).await;
    let mut watched = [
        Watched::new("local mode", &local),
        Watched::new("API in aws mode", &api),
        Watched::new("worker", &worker),
    ];
    let until = Instant::now() + time;
    let watching = async {
        while Instant::now() < until {
            for program in &mut watched {
                program.sample();
            }
            sleep(SAMPLE_INTERVAL).await;
        }
    };
    let (in_local, in_aws, ()) = tokio::join!(
        drive(&local_client, scale.seed, until),
        drive(&aws_client, scale.seed, until),
        watching
    );
    let mut measurements = vec![
        Measurement::at_least("operations in local mode", in_local, CLIENTS),
        Measurement::at_least("operations in aws mode", in_aws, CLIENTS),
    ];
    let more_mib = scale.of(MORE_MIB_IN_SHORT, MORE_MIB);
    measurements.extend(watched.iter().flat_map(|it| it.measurements(more_mib)));
    measurements.extend(
        checked(
            &local_client,
            Inside::Local(dir.path()),
            "local mode",
            Some(dir.path()),
        )
        .await,
    );
    measurements.extend(checked(&aws_client, Inside::Aws(&aws), "aws mode", None).await);
    measurements
}

/// A client of somebody with a quota.
async fn client(name: &str, api: &Program, issuer: &Issuer) -> Client {
    let base = api.listening_at();
    let client = Client::new(&base, History::open(name), LIMIT);
    client.with_token(person::token(&base, issuer).await)
}

async fn checked(
    client: &Client,
    inside: Inside<'_>,
    name: &str,
    dir: Option<&Path>,
) -> Vec<Measurement> {
    let left = match dir {
        Some(dir) => load::await_stored_available(client, dir, LIMIT).await,
        None => load::await_none_pending(client, LIMIT).await.1,
    };
    let findings = checker::check(client, inside).await;
    let mut measurements = vec![
        Measurement::none("not finalized", left),
        Measurement::none("answers of 5xx", client.stats.server_errors.get()),
        Measurement::none("operations given up", client.stats.gave_up.borrow().len()),
    ];
    measurements.extend(
        findings
            .measurements()
            .into_iter()
            .filter(|it| !it.is_only_told()),
    );
    measurements.into_iter().map(|it| it.named(name)).collect()
}

/// Clients that create, send, wait, look, list, download and delete; how many operations it were.
async fn drive(client: &Client, seed: u64, until: Instant) -> usize {
    let done = join_all((0..CLIENTS).map(|number| async move {
        let mut random = fastrand::Rng::with_seed(seed + number as u64);
        let mut done = 0;
        while Instant::now() < until {
            let length = *random
                .choice([0, 1, 1_000, 100_000, 1_000_000].iter())
                .unwrap_or(&0);
            let Some(created) = client
                .create(content(&mut random, length), random.bool())
                .await
            else {
                continue;
            };
            client.put(&created).await;
            client.await_settled(&created.id).await;
            client.download(&created.id).await;
            for path in ["/v1/files?limit=20", "/v1/files/no-such-file", "/readyz"] {
                client.call(client.request(Method::GET, path)).await;
            }
            done += 7;
            // Most go, so that the stores don't grow either.
            if random.f64() < 0.9 {
                client.delete(&created.id).await;
                done += 1;
            }
        }
        done
    }))
    .await;
    done.into_iter().sum()
}

struct Watched<'a> {
    name: &'static str,
    program: &'a Program,
    descriptors: Vec<f64>,
    memory: Vec<f64>,
}

impl<'a> Watched<'a> {
    fn new(name: &'static str, program: &'a Program) -> Self {
        Self {
            name,
            program,
            descriptors: Vec::new(),
            memory: Vec::new(),
        }
    }

    fn sample(&mut self) {
        self.descriptors.push(descriptors(self.program) as f64);
        self.memory.push(memory_mib(self.program));
    }

    fn measurements(&self, more_mib: f64) -> [Measurement; 2] {
        let (fds_before, fds_after) = quarters(&self.descriptors);
        let (before, after) = quarters(&self.memory);
        let name = self.name;
        [
            Measurement::at_most(
                format!("{name}: descriptors, after {fds_before}"),
                fds_after,
                fds_before + MORE_DESCRIPTORS.max(fds_before * MORE_SHARE),
                "",
            ),
            Measurement::at_most(
                format!("{name}: memory, after {before:.1} MiB"),
                after,
                before + more_mib.max(before * MORE_SHARE),
                " MiB",
            ),
        ]
    }
}

/// The medians of the second and of the last quarter; the first is for warming up.
fn quarters(samples: &[f64]) -> (f64, f64) {
    let quarter = samples.len() / 4;
    let median = |part: &[f64]| {
        let mut sorted = part.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let second = &samples[quarter..2 * quarter];
    (median(second), median(&samples[samples.len() - quarter..]))
}
