//! `fshare tokens`: the tokens that act for whoever asks, and ending them.
//!
//! **Invariant:** no token is shown: neither list nor answer has one.

use std::time::Duration;

use crate::api_client::{ApiClient, TOKEN};
use crate::error::CliError;
use crate::output::{Deed, Output, local_time};
use crate::retry::Deadline;
use crate::sign_in_calls::TokenInfo;
use crate::stored_tokens::TokenFile;

const REVOKED: Deed = Deed {
    field: "revoked",
    in_words: "is revoked",
    is_for_watchers: false,
};

pub(crate) async fn list(
    service: &ApiClient,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    for token in service.tokens(until).await? {
        if output.json {
            output.json_line(&serde_json::to_value(&token).unwrap_or_default())?;
        } else {
            output.result(&row(&token))?;
        }
    }
    Ok(())
}

fn row(token: &TokenInfo) -> String {
    let used = token.last_used_at.as_deref().map(local_time);
    format!(
        "{}  {:20}  until {}  used {}  {}",
        token.id,
        token.scopes.join(","),
        local_time(&token.expires_at),
        used.as_deref().unwrap_or("never"),
        token.label
    )
}

/// The exit codes of all.
pub(crate) async fn revoke(
    service: &ApiClient,
    ids: &[String],
    patience: Duration,
    output: &Output,
) -> Result<Vec<u8>, CliError> {
    let mut codes = Vec::new();
    for id in ids {
        let revoked = service.revoke_token(id, Deadline::after(patience)).await;
        let revoked = match revoked {
            Ok(()) => forget(service, id),
            Err(failure) => Err(with_advice(failure)),
        };
        codes.push(output.outcome(id, &REVOKED, revoked)?);
    }
    Ok(codes)
}

/// What was kept of it here is worth nothing any more.
fn forget(service: &ApiClient, id: &str) -> Result<(), CliError> {
    let Some(file) = TokenFile::of_user() else {
        return Ok(());
    };
    match file.read()?.get(service.base()) {
        Some(stored) if stored.id == id => file.set(service.base(), None),
        _ => Ok(()),
    }
}

fn with_advice(failure: CliError) -> CliError {
    match failure {
        CliError::Refused {
            status,
            code,
            detail,
        } if code == "not_allowed" => CliError::Refused {
            status,
            code,
            detail: format!(
                "{detail}. A token ends no other one than itself: set {TOKEN} to the key of the service, or to an \
                 access token of yours"
            ),
        },
        failure => failure,
    }
}
