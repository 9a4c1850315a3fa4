//! The page whose script sends a request to an endpoint for clients.

use http::HeaderMap;
use http::header::ORIGIN;
use tegata_core::Refusal;
use tegata_web::RegisteredClient;

/// The origin of that page; none where a program sends the request, or a page of the device listener itself.
///
/// The browser adds the certificate of its device to whatever any page of a registered client sends. So such a page asks in
/// the name of its own client alone, and never in that of the device or of another page.
pub(crate) struct PageOrigin(Option<String>);

impl PageOrigin {
    /// Reads `Origin`. `own` is the origin of the device listener.
    pub(crate) fn of(headers: &HeaderMap, own: &str) -> Result<Self, Refusal> {
        let mut named = headers.get_all(ORIGIN).iter();
        match (named.next(), named.next()) {
            (None, _) => Ok(Self(None)),
            (Some(origin), None) => {
                let origin = origin.to_str().map_err(|_| Refusal::ForeignOrigin)?;
                Ok(Self(Some(origin.to_owned()).filter(|origin| origin != own)))
            }
            _ => Err(Refusal::ForeignOrigin),
        }
    }

    /// Fails where a page of another origin asks.
    pub(crate) fn must_be_none(&self) -> Result<(), Refusal> {
        if self.0.is_none() { Ok(()) } else { Err(Refusal::ForeignOrigin) }
    }

    /// Fails where a page asks that is not this client's.
    pub(crate) fn must_be_of(&self, client: &RegisteredClient) -> Result<(), Refusal> {
        let is_own = |origin: &String| client.sign_in.origins.contains(origin);
        if self.0.as_ref().is_none_or(is_own) { Ok(()) } else { Err(Refusal::ForeignOrigin) }
    }
}
