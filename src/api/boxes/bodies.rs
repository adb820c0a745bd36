//! What bodies say of boxes and of what is handed in, read and judged field by field.
//!
//! Invariant: every field that isn't right is named at once, and one that isn't known is refused. A password that is
//! wrong is in no answer.

use poem_openapi::Object;
use serde_json::{Map, Value};

use super::super::create_file_body::CreateFileBody;
use super::super::json_body::BodySchema;
use super::super::links::tried_password;
use super::super::problem::{Code, FieldError, Problem};
use crate::boxes::{
    BoxChange, BoxTimes, BoxTitle, Keep, NewBox, NewHandIn, Override, Password, SubmitterKind,
    max_files,
};
use crate::domain::{AllowedTypes, FileEnding, Invalid, SubmitterName, Timestamp, parse_timestamp};

/// Somebody is to have other times than all others.
#[derive(Object)]
#[oai(
    rename = "NewBoxOverride",
    rename_all = "camelCase",
    deny_unknown_fields
)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct OverrideSchema {
    /// Who: a name as it is typed, in whatever capitals, or the ID of somebody who signs in.
    #[oai(validator(min_length = 1, max_length = 100))]
    submitter: String,
    /// When their files are due; left out, as for everybody.
    due_at: Option<String>,
    /// Until when they are taken; left out, as for everybody.
    closes_at: Option<String>,
}

/// What a box is to be.
#[derive(Object)]
#[oai(rename = "NewBox", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct NewBoxSchema {
    /// What people see above it: a line of 1 to 100 characters.
    #[oai(validator(min_length = 1))]
    title: String,
    /// From when on it takes files, as in `2027-01-31T09:05:00Z`; left out, at once.
    opens_at: Option<String>,
    /// What comes later is late; left out, nothing is. It is taken all the same.
    due_at: Option<String>,
    /// Until when it takes files; left out, until it is ended.
    closes_at: Option<String>,
    /// How many files it may hold; left out, 10000.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000")))]
    max_files: Option<u32>,
    /// How large each may be, in bytes; left out, as large as the service takes.
    #[oai(validator(minimum(value = "1"), maximum(value = "20971520")))]
    max_file_bytes: Option<u64>,
    /// What their names may end with, such as `pdf`; left out or empty, with anything.
    #[oai(validator(max_items = 50))]
    types: Option<Vec<String>>,
    /// Who may hand in: `named`, which is the default, is whoever has the URL, under a name that they type; `signed_in`
    /// is whoever signed in.
    submitter: Option<String>,
    /// What whoever hands in has to know besides: 1 to 128 characters.
    password: Option<String>,
    /// Which of somebody's files count: the `latest` that isn't late, which is the default, or `all`.
    keep: Option<String>,
    /// Whoever is to have times of their own.
    #[oai(validator(max_items = 100))]
    overrides: Option<Vec<OverrideSchema>>,
}

impl BodySchema for NewBoxSchema {
    const DESCRIPTION: &'static str = "What the box is to be";
}

/// What is to be different about a box.
#[derive(Object)]
#[oai(rename = "BoxChange", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct BoxChangeSchema {
    /// What people see above it.
    #[oai(validator(min_length = 1))]
    title: Option<String>,
    /// From when on it takes files; null: from the beginning.
    opens_at: Option<String>,
    /// What comes later is late; null: nothing is.
    due_at: Option<String>,
    /// Until when it takes files; null: until it is ended.
    closes_at: Option<String>,
    /// How many files it may hold; null: 10000. Those that are there stay.
    #[oai(validator(minimum(value = "1"), maximum(value = "10000")))]
    max_files: Option<u32>,
    /// How large each may be, in bytes; null: as large as the service takes.
    #[oai(validator(minimum(value = "1"), maximum(value = "20971520")))]
    max_file_bytes: Option<u64>,
    /// What their names may end with; empty: with anything.
    #[oai(validator(max_items = 50))]
    types: Option<Vec<String>>,
    /// Who may hand in: `named` or `signed_in`.
    submitter: Option<String>,
    /// What whoever hands in has to know besides; null: nothing.
    password: Option<String>,
    /// Which of somebody's files count: `latest` or `all`.
    keep: Option<String>,
    /// Whoever is to have times of their own, instead of those that had.
    #[oai(validator(max_items = 100))]
    overrides: Option<Vec<OverrideSchema>>,
    /// Closes it at once for everybody, by the service's clock and whatever else is said of times: `closesAt` of the box and
    /// of each override is then, unless it is over already, and so is a `dueAt` that would come later. What arrived on
    /// time stays on time.
    close: Option<bool>,
    /// Gives it another URL; the one that it has is over.
    renew: Option<bool>,
}

