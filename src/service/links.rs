//! The operations on links, through the same way in as all others.

use std::pin::pin;

use super::FileService;
use super::audit::About;
use crate::access::Action;
use crate::capability_token::{CapabilityToken, RenewableId};
use crate::domain::FileId;
use crate::links::{self, Grant, Link, LinkChange, LinkPage, NewLink, SharedFiles, Taking};
use crate::operations::{Context, OperationError};

/// Each fails as the operation of its name does, and as those on files do.
impl FileService {
    /// What stands in the URL of a link as it is now.
    pub fn link_token(&self, link: &Link) -> CapabilityToken {
        self.0.links.token(link)
    }

    /// [`links::create_link`].
    pub async fn create_link(
        &self,
        context: &Context,
        new: NewLink,
    ) -> Result<Link, OperationError> {
        let creating = pin!(links::create_link(
            &self.0.stores,
            &self.0.links,
            context,
            new
        ));
        self.run(context, Action::CreateLink, About::Unknown, creating)
            .await
    }

    /// [`links::list_links`].
    pub async fn list_links(
        &self,
        context: &Context,
        after: Option<RenewableId>,
        limit: usize,
    ) -> Result<LinkPage, OperationError> {
        let listing = pin!(links::list_links(
            &self.0.stores,
            &self.0.links,
            context,
            after,
            limit
        ));
        self.run(context, Action::ListLinks, About::Unknown, listing)
            .await
    }

    /// [`links::list_file_links`].
    pub async fn list_file_links(
        &self,
        context: &Context,
        file: FileId,
        page: (Option<RenewableId>, usize),
    ) -> Result<LinkPage, OperationError> {
        let listing = pin!(links::list_file_links(
            &self.0.stores,
            &self.0.links,
            context,
            file,
            page
        ));
        self.run(context, Action::ListFileLinks, About::File(file), listing)
            .await
    }

    /// [`links::change_link`].
    pub async fn change_link(
        &self,
        context: &Context,
        id: RenewableId,
        change: LinkChange,
    ) -> Result<Link, OperationError> {
        let changing = pin!(links::change_link(
            &self.0.stores,
            &self.0.links,
            context,
            id,
            change
        ));
        self.run(context, Action::ChangeLink, About::Link(id), changing)
            .await
    }

    /// [`links::revoke_link`].
    pub async fn revoke_link(
        &self,
        context: &Context,
        id: RenewableId,
    ) -> Result<(), OperationError> {
        let revoking = pin!(links::revoke_link(
            &self.0.stores,
            &self.0.links,
            context,
            id
        ));
        self.run(context, Action::RevokeLink, About::Link(id), revoking)
            .await
    }

    /// [`links::describe_shared`].
    pub async fn describe_shared(
        &self,
        context: &Context,
        token: &str,
    ) -> Result<SharedFiles, OperationError> {
        let describing = pin!(links::describe_shared(
            &self.0.stores,
            &self.0.links,
            context,
            token
        ));
        self.run(context, Action::DescribeShared, About::Unknown, describing)
            .await
    }

    /// [`links::download_shared`].
    pub async fn download_shared(
        &self,
        context: &Context,
        token: &str,
        taking: Taking,
    ) -> Result<Grant, OperationError> {
        let (stores, presigner, file) = (&self.0.stores, &self.0.presigner, taking.file);
        let granting = pin!(links::download_shared(
            stores,
            presigner,
            &self.0.links,
            context,
            token,
            taking
        ));
        self.run(context, Action::DownloadShared, About::File(file), granting)
            .await
    }
}
