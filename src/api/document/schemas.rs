//! What the contract says of bodies that the generator has no words for: formats, bounds and examples.
//!
//! Invariant: each schema is described here once, by its name in the document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::merged;
use crate::access::Scope;
use crate::access::api_token::MAX_LABEL_CHARACTERS;
use crate::api::examples;
use crate::api::links::MAX_TRIED_CHARACTERS;
use crate::api::problem::Code;
use crate::boxes::MAX_TITLE_CHARACTERS as MAX_BOX_TITLE_CHARACTERS;
use crate::capability_token::RENEWABLE_ID_CHARACTERS;
use crate::domain::{
    Audience, CONTENT_TYPE_PATTERN, MAX_CONTENT_LENGTH, MAX_CONTENT_TYPE_BYTES,
    MAX_FILE_NAME_CHARS, MAX_METADATA_KEYS, MAX_SUBMITTER_CHARACTERS,
};
use crate::links::{
    MAX_DOWNLOADS, MAX_LABEL_CHARACTERS as MAX_LINK_LABEL_CHARACTERS, MAX_LINK_FILES,
    MAX_PASSWORD_CHARACTERS, MAX_TITLE_CHARACTERS,
};

/// The last digit has two bits that are zero.
pub(super) const USER_ID_PATTERN: &str = "^usr_[a-z2-7]{25}[aeimquy4]$";

const BOX_ID_PATTERN: &str = "^[0-9a-f]{28}$";

const FILE_ENDING_PATTERN: &str = r"^\.?[A-Za-z0-9]{1,16}$";

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

/// What is true of the properties of a link.
fn link_properties() -> Value {
    let time = json!({"format": "date-time"});
    json!({
        "id": {"pattern": format!("^[0-9a-f]{{{RENEWABLE_ID_CHARACTERS}}}$")},
        "url": {"format": "uri"},
        "title": {"nullable": true},
        "label": {"nullable": true},
        "files": {"items": {"format": "uuid"}},
        "maxDownloads": {"nullable": true},
        "audience": {"enum": Audience::ALL.map(Audience::as_str)},
        "createdAt": time,
        "expiresAt": time,
    })
}

/// What is true of what somebody wants of a link. `null` is nothing, or takes away what there was.
fn wanted_link_properties() -> Value {
    json!({
        "files": {"minItems": 1, "maxItems": MAX_LINK_FILES, "uniqueItems": true, "items": {"format": "uuid"}},
        "title": {"nullable": true, "minLength": 1, "maxLength": MAX_TITLE_CHARACTERS},
        "label": {"nullable": true, "minLength": 1, "maxLength": MAX_LINK_LABEL_CHARACTERS},
        "expiresAt": {"nullable": true, "format": "date-time"},
        "maxDownloads": {"nullable": true, "minimum": 1, "maximum": MAX_DOWNLOADS},
        "password": {"nullable": true, "minLength": 1, "maxLength": MAX_PASSWORD_CHARACTERS},
        "audience": {"nullable": false, "enum": Audience::ALL.map(Audience::as_str)},
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
        "createdAt": time,
        "uploadedAt": merged(&time, &json!({"nullable": true})),
        "deleteAfter": merged(&time, &json!({"nullable": true})),
        "reason": {"example": examples::reason()},
    })
}

