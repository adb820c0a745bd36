//! What a client can have written into the log: how long a line, and how many lines a second; and what the lines
//! about one request have in common.
//!
//! A request that is refused costs its sender nothing, so a line for each would let one client fill the
//! disk. Lines come out of a token bucket; those that find it empty are counted, and the count is logged
//! once a second at most.
//!
//! Invariant: no line is left out without being counted, and every count is logged, also if nothing
//! more comes.
//!
//! Absent on purpose: a bucket for each client. The disk is one.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::metrics::Refused;

/// The most that is logged of a client's text, in bytes. Our own longest path, an object's below a
/// bucket, has 109.
pub const MAX_LOGGED_BYTES: usize = 128;
/// Lines about refused requests that may be written at once, and how many more each second: 8 KB a
/// second, at some 400 bytes a line.
const BURST_LINES: u32 = 200;
const LINES_A_SECOND: u32 = 20;
/// How long lines that are left out are counted before the count is logged.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// For lines about requests that were refused: the client's fault.
pub static REFUSED: LogLimiter = LogLimiter::new("refused requests");
/// For lines about requests that failed: the store's fault or ours. Apart, so that a flood of refused
/// ones doesn't hide them.
pub static FAILED: LogLimiter = LogLimiter::new("failed requests");

/// The text, or its beginning and `…`.
pub fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_LOGGED_BYTES {
        return text.into();
    }
    let beginning = text.floor_char_boundary(MAX_LOGGED_BYTES);
    format!("{}…", &text[..beginning]).into()
}

/// Behind which part of a path a token stands that is a capability: of the pages of links and boxes, and of the calls
/// with what they pass on or take.
const BEFORE_TOKENS: [&str; 4] = ["s", "shared", "b", "drop"];
/// What has so many characters of base64url in a row is a token, wherever somebody put it.
const TOKEN_CHARACTERS: usize = 43;

/// A path without the tokens in it: whoever has one may do what it is for.
pub fn without_tokens(path: &str) -> Cow<'_, str> {
    let begins_one = |part| BEFORE_TOKENS.contains(&part);
    if !path
        .split('/')
        .any(|part| begins_one(part) || has_token(part))
    {
        return path.into();
    }
    let mut is_token = false;
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| {
            let hides = is_token && !part.is_empty() || has_token(part);
            // An empty part is nothing that could be one.
            is_token = begins_one(part) || is_token && part.is_empty();
            if hides { "…" } else { part }
        })
        .collect();
    parts.join("/").into()
}

fn has_token(part: &str) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    part.as_bytes()
        .split(|byte| !is_of_token(byte))
        .any(|run| run.len() >= TOKEN_CHARACTERS)
}

/// What is known of the request that is being answered, once it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noted {
    /// What it asks for.
    pub operation: Option<&'static str>,
    /// Its path, as metrics know it.
    pub route: Option<u16>,
    /// Which limit it met, if it was refused for one.
    pub refused: Option<Refused>,
}

tokio::task_local! {
    static NOTED: Cell<Noted>;
}

/// Answers a request, and says what was noted of it on the way. A field of the request's span would be written out for
/// every request, and most have no line.
pub async fn with_notes<T>(answering: impl Future<Output = T>) -> (T, Noted) {
    let answered = async {
        let answer = answering.await;
        (answer, NOTED.get().get())
    };
    NOTED.scope(Cell::default(), answered).await
}

fn note(change: impl FnOnce(&mut Noted)) {
    // Without a request, as in a test of the service alone, nobody wants to know.
    let _ = NOTED.try_with(|noted| {
        let mut changed = noted.get();
        change(&mut changed);
        noted.set(changed);
    });
}

/// Says what the request that is being answered asks for.
pub fn name_operation(label: &'static str) {
    note(|noted| noted.operation = Some(label));
}

/// Says what path it has, as metrics know it.
pub fn note_route(route: u16) {
    note(|noted| noted.route = Some(route));
}

/// Says which limit it met.
pub fn note_refused(class: Refused) {
    note(|noted| noted.refused = Some(class));
}

/// A bounded number of lines a second.
#[derive(Debug)]
pub struct LogLimiter {
    of_what: &'static str,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Lines that may be written, in parts of a line.
    tokens: f64,
    /// Until when the tokens are counted; `None` before the first line.
    filled_at: Option<Instant>,
    /// Lines that weren't written and aren't reported yet.
    left_out: u64,
}

