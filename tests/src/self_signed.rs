//! Certificates that vouch for themselves.

use crate::command::run;
use crate::curl::Curl;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A certificate for clients that vouches for itself, as files.
#[derive(Debug)]
pub struct Own {
    /// In PEM.
    pub certificate: PathBuf,
    /// In PEM.
    pub key: PathBuf,
}

impl Own {
    /// `NAME.pem` and `NAME.key` in a folder, with this common name, made by openssl.
    pub fn make(folder: &Path, name: &str, common_name: &str) -> Self {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        let (out, keyout) = (certificate.display().to_string(), key.display().to_string());
        let subject = format!("/CN={common_name}");
        let key_options =
            ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", &keyout];
        let own = ["-subj", &subject, "-days", "2", "-addext", "extendedKeyUsage=clientAuth"];
        run("openssl", &[&["req", "-x509", "-out", &out][..], &key_options, &own].concat());
        Self { certificate, key }
    }

    /// base64 of the DER.
    pub fn base64(&self) -> String {
        let pem = std::fs::read_to_string(&self.certificate).expect("a certificate");
        pem.lines().filter(|line| !line.starts_with('-')).collect()
    }

    /// The members of that set as `tegata.toml` has them in a table.
    pub fn jwks_as_toml(&self) -> String {
        format!("keys = [{{ kty = \"EC\", x5c = [\"{}\"] }}]", self.base64())
    }

    /// The JWKS that a client registers (RFC 8705 section 2.2).
    pub fn jwks(&self) -> String {
        json!({"keys": [{"kty": "EC", "x5c": [self.base64()]}]}).to_string()
    }

    /// A request with it.
    pub fn presented(&self, curl: Curl) -> Curl {
        curl.presenting(&self.certificate.display().to_string(), &self.key.display().to_string())
    }
}
