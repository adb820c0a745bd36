//! Sends what is to be told.
//!
//! Invariant: at most [`AT_A_TIME`] messages are under way, none for longer than [`TRY_LIMIT`], and of an answer nothing
//! but its head is read. Whoever sends a message has taken it up by a conditional write before, so of many processes one
//! sends it; one that dies meanwhile leaves it due after [`TAKEN_FOR`]. No redirect is followed.
//!
//! A try that failed counts only where this process's clock agrees with the store's: one that jumped makes many due too
//! early, and its timestamps are refused by receivers. What a clock that was ahead has put off for too long is brought
//! forward.
//!
//! Absent on purpose: what a receiver answers, beyond its status: it is logged nowhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::schedule::{BEYOND_EVERY_PAUSE, MAX_TRIES, pause_after};
use super::signature::sign;
use super::{Kept, Webhooks, event};
use crate::config::WebhookSettings;
use crate::domain::{Timestamp, format_timestamp};
use crate::https_client::{Bounds, HttpsClient};
use crate::metadata_store::outbox::Message;
use crate::metrics::WebhookTry;
use crate::operations::Stores;
use crate::store_error::StoreError;
use crate::traces::{self, Ended, Kind, Value};

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
/// How often to look for what was put off by a clock that was ahead, beside at the start.
const LOOK_AHEAD_EVERY: Duration = Duration::from_secs(10 * 60);
/// Batches of those that are brought forward at a time.
const MAX_BATCHES_AHEAD: usize = 64;
/// For how long it is believed what a comparison of the clocks said.
const COMPARED_FOR: TimeDelta = TimeDelta::seconds(60);
const BOUNDS: Bounds = Bounds {
    whole: TRY_LIMIT,
    max_body_bytes: None,
};

/// Sends messages until the program ends.
pub struct Deliverer {
    kept: Kept,
    settings: WebhookSettings,
    client: HttpsClient,
    /// Where the time is asked for.
    stores: Stores,
    /// When the clocks were compared last, by this process's own, and whether they agreed.
    compared: Mutex<Option<(Timestamp, bool)>>,
}

