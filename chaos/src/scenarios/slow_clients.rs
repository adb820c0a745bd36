//! Clients that never finish: headers sent by half, bodies of one byte a second, and connections up
//! to the descriptor limit.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::Scale;
use crate::client::{Client, Created, content};
use crate::client_stats::{median, p99};
use crate::history::History;
use crate::measurement::Measurement;
use crate::recounts::data_dir;
use crate::support::program::Program;

/// How long a slow client is put up with.
const DROPPED_LIMIT: Duration = Duration::from_secs(30);
/// After which a client that wasn't dropped goes by itself.
const GIVE_UP: Duration = Duration::from_secs(45);
/// What the honest p99 may grow by. Below the floor nobody could tell a difference: a tick of the
/// scheduler is in it.
const FACTOR: f64 = 2.0;
const FLOOR: Duration = Duration::from_millis(10);
const HONEST: usize = 4;
const WINDOW: Duration = Duration::from_secs(1);
/// Descriptors that the program is left with, and connections that want one each.
const DESCRIPTORS: u32 = 128;
const IDLE: usize = 300;
/// Of a processor, while nobody can be accepted.
const SPINNING: f64 = 0.5;
const LOOK: Duration = Duration::from_secs(3);
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let dir = data_dir();
    let api = tokio::task::block_in_place(|| Program::local(dir.path(), &[]));
    let client = Client::new(&api.base, History::open("slow-clients"), GIVE_UP);
    let alone = windows(&client, scale.of(4, 15)).await;

    let each = scale.of(200, 1_000);
    let address = api.base.trim_start_matches("http://").to_owned();
    let uploads = create_all(&client, each / 2).await;
    let until = Instant::now() + scale.of(Duration::ZERO, Duration::from_secs(60));
    let done = Cell::new(false);
    // On threads of their own: the honest ones mustn't wait for this program.
    let start = |count: usize, slow: &dyn Fn(usize) -> Slow| {
        (0..count)
            .map(|number| tokio::spawn(again(address.clone(), until, slow(number))))
            .collect::<Vec<_>>()
    };
    let headers = start(each, &|_| half_header(&address));
    let bodies = start(each / 2, &|_| json_body(&address));
    let puts = start(uploads.len(), &|number| put(&address, &uploads[number]));
    let slow = async {
        let longest = async |running| {
            let borne = join_all::<Vec<JoinHandle<Duration>>>(running).await;
            borne.into_iter().flatten().max().unwrap_or_default()
        };
        let longest = [
            longest(headers).await,
            longest(bodies).await,
            longest(puts).await,
        ];
        done.set(true);
        longest
    };
    let began = Instant::now();
    let used = api.processor_time();
    let beside = async {
        let mut each = Vec::new();
        // Once they are all there.
        sleep(Duration::from_secs(2)).await;
        while !done.get() {
            each.push(p99(&honest(&client, WINDOW).await));
        }
        each
    };
    let ([headers, bodies, puts], beside) = tokio::join!(slow, beside);
    let load = (api.processor_time() - used) / began.elapsed().as_secs_f64();
    let factor = median(beside).max(FLOOR).as_secs_f64() / median(alone).max(FLOOR).as_secs_f64();
    let mut measurements = vec![
        Measurement::done(
            "half-sent headers, and as many bodies of a byte a second",
            each,
        ),
        Measurement::within("half a header, dropped after", headers, DROPPED_LIMIT),
        Measurement::within(
            "slow body of a creation, dropped after",
            bodies,
            DROPPED_LIMIT,
        ),
        Measurement::within("slow PUT, dropped after", puts, DROPPED_LIMIT),
        Measurement::at_most(
            "p99 of honest clients, by that without slow ones",
            factor,
            FACTOR,
            " ×",
        ),
        Measurement::none("honest calls that broke off", client.stats.broken.get()),
        Measurement::at_most("processors used beside them", load, 1.5, ""),
    ];
    measurements.extend(descriptor_limit().await);
    measurements
}

/// The p99 of each of some windows: what else runs on the machine comes and goes, and their median
/// knows little of it.
async fn windows(client: &Client, count: usize) -> Vec<Duration> {
    let mut each = Vec::new();
    for _ in 0..count {
        each.push(p99(&honest(client, WINDOW).await));
    }
    each
}

