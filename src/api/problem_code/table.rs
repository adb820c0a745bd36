//! The table of problems: each code with its status, its words, and when the request may be repeated.
//!
//! Invariant: an entry that was once published keeps its name and its meaning. What operations end in has its name from
//! there.

use poem::http::StatusCode;

use super::CodeInfo;
use crate::operations::ErrorCode;

codes! {
    InvalidRequest {
        name: ErrorCode::InvalidRequest.as_str(),
        status: StatusCode::BAD_REQUEST,
        retry_after_seconds: None,
        title: "The request isn't right",
        advice: "Correct what `detail` and `errors` name, and send the request again.",
        detail: None,
    }
    RouteNotFound {
        name: "route_not_found",
        status: StatusCode::NOT_FOUND,
        retry_after_seconds: None,
        title: "There is nothing at this path",
        advice: "Look the path up in /docs.",
        detail: Some("see /docs for the paths that there are"),
    }
    FileNotFound {
        name: ErrorCode::FileNotFound.as_str(),
        status: StatusCode::NOT_FOUND,
        retry_after_seconds: None,
        title: "There is no such file",
        advice: "The ID is wrong, or the file was deleted, or it was rejected or expired long ago.",
        detail: Some("no file has this ID"),
    }
    BoxNotFound {
        name: ErrorCode::BoxNotFound.as_str(),
        status: StatusCode::NOT_FOUND,
        retry_after_seconds: None,
        title: "There is no such box",
        advice: "The ID or the URL is wrong, or the box was ended, or has another URL now: ask whoever gave it to you.",
        detail: Some("there is no such box, or it has another URL now"),
    }
    BoxChanged {
        name: ErrorCode::BoxChanged.as_str(),
        status: StatusCode::PRECONDITION_FAILED,
        retry_after_seconds: None,
        title: "The box was changed by somebody else",
        advice: "Get the box, look at what it is now, and send the change again with its `ETag`.",
        detail: Some("the box isn't the one that If-Match names: it was changed meanwhile"),
    }
    BoxClosed {
        name: ErrorCode::BoxClosed.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "The box is closed",
        advice: "`detail` says when it is open, by the service's clock. Its owner can extend it.",
        detail: None,
    }
    QuotaExceeded {
        name: ErrorCode::QuotaExceeded.as_str(),
        status: StatusCode::INSUFFICIENT_STORAGE,
        retry_after_seconds: None,
        title: "There is no room for more files",
        advice: "Delete files that aren't needed: what is deleted, rejected or never sent counts no more. The operator \
            can raise what a person may have, the owner of a box its `maxFiles`.",
        detail: Some("whoever owns the file may have no more here"),
    }
    TypeNotAllowed {
        name: ErrorCode::TypeNotAllowed.as_str(),
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        retry_after_seconds: None,
        title: "Files of this type aren't taken",
        advice: "Send a file whose name ends in one of those in `detail`.",
        detail: None,
    }
    TokenNotFound {
        name: "token_not_found",
        status: StatusCode::NOT_FOUND,
        retry_after_seconds: None,
        title: "You have no such token",
        advice: "The ID is wrong, or the token was revoked or has run out: `GET /v1/tokens` lists yours.",
        detail: Some("none of your tokens has this ID"),
    }
    TooManyTokens {
        name: "too_many_tokens",
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "You have as many tokens as you may",
        advice: "Revoke one that is no longer needed, with `DELETE /v1/tokens/{id}`, and ask again.",
        detail: Some("there are 100 tokens already: revoke one of them first"),
    }
    TokensUnavailable {
        name: "tokens_unavailable",
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "This service asks nobody for a token",
        advice: "Call it without one. A token that was made here would hold when the service begins to ask: the \
            operator sets ACCESS=key or OIDC_ISSUER first.",
        detail: Some("whoever reaches this service may do everything, so no token is made"),
    }
    PairingNotFound {
        name: "pairing_not_found",
        status: StatusCode::NOT_FOUND,
        retry_after_seconds: None,
        title: "No program waits with this code",
        advice: "Compare the code with the one that the program shows. If it waits no more, since five minutes have \
            passed or the code was used, begin again there, such as with `fshare login`.",
        detail: Some("no program waits with this code: compare it with what the program shows, or begin again there"),
    }
    PairingGone {
        name: "pairing_gone",
        status: StatusCode::GONE,
        retry_after_seconds: None,
        title: "Nobody can let this program in any more",
        advice: "Five minutes have passed, or the device code has been redeemed: begin again with `POST /v1/pairings`.",
        detail: Some("this device code is over, was redeemed, or never was one: begin again"),
    }
    TooManyPairings {
        name: "too_many_pairings",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after_seconds: Some(30),
        title: "Too many programs wait to be let in",
        advice: "Send the same request again after `Retry-After` seconds: a program waits for five minutes at most.",
        detail: Some("as many programs wait to be let in as may at a time"),
    }
    LinkNotFound {
        name: ErrorCode::LinkNotFound.as_str(),
        status: StatusCode::NOT_FOUND,
        retry_after_seconds: None,
        title: "There is no such link",
        advice: "Copy the whole link again. If you are its owner, `GET /v1/links` lists yours.",
        detail: Some("no link has this address or ID"),
    }
    LinkGone {
        name: ErrorCode::LinkGone.as_str(),
        status: StatusCode::GONE,
        retry_after_seconds: None,
        title: "This link is over",
        advice: "Its time ran out, or its owner ended it or gave it another address: ask them for a new one.",
        detail: Some("the link has ended"),
    }
    DownloadLimitReached {
        name: ErrorCode::DownloadLimitReached.as_str(),
        status: StatusCode::GONE,
        retry_after_seconds: None,
        title: "The file was taken as often as it may be",
        advice: "Ask the link's owner, who can allow more downloads with `maxDownloads`.",
        detail: Some("this link brings the file no more"),
    }
    WrongPassword {
        name: ErrorCode::WrongPassword.as_str(),
        status: StatusCode::FORBIDDEN,
        retry_after_seconds: None,
        title: "That is not the password",
        advice: "Send the password that its owner gave you as `password`. Ten wrong ones a minute are looked at.",
        detail: Some("a password is asked for, and this isn't it"),
    }
    TooManyLinks {
        name: ErrorCode::TooManyLinks.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "The file is in as many links as it may be",
        advice: "End one that is no longer needed, with `DELETE /v1/links/{id}`, and ask again.",
        detail: Some("a file may be in 100 links: end one of them first"),
    }
    LinkOpensPage {
        name: "link_opens_page",
        status: StatusCode::NOT_ACCEPTABLE,
        retry_after_seconds: None,
        title: "This link opens a page",
        advice: "Open it in a browser, or give it to `fshare download`. A program asks `GET /v1/shared/{token}` what there \
            is, and `POST /v1/shared/{token}/files/{id}/downloads` for a URL.",
        detail: None,
    }
    TooManyTries {
        name: ErrorCode::TooManyTries.as_str(),
        status: StatusCode::TOO_MANY_REQUESTS,
        retry_after_seconds: Some(30),
        title: "Too many tries",
        advice: "Send the same request again after `Retry-After` seconds. Before that nothing is looked at, so that \
            nobody finds a code or a password by trying, or takes all places.",
        detail: None,
    }
    MethodNotAllowed {
        name: "method_not_allowed",
        status: StatusCode::METHOD_NOT_ALLOWED,
        retry_after_seconds: None,
        title: "This path doesn't take that method",
        advice: "Use one of the methods in the `Allow` header.",
        detail: Some("the Allow header has the methods that this path takes"),
    }
    SignInRequired {
        name: ErrorCode::SignInRequired.as_str(),
        status: StatusCode::UNAUTHORIZED,
        retry_after_seconds: None,
        title: "Nobody is signed in",
        advice: "`signIn` of `GET /v1/session` says how. `key`: people open the link that the service printed at its \
            first start, programs send `Authorization: Bearer fsk_…`; the key is in the file `access-key` of the \
            service's data directory. `oidc`: people open `/v1/session/start`, programs send an access token of the \
            service's issuer. An API token, `fst_…`, does in both.",
        detail: Some("this call needs somebody who is signed in"),
    }
    SignInFailed {
        name: "sign_in_failed",
        status: StatusCode::FORBIDDEN,
        retry_after_seconds: None,
        title: "You aren't signed in",
        advice: "Sign in again, in one tab and within ten minutes, in a browser that keeps cookies. If it fails \
            again, tell the operator the request ID: the log says why.",
        detail: Some("the sign-in failed"),
    }
    NoRole {
        name: "no_role",
        status: StatusCode::FORBIDDEN,
        retry_after_seconds: None,
        title: "You may not use this service",
        advice: "You are known where you signed in, but none of your groups there may use this service. Ask its \
            operator to name one of them (OIDC_MEMBERS, OIDC_GUESTS), or sign in as somebody else.",
        detail: Some("none of your groups may use this service"),
    }
    IssuerUnavailable {
        name: "issuer_unavailable",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after_seconds: Some(10),
        title: "Nobody can sign in right now",
        advice: "Where people sign in can't be reached. Try again after `Retry-After` seconds; whoever is signed in already stays so.",
        detail: Some("where people sign in can't be reached"),
    }
    SignInUnavailable {
        name: "sign_in_unavailable",
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "Nobody signs in at an issuer here",
        advice: "`signIn` of `GET /v1/session` says how people sign in: with a key, or not at all. For an issuer the \
            operator sets OIDC_ISSUER.",
        detail: Some("this service has no issuer to sign in at"),
    }
    NotAllowed {
        name: ErrorCode::NotAllowed.as_str(),
        status: StatusCode::FORBIDDEN,
        retry_after_seconds: None,
        title: "You may not do this",
        advice: "Your role or your token doesn't allow it: `GET /v1/session` says which you have. Ask the operator \
            for another role, or make a token with the scope that is missing.",
        detail: Some("your role or your token doesn't allow this"),
    }
    UnknownProxy {
        name: "unknown_proxy",
        status: StatusCode::FORBIDDEN,
        retry_after_seconds: None,
        title: "A proxy stands before a service that knows of none",
        advice: "The service asks nobody who they are, since only its own machine reaches it. A proxy brings \
            others: set PUBLIC_URL to the address that people use. Then they are asked for a key; or \
            ACCESS=open lets everybody do everything, where the proxy asks.",
        detail: Some("set PUBLIC_URL to the address that people use, or ACCESS=open"),
    }
    OriginNotAllowed {
        name: "origin_not_allowed",
        status: StatusCode::FORBIDDEN,
        retry_after_seconds: None,
        title: "Pages of that origin may change nothing here",
        advice: "The request came from a page of another origin. If that page may use this service, the \
            operator has to name its origin in ALLOWED_ORIGINS. If it is the service's own page, a \
            proxy hides the host that it was asked for: in nginx `proxy_set_header Host $http_host;` \
            passes it on, and PUBLIC_URL says it once and for all.",
        detail: Some("ALLOWED_ORIGINS doesn't name the origin of the page"),
    }
    MisdirectedRequest {
        name: "misdirected_request",
        status: StatusCode::MISDIRECTED_REQUEST,
        retry_after_seconds: None,
        title: "The service doesn't answer to that host name",
        advice: "Use the service's IP address or `localhost`. For another name the operator has to add it \
            to ALLOWED_HOSTS or set PUBLIC_URL: else any name on the internet could be made to mean \
            this machine.",
        detail: Some("the Host header has a name that isn't this machine's, nor in ALLOWED_HOSTS or PUBLIC_URL"),
    }
    UploadPending {
        name: ErrorCode::UploadPending.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: Some(1),
        title: "The upload isn't finished",
        advice: "Send the bytes if you haven't. If you have, ask again after `Retry-After` seconds, or let \
            `GET /v1/files/{id}/metadata?wait=20` tell you when the file is settled.",
        detail: Some("the bytes haven't been seen yet"),
    }
    ReceiptsUnavailable {
        name: ErrorCode::ReceiptsUnavailable.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "This service signs no receipts",
        advice: "The operator sets RECEIPT_KEY to a key of its own; then files that are there already have receipts too.",
        detail: Some("this service has no key to sign receipts with: its operator can set RECEIPT_KEY"),
    }
    UploadSettled {
        name: ErrorCode::UploadSettled.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "There is nothing more to upload",
        advice: "The bytes of this file have been judged, or its time is over: see its `status`. For other \
            bytes create another file.",
        detail: Some("this file is no longer pending"),
    }
    Held {
        name: ErrorCode::Held.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "The file is held",
        advice: "Those who run the service have said that the file stays, such as for a case that is under way. Nobody can \
            delete it until they end the hold: ask them. If you are one of them, `DELETE /v1/files/{id}/hold` ends it; \
            the record has its reason.",
        detail: Some("the file is held: it can be deleted when those who run the service have ended the hold"),
    }
    Retained {
        name: ErrorCode::Retained.as_str(),
        status: StatusCode::CONFLICT,
        retry_after_seconds: None,
        title: "The file has to be kept",
        advice: "This service keeps files for a while, whoever wants them gone: `keepUntil` of the record says until when. \
            Delete it then. Those who run the service can move that time forward, and nobody can move it back.",
        detail: None,
    }
    FileRejected {
        name: ErrorCode::FileRejected.as_str(),
        status: StatusCode::GONE,
        retry_after_seconds: None,
        title: "The upload was rejected",
        advice: "The bytes that arrived weren't the ones that were declared, or are something else than the name \
            says; `detail` says which. Create another file and send it again.",
        detail: None,
    }
    FileWithdrawn {
        name: ErrorCode::FileWithdrawn.as_str(),
        status: StatusCode::GONE,
        retry_after_seconds: None,
        title: "The file was withdrawn",
        advice: "It was available, until a later scan found in it what `detail` says; nobody gets its bytes any more. \
            Whoever fetched it before should delete it.",
        detail: None,
    }
    UploadExpired {
        name: ErrorCode::UploadExpired.as_str(),
        status: StatusCode::GONE,
        retry_after_seconds: None,
        title: "The upload URL ran out before anything arrived",
        advice: "Create another file and send the bytes before `expiresAt`.",
        detail: Some("no bytes came in time"),
    }
    ContentTooLarge {
        name: ErrorCode::ContentTooLarge.as_str(),
        status: StatusCode::PAYLOAD_TOO_LARGE,
        retry_after_seconds: None,
        title: "Too many bytes",
        advice: "Send less: the limit is in `detail`.",
        detail: None,
    }
    UnsupportedMediaType {
        name: "unsupported_media_type",
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        retry_after_seconds: None,
        title: "The body must be JSON",
        advice: "Send JSON, with the header `Content-Type: application/json`.",
        detail: Some("send JSON, with the header Content-Type: application/json"),
    }
    IdempotencyKeyReused {
        name: ErrorCode::IdempotencyKeyReused.as_str(),
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retry_after_seconds: None,
        title: "The idempotency key belongs to another request",
        advice: "Use a fresh key, such as a UUID, for each file; repeat a key only with the request that it \
            came with first.",
        detail: Some("another name, size, type, digest, upload method, end or metadata came with this key within the last day"),
    }
    FormUploadUnavailable {
        name: ErrorCode::FormUploadUnavailable.as_str(),
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retry_after_seconds: None,
        title: "The store can't take forms safely",
        advice: "Leave `uploadMethod` out and send the bytes by PUT. For forms the operator has to turn the \
            bucket's versioning on: without it, a form that is sent again would overwrite the file.",
        detail: Some("the bucket keeps no versions, so a form could overwrite the file: leave uploadMethod out \
            and send the bytes by PUT"),
    }
    InternalError {
        name: ErrorCode::InternalError.as_str(),
        status: StatusCode::INTERNAL_SERVER_ERROR,
        retry_after_seconds: None,
        title: "Something went wrong here",
        advice: "Tell the operator the `requestId`; the log has the cause under it.",
        detail: Some("the log says more under this request's ID"),
    }
    StoreUnavailable {
        name: ErrorCode::StoreUnavailable.as_str(),
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after_seconds: Some(2),
        title: "The store can't be reached",
        advice: "Send the same request again after `Retry-After` seconds. Nothing was lost.",
        detail: Some("please send the same request again"),
    }
    Overloaded {
        name: ErrorCode::Overloaded.as_str(),
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after_seconds: Some(1),
        title: "Too much at a time",
        advice: "Send the same request again after `Retry-After` seconds, and let each further pause be \
            longer. Nothing was done.",
        detail: Some("the service has as much in hand as it can carry"),
    }
    InsufficientStorage {
        name: ErrorCode::InsufficientStorage.as_str(),
        status: StatusCode::INSUFFICIENT_STORAGE,
        retry_after_seconds: None,
        title: "The disk is full",
        advice: "The operator has to make room; nothing that was stored is affected.",
        detail: Some("no room is left for more files"),
    }
    TooManyPending {
        name: ErrorCode::TooManyPending.as_str(),
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after_seconds: Some(30),
        title: "Too many files wait for their bytes",
        advice: "Send the same request again after `Retry-After` seconds: places come back as uploads end \
            or run out. The operator can raise MAX_PENDING_FILES.",
        detail: Some("as many files wait for their bytes as may at a time"),
    }
    RateLimited {
        name: "rate_limited",
        status: StatusCode::TOO_MANY_REQUESTS,
        retry_after_seconds: Some(1),
        title: "You call too often",
        advice: "Send the same request again after `Retry-After` seconds. Nothing was done. Whoever is signed in has a \
            limit of their own, everybody else has one with all others at their address: behind a proxy the operator \
            has to name it in TRUSTED_PROXIES. RATE_READ and RATE_CREATE are the limits.",
        detail: Some("this is one call too many for now"),
    }
    TooManyCreates {
        name: ErrorCode::TooManyCreates.as_str(),
        status: StatusCode::TOO_MANY_REQUESTS,
        retry_after_seconds: Some(30),
        title: "Your address has created too many files",
        advice: "Send the bytes of the files that you created, or delete those; or send the same request \
            again after `Retry-After` seconds. Behind a proxy all clients have one address, unless the operator names it \
            in TRUSTED_PROXIES, raises MAX_PENDING_PER_ADDRESS, or turns it off.",
        detail: Some("this address has as many files on their way as one address may have"),
    }
}
