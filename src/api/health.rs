//! Whether the program is alive, and whether it can do its work.

use std::sync::Arc;
use std::time::Duration;

use poem::{IntoResponse, Response, handler, web::Data};
use serde_json::json;

use super::problem::Code;
use crate::access::Gate;
use crate::access::oidc::IssuerState;
use crate::request_log::FAILED;
use crate::scanner::ScannerState;
use crate::service::FileService;

/// The longest that a readiness check may take; whoever asks has a time-out of its own.
const READY_TIMEOUT: Duration = Duration::from_secs(4);

/// Answers while the program runs, whatever its stores do.
#[handler]
pub(crate) fn healthz() -> Response {
    poem::web::Json(json!({"status": "ok"})).into_response()
}

/// Answers 200 if both stores answer the calls that requests need, else 503. A virus scanner that is away is said and no
/// more, since files are taken and wait for it. So is an issuer that is away: whoever is signed in works on, and a new process would find it as far away. It is asked from here too, so that
/// what is said doesn't wait for somebody to sign in.
#[handler]
pub(crate) async fn readyz(service: Data<&Arc<FileService>>, gate: Data<&Arc<Gate>>) -> Response {
    match tokio::time::timeout(READY_TIMEOUT, service.check()).await {
        Ok(Ok(())) => {
            let mut said = json!({"status": "ready"});
            if let Some(scanner) = service.probe_scanner().await {
                said["scanner"] = match scanner {
                    ScannerState::NotAsked => "not asked",
                    ScannerState::Ready => "ok",
                    ScannerState::Away(_) => "away",
                    ScannerState::Wrong(_) => "not trusted",
                }
                .into();
            }
            if let Some(issuer) = gate.issuer() {
                said["issuer"] = match issuer.probe().await {
                    IssuerState::NotAsked => "not asked",
                    IssuerState::Ok => "ok",
                    IssuerState::Away { .. } => "away",
                }
                .into();
            }
            poem::web::Json(said).into_response()
        }
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
