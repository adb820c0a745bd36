//! What the contract says of bodies that the generator has no words for: formats, bounds and examples.
//!
//! Invariant: each schema is described here once, by its name in the document.

mod boxes;
mod links;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::merged;
use crate::access::Scope;
use crate::access::api_token::MAX_LABEL_CHARACTERS;
use crate::api::examples;
use crate::api::problem::Code;
use crate::domain::{
    CONTENT_TYPE_PATTERN, MAX_CONTENT_LENGTH, MAX_CONTENT_TYPE_BYTES, MAX_FILE_NAME_CHARS,
    MAX_HOLD_REASON_CHARACTERS, MAX_METADATA_KEYS, RejectionCode,
};

/// The last digit has two bits that are zero.
pub(super) const USER_ID_PATTERN: &str = "^usr_[a-z2-7]{25}[aeimquy4]$";

const DEVICE_CODE_PATTERN: &str = "^fsd_[BCDFGHJKLMNPQRSTVWXZ]{8}[0-9a-f]{64}$";

/// People type it in many ways.
fn typed_code() -> Value {
    json!({"userCode": {"minLength": 8, "maxLength": 64}})
}

/// What is true of the properties of a token, wherever they are.
fn token_properties() -> Value {
    let time = json!({"format": "date-time"});
    json!({
        "createdAt": time,
        "expiresAt": time,
        "lastUsedAt": merged(&time, &json!({"nullable": true})),
    })
}

/// What is true of the properties of a file, wherever they are.
fn file_properties() -> Value {
    let time = json!({"format": "date-time"});
    json!({
        "id": {"format": "uuid"},
        "owner": {"nullable": true, "pattern": USER_ID_PATTERN},
        "size": {"minimum": 0, "maximum": MAX_CONTENT_LENGTH},
        "sha256": {"pattern": "^[0-9a-f]{64}$", "nullable": true},
        "stage": {"example": "scanning"},
        "createdAt": time,
        "uploadedAt": merged(&time, &json!({"nullable": true})),
        "deleteAfter": merged(&time, &json!({"nullable": true})),
        "keepUntil": merged(&time, &json!({"nullable": true})),
        "detectedType": {"nullable": true},
        "reason": {"example": examples::reason()},
        "reasonCode": {"example": RejectionCode::SizeMismatch.as_str()},
    })
}

/// What is there of every file, and may be null.
const NULLABLE_OF_FILE: [&str; 6] = [
    "owner",
    "sha256",
    "uploadedAt",
    "deleteAfter",
    "keepUntil",
    "detectedType",
];

