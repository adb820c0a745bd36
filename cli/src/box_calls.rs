//! The calls about boxes, as their owner makes them.
//!
//! **Invariant:** what stands behind `/b/` in a box's URL is a credential: it is in no error.

use http::header::{ETAG, HeaderValue};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::answer::{expect, parsed};
use crate::api_client::{ApiClient, MAX_PAGE, Mark};
use crate::error::CliError;
use crate::retry::Deadline;
use crate::wire::Record;

/// No ID of a box is longer.
const MAX_ID_CHARS: usize = 64;
/// Boxes on a page. A hundred, each with times for a hundred people, would be more than an answer may have.
const BOXES_ON_A_PAGE: usize = 10;
/// How many pages are read at the most: a list that never ends is given up.
const MAX_PAGES: usize = 10_000;

/// Somebody has other times than all others.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Override {
    pub submitter: String,
    #[serde(default)]
    pub due_at: Option<String>,
    #[serde(default)]
    pub closes_at: Option<String>,
}

impl Override {
    /// Whether these are the times of somebody who is called so: by the ID of a sign-in, or the name that was typed.
    pub(crate) fn is_of(&self, name: &str, user: Option<&str>) -> bool {
        match user {
            Some(user) => self.submitter == user,
            None => self.submitter.to_lowercase() == name.to_lowercase(),
        }
    }
}

