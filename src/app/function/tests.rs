//! Each call of the contract, over HTTP and as an event of API Gateway: who asks can't tell, and no log has what they sent.
//!
//! The service is one of local mode, since no function can be one without AWS; the API before it is the same.

mod story;
mod way;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use poem::http::StatusCode;
use serde_json::{Value, json};
use story::Story;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use way::Answer;

use super::*;
use crate::telemetry;

const CONTRACT: &str = include_str!("../../../tests/openapi.json");
/// Begins whatever a client makes up that is nobody else's to read.
const SECRET: &str = "secret-";
const TIME: Duration = Duration::from_secs(20);

fn calls_of_the_contract() -> Vec<String> {
    let contract: Value = serde_json::from_str(CONTRACT).unwrap();
    let paths = contract["paths"].as_object().unwrap().iter();
    let calls = paths.flat_map(|(path, calls)| {
        let methods = calls.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let calls: Vec<String> = calls.collect();
    assert!(calls.len() > 40, "{calls:?}");
    calls
}

/// A text without what chance or the clock made: IDs, tokens, signatures and moments.
fn masked(text: &str) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut masked = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length.max(first.len_utf8()));
        rest = behind;
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
        if digits == 10 && letters == 1 && word.len() == 13 {
            // A moment, down to its Z.
            let (_, behind) = rest.split_once('Z').unwrap();
            rest = behind;
            masked.push_str("<moment>");
        } else if digits >= 8 || (word.len() >= 20 && digits > 0) || word.len() >= 30 {
            masked.push_str("<chance>");
        } else {
            masked.push_str(word);
        }
    }
    masked
}

/// The same of an answer. A code for people has no digits, maybe.
fn told(answer: &Answer) -> (u16, Vec<String>, Vec<String>, String) {
    let headers = answer.headers.iter();
    let body = String::from_utf8_lossy(&answer.body);
    let code = answer.json()["userCode"].as_str().map(str::to_owned);
    let body = body.replace(&code.unwrap_or("-".into()), "-");
    (
        answer.status,
        headers
            .map(|(name, value)| format!("{name}: {}", masked(value)))
            .collect(),
        answer.cookies.iter().map(|it| masked(it)).collect(),
        masked(&body),
    )
}

#[tokio::test]
async fn each_call_of_the_contract_is_answered_as_over_http_when_it_comes_as_an_event() {
    let mut stories = [Story::begins(true).await, Story::begins(false).await];
    for story in &mut stories {
        story.goes_through_the_contract().await;
        story.ends();
    }
    let [over_http, as_events] = &stories;
    assert_eq!(over_http.seen.len(), as_events.seen.len());
    let mut statuses = BTreeSet::new();
    for ((call, over_http), (_, as_event)) in over_http.seen.iter().zip(&as_events.seen) {
        assert_eq!(told(over_http), told(as_event), "{call}");
        statuses.insert(over_http.status);
    }
    // Not one refusal for all.
    for status in [200, 201, 204, 307, 400, 401, 403, 404, 409] {
        assert!(
            statuses.contains(&status),
            "none was {status}: {statuses:?}"
        );
    }
}

#[tokio::test]
async fn what_a_call_did_to_a_file_is_written_down_before_its_process_may_stand_still() {
    let mut story = Story::begins(false).await;
    let file = json!({"filename": "a.txt", "size": 5});
    let created = story.call("POST", "/v1/files", &[], Some(file)).await;
    let id = created.text_of("id");
    story.stands_still().await;
    let path = "/v1/files/{id}/events";
    let events = story.call("GET", path, &[("id", &id)], None).await;
    let text = String::from_utf8(events.body).unwrap();
    assert!(text.contains("file.created"), "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(text.clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_that_a_client_sent_or_was_handed_out_is_in_the_log_of_any_call_of_the_contract() {
    let log = Log::default();
    // As a program has it that was asked for all there is.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(log.clone());
    let subscriber = tracing_subscriber::registry()
        .with(filter_fn(telemetry::is_harmless))
        .with(lines);
    // While there is but one, whichever test comes by a line first has it left out for all that are no readers.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let logging = tracing::subscriber::set_default(subscriber);
    let mut story = Story::begins(false).await;
    story.goes_through_the_contract().await;
    story.ends();
    drop(logging);
    let log = log.text();
    let is_logged =
        |status: u16| StatusCode::from_u16(status).is_ok_and(|it| !it.is_client_error());
    let lines = log.lines().filter(|line| line.contains("answered"));
    let expected = story.seen.iter().filter(|(_, it)| is_logged(it.status));
    assert!(
        lines.count() >= expected.count(),
        "lines are missing:\n{log}"
    );
    assert!(story.handed_out.len() >= 12, "{:?}", story.handed_out);
    let of_chance = story.handed_out.iter().map(String::as_str);
    for secret in of_chance.chain([SECRET, "hello", "X-Amz-", "utm_source"]) {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}
