//! Until when an event may be worked on, and what Lambda is told of one that fails. How events come and go is seen with
//! the real programs, in `tests/it/lambda.rs`.

use http::HeaderValue;

use super::*;

fn time_left(deadline: Option<String>) -> Duration {
    let mut headers = HeaderMap::new();
    if let Some(deadline) = deadline {
        headers.insert(DEADLINE, HeaderValue::try_from(deadline).unwrap());
    }
    answer_by(&headers).saturating_duration_since(Instant::now())
}

fn milliseconds_from_now(left: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    (now + left).to_string()
}

#[test]
fn an_answer_is_there_before_the_deadline_with_room_for_its_way() {
    let is_about = |left: Duration, seconds: f64| {
        let off = (left.as_secs_f64() - seconds).abs();
        assert!(off < 0.5, "{left:?} and not {seconds} s");
    };
    is_about(time_left(Some(milliseconds_from_now(29_000))), 28.0);
    is_about(time_left(Some(milliseconds_from_now(500))), 0.0);
    // One that a clock made: too late, or over as the event comes. And none that can be read.
    is_about(time_left(Some(u64::MAX.to_string())), 899.0);
    let over = milliseconds_from_now(-60_000);
    for unread in [None, Some("soon".into()), Some("-1".into()), Some(over)] {
        is_about(time_left(unread), 2.0);
    }
}

#[test]
fn an_error_says_what_it_is_in_lambdas_words_and_no_more_than_is_read() {
    let error = EventError {
        kind: "UnknownEvent",
        message: "ä".repeat(2 * MAX_ERROR_CHARACTERS),
    };
    let body: serde_json::Value = serde_json::from_slice(&body_of(&error)).unwrap();
    assert_eq!(body["errorType"], "UnknownEvent");
    let message = body["errorMessage"].as_str().unwrap();
    assert_eq!(message.chars().count(), MAX_ERROR_CHARACTERS);
}

#[test]
fn an_answer_of_more_than_6_mb_is_an_error_in_its_place() {
    assert!(not_too_large(vec![0; MAX_ANSWER_BYTES]).is_ok());
    let error = not_too_large(vec![0; MAX_ANSWER_BYTES + 1]).unwrap_err();
    assert_eq!(error.kind, "AnswerTooLarge");
}
