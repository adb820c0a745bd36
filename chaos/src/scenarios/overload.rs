//! Three times the load that the API can carry.
//!
//! What it can carry is made small by a slow table, so that it is the number of calls in hand that
//! limits and not this machine: 512 calls of three seconds each. Then three times as many clients come.
//! Those that are refused come again after as long as a call takes, so that three calls are made for
//! each that there is room for.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::json;
use tokio::time::sleep;

use super::Scale;
use crate::aws::Aws;
use crate::client_stats::{median, p99};
use crate::fault_proxy::{AwsService, FaultAction};
use crate::measurement::Measurement;

/// Calls that the API has in hand at a time (`MAX_CALLS` in `src/api/places.rs`).
const PLACES: usize = 512;
const TIMES: usize = 3;
/// How long the table takes. Below the time-out of an attempt.
const TABLE_TAKES: Duration = Duration::from_secs(3);
/// The share of the peak that stays.
const GOODPUT: f64 = 0.8;
/// A refusal costs next to nothing, so it comes at once, here beside everybody else's.
const AT_ONCE: Duration = Duration::from_secs(1);
const NORMAL_AFTER: Duration = Duration::from_secs(5);

pub(super) async fn run(scale: Scale) -> Vec<Measurement> {
    let aws = Aws::start("overload", &[]).await;
    let api = aws.api(&[("RUST_LOG", "warn")]);
    aws.proxy
        .set_plan(|call| match call.is(AwsService::DynamoDb, "PutItem") {
            true => FaultAction::Slow(TABLE_TAKES),
            false => FaultAction::Pass,
        });
    let http = reqwest::Client::builder().no_proxy().build();
    let load = Load {
        http: http.expect("a plain client needs nothing that could fail"),
        url: format!("{}/v1/files", api.base),
    };
    let peak = load.run(PLACES, scale.of(12, 30)).await;
    let over = load.run(TIMES * PLACES, scale.of(15, 60)).await;
    sleep(NORMAL_AFTER).await;
    let after = load.run(PLACES / 4, 6).await;
    let goodput = over.per_second() / peak.per_second();
    let slower = p99(&after.made).as_secs_f64() / p99(&peak.made).as_secs_f64();
    vec![
        Measurement::none("refused at the peak", peak.refused.len()),
        Measurement::at_least(
            "creations a second at the peak",
            peak.per_second() as usize,
            1,
        ),
        Measurement::at_least(
            "calls refused at three times the load",
            over.refused.len(),
            PLACES,
        ),
        Measurement::share_between("goodput, by the peak", goodput, GOODPUT, f64::INFINITY),
        Measurement::none("503 without Retry-After", over.without_advice),
        Measurement::within("median of a refusal", median(over.refused.clone()), AT_ONCE),
        // Sooner than any call that is carried out.
        Measurement::within("p99 of a refusal", p99(&over.refused), TABLE_TAKES),
        Measurement::none(
            "answers of another kind",
            peak.other + over.other + after.other,
        ),
        Measurement::none("refused 5 s later", after.refused.len()),
        Measurement::at_most("p99 5 s later, by the peak's", slower, 1.5, " ×"),
    ]
}

struct Load {
    http: reqwest::Client,
    url: String,
}

/// What came of one time of load.
struct Answers {
    /// How long each creation took, and each refusal.
    made: Vec<Duration>,
    refused: Vec<Duration>,
    without_advice: usize,
    other: usize,
    took: Duration,
}

impl Answers {
    fn per_second(&self) -> f64 {
        self.made.len() as f64 / self.took.as_secs_f64()
    }
}

impl Load {
    /// So many clients, each with a call in hand whenever it isn't told to come later.
    async fn run(&self, clients: usize, seconds: u64) -> Answers {
        let (made_in, refused_in) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let (no_advice, others) = (Cell::new(0), Cell::new(0));
        let began = Instant::now();
        let until = began + Duration::from_secs(seconds);
        let (without_advice, other) = (&no_advice, &others);
        let (made, refused) = (&made_in, &refused_in);
        join_all((0..clients).map(|number| async move {
            // One after the other: the kernel's queue for new connections is short.
            sleep(TABLE_TAKES.mul_f64(number as f64 / clients as f64)).await;
            while Instant::now() < until {
                let asked = Instant::now();
                let body = json!({"filename": "a", "size": 1});
                let answer = self.http.post(&self.url).json(&body).send().await;
                match answer.as_ref().map(|it| it.status()) {
                    Ok(StatusCode::CREATED) => made.borrow_mut().push(asked.elapsed()),
                    Ok(StatusCode::SERVICE_UNAVAILABLE) => {
                        refused.borrow_mut().push(asked.elapsed());
                        let has_advice =
                            answer.is_ok_and(|it| it.headers().contains_key(RETRY_AFTER));
                        without_advice.set(without_advice.get() + usize::from(!has_advice));
                        sleep(TABLE_TAKES).await;
                    }
                    _ => other.set(other.get() + 1),
                }
            }
        }))
        .await;
        Answers {
            made: made_in.into_inner(),
            refused: refused_in.into_inner(),
            without_advice: no_advice.get(),
            other: others.get(),
            took: began.elapsed(),
        }
    }
}
