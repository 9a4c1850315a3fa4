//! The CRL of a CA that was taken over.
//!
//! Only a complete list of the CA itself is read: a delta list, an indirect one, or one for some reasons or some kinds of
//! certificates would leave out what must not be left out (RFC 5280 sections 5.2.4 and 5.2.5).

use super::foreign;
use crate::Progress;
use serde::Serialize;
use std::path::Path;
use tegata_core::{DeviceId, IssuerId, RevocationReason, Serial, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{
    DeviceAction, IssuerKind, Ledger, LedgerError, Lineage, SerialStatus, StoredCrl, Transaction,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{IssuingDistributionPoint, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// `removeFromCRL`, which only a delta list has (RFC 5280 section 5.3.1).
const REMOVE_FROM_CRL: u8 = 8;

/// id-ce-deltaCRLIndicator, 2.5.29.27, as the content bytes of its OID.
const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];

/// A verified list of a CA that was taken over.
pub struct ForeignList {
    list: VerifiedList,
    issuer: IssuerId,
}

impl ForeignList {
    /// Reads a list and finds its CA among those that were taken over. `stale` allows one past its nextUpdate.
    pub async fn read(
        ledger: &Ledger,
        file: &Path,
        stale: bool,
        system: &SystemContext,
    ) -> Result<Self, Failure> {
        let issuers = ledger.issuers().await.doing(READ)?;
        let foreign = issuers.into_iter().filter(|issuer| issuer.kind == IssuerKind::Foreign);
        let der = foreign::read(file)?;
        let named = issuer_of(&der).ok_or_else(|| not_a_list(file))?;
        let issuer = foreign
            .into_iter()
            .find(|issuer| subject_of(&issuer.certificate).as_ref() == Some(&named))
            .ok_or_else(|| Failure::misuse("this list is of no CA that was taken over"))?;
        let list = VerifiedList::read(file, &issuer.certificate, stale, system.now())?;
        Ok(Self { list, issuer: issuer.id })
    }

    /// The CA that signed it.
    pub fn issuer(&self) -> &IssuerId {
        &self.issuer
    }

    /// How many certificates it names, of devices here or elsewhere.
    pub fn len(&self) -> usize {
        self.list.entries.len()
    }

    /// Whether it names none.
    pub fn is_empty(&self) -> bool {
        self.list.entries.is_empty()
    }

    /// Applies what is new, in one transaction, and remembers the list: an older one is refused from now on.
    pub async fn apply(
        &self,
        ledger: &Ledger,
        note: &str,
        progress: &mut dyn Progress,
        system: &SystemContext,
    ) -> Result<AppliedList, Failure> {
        self.list.apply(ledger, &self.issuer, note, progress, system).await
    }
}

/// A revocation list whose signature was verified with the foreign CA's key.
pub struct VerifiedList {
    stored: StoredCrl,
    entries: Vec<ImportedEntry>,
}

struct ImportedEntry {
    serial: Serial,
    action: ImportAction,
}

enum ImportAction {
    Revoke(RevocationReason),
    Hold,
}

/// What a list did here.
pub struct AppliedList {
    /// The entries by which something was revoked here.
    pub entries: Vec<AppliedEntry>,
    /// The last event of the feed, which gates acknowledge.
    pub event: u64,
}

/// What an entry did here.
#[derive(Serialize)]
pub struct AppliedEntry {
    /// Whose certificate it names.
    pub device: DeviceId,
    /// The serial number of that certificate.
    pub serial: Serial,
    /// What was done to it here: `revoked` or `suspended`.
    pub action: &'static str,
}

impl VerifiedList {
    /// Reads and verifies a list of `ca`.
    pub fn read(file: &Path, ca: &[u8], stale: bool, now: Timestamp) -> Result<Self, Failure> {
        let der = foreign::read(file)?;
        let wrong = |what: &str| Failure::misuse(format!("{}: {what}", file.display()));
        let Ok(([], list)) = CertificateRevocationList::from_der(&der) else { return Err(not_a_list(file)) };
        let (_, ca) = X509Certificate::from_der(ca).doing("the CA cannot be read")?;
        check_issuer(&list, &ca).map_err(wrong)?;
        check_scope(&list).map_err(wrong)?;
        let this_update = Timestamp::from_seconds(list.last_update().timestamp());
        let next_update = list.next_update().map(|time| Timestamp::from_seconds(time.timestamp()));
        if this_update > now {
            return Err(wrong("the list is from the future: check this machine's clock"));
        }
        if !stale && next_update.is_none_or(|next| next < now) {
            return Err(wrong("the list is past its nextUpdate: fetch a newer one, or say --stale-crl"));
        }
        let entries = list.iter_revoked_certificates().filter_map(entry).collect();
        // Without a number (RFC 5280 section 5.2.3 asks for one) the date keeps old lists out.
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let number = number.unwrap_or(this_update.seconds().unsigned_abs());
        let next_update = next_update.unwrap_or(this_update);
        let stored = StoredCrl { number, revision: 0, this_update, next_update, der };
        Ok(Self { stored, entries })
    }

    /// Applies what is new, in one transaction, and remembers the list: an older one is refused from now on.
    pub async fn apply(
        &self,
        ledger: &Ledger,
        issuer: &IssuerId,
        note: &str,
        progress: &mut dyn Progress,
        system: &SystemContext,
    ) -> Result<AppliedList, Failure> {
        let before = ledger.crl(issuer, 0).await.doing(READ)?;
        if before.as_ref().is_some_and(|before| before.number > self.stored.number) {
            return Err(Failure::misuse("a newer list of this CA was applied before"));
        }
        let total = self.entries.len() as u64;
        let mut known = Vec::new();
        for (done, entry) in (0..).zip(&self.entries) {
            progress.at("entries looked up", done, total);
            if let Some(found) = self.known(ledger, issuer, entry).await? {
                known.push(found);
            }
        }
        let mut transaction = ledger.begin(system.now()).await.doing(READ)?;
        let total = known.len() as u64;
        let mut entries = Vec::with_capacity(known.len());
        for (done, found) in (0..).zip(known) {
            progress.at("entries applied", done, total);
            entries.push(found.apply(&mut transaction, note).await.doing("the list was not applied")?);
        }
        if before.is_none_or(|before| before.number < self.stored.number) {
            transaction.publish_crl(issuer, 0, &self.stored).await.doing("the list was not applied")?;
        }
        let event = transaction.feed_seq();
        transaction.commit().await.committed("the list was not applied")?;
        Ok(AppliedList { entries, event })
    }

    /// The device behind an entry, if it is one of ours and the entry is news.
    async fn known<'a>(
        &self,
        ledger: &Ledger,
        issuer: &IssuerId,
        entry: &'a ImportedEntry,
    ) -> Result<Option<KnownCertificates<'a>>, Failure> {
        let status = ledger.status_of(issuer, &entry.serial).await.doing(READ)?;
        let Some(SerialStatus::Known { device, thumbprint: Some(thumbprint), ended, .. }) = status else {
            return Ok(None);
        };
        // What is on hold may yet be revoked; everything else has ended already.
        let is_news = match (&ended, &entry.action) {
            (None, _) => true,
            (Some(ended), ImportAction::Revoke(_)) => ended.reason.is_none(),
            (Some(_), ImportAction::Hold) => false,
        };
        Ok(is_news.then_some(KnownCertificates { entry, device, thumbprint }))
    }
}

