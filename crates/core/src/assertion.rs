//! What a gate tells the product behind it about one request, signed by the gate's own key.
//!
//! The plain `Tegata-…` headers are as good as the way between gate and product. The assertion can be verified, so a
//! product knows a request that passed the gate from one that took another way.

use crate::{DeviceId, JwkThumbprint, SiteId, TenantId};
use serde::Serialize;
use std::time::Duration;

/// The type in the header of the JWS (RFC 8725 section 3.11).
pub const ASSERTION: &str = "tegata-assertion+jwt";

/// How long an assertion is good for.
pub const ASSERTION_LIFETIME: Duration = Duration::from_mins(1);

/// The claims. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AssertionClaims<'a> {
    /// The gate, by the URI in its own certificate.
    pub iss: &'a str,
    /// The product, as tokens name it.
    pub aud: &'a str,
    /// When the gate checked the request.
    pub iat: i64,
    /// When it expires: [`ASSERTION_LIFETIME`] after `iat`, in seconds since the epoch.
    pub exp: i64,
    /// Another one for each request.
    pub jti: &'a str,
    /// `device:{id}`, or `person:{hash}` where a person uses the device.
    pub sub: &'a str,
    /// The device that asks.
    pub device: &'a DeviceId,
    /// The legal entity it belongs to.
    pub tenant: &'a TenantId,
    /// The store it stands in.
    pub site: &'a SiteId,
    /// Which certificate of the device it presented, counted from 1.
    pub generation: u32,
    /// The method of the request, where the gate knows it (the name is that of RFC 9449 section 4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub htm: Option<&'a str>,
    /// Where the sign-in is known: what kind it was (`OpenID` Connect Core 1.0 section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<&'a str>,
    /// By which methods (RFC 8176).
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub amr: &'a [&'a str],
    /// When the person proved who they are; none where nobody has said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Its path without the query, as the client wrote it, where the gate knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<&'a str>,
    /// Where no certificate reached the gate: the key that proved the request (RFC 9449). The device showed its certificate
    /// to the platform, minutes before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jkt: Option<&'a JwkThumbprint>,
}
