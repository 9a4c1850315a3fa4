//! The CAs: who signed them, when they end, and what still hangs on those at rest. OCSP signers of theirs.

use super::code::FindingCode;
use super::context::CheckContext;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{IssuerKind, IssuerState, StoredIssuer};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A CA that ends within this time is replaced now.
const NOTICE: Duration = Duration::from_hours(90 * 24);

/// Time to hold a ceremony in.
const MARGIN: Duration = Duration::from_hours(30 * 24);

/// A responder reserved longer ago was left by a crash.
const RESERVED: Duration = Duration::from_mins(30);

/// Looks at all CAs.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let issuers = look.issuers.clone();
    for issuer in &issuers {
        one(look, issuer, &issuers);
        at_rest(look, issuer).await?;
    }
    let active = issuers
        .iter()
        .filter(|issuer| issuer.kind == IssuerKind::Issuing && issuer.state == IssuerState::Active);
    let active = active.count();
    if active == 0 {
        look.report.add(FindingCode::IssuerMissing, "issuing CAs", "none is active");
    }
    responders(look, &issuers).await?;
    look.report.area("issuers", format!("{active} issuing CAs at work, none ends soon"));
    Ok(())
}

fn one(look: &mut CheckContext<'_>, issuer: &StoredIssuer, all: &[StoredIssuer]) {
    let subject = name(issuer);
    let Ok((_, certificate)) = X509Certificate::from_der(&issuer.certificate) else {
        return look.report.add(FindingCode::IssuerUnreadable, subject, "its certificate cannot be read");
    };
    signature(look, issuer, &certificate, all);
    if !issuer.is_trusted() {
        return;
    }
    let end = Timestamp::from_seconds(certificate.validity().not_after.timestamp());
    let left = end.since(look.now);
    let longest = look.profiles.all().map(tegata_ca::CertificateProfile::validity).max().unwrap_or_default();
    if left < NOTICE {
        look.report.add(FindingCode::IssuerEnding, subject, format!("it ends at {end}"));
    } else if issuer.kind == IssuerKind::Issuing
        && issuer.state == IssuerState::Active
        && left < longest + MARGIN
    {
        look.report.add(
            FindingCode::IssuerShort,
            subject,
            format!("it ends at {end}, before what it issues should"),
        );
    }
}

/// A root signs itself, an issuing CA has a parent here; who signed a foreign one need not be known here.
fn signature(
    look: &mut CheckContext<'_>,
    issuer: &StoredIssuer,
    certificate: &X509Certificate<'_>,
    all: &[StoredIssuer],
) {
    let verified = match (issuer.kind, &issuer.parent) {
        (IssuerKind::Foreign, _) => true,
        (IssuerKind::Root, _) => certificate.verify_signature(None).is_ok(),
        (IssuerKind::Issuing, None) => false,
        (IssuerKind::Issuing, Some(parent)) => {
            let parent = all.iter().find(|other| other.id == *parent && other.kind == IssuerKind::Root);
            parent.is_some_and(|parent| {
                X509Certificate::from_der(&parent.certificate)
                    .is_ok_and(|(_, parent)| certificate.verify_signature(Some(parent.public_key())).is_ok())
            })
        }
    };
    if !verified {
        look.report.add(FindingCode::IssuerForged, name(issuer), "the signature is not its parent's");
    }
}

/// What hangs on a CA that issues no more.
async fn at_rest(look: &mut CheckContext<'_>, issuer: &StoredIssuer) -> Result<(), Failure> {
    if issuer.kind == IssuerKind::Root || issuer.state == IssuerState::Active {
        return Ok(());
    }
    let living = look.ledger.living_certificates(&issuer.id, look.now).await.doing("cannot count")?;
    if issuer.state == IssuerState::Resting && living == 0 {
        look.report.add(FindingCode::IssuerIdle, name(issuer), "it rests, and no certificate of it lives");
    }
    if !issuer.is_trusted() && living > 0 {
        let detail = format!("it is {}, and devices hold {living} certificates of it", issuer.state.as_str());
        look.report.add(FindingCode::IssuerEndedLiving, name(issuer), detail);
    }
    Ok(())
}

async fn responders(look: &mut CheckContext<'_>, issuers: &[StoredIssuer]) -> Result<(), Failure> {
    for responder in look.inspection.responders(look.now).await.doing("cannot read the responders")? {
        let subject =
            format!("responder {} of CA {}", tegata_core::encoding::hex(&responder.serial), responder.issuer);
        let Some(der) = &responder.der else {
            if look.now.since(responder.reserved_at) > RESERVED {
                look.report.add(FindingCode::ResponderAbandoned, subject, "reserved and never signed");
            }
            continue;
        };
        let authority = issuers.iter().find(|issuer| issuer.id.as_str() == responder.issuer);
        let signed =
            authority.is_some_and(|authority| is_signed(der, &responder.tbs, &responder.serial, authority));
        if !signed {
            look.report.add(FindingCode::ResponderAltered, subject, "its CA did not sign what was intended");
        }
    }
    Ok(())
}

fn is_signed(der: &[u8], tbs: &[u8], serial: &[u8], authority: &StoredIssuer) -> bool {
    let (Ok((_, certificate)), Ok((_, authority))) =
        (X509Certificate::from_der(der), X509Certificate::from_der(&authority.certificate))
    else {
        return false;
    };
    certificate.tbs_certificate.as_ref() == tbs
        && certificate.raw_serial() == serial
        && certificate.verify_signature(Some(authority.public_key())).is_ok()
}

fn name(issuer: &StoredIssuer) -> String {
    format!("CA {} ({})", issuer.id, issuer.kind.as_str())
}
