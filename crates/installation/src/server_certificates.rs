//! Certificates of the listeners, where no public CA provides them.
//!
//! The issuing CA may sign client certificates only, so these come from a CA of their own, whose certificate
//! (`tls/ca.pem`) clients are given. An operator who names other files under `[portal]` and `[device]` owns those; only
//! what this CA signed is renewed here, at a start and every hour.

use crate::config::Config;
use crate::failure::{Failure, FailureContext};
use crate::keys::KeyRing;
use crate::pem;
use crate::system_context::SystemContext;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::create_ca::{self, CaName, Validity};
use tegata_ca::{CaKey, Issuer, LocalKey};
use tegata_core::{IssuerId, Timestamp};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How long the server's CA and its certificates are valid, in days.
const AUTHORITY_DAYS: u32 = 10 * 365;
const SERVER_DAYS: u32 = 397;

/// A certificate with less than this left is replaced.
const NOTICE: Duration = Duration::from_hours(30 * 24);

/// The name of the CA's key.
const KEY: &str = "server";

/// Makes the CA and both certificates.
pub fn create(
    config: &Config,
    organization: &str,
    host: &str,
    ring: &KeyRing,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (now, entropy) = (system.now(), system.entropy.as_ref());
    let key = ring.create_file(KEY, entropy)?;
    let name = CaName { organization, common_name: "Tegata Server CA" };
    let der = create_ca::create_server_authority(name, &key, Validity { days: AUTHORITY_DAYS, now, entropy })
        .doing("cannot make the CA of the listeners")?;
    fs::write(authority_file(config), pem::certificates(&[&der])).doing("cannot write the server CA")?;
    let server_ca = load(der, key, system)?;
    let probes = format!("*.{}", config.device.probe_suffix);
    let names = [host, "127.0.0.1", "::1", probes.as_str()];
    let portal =
        ListenerCertificateFiles { certificate: &config.portal.certificate, key: &config.portal.key };
    let device =
        ListenerCertificateFiles { certificate: &config.device.certificate, key: &config.device.key };
    portal.make(config, &names[..3], &server_ca, ring, system)?;
    device.make(config, &names, &server_ca, ring, system)
}

/// Replaces what this CA signed and what ends soon, for the same names, with a fresh key.
pub fn renew_due(config: &Config, ring: &KeyRing, system: &SystemContext) -> Result<(), Failure> {
    if !ring.file(KEY).exists() || !authority_file(config).exists() {
        return Ok(());
    }
    let pem = fs::read(authority_file(config)).doing("cannot read the server CA")?;
    let authority = pem::decode(&pem).ok_or_else(|| Failure::wrong("tls/ca.pem is not a certificate"))?;
    for files in [
        ListenerCertificateFiles { certificate: &config.portal.certificate, key: &config.portal.key },
        ListenerCertificateFiles { certificate: &config.device.certificate, key: &config.device.key },
    ] {
        let Some(names) = files.due(config, &authority, system.now()) else { continue };
        let server_ca = load(authority.clone(), ring.signer(KEY)?, system)?;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        files.make(config, &names, &server_ca, ring, system)?;
        tracing::info!(file = %files.certificate.display(), "a listener's certificate was renewed");
    }
    Ok(())
}

/// Where one listener's certificate and key are.
struct ListenerCertificateFiles<'a> {
    certificate: &'a Path,
    key: &'a Path,
}

impl ListenerCertificateFiles<'_> {
    /// The names of the certificate, if it is ours and ends soon, or a clock that was ahead has made it.
    fn due(&self, config: &Config, authority: &[u8], now: Timestamp) -> Option<Vec<String>> {
        let der = pem::decode(&fs::read(config.path(self.certificate)).ok()?)?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let (_, authority) = X509Certificate::from_der(authority).ok()?;
        certificate.verify_signature(Some(authority.public_key())).ok()?;
        let end = Timestamp::from_seconds(certificate.validity().not_after.timestamp());
        let begin = Timestamp::from_seconds(certificate.validity().not_before.timestamp());
        if end.since(now) > NOTICE && !begin.is_ahead_of(now) {
            return None;
        }
        let names = certificate.subject_alternative_name().ok()??;
        names.value.general_names.iter().map(name_text).collect()
    }

    /// Makes a key and a certificate. Both are written beside the old ones first, and then put in place.
    fn make(
        &self,
        config: &Config,
        names: &[&str],
        server_ca: &Issuer,
        ring: &KeyRing,
        system: &SystemContext,
    ) -> Result<(), Failure> {
        let (now, entropy) = (system.now(), system.entropy.as_ref());
        let pkcs8 = LocalKey::generate().doing("cannot make a key")?;
        let key: Arc<dyn CaKey> = Arc::new(LocalKey::from_pkcs8(&pkcs8).doing("cannot use a new key")?);
        let der =
            create_ca::create_server(names, &key, server_ca, Validity { days: SERVER_DAYS, now, entropy })
                .doing("cannot make a listener's certificate")?;
        let (key_file, certificate_file) = (config.path(self.key), config.path(self.certificate));
        let fresh_key = key_file.with_extension("key.new");
        // Left by a start that was stopped here.
        let _ = fs::remove_file(&fresh_key);
        ring.write_elsewhere(&fresh_key, &pkcs8, entropy)?;
        let fresh_certificate = certificate_file.with_extension("pem.new");
        fs::write(&fresh_certificate, pem::certificates(&[&der]))
            .doing("cannot write a listener's certificate")?;
        fs::rename(fresh_key, key_file).doing("cannot put a listener's key in place")?;
        fs::rename(fresh_certificate, certificate_file).doing("cannot put a listener's certificate in place")
    }
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

fn load(der: Vec<u8>, key: Arc<dyn CaKey>, system: &SystemContext) -> Result<Issuer, Failure> {
    Issuer::load(IssuerId::random(system.entropy.as_ref()), der, key, system.now())
        .doing("the CA of the listeners cannot be used")
}

fn authority_file(config: &Config) -> PathBuf {
    config.path(Path::new("tls/ca.pem"))
}
