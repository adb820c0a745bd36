//! Asks an issuer.
//!
//! Invariant: nothing waits longer than [`WHOLE`], nothing longer than [`MAX_BODY_BYTES`] is kept, and nothing is
//! sent where it could be read on its way.
//!
//! Absent on purpose: how that is done, which is the same for whomever the service asks (`https_client`).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, Uri};

use crate::https_client::{Bounds, HttpsClient};

pub(super) use crate::https_client::Answer;

/// How long an answer may take, all in all.
pub(super) const WHOLE: Duration = Duration::from_secs(10);
/// How long an answer may be, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1024;

const BOUNDS: Bounds = Bounds {
    whole: WHOLE,
    max_body_bytes: Some(MAX_BODY_BYTES),
};

/// A client for one issuer.
#[derive(Debug)]
pub(super) struct Http(HttpsClient);

impl Http {
    /// A client for an issuer of this URL. It connects to nothing yet.
    ///
    /// # Errors
    /// The system's certificates can't be read.
    pub(super) fn for_issuer(issuer: &str) -> Result<Self, std::io::Error> {
        HttpsClient::of(issuer).map(Self)
    }

    /// Whether this is an address that this client may ask, or send people to: no less protected than the issuer.
    pub(super) fn may_ask(&self, uri: &Uri) -> bool {
        self.0.may_ask(uri)
    }

    pub(super) async fn get(&self, uri: &Uri) -> Result<Answer, String> {
        self.send(Request::get(uri), Bytes::new()).await
    }

    /// Posts a form. The authorization, if there is one, is marked so that nothing prints it.
    pub(super) async fn post_form(
        &self,
        uri: &Uri,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, String> {
        let mut request =
            Request::post(uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(mut value) = authorization {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        self.send(request, form.into()).await
    }

    async fn send(&self, request: http::request::Builder, body: Bytes) -> Result<Answer, String> {
        let request = request.header(ACCEPT, "application/json");
        self.0.send(request, body, BOUNDS).await
    }
}
