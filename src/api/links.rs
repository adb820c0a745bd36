//! The calls under `/v1/links`, and those by which whoever has a link's URL takes what it passes on.
//!
//! Invariant: thin, as the calls on files are. The URL of a link stands in answers to those who may change the link,
//! and nowhere else.

mod bodies;
mod shapes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use poem::Request;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{ApiResponse, OpenApi, Tags};

use bodies::{DownloadSchema, LinkBody, LinkChangeSchema, NewLinkSchema};
pub(super) use bodies::{MAX_TRIED_CHARACTERS, tried_password};
use shapes::LinkList;
pub(super) use shapes::{WireGrant, WireLink, WireLinkPage, WireShared};

use super::call_context::context_of;
use super::idempotency_key::idempotency_key;
use super::json::Json;
use super::json_body::JsonBody;
use super::operation_errors::{self, ApiError};
use super::problem::{Code, Problem};
use super::public_urls::ServiceUrl;
use crate::access::{Action, Resource, authorize};
use crate::capability_token::RenewableId;
use crate::domain::{FileId, Invalid};
use crate::links::{GrantKey, Link, LinkPage, Taking};
use crate::operations::{Context, OperationError};
use crate::own_paths;
use crate::presigned_url::{BucketAddress, DownloadMethod};
use crate::service::FileService;

/// A page holds this many links if the client doesn't say.
const DEFAULT_LIMIT: usize = 50;

pub(super) struct LinksApi {
    pub service: Arc<FileService>,
    pub bucket: BucketAddress,
    /// Where the URLs of links lead.
    pub service_url: ServiceUrl,
}

#[derive(Tags)]
enum Tag {
    /// Pass files on to people without an account, by a URL that ends.
    Links,
}

#[derive(ApiResponse)]
enum Created {
    /// The link, with the URL to pass on.
    #[oai(status = 201)]
    Link(Json<WireLink>),
}

#[derive(ApiResponse)]
enum Listed {
    /// A page of links, newest first.
    #[oai(status = 200)]
    Page(Json<WireLinkPage>),
}

#[derive(ApiResponse)]
enum Changed {
    /// The link as it is now.
    #[oai(status = 200)]
    Link(Json<WireLink>),
}

#[derive(ApiResponse)]
enum Revoked {
    /// Its URL brings nothing any more, but for downloads that were handed out within the last minute.
    #[oai(status = 204)]
    Gone,
}

#[derive(ApiResponse)]
enum Shown {
    /// What the link passes on. To look counts nothing.
    #[oai(status = 200)]
    Shared(Json<WireShared>),
}

#[derive(ApiResponse)]
enum Granted {
    /// A URL of the bytes, for a minute at most.
    #[oai(status = 201)]
    Grant(Json<WireGrant>),
}

#[OpenApi(prefix_path = own_paths::API, tag = "Tag::Links")]
impl LinksApi {
    /// Pass files on
    ///
    /// Makes a link: a URL whose holder may fetch these files, until it ends, without an account. It may have a
    /// password, and a limit on how often each file is taken. The files may still be on their way.
    #[oai(path = "/links", method = "post", operation_id = "create_link")]
    async fn create_link(
        &self,
        request: &Request,
        body: JsonBody<NewLinkSchema>,
    ) -> Result<Created, ApiError<operation_errors::CreateLink>> {
        let base = self.base(request)?;
        let new = LinkBody::from(body.fields).new_link()?;
        let context = self.context(request);
        let link = self.service.create_link(&context, new).await?;
        Ok(Created::Link(Json(self.shown(&base, &link))))
    }

