//! What the contract shows as examples: one small file, from before its upload to its page in the
//! list, and a problem for each code.
//!
//! Invariant: an example is what the program would answer. Files and problems are made by the code that makes
//! them in earnest, and the times are those in the ID.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::create_file_body::CreateFileBody;
use super::problem::{Code, Problem};
use super::wire::{ListFilter, WireFile, read_cursor, write_cursor};
use crate::domain::{
    AttestedFile, ContentLength, ContentType, FileId, FileRecord, Lifecycle, MAX_CONTENT_LENGTH,
    RejectionReason, Sha256Digest, StoredObject, Timestamp, Transition, format_timestamp,
    from_millis,
};
use crate::file_events::EventKind;
use crate::operations::OperationError;
use crate::receipt::{ReceiptKeys, SignedReceipt};

/// 2026-01-31, five past nine in UTC.
const CREATED_AT_MILLIS: i64 = 1_769_850_300_123;
const UPLOADED_AFTER_MILLIS: i64 = 1_405;
const UPLOAD_URL_MILLIS: i64 = 15 * 60 * 1000;
/// A UUIDv7 of that time.
const ID: Uuid = Uuid::from_u128(((CREATED_AT_MILLIS as u128) << 80) | 0x7f4d_9a7e_0d8a_4c1b_2e3f);
/// Of `hello`.
const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn moment(millis_later: i64) -> Timestamp {
    from_millis(CREATED_AT_MILLIS + millis_later).expect("a moment of our time")
}

fn time(millis_later: i64) -> String {
    format_timestamp(moment(millis_later))
}

/// The body to create the file with: works as it is.
pub(super) fn new_file() -> Value {
    json!({"filename": "hello.txt", "size": 5, "contentType": "text/plain"})
}

/// The file as it is when it was created.
fn record() -> FileRecord {
    let fields = new_file().as_object().cloned().unwrap_or_default();
    let new = CreateFileBody::from(fields).judge(MAX_CONTENT_LENGTH);
    let new = new.expect("the example of a request is right");
    let id = FileId::from_bytes(*ID.as_bytes()).expect("the ID is a UUIDv7");
    let upload_expires_at = moment(UPLOAD_URL_MILLIS);
    FileRecord::pending(id, new.declared, upload_expires_at, &Lifecycle::default())
}

fn shown(record: &FileRecord) -> Value {
    serde_json::to_value(WireFile::of(record)).unwrap_or_default()
}

pub(super) fn pending() -> Value {
    shown(&record())
}

pub(super) fn available() -> Value {
    let object = StoredObject {
        sha256: Sha256Digest::parse_hex(SHA256).expect("a digest"),
        version_id: None,
        uploaded_at: moment(UPLOADED_AFTER_MILLIS),
        detected_type: ContentType::parse("text/plain").ok(),
    };
    shown(&Transition::available(object, None).apply_to(record()))
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

/// A pairing that nobody has approved yet.
pub(super) fn new_pairing() -> Value {
    json!({
        "deviceCode": format!("fsd_BCDFGHJK{SHA256}"),
        "userCode": "BCDF-GHJK",
        "verifyAt": "https://files.example.org/pair",
        "expiresAt": time(5 * 60 * 1000),
        "interval": 2,
    })
}

/// The same, as a person sees it.
pub(super) fn waiting_pairing() -> Value {
    json!({
        "client": "fshare on laptop",
        "from": "192.0.2.7",
        "beganAt": time(0),
        "expiresAt": time(5 * 60 * 1000),
    })
}

/// The key of RFC 8037, appendix A, whose private half everybody knows.
fn receipt_keys() -> ReceiptKeys {
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c,
        0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae,
        0x7f, 0x60,
    ];
    ReceiptKeys::from_seeds([&SEED])
}

/// What verifies the receipt below.
pub(super) fn receipt_key() -> Value {
    serde_json::to_value(receipt_keys().published().next()).unwrap_or_default()
}

/// The receipt of the file, once it is there.
pub(super) fn receipt() -> Value {
    let file = AttestedFile {
        id: record().id,
        display_name: "hello.txt".into(),
        size: 5,
        sha256: Sha256Digest::parse_hex(SHA256).expect("a digest"),
        uploaded_at: moment(UPLOADED_AFTER_MILLIS),
        submitter: None,
        in_box: None,
    };
    let signed = receipt_keys().sign(&file, "https://files.example.org", moment(60_000));
    signed.map(SignedReceipt::into_text).into()
}

