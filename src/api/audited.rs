//! Lines of the audit log about requests that are no operation of the service's: signing in and out, and what is
//! refused before any operation is asked.
//!
//! Invariant: what was begun goes to its end, and has its line before anything of it is out: also if its client goes
//! away meanwhile, and if a store doesn't say whether it did it. A refusal is answered whether or not its line could be
//! written.

use std::net::IpAddr;
use std::sync::Arc;

use poem::Request;
use tracing::Instrument;

use super::call_context::client_of;
use super::observed::RequestId;
use super::problem::{Code, Problem};
use crate::access::Caller;
use crate::audit::{Actor, AuditLog, DONE, Entry, UNKNOWN};
use crate::clock::Clock;
use crate::request_log;
use crate::store_error::StoreError;

/// Writes lines about requests; none where no log is kept.
#[derive(Clone)]
pub(super) struct AuditedRequests {
    pub log: Option<Arc<AuditLog>>,
    pub clock: Arc<dyn Clock>,
}

impl AuditedRequests {
    /// What `caller` is about to do, once there is room for its line.
    ///
    /// # Errors
    /// The disk is full: then it must not be done.
    pub(super) fn begin(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
    ) -> Result<AuditedAction, Problem> {
        if let Some(log) = &self.log {
            log.reserve().map_err(failed)?;
        }
        Ok(AuditedAction {
            audited: self.clone(),
            request_id: request_id(request),
            caller: caller.clone(),
            action,
            source: source(request),
            is_written: false,
        })
    }

    /// What was refused, if it is a refusal that has to be known.
    pub(super) fn refused<'a>(
        &self,
        request: &Request,
        caller: impl Into<Actor<'a>>,
        action: &'static str,
        code: Code,
    ) {
        let Some(log) = self.log.as_ref().filter(|_| is_known(code)) else {
            return;
        };
        let id = request_id(request);
        let entry = self.entry(request, &id, caller.into(), action, code.as_str());
        log_failure(log.record_refusal(&entry));
    }

    fn entry<'a>(
        &self,
        request: &Request,
        request_id: &'a str,
        caller: Actor<'a>,
        action: &'static str,
        outcome: &'static str,
    ) -> Entry<'a> {
        Entry {
            time: self.clock.now(),
            request_id,
            caller,
            action,
            resource: None,
            outcome,
            source: source(request),
        }
    }
}

/// What came of an action, as its line says.
pub(super) enum AuditOutcome {
    /// It was done, to what this names.
    Done(Option<String>),
    /// It was done to what this names, and only that showed by whom.
    DoneBy(Caller, Option<String>),
    /// It was decided before anything was done.
    NotDone,
    /// A store didn't say whether it did it.
    Unknown,
}

impl AuditOutcome {
    /// Of something that a store alone can fail at.
    pub(super) fn of<T, E>(outcome: &Result<T, E>, resource: Option<String>) -> Self {
        match outcome {
            Ok(_) => Self::Done(resource),
            Err(_) => Self::Unknown,
        }
    }
}

/// An action that is under way, and gets its line.
pub(super) struct AuditedAction {
    audited: AuditedRequests,
    request_id: String,
    caller: Caller,
    action: &'static str,
    source: Option<IpAddr>,
    is_written: bool,
}

impl AuditedAction {
    /// Does it to its end and writes its line, whether or not anybody still waits for the answer.
    ///
    /// # Errors
    /// The line can't be written.
    pub(super) async fn finish<T: Send + 'static>(
        mut self,
        doing: impl Future<Output = (T, AuditOutcome)> + Send + 'static,
    ) -> Result<T, Problem> {
        let to_its_end = async move {
            let (made, outcome) = doing.await;
            self.is_written = true;
            let outcome = match outcome {
                AuditOutcome::DoneBy(caller, resource) => {
                    self.caller = caller;
                    AuditOutcome::Done(resource)
                }
                outcome => outcome,
            };
            let Some(log) = self.audited.log.as_ref() else {
                return Ok(made);
            };
            match outcome {
                AuditOutcome::Done(resource) => {
                    let line = log.record(&self.entry(resource, DONE)).map_err(failed)?;
                    line.wait().await.map_err(failed)?;
                }
                AuditOutcome::DoneBy(..) | AuditOutcome::NotDone => {}
                // Bounded as refusals are: a store that is away fails every call.
                AuditOutcome::Unknown => {
                    log_failure(log.record_refusal(&self.entry(None, UNKNOWN)))
                }
            }
            Ok(made)
        };
        let done = tokio::spawn(to_its_end.in_current_span()).await;
        // It panicked, which was said, or the program ends.
        done.unwrap_or_else(|_| Err(Code::InternalError.plain()))
    }

    fn entry(&self, resource: Option<String>, outcome: &'static str) -> Entry<'_> {
        Entry {
            time: self.audited.clock.now(),
            request_id: &self.request_id,
            caller: (&self.caller).into(),
            action: self.action,
            resource,
            outcome,
            source: self.source,
        }
    }
}

impl Drop for AuditedAction {
    /// Of what was broken off.
    fn drop(&mut self) {
        if !self.is_written
            && let Some(log) = &self.audited.log
        {
            log_failure(log.record(&self.entry(None, UNKNOWN)).map(drop));
        }
    }
}

fn log_failure(written: std::io::Result<()>) {
    if let Err(error) = written {
        request_log::FAILED
            .log(|| tracing::error!(%error, "a line of the audit log can't be written"));
    }
}

fn source(request: &Request) -> Option<IpAddr> {
    client_of(request).map(|client| client.address)
}

/// 401, 403 and 429.
fn is_known(code: Code) -> bool {
    matches!(code.status().as_u16(), 401 | 403 | 429)
}

fn request_id(request: &Request) -> String {
    let id = request.extensions().get::<RequestId>();
    id.map_or_else(String::new, |id| id.0.clone())
}

fn failed(error: std::io::Error) -> Problem {
    StoreError::from_io("the audit log", error).into()
}
