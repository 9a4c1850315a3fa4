//! Where the people of an OAuth client come from and go to: only to addresses that were written down before.

use crate::url::{HttpOrigin, HttpUrl, UrlError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a client's people come from and go to. Addresses are compared letter by letter (RFC 9700 section 2.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSignIn {
    /// Where codes are sent. A client without any gets none.
    pub redirect_uris: Vec<String>,
    /// Where a browser may go on after a sign-out (OpenID Connect RP-Initiated Logout section 3.1).
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it hears that a session has ended (OpenID Connect Back-Channel Logout section 2.2).
    pub backchannel_logout_uri: Option<String>,
    /// Whether it has to hear which session (section 2.2). It always does.
    pub backchannel_logout_session_required: bool,
    /// The origins of its pages, which may send requests from browsers.
    pub origins: Vec<String>,
}

/// An address that nobody is sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnfitAddress {
    /// The text that somebody wrote for one.
    pub text: String,
    /// What to write instead.
    pub why: String,
}

impl fmt::Display for UnfitAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.text, self.why)
    }
}

impl ClientSignIn {
    /// Whether a code may be sent there.
    pub fn has_redirect(&self, address: &str) -> bool {
        self.redirect_uris.iter().any(|own| own == address)
    }

    /// Whether a browser may go on there after a sign-out.
    pub fn has_post_logout_redirect(&self, address: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|own| own == address)
    }

    /// Whether every address is one that a browser can be sent to.
    ///
    /// # Errors
    /// The first that is not, and what to write instead.
    pub fn check(&self) -> Result<(), UnfitAddress> {
        let addresses = self.redirect_uris.iter().chain(&self.post_logout_redirect_uris);
        addresses.chain(&self.backchannel_logout_uri).try_for_each(|address| check_address(address))?;
        self.backchannel_logout_uri.iter().try_for_each(|address| check_https(address))?;
        self.origins.iter().try_for_each(|origin| check_origin(origin))
    }
}

/// An origin as browsers write it: with TLS, or on this machine alone.
///
/// # Errors
/// [`UnfitAddress`] says what to write instead.
pub fn check_origin(text: &str) -> Result<(), UnfitAddress> {
    let unfit = |why: String| Err(UnfitAddress { text: text.to_owned(), why });
    match HttpOrigin::parse(text) {
        Err(error) => unfit(error.to_string()),
        Ok(origin) if !(origin.is_https() || origin.is_loopback()) => unfit(UrlError::NotHttps.to_string()),
        Ok(origin) if origin.to_string() != text => unfit(format!("write it as {origin}")),
        Ok(_) => Ok(()),
    }
}

/// With TLS, or on this machine alone (RFC 9700 section 2.6), and one that no browser reads otherwise than it is written.
fn check_address(text: &str) -> Result<(), UnfitAddress> {
    let unfit = |why: String| Err(UnfitAddress { text: text.to_owned(), why });
    match HttpUrl::parse(text) {
        Err(error) => unfit(error.to_string()),
        Ok(url) if !(url.origin().is_https() || url.origin().is_loopback()) => {
            unfit(UrlError::NotHttps.to_string())
        }
        Ok(url) if url.path().split('/').any(is_dots) => unfit("write the path without . and ..".into()),
        Ok(url) if url.to_string() != text => unfit(format!("write it as {url}")),
        Ok(_) => Ok(()),
    }
}

/// Where this server itself sends something: over TLS, also on one machine.
fn check_https(text: &str) -> Result<(), UnfitAddress> {
    let unfit = |error: UrlError| UnfitAddress { text: text.to_owned(), why: error.to_string() };
    HttpUrl::parse_https(text).map(drop).map_err(unfit)
}

/// Browsers read `%2e` in a path as a dot.
fn is_dots(part: &str) -> bool {
    matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sent_to_addresses_that_every_browser_reads_alike() {
        for good in [
            "https://rezept.example/callback",
            "https://rezept.example:8443/a?x=1",
            "http://localhost:3000/callback",
            "http://127.0.0.1/callback",
        ] {
            let own = ClientSignIn { redirect_uris: vec![good.into()], ..ClientSignIn::default() };
            assert_eq!(own.check(), Ok(()), "{good}");
            assert!(own.has_redirect(good));
        }
        for wrong in [
            "",
            "http://rezept.example/callback",
            "https://rezept.example/callback#x",
            "https://me@rezept.example/callback",
            "https://REZEPT.example/callback",
            "https://rezept.example/a/../callback",
            "https://rezept.example/a/%2E%2e/callback",
            "https://rezept.example\\@evil.example/",
            "https://*.example/callback",
            "javascript:alert(1)",
            "//rezept.example/callback",
        ] {
            let own = ClientSignIn { redirect_uris: vec![wrong.into()], ..ClientSignIn::default() };
            assert!(own.check().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_this_server_sends_a_client_goes_over_tls() {
        for (address, is_fit) in
            [("https://rezept.example/logout", true), ("http://localhost:3000/logout", false)]
        {
            let own =
                ClientSignIn { backchannel_logout_uri: Some(address.into()), ..ClientSignIn::default() };
            assert_eq!(own.check().is_ok(), is_fit, "{address}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        assert_eq!(check_origin("https://stock.example"), Ok(()));
        assert_eq!(check_origin("http://localhost:5173"), Ok(()));
        for wrong in
            ["https://stock.example/", "https://stock.example:443", "http://stock.example", "null", "*"]
        {
            assert!(check_origin(wrong).is_err(), "{wrong}");
        }
    }
}
