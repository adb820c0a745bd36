//! `fshare hold`, `unhold` and `keep`: for those who run the service, what nobody can delete.
//!
//! **Invariant:** each call is safe to repeat, so a lost answer is asked for again.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

use crate::address::parse_file;
use crate::api_client::ApiClient;
use crate::arguments;
use crate::error::{CliError, DONE};
use crate::output::Output;
use crate::retry::Deadline;

/// Holds each of the files. The exit codes of all.
pub(crate) async fn hold(
    service: &ApiClient,
    arguments: &arguments::Hold,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let mut codes = Vec::new();
    for file in &arguments.files {
        let (service, id) = parse_file(file, service).await?;
        let held = service.hold(id, &arguments.reason, Deadline::after(patience));
        codes.push(told(id, "held", held.await.map(drop), output)?);
    }
    Ok(codes)
}

/// Ends the hold of each of the files. The exit codes of all.
pub(crate) async fn unhold(
    service: &ApiClient,
    arguments: &arguments::Unhold,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let mut codes = Vec::new();
    for file in &arguments.files {
        let (service, id) = parse_file(file, service).await?;
        let released = service.release(id, Deadline::after(patience)).await;
        codes.push(told(id, "released", released, output)?);
    }
    Ok(codes)
}

/// Has each of the files kept. The exit codes of all.
pub(crate) async fn keep(
    service: &ApiClient,
    arguments: &arguments::Keep,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    // The same moment for all, and for each attempt.
    let until = arguments.until.of_a_file(Utc::now());
    let mut codes = Vec::new();
    for file in &arguments.files {
        let (service, id) = parse_file(file, service).await?;
        let kept = service.keep(id, &until, Deadline::after(patience)).await;
        codes.push(told(id, "kept", kept.map(drop), output)?);
    }
    Ok(codes)
}

/// Says what became of one file.
fn told(
    id: Uuid,
    done: &str,
    outcome: Result<(), CliError>,
    output: &Output,
) -> Result<u8, CliError> {
    if output.json {
        let error = outcome.as_ref().err().map(CliError::as_json);
        output
            .json_line(&json!({ "id": id.to_string(), done: error.is_none(), "error": error }))?;
    } else if let Err(failure) = &outcome {
        output.note(&format!("✗ {id}: {failure}"));
    } else {
        output.note_to_watcher(&format!("✓ {id} is {done}"));
    }
    Ok(outcome.map_or_else(|failure| failure.exit_code(), |()| DONE))
}
