//! What the service's answers hold, as far as this program reads it.
//!
//! **Invariant:** a status or stage that this program doesn't know is no end; a URL for bytes doesn't print.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::address::check_store_address;
use crate::error::CliError;
use crate::output::local_time;

/// What is known of a file. Fields that this program doesn't know are shown to programs as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    #[serde(with = "uuid_text")]
    pub id: Uuid,
    pub filename: String,
    /// The name as it was given, where the service keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    pub size: u64,
    pub content_type: String,
    pub sha256: Option<String>,
    pub status: String,
    pub created_at: String,
    pub uploaded_at: Option<String>,
    /// When the service deletes it, where that was said.
    #[serde(default)]
    pub delete_after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Record {
    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        let given = self.display_name.as_deref();
        given
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.filename)
    }

    /// Whether this is how it ends. What this program doesn't know is on its way to something.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.status.as_str(),
            "available" | "rejected" | "withdrawn" | "expired"
        )
    }

    pub(crate) fn is_available(&self) -> bool {
        self.status == "available"
    }

    /// The status, and the stage beside it if there is one, as the service calls them.
    pub(crate) fn state(&self) -> String {
        match self.stage() {
            Some(stage) => format!("{} ({stage})", self.status),
            None => self.status.clone(),
        }
    }

    /// How far the service has come with it, where it says that.
    pub(crate) fn stage(&self) -> Option<&str> {
        self.more.get("stage").and_then(Value::as_str)
    }

    /// What whoever uploaded it keeps with it, where the service has that.
    pub(crate) fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.more.get("metadata").and_then(Value::as_object);
        let entries = entries.into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// Until when nobody can delete it, where that was said.
    pub(crate) fn kept_until(&self) -> Option<String> {
        let until = self.more.get("keepUntil").and_then(Value::as_str);
        until.map(local_time)
    }

    /// That nobody can delete it, and since when; with the reason where that is told.
    pub(crate) fn held(&self) -> Option<String> {
        let hold = self.more.get("hold")?;
        let since = local_time(hold.get("since")?.as_str()?);
        let reason = hold.get("reason").and_then(Value::as_str);
        Some(match reason {
            Some(reason) => format!("since {since}: {reason}"),
            None => format!("since {since}: nobody can delete it"),
        })
    }

    /// Why it isn't available, for a person.
    pub(crate) fn why_unavailable(&self) -> String {
        match (self.status.as_str(), &self.reason) {
            ("rejected", Some(reason)) => format!("it was rejected: {reason}"),
            ("withdrawn", reason) => {
                let reason = reason.as_deref().unwrap_or("no reason was said");
                format!(
                    "it was withdrawn after it was available: {reason}. Whoever fetched it should delete it"
                )
            }
            ("expired", _) => "its bytes never came, and its time is over".to_owned(),
            _ => format!("it isn't available yet: it is {}", self.state()),
        }
    }
}

/// An ID as text. (The feature of `uuid` that does it would have the AWS SDK compiled twice: once for
/// this program, once for the others.)
mod uuid_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Where to send bytes. It doesn't print: whoever has the URL can use it.
#[derive(Deserialize)]
pub(crate) struct Upload {
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

impl Upload {
    /// Itself, if it asks for nothing that an upload doesn't need: who could answer for the service
    /// must not have this program call other services by other names, or with what only they may know.
    ///
    /// # Errors
    /// It does.
    pub(crate) fn checked(self, base: &str) -> Result<Self, CliError> {
        check_store_address(&self.url, base, "the URL to send the bytes to")?;
        let is_needed = |name: &String| {
            let name = name.to_ascii_lowercase();
            matches!(name.as_str(), "content-type" | "if-none-match") || name.starts_with("x-amz-")
        };
        match self.headers.keys().find(|name| !is_needed(name)) {
            None => Ok(self),
            Some(name) => Err(CliError::Unusable(format!(
                "the server asks for the header {name}, which no upload needs; nothing was sent"
            ))),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Created {
    #[serde(flatten)]
    pub record: Record,
    /// Missing if the same create was answered before and the file is settled already.
    #[serde(default)]
    pub upload: Option<Upload>,
}

#[derive(Deserialize)]
pub(crate) struct Renewed {
    pub upload: Upload,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    pub files: Vec<Record>,
    pub next_cursor: Option<String>,
}

/// Something that happened to a file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub at: String,
    pub last_at: String,
    pub count: u64,
    pub caller: Option<String>,
    pub token: Option<String>,
    pub request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventPage {
    pub events: Vec<Event>,
    pub next_cursor: Option<String>,
    pub kept: bool,
}

/// RFC 9457, as far as it is used here.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Problem {
    pub title: String,
    pub detail: String,
    pub code: String,
}