impl BodySchema for BoxChangeSchema {
    const DESCRIPTION: &'static str = "What is to be different";
}

/// What to say of a file before handing it in.
#[derive(Object)]
#[oai(rename = "NewHandIn", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(super) struct HandInSchema {
    /// The name, as `POST /v1/files` takes it.
    #[oai(validator(min_length = 1))]
    filename: String,
    /// The exact number of bytes that will be sent.
    #[oai(validator(minimum(value = "0"), maximum(value = "20971520")))]
    size: u64,
    /// A media type. Left out or empty, it is guessed from the name.
    content_type: Option<String>,
    /// The SHA-256 of the bytes as 64 hex digits, if it is known. The store then refuses other bytes.
    #[oai(validator(pattern = "^[0-9a-fA-F]{64}$"))]
    sha256: Option<String>,
    /// Who hands in: needed by a box that is for `named` submitters, and refused by one for people who signed in.
    submitter: Option<String>,
    /// The box's password, if it asks for one.
    password: Option<String>,
}

impl BodySchema for HandInSchema {
    const DESCRIPTION: &'static str = "What is going to be handed in";
}

/// Reads what somebody is going to hand in.
///
/// # Errors
/// As a body that creates a file.
pub(super) fn new_hand_in(
    mut fields: Map<String, Value>,
    max_upload_bytes: u64,
) -> Result<NewHandIn, Problem> {
    let mut body = BoxBody::from(Map::new());
    for field in ["submitter", "password"] {
        if let Some(value) = fields.remove(field).filter(|it| !it.is_null()) {
            body.values.insert(field.into(), value);
        }
    }
    let submitter = body.given("submitter", |value| SubmitterName::given(text(value)?));
    let password = body.given("password", tried_password).flatten();
    for unknown in ["uploadMethod", "deleteAfter", "metadata"] {
        if fields.remove(unknown).is_some() {
            body.refuse(
                "(unknown)",
                "a hand-in has no fields besides filename, size, contentType, sha256, submitter and password",
            );
        }
    }
    let new = CreateFileBody::from(fields).judge(max_upload_bytes);
    match new {
        Ok(new) if body.errors.is_empty() => Ok(NewHandIn {
            declared: new.declared,
            submitter,
            password,
        }),
        Err(problem) if body.errors.is_empty() => Err(problem),
        Ok(_) => Err(Problem::fields(Code::InvalidRequest, body.errors)),
        Err(problem) => {
            let mut errors = problem.errors;
            errors.extend(body.errors);
            Err(Problem::fields(Code::InvalidRequest, errors))
        }
    }
}

/// The fields that are left to read, and what was wrong with the others.
pub(super) struct BoxBody {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl From<Map<String, Value>> for BoxBody {
    fn from(values: Map<String, Value>) -> Self {
        Self {
            values,
            errors: Vec::new(),
        }
    }
}

impl BoxBody {
    /// What a box is to be. `null` is the same as left out.
    ///
    /// # Errors
    /// All fields that aren't right.
    pub(super) fn new_box(mut self) -> Result<NewBox, Problem> {
        self.values.retain(|_, value| !value.is_null());
        let title = self.given("title", |value| BoxTitle::given(text(value)?));
        let times = BoxTimes {
            opens_at: self.given("opensAt", time),
            due_at: self.given("dueAt", time),
            closes_at: self.given("closesAt", time),
        };
        let max_files = self.given("maxFiles", count);
        let max_file_bytes = self.given("maxFileBytes", bytes);
        let types = self.given("types", types);
        let submitter = self.given("submitter", |value| SubmitterKind::parse(text(value)?));
        let password = self.given("password", |value| Password::parse(text(value)?));
        let keep = self.given("keep", |value| Keep::parse(text(value)?));
        let overrides = self.given("overrides", overrides);
        if title.is_none() && !self.errors.iter().any(|error| error.field == "title") {
            self.refuse("title", "is required: what people see above the box");
        }
        self.refuse_unknown();
        match title {
            Some(title) if self.errors.is_empty() => Ok(NewBox {
                title,
                times,
                max_files,
                max_file_bytes,
                types: types.unwrap_or_default(),
                submitter: submitter.unwrap_or_default(),
                password,
                keep: keep.unwrap_or_default(),
                overrides: overrides.unwrap_or_default(),
            }),
            _ => Err(Problem::fields(Code::InvalidRequest, self.errors)),
        }
    }

