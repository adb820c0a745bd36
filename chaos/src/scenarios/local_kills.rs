//! Local mode, killed in the middle of PUTs: at any byte of the body, between the last byte and the
//! answer, and while files are being finalized.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::LOCATION;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::Scale;
use crate::checker::{self, Inside, files_below, objects_below};
use crate::client::{Client, Created, content};
use crate::history::{History, Observation};
use crate::load;
use crate::measurement::Measurement;
use crate::person::{self, Settings};
use crate::process::Supervised;
use crate::recounts::data_dir;
use crate::support::issuer::Issuer;
use crate::support::program::Program;

/// Uploads that are under way when the program is killed.
const AT_A_TIME: usize = 8;
/// Takes a while to hash and write, so that a kill finds something to cut off.
const LENGTH: usize = 1024 * 1024;
/// A kill comes at a random moment of the time that undisturbed PUTs take, and half as much again.
const LATEST_KILL: f64 = 1.5;
/// Within which a DELETE and a PUT are interrupted.
const KILL_WITHIN: Duration = Duration::from_millis(60);
const UP_AGAIN_LIMIT: Duration = Duration::from_secs(2);
/// In short, on a machine that may have other work to do.
const UP_AGAIN_LIMIT_SHORT: Duration = Duration::from_secs(5);
/// How long a PUT of this machine may take.
const PUT_LIMIT: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(120);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let dir = data_dir();
    let issuer = block_in_place(Issuer::start);
    let mut api = {
        let dir = dir.path().to_owned();
        // The last uploads of a run have their reconciliations in a while; nobody wants to wait for them. The quota is
        // never reached, and counted.
        let settings = Settings::that_count(&issuer).and(&[("RECONCILE_INTERVAL", "1s")]);
        Supervised::new(move || Program::local(&dir, &settings.as_str()))
    };
    let base = api.program().base.clone();
    let client = Client::new(&base, History::open("local-kills"), LIMIT);
    let client = client.with_token(person::token(&base, &issuer).await);
    let mut random = fastrand::Rng::with_seed(scale.seed);
    let undisturbed = time_of_puts(&client, &mut random).await;
    let (mut acknowledged, mut cut_off, mut halves) = (0, 0, 0);
    for _ in 0..scale.of(25, 500) {
        let contents = (0..AT_A_TIME).map(|_| content(&mut random, LENGTH));
        let created = join_all(contents.map(|it| client.create(it, false))).await;
        let created: Vec<Created> = created.into_iter().flatten().collect();
        let kill_after = undisturbed.mul_f64(LATEST_KILL * random.f64());
        let putting = join_all(created.iter().map(|it| put(&client, it)));
        let killing = async {
            sleep(kill_after).await;
            api.kill_and_serve().await;
        };
        let (stored, ()) = tokio::join!(putting, killing);
        let stored = stored.into_iter().filter(|it| *it).count();
        acknowledged += stored;
        cut_off += created.len() - stored;
        // The program that is up now has emptied it; nothing is under way.
        halves += files_below(&dir.path().join("incoming")).len();
        halves += not_whole(dir.path(), &created);
    }
    let mistaken = kept_urls_that_bring_others(&client, &mut api, &mut random, scale).await;
    let left = load::await_stored_available(&client, dir.path(), LIMIT).await;
    let findings = checker::check(&client, Inside::Local(dir.path())).await;
    let mut measurements = vec![
        Measurement::at_least("kills", api.kills, 25),
        Measurement::at_least("PUTs that were acknowledged", acknowledged, 1),
        Measurement::at_least("PUTs that were cut off", cut_off, 1),
        Measurement::none("kept download URLs that brought another upload", mistaken),
        Measurement::none("half objects and temporary files after a kill", halves),
        Measurement::within(
            "slowest start until it served",
            api.slowest_start,
            scale.of(UP_AGAIN_LIMIT_SHORT, UP_AGAIN_LIMIT),
        ),
        Measurement::none("stored and not finalized", left),
        Measurement::none("finalized twice", api.finalized_twice()),
    ];
    measurements.extend(findings.measurements());
    measurements
}

/// How long as many PUTs take if nobody disturbs them.
async fn time_of_puts(client: &Client, random: &mut fastrand::Rng) -> Duration {
    let contents = (0..AT_A_TIME).map(|_| content(random, LENGTH));
    let created = join_all(contents.map(|it| client.create(it, false))).await;
    let began = std::time::Instant::now();
    join_all(created.iter().flatten().map(|it| put(client, it))).await;
    began.elapsed()
}

/// PUT, DELETE and another PUT by the same URL, with a kill at some moment of them: how often the download
/// URL of the first brings the bytes of the second, which is tried all the while.
async fn kept_urls_that_bring_others(
    client: &Client,
    api: &mut Supervised,
    random: &mut fastrand::Rng,
    scale: Scale,
) -> usize {
    let mut mistaken = 0;
    for _ in 0..scale.of(5, 50) {
        let created = client.create(content(random, LENGTH), false).await;
        let created = created.expect("a file");
        put(client, &created).await;
        client.await_settled(&created.id).await;
        let path = format!("/v1/files/{}", created.id);
        let redirect = client.call(client.request(Method::GET, &path)).await;
        let redirect = redirect.expect("it answers");
        let url = redirect.headers()[LOCATION]
            .to_str()
            .expect("a URL is text");
        let mut other = created.clone();
        other.content = content(random, LENGTH);
        let kill_after = KILL_WITHIN.mul_f64(random.f64());
        let using_it_again = async {
            client.delete(&created.id).await;
            client.put_once(&other).await;
        };
        let killing = async {
            sleep(kill_after).await;
            api.kill_and_serve().await;
        };
        let all = async {
            tokio::join!(using_it_again, killing);
            client.put_once(&other).await;
        };
        load::while_disturbed(all, Duration::ZERO, async || {
            if let Ok(answer) = reqwest::get(url).await
                && let Ok(bytes) = answer.bytes().await
            {
                mistaken += usize::from(bytes == other.content);
            }
        })
        .await;
    }
    mistaken
}

/// One PUT, and whether it was acknowledged.
async fn put(client: &Client, created: &Created) -> bool {
    let answer = timeout(PUT_LIMIT, client.put_once(created)).await;
    let stored = answer.is_ok_and(|status| status.is_some_and(|it| it.is_success()));
    if stored {
        client.history.append(&created.id, Observation::Stored);
    }
    stored
}

/// Objects of these files that aren't what was sent.
fn not_whole(dir: &Path, created: &[Created]) -> usize {
    objects_below(dir)
        .iter()
        .filter_map(|path| {
            let id = checker::object_of(path)?;
            let sent = created.iter().find(|it| it.id == id)?;
            Some(std::fs::read(path).ok()? != sent.content)
        })
        .filter(|is_other| *is_other)
        .count()
}
