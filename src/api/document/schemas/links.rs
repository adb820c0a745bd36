//! What the contract says of links.

use serde_json::{Value, json};

use crate::api::document::merged;
use crate::api::examples;
use crate::api::links::MAX_TRIED_CHARACTERS;
use crate::capability_token::RENEWABLE_ID_CHARACTERS;
use crate::domain::{Audience, MAX_CONTENT_LENGTH};
use crate::links::{
    MAX_DOWNLOADS, MAX_LABEL_CHARACTERS, MAX_LINK_FILES, MAX_PASSWORD_CHARACTERS,
    MAX_TITLE_CHARACTERS,
};

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
        "label": {"nullable": true, "minLength": 1, "maxLength": MAX_LABEL_CHARACTERS},
        "expiresAt": {"nullable": true, "format": "date-time"},
        "maxDownloads": {"nullable": true, "minimum": 1, "maximum": MAX_DOWNLOADS},
        "password": {"nullable": true, "minLength": 1, "maxLength": MAX_PASSWORD_CHARACTERS},
        "audience": {"nullable": false, "enum": Audience::ALL.map(Audience::as_str)},
    })
}

pub(super) fn details() -> Vec<(&'static str, Value)> {
    vec![
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
                    "sha256": {"pattern": "^[0-9a-f]{64}$"},
                    "downloadsLeft": {"nullable": true},
                },
                "required": ["downloadsLeft"],
                "example": examples::grant(),
            }),
        ),
    ]
}