    /// List your links
    ///
    /// Those that aren't over, newest first, `limit` at a time. For the next page give `nextCursor` as `cursor`. A page
    /// may hold fewer links than asked for, even none, and still have a next one.
    #[oai(path = "/links", method = "get", operation_id = "list_links")]
    async fn list_links(
        &self,
        request: &Request,
        /// How many links a page holds at the most; 50 if it isn't given.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<usize>>,
        /// The `nextCursor` of the page before; empty or left out, the first page.
        cursor: Query<Option<String>>,
    ) -> Result<Listed, ApiError<operation_errors::ListLinks>> {
        let base = self.base(request)?;
        let context = self.context(request);
        let list = LinkList::OfOwner(context.caller.owner());
        let (after, limit) = asked_page(cursor.0.as_deref(), limit.0, list)?;
        let page = self.service.list_links(&context, after, limit).await?;
        Ok(self.page(&base, &page, list))
    }

    /// List the links of a file
    ///
    /// Yours that aren't over, newest first, `limit` at a time; for administrators, everybody's. For the next page give
    /// `nextCursor` as `cursor`. A page may hold fewer links than asked for, even none, and still have a next one. A file
    /// may be in a hundred.
    #[oai(
        path = "/files/:id/links",
        method = "get",
        operation_id = "list_file_links"
    )]
    async fn list_file_links(
        &self,
        request: &Request,
        /// The file's `id`: from the answer that created it, or from the list.
        id: Path<String>,
        /// How many links a page holds at the most; 50 if it isn't given.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<usize>>,
        /// The `nextCursor` of the page before; empty or left out, the first page.
        cursor: Query<Option<String>>,
    ) -> Result<Listed, ApiError<operation_errors::ListFileLinks>> {
        let base = self.base(request)?;
        let id = file_id(&id)?;
        let context = self.context(request);
        let list = LinkList::OfFile(id, context.caller.owner());
        let page = asked_page(cursor.0.as_deref(), limit.0, list)?;
        let page = self.service.list_file_links(&context, id, page).await?;
        Ok(self.page(&base, &page, list))
    }

    /// Change a link
    ///
    /// What is given is changed, `null` takes a title, label, password or limit away, and the rest stays. `renew` gives
    /// it another URL, and ends the one that it had. What was taken stays counted.
    #[oai(path = "/links/:id", method = "patch", operation_id = "change_link")]
    async fn change_link(
        &self,
        request: &Request,
        /// The link's `id`: from the answer that made it, or from a list. Not what stands in its URL.
        id: Path<String>,
        body: JsonBody<LinkChangeSchema>,
    ) -> Result<Changed, ApiError<operation_errors::ChangeLink>> {
        let base = self.base(request)?;
        let context = self.context(request);
        let id = link_id(&context, Action::ChangeLink, &id)?;
        let change = LinkBody::from(body.fields).change()?;
        let link = self.service.change_link(&context, id, change).await?;
        Ok(Changed::Link(Json(self.shown(&base, &link))))
    }

    /// End a link
    ///
    /// For good: its URL says from then on that it is over.
    #[oai(path = "/links/:id", method = "delete", operation_id = "revoke_link")]
    async fn revoke_link(
        &self,
        request: &Request,
        /// The link's `id`: from the answer that made it, or from a list. Not what stands in its URL.
        id: Path<String>,
    ) -> Result<Revoked, ApiError<operation_errors::RevokeLink>> {
        let context = self.context(request);
        let id = link_id(&context, Action::RevokeLink, &id)?;
        self.service.revoke_link(&context, id).await?;
        Ok(Revoked::Gone)
    }

    /// Look at what a link passes on
    ///
    /// For whoever has its URL, without an account unless the link is for people who signed in. It never counts: a
    /// program may look as often as it likes. The names are shown without the password, the bytes and their SHA-256
    /// aren't.
    #[oai(
        path = "/shared/:token",
        method = "get",
        operation_id = "describe_shared"
    )]
    async fn describe_shared(
        &self,
        request: &Request,
        /// The 43 characters behind `/s/` in the link's URL.
        token: Path<String>,
    ) -> Result<Shown, ApiError<operation_errors::DescribeShared>> {
        let context = self.context(request);
        let shared = self.service.describe_shared(&context, &token).await?;
        Ok(Shown::Shared(Json(WireShared::of(&shared))))
    }

    /// Take a file that a link passes on
    ///
    /// Answers with a presigned URL of the bytes, which works for a minute at most, and never longer than the link. Where
    /// the link has a limit, this counts, exactly; the same request with the same `Idempotency-Key` doesn't count again
    /// within 15 minutes, so a client whose answer got lost sends it again.
    #[oai(
        path = "/shared/:token/files/:id/downloads",
        method = "post",
        operation_id = "download_shared"
    )]
    async fn download_shared(
        &self,
        request: &Request,
        /// The 43 characters behind `/s/` in the link's URL.
        token: Path<String>,
        /// The file's `id`, as the link shows it.
        id: Path<String>,
        /// A text of the client's own that is new for each download, such as a UUID: visible ASCII, with or without
        /// quotes. Can be left empty.
        #[oai(name = "Idempotency-Key")]
        _idempotency_key: Header<Option<String>>,
        body: JsonBody<DownloadSchema>,
    ) -> Result<Granted, ApiError<operation_errors::DownloadShared>> {
        let key = idempotency_key(request.headers())?;
        let context = self.context(request);
        let taking = Taking {
            password: LinkBody::from(body.fields).password_alone()?,
            file: file_id(&id)?,
            key: key.map(|key| GrantKey::of(key, context.caller.owner())),
            method: DownloadMethod::Get,
        };
        let grant = self
            .service
            .download_shared(&context, &token, taking)
            .await?;
        Ok(Granted::Grant(Json(WireGrant::of(&grant))))
    }
}

