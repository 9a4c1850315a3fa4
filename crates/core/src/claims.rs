//! What an access token says (RFC 9068, bound as RFC 8705 section 3.1).

use crate::id::{DeviceId, SiteId, TenantId};
use crate::thumbprint::Thumbprint;
use serde::{Deserialize, Serialize};

/// The `typ` of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";

/// The claims of an access token. Times are seconds since the epoch, as RFC 7519 counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer's URL, exactly as its metadata says it.
    pub iss: String,
    /// `device:{id}`: the prefix keeps a device's subject apart from any person's.
    pub sub: String,
    /// The product the token is for.
    pub aud: String,
    /// The OAuth client: the device's identifier.
    pub client_id: String,
    /// When it was issued.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// Its name: 128 random bits.
    pub jti: String,
    /// The certificate it is bound to.
    pub cnf: Confirmation,
    /// The legal entity the device belongs to.
    pub tenant: TenantId,
    /// The store the device stands in.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// Which certificate of the device.
    pub generation: u32,
}

/// RFC 8705's confirmation. A second member is refused: a gate that does not understand a
/// confirmation method must not accept the token (RFC 7800 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// SHA-256 of the certificate's DER.
    #[serde(rename = "x5t#S256")]
    pub x5t_s256: Thumbprint,
}

/// The subject of a device's tokens.
pub fn device_subject(device: &DeviceId) -> String {
    format!("device:{device}")
}
