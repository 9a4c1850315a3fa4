//! `sign-root-crl` and `install-root-crl`: which issuing CAs a root has taken back.

use super::candidate;
use super::list::{NextList, RootList, reason, root_id};
use super::outputs::Outputs;
use super::root::usual_key;
use super::run::CeremonyRun;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use tegata_ca::{Issuer, RevokedEntry};
use tegata_core::{IssuerId, RevocationReason, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, config::KeysConfig};
use tegata_storage::{IssuerKind, IssuerState, Ledger, LedgerError, StoredCrl, StoredIssuer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// Signs the next revocation list of a root.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRootCrl {
    root: PathBuf,
    /// The present one. What is on it stays on it.
    list: PathBuf,
    new_list: PathBuf,
    list_days: u32,
    #[serde(default)]
    revoked: Vec<RevokedAuthority>,
    #[serde(default = "usual_key")]
    key: String,
    keys: KeysConfig,
}

/// A CA certificate that the new list revokes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedAuthority {
    certificate: PathBuf,
    reason: RevocationReason,
    at: String,
}

/// A list for the installation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallRootCrl {
    list: PathBuf,
}

pub fn sign(details: &SignRootCrl, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let file = ceremony.new_file(&details.new_list)?;
    let root = ceremony.read_der("the root's certificate", &details.root)?;
    let present = ceremony.read_der("the root's present list", &details.list)?;
    let present = RootList::read(present, &root);
    let present = present.map_err(|error| Failure::wrong(format!("the present list: {error}")))?;
    let mut next = NextList::after(&present, details.list_days, ceremony.now)?;
    for revoked in &details.revoked {
        next.add(revoked.entry(&root, ceremony)?);
    }
    ceremony.plan("sign the root's next list", &next.facts())?;
    if !ceremony.perform {
        return Ok(());
    }
    let key = ceremony.keys(&details.keys)?.signer(&details.key)?;
    let root = Issuer::load(root_id(&root)?, root, key, ceremony.now).doing("the root cannot sign")?;
    let next = next.sign(&root)?;
    let mut outputs = Outputs::default();
    ceremony.write(&mut outputs, &file, &next.der)?;
    ceremony.say("made", &next.facts())?;
    outputs.keep();
    Ok(())
}

impl RevokedAuthority {
    /// Only what this root has signed can stand on its list.
    fn entry(&self, root: &[u8], ceremony: &mut CeremonyRun<'_>) -> Result<RevokedEntry, Failure> {
        let der = ceremony.read_der("the certificate of a revoked CA", &self.certificate)?;
        let read = |der| X509Certificate::from_der(der).doing("a certificate cannot be read");
        let ((_, certificate), (_, root)) = (read(&der)?, read(root)?);
        if certificate.verify_signature(Some(root.public_key())).is_err() {
            return Err(Failure::wrong(format!("{}: this root did not sign it", self.certificate.display())));
        }
        let at = Timestamp::parse(&self.at)
            .filter(|at| *at <= ceremony.now)
            .ok_or_else(|| Failure::misuse("at must be a time in the past, as 2026-07-01T00:00:00Z"))?;
        Ok(RevokedEntry { serial: candidate::ca_serial(&der)?, at, reason: reason(self.reason) })
    }
}

pub async fn install(details: &InstallRootCrl, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let der = ceremony.read_der("the root's list", &details.list)?;
    let issuers = ledger.issuers().await.doing("cannot read the issuers")?;
    let (root, list) = signer_of(&der, &issuers)?;
    let revision = revision_of(&ledger, &root).await?;
    // What was revoked after the revision was read moves it, and the list is known to be behind.
    let issuers = ledger.issuers().await.doing("cannot read the issuers")?;
    let out = ledger.crl(&root, 0).await.doing("cannot read the root's list")?;
    check_next(&list, out.as_ref(), &issuers, &root, ceremony.now)?;
    let before = out.map(|out| out.number);
    ceremony
        .plan("install the root's list", &json!({"root": root, "before": before, "list": list.facts()}))?;
    if !ceremony.perform {
        return Ok(());
    }
    let done = publish(&ledger, &root, &list.stored(revision), ceremony).await;
    done.committed("the ledger did not take it; nothing was changed")?;
    ceremony.say("installed", &json!({"root": root, "number": list.edition.number}))
}

