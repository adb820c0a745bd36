//! Cookies that a call sets or takes away besides what its answer says, and also where it fails.
//!
//! Invariant: what was noted is in the answer, whichever of a page, a problem or a redirect that is.

use std::sync::{Arc, Mutex, PoisonError};

use poem::Request;
use poem::http::{HeaderMap, HeaderValue, header};

/// The `Set-Cookie` headers of one answer. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct SetCookies(Arc<Mutex<Vec<String>>>);

impl SetCookies {
    /// Those of the answer to this request.
    pub(super) fn of(request: &Request) -> Self {
        let found = request.extensions().get::<Self>();
        found.cloned().unwrap_or_default()
    }

    /// Adds one.
    pub(super) fn add(&self, cookie: String) {
        self.list().push(cookie);
    }

    /// Writes them beside those that are there.
    pub(super) fn append_to(&self, headers: &mut HeaderMap) {
        for cookie in self.list().drain(..) {
            if let Ok(value) = HeaderValue::try_from(cookie) {
                headers.append(header::SET_COOKIE, value);
            }
        }
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
