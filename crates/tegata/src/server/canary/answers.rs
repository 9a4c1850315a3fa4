//! Asks CRL and OCSP at the public address, and reads them as a verifier would.

use crate::server::metrics::status_of_answer;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::collections::HashSet;
use std::net::SocketAddr;
use tegata_net::plain_http;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// id-ad-ocsp, 1.3.6.1.5.5.7.48.1, as the content bytes of its OID.
const AD_OCSP: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 0x30, 1];

/// `AlgorithmIdentifier` of SHA-1, which every responder knows (RFC 5019 section 2.1.1).
const SHA1: [u8; 11] = [0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0];

/// The URLs of CRL and OCSP in a certificate.
pub struct CertificateUrls {
    pub list: String,
    pub ocsp: String,
}

impl CertificateUrls {
    /// The URLs that the certificate itself carries; `None` unless it names one of each.
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (mut list, mut ocsp) = (None, None);
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::CRLDistributionPoints(points) => {
                    if let [point] = points.points.as_slice()
                        && let Some(DistributionPointName::FullName(names)) = &point.distribution_point
                    {
                        list = names.iter().find_map(uri);
                    }
                }
                ParsedExtension::AuthorityInfoAccess(access) => {
                    let responder =
                        access.accessdescs.iter().find(|one| one.access_method.as_bytes() == AD_OCSP);
                    ocsp = responder.and_then(|one| uri(&one.access_location));
                }
                _ => {}
            }
        }
        Some(Self { list: list?, ocsp: ocsp? })
    }
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    }
}

/// The serials on a published list; nothing when there is none.
pub async fn listed(at: SocketAddr, list: &str) -> Option<HashSet<Vec<u8>>> {
    let answer = plain_http::get(at, list).await.filter(|answer| answer.status == 200)?;
    let (_, list) = CertificateRevocationList::from_der(&answer.body).ok()?;
    Some(list.iter_revoked_certificates().map(|entry| entry.raw_serial().to_vec()).collect())
}

/// What the responder says of a serial: `good`, `revoked`, `unknown`, or an error.
pub async fn ocsp_status(
    at: SocketAddr,
    responder: &str,
    issuer: &[u8],
    serial: &[u8],
) -> Option<&'static str> {
    let request = ocsp_request(issuer, serial)?;
    let answer = plain_http::post(at, responder, "application/ocsp-request", &request).await?;
    status_of_answer(&answer.body)
}

/// A request about one certificate without a nonce (RFC 6960 section 4.1.1). All lengths are below 128.
fn ocsp_request(issuer: &[u8], serial: &[u8]) -> Option<Vec<u8>> {
    let (_, issuer) = X509Certificate::from_der(issuer).ok()?;
    let hash = |bytes: &[u8]| element(4, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
    let name = hash(issuer.subject().as_raw());
    let key = hash(&issuer.public_key().subject_public_key.data);
    let id = element(0x30, &[&SHA1, &name, &key, &element(2, &[serial])]);
    let list = element(0x30, &[&element(0x30, &[&id])]);
    Some(element(0x30, &[&element(0x30, &[&list])]))
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&[tag, u8::try_from(content.len()).unwrap_or(u8::MAX)], content.as_slice()].concat()
}