/// Where others hand in files. Fields that this program doesn't know are shown to programs as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileBox {
    pub id: String,
    pub url: String,
    pub title: String,
    #[serde(default)]
    pub due_at: Option<String>,
    #[serde(default)]
    pub closes_at: Option<String>,
    #[serde(default)]
    pub keep: String,
    #[serde(default)]
    pub overrides: Vec<Override>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl FileBox {
    /// When the files of this submitter are due.
    pub(crate) fn due_for(&self, hand_in: &HandIn) -> Option<&str> {
        let own = self
            .overrides
            .iter()
            .find(|it| it.is_of(&hand_in.submitter, hand_in.submitter_id.as_deref()));
        let own = own.and_then(|it| it.due_at.as_deref());
        own.or(self.due_at.as_deref())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BoxPage {
    boxes: Vec<FileBox>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// A file that was handed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandIn {
    pub id: String,
    pub display_name: String,
    pub size: u64,
    #[serde(default)]
    pub sha256: Option<String>,
    pub status: String,
    pub submitter: String,
    #[serde(default)]
    pub submitter_id: Option<String>,
    pub created_at: String,
    #[serde(default)]
    pub uploaded_at: Option<String>,
    #[serde(default)]
    pub late: bool,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl HandIn {
    /// What tells one submitter from another: a name that was typed is nobody who signed in.
    pub(crate) fn whose(&self) -> (bool, String) {
        match &self.submitter_id {
            Some(id) => (true, id.clone()),
            None => (false, self.submitter.to_lowercase()),
        }
    }

    /// The same as a record, as far as a download asks for it.
    ///
    /// # Errors
    /// The server's ID is none.
    pub(crate) fn record(&self) -> Result<Record, CliError> {
        let id = self.id.parse::<Uuid>();
        Ok(Record {
            id: id
                .map_err(|_| CliError::Unusable("the server's ID of a file is none".to_owned()))?,
            filename: self.display_name.clone(),
            display_name: None,
            size: self.size,
            content_type: String::new(),
            sha256: self.sha256.clone(),
            status: self.status.clone(),
            created_at: self.created_at.clone(),
            uploaded_at: self.uploaded_at.clone(),
            delete_after: None,
            reason: None,
            more: Map::new(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HandInPage {
    files: Vec<HandIn>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// Nobody reads on in a list that never ends.
fn endless() -> CliError {
    CliError::Unusable("the server's list doesn't end".to_owned())
}

fn with_cursor(mut path: String, cursor: Option<&str>) -> String {
    if let Some(cursor) = cursor {
        let all = percent_encoding::NON_ALPHANUMERIC;
        let cursor = percent_encoding::utf8_percent_encode(cursor, all);
        path += &format!("&cursor={cursor}");
    }
    path
}

impl ApiClient {
    pub(crate) async fn create_box(
        &self,
        new: &Value,
        until: Deadline,
    ) -> Result<FileBox, CliError> {
        let answer = self.call(Method::POST, "/v1/boxes", Some(new), None, until);
        parsed(&expect(answer.await?, StatusCode::CREATED)?)
    }

    /// The caller's boxes, newest first, handed to `each` until that has enough.
    pub(crate) async fn boxes(
        &self,
        until: Deadline,
        mut each: impl FnMut(FileBox) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let path = format!("/v1/boxes?limit={BOXES_ON_A_PAGE}");
            let path = with_cursor(path, cursor.as_deref());
            let answer = self.call(Method::GET, &path, None, None, until);
            let page: BoxPage = parsed(&expect(answer.await?, StatusCode::OK)?)?;
            for file_box in page.boxes {
                if !each(file_box)? {
                    return Ok(());
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(endless())
    }

    /// A box of the caller's by its ID, or by the URL that is passed on.
    pub(crate) async fn find_box(&self, text: &str, until: Deadline) -> Result<FileBox, CliError> {
        let text = text.trim();
        let Some((_, token)) = text.rsplit_once("/b/") else {
            let path = path_of(text)?;
            let answer = self.call(Method::GET, &path, None, None, until);
            return parsed(&expect(answer.await?, StatusCode::OK)?);
        };
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let token = token.split(|c| !is_token(c)).next().unwrap_or_default();
        let mut found = None;
        self.boxes(until, |file_box| {
            let is_it = !token.is_empty() && file_box.url.ends_with(&format!("/b/{token}"));
            found = found.take().or(is_it.then_some(file_box));
            Ok(found.is_none())
        })
        .await?;
        found.ok_or_else(|| {
            CliError::Usage(
                "no box of yours has this URL: fshare box list has them all, with their IDs"
                    .to_owned(),
            )
        })
    }

    pub(crate) async fn change_box(
        &self,
        id: &str,
        change: &Value,
        until: Deadline,
    ) -> Result<FileBox, CliError> {
        let path = path_of(id)?;
        let answer = self.call(Method::PATCH, &path, Some(change), None, until);
        parsed(&expect(answer.await?, StatusCode::OK)?)
    }

    /// A box of the caller's, and what names it as it is; a service that is older than this program has none.
    pub(crate) async fn box_as_it_is(
        &self,
        id: &str,
        until: Deadline,
    ) -> Result<(FileBox, Option<HeaderValue>), CliError> {
        let path = path_of(id)?;
        let answer = self.call(Method::GET, &path, None, None, until);
        let answer = expect(answer.await?, StatusCode::OK)?;
        Ok((parsed(&answer)?, answer.headers.get(ETAG).cloned()))
    }

    /// Changes a box that is still as it was; `None`: it was changed meanwhile, and nothing was done.
    pub(crate) async fn change_box_if(
        &self,
        id: &str,
        tag: Option<&HeaderValue>,
        change: &Value,
        until: Deadline,
    ) -> Result<Option<FileBox>, CliError> {
        let (path, mark) = (path_of(id)?, tag.map(Mark::IfMatch));
        let answer = self.marked_call(Method::PATCH, &path, Some(change), mark, until);
        let answer = answer.await?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED => Ok(None),
            _ => parsed(&expect(answer, StatusCode::OK)?).map(Some),
        }
    }

    pub(crate) async fn end_box(&self, id: &str, until: Deadline) -> Result<(), CliError> {
        let path = path_of(id)?;
        let answer = self.call(Method::DELETE, &path, None, None, until).await?;
        // The answer to the first attempt was lost, and it had been ended.
        if answer.repeated && answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        expect(answer, StatusCode::NO_CONTENT).map(|_| ())
    }

    /// All that was handed in, whatever its status, newest first, handed to `each` until that has enough.
    pub(crate) async fn hand_ins(
        &self,
        id: &str,
        until: Deadline,
        mut each: impl FnMut(HandIn) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        let of_box = path_of(id)?;
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let path = format!("{of_box}/files?limit={MAX_PAGE}");
            let path = with_cursor(path, cursor.as_deref());
            let answer = self.call(Method::GET, &path, None, None, until);
            let page: HandInPage = parsed(&expect(answer.await?, StatusCode::OK)?)?;
            for hand_in in page.files {
                if !each(hand_in)? {
                    return Ok(());
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(endless())
    }
}

fn path_of(id: &str) -> Result<String, CliError> {
    let is_id =
        (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_id {
        true => Ok(format!("/v1/boxes/{id}")),
        false => Err(CliError::Usage(
            "a box is named by its ID or its URL: fshare box list has both".to_owned(),
        )),
    }
}
