//! The calls about links: one's own, and what somebody else's passes on.
//!
//! **Invariant:** what stands behind `/s/` in a link's URL is a credential: it is in no error.

use http::{Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::address::check_store_address;
use crate::answer::{expect, parsed};
use crate::api_client::{ApiClient, MAX_PAGE};
use crate::error::CliError;
use crate::retry::Deadline;
use crate::wire::Record;

/// No ID of a link is longer.
const MAX_ID_CHARS: usize = 64;

/// A link, as its owner sees it. Fields that this program doesn't know are shown to programs as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    pub id: String,
    pub url: String,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub label: Option<String>,
    pub files: Vec<String>,
    pub expires_at: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkPage {
    pub links: Vec<Link>,
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// What somebody's link passes on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shared {
    pub files: Vec<SharedFile>,
    #[serde(default)]
    pub needs_password: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SharedFile {
    id: String,
    filename: String,
    #[serde(default)]
    display_name: Option<String>,
    size: u64,
    content_type: String,
    sha256: Option<String>,
    status: String,
    #[serde(default)]
    downloads_left: Option<u64>,
}

impl SharedFile {
    /// Whether it is counted how often it is taken.
    pub(crate) fn is_counted(&self) -> bool {
        self.downloads_left.is_some()
    }

    /// The same as a record, without what only its owner sees.
    ///
    /// # Errors
    /// The server's ID is none.
    pub(crate) fn record(self) -> Result<Record, CliError> {
        let id = self.id.parse::<Uuid>();
        Ok(Record {
            id: id
                .map_err(|_| CliError::Unusable("the server's ID of a file is none".to_owned()))?,
            filename: self.filename,
            display_name: self.display_name,
            size: self.size,
            content_type: self.content_type,
            sha256: self.sha256,
            status: self.status,
            created_at: String::new(),
            uploaded_at: None,
            delete_after: None,
            reason: None,
            more: Map::new(),
        })
    }
}

#[derive(Deserialize)]
struct Grant {
    url: String,
    #[serde(default)]
    sha256: Option<String>,
}

/// Where the bytes are, and what they have to be as far as that is said there.
pub(crate) struct Located {
    pub url: Uri,
    pub sha256: Option<String>,
}

impl ApiClient {
    pub(crate) async fn create_link(&self, new: &Value, until: Deadline) -> Result<Link, CliError> {
        let answer = self.call(Method::POST, "/v1/links", Some(new), None, until);
        parsed(&expect(answer.await?, StatusCode::CREATED)?)
    }

    /// A page of the caller's links, or of those of a file.
    pub(crate) async fn links(
        &self,
        of_file: Option<Uuid>,
        cursor: Option<&str>,
        until: Deadline,
    ) -> Result<LinkPage, CliError> {
        let list = match of_file {
            None => "/v1/links".to_owned(),
            Some(file) => format!("/v1/files/{file}/links"),
        };
        let mut path = format!("{list}?limit={MAX_PAGE}");
        if let Some(cursor) = cursor {
            let all = percent_encoding::NON_ALPHANUMERIC;
            path += &format!(
                "&cursor={}",
                percent_encoding::utf8_percent_encode(cursor, all)
            );
        }
        let answer = self.call(Method::GET, &path, None, None, until);
        parsed(&expect(answer.await?, StatusCode::OK)?)
    }

    /// Ends a link.
    pub(crate) async fn end_link(&self, id: &str, until: Deadline) -> Result<(), CliError> {
        let is_id =
            (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_id {
            let said = "that is no ID of a link: fshare links lists them".to_owned();
            return Err(CliError::Usage(said));
        }
        let path = format!("/v1/links/{id}");
        let answer = self.call(Method::DELETE, &path, None, None, until).await?;
        // The answer to the first attempt was lost, and it had been ended.
        if answer.repeated && answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        expect(answer, StatusCode::NO_CONTENT).map(|_| ())
    }

    /// What somebody's link passes on. To look counts nothing.
    pub(crate) async fn shared(&self, token: &str, until: Deadline) -> Result<Shared, CliError> {
        let path = format!("/v1/shared/{token}");
        let answer = self.call(Method::GET, &path, None, None, until);
        parsed(&expect(answer.await?, StatusCode::OK)?)
    }

    /// A URL for the bytes that works for a minute. `key` is the same for all attempts at one file: it counts once.
    pub(crate) async fn take_shared(
        &self,
        token: &str,
        file: Uuid,
        password: Option<&str>,
        key: Uuid,
        until: Deadline,
    ) -> Result<Located, CliError> {
        let path = format!("/v1/shared/{token}/files/{file}/downloads");
        let body = match password {
            Some(password) => json!({ "password": password }),
            None => json!({}),
        };
        let answer = self.call(Method::POST, &path, Some(&body), Some(key), until);
        let grant: Grant = parsed(&expect(answer.await?, StatusCode::CREATED)?)?;
        let url = check_store_address(&grant.url, self.base(), "the URL of the bytes")?;
        let sha256 = grant.sha256;
        Ok(Located { url, sha256 })
    }
}
