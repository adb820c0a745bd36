//! Why an operation didn't do what it was asked for.
//!
//! Invariant: each error has one [`ErrorCode`], which is what logs and the audit log call it. The API's problems
//! take their names from there too, so a line of a log and the answer to its request say the same word.
//!
//! Absent on purpose: HTTP. Which status and which words a client gets for a code is in `api/problem`.

use std::time::Duration;

use crate::access::Denied;
use crate::domain::{Invalid, Quota, RejectionReason, Timestamp};
use crate::store_error::StoreError;

/// Why an operation didn't do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// Nobody is known to call.
    #[error("nobody is signed in")]
    SignInRequired,
    /// The caller may not do this, whatever there is.
    #[error("this caller may not do this")]
    NotAllowed,
    /// No record has this ID, or the file was deleted, or its record is past its time.
    #[error("there is no such file")]
    FileNotFound,
    /// The bytes haven't been seen yet; asking again soon is right.
    #[error("the upload isn't finished")]
    UploadPending,
    /// Other bytes arrived than were declared; it says what differed.
    #[error("the upload was rejected: {}", .0.text)]
    FileRejected(RejectionReason),
    /// It was available, and was found to be what nobody is to have; it says what.
    #[error("the file was withdrawn: {}", .0.text)]
    FileWithdrawn(RejectionReason),
    /// No bytes arrived in time, and none are taken any more.
    #[error("the upload URL ran out before anything arrived")]
    UploadExpired,
    /// There is nothing more to upload: the file is available, rejected or expired.
    #[error("the upload is settled")]
    UploadSettled,
    /// Somebody who runs the service holds the file: nobody can delete it.
    #[error("the file is held")]
    Held,
    /// The file has to be kept until then.
    #[error("the file has to be kept")]
    Retained(Timestamp),
    /// The file can't be kept until the time that was asked for.
    #[error("until when to keep the file: {}", .0.0)]
    KeepUntil(Invalid),
    /// The key came with another request before.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The file can't be deleted at the time that the client asked for.
    #[error("when to delete the file: {}", .0.0)]
    DeleteAfter(Invalid),
    /// A form could overwrite what is there: the bucket keeps no versions.
    #[error("the store can't take forms safely")]
    FormNotSafe,
    /// The file that the idempotency key made was deleted since.
    #[error("the file that the idempotency key made was deleted")]
    FileOfKeyDeleted,
    /// It can't be told where the caller reaches the bucket, so no URL can be signed for it.
    #[error("where the bucket is reached: {}", .0.0)]
    BucketAddressUnknown(Invalid),
    /// There is no key that signs receipts.
    #[error("this service signs no receipts")]
    ReceiptsUnavailable,
    /// Too many calls of this kind are in hand; the same call again soon is right.
    #[error("too many calls are in hand")]
    Overloaded,
    /// The caller's address has created as many files as it may for now.
    #[error("this address has created as many files as it may for now")]
    TooManyCreates,
    /// There is no such link for the caller, or the URL is none of ours.
    #[error("there is no such link")]
    LinkNotFound,
    /// The URL was a link's, which ended or was renewed.
    #[error("the link is over")]
    LinkGone,
    /// The file was taken by this link as often as it may be.
    #[error("the file was taken by this link as often as it may be")]
    DownloadLimitReached,
    /// The link or box asks for a password, and this isn't it, or none was given.
    #[error("that isn't the password")]
    WrongPassword,
    /// The password was guessed too often from this address; it says how long to wait.
    #[error("the password was guessed too often")]
    TooManyTries(Duration),
    /// A file is in as many links as it may be.
    #[error("a file is in as many links as it may be")]
    TooManyLinks,
    /// A field of a link isn't right at this time; it is named.
    #[error("{0} of a link: {1}")]
    LinkField(&'static str, Invalid),
    /// There is no such box for the caller, or the URL is none of ours, or it was renewed.
    #[error("there is no such box")]
    BoxNotFound,
    /// The box isn't as whoever changes it believes.
    #[error("the box was changed by somebody else")]
    BoxChanged,
    /// The box takes nothing now. Those times hold for whoever asked.
    #[error("the box is closed")]
    BoxClosed {
        /// From when on it takes files.
        opens_at: Option<Timestamp>,
        /// Until when.
        closes_at: Option<Timestamp>,
    },
    /// The box has as many files as it may.
    #[error("the box is full")]
    BoxFull,
    /// The file doesn't fit into what its owner may have.
    #[error("its owner may have no more")]
    QuotaExceeded(Quota),
    /// Other types of files are taken, with these endings.
    #[error("files of this type aren't taken")]
    TypeNotAllowed(Vec<String>),
    /// The box takes files of so many bytes at the most.
    #[error("the box takes no files of more than {0} bytes")]
    TooLargeForBox(u64),
    /// A field of a box, or of what is handed in, isn't right; it is named.
    #[error("{0} of a box: {1}")]
    BoxField(&'static str, Invalid),
    /// A store failed; the same call again is right where [`StoreError`] says so.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Denied> for OperationError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::SignInRequired => Self::SignInRequired,
            Denied::NotAllowed => Self::NotAllowed,
            // As if it had never been.
            Denied::NotFound => Self::FileNotFound,
        }
    }
}