/// Formats, bounds and examples that the generator has no words for.
pub(super) fn details() -> BTreeMap<&'static str, Value> {
    let nullable = NULLABLE_OF_FILE;
    let upload = examples::upload();
    let mut details = BTreeMap::from([
        (
            "File",
            json!({
                "properties": file_properties(),
                "required": nullable,
                "example": examples::available(),
            }),
        ),
        (
            "CreatedFile",
            json!({
                "properties": file_properties(),
                "required": nullable,
                "example": merged(&examples::pending(), &json!({"upload": upload})),
            }),
        ),
        (
            "NewFile",
            json!({
                "properties": {
                    // Neither "." nor "..".
                    "filename": {"pattern": r"[^.]|\.\.\.", "maxLength": MAX_FILE_NAME_CHARS},
                    "contentType": {
                        "nullable": true,
                        "pattern": format!("^$|{CONTENT_TYPE_PATTERN}"),
                        "maxLength": MAX_CONTENT_TYPE_BYTES,
                    },
                    "sha256": {"nullable": true},
                    // Without a "default": generators of clients make a field that has one required.
                    "uploadMethod": {"nullable": true, "pattern": "^(PUT|POST)$"},
                    "deleteAfter": {"nullable": true, "format": "date-time"},
                    "metadata": {"nullable": true, "maxProperties": MAX_METADATA_KEYS},
                },
                "additionalProperties": false,
                "example": examples::new_file(),
            }),
        ),
        (
            "Upload",
            json!({
                "properties": {
                    "method": {"enum": ["PUT", "POST"]},
                    "url": {"format": "uri"},
                    "expiresAt": {"format": "date-time"},
                },
                "example": upload,
            }),
        ),
        ("RenewedUpload", json!({"example": {"upload": upload}})),
        (
            "FilePage",
            json!({
                "properties": {"nextCursor": {"nullable": true}},
                "required": ["nextCursor"],
                "example": examples::page(),
            }),
        ),
        (
            "EventPage",
            json!({
                "properties": {"nextCursor": {"nullable": true}},
                "required": ["nextCursor"],
                "example": examples::events(),
            }),
        ),
        (
            "FileEvent",
            json!({
                "properties": {
                    "at": {"format": "date-time"},
                    "lastAt": {"format": "date-time"},
                    "count": {"minimum": 1},
                    "caller": {"nullable": true},
                    "token": {"nullable": true},
                    "requestId": {"nullable": true},
                },
                "required": ["caller", "token", "requestId"],
                "example": examples::events()["events"][0],
            }),
        ),
        (
            "ReceiptKey",
            json!({
                "properties": {
                    "kty": {"enum": ["OKP"]},
                    "crv": {"enum": ["Ed25519"]},
                    "x": {"pattern": "^[A-Za-z0-9_-]{43}$"},
                    "kid": {"pattern": "^[A-Za-z0-9_-]{43}$"},
                    "use": {"enum": ["sig"]},
                    "alg": {"enum": ["Ed25519"]},
                },
                "example": examples::receipt_key(),
            }),
        ),
        (
            "ReceiptKeys",
            json!({"example": {"keys": [examples::receipt_key()]}}),
        ),
        (
            "Session",
            json!({
                "properties": {
                    "principal": {"nullable": true},
                    "expiresAt": {"nullable": true, "format": "date-time"},
                    "quota": {"nullable": true},
                    "signIn": {"nullable": true},
                    "shareBase": {"nullable": true, "format": "uri"},
                },
                "required": ["principal", "expiresAt", "quota", "signIn", "shareBase"],
                "example": {
                    "principal": examples::operator(),
                    "expiresAt": null,
                    "quota": null,
                    "signIn": null,
                    "shareBase": null,
                    "openToOthers": false,
                },
            }),
        ),
        (
            "Quota",
            json!({
                "properties": {"bytes": {"nullable": true}, "files": {"nullable": true}},
                "required": ["bytes", "files"],
            }),
        ),
        (
            "Principal",
            json!({
                "properties": {
                    "id": {"nullable": true},
                    "name": {"nullable": true},
                    "role": {"nullable": true},
                },
                "required": ["id", "name", "role"],
                "example": examples::operator(),
            }),
        ),
        (
            "SignedOut",
            json!({
                "properties": {"signOutAt": {"nullable": true, "format": "uri"}},
                "required": ["signOutAt"],
            }),
        ),
        ("SignIn", json!({"additionalProperties": false})),
        (
            "NewHold",
            json!({
                "additionalProperties": false,
                "properties": {"reason": {"minLength": 1, "maxLength": MAX_HOLD_REASON_CHARACTERS}},
            }),
        ),
        (
            "NewKeepUntil",
            json!({
                "additionalProperties": false,
                "properties": {"keepUntil": {"format": "date-time"}},
            }),
        ),
        (
            "Token",
            json!({"properties": token_properties(), "required": ["lastUsedAt"], "example": examples::token()}),
        ),
        (
            "NewToken",
            json!({
                "properties": token_properties(),
                "required": ["lastUsedAt"],
                "example": merged(&examples::token(), &json!({"token": "fst_…"})),
            }),
        ),
        (
            "Tokens",
            json!({"example": {"tokens": [examples::token()]}}),
        ),
        (
            "TokenRequest",
            json!({
                "properties": {
                    "label": {"minLength": 1, "maxLength": MAX_LABEL_CHARACTERS},
                    "scopes": {"minItems": 1, "items": {"enum": Scope::ALL.map(Scope::as_str)}},
                    "expiresAt": {"nullable": true, "format": "date-time"},
                },
                "additionalProperties": false,
                "example": {"label": "backup of the lab", "scopes": ["read"]},
            }),
        ),
        (
            "NewPairing",
            json!({
                "properties": {
                    "deviceCode": {"pattern": DEVICE_CODE_PATTERN},
                    "verifyAt": {"format": "uri"},
                    "expiresAt": {"format": "date-time"},
                },
                "example": examples::new_pairing(),
            }),
        ),
        (
            "WaitingPairing",
            json!({
                "properties": {
                    "from": {"nullable": true},
                    "beganAt": {"format": "date-time"},
                    "expiresAt": {"format": "date-time"},
                },
                "required": ["from"],
                "example": examples::waiting_pairing(),
            }),
        ),
        (
            "PairingRequest",
            json!({
                "properties": {"client": {"minLength": 1, "maxLength": MAX_LABEL_CHARACTERS}},
                "additionalProperties": false,
                "example": {"client": "fshare on laptop"},
            }),
        ),
        (
            "Redemption",
            json!({
                "additionalProperties": false,
                "example": {"deviceCode": examples::new_pairing()["deviceCode"]},
            }),
        ),
        (
            "TypedCode",
            json!({
                "properties": typed_code(),
                "additionalProperties": false,
                "example": {"userCode": "BCDF-GHJK"},
            }),
        ),
        (
            "Approval",
            json!({
                "properties": merged(&typed_code(), &json!({
                    "scopes": {
                        "nullable": true,
                        "minItems": 1,
                        "items": {"enum": Scope::ALL.map(Scope::as_str)},
                    },
                })),
                "additionalProperties": false,
                "example": {"userCode": "BCDF-GHJK"},
            }),
        ),
        (
            "Problem",
            json!({
                "properties": {
                    "type": {"format": "uri-reference"},
                    "status": {"minimum": 400, "maximum": 599},
                    "code": {"enum": Code::ALL.map(Code::as_str).to_vec()},
                },
                "example": examples::problem(Code::FileNotFound, "describe_file"),
            }),
        ),
    ]);
    details.extend(boxes::details());
    details.extend(links::details());
    details
}
