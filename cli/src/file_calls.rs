//! The calls about files.
//!
//! **Invariant:** every call is safe to repeat: a create has a key of its own, and a deletion that finds nothing after an
//! answer was lost has been made. An address that the service names is checked before it is used.
//!
//! Absent on purpose: how often a call is repeated ([`crate::retry`]), and the bytes.

use std::time::Duration;

use http::header::LOCATION;
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::address::check_store_address;
use crate::answer::{expect, parsed};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::retry::Deadline;
use crate::wire::{Created, EventPage, Page, Record, Renewed, Upload};

/// The longest that the service lets a call wait, in seconds.
const MAX_WAIT: u64 = 20;
/// How often it is asked at most that answers sooner than that.
const EARLY_ANSWER: Duration = Duration::from_millis(500);

impl ApiClient {
    /// `key` is the same for all attempts at one file, and for no other.
    pub(crate) async fn create(
        &self,
        new: &Value,
        key: Uuid,
        until: Deadline,
    ) -> Result<Created, CliError> {
        let answer = self
            .call(Method::POST, "/v1/files", Some(new), Some(key), until)
            .await?;
        let mut created: Created = parsed(&expect(answer, StatusCode::CREATED)?)?;
        let upload = created.upload.take();
        created.upload = upload
            .map(|upload| upload.checked(self.base()))
            .transpose()?;
        Ok(created)
    }

    /// A fresh URL for a file whose bytes haven't come; `None` if there is nothing more to send.
    pub(crate) async fn renew(
        &self,
        id: Uuid,
        until: Deadline,
    ) -> Result<Option<Upload>, CliError> {
        let path = format!("/v1/files/{id}/upload");
        let answer = self.call(Method::POST, &path, None, None, until).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(None);
        }
        let renewed: Renewed = parsed(&expect(answer, StatusCode::OK)?)?;
        renewed.upload.checked(self.base()).map(Some)
    }

    pub(crate) async fn complete(&self, id: Uuid, until: Deadline) -> Result<Record, CliError> {
        let path = format!("/v1/files/{id}/complete");
        let answer = self.call(Method::POST, &path, None, None, until).await?;
        parsed(&expect(answer, StatusCode::OK)?)
    }

    pub(crate) async fn describe(&self, id: Uuid, until: Deadline) -> Result<Record, CliError> {
        let path = format!("/v1/files/{id}/metadata");
        let answer = self.call(Method::GET, &path, None, None, until).await?;
        parsed(&expect(answer, StatusCode::OK)?)
    }

    /// The record once it has come to an end, or as it is at the deadline.
    pub(crate) async fn settled(&self, id: Uuid, until: Deadline) -> Result<Record, CliError> {
        loop {
            let wait = until.left().as_secs().min(MAX_WAIT);
            let asked = Instant::now();
            let path = format!("/v1/files/{id}/metadata?wait={wait}");
            let answer = self.call(Method::GET, &path, None, None, until).await?;
            let record: Record = parsed(&expect(answer, StatusCode::OK)?)?;
            if record.is_final() || until.left().as_secs() == 0 {
                return Ok(record);
            }
            // A server that doesn't wait, because it is about to stop, isn't pressed.
            let pause = EARLY_ANSWER
                .saturating_sub(asked.elapsed())
                .min(until.left());
            sleep(pause).await;
        }
    }

    pub(crate) async fn page(
        &self,
        limit: usize,
        status: Option<&str>,
        cursor: Option<&str>,
        until: Deadline,
    ) -> Result<Page, CliError> {
        let mut path = format!("/v1/files?limit={limit}");
        for (name, value) in [("status", status), ("cursor", cursor)] {
            if let Some(value) = value {
                let value = percent_encoding::utf8_percent_encode(
                    value,
                    percent_encoding::NON_ALPHANUMERIC,
                );
                path += &format!("&{name}={value}");
            }
        }
        let answer = self.call(Method::GET, &path, None, None, until).await?;
        parsed(&expect(answer, StatusCode::OK)?)
    }

    /// What happened to a file, newest first.
    pub(crate) async fn events(
        &self,
        id: Uuid,
        limit: usize,
        cursor: Option<&str>,
        until: Deadline,
    ) -> Result<EventPage, CliError> {
        let mut path = format!("/v1/files/{id}/events?limit={limit}");
        if let Some(cursor) = cursor {
            let all = percent_encoding::NON_ALPHANUMERIC;
            path += &format!(
                "&cursor={}",
                percent_encoding::utf8_percent_encode(cursor, all)
            );
        }
        let answer = self.call(Method::GET, &path, None, None, until).await?;
        parsed(&expect(answer, StatusCode::OK)?)
    }

    /// A URL for the bytes that works for a few minutes.
    pub(crate) async fn locate(&self, id: Uuid, until: Deadline) -> Result<Uri, CliError> {
        let path = format!("/v1/files/{id}");
        let answer = self.call(Method::GET, &path, None, None, until).await?;
        let answer = expect(answer, StatusCode::TEMPORARY_REDIRECT)?;
        let location = answer.headers.get(LOCATION);
        let location = location
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        check_store_address(location, self.base(), "the redirect to the bytes")
    }

    pub(crate) async fn delete(&self, id: Uuid, until: Deadline) -> Result<(), CliError> {
        let path = format!("/v1/files/{id}");
        let answer = self.call(Method::DELETE, &path, None, None, until).await?;
        // The answer to the first attempt was lost, and it had been deleted.
        if answer.repeated && answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        expect(answer, StatusCode::NO_CONTENT).map(|_| ())
    }
}

/// What a file is declared as.
pub(crate) fn declaration(name: &str, size: u64, sha256: &str) -> Value {
    json!({ "filename": name, "size": size, "sha256": sha256 })
}