impl LogLimiter {
    const fn new(of_what: &'static str) -> Self {
        Self {
            of_what,
            bucket: Mutex::new(Bucket {
                tokens: BURST_LINES as f64,
                filled_at: None,
                left_out: 0,
            }),
        }
    }

    /// Writes a line, unless there were too many just now. To be called in tokio's runtime, which
    /// reports what was left out.
    pub fn log(&'static self, write: impl FnOnce()) {
        match self.bucket().take(Instant::now()) {
            Taken::Token => write(),
            Taken::FirstLeftOut => {
                tokio::spawn(self.report());
            }
            Taken::LeftOut => {}
        }
    }

    async fn report(&'static self) {
        sleep(REPORT_INTERVAL).await;
        let left_out = std::mem::take(&mut self.bucket().left_out);
        let of = self.of_what;
        tracing::warn!(left_out, of, "lines were left out of the log");
    }

    fn bucket(&self) -> std::sync::MutexGuard<'_, Bucket> {
        // Whatever state a panic left it in is a state of a bucket.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Token,
    /// The first since the last report.
    FirstLeftOut,
    LeftOut,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Taken {
        let since = self.filled_at.map_or(Duration::ZERO, |at| now - at);
        self.filled_at = Some(now);
        let earned = since.as_secs_f64() * f64::from(LINES_A_SECOND);
        self.tokens = (self.tokens + earned).min(f64::from(BURST_LINES));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Taken::Token;
        }
        self.left_out += 1;
        match self.left_out {
            1 => Taken::FirstLeftOut,
            _ => Taken::LeftOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("/v1/files"), "/v1/files");
        let longest = "x".repeat(MAX_LOGGED_BYTES);
        assert_eq!(cut(&longest), longest);
        for long in [
            "x".repeat(MAX_LOGGED_BYTES + 1),
            format!("x{}", "é".repeat(999)),
        ] {
            let cut = cut(&long);
            assert!(cut.len() <= MAX_LOGGED_BYTES + "…".len(), "{cut}");
            assert!(cut.ends_with('…') && long.starts_with(cut.trim_end_matches('…')));
        }
    }

    #[test]
    fn no_token_of_a_path_gets_into_the_log_and_the_rest_does() {
        let token = "AAECAwQFBgcICQoLDA0OD1R1e1i4RFH8dn43leJErtA";
        for (path, expected) in [
            ("/s/TOKEN", "/s/…"),
            ("/s/TOKEN/", "/s/…/"),
            ("/s//TOKEN", "/s//…"),
            ("/s/TOKEN).", "/s/…"),
            ("/s/%41BC", "/s/…"),
            ("/share/s/TOKEN", "/share/s/…"),
            (
                "/v1/shared/TOKEN/files/7/downloads",
                "/v1/shared/…/files/7/downloads",
            ),
            ("/b/TOKEN", "/b/…"),
            ("/v1/drop/TOKEN/files", "/v1/drop/…/files"),
            // Where nobody should have put it.
            ("/S/TOKEN", "/S/…"),
            ("/s%2FTOKEN", "…"),
            ("/TOKEN", "/…"),
        ] {
            let path = path.replace("TOKEN", token);
            let logged = without_tokens(&path);
            assert!(!logged.contains(token), "{logged}");
            assert!(
                logged == expected || path.contains("%2F"),
                "{path}: {logged}"
            );
        }
        for path in [
            "/",
            "/s/",
            "/s",
            "/v1/files/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f/metadata",
            "/file-share-bucket/uploads/0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f",
        ] {
            assert_eq!(without_tokens(path), path);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_written_and_then_so_many_lines_a_second() {
        static LIMITER: LogLimiter = LogLimiter::new("tests");
        let (mut written, mut left_out) = (0, 0);
        for _ in 0..10 {
            for _ in 0..1_000 {
                let before = written;
                LIMITER.log(|| written += 1);
                left_out += u64::from(before == written);
            }
            // Reported, so that what is counted then begins anew.
            sleep(REPORT_INTERVAL + Duration::from_millis(1)).await;
            assert_eq!(LIMITER.bucket().left_out, 0);
        }
        let most = BURST_LINES + 9 * LINES_A_SECOND;
        assert!((most..=most + 1).contains(&written), "{written}");
        assert_eq!(u64::from(written) + left_out, 10_000);
        // Whoever was quiet may write a burst again, and no more.
        sleep(Duration::from_secs(3_600)).await;
        let before = written;
        (0..1_000).for_each(|_| LIMITER.log(|| written += 1));
        assert_eq!(written - before, BURST_LINES);
    }
}
