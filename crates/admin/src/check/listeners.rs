//! Certificates of the HTTPS listeners.

use super::code::FindingCode;
use super::context::CheckContext;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::KeyRing;
use tegata_net::tls::ServerIdentity;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that ends within this time is replaced now. The server's own CA renews a month ahead.
const NOTICE: Duration = Duration::from_hours(14 * 24);

/// Checks the certificates of portal and device listener: key, chain and remaining time.
pub fn look(look: &mut CheckContext<'_>) {
    let ring = KeyRing::open(look.config).ok();
    let config = look.config;
    for (name, chain, key) in [
        ("portal", &config.portal.certificate, &config.portal.key),
        ("device", &config.device.certificate, &config.device.key),
    ] {
        let chain = config.path(chain);
        // Without the secret nothing opens, which was found before.
        let Some(ring) = &ring else { continue };
        let identity = match ring.server_identity(&chain, &config.path(key)) {
            Ok(identity) => identity,
            Err(error) => {
                look.report.add(FindingCode::ListenerCertificate, name, error);
                continue;
            }
        };
        let leaf = identity.0.first().map(|leaf| leaf.to_vec()).unwrap_or_default();
        if let Err(error) = ServerIdentity::new(identity) {
            look.report.add(FindingCode::ListenerCertificate, name, format!("certificate and key: {error}"));
        }
        match X509Certificate::from_der(&leaf) {
            Ok((_, certificate)) => {
                let end = Timestamp::from_seconds(certificate.validity().not_after.timestamp());
                if end.since(look.now) < NOTICE {
                    look.report.add(
                        FindingCode::ListenerEnding,
                        name,
                        format!("{} ends at {end}", chain.display()),
                    );
                }
            }
            Err(_) => {
                look.report.add(FindingCode::ListenerCertificate, name, "the certificate cannot be read");
            }
        }
    }
    look.report.area("listeners", "certificates and keys in order");
}
