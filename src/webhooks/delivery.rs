//! Sends what is to be told.
//!
//! Invariant: at most [`AT_A_TIME`] messages are under way, none for longer than [`TRY_LIMIT`], and of an answer nothing
//! but its head is read. Whoever sends a message has taken it up by a conditional write before, so of many processes one
//! sends it; one that dies meanwhile leaves it due after [`TAKEN_FOR`]. No redirect is followed.
//!
//! Absent on purpose: what a receiver answers, beyond its status: it is logged nowhere.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio_util::sync::CancellationToken;

use super::schedule::next_try;
use super::signature::sign;
use super::{Kept, Webhooks};
use crate::config::WebhookSettings;
use crate::domain::Timestamp;
use crate::https_client::{Bounds, HttpsClient};
use crate::metadata_store::outbox::Message;
use crate::store_error::StoreError;

/// Messages under way at a time.
const AT_A_TIME: usize = 8;
/// Messages that are looked up at a time.
const BATCH: usize = 32;
/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(15);
/// How long a message that somebody took up is left to them: longer than a try and what is written after it.
const TAKEN_FOR: Duration = Duration::from_secs(60);
/// How often to look for what others added, or what is due again; also the pause where nothing gets through.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The longest that a receiver may ask to be left alone for.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);
const BOUNDS: Bounds = Bounds {
    whole: TRY_LIMIT,
    max_body_bytes: None,
};

/// Sends messages until the program ends.
pub struct Deliverer {
    kept: Kept,
    settings: WebhookSettings,
    client: HttpsClient,
}

/// What became of one try.
enum Tried {
    Taken,
    /// Somebody else took it up.
    Left,
    NotTaken(String),
}

/// What a receiver said.
enum Answered {
    Taken,
    /// It wants this one never again.
    Gone,
    NotTaken {
        why: String,
        asked: Option<Duration>,
    },
}

impl Deliverer {
    /// What sends the messages that are kept there; `None` where none are.
    ///
    /// # Errors
    /// The system's certificates can't be read.
    pub fn new(
        webhooks: &Webhooks,
        settings: Option<&WebhookSettings>,
    ) -> Result<Option<Self>, std::io::Error> {
        let (Some(kept), Some(settings)) = (&webhooks.0, settings) else {
            return Ok(None);
        };
        let client = HttpsClient::of(settings.url.expose())?;
        Ok(Some(Self {
            kept: kept.clone(),
            settings: settings.clone(),
            client,
        }))
    }

    /// Sends what is due, until `stop`. What is under way then is sent again at the next start.
    pub async fn run(self, stop: CancellationToken) {
        let added = Arc::clone(&self.kept.added);
        loop {
            let more_is_due = tokio::select! {
                more = self.send_due() => more,
                () = stop.cancelled() => return,
            };
            if more_is_due {
                continue;
            }
            tokio::select! {
                () = added.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Sends the messages that are due the longest. Whether to go on at once: there may be more, and they get through.
    pub(super) async fn send_due(&self) -> bool {
        let now = self.kept.clock.now();
        let due = match self.kept.outbox.due_messages(now, BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "webhooks wait: what is due can't be read");
                return false;
            }
        };
        let is_full = due.len() >= BATCH;
        let sending = stream::iter(due).map(|message| self.deliver(message));
        let outcomes: Vec<_> = sending.buffer_unordered(AT_A_TIME).collect().await;
        let mut not_taken = 0;
        let mut last_cause = None;
        let mut taken = 0;
        for outcome in outcomes {
            match outcome {
                Ok(Tried::Taken) => taken += 1,
                Ok(Tried::Left) => {}
                Ok(Tried::NotTaken(why)) => {
                    not_taken += 1;
                    last_cause = Some(why);
                }
                Err(error) => {
                    not_taken += 1;
                    last_cause = Some(error.chain().to_string());
                }
            }
        }
        if let Some(cause) = last_cause {
            tracing::warn!(
                not_taken,
                taken,
                cause,
                "webhooks weren't taken, and are sent again"
            );
        }
        is_full && taken > 0
    }

    async fn deliver(&self, message: Message) -> Result<Tried, StoreError> {
        let outbox = &self.kept.outbox;
        let now = self.kept.clock.now();
        let taken_up = message.taken_up(now, now + TAKEN_FOR);
        if !outbox.replace_message(&message, &taken_up).await? {
            return Ok(Tried::Left);
        }
        let (why, asked) = match self.send(&taken_up, now).await {
            Answered::Taken => {
                outbox.remove_message(&taken_up.id).await?;
                return Ok(Tried::Taken);
            }
            Answered::Gone => {
                tracing::warn!(webhook_id = %taken_up.id, "a webhook is gone: the receiver answered 410");
                outbox.remove_message(&taken_up.id).await?;
                return Ok(Tried::Taken);
            }
            Answered::NotTaken { why, asked } => (why, asked),
        };
        let now = self.kept.clock.now();
        let since = taken_up.tried_since.unwrap_or(now);
        match next_try(taken_up.attempts, since, now, asked) {
            Some(at) => {
                outbox
                    .replace_message(&taken_up, &taken_up.due_at(at))
                    .await?;
            }
            None => {
                tracing::error!(
                    webhook_id = %taken_up.id,
                    attempts = taken_up.attempts,
                    "a webhook was given up: nobody took it for a day"
                );
                outbox.remove_message(&taken_up.id).await?;
            }
        }
        Ok(Tried::NotTaken(why))
    }

    async fn send(&self, message: &Message, now: Timestamp) -> Answered {
        let sent_at = now.timestamp();
        let id = message.id.as_str();
        let signature = sign(&self.settings.secrets, id, sent_at, &message.body);
        let request = Request::post(self.settings.url.expose())
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("file-share/", env!("CARGO_PKG_VERSION")),
            )
            .header("webhook-id", id)
            .header("webhook-timestamp", sent_at)
            .header("webhook-signature", signature);
        let body = Bytes::from(message.body.clone());
        match self.client.send(request, body, BOUNDS).await {
            Ok(answer) => judged(answer.status, &answer.headers),
            Err(why) => Answered::NotTaken { why, asked: None },
        }
    }
}

fn judged(status: StatusCode, headers: &HeaderMap) -> Answered {
    if status.is_success() {
        return Answered::Taken;
    }
    if status == StatusCode::GONE {
        return Answered::Gone;
    }
    let is_busy = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let asked = headers.get(RETRY_AFTER).filter(|_| is_busy);
    Answered::NotTaken {
        why: format!("the receiver answered {}", status.as_u16()),
        asked: asked.and_then(seconds),
    }
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let seconds = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_ASKED))
}
