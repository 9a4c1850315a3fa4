//! What somebody writes into headers who has stolen a token but not the key of the certificate that it is bound to.

use crate::curl::{Curl, escaped};
use crate::identity::DeviceIdentity;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;
use std::fs;

/// Every header in which some proxy passes a certificate on.
const CERTIFICATE: [&str; 6] = [
    "x-client-cert",
    "client-cert",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-leaf",
];

/// Every header in which a gate speaks to the product.
const GATE: [&str; 7] = [
    "tegata-device",
    "tegata-tenant",
    "tegata-site",
    "tegata-generation",
    "tegata-subject",
    "tegata-assertion",
    "tegata-renewal-due",
];

/// A word that no honest header has.
pub const FORGED: &str = "forged";

/// How a header is written so that one program overlooks it and the next does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spelling {
    /// The header's name as the proxy writes it itself.
    Usual,
    /// The header's name as the proxy writes it, a second time.
    Twice,
    /// In capital letters.
    Capitals,
    /// With `_`, which CGI, WSGI and others cannot tell from `-`.
    Underscores,
    /// One of each.
    Mixed,
    /// With `.`, which CGI takes for `-` as well.
    Dots,
    /// With another letter that a name may have and CGI takes for `-`.
    Tildes,
}

impl Spelling {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Usual, Self::Twice, Self::Capitals, Self::Underscores, Self::Mixed, Self::Dots, Self::Tildes];

    /// The request with this header.
    #[must_use]
    pub fn write(self, request: Curl, name: &str, value: &str) -> Curl {
        let capitals = name.to_ascii_uppercase();
        let underscores = name.replace('-', "_");
        match self {
            Self::Usual => request.header(name, value),
            Self::Twice => request.header(name, value).header(name, value),
            Self::Capitals => request.header(&capitals, value),
            Self::Underscores => request.header(&underscores, value),
            Self::Dots => request.header(&name.replace('-', "."), value),
            Self::Tildes => request.header(&name.replace('-', "~"), value),
            Self::Mixed => request.header(&capitals.replacen('-', "_", 1), value).header(name, value),
        }
    }
}

/// The request with a lie in every header that products believe.
#[must_use]
pub fn pretending(request: Curl, spelling: Spelling) -> Curl {
    GATE.iter().chain(&CERTIFICATE).fold(request, |request, name| spelling.write(request, name, FORGED))
}

/// The request with somebody else's certificate in every header that may carry one.
#[must_use]
pub fn posing_as(victim: &DeviceIdentity, request: Curl, spelling: Spelling) -> Curl {
    let pem = fs::read_to_string(victim.file("cert.pem")).expect("a certificate");
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let escaped = escaped(&pem);
    let hash = STANDARD.decode(&base64).expect("base64");
    let hash = ring::digest::digest(&ring::digest::SHA256, &hash);
    let hash = hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    CERTIFICATE.iter().fold(request, |request, name| {
        let value = match *name {
            "client-cert" => format!(":{base64}:"),
            "x-forwarded-client-cert" => format!("Hash={hash};Cert=\"{escaped}\""),
            "x-forwarded-tls-client-cert" => base64.clone(),
            _ => escaped.clone(),
        };
        spelling.write(request, name, &value)
    })
}