/// Creates and looks at files for a while; how long each answer took.
async fn honest(client: &Client, time: Duration) -> Vec<Duration> {
    client.stats.latencies.borrow_mut().clear();
    let until = Instant::now() + time;
    join_all((0..HONEST).map(|_| async {
        while Instant::now() < until {
            let one = content(&mut fastrand::Rng::new(), 1);
            if let (_, Some(created)) = client.create_once(one, false).await {
                let path = format!("/v1/files/{}/metadata", created.id);
                client.call(client.request(Method::GET, &path)).await;
            }
            // Not a load test: the question is whether they are served, not how many.
            sleep(Duration::from_millis(5)).await;
        }
    }))
    .await;
    client.stats.latencies.take()
}

async fn create_all(client: &Client, count: usize) -> Vec<Created> {
    let one = content(&mut fastrand::Rng::new(), 1024);
    let created = join_all((0..count).map(|_| client.create(one.clone(), false))).await;
    created.into_iter().flatten().collect()
}

/// What a slow client sends at once, and what it sends a byte of a second.
struct Slow {
    at_once: String,
    dribble: bool,
}

fn half_header(address: &str) -> Slow {
    Slow {
        at_once: format!("GET /v1/files HTTP/1.1\r\nhost: {address}\r\nx-half: "),
        dribble: false,
    }
}

fn json_body(address: &str) -> Slow {
    Slow {
        at_once: format!(
            "POST /v1/files HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{{"
        ),
        dribble: true,
    }
}

fn put(address: &str, created: &Created) -> Slow {
    Slow {
        at_once: created.put_header(address),
        dribble: true,
    }
}

/// Comes back as soon as it is dropped, until the time is over; the longest that it was borne.
async fn again(address: String, until: Instant, slow: Slow) -> Duration {
    let mut longest = Duration::ZERO;
    loop {
        longest = longest.max(be_slow(&address, &slow).await.unwrap_or_default());
        if Instant::now() >= until {
            return longest;
        }
    }
}

/// How long the server put up with it.
async fn be_slow(address: &str, slow: &Slow) -> std::io::Result<Duration> {
    let mut stream = TcpStream::connect(address).await?;
    let began = Instant::now();
    stream.write_all(slow.at_once.as_bytes()).await?;
    let (mut reading, mut writing) = stream.split();
    let dropped = async {
        let mut answer = [0; 1024];
        // Whatever is answered: what counts is when the connection is closed.
        while reading.read(&mut answer).await.is_ok_and(|read| read > 0) {}
    };
    let dribbling = async {
        // Not all of them in the same moment.
        sleep(Duration::from_secs(1).mul_f64(fastrand::f64())).await;
        while slow.dribble && writing.write_all(b" ").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let _ = timeout(GIVE_UP, async {
        tokio::select! {
            () = dropped => {}
            () = dribbling => {}
        }
    })
    .await;
    Ok(began.elapsed())
}

/// More connections than the program has descriptors for.
async fn descriptor_limit() -> Vec<Measurement> {
    let dir = data_dir();
    let start = || Program::local_with_descriptors(dir.path(), DESCRIPTORS);
    let api = tokio::task::block_in_place(start);
    let address = api.base.trim_start_matches("http://");
    let connecting = join_all((0..IDLE).map(|_| TcpStream::connect(address)));
    let idle: Vec<TcpStream> = connecting.await.into_iter().flatten().collect();
    sleep(Duration::from_secs(1)).await;
    let used = api.processor_time();
    sleep(LOOK).await;
    let spinning = (api.processor_time() - used) / LOOK.as_secs_f64();
    let connected = idle.len();
    drop(idle);
    let freed = Instant::now();
    crate::process::await_healthy(&api.base).await;
    let again = freed.elapsed();
    vec![
        Measurement::exactly("connections at a limit of 128 descriptors", connected, IDLE),
        Measurement::at_most("processors used at the limit", spinning, SPINNING, ""),
        Measurement::within("accepts again after", again, AT_ONCE),
    ]
}
