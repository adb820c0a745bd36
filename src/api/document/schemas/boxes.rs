//! What the contract says of boxes, and of what is handed in to them.

use serde_json::{Value, json};

use super::{NULLABLE_OF_FILE, USER_ID_PATTERN, file_properties};
use crate::api::document::merged;
use crate::api::examples;
use crate::api::links::MAX_TRIED_CHARACTERS;
use crate::boxes::MAX_TITLE_CHARACTERS;
use crate::domain::{
    CONTENT_TYPE_PATTERN, MAX_CONTENT_TYPE_BYTES, MAX_FILE_NAME_CHARS, MAX_SUBMITTER_CHARACTERS,
};
use crate::links::MAX_PASSWORD_CHARACTERS;

const BOX_ID_PATTERN: &str = "^[0-9a-f]{28}$";

const FILE_ENDING_PATTERN: &str = r"^\.?[A-Za-z0-9]{1,16}$";

pub(super) fn details() -> Vec<(&'static str, Value)> {
    let required = [&NULLABLE_OF_FILE[..], &["dueAt", "closesAt"]].concat();
    vec![
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
                "required": required,
            }),
        ),
        (
            "NewBox",
            json!({
                "properties": {
                    "title": {"maxLength": MAX_TITLE_CHARACTERS},
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
                    "title": {"maxLength": MAX_TITLE_CHARACTERS},
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
    ]
}