impl LinksApi {
    fn context(&self, request: &Request) -> Context {
        context_of(request, &self.bucket)
    }

    /// Where this client reaches the service. Asked before anything is done that couldn't be answered.
    fn base(&self, request: &Request) -> Result<String, Problem> {
        let base = self.service_url.for_request(request);
        base.map_err(|Invalid(why)| Code::InvalidRequest.with(why))
    }

    fn page(&self, base: &str, page: &LinkPage, list: LinkList) -> Listed {
        let links = page.links.iter().map(|link| self.shown(base, link));
        Listed::Page(Json(WireLinkPage {
            links: links.collect(),
            next_cursor: page.next.map(|id| shapes::write_cursor(id, list)),
        }))
    }

    fn shown(&self, base: &str, link: &Link) -> WireLink {
        let token = self.service.link_token(link);
        let path = own_paths::SHARED_PAGE.replace("{token}", token.expose());
        WireLink::of(link, format!("{base}{path}"))
    }
}

/// Behind which link a page goes on, and how many it holds.
fn asked_page(
    cursor: Option<&str>,
    limit: Option<usize>,
    list: LinkList,
) -> Result<(Option<RenewableId>, usize), Problem> {
    let after = match cursor {
        None | Some("") => None,
        Some(text) => Some(
            shapes::read_cursor(text, list)
                .map_err(|invalid| Code::InvalidRequest.with(format!("cursor: {invalid}")))?,
        ),
    };
    Ok((after, limit.unwrap_or(DEFAULT_LIMIT)))
}

/// A text that is no ID names no file: the same answer as for an ID that nobody has.
fn file_id(text: &str) -> Result<FileId, Problem> {
    FileId::parse(text).map_err(|_| Code::FileNotFound.plain())
}

/// A text that is no ID is refused as an unknown one is, by whoever may ask at all.
fn link_id(context: &Context, action: Action, text: &str) -> Result<RenewableId, Problem> {
    RenewableId::parse(text).map_err(|_| {
        match authorize(&context.caller, action, Resource::Service) {
            Ok(()) => Code::LinkNotFound.plain(),
            Err(denied) => OperationError::from(denied).into(),
        }
    })
}
