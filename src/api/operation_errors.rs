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

/// What any request can be answered before its operation is asked; the last only if it would change
/// something.
pub(super) const BEFORE_ANY_OPERATION: [Code; 5] = [
    Code::MisdirectedRequest,
    Code::UnknownProxy,
    Code::RateLimited,
    Code::TooManyTries,
    Code::OriginNotAllowed,
];

/// Whether the contract's operation with this ID can be answered with `code`.
pub(super) fn can_end_in(operation_id: &str, code: Code) -> bool {
    COMMON.contains(&code)
        || BEFORE_ANY_OPERATION.contains(&code)
        || OPERATIONS
            .iter()
            .any(|(ids, codes)| ids.contains(&operation_id) && codes.contains(&code))
}

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

macro_rules! operations {
    ($($name:ident = $($id:literal)|+: $($code:ident),*;)+) => {
        $(
            pub(super) struct $name;
            impl Codes for $name {
                const CODES: &'static [Code] = &[$(Code::$code),*];
            }
        )+

        /// The codes by the IDs that the contract's operations have.
        const OPERATIONS: [(&[&str], &[Code]); [$(stringify!($name)),+].len()] =
            [$((&[$($id),+], $name::CODES)),+];
    };
}

operations! {
    CreateFile = "create_file": SignInRequired, NotAllowed, InvalidRequest, FileNotFound, ContentTooLarge, UnsupportedMediaType,
        TypeNotAllowed, IdempotencyKeyReused, FormUploadUnavailable, QuotaExceeded, InsufficientStorage,
        TooManyPending, TooManyCreates;
    CompleteUpload = "complete_upload": SignInRequired, NotAllowed, FileNotFound;
    RenewUpload = "renew_upload": SignInRequired, NotAllowed, FileNotFound, UploadSettled, InvalidRequest,
        FormUploadUnavailable, InsufficientStorage, BoxClosed, BoxNotFound;
    DownloadFile = "download_file" | "head_file": SignInRequired, NotAllowed, FileNotFound, UploadPending, FileRejected,
        FileWithdrawn, UploadExpired, InvalidRequest;
    DescribeFile = "describe_file": SignInRequired, NotAllowed, FileNotFound, InvalidRequest;
    IssueReceipt = "issue_receipt": SignInRequired, NotAllowed, FileNotFound, UploadPending, FileRejected,
        FileWithdrawn, UploadExpired, ReceiptsUnavailable, InvalidRequest;
    ListReceiptKeys = "list_receipt_keys": ;
    ListFiles = "list_files": SignInRequired, NotAllowed, InvalidRequest;
    ListEvents = "list_events": SignInRequired, NotAllowed, FileNotFound, InvalidRequest;
    DeleteFile = "delete_file": SignInRequired, NotAllowed, FileNotFound, Held, Retained, InsufficientStorage;
    HoldFile = "hold_file": SignInRequired, NotAllowed, FileNotFound, FileRejected, FileWithdrawn, UploadExpired,
        InvalidRequest, ContentTooLarge, UnsupportedMediaType, InsufficientStorage;
    KeepFile = "keep_file": SignInRequired, NotAllowed, FileNotFound, UploadPending, FileRejected, FileWithdrawn,
        UploadExpired, Retained, InvalidRequest, ContentTooLarge, UnsupportedMediaType, InsufficientStorage;
    ReleaseFile = "release_file": SignInRequired, NotAllowed, FileNotFound, InsufficientStorage;
    CreateToken = "create_token": SignInRequired, NotAllowed, InvalidRequest, TooManyTokens, TokensUnavailable, ContentTooLarge,
        UnsupportedMediaType, InsufficientStorage;
    ListTokens = "list_tokens": SignInRequired, NotAllowed;
    RevokeToken = "revoke_token": SignInRequired, NotAllowed, TokenNotFound, InsufficientStorage;
    RevokeUserTokens = "revoke_user_tokens": SignInRequired, NotAllowed, InvalidRequest, InsufficientStorage;
    BeginPairing = "begin_pairing": InvalidRequest, TokensUnavailable, TooManyPairings, TooManyTries, ContentTooLarge,
        UnsupportedMediaType, InsufficientStorage;
    RedeemPairing = "redeem_pairing": InvalidRequest, PairingGone, TooManyTokens, TokensUnavailable, ContentTooLarge,
        UnsupportedMediaType, InsufficientStorage;
    LookAtPairing = "look_at_pairing": SignInRequired, NotAllowed, InvalidRequest, PairingNotFound, TokensUnavailable,
        TooManyTries, ContentTooLarge, UnsupportedMediaType;
    ApprovePairing = "approve_pairing": SignInRequired, NotAllowed, InvalidRequest, PairingNotFound, TokensUnavailable,
        TooManyTries, ContentTooLarge, UnsupportedMediaType, InsufficientStorage;
    CreateLink = "create_link": SignInRequired, NotAllowed, InvalidRequest, FileNotFound, TooManyLinks, ContentTooLarge,
        UnsupportedMediaType, InsufficientStorage;
    ListLinks = "list_links": SignInRequired, NotAllowed, InvalidRequest;
    ListFileLinks = "list_file_links": SignInRequired, NotAllowed, InvalidRequest, FileNotFound;
    ChangeLink = "change_link": SignInRequired, NotAllowed, InvalidRequest, LinkNotFound, FileNotFound, TooManyLinks,
        ContentTooLarge, UnsupportedMediaType, InsufficientStorage;
    RevokeLink = "revoke_link": SignInRequired, NotAllowed, LinkNotFound, InsufficientStorage;
    DescribeShared = "describe_shared": SignInRequired, NotAllowed, LinkNotFound, LinkGone;
    DownloadShared = "download_shared": SignInRequired, NotAllowed, WrongPassword, InvalidRequest, LinkNotFound, LinkGone,
        FileNotFound, UploadPending, FileRejected, FileWithdrawn, UploadExpired, DownloadLimitReached, TooManyTries,
        ContentTooLarge, UnsupportedMediaType, InsufficientStorage;
    CreateBox = "create_box": SignInRequired, NotAllowed, InvalidRequest, ContentTooLarge, UnsupportedMediaType,
        InsufficientStorage;
    ListBoxes = "list_boxes": SignInRequired, NotAllowed, InvalidRequest;
    DescribeBox = "describe_box": SignInRequired, NotAllowed, InvalidRequest, BoxNotFound;
    ChangeBox = "change_box": SignInRequired, NotAllowed, InvalidRequest, BoxNotFound, BoxChanged, ContentTooLarge,
        UnsupportedMediaType, InsufficientStorage;
    EndBox = "end_box": SignInRequired, NotAllowed, BoxNotFound, InsufficientStorage;
    ListBoxFiles = "list_box_files": SignInRequired, NotAllowed, InvalidRequest, BoxNotFound;
    DescribeManifest = "describe_manifest": SignInRequired, NotAllowed, BoxNotFound;
    DescribeDrop = "describe_drop": SignInRequired, NotAllowed, BoxNotFound;
    HandIn = "hand_in": SignInRequired, NotAllowed, WrongPassword, InvalidRequest, BoxNotFound, FileNotFound, BoxClosed,
        TypeNotAllowed, ContentTooLarge, UnsupportedMediaType, IdempotencyKeyReused, QuotaExceeded, InsufficientStorage,
        TooManyPending, TooManyCreates, TooManyTries;
    DescribeSession = "describe_session": ;
    BeginSession = "begin_session": SignInRequired, TooManyTries, InvalidRequest, ContentTooLarge, UnsupportedMediaType;
    StartSignIn = "start_sign_in": InvalidRequest, IssuerUnavailable, SignInUnavailable;
    FinishSignIn = "finish_sign_in": InvalidRequest, SignInFailed, NoRole, IssuerUnavailable, SignInUnavailable,
        InsufficientStorage;
    EndSession = "end_session": ;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn each_operation_of_the_contract_has_its_codes_here_and_nothing_else_has() {
        let contract = include_str!("../../tests/openapi.json");
        let contract: Value = serde_json::from_str(contract).unwrap();
        let operations = contract["paths"].as_object().unwrap().values();
        let in_contract: BTreeSet<&str> = operations
            .flat_map(|methods| methods.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        let here: Vec<&str> = OPERATIONS
            .iter()
            .flat_map(|(ids, _)| ids.iter().copied())
            .collect();
        assert_eq!(here.len(), in_contract.len());
        assert_eq!(BTreeSet::from_iter(here), in_contract);
    }

    #[test]
    fn an_operation_ends_in_its_own_codes_and_in_those_of_all() {
        assert!(can_end_in("create_file", Code::TooManyPending));
        assert!(!can_end_in("delete_file", Code::TooManyPending));
        assert!(!can_end_in("create_file", Code::UploadPending));
        assert!(can_end_in("head_file", Code::UploadPending));
        assert!(can_end_in("list_files", Code::Overloaded));
        assert!(!can_end_in("list_files", Code::RouteNotFound));
    }
}
