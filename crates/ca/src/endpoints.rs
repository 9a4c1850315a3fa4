//! Where relying parties find what belongs to an issuer: these URLs are written into its certificates
//! and must stay true as long as the last of them lives.

use crate::crl::{CrlScope, scope_of};
use tegata_core::{HttpOrigin, IssuerId, Serial};

/// The public URLs of one issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuerEndpoints {
    /// Without number and ending.
    crl: String,
    shards: u16,
    ocsp: String,
    certificate: String,
}

/// The base is not what can be written into certificates.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0} cannot be the public address: use http:// with a host, such as http://pki.example.jp (not https: whoever \
     checks a certificate cannot first check another one, RFC 5280 section 8)"
)]
pub struct BadBaseUrl(HttpOrigin);

impl IssuerEndpoints {
    /// The URLs below the public listener's address, such as `http://pki.example.jp`, of an issuer with so many
    /// CRLs.
    pub fn new(base: &HttpOrigin, issuer: &IssuerId, shards: u16) -> Result<Self, BadBaseUrl> {
        if base.is_https() {
            return Err(BadBaseUrl(base.clone()));
        }
        Ok(Self::below(&base.to_string(), issuer, shards))
    }

    fn below(base: &str, issuer: &IssuerId, shards: u16) -> Self {
        Self {
            crl: format!("{base}/crl/{issuer}"),
            shards: shards.max(1),
            ocsp: format!("{base}/ocsp/{issuer}"),
            certificate: format!("{base}/ca/{issuer}.cer"),
        }
    }

    /// The addresses in the spelling that the CA's published CRL uses. Version 0.1 wrote a redundant `:80`, and the
    /// scope of a list must be, byte for byte, what certificates name for as long as they live (RFC 5280 section
    /// 6.3.3).
    #[must_use]
    pub fn as_published(self, base: &HttpOrigin, issuer: &IssuerId, list: &[u8]) -> Self {
        if !base.port_suffix().is_empty() {
            return self;
        }
        let written = Self::below(&format!("{base}:{}", base.port()), issuer, self.shards);
        let is_out = scope_of(list) == Some(&CrlScope::EndEntities(&written.crl(0)).der());
        if is_out { written } else { self }
    }

    /// The CRL of a shard, DER. The first has no number: an issuer with one CRL needs none.
    pub fn crl(&self, shard: u16) -> String {
        match shard {
            0 => format!("{}.crl", self.crl),
            _ => format!("{}-{shard}.crl", self.crl),
        }
    }

    /// How many CRLs there are.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The shard for a serial: every issuance chooses by chance, and the choice stays in the certificate.
    pub fn shard_of(&self, serial: &Serial) -> u16 {
        let bytes = serial.as_bytes();
        let tail = [bytes[bytes.len() / 2], bytes[bytes.len() - 1]];
        u16::from_le_bytes(tail) % self.shards
    }

    /// The URL of the OCSP responder.
    pub fn ocsp(&self) -> &str {
        &self.ocsp
    }

    /// The issuer's certificate, DER.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    fn endpoints(base: &str, shards: u16) -> Result<IssuerEndpoints, BadBaseUrl> {
        IssuerEndpoints::new(&HttpOrigin::parse(base).unwrap(), &IssuerId::random(&Seeded::new(1)), shards)
    }

    #[test]
    fn a_public_address_that_would_not_work_for_years_is_refused() {
        let id = IssuerId::random(&Seeded::new(1));
        let endpoints_of_two = endpoints("http://pki.example.jp:80/", 2).unwrap();
        assert_eq!(endpoints_of_two.crl(0), format!("http://pki.example.jp/crl/{id}.crl"));
        assert_eq!(endpoints_of_two.crl(1), format!("http://pki.example.jp/crl/{id}-1.crl"));
        assert!(endpoints("http://127.0.0.1:8080", 1).is_ok());
        assert!(endpoints("https://pki.example.jp", 1).is_err());
    }
}
