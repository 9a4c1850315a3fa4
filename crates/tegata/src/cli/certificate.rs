//! `tegata certificate …`: single certificates.

use crate::cli::confirm::OperatorConsent;
use crate::cli::history::HistoryEvent;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::reason::{self, RevocationReasonArg};
use crate::cli::scope::rows;
use serde_json::{Value, json};
use std::path::Path;
use tegata_core::Thumbprint;
use tegata_core::encoding::{from_hex, hex};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, pem};
use tegata_storage::{Certificate, Ledger, LedgerError, Lineage};

/// What can be done with single certificates.
#[derive(clap::Subcommand)]
pub enum CertificateCommand {
    /// Find by serial, thumbprint, hash of the public key, or the certificate's own file
    Show {
        /// Serial or hash in hex, x5t#S256, or a PEM or DER file
        #[arg(allow_hyphen_values = true)]
        which: String,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Revoke one; the device keeps its others. For a compromised key also what was renewed from it
    Revoke(RevokeCertificateOptions),
}

#[derive(clap::Args)]
pub struct RevokeCertificateOptions {
    /// Serial or hash in hex, x5t#S256, or a PEM or DER file
    #[arg(allow_hyphen_values = true)]
    which: String,
    /// Why: the device's page says so. Not said, lists call it a compromised key
    #[arg(long, value_enum)]
    reason: Option<RevocationReasonArg>,
    /// Leave what was renewed from it alone, though its key may be compromised
    #[arg(long)]
    keep_descendants: bool,
    /// Take along what was renewed from it, whatever the reason
    #[arg(long, conflicts_with = "keep_descendants")]
    with_descendants: bool,
    #[command(flatten)]
    consent: OperatorConsent,
    #[command(flatten)]
    proof: ReceiptOptions,
}

impl RevokeCertificateOptions {
    fn lineage(&self) -> Lineage {
        match (self.keep_descendants, self.with_descendants) {
            (true, _) => Lineage::This,
            (_, true) => Lineage::Whole,
            _ => Lineage::of(reason::of(self.reason).0),
        }
    }
}

pub async fn run(
    place: &InstallationArgs,
    command: &CertificateCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        CertificateCommand::Show { which, output } => show(&ledger, which, output.json).await,
        CertificateCommand::Revoke(options) => revoke(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}

async fn show(ledger: &Ledger, which: &str, as_json: bool) -> Result<(), Failure> {
    let found = find(ledger, which).await?;
    if as_json {
        outln!("{}", Value::Array(found.iter().map(describe).collect()));
        return Ok(());
    }
    for known in &found {
        outln!(
            "{}  generation {}  {:9}  serial {}  until {}",
            known.device,
            known.generation,
            known.state,
            known.serial,
            known.not_after
        );
        if let Some(thumbprint) = known.thumbprint() {
            outln!("  x5t#S256 {thumbprint}");
        }
        outln!("  public key (SHA-256) {}", hex(&known.key_hash));
        outln!("  issuer {}, CRL {}", known.issuer, known.shard);
        if let Some(parent) = known.parent {
            outln!("  renewed from generation {parent}");
        }
    }
    Ok(())
}

fn describe(known: &Certificate) -> Value {
    json!({
        "device": known.device, "generation": known.generation, "parent": known.parent, "state": known.state,
        "issuer": known.issuer, "shard": known.shard, "serial": known.serial, "thumbprint": known.thumbprint(),
        "key": hex(&known.key_hash), "not_before": known.not_before, "not_after": known.not_after,
    })
}

async fn revoke(
    ledger: &Ledger,
    options: &RevokeCertificateOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (proof, lineage) = (&options.proof, options.lineage());
    let (certificate, thumbprint) = one(ledger, &options.which).await?;
    options.consent.obtain(format!(
        "generation {} of device {}{} ends for ever",
        certificate.generation,
        certificate.device,
        if lineage == Lineage::Whole { ", with all that was renewed from it," } else { "" }
    ))?;
    let stopping = ReceiptReport::begin(ledger, proof, system).await?;
    let mut transaction = rows(ledger, None).begin(system.now()).await.doing(READ)?;
    let (note, actor) = (&proof.note, SystemContext::operator());
    let revoked = match reason::of(options.reason) {
        (_, Some(cause)) => {
            transaction.revoke_certificate_because(&thumbprint, cause, lineage, note, &actor).await
        }
        (reason, None) => transaction.revoke_certificate(&thumbprint, reason, lineage, note, &actor).await,
    };
    let revoked = match revoked {
        Ok(revoked) => revoked,
        Err(LedgerError::Guard(why)) => {
            drop(transaction);
            return Err(already_ended(ledger, &certificate, why).await?);
        }
        Err(error) => return Err(Failure::wrong(error)),
    };
    transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    let what = json!({"thumbprint": thumbprint, "certificates": revoked.certificates});
    let name = format!("{} certificates beginning with {thumbprint}", revoked.certificates);
    stopping.report(&what, &name, revoked.event).await
}

const READ: &str = "cannot read the ledger";

/// By whom and when it was revoked before.
async fn already_ended(ledger: &Ledger, certificate: &Certificate, why: &str) -> Result<Failure, Failure> {
    let Certificate { device, generation, .. } = certificate;
    let member = format!("\"generation\":{generation},");
    let last = rows(ledger, None).last_entry_of(device, "certificate.revoked", &member).await.doing(READ)?;
    let event = last.as_ref().and_then(HistoryEvent::parse);
    let by = event.map_or_else(String::new, |event| format!(", {}", event.by_whom_and_when()));
    Ok(Failure::wrong(format!("generation {generation} of device {device}: {why}{by}")))
}

/// The one signed certificate that is meant.
async fn one(ledger: &Ledger, which: &str) -> Result<(Certificate, Thumbprint), Failure> {
    let found = find(ledger, which).await?;
    let mut signed = found.into_iter().filter_map(|one| one.thumbprint().map(|thumbprint| (one, thumbprint)));
    match (signed.next(), signed.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Failure::misuse(
            "several certificates or none were signed under this name: give the thumbprint of one; \
             `tegata key block` stops all of a key",
        )),
    }
}

async fn find(ledger: &Ledger, which: &str) -> Result<Vec<Certificate>, Failure> {
    let found = rows(ledger, None).find_certificates(&name(which)?).await.doing(READ)?;
    if found.is_empty() { Err(Failure::wrong("the ledger has no such certificate")) } else { Ok(found) }
}

/// The bytes by which the ledger knows what a person names.
fn name(which: &str) -> Result<Vec<u8>, Failure> {
    if let Some(thumbprint) = Thumbprint::parse(which) {
        return Ok(thumbprint.as_bytes().to_vec());
    }
    let digits: String = which.chars().filter(|character| *character != ':').collect();
    if let Some(bytes) = from_hex(&digits).filter(|bytes| !bytes.is_empty()) {
        return Ok(bytes);
    }
    let file = std::fs::read(Path::new(which)).map_err(|error| {
        Failure::misuse(format!("{which:?} is no serial, hash or thumbprint, and no file: {error}"))
    })?;
    let der = pem::decode(&file).unwrap_or(file);
    Ok(Thumbprint::of(&der).as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn support_may_paste_what_it_sees() {
        let thumbprint = Thumbprint::of(b"a certificate");
        assert_eq!(name(&thumbprint.to_string()).unwrap(), thumbprint.as_bytes());
        assert_eq!(name("4A:0b:FF").unwrap(), [0x4a, 0x0b, 0xff]);
        assert_eq!(name("4a0bff").unwrap(), [0x4a, 0x0b, 0xff]);
        assert!(name("no such file").is_err());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cert.pem");
        std::fs::write(&file, pem::encode("CERTIFICATE", b"a certificate")).unwrap();
        assert_eq!(name(file.to_str().unwrap()).unwrap(), thumbprint.as_bytes());
    }
}
