//! JSON in answers, written straight from the shapes in `wire`.
//!
//! The generator's own payload builds a tree of values first and writes that, which was a tenth of a
//! create's time.
//!
//! Invariant: what is written is what the contract describes. A test holds serde's form of every
//! shape against the generator's.

use poem::http::HeaderValue;
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::{self, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use super::problem::Code;

/// Room for a record with an upload URL, so that a text mostly grows once, in bytes.
const USUAL_LENGTH: usize = 2 * 1024;

/// A JSON payload of an answer.
#[derive(Debug, Clone)]
pub(super) struct Json<T>(pub T);

/// In the contract the same as the generator's payload.
impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = payload::Json::<T>::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        payload::Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        payload::Json::<T>::schema_ref()
    }

    fn register(registry: &mut Registry) {
        payload::Json::<T>::register(registry);
    }
}

impl<T: Serialize + Type> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(USUAL_LENGTH);
        if let Err(error) = serde_json::to_writer(&mut text, &self.0) {
            // Only a map with keys that aren't texts could do that.
            tracing::error!(%error, "an answer can't be written as JSON");
            return Code::InternalError.plain().into_response();
        }
        let mut response = Response::default();
        response.headers_mut().insert(
            poem::http::header::CONTENT_TYPE,
            HeaderValue::from_static(Self::CONTENT_TYPE),
        );
        response.set_body(Body::from(text));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use poem_openapi::types::ToJSON;

    use super::super::wire::{
        WireCreatedFile, WireFile, WirePage, WireRenewedUpload, WireStatus, WireUpload,
    };
    use super::*;
    use crate::domain::{FileRecord, from_millis};

    fn file(status: WireStatus) -> WireFile {
        let record = FileRecord::sample(from_millis(1_790_000_000_123).unwrap());
        WireFile {
            owner: matches!(status, WireStatus::Pending).then(|| "usr_a".into()),
            filename: "r\u{e9}sum\u{e9}__final_.pdf".into(),
            display_name: "r\u{e9}sum\u{e9} \"final\".pdf".into(),
            sha256: matches!(status, WireStatus::Available).then(|| "ab".repeat(32)),
            status,
            stage: matches!(status, WireStatus::Pending).then(|| "scanning".into()),
            reason: matches!(status, WireStatus::Rejected | WireStatus::Withdrawn)
                .then(|| "5 bytes arrived".into()),
            delete_after: matches!(status, WireStatus::Expired)
                .then(|| "2026-02-07T09:05:00.123Z".into()),
            metadata: BTreeMap::from([("course".into(), "\u{2028}\"<&".into())]),
            ..WireFile::of(&record).unwrap()
        }
    }

    async fn agrees<T: Serialize + Type + ToJSON + Clone>(value: T) {
        let generators = value.to_json().unwrap();
        let response = Json(value).into_response();
        assert_eq!(
            response.content_type(),
            Some("application/json; charset=utf-8")
        );
        let text = response.into_body().into_string().await.unwrap();
        let ours: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(ours, generators);
        // In the contract's order too.
        assert_eq!(ours.to_string(), generators.to_string());
    }

    #[tokio::test]
    async fn every_shape_is_written_as_the_contract_describes_it() {
        let upload = WireUpload {
            method: "PUT".into(),
            url: "http://127.0.0.1:8000/b/uploads/1?X-Amz-Signature=0".into(),
            headers: BTreeMap::from([("if-none-match".into(), "*".into())]),
            fields: None,
            expires_at: "2026-01-31T09:20:00.000Z".into(),
        };
        let form = WireUpload {
            method: "POST".into(),
            fields: Some(BTreeMap::from([("key".into(), "uploads/1".into())])),
            ..upload.clone()
        };
        for status in [
            WireStatus::Pending,
            WireStatus::Available,
            WireStatus::Rejected,
            WireStatus::Withdrawn,
            WireStatus::Expired,
        ] {
            agrees(file(status)).await;
            for upload in [None, Some(upload.clone()), Some(form.clone())] {
                let file = file(status);
                agrees(WireCreatedFile { file, upload }).await;
            }
        }
        agrees(WireRenewedUpload { upload }).await;
        for next_cursor in [None, Some("AZ9v".to_owned())] {
            agrees(WirePage {
                files: vec![file(WireStatus::Pending), file(WireStatus::Rejected)],
                next_cursor,
            })
            .await;
        }
    }
}
