//! The published CRLs: signed by their CA, current, and with exactly the entries of the ledger.

mod reading;

use super::code::FindingCode;
use super::context::CheckContext;
use reading::CheckedCrl;
use std::time::Duration;
use tegata_core::encoding::hex;
use tegata_core::{Serial, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{CrlShard, EndedCertificate, IssuerKind, StoredCrl, StoredIssuer};
use x509_parser::prelude::{FromDer, X509Certificate};

const WHAT: &str = "cannot read the CRLs";

/// A root's list is made by a ceremony, which takes time to arrange.
const CEREMONY: Duration = Duration::from_hours(30 * 24);

/// Times a list is read anew because it was replaced while it was compared.
const ATTEMPTS: usize = 3;

/// Looks at every list of every CA that publishes.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let issuers = look.issuers.clone();
    let mut count = 0u64;
    for issuer in issuers.iter().filter(|issuer| issuer.is_trusted() && issuer.kind != IssuerKind::Foreign) {
        for shard in look.ledger.shards(&issuer.id).await.doing(WHAT)? {
            count += u64::from(one(look, issuer, shard.number).await?);
        }
    }
    look.report.area("crl", format!("{count} lists up to date"));
    Ok(())
}

/// Gives whether there is a list.
async fn one(look: &mut CheckContext<'_>, issuer: &StoredIssuer, number: u16) -> Result<bool, Failure> {
    let subject = format!("CRL {number} of CA {}", issuer.id);
    for _ in 0..ATTEMPTS {
        let Some(shard) = shard(look, issuer, number).await? else { return Ok(false) };
        let Some(crl) = look.ledger.crl(&issuer.id, number).await.doing(WHAT)? else {
            return missing(look, issuer, number, &subject).await.map(|()| false);
        };
        let comparison = compare(look, issuer, number, &crl).await?;
        // Whatever was read in between belongs together only if nothing moved.
        if shard_has_moved(&shard, &crl, shard_again(look, issuer, number).await?) {
            continue;
        }
        times(look, issuer, &crl, &subject);
        if crl.revision < shard.revision {
            look.report.add(
                FindingCode::CrlBehind,
                &subject,
                format!("number {} lacks the last changes", crl.number),
            );
        }
        for (code, detail) in comparison {
            // A list that is known to be behind may lack what came since.
            if code != FindingCode::CrlIncomplete || crl.revision >= shard.revision {
                look.report.add(code, &subject, detail);
            }
        }
        return Ok(true);
    }
    look.report.add(FindingCode::CrlBehind, &subject, "it is replaced faster than it can be compared");
    Ok(true)
}

async fn shard(
    look: &CheckContext<'_>,
    issuer: &StoredIssuer,
    number: u16,
) -> Result<Option<CrlShard>, Failure> {
    let shards = look.ledger.shards(&issuer.id).await.doing(WHAT)?;
    Ok(shards.into_iter().find(|shard| shard.number == number))
}

async fn shard_again(
    look: &CheckContext<'_>,
    issuer: &StoredIssuer,
    number: u16,
) -> Result<Option<CrlShard>, Failure> {
    shard(look, issuer, number).await
}

fn shard_has_moved(before: &CrlShard, crl: &StoredCrl, after: Option<CrlShard>) -> bool {
    after.is_none_or(|after| {
        after.revision != before.revision || after.published.is_none_or(|out| out.number != crl.number)
    })
}

/// A list that no certificate names yet may come with the first server. A root's is made by a ceremony.
async fn missing(
    look: &mut CheckContext<'_>,
    issuer: &StoredIssuer,
    number: u16,
    subject: &str,
) -> Result<(), Failure> {
    if issuer.kind == IssuerKind::Issuing
        && look.inspection.names_shard(&issuer.id, number).await.doing(WHAT)?
    {
        look.report.add(FindingCode::CrlMissing, subject, "certificates name it, and it was never published");
    }
    Ok(())
}

fn times(look: &mut CheckContext<'_>, issuer: &StoredIssuer, crl: &StoredCrl, subject: &str) {
    if crl.next_update < look.now {
        look.report.add(FindingCode::CrlStale, subject, format!("it ended at {}", crl.next_update));
    } else if issuer.kind == IssuerKind::Root && crl.next_update.since(look.now) < CEREMONY {
        look.report.add(FindingCode::CrlEnding, subject, format!("it ends at {}", crl.next_update));
    }
}

/// Bytes against row, signature, and ledger.
async fn compare(
    look: &CheckContext<'_>,
    issuer: &StoredIssuer,
    number: u16,
    crl: &StoredCrl,
) -> Result<Vec<(FindingCode, String)>, Failure> {
    let Ok((_, authority)) = X509Certificate::from_der(&issuer.certificate) else { return Ok(vec![]) };
    let Some(list) = CheckedCrl::read(&crl.der) else {
        return Ok(vec![(FindingCode::CrlForged, "the stored bytes are no list".into())]);
    };
    if !list.verifies(&authority) {
        return Ok(vec![(FindingCode::CrlForged, "the signature is not its CA's".into())]);
    }
    let mut faults = Vec::new();
    if !list.is_as_filed(crl) {
        faults.push((FindingCode::CrlMisfiled, "number or times are not those of the row".to_owned()));
    }
    // What a root lists are CAs, which are looked at one by one.
    if issuer.kind == IssuerKind::Issuing {
        entries(look, issuer, number, list, &mut faults).await?;
    }
    Ok(faults)
}

/// What has ended and could still be presented is on the list; what is on the list has ended. In between lie entries
/// whose certificates have expired: they may have left or not.
async fn entries(
    look: &CheckContext<'_>,
    issuer: &StoredIssuer,
    number: u16,
    list: CheckedCrl<'_>,
    faults: &mut Vec<(FindingCode, String)>,
) -> Result<(), Failure> {
    let mut listed = list.into_serials();
    listed.sort_unstable();
    let mut founded = vec![false; listed.len()];
    let mut lacking = Vec::new();
    let mut lacks = 0usize;
    let place = |serial: &Serial| listed.binary_search_by(|one| one.as_slice().cmp(serial.as_bytes()));
    let mut living = |ended: EndedCertificate| {
        if place(&ended.serial).is_err() {
            lacks += 1;
            if lacking.len() < 3 {
                lacking.push(hex(ended.serial.as_bytes()));
            }
        }
    };
    look.ledger.ended(&issuer.id, number, look.now, &mut living).await.doing(WHAT)?;
    let mut ever = |ended: EndedCertificate| {
        if let Ok(place) = place(&ended.serial) {
            founded[place] = true;
        }
    };
    look.ledger.ended(&issuer.id, number, Timestamp::default(), &mut ever).await.doing(WHAT)?;
    if lacks > 0 {
        faults.push((
            FindingCode::CrlIncomplete,
            format!("{lacks} are missing, such as {}", lacking.join(", ")),
        ));
    }
    let unfounded: Vec<_> = listed.iter().zip(&founded).filter(|(_, founded)| !**founded).collect();
    if let Some((first, _)) = unfounded.first() {
        faults
            .push((FindingCode::CrlExcess, format!("{} too many, such as {}", unfounded.len(), hex(first))));
    }
    Ok(())
}
