//! What the calls under `/v1/pairings` take and answer.
//!
//! Invariant: everything that isn't right about a body is named at once.

use poem_openapi::Object;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::json_body::BodySchema;
use crate::api::problem::{Code, FieldError, Problem};
use crate::domain::Invalid;

/// A pairing that began.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "NewPairing", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireNewPairing {
    /// What the program redeems; a secret.
    pub device_code: String,
    /// What the program shows, and a person types.
    pub user_code: String,
    /// The page where people type it.
    pub verify_at: String,
    /// Until when somebody may, in UTC.
    pub expires_at: String,
    /// How many seconds the program waits before it asks again.
    pub interval: u64,
}

/// A pairing that nobody has approved yet.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "PendingPairing", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WirePending {
    /// How many seconds the program waits before it asks again.
    pub interval: u64,
}

/// What waits to be let in, as it says of itself.
#[derive(Debug, Clone, Object, Serialize)]
#[oai(rename = "WaitingPairing", rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct WireWaiting {
    /// What the program calls itself. Any program can call itself so.
    pub client: String,
    /// The IP address that it began from; null if that isn't known, such as behind a proxy.
    pub from: Option<String>,
    /// When it began, in UTC.
    pub began_at: String,
    /// Until when it can be let in, in UTC.
    pub expires_at: String,
}

/// What wants to be let in.
#[derive(Object)]
#[oai(
    rename = "PairingRequest",
    rename_all = "camelCase",
    deny_unknown_fields
)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the field is read by hand"
)]
pub(in crate::api) struct BeginSchema {
    /// What the program is and where it runs, for the person who lets it in: 1 to 100 characters.
    client: String,
}

impl BodySchema for BeginSchema {
    const DESCRIPTION: &'static str = "What wants to be let in";
}

/// What the program keeps.
#[derive(Object)]
#[oai(rename = "Redemption", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the field is read by hand"
)]
pub(in crate::api) struct RedeemSchema {
    /// From the answer to `POST /v1/pairings`.
    device_code: String,
}

impl BodySchema for RedeemSchema {
    const DESCRIPTION: &'static str = "What the program keeps";
}

/// What a person typed.
#[derive(Object)]
#[oai(rename = "TypedCode", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the field is read by hand"
)]
pub(in crate::api) struct LookSchema {
    /// The eight letters that the program shows, in capitals or not, with dashes and blanks wherever.
    user_code: String,
}

impl BodySchema for LookSchema {
    const DESCRIPTION: &'static str = "What a person typed";
}

/// Which program a person lets in.
#[derive(Object)]
#[oai(rename = "Approval", rename_all = "camelCase", deny_unknown_fields)]
#[allow(
    dead_code,
    reason = "describes the body in the contract; the fields are read by hand"
)]
pub(in crate::api) struct ApproveSchema {
    /// The eight letters that the program shows, in capitals or not, with dashes and blanks wherever.
    user_code: String,
    /// What the program may do: one or more of `read`, `write`, `delete` and, for administrators, `admin`. The first
    /// three, if they aren't given.
    scopes: Option<Vec<String>>,
}

impl BodySchema for ApproveSchema {
    const DESCRIPTION: &'static str = "Which program you let in";
}

/// A body's fields while they are read; what isn't right is named all at once.
pub(super) struct Fields {
    pub left: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields {
    pub(super) fn of(left: Map<String, Value>) -> Self {
        let errors = Vec::new();
        Self { left, errors }
    }

    pub(super) fn refuse(&mut self, field: &'static str, invalid: Invalid) {
        let message = invalid.0;
        self.errors.push(FieldError { field, message });
    }

    /// A text that has to be there; empty if it isn't right.
    pub(super) fn text(&mut self, field: &'static str, what: &str) -> String {
        match self.left.remove(field) {
            Some(Value::String(text)) => return text,
            // As everywhere: null is the same as left out.
            None | Some(Value::Null) => {
                self.refuse(field, Invalid(format!("is required: {what}")));
            }
            Some(_) => self.refuse(field, Invalid("must be a string".into())),
        }
        String::new()
    }

    /// What was read, if nothing is wrong or left.
    pub(super) fn end<T>(mut self, read: T, known: &str) -> Result<T, Problem> {
        if !self.left.is_empty() {
            let more = format!("there are fields besides {known}");
            self.refuse("(unknown)", Invalid(more));
        }
        match self.errors.is_empty() {
            true => Ok(read),
            false => Err(Problem::fields(Code::InvalidRequest, self.errors)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_the_same_as_left_out() {
        let problem = |body: Value| {
            let mut fields = Fields::of(body.as_object().unwrap().clone());
            fields.text("client", "what it is");
            fields.end((), "client").unwrap_err().detail
        };
        let missing = problem(json!({}));
        assert!(missing.contains("is required"), "{missing}");
        assert_eq!(problem(json!({"client": null})), missing);
        assert_ne!(problem(json!({"client": 1})), missing);
    }
}
