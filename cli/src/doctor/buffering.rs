//! Whether something on the way keeps requests or answers until it has all of them.
//!
//! An upload that is kept is judged when all of it is there: its bar tells of the proxy and not of the
//! store, and a slow one can outlive its URL. What is looked at is an upload that must be refused, since its
//! signature is wrong: only whoever is asked before the bytes came can say so before they came.
//!
//! An answer that is kept makes a call that waits hear of a file late. What is looked at is such a call
//! from before the upload, and when a call that doesn't wait saw the end of it.
//!
//! **Absent on purpose:** downloads that a proxy keeps. Nothing of that can be seen from here.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::report::{CheckFailure, Passed};
use crate::address::origin_of;
use crate::api_client::{AGENT, ApiClient};
use crate::http::{Body, Http, Sent};
use crate::intermediary::PASS_BODY;
use crate::retry::Deadline;
use crate::wire::Upload;

/// In how many pieces an upload is begun that is to be refused, with a pause before each. Some proxies hand
/// a refusal on only when something more comes.
const PIECES: u64 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// How long a refusal may take.
const REFUSAL: Duration = Duration::from_secs(6);
/// How much later than others a call may hear that waits.
const LATE: Duration = Duration::from_secs(3);
/// What all of that takes at most.
pub(super) const LIMIT: Duration = Duration::from_secs(LATE.as_secs() + REFUSAL.as_secs() + 1);
/// The longest of these pieces.
const PIECE_BYTES: u64 = 16 * 1024;
const SIGNATURE: &str = "X-Amz-Signature=";

/// A call that waits for the end of a file, beside everything else. It ends with this value.
pub(super) struct Waiting(JoinSet<()>);

impl Waiting {
    pub(super) fn begin(service: &ApiClient, id: Uuid, until: Deadline) -> Self {
        let service = service.clone();
        let mut waiting = JoinSet::new();
        waiting.spawn(async move {
            // Whatever it hears: another check asks as well.
            let _ = service.settled(id, until).await;
        });
        Self(waiting)
    }

    async fn heard_in_time(mut self) -> bool {
        timeout(LATE, self.0.join_next()).await.is_ok()
    }
}

/// `waiting` is of a file whose end was just seen, if it was.
pub(super) async fn buffering(
    service: &ApiClient,
    upload: &Upload,
    size: u64,
    waiting: Option<Waiting>,
) -> Result<Passed<()>, CheckFailure> {
    let mut seen = Vec::new();
    if let Some(waiting) = waiting {
        if !waiting.heard_in_time().await {
            return Err(CheckFailure::wrong(
                format!(
                    "a call that waits for the file had heard nothing {} s after its end could be seen",
                    LATE.as_secs()
                ),
                "something on the way keeps answers back: in nginx `proxy_buffering off;`, in Caddy \
                 `flush_interval -1`",
            ));
        }
        seen.push("a call that waits hears at once");
    }
    let uri: Uri = upload.url.parse().unwrap_or_default();
    if origin_of(&uri) == Some(service.origin()) && size > 1 {
        if !is_refused_early(&service.http, upload, size).await {
            return Err(CheckFailure::wrong(
                "an upload reaches the service only when all of it was sent",
                format!(
                    "something on the way keeps uploads back until they are whole, so that slow ones \
                     outlive their URL: {PASS_BODY}"
                ),
            ));
        }
        seen.push("an upload is judged before its bytes are sent");
    }
    Ok(Passed::that(if seen.is_empty() {
        "the store is apart from the service, and nothing was waited for".to_owned()
    } else {
        seen.join(", ")
    }))
}

/// Whether there is an answer while most of the body hasn't been sent.
async fn is_refused_early(http: &Http, upload: &Upload, size: u64) -> bool {
    let Some(url) = with_wrong_signature(&upload.url) else {
        return true;
    };
    let mut request = Request::builder()
        .method(Method::PUT)
        .uri(url)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_LENGTH, size);
    for (name, value) in &upload.headers {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(never_whole(size)) else {
        return true;
    };
    // That a connection ends is an answer too: somebody didn't want to hear more.
    timeout(REFUSAL, http.send(request, &Sent::default()))
        .await
        .is_ok()
}

/// The first half of a body at the most, little by little; its rest never comes.
fn never_whole(size: u64) -> Body {
    let length = PIECE_BYTES.min(size / 2 / PIECES).max(1);
    let piece = Bytes::from(vec![0; usize::try_from(length).unwrap_or_default()]);
    let pieces = stream::iter(0..PIECES.min(size / 2)).then(move |_| {
        let piece = piece.clone();
        async move {
            sleep(PAUSE).await;
            Ok(Frame::data(piece))
        }
    });
    StreamBody::new(pieces.chain(stream::pending())).boxed_unsync()
}

fn with_wrong_signature(url: &str) -> Option<String> {
    let (before, signature) = url.split_once(SIGNATURE)?;
    let first = signature.chars().next()?;
    let other = if first == '0' { '1' } else { '0' };
    Some(format!(
        "{before}{SIGNATURE}{other}{}",
        &signature[first.len_utf8()..]
    ))
}
