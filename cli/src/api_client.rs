//! The contract of the File Share Service, as this program speaks it: who calls, and how a call is made.
//!
//! **Invariant:** every call is safe to repeat (a create has a key of its own), so each is repeated
//! until there is an answer, within the bounds of [`crate::retry`].
//!
//! Absent on purpose: which calls there are ([`crate::file_calls`] and its neighbours).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_MATCH, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use serde_json::Value;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::address::{base_of, origin_of, server_key};
use crate::answer::{Answer, Proof, may_pass};
use crate::error::CliError;
use crate::http::{Body, Http, NoAnswer, NoAnswerReason, Sent, empty, full};
use crate::links_for_others::LinksForOthers;
use crate::output::Output;
use crate::rates_seen::RatesSeen;
use crate::retry::{Deadline, Retry, retry_after};
use crate::service_clock::ServiceClock;
use crate::stored_tokens::{StoredToken, StoredTokens, TokenFile};
use crate::wait_notes::WaitNotes;

/// The most that a file may have, by the contract; a server may take less, and says so.
pub(crate) const MAX_FILE_BYTES: u64 = 20 * 1024 * 1024;
/// The most records on a page, by the contract.
pub(crate) const MAX_PAGE: usize = 100;
/// No answer of the contract is longer: a page has 100 records, with names of up to 255 bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
pub(crate) const AGENT: &str = concat!("fshare/", env!("CARGO_PKG_VERSION"));

/// Where the key of the service is said, and nowhere else: arguments are everybody's to see.
pub(crate) const TOKEN: &str = "FILE_SHARE_TOKEN";

#[derive(Debug, Clone)]
pub(crate) struct ApiClient {
    pub http: Http,
    base: String,
    /// Shows who calls. For the service at `base` alone: never for its store, nor for another service whose
    /// link somebody gave. It doesn't print.
    authorization: Option<HeaderValue>,
    proof: Proof,
    /// What `fshare login` got, for whichever service is asked.
    stored: Arc<StoredTokens>,
    /// Where it is said that a service asks to wait.
    notes: Option<Arc<WaitNotes>>,
    /// Asked for once, and known from then on.
    links: Arc<OnceCell<LinksForOthers>>,
    clock: Arc<ServiceClock>,
    /// How often one may call it, as far as it said.
    pub rates: Arc<RatesSeen>,
}

/// What marks a request that must not be done twice, or not to what others changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark<'a> {
    Key(Uuid),
    IfMatch(&'a HeaderValue),
}

impl ApiClient {
    /// The service at this address, as whoever the environment or else `fshare login` says. Nothing is sent yet.
    ///
    /// # Errors
    /// The address isn't one of a server, or the stored tokens can't be used.
    pub(crate) fn at(server: &str) -> Result<Self, CliError> {
        let service = Self::anonymous(server)?;
        let said = std::env::var(TOKEN).unwrap_or_default();
        let stored = TokenFile::of_user().map(|file| file.read());
        if said.trim().is_empty() {
            let stored = Arc::new(stored.transpose()?.unwrap_or_default());
            return Ok(Self { stored, ..service }.with_stored_token());
        }
        let value = authorization(&said).ok_or_else(|| {
            CliError::Usage(format!("{TOKEN} isn't a key: it has other characters"))
        })?;
        Ok(Self {
            authorization: Some(value),
            proof: Proof::Environment,
            // For other services, to whose links it may come.
            stored: Arc::new(stored.and_then(Result::ok).unwrap_or_default()),
            ..service
        })
    }

    /// The service at this address, as nobody.
    ///
    /// # Errors
    /// The address isn't one of a server.
    pub(crate) fn anonymous(server: &str) -> Result<Self, CliError> {
        Ok(Self {
            http: Http::new()?,
            base: base_of(server)?,
            authorization: None,
            proof: Proof::Nothing,
            stored: Arc::default(),
            notes: None,
            links: Arc::default(),
            clock: Arc::default(),
            rates: Arc::default(),
        })
    }

    /// The same that says so where a service asks to wait.
    pub(crate) fn saying_waits(self, output: &Output) -> Self {
        let notes = WaitNotes::on(output.clone());
        Self {
            notes: Some(Arc::new(notes)),
            ..self
        }
    }

