//! `fshare hold`, `unhold` and `keep`: for those who run the service, what nobody can delete.
//!
//! **Invariant:** each call is safe to repeat, so a lost answer is asked for again.

use std::time::Duration;

use chrono::Utc;
use uuid::Uuid;

use crate::address::parse_file;
use crate::api_client::ApiClient;
use crate::arguments;
use crate::error::CliError;
use crate::output::{Deed, Output};
use crate::retry::Deadline;

const HELD: Deed = Deed {
    field: "held",
    in_words: "is held",
    is_for_watchers: true,
};
const RELEASED: Deed = Deed {
    field: "released",
    in_words: "is released",
    is_for_watchers: true,
};
const KEPT: Deed = Deed {
    field: "kept",
    in_words: "is kept",
    is_for_watchers: true,
};

/// Holds each of the files. The exit codes of all.
pub(crate) async fn hold(
    service: &ApiClient,
    arguments: &arguments::Hold,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let reason = &arguments.reason;
    let hold = async |service: ApiClient, id| {
        let held = service.hold(id, reason, Deadline::after(patience)).await;
        held.map(drop)
    };
    each(service, &arguments.files, &HELD, output, hold).await
}

/// Ends the hold of each of the files. The exit codes of all.
pub(crate) async fn unhold(
    service: &ApiClient,
    arguments: &arguments::Unhold,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let release =
        async |service: ApiClient, id| service.release(id, Deadline::after(patience)).await;
    each(service, &arguments.files, &RELEASED, output, release).await
}

/// Has each of the files kept. The exit codes of all.
pub(crate) async fn keep(
    service: &ApiClient,
    arguments: &arguments::Keep,
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    // The same moment for all, and for each attempt.
    let until = &arguments.until.of_a_file(Utc::now());
    let keep = async |service: ApiClient, id| {
        let kept = service.keep(id, until, Deadline::after(patience)).await;
        kept.map(drop)
    };
    each(service, &arguments.files, &KEPT, output, keep).await
}

async fn each(
    service: &ApiClient,
    files: &[String],
    deed: &Deed,
    output: &Output,
    call: impl AsyncFn(ApiClient, Uuid) -> Result<(), CliError>,
) -> Result<Vec<u8>, CliError> {
    let mut codes = Vec::new();
    for file in files {
        let (service, id) = parse_file(file, service).await?;
        codes.push(output.outcome(&id.to_string(), deed, call(service, id).await)?);
    }
    Ok(codes)
}
