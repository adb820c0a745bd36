//! One call by one caller: what is known of it when its request was read, and what it asks for.
//!
//! Invariant: it is built once, at the door. What comes after takes it as it is, and reads no request.

use std::net::IpAddr;

use super::OperationError;
use crate::domain::Invalid;
use crate::presigned_url::BucketUrl;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Whose connection it is; `None` if that isn't known. Behind a proxy it is the proxy's.
    pub address: Option<IpAddr>,
}

/// One call by one caller.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who calls, as far as the connection shows it.
    pub caller: Caller,
    /// Says which call it is, in an answer and in the log.
    pub request_id: String,
    bucket: Result<BucketUrl, Invalid>,
}

impl Context {
    /// `bucket` is where this caller reaches the bucket, or why that can't be told from its request.
    pub fn new(caller: Caller, bucket: Result<BucketUrl, Invalid>, request_id: String) -> Self {
        Self {
            caller,
            request_id,
            bucket,
        }
    }

    /// A call of the program's own, that came by no connection.
    pub fn internal(bucket: BucketUrl) -> Self {
        Self::new(Caller { address: None }, Ok(bucket), String::new())
    }

    /// Where the caller reaches the bucket: what URLs for it are signed for.
    ///
    /// # Errors
    /// [`OperationError::BucketAddressUnknown`]. Only an operation that hands out a URL has to ask.
    pub fn bucket(&self) -> Result<&BucketUrl, OperationError> {
        self.bucket
            .as_ref()
            .map_err(|invalid| OperationError::BucketAddressUnknown(invalid.clone()))
    }
}

/// What a call asks for. One for each operation of the contract, and one for a wait, which takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A record and an upload URL for it.
    CreateFile,
    /// Another upload URL for a pending file.
    RenewUpload,
    /// Measuring what has arrived, at once. It may read a whole object.
    CompleteUpload,
    /// A download URL for an available file, for a GET or a HEAD.
    DownloadFile,
    /// What is known of a file now.
    DescribeFile,
    /// What is known of a file once its upload is settled; takes up to [`super::LONGEST_WAIT`].
    AwaitFile,
    /// One page of files.
    ListFiles,
    /// A tombstone in place of the record, and the bytes' deletion.
    DeleteFile,
}

impl Action {
    /// The operation's name in the contract; a wait is a description.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateFile => "create_file",
            Self::RenewUpload => "renew_upload",
            Self::CompleteUpload => "complete_upload",
            Self::DownloadFile => "download_file",
            Self::DescribeFile | Self::AwaitFile => "describe_file",
            Self::ListFiles => "list_files",
            Self::DeleteFile => "delete_file",
        }
    }
}
