//! `/b/{token}`, which whoever is to hand in opens: a page for browsers, and for programs the way to the call that says what
//! the box takes.
//!
//! Invariant: a URL that brings nothing is the same page whatever is wrong with it. No answer is kept by anybody.
//!
//! Absent on purpose: what the page shows, which is in `web_page::box_page`, and handing in, which its script does by the
//! calls of the contract.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Result};

use super::call_context::context_of;
use super::file_page::wants_page;
use super::problem::{Code, Problem};
use super::public_urls::ServiceUrl;
use crate::boxes::{BoxTimes, FileBox};
use crate::capability_token::without_trailing_punctuation;
use crate::domain::Timestamp;
use crate::operations::OperationError;
use crate::presigned_url::BucketAddress;
use crate::service::FileService;
use crate::web_page::{BoxSheet, BoxView, Shown, WebPage, language_of};

/// Answers for the pages of boxes.
pub(super) struct BoxPageEndpoint {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    pub service_url: ServiceUrl,
    pub page: WebPage,
}

impl Endpoint for BoxPageEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let path = request.uri().path();
        let below = path.strip_prefix("/b/").unwrap_or_default();
        let decoded = percent_decode_str(below).decode_utf8_lossy();
        let token = without_trailing_punctuation(&decoded);
        let context = context_of(&request, &self.bucket);
        let described = self.service.describe_drop(&context, token).await;
        if !wants_page(request.headers()) {
            return match described {
                Ok(_) => self.for_a_program(token),
                Err(error) => Err(Problem::from(error).into()),
            };
        }
        let shown = Shown {
            language: language_of(request.headers()),
            root: &"../".repeat(below.matches('/').count() + 1),
            is_in: false,
        };
        let sheet;
        let view = match described {
            Ok((file_box, times, now)) => {
                sheet = self.sheet(&file_box, times, now);
                BoxView::Seen(&sheet)
            }
            Err(OperationError::SignInRequired) => BoxView::WhoAsks,
            Err(OperationError::Store(_) | OperationError::Overloaded) => BoxView::Unavailable,
            Err(_) => BoxView::NoSuchBox,
        };
        let mut response = self.page.box_page(request.headers(), view, shown);
        if let BoxView::Unavailable = view
            && let Some(pause) = Code::StoreUnavailable.retry_after()
        {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(pause));
        }
        Ok(response)
    }
}

impl BoxPageEndpoint {
    fn sheet(&self, file_box: &FileBox, times: BoxTimes, now: Timestamp) -> BoxSheet {
        let most = self.page.max_upload_bytes;
        BoxSheet {
            title: file_box.title.as_str().to_owned(),
            now,
            opens_at: times.opens_at,
            due_at: times.due_at,
            closes_at: times.closes_at,
            types: file_box.types.to_texts(),
            max_file_bytes: file_box.max_file_bytes.unwrap_or(most),
        }
    }

    /// To the call that says what the box takes.
    fn for_a_program(&self, token: &str) -> Result<Response> {
        let location = self.service_url.path_of(&format!("/v1/drop/{token}"));
        let location = HeaderValue::from_str(&location);
        let location = location.map_err(|_| Code::InternalError.plain())?;
        Ok(Response::builder()
            .status(StatusCode::TEMPORARY_REDIRECT)
            .header(header::LOCATION, location)
            .header(header::CACHE_CONTROL, "private, no-store")
            .finish())
    }
}
