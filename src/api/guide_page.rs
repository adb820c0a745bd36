//! `/guide`: how programs share files by this very service.
//!
//! Invariant: the address in it is the one that the reader reached, or the public one, and nothing that would mean
//! anything in the programs that it is pasted with.
//!
//! Absent on purpose: who asks. It tells nothing that isn't in the product's documents.

use poem::{Endpoint, Request, Response, Result};

use super::problem::Code;
use super::public_urls::ServiceUrl;
use crate::domain::Invalid;
use crate::web_page::WebPage;

/// Answers for the guide.
pub(super) struct GuidePage {
    pub service_url: ServiceUrl,
    pub page: WebPage,
}

impl Endpoint for GuidePage {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let base = self.service_url.for_request(&request);
        let base = base.map_err(|Invalid(why)| Code::InvalidRequest.with(why))?;
        let page = self.page.guide(request.headers(), &base);
        let page =
            page.ok_or_else(|| Code::InvalidRequest.with("the Host header is no plain name"))?;
        Ok(page)
    }
}
