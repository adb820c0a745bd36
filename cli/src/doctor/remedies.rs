//! How to mend what is wrong on the way, in the words of the service's settings.

use crate::put::StoreAnswer;

pub(super) const SEE_LOG: &str =
    "the service's log says why (the line with this time, level WARN or ERROR)";
pub(super) const SIGN_IN_IS_OPEN: &str = "if the network isn't guarded otherwise, leave ACCESS of the service out: then it asks for its \
     key, or set OIDC_ISSUER, where people sign in";
pub(super) const OTHER_SERVER: &str = "say the address of a File Share Service, with the path before /v1 if it has one, with --server \
     or FILE_SHARE_URL";
pub(super) const PUBLIC_ENDPOINT: &str = "the service hands out URLs at that address: set its S3_PUBLIC_ENDPOINT_URL (in local mode: \
     PUBLIC_URL) to where clients reach the store, and open the way to it. In local mode behind a proxy, \
     have that pass on the host that it is asked for: in nginx `proxy_set_header Host $http_host;`, in Caddy \
     no `header_up Host`";
pub(super) const SET_CLOCKS: &str = "presigned URLs live by the clock: let the one that is off be set by NTP \
     (`timedatectl` shows and switches it)";
pub(super) const CUT_OFF: &str = "something on the way may cut off bodies of that size: see the limit of a proxy before the \
     service (`client_max_body_size 21m;` in nginx), and that the store's address in the URL is the right \
     one (S3_PUBLIC_ENDPOINT_URL, PUBLIC_URL)";
const CLOCKS_DIFFER: &str = "the clocks of service and store differ, or the service's credentials are over: set the clocks by \
     NTP, renew the credentials";

/// By what the store said to an upload.
pub(super) fn remedy_for(answer: &StoreAnswer) -> &'static str {
    match answer.code() {
        _ if answer.is_expired() => CLOCKS_DIFFER,
        "RequestTimeTooSkewed" | "RequestExpired" => CLOCKS_DIFFER,
        "SignatureDoesNotMatch" => {
            "the store knows itself by another name than S3_PUBLIC_ENDPOINT_URL, a proxy changes host \
             or headers, or the service's secret access key isn't that of its access key"
        }
        "AccessDenied" => {
            "what the service runs as needs s3:PutObject on uploads/* (the stack's ApiPolicy); a \
             bucket policy may forbid it too"
        }
        "NoSuchBucket" => "BUCKET_NAME of the service names a bucket that isn't there",
        "InvalidAccessKeyId" | "InvalidToken" => "renew the service's AWS credentials",
        "InsufficientStorage" => "make room on the disk of the service's data directory",
        _ => "the store's own log says more, and so does its documentation of that code",
    }
}
