//! What the contract shows as examples: one small file, from before its upload to its page in the
//! list, and a problem for each code.
//!
//! Invariant: an example is what the program would answer. Problems are made by the code that makes
//! them in earnest, and the times are those in the ID.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::create_file_body::CreateFileBody;
use super::problem::{Code, Problem};
use super::wire::{ListFilter, read_cursor, write_cursor};
use crate::domain::{
    ContentLength, FileId, MAX_CONTENT_LENGTH, RejectionReason, format_timestamp, from_millis,
};
use crate::operations::OperationError;

/// 2026-01-31, five past nine in UTC.
const CREATED_AT_MILLIS: i64 = 1_769_850_300_123;
const UPLOADED_AFTER_MILLIS: i64 = 1_405;
const UPLOAD_URL_MILLIS: i64 = 15 * 60 * 1000;
/// A UUIDv7 of that time.
const ID: Uuid = Uuid::from_u128(((CREATED_AT_MILLIS as u128) << 80) | 0x7f4d_9a7e_0d8a_4c1b_2e3f);
/// Of `hello`.
const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn time(millis_later: i64) -> String {
    from_millis(CREATED_AT_MILLIS + millis_later).map_or_else(String::new, format_timestamp)
}

/// The body to create the file with: works as it is.
pub(super) fn new_file() -> Value {
    json!({"filename": "hello.txt", "size": 5, "contentType": "text/plain"})
}

pub(super) fn pending() -> Value {
    json!({
        "id": ID.to_string(),
        "owner": null,
        "filename": "hello.txt",
        "size": 5,
        "contentType": "text/plain",
        "sha256": null,
        "status": "pending",
        "createdAt": time(0),
        "uploadedAt": null,
    })
}

pub(super) fn available() -> Value {
    let mut file = pending();
    file["sha256"] = SHA256.into();
    file["status"] = "available".into();
    file["uploadedAt"] = time(UPLOADED_AFTER_MILLIS).into();
    file
}

pub(super) fn upload() -> Value {
    json!({
        "method": "PUT",
        "url": format!(
            "https://file-share-bucket.s3.eu-central-1.amazonaws.com/uploads/{ID}\
             ?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=abc"
        ),
        "headers": {"content-type": "text/plain", "if-none-match": "*"},
        "expiresAt": time(UPLOAD_URL_MILLIS),
    })
}

/// A token that was never used.
pub(super) fn token() -> Value {
    json!({
        "id": "0123456789abcdef0123456789abcdef",
        "label": "backup of the lab",
        "scopes": ["read"],
        "createdAt": time(0),
        "expiresAt": time(90 * 24 * 60 * 60 * 1000),
        "lastUsedAt": null,
    })
}

/// Who runs the service.
pub(super) fn operator() -> Value {
    json!({"kind": "operator", "id": null, "name": null, "role": null})
}

pub(super) fn page() -> Value {
    let cursor =
        FileId::from_bytes(*ID.as_bytes()).map(|id| write_cursor(id, ListFilter::default()));
    json!({"files": [available()], "nextCursor": cursor})
}

/// The problem that the operation answers with this code.
pub(super) fn problem(code: Code, operation_id: &str) -> Value {
    let problem = match (code, operation_id) {
        (Code::InvalidRequest, "create_file") => refused(json!({"filename": "..", "size": "5"})),
        (Code::InvalidRequest, "list_files") => match read_cursor("abc", ListFilter::default()) {
            Err(invalid) => code.with(format!("cursor: {invalid}")),
            Ok(_) => code.plain(),
        },
        (Code::InvalidRequest, "describe_file") => code.with(
            "failed to parse parameter `wait`: verification failed. maximum(20, exclusive: false)",
        ),
        (Code::InvalidRequest, _) => code.with("the Host header is no host"),
        (Code::ContentTooLarge, _) => {
            refused(json!({"filename": "film.mp4", "size": MAX_CONTENT_LENGTH + 1}))
        }
        (Code::FileRejected, _) => rejected(),
        _ => code.plain(),
    };
    problem.body("019c13418d5b7f4d9a7e0d8a4c1b2e40", "")
}

fn refused(body: Value) -> Problem {
    let fields: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    match CreateFileBody::from(fields).judge(MAX_CONTENT_LENGTH) {
        Err(problem) => problem,
        Ok(_) => Code::InvalidRequest.plain(),
    }
}

/// Why a file of 5 bytes is rejected if 6 arrive.
pub(super) fn reason() -> String {
    ContentLength::new(5, MAX_CONTENT_LENGTH)
        .map(|declared| RejectionReason::length_mismatch(declared, 6).0)
        .unwrap_or_default()
}

fn rejected() -> Problem {
    OperationError::FileRejected(RejectionReason(reason())).into()
}
