//! What bodies say of links, read and judged field by field.
//!
//! Invariant: every field that isn't right is named at once, and one that isn't known is refused. A password that is
//! refused isn't repeated.

use poem_openapi::Object;
use serde_json::{Map, Value};

use super::super::json_body::BodySchema;
use super::super::problem::{Code, FieldError, Problem};
use crate::domain::{Audience, FileId, Invalid, parse_timestamp};
use crate::links::{
    LinkChange, LinkText, MAX_LABEL_CHARACTERS, MAX_TITLE_CHARACTERS, NewLink, Password,
    linked_files, max_downloads,
};

/// The most characters of a password that somebody tries. Longer than any that a link can have, so that a typo is told
/// as a wrong password.
pub(in super::super) const MAX_TRIED_CHARACTERS: usize = 1024;

/// What a link is to be.
#[derive(Object)]
#[oai(rename = "NewLink", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct NewLinkSchema {
    /// The `id` of each file, in the order in which they are shown: 1 to 100, all of which you might fetch yourself.
    files: Vec<String>,
    /// What those who get it see above the files: 1 to 200 characters.
    title: Option<String>,
    /// When it ends, in RFC 3339: within a year (366 days); in 30 days, if it isn't given.
    expires_at: Option<String>,
    /// How often each file may be taken: 1 to 1000000; without limit, if it isn't given.
    max_downloads: Option<u64>,
    /// What those who get it have to know besides: 1 to 128 characters. It can't be read again.
    password: Option<String>,
    /// `anyone` who has the URL, which is the default, or of those whoever is `signed_in`.
    audience: Option<String>,
    /// A note of your own, which nobody else sees: 1 to 100 characters.
    label: Option<String>,
}

impl BodySchema for NewLinkSchema {
    const DESCRIPTION: &'static str = "What is passed on, and how";
}

/// What is to be different about a link.
#[derive(Object)]
#[oai(rename = "LinkChange", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct LinkChangeSchema {
    /// The `id` of each file that it has from now on.
    files: Option<Vec<String>>,
    /// As in a new link; null takes it away.
    title: Option<String>,
    /// As in a new link.
    expires_at: Option<String>,
    /// As in a new link; null takes the limit away. What was taken under a limit stays counted.
    max_downloads: Option<u64>,
    /// As in a new link; null takes it away.
    password: Option<String>,
    /// As in a new link.
    audience: Option<String>,
    /// As in a new link; null takes it away.
    label: Option<String>,
    /// `true` gives the link another URL, and ends the one that it has.
    renew: Option<bool>,
}

impl BodySchema for LinkChangeSchema {
    const DESCRIPTION: &'static str = "What is to be different";
}

/// What whoever takes a file has to know.
#[derive(Object)]
#[oai(
    rename = "SharedDownload",
    rename_all = "camelCase",
    deny_unknown_fields
)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct DownloadSchema {
    /// The link's password, if it asks for one.
    password: Option<String>,
}

impl BodySchema for DownloadSchema {
    const DESCRIPTION: &'static str =
        "What the link asks for; may be left out where it asks for nothing";
    const IS_NEEDED: bool = false;
}

/// The fields that are left to read, and what was wrong with the others.
pub(super) struct LinkBody {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl From<Map<String, Value>> for LinkBody {
    fn from(values: Map<String, Value>) -> Self {
        Self {
            values,
            errors: Vec::new(),
        }
    }
}

impl LinkBody {
    /// What a new link is to be; `null` is the same as nothing, where there can be nothing.
    ///
    /// # Errors
    /// All fields that aren't right.
    pub(super) fn new_link(mut self) -> Result<NewLink, Problem> {
        let files = self.given("files", files);
        if files.is_none() {
            self.require("files", "is required: the ID of each file");
        }
        let new = NewLink {
            title: self.given("title", title),
            expires_at: self.given("expiresAt", |value| parse_timestamp(text(value)?)),
            max_downloads: self.given("maxDownloads", limit),
            password: self.given("password", password),
            audience: self.changed("audience", audience).unwrap_or_default(),
            label: self.given("label", label),
            files: files.unwrap_or_default(),
        };
        self.end(new)
    }

