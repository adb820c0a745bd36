//! `/s/{token}`, which people pass on: a page for browsers, and the bytes for programs.
//!
//! Invariant: GET and HEAD never count. Who gets a page gets one also where something is wrong, and who doesn't accept
//! HTML gets a problem.

mod form;
mod view;

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use poem::http::{HeaderMap, Method, StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};

use form::TakeForm;
use view::{Message, notice, view};

use super::call_context::context_of;
use super::file_page::wants_page;
use super::observed::RequestId;
use super::problem::{Code, Problem};
use super::public_urls::ServiceUrl;
use crate::access::Gate;
use crate::capability_token::without_trailing_punctuation;
use crate::domain::FileState;
use crate::links::{GrantKey, SharedFiles, Taking};
use crate::operations::Context;
use crate::own_paths;
use crate::presigned_url::{BucketAddress, DownloadMethod};
use crate::service::FileService;
use crate::web_page::{Language, SharedPage, language_of};

/// Set where the browser was sent back to the same page once, since a cookie that is strictly for ours doesn't come
/// along from elsewhere, and does from here.
const ONCE_MORE: &str = "again";

pub(super) struct SharedPageEndpoint {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    pub service_url: ServiceUrl,
    pub gate: Arc<Gate>,
    pub page: SharedPage,
}

/// A request for the page of a link.
struct Asked {
    context: Context,
    token: String,
    /// From the page to the root.
    up: String,
    /// What a page for it is written in.
    language: Language,
    /// Whether somebody sits before a browser.
    wants_page: bool,
    is_once_more: bool,
    request_id: String,
    headers: HeaderMap,
}

impl Asked {
    fn read(bucket: &BucketAddress, request: &Request) -> Self {
        let path = request.uri().path();
        let below = path.strip_prefix("/s/").unwrap_or_default();
        let decoded = percent_decode_str(below).decode_utf8_lossy();
        let id = request.extensions().get::<RequestId>();
        Self {
            context: context_of(request, bucket),
            token: without_trailing_punctuation(&decoded).to_owned(),
            up: "../".repeat(below.matches('/').count() + 1),
            language: language_of(request.headers()),
            wants_page: wants_page(request.headers()),
            is_once_more: request.uri().query() == Some(ONCE_MORE),
            request_id: id.map_or_else(String::new, |id| id.0.clone()),
            headers: request.headers().clone(),
        }
    }
}

impl Endpoint for SharedPageEndpoint {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let asked = Asked::read(&self.bucket, &request);
        let method = request.method().clone();
        Ok(match method {
            Method::GET => self.show(&asked, DownloadMethod::Get).await,
            Method::HEAD => self.show(&asked, DownloadMethod::Head).await,
            Method::POST => match TakeForm::read(&mut request).await {
                Ok(form) => self.take(&asked, form).await,
                Err(problem) => self.refused(&asked, &problem),
            },
            _ => Code::MethodNotAllowed.plain().into_response(),
        })
    }
}

impl SharedPageEndpoint {
    async fn show(&self, asked: &Asked, method: DownloadMethod) -> Response {
        let shared = self
            .service
            .describe_shared(&asked.context, &asked.token)
            .await;
        match shared {
            Ok(shared) if asked.wants_page => {
                let view = view(&shared, asked.language, None);
                self.page
                    .view(&asked.headers, StatusCode::OK, &asked.up, &view)
            }
            Ok(shared) => self.for_a_program(asked, &shared, method).await,
            Err(error) => self.refused(asked, &error.into()),
        }
    }

    /// The bytes, where it is plain which and nothing has to be counted or known.
    async fn for_a_program(
        &self,
        asked: &Asked,
        shared: &SharedFiles,
        method: DownloadMethod,
    ) -> Response {
        let file = match shared.files.as_slice() {
            [file] if shared.link.password.is_none() && shared.link.max_downloads.is_none() => file,
            _ => return view::for_programs(shared).into_response(),
        };
        let taking = Taking {
            file: file.record.id,
            password: None,
            key: None,
            method,
        };
        let (context, token) = (&asked.context, &asked.token);
        match self.service.download_shared(context, token, taking).await {
            Ok(grant) => redirect(StatusCode::TEMPORARY_REDIRECT, grant.url.expose()),
            Err(error) => Problem::from(error).into_response(),
        }
    }

    /// What a form asks for.
    async fn take(&self, asked: &Asked, form: TakeForm) -> Response {
        let (context, token) = (&asked.context, &asked.token);
        let taking = Taking {
            file: form.file,
            password: form.password,
            key: form
                .key
                .map(|key| GrantKey::of(key, context.caller.owner())),
            method: DownloadMethod::Get,
        };
        let error = match self.service.download_shared(context, token, taking).await {
            Ok(grant) => return redirect(StatusCode::SEE_OTHER, grant.url.expose()),
            Err(error) => error,
        };
        let Some(message) = Message::of(&error) else {
            return self.refused(asked, &error.into());
        };
        let problem = Problem::from(error);
        if !asked.wants_page {
            return problem.into_response();
        }
        match self.service.describe_shared(context, token).await {
            Ok(shared) => {
                let view = view(&shared, asked.language, Some(message));
                let status = problem.code.status();
                self.page.view(&asked.headers, status, &asked.up, &view)
            }
            Err(error) => self.refused(asked, &error.into()),
        }
    }

    fn refused(&self, asked: &Asked, problem: &Problem) -> Response {
        if !asked.wants_page {
            return problem.clone().into_response();
        }
        let is_of_sign_in = problem.code == Code::SignInRequired;
        let mut notice = notice(problem, asked.language, &asked.request_id);
        if is_of_sign_in && !asked.is_once_more {
            notice.refresh = Some(format!("?{ONCE_MORE}"));
        }
        if is_of_sign_in {
            notice.action = self.sign_in(asked);
        }
        let status = problem.code.status();
        self.page.notice(&asked.headers, status, &asked.up, &notice)
    }

    /// Where somebody signs in who then comes back.
    fn sign_in(&self, asked: &Asked) -> Option<(String, String)> {
        self.gate.issuer()?;
        let back = own_paths::SHARED_PAGE.replace("{token}", &asked.token);
        let start = self.service_url.path_of(own_paths::SIGN_IN_START);
        let name = asked.language.words().get("shared.signIn");
        Some((format!("{start}?returnTo={back}"), name))
    }
}

fn redirect(status: StatusCode, location: &str) -> Response {
    Response::builder()
        .status(status)
        .header(header::LOCATION, location)
        .header(header::CACHE_CONTROL, "private, no-store")
        .finish()
}

/// Whether the file can be taken now.
fn is_there(state: &FileState) -> bool {
    matches!(state, FileState::Available(_))
}
