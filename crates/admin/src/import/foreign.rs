//! What another authority made, read with suspicion.

use crate::{ForeignCaTrust, ListenerTrust};
use ring::digest::{SHA256, digest};
use std::path::Path;
use tegata_core::{Serial, Timestamp};
use tegata_installation::{Failure, FailureContext, pem};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A CA that may vouch for devices.
pub struct ForeignCa {
    pub certificate: Vec<u8>,
    trust: Box<dyn ForeignCaTrust>,
}

/// A device's certificate of such a CA.
#[derive(Debug)]
pub struct ForeignCertificate {
    pub der: Vec<u8>,
    pub tbs: Vec<u8>,
    pub serial: Serial,
    pub key_hash: [u8; 32],
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl ForeignCa {
    /// Reads the certificate of the CA, which devices name as their issuer.
    pub fn read(file: &Path, trust: &dyn ListenerTrust) -> Result<Self, Failure> {
        let certificate = read(file)?;
        let trust =
            trust.foreign_ca(&certificate).doing(format!("{} cannot be taken over", file.display()))?;
        Ok(Self { certificate, trust })
    }

    /// A certificate that the TLS listener will accept as this CA's, and that is good at `now`.
    ///
    /// # Errors
    /// Why it cannot be taken over, in a few words.
    pub fn certificate(&self, der: Vec<u8>, now: Timestamp) -> Result<ForeignCertificate, String> {
        let Ok(([], parsed)) = X509Certificate::from_der(&der) else {
            return Err("the file holds no certificate, or more than one".into());
        };
        if !self.trust.accepts(&der, now) {
            return Err("not signed by this CA for client authentication, or the CA is not valid now".into());
        }
        let time = |seconds| Timestamp::from_seconds(seconds);
        let validity = parsed.validity();
        let (not_before, not_after) =
            (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
        if now > not_after {
            return Err(format!("it ended at {not_after}: this device needs an invitation"));
        }
        let serial = Serial::from_slice(parsed.raw_serial()).ok_or("its serial has more than 20 bytes")?;
        let mut key_hash = [0; 32];
        key_hash.copy_from_slice(digest(&SHA256, parsed.public_key().raw).as_ref());
        let tbs = parsed.tbs_certificate.as_ref().to_vec();
        Ok(ForeignCertificate { der, tbs, serial, key_hash, not_before, not_after })
    }
}

/// The DER of a PEM or DER file.
pub fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::misuse(format!("cannot read {}: {error}", file.display())))?;
    Ok(pem::decode(&bytes).unwrap_or(bytes))
}
