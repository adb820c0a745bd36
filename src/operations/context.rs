//! One call by one caller: what is known of it when its request was read.
//!
//! Invariant: it is built once, at the door. What comes after takes it as it is, and reads no request.

use std::net::IpAddr;

use super::OperationError;
use crate::access::Caller;
use crate::domain::Invalid;
use crate::presigned_url::BucketUrl;

/// One call by one caller.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who calls.
    pub caller: Caller,
    /// Whose connection it is; `None` if that isn't known. Behind a proxy it is the proxy's.
    pub address: Option<IpAddr>,
    /// Says which call it is, in an answer and in the log.
    pub request_id: String,
    bucket: Result<BucketUrl, Invalid>,
}

impl Context {
    /// `bucket` is where this caller reaches the bucket, or why that can't be told from its request.
    pub fn new(
        caller: Caller,
        address: Option<IpAddr>,
        bucket: Result<BucketUrl, Invalid>,
        request_id: String,
    ) -> Self {
        Self {
            caller,
            address,
            request_id,
            bucket,
        }
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
