//! Re-audits issued certificates: by the certificate's bytes, its issuer's certificate and what the ledger recorded.

use crate::der::{DerReader, MalformedDer, octets_of_bit_string, tag};
use crate::endpoints::IssuerEndpoints;
use crate::issuer::{CaCertificate, IssuerError};
use crate::lint::{IssuerReference, LintExpectation, lint};
use crate::profile::CertificateProfile;
use crate::public_key::PublicKey;
use tegata_core::{Installation, Role, Serial, Timestamp};

pub use crate::lint::{Finding, LintKind};

/// The certificate of an issuing CA, read once for all that it issued. Its key is not needed, and it may have ended.
pub struct AuditedIssuer {
    facts: CaCertificate,
    key: PublicKey,
}

impl AuditedIssuer {
    /// Reads a CA's certificate from its DER.
    pub fn read(der: &[u8]) -> Result<Self, IssuerError> {
        let facts = CaCertificate::read(der)?;
        let key = PublicKey::read(&facts.public_key_info).map_err(|_| IssuerError::Malformed)?;
        Ok(Self { facts, key })
    }

    fn parent(&self) -> IssuerReference<'_> {
        let CaCertificate { subject, key_identifier, not_before, not_after, .. } = &self.facts;
        IssuerReference { subject, key_identifier, not_before: *not_before, not_after: *not_after }
    }
}

/// What the ledger recorded of a certificate before it was signed.
#[derive(Clone, Debug)]
pub struct RecordedCertificate<'a> {
    /// The serial that the ledger recorded for it.
    pub serial: Serial,
    /// Which CRL names it once it ends.
    pub shard: u16,
    /// The first second of its validity.
    pub not_before: Timestamp,
    /// The last second of its validity.
    pub not_after: Timestamp,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub key_hash: &'a [u8],
    /// The `TBSCertificate` that was to be signed.
    pub tbs: &'a [u8],
    /// The identity of its holder: [`Holder::uri`](crate::Holder::uri).
    pub uri: String,
}

impl<'a> RecordedCertificate<'a> {
    /// From the ledger's row. Its holder's role stands in another.
    pub fn of(row: &'a tegata_storage::Certificate, installation: &Installation, role: Role) -> Self {
        Self {
            serial: row.serial,
            // A number that is none of the ledger's shards is none of the endpoints' either.
            shard: row.shard.try_into().unwrap_or(u16::MAX),
            not_before: row.not_before,
            not_after: row.not_after,
            key_hash: &row.key_hash,
            tbs: &row.tbs,
            uri: crate::subject::uri(installation, role, &row.device),
        }
    }
}

/// What is wrong with a certificate: nothing if all is well.
///
/// A [`LintKind::Settings`] finding alone is no fault of a certificate that is older than today's profile or public
/// address. The common name is only looked at for its form: labels change.
pub fn certificate(
    der: &[u8],
    issuer: &AuditedIssuer,
    profile: &CertificateProfile,
    endpoints: &IssuerEndpoints,
    record: &RecordedCertificate<'_>,
) -> Vec<Finding> {
    let expected = LintExpectation {
        parent: issuer.parent(),
        endpoints,
        profile,
        crl: endpoints.crl(record.shard),
        serial: record.serial,
        not_before: record.not_before,
        not_after: record.not_after,
        common_name: None,
        uri: record.uri.clone(),
        key_hash: record.key_hash,
    };
    let mut findings = lint(der, &expected);
    // Without its parts there is nothing more to say than that it has none.
    if let Ok(parts) = CertificateParts::of(der) {
        if parts.tbs != record.tbs {
            findings.push(Finding::Intended);
        }
        if !issuer.key.verifies(parts.algorithm, parts.tbs, parts.signature) {
            findings.push(Finding::Signature);
        }
    }
    findings
}

/// RFC 5280 section 4.1.1.
struct CertificateParts<'a> {
    tbs: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> CertificateParts<'a> {
    fn of(der: &'a [u8]) -> Result<Self, MalformedDer> {
        let mut fields = DerReader::new(DerReader::single(der, tag::SEQUENCE)?.content);
        let tbs = fields.expect(tag::SEQUENCE)?.whole;
        let algorithm = fields.expect(tag::SEQUENCE)?.whole;
        let signature = octets_of_bit_string(fields.expect(tag::BIT_STRING)?.content)?;
        fields.end()?;
        Ok(Self { tbs, algorithm, signature })
    }
}