impl OperationError {
    /// What it means, without what is known only of this case.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::SignInRequired => ErrorCode::SignInRequired,
            Self::NotAllowed => ErrorCode::NotAllowed,
            Self::FileNotFound | Self::FileOfKeyDeleted => ErrorCode::FileNotFound,
            Self::UploadPending => ErrorCode::UploadPending,
            Self::FileRejected(_) => ErrorCode::FileRejected,
            Self::FileWithdrawn(_) => ErrorCode::FileWithdrawn,
            Self::UploadExpired => ErrorCode::UploadExpired,
            Self::UploadSettled => ErrorCode::UploadSettled,
            Self::Held => ErrorCode::Held,
            Self::Retained(_) => ErrorCode::Retained,
            Self::IdempotencyKeyReused => ErrorCode::IdempotencyKeyReused,
            Self::FormNotSafe => ErrorCode::FormUploadUnavailable,
            Self::BoxNotFound => ErrorCode::BoxNotFound,
            Self::BoxChanged => ErrorCode::BoxChanged,
            Self::BoxClosed { .. } => ErrorCode::BoxClosed,
            Self::BoxFull | Self::QuotaExceeded(_) => ErrorCode::QuotaExceeded,
            Self::TypeNotAllowed(_) => ErrorCode::TypeNotAllowed,
            Self::TooLargeForBox(_) => ErrorCode::ContentTooLarge,
            Self::DeleteAfter(_)
            | Self::KeepUntil(_)
            | Self::BucketAddressUnknown(_)
            | Self::LinkField(..)
            | Self::BoxField(..) => ErrorCode::InvalidRequest,
            Self::ReceiptsUnavailable => ErrorCode::ReceiptsUnavailable,
            Self::LinkNotFound => ErrorCode::LinkNotFound,
            Self::LinkGone => ErrorCode::LinkGone,
            Self::DownloadLimitReached => ErrorCode::DownloadLimitReached,
            Self::WrongPassword => ErrorCode::WrongPassword,
            Self::TooManyTries(_) => ErrorCode::TooManyTries,
            Self::TooManyLinks => ErrorCode::TooManyLinks,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::TooManyCreates => ErrorCode::TooManyCreates,
            Self::Store(error) => match error {
                StoreError::Unavailable { .. } | StoreError::Locked { .. } => {
                    ErrorCode::StoreUnavailable
                }
                StoreError::OutOfSpace { .. } => ErrorCode::InsufficientStorage,
                StoreError::TooManyPending { .. } => ErrorCode::TooManyPending,
                StoreError::Corrupt { .. } | StoreError::AlreadyExists { .. } => {
                    ErrorCode::InternalError
                }
            },
        }
    }

    /// The error with all its causes on one line, for a log.
    pub fn chain(&self) -> String {
        match self {
            Self::Store(error) => error.chain(),
            other => other.to_string(),
        }
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal,)+) => {
        /// What an error means to whoever called, by a name that doesn't change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $code,)+
        }

        impl ErrorCode {
            /// All there are.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$code),+];

            /// Its name in answers, logs and the audit log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }
        }
    };
}

error_codes! {
    /// Nobody is known to call.
    SignInRequired = "sign_in_required",
    /// The caller may not do this.
    NotAllowed = "not_allowed",
    /// The caller's address has created its share.
    TooManyCreates = "too_many_creates",
    /// Something in the call isn't right.
    InvalidRequest = "invalid_request",
    /// There is no such file for the caller.
    FileNotFound = "file_not_found",
    /// The bytes haven't been seen yet.
    UploadPending = "upload_pending",
    /// The upload is over, so there is nothing more to send.
    UploadSettled = "upload_settled",
    /// The file is held, and can't be deleted.
    Held = "held",
    /// The file has to be kept, and can't be deleted before.
    Retained = "retained",
    /// Other bytes came than were declared.
    FileRejected = "file_rejected",
    /// Something was found in a file that was available.
    FileWithdrawn = "file_withdrawn",
    /// No bytes came in time.
    UploadExpired = "upload_expired",
    /// There is no such link for the caller.
    LinkNotFound = "link_not_found",
    /// The link is over.
    LinkGone = "link_gone",
    /// The file was taken by the link as often as it may be.
    DownloadLimitReached = "download_limit_reached",
    /// The link or box has another password.
    WrongPassword = "wrong_password",
    /// Something was guessed too often.
    TooManyTries = "too_many_tries",
    /// A file is in as many links as it may be.
    TooManyLinks = "too_many_links",
    /// There is no such box for the caller.
    BoxNotFound = "box_not_found",
    /// The box isn't as whoever changes it believes.
    BoxChanged = "box_changed",
    /// The box takes nothing now.
    BoxClosed = "box_closed",
    /// The box has as many files as it may, or somebody has as much.
    QuotaExceeded = "quota_exceeded",
    /// Other types of files are taken.
    TypeNotAllowed = "type_not_allowed",
    /// The file is larger than may be.
    ContentTooLarge = "content_too_large",
    /// The idempotency key belongs to another request.
    IdempotencyKeyReused = "idempotency_key_reused",
    /// The store can't take forms safely.
    FormUploadUnavailable = "form_upload_unavailable",
    /// There is no key that signs receipts.
    ReceiptsUnavailable = "receipts_unavailable",
    /// A store can't be reached; the same call again is right.
    StoreUnavailable = "store_unavailable",
    /// Too much is in hand; the same call again is right.
    Overloaded = "overloaded",
    /// No room is left.
    InsufficientStorage = "insufficient_storage",
    /// As many files wait for their bytes as may.
    TooManyPending = "too_many_pending",
    /// A fault of the program's, or of what it keeps.
    InternalError = "internal_error",
}

impl ErrorCode {
    /// Whether it is a refusal that the audit log has to have: nobody is signed in, may not, or too often, or a
    /// password is wrong.
    pub fn is_audited_refusal(self) -> bool {
        matches!(
            self,
            Self::SignInRequired
                | Self::NotAllowed
                | Self::TooManyCreates
                | Self::WrongPassword
                | Self::TooManyTries
        )
    }
}
