//! `tegata check`: looks for anything wrong, changes nothing, and says so in one line each.

use crate::config::Config;
use crate::failure::{Doing, Failure};
use crate::house::Place;
use crate::keys::KeyRing;
use crate::machine::Machine;
use crate::revocations::open_ledger;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tegata_core::{CertificateState, Timestamp};
use tegata_storage::{Certificate, IssuerKind, Ledger, StoredIssuer};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A CA that ends within this time should be replaced now.
const CA_NOTICE: Duration = Duration::from_hours(90 * 24);

/// A listener's certificate that ends within this time should be replaced now.
const SERVER_NOTICE: Duration = Duration::from_hours(14 * 24);

/// A certificate reserved longer ago was left by a crash, and the pass that gives it up is not running.
const RESERVED: Duration = Duration::from_mins(30);

/// Certificates read at a time.
const PAGE: u32 = 500;

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    ok: bool,
    detail: String,
}

/// Runs all checks.
pub async fn run(place: &Place, as_json: bool, machine: &Machine) -> Result<(), Failure> {
    let config = place.config()?;
    let ledger = open_ledger(&config, machine).await?;
    let findings = look(&config, &ledger, machine.now()).await?;
    ledger.close().await;
    let wrong = findings.iter().filter(|finding| !finding.ok).count();
    if as_json {
        println!("{}", json!({"ok": wrong == 0, "checks": findings}));
    } else {
        for finding in &findings {
            println!(
                "{}  {:14} {}",
                if finding.ok { "ok   " } else { "WRONG" },
                finding.check,
                finding.detail
            );
        }
    }
    if wrong == 0 {
        Ok(())
    } else {
        Err(Failure::wrong(format!("{wrong} of {} checks found something wrong", findings.len())))
    }
}

async fn look(config: &Config, ledger: &Ledger, now: Timestamp) -> Result<Vec<Finding>, Failure> {
    let what = "cannot read the ledger";
    let issuers = ledger.issuers().await.doing(what)?;
    let audit = ledger.verify_audit().await.doing(what)?;
    let (due, overdue) = tegata_renewal::due(ledger, &config.renewal, now).await.doing(what)?;
    Ok(vec![
        finding(
            "audit",
            audit.map(|entries| format!("{entries} entries, chain whole")).map_err(|fault| fault.to_string()),
        ),
        finding("certificates", certificates(ledger, now).await?),
        finding("issuers", authorities(&issuers, now)),
        finding("keys", key_files(config, &issuers)),
        finding("listeners", listeners(config, now)),
        finding("crl", crls(ledger, &issuers, now).await?),
        finding("renewal", Ok(format!("{} due, {} ended without a successor", due.len(), overdue.len()))),
    ])
}

fn finding(check: &'static str, result: Result<String, String>) -> Finding {
    let ok = result.is_ok();
    Finding { check, ok, detail: result.unwrap_or_else(|wrong| wrong) }
}

/// Re-audits every certificate: bytes against intention, thumbprint and serial against bytes.
async fn certificates(ledger: &Ledger, now: Timestamp) -> Result<Result<String, String>, Failure> {
    let (mut device, mut generation, mut count) = (String::new(), 0, 0u64);
    loop {
        let page =
            ledger.certificates_after(&device, generation, PAGE).await.doing("cannot read certificates")?;
        let Some(last) = page.last() else {
            return Ok(Ok(format!("{count} certificates, bytes as intended")));
        };
        (device, generation) = (last.device.to_string(), last.generation);
        for known in &page {
            if let Err(wrong) = certificate(known, now) {
                return Ok(Err(format!("device {} generation {}: {wrong}", known.device, known.generation)));
            }
            count += 1;
        }
    }
}