    /// What is to be different about a box.
    ///
    /// # Errors
    /// All fields that aren't right.
    pub(super) fn change(mut self) -> Result<BoxChange, Problem> {
        let change = BoxChange {
            title: self.given("title", |value| BoxTitle::given(text(value)?)),
            opens_at: self.cleared("opensAt", time),
            due_at: self.cleared("dueAt", time),
            closes_at: self.cleared("closesAt", time),
            max_files: self.cleared("maxFiles", count),
            max_file_bytes: self.cleared("maxFileBytes", bytes),
            types: self.given("types", types),
            submitter: self.given("submitter", |value| SubmitterKind::parse(text(value)?)),
            password: self.cleared("password", |value| Password::parse(text(value)?)),
            keep: self.given("keep", |value| Keep::parse(text(value)?)),
            overrides: self.given("overrides", overrides),
            only_if: None,
            close: self.given("close", yes_or_no).unwrap_or_default(),
            renew: self.given("renew", yes_or_no).unwrap_or_default(),
        };
        self.refuse_unknown();
        match self.errors.is_empty() {
            true => Ok(change),
            false => Err(Problem::fields(Code::InvalidRequest, self.errors)),
        }
    }

    fn given<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Option<T> {
        let read = read(&self.values.remove(field)?);
        match read {
            Ok(value) => Some(value),
            Err(Invalid(message)) => {
                self.refuse(field, message);
                None
            }
        }
    }

    /// A field; the inner `None`: it is `null`, which takes it away.
    fn cleared<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Invalid>,
    ) -> Option<Option<T>> {
        match self.values.get(field) {
            Some(Value::Null) => {
                self.values.remove(field);
                Some(None)
            }
            _ => self.given(field, read).map(Some),
        }
    }

    fn refuse(&mut self, field: &'static str, message: impl Into<String>) {
        let message = message.into();
        self.errors.push(FieldError { field, message });
    }

    fn refuse_unknown(&mut self) {
        if !self.values.is_empty() {
            self.refuse(
                "(unknown)",
                "there are fields that a box doesn't have: check their spelling",
            );
        }
    }
}

fn text(value: &Value) -> Result<&str, Invalid> {
    value
        .as_str()
        .ok_or_else(|| Invalid("must be a string".into()))
}

fn yes_or_no(value: &Value) -> Result<bool, Invalid> {
    let given = value.as_bool();
    given.ok_or_else(|| Invalid("must be true or false".into()))
}

fn time(value: &Value) -> Result<Timestamp, Invalid> {
    parse_timestamp(text(value)?)
}

fn count(value: &Value) -> Result<u32, Invalid> {
    // Also where it isn't a whole number.
    max_files(value.as_u64().unwrap_or_default())
}

fn bytes(value: &Value) -> Result<u64, Invalid> {
    // One that takes empty files alone is a mistake.
    let given = value.as_u64().filter(|bytes| *bytes > 0);
    given.ok_or_else(|| Invalid("must be a whole number of bytes, at least 1".into()))
}

fn list(value: &Value) -> Result<&[Value], Invalid> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| Invalid("must be a list".into()))
}

fn types(value: &Value) -> Result<AllowedTypes, Invalid> {
    let endings = list(value)?.iter().map(|it| FileEnding::parse(text(it)?));
    AllowedTypes::new(endings.collect::<Result<_, _>>()?)
}

fn overrides(value: &Value) -> Result<Vec<Override>, Invalid> {
    list(value)?.iter().map(one_override).collect()
}

fn one_override(value: &Value) -> Result<Override, Invalid> {
    let fields = value.as_object();
    let fields = fields.ok_or_else(|| Invalid("must be a list of objects".into()))?;
    let known = ["submitter", "dueAt", "closesAt"];
    if fields.keys().any(|field| !known.contains(&field.as_str())) {
        return Err(Invalid(
            "must have no fields besides submitter, dueAt and closesAt".into(),
        ));
    }
    let at = |field: &str| {
        let value = fields.get(field).filter(|value| !value.is_null());
        value.map(time).transpose()
    };
    let submitter = fields.get("submitter").unwrap_or(&Value::Null);
    Ok(Override {
        submitter: SubmitterName::given(text(submitter)?)?,
        due_at: at("dueAt")?,
        closes_at: at("closesAt")?,
    })
}
