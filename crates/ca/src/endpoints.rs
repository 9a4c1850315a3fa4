//! Where relying parties find what belongs to an issuer: these URLs are written into its certificates
//! and must stay true as long as the last of them lives.

use tegata_core::IssuerId;

/// The public URLs of one issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    crl: String,
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
    /// The URLs below the public listener's address, such as `http://pki.example.jp`.
    pub fn new(base: &str, issuer: &IssuerId) -> Result<Self, BadBase> {
        let trimmed = base.strip_suffix('/').unwrap_or(base);
        let host = trimmed.strip_prefix("http://").unwrap_or_default();
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(is_host) {
            return Err(BadBase(base.to_owned()));
        }
        Ok(Self {
            crl: format!("{trimmed}/crl/{issuer}.crl"),
            ocsp: format!("{trimmed}/ocsp/{issuer}"),
            certificate: format!("{trimmed}/ca/{issuer}.cer"),
        })
    }

    /// The CRL, DER.
    pub fn crl(&self) -> &str {
        &self.crl
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
        let endpoints = Endpoints::new("http://pki.example.jp/", &id).unwrap();
        assert_eq!(endpoints.crl(), format!("http://pki.example.jp/crl/{id}.crl"));
        assert!(Endpoints::new("http://127.0.0.1:8080", &id).is_ok());
        for wrong in [
            "",
            "http://",
            "https://pki.example.jp",
            "pki.example.jp",
            "http://a/b",
            "http://a b",
            "http://あ",
        ] {
            assert!(Endpoints::new(wrong, &id).is_err(), "{wrong}");
        }
    }
}
