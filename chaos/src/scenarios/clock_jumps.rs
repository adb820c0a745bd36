//! Local mode's wall clock jumps while a client is half way through a PUT, and the URL runs out: what is
//! answered 200 becomes available all the same, whoever looks at the file meanwhile.

use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::Scale;
use crate::checker::files_below;
use crate::client::{Client, Created, content, hex_sha256};
use crate::fake_clock::FakeClock;
use crate::history::History;
use crate::measurement::Measurement;
use crate::recounts::data_dir;
use crate::support::program::Program;

/// Beyond the life of an upload URL and its grace.
const FAR: i64 = 31 * 60;
/// More than the program keeps in memory before it writes.
const LENGTH: usize = 400_000;
const LIMIT: Duration = Duration::from_secs(60);
/// How long the file is looked at between the halves: some rounds of the reconciler.
const LOOKED_AT: Duration = Duration::from_secs(4);

struct JumpCase {
    name: &'static str,
    /// What the clock is put off by, one after the other, while nothing comes.
    jumps: &'static [i64],
    settings: &'static [(&'static str, &'static str)],
}

const SCENARIOS: [JumpCase; 4] = [
    JumpCase {
        name: "31 minutes ahead",
        jumps: &[FAR],
        settings: &[],
    },
    JumpCase {
        name: "31 minutes back",
        jumps: &[-FAR],
        settings: &[],
    },
    JumpCase {
        name: "ahead and back again",
        jumps: &[FAR, 0],
        settings: &[],
    },
    JumpCase {
        name: "no grace, and a URL that runs out",
        jumps: &[0],
        settings: &[("UPLOAD_URL_TTL", "2s"), ("UPLOAD_GRACE", "0s")],
    },
];

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let mut measurements = Vec::new();
    for scenario in &SCENARIOS {
        measurements.extend(jump(scale, scenario).await);
    }
    measurements
}

async fn jump(scale: Scale, scenario: &JumpCase) -> Vec<Measurement> {
    let clock = FakeClock::make();
    let dir = data_dir();
    let mut settings = vec![("RECONCILE_INTERVAL", "1s")];
    settings.extend(clock.settings());
    settings.extend(scenario.settings);
    let api = block_in_place(|| Program::local(dir.path(), &settings));
    let client = Client::new(&api.base, History::open("clock-jumps"), LIMIT);
    let bytes = content(&mut fastrand::Rng::with_seed(scale.seed), LENGTH);
    let created = client.create(bytes, false).await.expect("a file");
    let address = api.base.trim_start_matches("http://");
    let mut put = TcpStream::connect(address).await.expect("it listens");
    let (first, second) = created.content.split_at(LENGTH / 2);
    let head = created.put_header(address);
    let sent = put.write_all(&[head.as_bytes(), first].concat()).await;
    sent.expect("half of it can be sent");
    let began = Instant::now();
    while files_below(&dir.path().join("incoming")).is_empty() {
        assert!(began.elapsed() < LIMIT, "the upload doesn't begin");
        sleep(Duration::from_millis(5)).await;
    }
    for seconds in scenario.jumps {
        clock.set(*seconds);
        look_at(&client, &created).await;
    }
    put.write_all(second).await.expect("the rest can be sent");
    let status = status_of(&mut put).await;
    let settled = client.await_settled(&created.id).await;
    let is_available = settled.is_some_and(|it| it.text("status") == "available");
    let downloaded = client.download(&created.id).await.flatten();
    let is_right = downloaded == Some(hex_sha256(&created.content));
    let name = scenario.name;
    vec![
        Measurement::exactly(format!("{name}: status of the PUT"), status, 200),
        Measurement::exactly(format!("{name}: available"), usize::from(is_available), 1),
        Measurement::exactly(format!("{name}: the right bytes"), usize::from(is_right), 1),
    ]
}

/// As an impatient client does, beside the reconciler.
async fn look_at(client: &Client, created: &Created) {
    let began = Instant::now();
    while began.elapsed() < LOOKED_AT {
        let path = format!("/v1/files/{}/complete", created.id);
        client.call(client.request(Method::POST, &path)).await;
        sleep(Duration::from_millis(200)).await;
    }
}

async fn status_of(connection: &mut TcpStream) -> usize {
    let mut answer = vec![0; 1024];
    let read = timeout(LIMIT, connection.read(&mut answer)).await;
    let read = read.expect("an answer in time").unwrap_or(0);
    let text = String::from_utf8_lossy(&answer[..read]);
    let status = text.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.unwrap_or(0)
}
