//! `/f/{id}`: what somebody gets who opens a link to a file.
//!
//! Invariant: a page for whoever reads pages, and the redirect to the bytes for every other program, so that curl and
//! wget save the file and not a page about it. A caller who may not see a file gets the page of a file that never was,
//! byte for byte. No answer is kept by anybody.
//!
//! Absent on purpose: what the page shows. That is in `web_page::file_page`.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response, Result};

use super::call_context::context_of;
use super::middleware::AskedForHead;
use super::problem::{Code, Problem};
use super::public_urls::ServiceUrl;
use crate::access::Caller;
use crate::domain::FileId;
use crate::operations::OperationError;
use crate::own_paths;
use crate::presigned_url::{BucketAddress, DownloadMethod};
use crate::service::FileService;
use crate::web_page::{FileView, Shown, WebPage, language_of, weighted};

/// What stands behind a link in a message, and is taken for a part of it.
const TRAILING: [char; 4] = ['.', ')', '>', ','];

/// Programs that save what they get, and accept HTML all the same: wget from version 2 on.
const SAVERS: [&str; 1] = ["wget"];

/// What the names have in them that programs give themselves which fetch a page to show what a link leads to. Most of
/// them accept everything, as curl does.
const PREVIEWERS: [&str; 14] = [
    "bot",
    "discord",
    "embedly",
    "facebookexternalhit",
    "iframely",
    "linkexpanding",
    "mastodon",
    "mattermost",
    "preview",
    "signal",
    "slack",
    "synapse",
    "telegram",
    "whatsapp",
];

/// Answers for the pages of files.
pub(super) struct FilePage {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    pub service_url: ServiceUrl,
    pub page: WebPage,
    /// Whether the service asks people who they are.
    pub asks: bool,
}

impl Endpoint for FilePage {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let given = request.raw_path_param("id").unwrap_or_default();
        let given = percent_decode_str(given).decode_utf8_lossy();
        let id = FileId::parse(given.trim_end_matches(TRAILING)).ok();
        match wants_page(request.headers()) {
            true => Ok(self.shown(&request, id).await),
            false => self.redirect(&request, id).await,
        }
    }
}

impl FilePage {
    async fn shown(&self, request: &Request, id: Option<FileId>) -> Response {
        let context = context_of(request, &self.bucket);
        let is_in = context.caller != Caller::Nobody;
        let shown = Shown {
            language: language_of(request.headers()),
            root: match request.uri().path().ends_with('/') {
                true => "../../",
                false => "../",
            },
            is_in,
        };
        let found = match id {
            // A refusal would be written to the audit log, and nothing was asked for.
            _ if self.asks && !is_in => {
                return self.page.file_page(
                    request.headers(),
                    FileView::SignInRequired,
                    shown,
                    None,
                );
            }
            Some(id) => self.service.describe_file(&context, id).await,
            None => Err(OperationError::FileNotFound),
        };
        match found {
            Ok(record) => {
                let base = self.service_url.for_request(request).ok();
                let path = own_paths::FILE_PAGE.replace("{id}", &record.id.to_string());
                let url = base.map(|base| base + &path);
                let view = FileView::Seen(&record);
                self.page
                    .file_page(request.headers(), view, shown, url.as_deref())
            }
            Err(OperationError::Store(_) | OperationError::Overloaded) => {
                let mut response =
                    self.page
                        .file_page(request.headers(), FileView::Unavailable, shown, None);
                let pause = Code::StoreUnavailable.retry_after().map(HeaderValue::from);
                if let Some(pause) = pause {
                    response.headers_mut().insert(header::RETRY_AFTER, pause);
                }
                response
            }
            Err(_) => self
                .page
                .file_page(request.headers(), FileView::NoSuchFile, shown, None),
        }
    }

    /// As a download of the contract.
    async fn redirect(&self, request: &Request, id: Option<FileId>) -> Result<Response> {
        let id = id.ok_or_else(|| Code::FileNotFound.plain())?;
        let method = match request.extensions().get::<AskedForHead>() {
            Some(AskedForHead) => DownloadMethod::Head,
            None => DownloadMethod::Get,
        };
        let context = context_of(request, &self.bucket);
        let url = self.service.download_file(&context, id, method).await;
        let url = url.map_err(Problem::from)?;
        let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
        let location = HeaderValue::from_str(url.expose());
        let location = location.map_err(|_| Code::InternalError.plain())?;
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, location);
        let private = HeaderValue::from_static("private, no-store");
        headers.insert(header::CACHE_CONTROL, private);
        Ok(response)
    }
}

/// Whether whoever asks shows pages to people: a browser says so, and a previewer goes by its name.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|value| value.to_str().ok());
    let agent = agent.map(str::to_ascii_lowercase).unwrap_or_default();
    let is_one_of = |names: &[&str]| names.iter().any(|name| agent.contains(name));
    !is_one_of(&SAVERS) && (accepts_html(headers) || is_one_of(&PREVIEWERS))
}

/// Whether HTML is named among what is accepted (RFC 9110, section 12.5.1). That everything is accepted, as programs
/// say that save what they get, isn't enough.
pub(super) fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|range| {
            let (media_type, weight) = weighted(range);
            let is_html = ["text/html", "application/xhtml+xml"]
                .iter()
                .any(|html| media_type.eq_ignore_ascii_case(html));
            is_html && weight > 0.0
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &str, agent: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::ACCEPT, accept), (header::USER_AGENT, agent)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        headers
    }

    #[test]
    fn browsers_and_previewers_get_pages_and_programs_that_save_get_bytes() {
        for (accept, agent, expected) in [
            (
                "text/html,application/xhtml+xml,*/*;q=0.8",
                "Mozilla/5.0",
                true,
            ),
            ("TEXT/HTML", "", true),
            ("application/json, text/html;q=0.1", "", true),
            ("text/html;q=0", "", false),
            ("text/html;level=1;Q=0", "", false),
            ("text/html;q=0.0, */*", "", false),
            ("*/*", "curl/8.14.1", false),
            ("*/*", "Wget/1.25.0", false),
            ("text/html,*/*;q=0.8", "Wget/2.2.0", false),
            ("", "python-requests/2.32", false),
            ("", "", false),
            ("*/*", "Slackbot-LinkExpanding 1.0", true),
            ("*/*", "facebookexternalhit/1.1", true),
            ("*/*", "WhatsApp/2.23", true),
            ("", "Mozilla/5.0 (compatible; Discordbot/2.0)", true),
        ] {
            assert_eq!(
                wants_page(&headers(accept, agent)),
                expected,
                "{accept} {agent}"
            );
        }
    }
}
