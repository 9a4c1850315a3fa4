//! Where relying parties find what belongs to an issuer: these URLs are written into its certificates
//! and must stay true as long as the last of them lives.

use tegata_core::{IssuerId, Serial};

/// The public URLs of one issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// Without number and ending.
    crl: String,
    shards: u16,
    ocsp: String,
    certificate: String,
}

/// The base is not what can be written into certificates.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} cannot be the public address: use http:// with a host and nothing after it, such as http://pki.example.jp \
     (not https: whoever checks a certificate cannot first check another one, RFC 5280 section 8)"
)]
pub struct BadBase(String);

impl Endpoints {
    /// The URLs below the public listener's address, such as `http://pki.example.jp`, of an issuer with so many
    /// CRLs.
    pub fn new(base: &str, issuer: &IssuerId, shards: u16) -> Result<Self, BadBase> {
        let trimmed = base.strip_suffix('/').unwrap_or(base);
        let host = trimmed.strip_prefix("http://").unwrap_or_default();
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(is_host) {
            return Err(BadBase(base.to_owned()));
        }
        Ok(Self {
            crl: format!("{trimmed}/crl/{issuer}"),
            shards: shards.max(1),
            ocsp: format!("{trimmed}/ocsp/{issuer}"),
            certificate: format!("{trimmed}/ca/{issuer}.cer"),
        })
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

    /// The OCSP responder.
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

    #[test]
    fn a_public_address_that_would_not_work_for_years_is_refused() {
        let id = IssuerId::random(&Seeded::new(1));
        let endpoints = Endpoints::new("http://pki.example.jp/", &id, 2).unwrap();
        assert_eq!(endpoints.crl(0), format!("http://pki.example.jp/crl/{id}.crl"));
        assert_eq!(endpoints.crl(1), format!("http://pki.example.jp/crl/{id}-1.crl"));
        assert!(Endpoints::new("http://127.0.0.1:8080", &id, 1).is_ok());
        for wrong in [
            "",
            "http://",
            "https://pki.example.jp",
            "pki.example.jp",
            "http://a/b",
            "http://a b",
            "http://あ",
        ] {
            assert!(Endpoints::new(wrong, &id, 1).is_err(), "{wrong}");
        }
    }
}
