//! One endpoint below a path, and another everywhere else.
//!
//! By hand, since a nested `Route` takes the URI apart and builds it anew for every request, and boxes
//! the answer once more.
//!
//! Invariant: the request goes on as it came, with its whole path.

use poem::{Endpoint, Request, Response, Result};

/// Two endpoints, told apart by the path.
pub struct PrefixRoute<B, E> {
    /// Such as `/v1`, without a slash at its end.
    pub path: String,
    /// Answers for `path` itself and everything below it.
    pub below: B,
    /// Answers for every other path.
    pub elsewhere: E,
}

impl<B, E> Endpoint for PrefixRoute<B, E>
where
    B: Endpoint<Output = Response>,
    E: Endpoint<Output = Response>,
{
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match request.uri().path().strip_prefix(&self.path) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                self.below.call(request).await
            }
            _ => self.elsewhere.call(request).await,
        }
    }
}
