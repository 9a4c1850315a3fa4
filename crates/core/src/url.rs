//! Addresses of HTTP servers in the one form in which they are written and compared.
//!
//! Browsers, certificates and other servers leave out the default port (RFC 6454 section 6.1): the default port
//! and capital letters of the host. An address that was written otherwise would never equal theirs, so everything is
//! brought to that form when it is read, or refused.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The scheme of a URL: `http` or `https`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// `http`, without any encryption.
    Http,
    /// `https`, which is HTTP over TLS.
    Https,
}

/// Scheme, host and port of a server (RFC 6454), such as `https://tegata.example.jp`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HttpOrigin {
    scheme: Scheme,
    /// A name in lower case without a final dot, an IPv4 address, or an IPv6 address in brackets.
    host: Box<str>,
    port: u16,
}

/// The address of something that a server has: an origin, a path, perhaps a query.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HttpUrl {
    origin: HttpOrigin,
    /// Empty, or with its slash.
    path: Box<str>,
    query: Option<Box<str>>,
}

/// Why a text is not an address, with what to write instead.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// Neither `http://` nor `https://`.
    #[error("it must begin with https:// (or http://, where that is meant)")]
    Scheme,
    /// `http://`, where only TLS will do.
    #[error("it must begin with https://")]
    NotHttps,
    /// A name and a password before the host.
    #[error("an address with a user name or password is not taken: leave out what stands before the @")]
    UserInfo,
    /// No host, or one with characters that no host has.
    #[error(
        "it needs a host after the two slashes: a name of letters, digits, hyphens and dots, or an address"
    )]
    Host,
    /// The host has characters outside ASCII.
    #[error(
        "write an international name in its ASCII form, which begins with xn-- (`idn NAME` or `python3 -c \
         \"print('NAME'.encode('idna').decode())\"` shows it)"
    )]
    International,
    /// The host ends with a dot.
    #[error("leave out the dot at the end of the host: browsers and certificates tell the two apart")]
    FinalDot,
    /// Numbers that are not four, or an IPv6 address that does not read as one.
    #[error("write an IP address in full: 192.0.2.1, or [2001:db8::1] in brackets")]
    Address,
    /// Not between 1 and 65535.
    #[error("the port is a number between 1 and 65535")]
    Port,
    /// Something after the host of an origin.
    #[error("nothing may follow host and port: Tegata needs a host name or a port of its own, not a path")]
    Path,
    /// The URL has a query.
    #[error("a query, from the ? on, is not taken here")]
    Query,
    /// The URL has a fragment.
    #[error("a fragment, from the # on, is not taken: it never reaches a server")]
    Fragment,
    /// Characters that no URL has.
    #[error("the path has a character that must be percent-encoded")]
    Characters,
}

impl Scheme {
    /// The default port of the scheme.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl HttpOrigin {
    /// From its text. A single slash at the end says no more and is left out.
    ///
    /// # Errors
    /// Whatever else than scheme, host and port is there.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let HttpUrl { origin, path, query } = HttpUrl::parse(text)?;
        match (&*path, query) {
            ("" | "/", None) => Ok(origin),
            (_, Some(_)) => Err(UrlError::Query),
            _ => Err(UrlError::Path),
        }
    }

    /// From the text of an origin with TLS.
    ///
    /// # Errors
    /// As [`HttpOrigin::parse`], and for `http://`.
    pub fn parse_https(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
            .and_then(|origin| if origin.is_https() { Ok(origin) } else { Err(UrlError::NotHttps) })
    }

    /// Another port of the same host.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The scheme, which says whether TLS is used.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it is reached by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host as a URL has it: an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where the text does not say it.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `:PORT`, or nothing for the default port.
    pub fn port_suffix(&self) -> String {
        if self.port == self.scheme.default_port() { String::new() } else { format!(":{}", self.port) }
    }

    /// Whether only this machine can be meant: `localhost`, a name below it (RFC 6761 section 6.3), or loopback.
    pub fn is_loopback(&self) -> bool {
        let inner = self.host.trim_start_matches('[').trim_end_matches(']');
        let is_address = inner.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        is_address || &*self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

impl HttpUrl {
    /// From its text. The path stays as it is written, with its last slash or without: for others these are two.
    ///
    /// # Errors
    /// [`UrlError`] says what to write instead.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = scheme_of(text)?;
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (rest, None),
        };
        if !rest.bytes().all(is_url_byte) {
            return Err(UrlError::Characters);
        }
        let (host, port) = split_port(authority)?;
        let origin = HttpOrigin { scheme, host: host_of(host)?, port: port.unwrap_or(scheme.default_port()) };
        Ok(Self { origin, path: path.into(), query })
    }

    /// From the text of an address with TLS.
    ///
    /// # Errors
    /// As [`HttpUrl::parse`], and for `http://`.
    pub fn parse_https(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
            .and_then(|url| if url.origin.is_https() { Ok(url) } else { Err(UrlError::NotHttps) })
    }

    /// From the text of an issuer (RFC 8414 section 2): with TLS, without a query. A slash without a path is left out.
    ///
    /// # Errors
    /// As [`HttpUrl::parse_https`], and for a query.
    pub fn parse_issuer(text: &str) -> Result<Self, UrlError> {
        let url = Self::parse_https(text)?;
        match (&*url.path, &url.query) {
            (_, Some(_)) => Err(UrlError::Query),
            ("/", None) => Ok(Self { path: "".into(), ..url }),
            _ => Ok(url),
        }
    }

    /// The server that has it.
    pub fn origin(&self) -> &HttpOrigin {
        &self.origin
    }

    /// The path, empty where none is written.
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn scheme_of(text: &str) -> Result<(Scheme, &str), UrlError> {
    let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" => Ok((Scheme::Http, rest)),
        "https" => Ok((Scheme::Https, rest)),
        _ => Err(UrlError::Scheme),
    }
}

/// What may stand in a path or query (RFC 3986 section 3.3 and 3.4).
fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let after_address = authority.rfind(']').map_or(0, |end| end + 1);
    if authority.starts_with('[') && after_address == 0 {
        return Err(UrlError::Address);
    }
    let Some(colon) = authority[after_address..].find(':').map(|at| at + after_address) else {
        return Ok((authority, None));
    };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port > 0 && digits).ok_or(UrlError::Port)?;
    Ok((host, Some(port)))
}

/// The host as browsers write it, as far as they agree on it; the rest is refused.
fn host_of(host: &str) -> Result<Box<str>, UrlError> {
    if !host.is_ascii() {
        return Err(UrlError::International);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(UrlError::Address)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| UrlError::Address)?;
        // An IPv4 address within an IPv6 one is written in two ways: by its own.
        let plain =
            address.to_ipv4_mapped().is_none() && address.to_ipv4().is_none_or(|_| address.is_loopback());
        return if plain { Ok(format!("[{address}]").into()) } else { Err(UrlError::Address) };
    }
    if host.ends_with('.') {
        return Err(UrlError::FinalDot);
    }
    let host = host.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(allowed);
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(UrlError::Host);
    }
    // What ends in a number is read as an address by browsers, in whatever notation.
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err(UrlError::Address);
    }
    Ok(host.into())
}

impl fmt::Display for HttpOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme.as_str(), self.host, self.port_suffix())
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.path)?;
        match &self.query {
            Some(query) => write!(formatter, "?{query}"),
            None => Ok(()),
        }
    }
}

impl FromStr for HttpOrigin {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl FromStr for HttpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for HttpOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))
    }
}

impl Serialize for HttpOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
