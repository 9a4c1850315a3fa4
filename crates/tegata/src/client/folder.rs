//! The folder of a certificate: `key.pem`, `cert.pem`, `chain.pem`, and where the certificate came from.

use crate::client::EnrolledCertificate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use tegata_ca::{CaKey, LocalKey, secret};
use tegata_core::Thumbprint;
use tegata_core::encoding::from_base64;
use tegata_installation::{Failure, FailureContext, pem};
use tegata_net::tls::{self, IdentityFiles};

/// Which server a folder's certificate belongs to, so that `renew` needs nothing but the folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateOrigin {
    pub device: String,
    pub tls_ca: Option<PathBuf>,
}

impl CertificateOrigin {
    /// Of the certificate in a folder that `tegata enroll` made.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let origin = fs::read(folder.join("origin.json")).map_err(|_| {
            let folder = folder.display();
            Failure::misuse(format!(
                "{folder} was not made by `tegata enroll`: name the server with --device URL"
            ))
        })?;
        serde_json::from_slice(&origin).doing("origin.json cannot be read")
    }

    /// Writes it beside the certificate.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        fs::write(folder.join("origin.json"), json!(self).to_string()).doing("cannot write origin.json")
    }
}

/// The certificate and the key of a folder.
pub fn identity_in(folder: &Path) -> Result<IdentityFiles, Failure> {
    tls::read_identity(folder).map_err(Failure::wrong)
}

/// The key of the certificate being asked for: the one of an unfinished attempt, or a fresh one.
pub fn pending_key(folder: &Path) -> Result<Vec<u8>, Failure> {
    let file = folder.join("key.pending.pem");
    if !file.exists() {
        let pkcs8 = LocalKey::generate().doing("cannot make a key")?;
        secret::write_private_file(&file, pem::encode("PRIVATE KEY", &pkcs8).as_bytes())
            .doing("cannot write the key")?;
    }
    let text = secret::read_private_file(&file).doing("cannot read the key")?;
    pem::decode(&text)
        .ok_or_else(|| Failure::wrong(format!("{} is not a PEM key: remove it", file.display())))
}

/// A renewal that was stopped between the two last steps of [`store`]: the certificate is in place, its key is not.
pub fn finish_interrupted(folder: &Path) -> Result<(), Failure> {
    let pending = folder.join("key.pending.pem");
    if !pending.exists() {
        return Ok(());
    }
    let key = LocalKey::from_pkcs8(&pending_key(folder)?).doing("cannot use the key")?;
    let certificate = fs::read(folder.join("cert.pem")).doing("cannot read cert.pem")?;
    let der = pem::decode(&certificate).ok_or_else(|| Failure::wrong("cert.pem is not PEM"))?;
    let (_, certificate) =
        x509_parser::parse_x509_certificate(&der).doing("cert.pem is not a certificate")?;
    if certificate.public_key().raw == key.public_key_info() {
        fs::rename(pending, folder.join("key.pem")).doing("cannot put the key in place")?;
    }
    Ok(())
}

/// Puts certificate and key in place, the key last. [`finish_interrupted`] mends what a crash in between leaves.
pub fn store(folder: &Path, enrolled: &EnrolledCertificate) -> Result<(), Failure> {
    let decode =
        |text: &str| from_base64(text).ok_or_else(|| Failure::wrong("the server's answer is not base64"));
    let leaf = decode(&enrolled.certificate)?;
    if Thumbprint::of(&leaf) != enrolled.thumbprint {
        return Err(Failure::wrong("the server's certificate is not the one it names"));
    }
    let mut chain = pem::certificates(&[&leaf]);
    for issuer in &enrolled.chain {
        chain.push_str(&pem::certificates(&[&decode(issuer)?]));
    }
    replace(&folder.join("chain.pem"), &chain)?;
    replace(&folder.join("cert.pem"), &pem::certificates(&[&leaf]))?;
    fs::rename(folder.join("key.pending.pem"), folder.join("key.pem")).doing("cannot put the key in place")
}

fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, text).doing("cannot write the certificate")?;
    fs::rename(&fresh, file).doing("cannot put the certificate in place")
}