/// What became of one try.
enum Tried {
    Taken,
    /// Somebody else took it up.
    Left,
    NotTaken(String),
    /// Nobody took it often enough, and it is forgotten.
    GivenUp,
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
        stores: &Stores,
    ) -> Result<Option<Self>, std::io::Error> {
        let (Some(kept), Some(settings)) = (&webhooks.0, settings) else {
            return Ok(None);
        };
        let client = HttpsClient::of(settings.url.expose())?;
        Ok(Some(Self {
            kept: kept.clone(),
            settings: settings.clone(),
            client,
            stores: stores.clone(),
            compared: Mutex::default(),
        }))
    }

    /// Sends what is due, until `stop`. What is under way then is sent again at the next start.
    pub async fn run(self, stop: CancellationToken) {
        let added = Arc::clone(&self.kept.added);
        let mut look_ahead_at = Instant::now();
        loop {
            let round = async {
                if look_ahead_at <= Instant::now() && !self.bring_forward().await {
                    look_ahead_at = Instant::now() + LOOK_AHEAD_EVERY;
                }
                self.send_due().await
            };
            let more_is_due = tokio::select! {
                more = round => more,
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

    /// Sends all that is due, as far as it gets through. What is under way when it is broken off is sent again.
    ///
    /// # Errors
    /// If what is due, or put off, can't be read.
    pub async fn run_to_end(&self) -> Result<(), StoreError> {
        let forward = self.brought_forward().await.map(drop);
        while self.sent_due().await? {}
        forward
    }

    /// [`Self::sent_due`], of which nobody hears but the log if what is due can't be read.
    pub(super) async fn send_due(&self) -> bool {
        self.sent_due().await.unwrap_or_else(|error| {
            tracing::warn!(error = %error.chain(), "webhooks wait: what is due can't be read");
            false
        })
    }

    /// Sends the messages that are due the longest. Whether to go on at once: there may be more, and they get through.
    async fn sent_due(&self) -> Result<bool, StoreError> {
        let now = self.kept.clock.now();
        let due = self.kept.outbox.due_messages(now, BATCH).await?;
        let is_full = due.len() >= BATCH;
        self.stores.metrics.webhooks_due(due.len());
        let sending = stream::iter(due).map(|message| self.deliver(message));
        let outcomes: Vec<_> = sending.buffer_unordered(AT_A_TIME).collect().await;
        let mut not_taken = 0;
        let mut last_cause = None;
        let mut taken = 0;
        for outcome in outcomes {
            match outcome {
                Ok(Tried::Taken) => {
                    taken += 1;
                    self.stores.metrics.webhook_tried(WebhookTry::Taken);
                }
                Ok(Tried::Left) => {}
                Ok(Tried::NotTaken(why)) => {
                    not_taken += 1;
                    self.stores.metrics.webhook_tried(WebhookTry::NotTaken);
                    last_cause = Some(why);
                }
                Ok(Tried::GivenUp) => self.stores.metrics.webhook_tried(WebhookTry::GivenUp),
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
        Ok(is_full && taken > 0)
    }

    async fn deliver(&self, message: Message) -> Result<Tried, StoreError> {
        let outbox = &self.kept.outbox;
        let now = self.kept.clock.now();
        let taken_up = message.due_at(now + TAKEN_FOR);
        if !outbox.replace_message(&message, &taken_up).await? {
            return Ok(Tried::Left);
        }
        let telling = async {
            if traces::are_on()
                && let Some(file) = event::file_of(&taken_up.body)
            {
                traces::about(file);
            }
            self.send(&taken_up, now).await
        };
        let ended = |answered: &Answered| Ended {
            name: "tell_webhook",
            has_failed: matches!(answered, Answered::NotTaken { .. }),
            attributes: vec![("attempt", Value::Number(i64::from(taken_up.attempts) + 1))],
        };
        let (why, asked) = match traces::journey(Kind::Client, None, telling, ended).await {
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
        match self.put_off(&taken_up, asked).await? {
            true => Ok(Tried::NotTaken(why)),
            false => Ok(Tried::GivenUp),
        }
    }

    /// A message wasn't taken. Whether it is due again later, or was given up after so many tries.
    async fn put_off(
        &self,
        message: &Message,
        asked: Option<Duration>,
    ) -> Result<bool, StoreError> {
        let outbox = &self.kept.outbox;
        let counts = self.clocks_agree().await;
        let tries = message.attempts.saturating_add(1);
        if counts && tries >= MAX_TRIES {
            tracing::error!(
                webhook_id = %message.id,
                tries,
                since = message.tried_since.map(format_timestamp),
                "a webhook was given up: nobody took it for about a day"
            );
            outbox.remove_message(&message.id).await?;
            return Ok(false);
        }
        let now = self.kept.clock.now();
        let due_at = now + pause_after(tries, asked);
        let next = match counts {
            true => message.not_taken(now, due_at),
            false => message.due_at(due_at),
        };
        outbox.replace_message(message, &next).await?;
        Ok(true)
    }

    /// Whether this process's clock is right, by the store's. Where that doesn't answer, it isn't known to be.
    async fn clocks_agree(&self) -> bool {
        let now = self.kept.clock.now();
        let compared = *self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set is looked at again, also if it went back.
        if let Some((at, agreed)) = compared
            && (now - at).abs() < COMPARED_FOR
        {
            return agreed;
        }
        let Ok(compared) = self.stores.compare_clocks().await else {
            return false;
        };
        let agreed = compared.is_ok();
        *self.compared.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, agreed));
        agreed
    }

    /// Makes due again what is put off for longer than anybody puts anything off: a clock was ahead, or this one is
    /// behind, and then nothing is done. Whether there may be more.
    pub(super) async fn bring_forward(&self) -> bool {
        match self.brought_forward().await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "webhooks that are put off can't be looked for");
                false
            }
        }
    }

    async fn brought_forward(&self) -> Result<bool, StoreError> {
        let outbox = &self.kept.outbox;
        for _ in 0..MAX_BATCHES_AHEAD {
            let now = self.kept.clock.now();
            let beyond = now + BEYOND_EVERY_PAUSE;
            let ahead = outbox.messages_after(beyond, BATCH).await?;
            if ahead.is_empty() || !self.clocks_agree().await {
                return Ok(false);
            }
            for message in &ahead {
                let pause = match message.attempts {
                    0 => Duration::ZERO,
                    tries => pause_after(tries, None),
                };
                outbox
                    .replace_message(message, &message.due_at(now + pause))
                    .await?;
            }
            if ahead.len() < BATCH {
                return Ok(false);
            }
        }
        Ok(true)
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
    Some(Duration::from_secs(seconds))
}