/// A link to the file.
pub(super) fn link() -> Value {
    json!({
        "id": "fe63ecbe72a4e3d1a2b3c4d5e6f7",
        "url": format!("https://files.example.org/s/{}", "x".repeat(43)),
        "title": "Lecture 1",
        "label": null,
        "files": [ID.to_string()],
        "expiresAt": time(30 * 24 * 60 * 60 * 1000),
        "maxDownloads": null,
        "hasPassword": false,
        "audience": "anyone",
        "createdAt": time(0),
    })
}

/// What the link passes on.
pub(super) fn shared() -> Value {
    let file = available();
    json!({
        "title": "Lecture 1",
        "files": [{
            "id": file["id"],
            "filename": file["filename"],
            "displayName": file["displayName"],
            "size": file["size"],
            "contentType": file["contentType"],
            "sha256": file["sha256"],
            "status": file["status"],
            "downloadsLeft": null,
        }],
        "expiresAt": time(30 * 24 * 60 * 60 * 1000),
        "needsPassword": false,
        "downloadsLeft": null,
    })
}

/// A URL of the file, for a minute.
pub(super) fn grant() -> Value {
    json!({
        "url": format!(
            "https://file-share-bucket.s3.eu-central-1.amazonaws.com/uploads/{ID}\
             ?X-Amz-Expires=60&X-Amz-Signature=abc&x-grant=0123456789abcdef01234567"
        ),
        "expiresAt": time(60 * 1000),
        "sha256": available()["sha256"],
        "downloadsLeft": null,
    })
}

/// A box to make: a sheet of exercises that is due at a time, and taken for a while after it.
pub(super) fn new_box() -> Value {
    json!({
        "title": "Sheet 3",
        "dueAt": "2026-02-07T23:00:00Z",
        "closesAt": "2026-02-08T11:00:00Z",
        "types": ["pdf"],
    })
}

/// The same as it is then.
pub(super) fn file_box() -> Value {
    json!({
        "id": "fe63ecbe72a40123456789abcdef",
        "url": "https://files.example.org/b/AAECAwQFBgcICQoLDA0OD1R1e1i4RFH8dn43leJErtA",
        "title": "Sheet 3",
        "opensAt": null,
        "dueAt": "2026-02-07T23:00:00.000Z",
        "closesAt": "2026-02-08T11:00:00.000Z",
        "maxFiles": 10_000,
        "maxFileBytes": null,
        "types": ["pdf"],
        "submitter": "named",
        "hasPassword": false,
        "keep": "latest",
        "overrides": [],
        "createdAt": time(0),
        "ended": false,
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

/// What happened to the file, newest first.
pub(super) fn events() -> Value {
    let event = |kind: EventKind, millis: i64, count: u64, caller: &str| {
        json!({
            "type": kind.as_str(),
            "at": time(millis),
            "lastAt": time(millis + 1_000 * (count as i64 - 1)),
            "count": count,
            "caller": caller,
            "token": null,
            "requestId": (caller != "system").then_some("019c13418d5b7f4d9a7e0d8a4c1b2e40"),
        })
    };
    let person = "usr_gu6qyegrnco24sk2yxorpu77wm";
    json!({
        "events": [
            event(EventKind::Downloaded, 60_000, 3, person),
            event(EventKind::Available, UPLOADED_AFTER_MILLIS + 50, 1, "system"),
            event(EventKind::Created, 0, 1, person),
        ],
        "nextCursor": null,
        "kept": true,
    })
}

/// The problem that the operation answers with this code.
pub(super) fn problem(code: Code, operation_id: &str) -> Value {
    let problem = match (code, operation_id) {
        (Code::InvalidRequest, "create_file") => refused(json!({"filename": "..", "size": "5"})),
        (Code::InvalidRequest, "list_files") => match read_cursor("abc", ListFilter::default()) {
            Err(invalid) => code.with(format!("cursor: {invalid}")),
            Ok(_) => code.plain(),
        },
        (Code::InvalidRequest, "list_events") => code.with(
            "failed to parse parameter `limit`: verification failed. maximum(100, exclusive: false)",
        ),
        (Code::InvalidRequest, "describe_file") => code.with(
            "failed to parse parameter `wait`: verification failed. maximum(20, exclusive: false)",
        ),
        (Code::BoxClosed, _) => OperationError::BoxClosed {
            opens_at: None,
            closes_at: Some(moment(0)),
        }
        .into(),
        (Code::TypeNotAllowed, _) => OperationError::TypeNotAllowed(vec!["pdf".into()]).into(),
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
    rejection().text
}

fn rejection() -> RejectionReason {
    let declared = ContentLength::new(5, MAX_CONTENT_LENGTH);
    RejectionReason::length_mismatch(declared.expect("a length"), 6)
}

fn rejected() -> Problem {
    OperationError::FileRejected(rejection()).into()
}
