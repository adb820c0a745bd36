//! Says that a connection ends where an answer comes before the request's body was read.
//!
//! A request that is refused for its headers is answered at once, and what is still to come of its body would have to
//! be read before the next request. hyper closes the connection instead; a client that isn't told so sends its next
//! request there, and hears nothing.
//!
//! Invariant: a request without a body, one whose body was read to its end, and one whose body somebody still reads
//! behind the answer, costs its connection nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, SizeHint};
use poem::http::{HeaderValue, header};
use poem::{Request, Response};

/// Whether a request's body was given up before its end.
pub(super) struct BodyWatch(Option<Arc<AtomicBool>>);

impl BodyWatch {
    /// Watches the body of this request.
    pub(super) fn over(request: &mut Request) -> Self {
        let says_so = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
        if !says_so
            .iter()
            .any(|name| request.headers().contains_key(name))
        {
            return Self(None);
        }
        let body: BoxBody<Bytes, io::Error> = request.take_body().into();
        if body.is_end_stream() {
            return Self(None);
        }
        let is_given_up = Arc::new(AtomicBool::new(false));
        let watched = Watched {
            body,
            is_read: false,
            is_given_up: Arc::clone(&is_given_up),
        };
        request.set_body(poem::Body::from(watched.boxed()));
        Self(Some(is_given_up))
    }

    /// Has the answer say that the connection ends, if something of the body is left.
    pub(super) fn announce_end(&self, response: &mut Response) {
        let is_given_up = self.0.as_ref();
        if is_given_up.is_some_and(|is_given_up| is_given_up.load(Ordering::Relaxed)) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
}

struct Watched {
    body: BoxBody<Bytes, io::Error>,
    is_read: bool,
    is_given_up: Arc<AtomicBool>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.is_given_up.store(!self.is_read, Ordering::Relaxed);
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.is_read = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
