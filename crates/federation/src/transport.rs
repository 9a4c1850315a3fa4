//! The way to providers.

use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode};

/// The answer to a form that was posted.
pub struct TransportAnswer {
    /// The status, whatever it is.
    pub status: StatusCode,
    /// The body, read to its end.
    pub body: Vec<u8>,
}

/// Sends requests over HTTPS, within a time limit and a size limit of its own. It follows no redirects.
pub trait ProviderTransport: Send + Sync {
    /// The body of a 200, or nothing.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<Vec<u8>>>;

    /// Posts a form that is encoded already; nothing where no whole answer came. `authorization` is the value of that header.
    fn post_form<'a>(
        &'a self,
        url: &'a str,
        authorization: Option<HeaderValue>,
        form: String,
    ) -> BoxFuture<'a, Option<TransportAnswer>>;
}
