//! What AWS's services call the reasons for which a call stays refused until somebody changes something.
//!
//! Invariant: the one list of their names. Whatever isn't in it may pass by itself.

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Credentials that AWS doesn't accept.
    BadCredentials,
    /// The credentials lack a permission.
    Forbidden,
    /// There is no such bucket, table or queue.
    Missing,
    /// The bucket is in another region than the one that the request was signed for.
    Elsewhere,
}

impl Refusal {
    /// By the code of an error; `None` for one that may pass.
    pub fn of(code: Option<&str>) -> Option<Self> {
        Some(match code? {
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidToken" => Self::BadCredentials,
            "AccessDenied" | "AccessDeniedException" | "AccessDeniedFault" => Self::Forbidden,
            "ResourceNotFoundException"
            | "NoSuchBucket"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue"
            | "NotFound" => Self::Missing,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException" => Self::Elsewhere,
            _ => return None,
        })
    }
}