/// Formats, bounds and examples that the generator has no words for.
pub(super) fn details() -> BTreeMap<&'static str, Value> {
    let nullable = ["owner", "sha256", "uploadedAt", "deleteAfter"];
    let upload = examples::upload();
    BTreeMap::from([
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
            "Box",
            json!({
                "properties": {
                    "id": {"pattern": BOX_ID_PATTERN},
                    "url": {"format": "uri"},
                    "opensAt": {"nullable": true, "format": "date-time"},
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                    "maxFileBytes": {"nullable": true},
                    "submitter": {"enum": ["named", "signed_in"]},
                    "keep": {"enum": ["latest", "all"]},
                    "createdAt": {"format": "date-time"},
                },
                "required": ["opensAt", "dueAt", "closesAt", "maxFileBytes"],
                "example": examples::file_box(),
            }),
        ),
        (
            "BoxOverride",
            json!({
                "properties": {
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                },
                "required": ["dueAt", "closesAt"],
            }),
        ),
        (
            "BoxPage",
            json!({
                "properties": {"nextCursor": {"nullable": true}},
                "required": ["nextCursor"],
                "example": {"boxes": [examples::file_box()], "nextCursor": null},
            }),
        ),
        (
            "BoxFile",
            json!({
                "properties": {
                    "id": {"format": "uuid"},
                    "sha256": {"pattern": "^[0-9a-f]{64}$", "nullable": true},
                    "submitterId": {"nullable": true, "pattern": USER_ID_PATTERN},
                    "createdAt": {"format": "date-time"},
                    "uploadedAt": {"nullable": true, "format": "date-time"},
                },
                "required": ["sha256", "submitterId", "uploadedAt"],
            }),
        ),
        (
            "BoxFiles",
            json!({
                "properties": {"nextCursor": {"nullable": true}},
                "required": ["nextCursor"],
            }),
        ),
        (
            "Drop",
            json!({
                "properties": {
                    "now": {"format": "date-time"},
                    "opensAt": {"nullable": true, "format": "date-time"},
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                    "lastClosesAt": {"nullable": true, "format": "date-time"},
                    "submitter": {"enum": ["named", "signed_in"]},
                    "keep": {"enum": ["latest", "all"]},
                },
                "required": ["opensAt", "dueAt", "closesAt", "lastClosesAt"],
            }),
        ),
        (
            "HandedInFile",
            json!({
                "properties": merged(&file_properties(), &json!({
                    "submissionToken": {"pattern": "^[A-Za-z0-9_-]{43}$"},
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                })),
                "required": [nullable[0], nullable[1], nullable[2], nullable[3], "dueAt", "closesAt"],
            }),
        ),
        (
            "NewBox",
            json!({
                "properties": {
                    "title": {"maxLength": MAX_BOX_TITLE_CHARACTERS},
                    "opensAt": {"nullable": true, "format": "date-time"},
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                    "maxFiles": {"nullable": true},
                    "maxFileBytes": {"nullable": true},
                    "types": {"nullable": true, "items": {"pattern": FILE_ENDING_PATTERN}},
                    "submitter": {"nullable": true, "pattern": "^(named|signed_in)$"},
                    "password": {"nullable": true, "minLength": 1, "maxLength": MAX_PASSWORD_CHARACTERS},
                    "keep": {"nullable": true, "pattern": "^(latest|all)$"},
                    "overrides": {"nullable": true},
                },
                "additionalProperties": false,
                "example": examples::new_box(),
            }),
        ),
        (
            "NewBoxOverride",
            json!({
                "properties": {
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                },
                "additionalProperties": false,
            }),
        ),
        (
            "BoxChange",
            json!({
                "properties": {
                    "title": {"maxLength": MAX_BOX_TITLE_CHARACTERS},
                    "opensAt": {"nullable": true, "format": "date-time"},
                    "dueAt": {"nullable": true, "format": "date-time"},
                    "closesAt": {"nullable": true, "format": "date-time"},
                    "maxFiles": {"nullable": true},
                    "maxFileBytes": {"nullable": true},
                    "types": {"items": {"pattern": FILE_ENDING_PATTERN}},
                    "submitter": {"pattern": "^(named|signed_in)$"},
                    "password": {"nullable": true, "minLength": 1, "maxLength": MAX_PASSWORD_CHARACTERS},
                    "keep": {"pattern": "^(latest|all)$"},
                },
                "additionalProperties": false,
                "example": {"closesAt": "2026-02-08T23:00:00Z"},
            }),
        ),
        (
            "NewHandIn",
            json!({
                "properties": {
                    "filename": {"pattern": r"[^.]|\.\.\.", "maxLength": MAX_FILE_NAME_CHARS},
                    "contentType": {
                        "nullable": true,
                        "pattern": format!("^$|{CONTENT_TYPE_PATTERN}"),
                        "maxLength": MAX_CONTENT_TYPE_BYTES,
                    },
                    "sha256": {"nullable": true},
                    "submitter": {
                        "nullable": true,
                        "minLength": 1,
                        "maxLength": MAX_SUBMITTER_CHARACTERS,
                    },
                    "password": {"nullable": true, "maxLength": MAX_TRIED_CHARACTERS},
                },
                "additionalProperties": false,
                "example": {"filename": "sheet 3.pdf", "size": 5, "submitter": "Ada Lovelace"},
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
            "Link",
            json!({
                "properties": link_properties(),
                "required": ["title", "label", "maxDownloads"],
                "example": examples::link(),
            }),
        ),
        (
            "LinkPage",
            json!({
                "properties": {"nextCursor": {"nullable": true}},
                "required": ["nextCursor"],
                "example": {"links": [examples::link()], "nextCursor": null},
            }),
        ),
        ("Links", json!({"example": {"links": [examples::link()]}})),
        (
            "NewLink",
            json!({
                "properties": wanted_link_properties(),
                "additionalProperties": false,
                "example": {"files": [examples::link()["files"][0]], "title": "Lecture 1"},
            }),
        ),
        (
            "LinkChange",
            json!({
                "properties": merged(&wanted_link_properties(), &json!({
                    "expiresAt": {"nullable": false},
                    "audience": {"nullable": false},
                })),
                "additionalProperties": false,
                "example": {"maxDownloads": 30},
            }),
        ),
        (
            "SharedDownload",
            json!({
                "properties": {"password": {"nullable": true, "maxLength": MAX_TRIED_CHARACTERS}},
                "additionalProperties": false,
                "example": {},
            }),
        ),
        (
            "SharedFile",
            json!({
                "properties": {
                    "id": {"format": "uuid"},
                    "size": {"minimum": 0, "maximum": MAX_CONTENT_LENGTH},
                    "sha256": {"pattern": "^[0-9a-f]{64}$", "nullable": true},
                    "downloadsLeft": {"nullable": true},
                },
                "required": ["sha256", "downloadsLeft"],
            }),
        ),
        (
            "Shared",
            json!({
                "properties": {
                    "title": {"nullable": true},
                    "expiresAt": {"format": "date-time"},
                    "downloadsLeft": {"nullable": true},
                },
                "required": ["title", "downloadsLeft"],
                "example": examples::shared(),
            }),
        ),
        (
            "Grant",
            json!({
                "properties": {
                    "url": {"format": "uri"},
                    "expiresAt": {"format": "date-time"},
                    "downloadsLeft": {"nullable": true},
                },
                "required": ["downloadsLeft"],
                "example": examples::grant(),
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
    ])
}