    /// What is to be different about a link.
    ///
    /// # Errors
    /// All fields that aren't right.
    pub(super) fn change(mut self) -> Result<LinkChange, Problem> {
        let change = LinkChange {
            files: self.changed("files", files),
            title: self.cleared("title", title),
            expires_at: self.changed("expiresAt", |value| parse_timestamp(text(value)?)),
            max_downloads: self.cleared("maxDownloads", limit),
            password: self.cleared("password", password),
            audience: self.changed("audience", audience),
            label: self.cleared("label", label),
            renew: self
                .changed("renew", |value| {
                    let is_true = value.as_bool();
                    is_true.ok_or_else(|| Invalid("must be true or false".into()))
                })
                .unwrap_or_default(),
        };
        self.end(change)
    }

    /// The one thing that whoever takes a file may have to know. One that can't be right is taken for none.
    ///
    /// # Errors
    /// What isn't a text, and further fields.
    pub(super) fn password_alone(mut self) -> Result<Option<Password>, Problem> {
        let password = self.given("password", tried_password);
        self.end(password.flatten())
    }

    fn end<T>(mut self, read: T) -> Result<T, Problem> {
        if !self.values.is_empty() {
            self.refuse("(unknown)", "there are fields that aren't known");
        }
        match self.errors.is_empty() {
            true => Ok(read),
            false => Err(Problem::fields(Code::InvalidRequest, self.errors)),
        }
    }

    /// A field; `null` is the same as nothing.
    fn given<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        self.cleared(field, read).flatten()
    }

    /// A field that can't be taken away.
    fn changed<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        let read = self.cleared(field, read)?;
        if read.is_none() {
            self.refuse(field, "can't be taken away");
        }
        read
    }

    /// A field; the inner `None`: it is `null`, which takes it away.
    fn cleared<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        let value = self.values.remove(field)?;
        if value.is_null() {
            return Some(None);
        }
        match read(&value) {
            Ok(read) => Some(Some(read)),
            Err(Invalid(message)) => {
                self.refuse(field, message);
                None
            }
        }
    }

    fn refuse(&mut self, field: &'static str, message: impl Into<String>) {
        let message = message.into();
        self.errors.push(FieldError { field, message });
    }

    /// Refuses a field that is missing, unless something was wrong with it already.
    fn require(&mut self, field: &'static str, message: &str) {
        if !self.errors.iter().any(|error| error.field == field) {
            self.refuse(field, message);
        }
    }
}

fn text(value: &Value) -> Result<&str, Invalid> {
    value
        .as_str()
        .ok_or_else(|| Invalid("must be a string".into()))
}

fn files(value: &Value) -> Result<Vec<FileId>, Invalid> {
    let ids = value.as_array().map(Vec::as_slice);
    let ids = ids.ok_or_else(|| Invalid("must be a list of strings".into()))?;
    let ids: Result<Vec<FileId>, Invalid> = ids
        .iter()
        .map(|value| FileId::parse(text(value)?))
        .collect();
    linked_files(ids?)
}

fn title(value: &Value) -> Result<LinkText, Invalid> {
    LinkText::parse(text(value)?, MAX_TITLE_CHARACTERS)
}

fn label(value: &Value) -> Result<LinkText, Invalid> {
    LinkText::parse(text(value)?, MAX_LABEL_CHARACTERS)
}

fn limit(value: &Value) -> Result<u32, Invalid> {
    // Also where it isn't a whole number.
    max_downloads(value.as_u64().unwrap_or_default())
}

/// A password that somebody tries. One that can't be right is none.
pub(in super::super) fn tried_password(value: &Value) -> Result<Option<Password>, Invalid> {
    let text = text(value)?;
    match text.chars().nth(MAX_TRIED_CHARACTERS) {
        None => Ok(Password::parse(text).ok()),
        Some(_) => Err(Invalid(format!(
            "must have at most {MAX_TRIED_CHARACTERS} characters"
        ))),
    }
}

fn password(value: &Value) -> Result<Password, Invalid> {
    Password::parse(text(value)?)
}

fn audience(value: &Value) -> Result<Audience, Invalid> {
    Audience::parse(text(value)?)
}
