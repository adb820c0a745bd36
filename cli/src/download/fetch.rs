//! The bytes of an available file, from a URL that the service hands out for them.
//!
//! **Invariant:** what is given back well has the length of the record, and its SHA-256.

use std::fs::File;
use std::io::{Seek, Write};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{Method, Request};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::here;
use super::hidden::LinkRequest;
use crate::answer::may_pass;
use crate::api_client::{AGENT, ApiClient};
use crate::error::CliError;
use crate::http::{Sent, empty, next_piece};
use crate::link_calls::Located;
use crate::output::Output;
use crate::put::StoreAnswer;
use crate::retry::{Deadline, Retry, retry_after};
use crate::wire::Record;

/// Where a URL of the bytes comes from.
pub(super) enum Source<'a> {
    /// A file that the caller may fetch.
    File(&'a ApiClient),
    /// A link that somebody passed on.
    Link {
        service: &'a ApiClient,
        token: &'a str,
        password: Option<&'a str>,
        /// The same for all attempts at one file: they count once.
        request: LinkRequest,
        is_counted: bool,
    },
}

impl Source<'_> {
    /// The request for it, where it is counted how often it comes.
    pub(super) fn counted_request(&self) -> Option<&LinkRequest> {
        match self {
            Self::Link {
                request,
                is_counted: true,
                ..
            } => Some(request),
            Self::File(_) | Self::Link { .. } => None,
        }
    }

    fn service(&self) -> &ApiClient {
        match self {
            Self::File(service) | Self::Link { service, .. } => service,
        }
    }

    async fn locate(&self, id: Uuid, until: Deadline) -> Result<Located, CliError> {
        match self {
            Self::File(service) => {
                let url = service.locate(id, until).await?;
                Ok(Located { url, sha256: None })
            }
            Self::Link {
                service,
                token,
                password,
                request,
                ..
            } => {
                let taking = service.take_shared(token, id, *password, request.key, until);
                let located = taking.await?;
                request.note_grant();
                Ok(located)
            }
        }
    }
}

/// The bytes of an available file, checked.
///
/// # Errors
/// They can't be had, or they aren't those of the record.
pub(super) async fn fetch(
    source: &Source<'_>,
    record: &Record,
    into: &mut File,
    until: Deadline,
    output: &Output,
) -> Result<(), CliError> {
    let bar = output.bar(record.name(), record.size);
    let mut retry = Retry::until(until);
    let result = loop {
        into.rewind().and_then(|()| into.set_len(0)).map_err(here)?;
        bar.set_position(0);
        let attempt = attempt(source, record, into, until, &bar);
        let attempt = tokio::time::timeout(until.left(), attempt).await;
        match attempt.unwrap_or_else(|_| Err((CliError::TooSlow("time is over".to_owned()), None)))
        {
            Ok(()) => break Ok(()),
            Err((failure @ CliError::NoAnswer(_), pause)) => {
                if !retry.again(pause).await {
                    break Err(failure);
                }
            }
            Err((failure, _)) => break Err(failure),
        }
    };
    bar.finish_and_clear();
    result
}

type Pause = Option<Duration>;

async fn attempt(
    source: &Source<'_>,
    record: &Record,
    into: &mut File,
    until: Deadline,
    bar: &ProgressBar,
) -> Result<(), (CliError, Pause)> {
    let plain = |failure| (failure, None);
    let service = source.service();
    let Located { url, sha256 } = source.locate(record.id, until).await.map_err(plain)?;
    // A link with a password says it to those alone who know that.
    let expected = record.sha256.clone().or(sha256);
    let store = url.authority().map(ToString::to_string).unwrap_or_default();
    let lost = |cause: &dyn std::fmt::Display| {
        plain(CliError::NoAnswer(format!(
            "the store at {store} doesn't answer: {cause}"
        )))
    };
    let request = Request::builder().method(Method::GET).uri(url);
    let request = request
        .header(USER_AGENT, AGENT)
        .body(empty())
        .map_err(|error| lost(&error))?;
    let answer = service.http.send(request, &Sent::default()).await;
    let answer = answer.map_err(|cause| lost(&cause))?;
    if !answer.status().is_success() {
        let answer = StoreAnswer::read(&service.http, answer).await;
        if may_pass(answer.status) {
            let pause = retry_after(&answer.headers);
            let why = answer.into_error("the download", 0);
            let failure = CliError::NoAnswer(format!("the store at {store} is busy: {why}"));
            return Err((failure, pause));
        }
        return Err(plain(answer.into_error("the download", 0)));
    }
    let mut body = answer.into_body();
    let mut hasher = Sha256::new();
    let mut size = 0_u64;
    while let Some(piece) = next_piece(&mut body).await.map_err(|cause| lost(&cause))? {
        size += piece.len() as u64;
        if size > record.size {
            break;
        }
        hasher.update(&piece);
        into.write_all(&piece).map_err(|error| plain(here(error)))?;
        bar.inc(piece.len() as u64);
    }
    let digest = hex::encode(hasher.finalize());
    if size != record.size || expected.as_deref() != Some(&digest) {
        return Err(plain(CliError::Damaged(
            "the bytes that came aren't those that were uploaded (length or SHA-256 differs); nothing \
             was kept. Tell the operator: `file-share scrub` finds what is damaged"
                .to_owned(),
        )));
    }
    Ok(())
}
