//! Whether the program is alive, and whether it can do its work.

use std::sync::Arc;
use std::time::Duration;

use poem::{IntoResponse, Response, handler, web::Data};
use serde_json::json;

use super::problem::Code;
use crate::request_log::FAILED;
use crate::service::FileService;

/// The longest that a readiness check may take; whoever asks has a time-out of its own.
const READY_TIMEOUT: Duration = Duration::from_secs(4);

/// Answers while the program runs, whatever its stores do.
#[handler]
pub(crate) fn healthz() -> Response {
    poem::web::Json(json!({"status": "ok"})).into_response()
}

/// Answers 200 if both stores answer the calls that requests need, else 503.
#[handler]
pub(crate) async fn readyz(service: Data<&Arc<FileService>>) -> Response {
    match tokio::time::timeout(READY_TIMEOUT, service.check()).await {
        Ok(Ok(())) => poem::web::Json(json!({"status": "ready"})).into_response(),
        Ok(Err(error)) => {
            FAILED.log(|| tracing::warn!(error = %error.chain(), "not ready"));
            Code::StoreUnavailable
                .with("a store doesn't answer")
                .into_response()
        }
        Err(_) => {
            FAILED.log(|| tracing::warn!("not ready: a store doesn't answer in time"));
            Code::StoreUnavailable
                .with("a store doesn't answer in time")
                .into_response()
        }
    }
}
