//! Lines of the audit log about requests that are no operation of the service's: signing in and out, and what is
//! refused before any operation is asked.
//!
//! Invariant: a sign-in has its line before its cookie is out. A refusal is answered whether or not its line
//! could be written.

use std::net::SocketAddr;
use std::sync::Arc;

use poem::Request;

use super::middleware::RequestId;
use super::problem::{Code, Problem};
use crate::access::Caller;
use crate::audit::{AuditLog, DONE, Entry};
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
    /// Sees to it that there is room for the line of what is done next.
    ///
    /// # Errors
    /// The disk is full: then it must not be done.
    pub(super) fn reserve(&self) -> Result<(), Problem> {
        match &self.log {
            Some(log) => log.reserve().map_err(failed),
            None => Ok(()),
        }
    }

    /// What `caller` did.
    ///
    /// # Errors
    /// The line can't be written.
    pub(super) fn done(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        resource: Option<String>,
    ) -> Result<(), Problem> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let id = request_id(request);
        let entry = Entry {
            resource,
            ..self.entry(request, &id, caller, action, DONE)
        };
        log.record(&entry).map_err(failed)
    }

    /// What was refused, if it is a refusal that has to be known.
    pub(super) fn refused(
        &self,
        request: &Request,
        caller: &Caller,
        action: &'static str,
        code: Code,
    ) {
        let Some(log) = self.log.as_ref().filter(|_| is_known(code)) else {
            return;
        };
        let id = request_id(request);
        let entry = self.entry(request, &id, caller, action, code.as_str());
        if let Err(error) = log.record_refusal(&entry) {
            request_log::FAILED
                .log(|| tracing::error!(%error, "a line of the audit log can't be written"));
        }
    }

    fn entry<'a>(
        &self,
        request: &Request,
        request_id: &'a str,
        caller: &'a Caller,
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
            source: request.remote_addr().as_socket_addr().map(SocketAddr::ip),
        }
    }
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
