//! The operations on boxes, through the same way in as all others.

use std::pin::pin;

use super::FileService;
use super::audit::{About, Brought};
use crate::access::{Action, Caller};
use crate::boxes::{
    self, BoxChange, BoxFiles, BoxList, BoxTimes, FileBox, HandedIn, NewBox, NewHandIn, WantedFiles,
};
use crate::capability_token::CapabilityToken;
use crate::create_limits::{Admitted, TooManyCreates};
use crate::domain::{BoxId, FileId, IdempotencyKey, Timestamp, UserId};
use crate::file_events::EventKind;
use crate::operations::{Context, CreatedFile, OperationError};
use crate::presigned_url::PresignedUpload;

impl Brought for HandedIn {
    fn name(&self) -> Option<String> {
        self.created.name()
    }

    fn made_file(&self) -> Option<FileId> {
        self.created.made_file()
    }

    fn owner(&self) -> Option<UserId> {
        self.created.owner()
    }

    fn event(&self, usual: Option<EventKind>) -> Option<EventKind> {
        self.created.event(usual)
    }
}
impl Brought for FileBox {
    fn name(&self) -> Option<String> {
        Some(self.id.to_string())
    }
}
impl Brought for BoxList {}
impl Brought for BoxFiles {}
impl Brought for (FileBox, BoxTimes, Timestamp) {}

/// Each fails as the operation of its name does, and as those on files do.
impl FileService {
    /// What stands in the URL of a box as it is now.
    pub fn box_token(&self, file_box: &FileBox) -> CapabilityToken {
        self.0.boxes.token(file_box)
    }

    /// [`boxes::create_box`].
    pub async fn create_box(
        &self,
        context: &Context,
        new: NewBox,
    ) -> Result<FileBox, OperationError> {
        let creating = pin!(boxes::create_box(
            &self.0.stores,
            &self.0.boxes,
            context,
            new
        ));
        self.run(context, Action::CreateBox, About::Unknown, creating)
            .await
    }

    /// [`boxes::list_boxes`].
    pub async fn list_boxes(
        &self,
        context: &Context,
        after: Option<BoxId>,
        limit: usize,
    ) -> Result<BoxList, OperationError> {
        let listing = pin!(boxes::list_boxes(
            &self.0.stores,
            &self.0.boxes,
            context,
            after,
            limit
        ));
        self.run(context, Action::ListBoxes, About::Unknown, listing)
            .await
    }

    /// [`boxes::describe_box`].
    pub async fn describe_box(
        &self,
        context: &Context,
        id: BoxId,
    ) -> Result<FileBox, OperationError> {
        let describing = pin!(boxes::describe_box(
            &self.0.stores,
            &self.0.boxes,
            context,
            id
        ));
        self.run(context, Action::DescribeBox, About::Box(id), describing)
            .await
    }

    /// [`boxes::change_box`].
    pub async fn change_box(
        &self,
        context: &Context,
        id: BoxId,
        change: BoxChange,
    ) -> Result<FileBox, OperationError> {
        let changing = pin!(boxes::change_box(
            &self.0.stores,
            &self.0.boxes,
            context,
            id,
            change
        ));
        self.run(context, Action::ChangeBox, About::Box(id), changing)
            .await
    }

    /// [`boxes::end_box`].
    pub async fn end_box(&self, context: &Context, id: BoxId) -> Result<(), OperationError> {
        let ending = pin!(boxes::end_box(&self.0.stores, &self.0.boxes, context, id));
        self.run(context, Action::EndBox, About::Box(id), ending)
            .await
    }

    /// [`boxes::list_box_files`], for a list or a manifest.
    pub async fn list_box_files(
        &self,
        context: &Context,
        action: Action,
        id: BoxId,
        wanted: WantedFiles,
    ) -> Result<BoxFiles, OperationError> {
        let (stores, boxes) = (&self.0.stores, &self.0.boxes);
        let listing = pin!(boxes::list_box_files(
            stores, boxes, context, action, id, wanted
        ));
        self.run(context, action, About::Box(id), listing).await
    }

    /// [`boxes::describe_drop`].
    pub async fn describe_drop(
        &self,
        context: &Context,
        token: &str,
    ) -> Result<(FileBox, BoxTimes, Timestamp), OperationError> {
        let describing = pin!(async {
            let (stores, boxes) = (&self.0.stores, &self.0.boxes);
            let (mut file_box, times, now) =
                boxes::describe_drop(stores, boxes, context, token).await?;
            file_box.types = file_box.types.within(&self.0.allowed_types);
            Ok::<_, OperationError>((file_box, times, now))
        });
        self.run(context, Action::DescribeDrop, About::Unknown, describing)
            .await
    }

    /// [`boxes::hand_in`], within the limits on creates of the caller's address.
    pub async fn hand_in(
        &self,
        context: &Context,
        token: &str,
        mut new: NewHandIn,
        key: Option<IdempotencyKey>,
    ) -> Result<HandedIn, OperationError> {
        let (stores, presigner) = (&self.0.stores, &self.0.presigner);
        let handing_in = pin!(async {
            // Before the limit: a create that no URL can be signed for takes nothing from it.
            context.bucket()?;
            let now = stores.clock.now();
            let admitted = self.0.create_limit.admit(context.address, now);
            let admitted = admitted.map_err(|TooManyCreates| OperationError::TooManyCreates)?;
            let mut in_box = None;
            let is_allowed = self.admit_type(&mut new.declared);
            let admit = |file_box: &FileBox| {
                // Only whoever may hand in here is told what may be.
                is_allowed?;
                let (id, places) = (file_box.id, file_box.max_files);
                let limit = &self.0.create_limit;
                let admitted = limit.admit_to_box(context.address, id, places, now);
                in_box = Some(admitted.map_err(|TooManyCreates| OperationError::TooManyCreates)?);
                Ok(())
            };
            let boxes = &self.0.boxes;
            let handing_in =
                boxes::hand_in(stores, boxes, presigner, context, token, (new, key), admit);
            let handed_in = handing_in.await;
            let admitted = [Some(admitted), in_box].into_iter().flatten();
            match &handed_in {
                Ok(HandedIn {
                    created:
                        CreatedFile {
                            record,
                            upload: Some(_),
                            ..
                        },
                    ..
                }) => {
                    let end = stores.lifecycle.uploads_end_at(record);
                    admitted.for_each(|it| it.keep(record.id, end));
                }
                Ok(_) | Err(_) => admitted.for_each(Admitted::give_back),
            }
            handed_in
        });
        self.run(context, Action::HandIn, About::Unknown, handing_in)
            .await
    }

    /// [`boxes::renew_hand_in`], for whoever shows that they handed the file in; `None` for everybody else.
    pub(super) async fn renew_hand_in(
        &self,
        context: &Context,
        id: FileId,
    ) -> Option<Result<PresignedUpload, OperationError>> {
        match context.caller {
            Caller::Submitter(_) => {
                let (stores, presigner) = (&self.0.stores, &self.0.presigner);
                let renewing = pin!(boxes::renew_hand_in(
                    stores,
                    &self.0.boxes,
                    presigner,
                    context,
                    id
                ));
                let renewed = self.run(context, Action::RenewUpload, About::File(id), renewing);
                let renewed = renewed.await;
                if let Ok(upload) = &renewed {
                    let end = upload.expires_at + stores.lifecycle.upload_grace;
                    self.0.create_limit.extend(id, end);
                }
                Some(renewed)
            }
            _ => None,
        }
    }
}