async fn publish(
    ledger: &Ledger,
    root: &IssuerId,
    list: &StoredCrl,
    ceremony: &CeremonyRun<'_>,
) -> Result<(), LedgerError> {
    let mut transaction = ledger.begin(ceremony.now).await?;
    if !transaction.publish_crl(root, 0, list).await? {
        return Err(LedgerError::Guard("another list of the root was installed meanwhile"));
    }
    let detail = ceremony.detail(&json!({"root": root, "list": list.number}));
    transaction.audit(&SystemContext::operator(), "ceremony.performed", None, detail).await?;
    transaction.commit().await
}

/// Which of our roots signed it.
fn signer_of(der: &[u8], issuers: &[StoredIssuer]) -> Result<(IssuerId, RootList), Failure> {
    let mut why = "there is no root".to_owned();
    for root in issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Root) {
        match RootList::read(der.to_vec(), &root.certificate) {
            Ok(list) => return Ok((root.id.clone(), list)),
            Err(error) => why = error,
        }
    }
    Err(Failure::wrong(format!("the list is not taken: {why}")))
}

/// Whether a list may take the place of the one that is out: newer, about the same, with everything that has to be on
/// it and nothing else that is at work.
pub fn check_next(
    list: &RootList,
    out: Option<&StoredCrl>,
    issuers: &[StoredIssuer],
    root: &IssuerId,
    now: Timestamp,
) -> Result<(), Failure> {
    let refuse = |why: String| Err(Failure::wrong(format!("the root's list is not taken: {why}")));
    let edition = list.edition;
    if edition.this_update > now {
        return refuse(format!("it was made at {}, which is not yet", edition.this_update));
    }
    if edition.next_update <= now {
        return refuse(format!("it ended at {}", edition.next_update));
    }
    if let Some(out) = out.filter(|out| out.number >= edition.number) {
        return refuse(format!("its number is {}, and {} is out", edition.number, out.number));
    }
    for entry in revoked_below(issuers, root)? {
        if !list.names(&entry.serial) {
            let serial = tegata_core::encoding::hex(entry.serial.as_bytes());
            return refuse(format!("it lacks the revoked CA with serial {serial}"));
        }
    }
    for issuer in below(issuers, root).filter(|issuer| issuer.state != IssuerState::Revoked) {
        if list.names(&candidate::ca_serial(&issuer.certificate)?) {
            return refuse(format!(
                "it names the CA {}, which is not revoked here: hold revoke-issuing first",
                issuer.id
            ));
        }
    }
    Ok(())
}

/// What the list of a root has to say by what the ledger knows.
pub fn revoked_below(issuers: &[StoredIssuer], root: &IssuerId) -> Result<Vec<RevokedEntry>, Failure> {
    below(issuers, root)
        .filter(|issuer| issuer.state == IssuerState::Revoked)
        .filter_map(|issuer| Some((issuer, issuer.ended?)))
        .map(|(issuer, (at, why))| {
            Ok(RevokedEntry { serial: candidate::ca_serial(&issuer.certificate)?, at, reason: reason(why) })
        })
        .collect()
}

fn below<'a>(issuers: &'a [StoredIssuer], root: &'a IssuerId) -> impl Iterator<Item = &'a StoredIssuer> {
    issuers.iter().filter(move |issuer| issuer.parent.as_ref() == Some(root))
}

/// What the list of a root should contain; 1 for a root that the ledger has yet to learn of.
pub async fn revision_of(ledger: &Ledger, root: &IssuerId) -> Result<u64, Failure> {
    let shards = ledger.shards(root).await.doing("cannot read the root's list")?;
    Ok(shards.first().map_or(1, |shard| shard.revision))
}
