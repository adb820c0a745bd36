//! Which problems each operation can end in, for the handlers and the contract alike.
//!
//! Invariant: a handler's error type lists its codes, so the document names every error response
//! that there is.

use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::payload::{Json, Payload};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;

use super::problem::{Code, PROBLEM_JSON, Problem};
use super::wire::WireProblem;

/// The codes that one operation can end in, besides those of every operation.
pub trait Codes: Send {
    const CODES: &'static [Code];
}

/// Every operation can end in these.
const COMMON: [Code; 3] = [
    Code::InternalError,
    Code::StoreUnavailable,
    Code::Overloaded,
];

/// A problem out of the set `C`.
pub struct ApiError<C>(Problem, PhantomData<C>);

impl<C: Codes, E: Into<Problem>> From<E> for ApiError<C> {
    fn from(error: E) -> Self {
        let problem: Problem = error.into();
        debug_assert!(
            C::CODES.contains(&problem.code)
                || COMMON.contains(&problem.code)
                || problem.code == Code::InsufficientStorage,
            "{:?} isn't in the contract of this operation",
            problem.code
        );
        Self(problem, PhantomData)
    }
}

impl<C> From<ApiError<C>> for poem::Error {
    fn from(failed: ApiError<C>) -> Self {
        failed.0.into()
    }
}

impl<C: Codes> ApiResponse for ApiError<C> {
    fn meta() -> MetaResponses {
        let mut statuses: Vec<u16> = C::CODES
            .iter()
            .chain(&COMMON)
            .map(|code| code.status().as_u16())
            .collect();
        statuses.sort_unstable();
        statuses.dedup();
        let responses = statuses
            .into_iter()
            .map(|status| MetaResponse {
                // The document's writer puts in what the codes with this status mean.
                description: "",
                status: Some(status),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: PROBLEM_JSON,
                    schema: Json::<WireProblem>::schema_ref(),
                }],
                headers: vec![],
            })
            .collect();
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        WireProblem::register(registry);
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $($code:ident),+;)+) => {
        $(
            $(#[$doc])*
            pub struct $name;
            impl Codes for $name {
                const CODES: &'static [Code] = &[$(Code::$code),+];
            }
        )+
    };
}

codes! {
    CreateFile: InvalidRequest, FileNotFound, ContentTooLarge, UnsupportedMediaType,
        IdempotencyKeyReused, FormUploadUnavailable, InsufficientStorage,
        TooManyPending, TooManyCreates;
    CompleteUpload: FileNotFound;
    RenewUpload: FileNotFound, UploadSettled, InvalidRequest, FormUploadUnavailable,
        InsufficientStorage;
    DownloadFile: FileNotFound, UploadPending, FileRejected, UploadExpired, InvalidRequest;
    DescribeFile: FileNotFound, InvalidRequest;
    ListFiles: InvalidRequest;
    DeleteFile: FileNotFound, InsufficientStorage;
}