struct KnownCertificates<'a> {
    entry: &'a ImportedEntry,
    device: DeviceId,
    thumbprint: tegata_core::Thumbprint,
}

impl KnownCertificates<'_> {
    async fn apply(self, transaction: &mut Transaction, note: &str) -> Result<AppliedEntry, LedgerError> {
        let actor = SystemContext::operator();
        let action = match self.entry.action {
            ImportAction::Revoke(reason) => {
                let lineage = Lineage::of(reason);
                transaction.revoke_certificate(&self.thumbprint, reason, lineage, note, &actor).await?;
                "revoked"
            }
            ImportAction::Hold => {
                transaction.act_on_device(&self.device, DeviceAction::Suspend, note, &actor).await?;
                "suspended"
            }
        };
        Ok(AppliedEntry { device: self.device, serial: self.entry.serial, action })
    }
}

const READ: &str = "cannot read the ledger";

fn not_a_list(file: &Path) -> Failure {
    Failure::misuse(format!("{} holds no certificate revocation list", file.display()))
}

fn issuer_of(der: &[u8]) -> Option<Vec<u8>> {
    let ([], list) = CertificateRevocationList::from_der(der).ok()? else { return None };
    Some(list.issuer().as_raw().to_vec())
}

fn subject_of(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.subject().as_raw().to_vec())
}

fn check_issuer(list: &CertificateRevocationList<'_>, ca: &X509Certificate<'_>) -> Result<(), &'static str> {
    if list.issuer().as_raw() != ca.subject().as_raw() {
        return Err("the list is another CA's");
    }
    let may_sign = ca.key_usage().ok().flatten().is_some_and(|usage| usage.value.crl_sign());
    if !may_sign {
        return Err("the CA may not sign lists (keyUsage lacks cRLSign, RFC 5280 section 4.2.1.3)");
    }
    list.verify_signature(ca.public_key()).map_err(|_| "the signature of the list does not hold")
}

fn check_scope(list: &CertificateRevocationList<'_>) -> Result<(), &'static str> {
    const INCOMPLETE: &str = "not the complete list of this CA (a delta or indirect list, or one for some reasons or other certificates)";
    for extension in list.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::IssuingDistributionPoint(point) if is_partial(point) => return Err(INCOMPLETE),
            _ if extension.oid.as_bytes() == DELTA_CRL_INDICATOR => return Err(INCOMPLETE),
            ParsedExtension::IssuingDistributionPoint(_)
            | ParsedExtension::CRLNumber(_)
            | ParsedExtension::AuthorityKeyIdentifier(_) => {}
            _ if extension.critical => {
                return Err("the list has a critical extension that is not known here");
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_partial(point: &IssuingDistributionPoint<'_>) -> bool {
    point.only_contains_ca_certs
        || point.only_contains_attribute_certs
        || point.indirect_crl
        || point.only_some_reasons.is_some()
}

fn entry(revoked: &x509_parser::revocation_list::RevokedCertificate<'_>) -> Option<ImportedEntry> {
    let serial = Serial::from_slice(revoked.raw_serial())?;
    let action = match revoked.reason_code().map_or(0, |(_, code)| code.0) {
        1 | 2 => ImportAction::Revoke(RevocationReason::KeyCompromise),
        3 => ImportAction::Revoke(RevocationReason::AffiliationChanged),
        4 => ImportAction::Revoke(RevocationReason::Superseded),
        5 => ImportAction::Revoke(RevocationReason::CessationOfOperation),
        6 => ImportAction::Hold,
        REMOVE_FROM_CRL => return None,
        _ => ImportAction::Revoke(RevocationReason::Unspecified),
    };
    Some(ImportedEntry { serial, action })
}
