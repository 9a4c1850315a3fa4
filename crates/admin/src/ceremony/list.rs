//! A root's list of revoked issuing CAs: a few entries, signed by hand, good for months.

use serde_json::{Value, json};
use std::time::Duration;
use tegata_ca::crl::{CrlIdentity, CrlScope, build_crl};
use tegata_ca::{CrlReason, Issuer, RevokedEntry};
use tegata_core::encoding::{base32, hex};
use tegata_core::{IssuerId, RevocationReason, Serial, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::StoredCrl;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{IssuingDistributionPoint, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};

/// How long the list of a root is good that a machine signs by itself.
pub const USUAL_DAYS: u32 = 365;

/// A list that its root has signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RootList {
    pub edition: CrlIdentity,
    pub entries: Vec<RevokedEntry>,
    pub der: Vec<u8>,
}

/// A list to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextList {
    pub edition: CrlIdentity,
    pub entries: Vec<RevokedEntry>,
}

/// The identifier of a root: it follows from its key, so a machine without a ledger knows it too.
pub fn root_id(certificate: &[u8]) -> Result<IssuerId, Failure> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).doing("the root's certificate cannot be read")?;
    let hash = ring::digest::digest(&ring::digest::SHA256, parsed.public_key().raw);
    IssuerId::parse(&base32(&hash.as_ref()[..16])).ok_or_else(|| Failure::wrong("a root has no identifier"))
}

impl NextList {
    /// The first one: nothing is revoked.
    pub fn first(days: u32, now: Timestamp) -> Self {
        Self { edition: edition(1, days, now), entries: Vec::new() }
    }

    /// The one after `before`, with everything that is on it.
    ///
    /// # Errors
    /// [`Failure`] when that one is from the future.
    pub fn after(before: &RootList, days: u32, now: Timestamp) -> Result<Self, Failure> {
        if before.edition.this_update > now {
            let at = before.edition.this_update;
            return Err(Failure::wrong(format!(
                "the present list was made at {at}, which is not yet: set this machine's clock"
            )));
        }
        let edition = edition(before.edition.number + 1, days, now);
        Ok(Self { edition, entries: before.entries.clone() })
    }

    /// Adds a certificate unless it is there.
    pub fn add(&mut self, entry: RevokedEntry) {
        if !self.entries.iter().any(|known| known.serial == entry.serial) {
            self.entries.push(entry);
        }
    }

    /// Signs it, and reads it back.
    pub fn sign(self, root: &Issuer) -> Result<RootList, Failure> {
        let crl = build_crl(root, CrlScope::Authorities, self.edition, self.entries.iter().copied());
        let der = crl.doing("the root's list was not signed")?.into_der();
        RootList::read(der, root.certificate())
            .map_err(|error| Failure::wrong(format!("the new list: {error}")))
    }

    /// For people and transcripts.
    pub fn facts(&self) -> Value {
        facts(self.edition, &self.entries)
    }
}

impl RootList {
    /// Reads a list and sees that this root signed it, that it is about CAs and complete.
    pub fn read(der: Vec<u8>, root: &[u8]) -> Result<Self, String> {
        let Ok(([], list)) = CertificateRevocationList::from_der(&der) else {
            return Err("not a certificate revocation list".into());
        };
        let (_, root) = X509Certificate::from_der(root).map_err(|_| "the root cannot be read")?;
        if list.issuer().as_raw() != root.subject().as_raw()
            || list.verify_signature(root.public_key()).is_err()
        {
            return Err("this root did not sign the list".into());
        }
        must_be_complete(&list)?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let next_update = list.next_update().ok_or("the list has no nextUpdate")?;
        let edition = CrlIdentity {
            number: number.ok_or("the list has no number")?,
            this_update: Timestamp::from_seconds(list.last_update().timestamp()),
            next_update: Timestamp::from_seconds(next_update.timestamp()),
        };
        let entries = list.iter_revoked_certificates().map(entry).collect::<Option<_>>();
        let entries = entries.ok_or("the list has an entry that cannot be read")?;
        Ok(Self { edition, entries, der })
    }

    /// The list as a row of the ledger, marked as containing all entries of the root's shard up to `revision`.
    pub fn stored(&self, revision: u64) -> StoredCrl {
        let CrlIdentity { number, this_update, next_update } = self.edition;
        StoredCrl { number, revision, this_update, next_update, der: self.der.clone() }
    }

    /// Whether it names a certificate.
    pub fn names(&self, serial: &Serial) -> bool {
        self.entries.iter().any(|entry| entry.serial == *serial)
    }

    /// For people and transcripts.
    pub fn facts(&self) -> Value {
        facts(self.edition, &self.entries)
    }
}

/// What the list of a root says of a CA that ended for this reason.
pub fn reason(reason: RevocationReason) -> CrlReason {
    match reason {
        RevocationReason::KeyCompromise => CrlReason::AuthorityCompromise,
        other => other.into(),
    }
}

fn edition(number: u64, days: u32, now: Timestamp) -> CrlIdentity {
    let this_update = now.whole_second();
    let next_update = this_update.plus(Duration::from_hours(u64::from(days) * 24));
    CrlIdentity { number, this_update, next_update }
}

/// Only CAs, all of them, for all reasons; anything else leaves something out (RFC 5280 section 5.2.5).
fn must_be_complete(list: &CertificateRevocationList<'_>) -> Result<(), String> {
    let mut is_complete = false;
    for extension in list.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::IssuingDistributionPoint(point) => is_complete = is_about_all_authorities(point),
            ParsedExtension::CRLNumber(_) | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ if extension.critical => {
                return Err("the list has a critical extension that is not known here".into());
            }
            _ => {}
        }
    }
    if is_complete { Ok(()) } else { Err("the list is not the complete one about CAs".into()) }
}

fn is_about_all_authorities(point: &IssuingDistributionPoint<'_>) -> bool {
    point.only_contains_ca_certs
        && !point.only_contains_user_certs
        && !point.only_contains_attribute_certs
        && !point.indirect_crl
        && point.only_some_reasons.is_none()
        && point.distribution_point.is_none()
}

fn entry(revoked: &RevokedCertificate<'_>) -> Option<RevokedEntry> {
    let reason = match revoked.reason_code().map_or(0, |(_, code)| code.0) {
        1 => CrlReason::KeyCompromise,
        2 => CrlReason::AuthorityCompromise,
        3 => CrlReason::AffiliationChanged,
        4 => CrlReason::Superseded,
        5 => CrlReason::CessationOfOperation,
        0 => CrlReason::Unspecified,
        _ => return None,
    };
    let at = Timestamp::from_seconds(revoked.revocation_date.timestamp());
    Some(RevokedEntry { serial: Serial::from_slice(revoked.raw_serial())?, at, reason })
}

fn facts(edition: CrlIdentity, entries: &[RevokedEntry]) -> Value {
    let entry = |entry: &RevokedEntry| json!({"serial": hex(entry.serial.as_bytes()), "at": entry.at, "reason": format!("{:?}", entry.reason)});
    json!({
        "number": edition.number, "this_update": edition.this_update,
        "next_update": edition.next_update, "scope": "CA certificates only",
        "revoked": entries.iter().map(entry).collect::<Vec<_>>(),
    })
}