    /// The same as whoever has this token.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn with_token(&self, token: &StoredToken) -> Result<Self, CliError> {
        let none = || CliError::Here("the stored token is none: run fshare login".to_owned());
        Ok(Self {
            authorization: Some(authorization(&token.token).ok_or_else(none)?),
            proof: Proof::Login,
            ..self.clone()
        })
    }

    /// The same at another address, to which no token is shown that isn't its own.
    pub(crate) fn elsewhere(&self, base: String) -> Self {
        if base == self.base {
            return self.clone();
        }
        let service = Self {
            base,
            authorization: None,
            proof: Proof::Nothing,
            links: Arc::default(),
            clock: Arc::default(),
            rates: Arc::default(),
            ..self.clone()
        };
        service.with_stored_token()
    }

    /// The service to which a link leads: this one also where the link names the address by which it says that others
    /// reach it.
    pub(crate) async fn of_link(&self, base: String) -> Self {
        if self.leads_here(&base) || self.links_for_others().await.leads_here(&base) {
            return self.clone();
        }
        self.elsewhere(base)
    }

    /// Whether this is another way to write the address of the service.
    pub(crate) fn leads_here(&self, base: &str) -> bool {
        server_key(base) == server_key(&self.base)
    }

    /// How links begin that are passed on to others.
    pub(crate) async fn links_for_others(&self) -> &LinksForOthers {
        let asking = || LinksForOthers::ask(self);
        self.links.get_or_init(asking).await
    }

    /// What time it is for the service, as far as it was called.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The same, asked if it wasn't called yet.
    pub(crate) async fn asked_now(&self) -> DateTime<Utc> {
        self.links_for_others().await;
        self.now()
    }

    fn with_stored_token(self) -> Self {
        let token = self.stored.get(&self.base);
        match token.and_then(|token| self.with_token(token).ok()) {
            Some(service) => service,
            None => self,
        }
    }

    /// Without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Of the pages that the service serves, as a browser writes it.
    pub(crate) fn origin(&self) -> String {
        let uri: Option<Uri> = self.base.parse().ok();
        uri.as_ref().and_then(origin_of).unwrap_or_default()
    }

    /// The page of a file, which tells, waits and downloads, as whoever asks here opens it.
    pub(crate) fn link(&self, id: Uuid) -> String {
        format!("{}/f/{id}", self.base)
    }

    /// Where a program fetches the bytes: it redirects to them.
    pub(crate) fn content_url(&self, id: Uuid) -> String {
        format!("{}/v1/files/{id}", self.base)
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<Uuid>,
        until: Deadline,
    ) -> Result<Answer, CliError> {
        let mark = key.map(Mark::Key);
        self.marked_call(method, path, body, mark, until).await
    }

    /// The same with whatever marks the request.
    pub(crate) async fn marked_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        mark: Option<Mark<'_>>,
        until: Deadline,
    ) -> Result<Answer, CliError> {
        let mut retry = Retry::until(until);
        let mut repeated = false;
        loop {
            let once = self.call_once(method.clone(), path, body, mark).await;
            match once {
                Ok(answer) if !may_pass(answer.status) => {
                    return Ok(Answer { repeated, ..answer });
                }
                Ok(answer) => {
                    // Of a gateway it isn't known what it had passed on.
                    repeated = true;
                    let pause = retry_after(&answer.headers);
                    self.say_wait(answer.status, pause, &retry);
                    if !retry.again(pause).await {
                        return Ok(answer);
                    }
                }
                Err(failure @ CliError::Unreachable { .. }) => {
                    if !retry.call_again().await {
                        return Err(failure);
                    }
                }
                Err(failure @ (CliError::Unusable(_) | CliError::Untrusted { .. })) => {
                    return Err(failure);
                }
                Err(failure) => {
                    repeated = true;
                    if !retry.again(None).await {
                        return Err(failure);
                    }
                }
            }
        }
    }

    fn say_wait(&self, status: StatusCode, pause: Option<Duration>, retry: &Retry) {
        let pause = pause.filter(|pause| retry.has_time_for(*pause));
        let is_limit = status == StatusCode::TOO_MANY_REQUESTS;
        if let (Some(notes), Some(pause), true) = (&self.notes, pause, is_limit) {
            notes.say(pause);
        }
    }

    /// One attempt, whatever comes of it.
    pub(crate) async fn call_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        mark: Option<Mark<'_>>,
    ) -> Result<Answer, CliError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(USER_AGENT, AGENT);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request = match mark {
            Some(Mark::Key(key)) => request.header("idempotency-key", format!("\"{key}\"")),
            Some(Mark::IfMatch(tag)) => request.header(IF_MATCH, tag),
            None => request,
        };
        let mut asked_bytes = 0;
        let content: Body = match body {
            Some(value) => {
                request = request.header(CONTENT_TYPE, "application/json");
                let text = value.to_string();
                asked_bytes = text.len() as u64;
                full(text)
            }
            None => empty(),
        };
        let request = request
            .body(content)
            .map_err(|error| CliError::Usage(format!("{}: {error}", self.base)))?;
        let failed = |no_answer: NoAnswer| {
            let base = &self.base;
            match no_answer.why {
                NoAnswerReason::NeverConnected => CliError::Unreachable {
                    server: base.clone(),
                    cause: no_answer.cause,
                },
                NoAnswerReason::Untrusted => CliError::Untrusted {
                    server: base.clone(),
                    cause: no_answer.cause,
                },
                NoAnswerReason::Broken => {
                    CliError::NoAnswer(format!("{base} doesn't answer: {no_answer}"))
                }
                NoAnswerReason::TooLong => {
                    CliError::Unusable(format!("{base} can't be used: {no_answer}"))
                }
            }
        };
        let answer = self.http.send(request, &Sent::default()).await;
        let (head, body) = answer.map_err(failed)?.into_parts();
        self.clock.note(&head.headers);
        self.rates.note(&head.headers);
        let body = self
            .http
            .read(body, MAX_ANSWER_BYTES)
            .await
            .map_err(failed)?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            asked_bytes,
            repeated: false,
            proof: self.proof,
        })
    }
}

/// What shows a token; `None` if it can't be one.
fn authorization(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_one_of_the_contract() {
        let contract: Value =
            serde_json::from_str(include_str!("../../tests/openapi.json")).unwrap();
        let size = &contract["components"]["schemas"]["NewFile"]["properties"]["size"];
        assert_eq!(size["maximum"].as_f64(), Some(MAX_FILE_BYTES as f64));
    }
}