fn certificate(known: &Certificate, now: Timestamp) -> Result<(), &'static str> {
    let Some(der) = &known.der else {
        return match known.state {
            CertificateState::Revoked => Ok(()),
            CertificateState::Reserved if now.since(known.reserved_at) < RESERVED => Ok(()),
            CertificateState::Reserved => Err("reserved long ago and never given up: is a server running?"),
            _ => Err("issued without bytes"),
        };
    };
    let (_, parsed) = X509Certificate::from_der(der).map_err(|_| "the stored bytes are no certificate")?;
    if parsed.tbs_certificate.as_ref() != known.tbs {
        return Err("the signed bytes are not the intended ones");
    }
    if parsed.raw_serial() != known.serial.as_bytes() {
        return Err("the serial is not the reserved one");
    }
    if parsed.validity().not_after.timestamp() != known.not_after.seconds() {
        return Err("the end of validity differs");
    }
    Ok(())
}

fn authorities(issuers: &[StoredIssuer], now: Timestamp) -> Result<String, String> {
    for issuer in issuers {
        let left =
            days_left(&issuer.certificate, now).ok_or_else(|| format!("CA {} cannot be read", issuer.id))?;
        if left < CA_NOTICE {
            return Err(format!("CA {} ends in {} days: replace it", issuer.id, left.as_secs() / 86400));
        }
    }
    let issuing = issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing).count();
    if issuing == 0 {
        Err("no issuing CA".into())
    } else {
        Ok(format!("{issuing} issuing CA, none ends soon"))
    }
}

/// Every issuing key is there, closed to others, opens with the secret, and belongs to its CA.
fn key_files(config: &Config, issuers: &[StoredIssuer]) -> Result<String, String> {
    let ring = KeyRing::open(config).map_err(|error| error.to_string())?;
    ring.token_key().map_err(|error| error.to_string())?;
    let mut count = 1;
    for issuer in issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing) {
        let signer = ring.signer(&KeyRing::issuing(&issuer.id)).map_err(|error| error.to_string())?;
        let (_, parsed) =
            X509Certificate::from_der(&issuer.certificate).map_err(|error| error.to_string())?;
        if parsed.public_key().raw != signer.public_key_info() {
            return Err(format!("the key of CA {} is another one's", issuer.id));
        }
        count += 1;
    }
    let root = if ring.place("root").exists() {
        "; the root key lies here too: take it offline for production"
    } else {
        ""
    };
    Ok(format!("{count} keys open{root}"))
}

fn listeners(config: &Config, now: Timestamp) -> Result<String, String> {
    for (name, file) in [("portal", &config.portal.certificate), ("device", &config.device.certificate)] {
        let der = CertificateDer::from_pem_file(config.path(Path::new(file)))
            .map_err(|error| format!("the {name} certificate: {error}"))?;
        let left = days_left(&der, now).ok_or_else(|| format!("the {name} certificate cannot be read"))?;
        if left < SERVER_NOTICE {
            return Err(format!(
                "the {name} certificate ends in {} days: replace it",
                left.as_secs() / 86400
            ));
        }
    }
    Ok("certificates in order".into())
}

async fn crls(
    ledger: &Ledger,
    issuers: &[StoredIssuer],
    now: Timestamp,
) -> Result<Result<String, String>, Failure> {
    for issuer in issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing && issuer.is_trusted()) {
        for shard in ledger.shards(&issuer.id).await.doing("cannot read the CRLs")? {
            let Some(crl) = shard.published else {
                return Ok(Ok("none yet: a server publishes the first ones when it starts".into()));
            };
            if crl.next_update < now {
                let (issuer, ended) = (&issuer.id, crl.next_update);
                return Ok(Err(format!("a CRL of {issuer} ended at {ended}: start a server")));
            }
            if crl.revision < shard.revision {
                let number = crl.number;
                return Ok(Ok(format!(
                    "number {number} lacks the last changes: a server publishes the next"
                )));
            }
        }
    }
    Ok(Ok("up to date".into()))
}

/// How long a certificate is still good; nothing when it cannot be read.
fn days_left(der: &[u8], now: Timestamp) -> Option<Duration> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(Timestamp::from_seconds(parsed.validity().not_after.timestamp()).since(now))
}
