//! Every certificate: the bytes, the row that describes them, and what device and CA say of it.

use super::code::FindingCode;
use super::context::{CheckContext, PAGE};
use super::profiles;
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::time::Duration;
use tegata_ca::IssuerEndpoints;
use tegata_ca::audit::{self, AuditedIssuer};
use tegata_core::{HttpOrigin, Thumbprint, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{FiledCertificate, IssuerKind, StoredCrl, StoredIssuer};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate reserved longer ago was left by a crash, and the pass that gives it up is not running.
const RESERVED: Duration = Duration::from_mins(30);

/// An old generation whose grace ended longer ago than this should have been retired by its pass.
const RETIRING: Duration = Duration::from_hours(1);

/// Compares every certificate with its row, its device and its CA.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let what = "cannot read certificates";
    let issuers = look.issuers.clone();
    let address = look.public_address();
    let mut authorities = HashMap::new();
    for issuer in &issuers {
        let list = look.ledger.crl(&issuer.id, 0).await.doing("cannot read a published list")?;
        if let Some(authority) = CheckedIssuer::read(issuer, &address, list.as_ref()) {
            authorities.insert(issuer.id.as_str(), authority);
        }
    }
    let total = look.inspection.count_certificates().await.doing(what)?;
    let mut visit = RowMemory::default();
    let (mut device, mut generation, mut count) = (String::new(), 0, 0u64);
    loop {
        let page = look.inspection.certificates(&device, generation, PAGE).await.doing(what)?;
        let Some(last) = page.last() else { break };
        (device, generation) = (last.device.clone(), last.generation);
        for row in &page {
            visit.one(look, row, authorities.get(row.issuer.as_str()));
            count += 1;
        }
        look.progress.at("certificates", count, total);
    }
    visit.end(look, &address.to_string());
    look.report.area("certificates", format!("{count} certificates, bytes as intended and as recorded"));
    Ok(())
}

/// A CA, read once for all that it issued.
struct CheckedIssuer<'a> {
    stored: &'a StoredIssuer,
    certificate: X509Certificate<'a>,
    /// What the lint needs of one of ours.
    own: Option<(AuditedIssuer, IssuerEndpoints)>,
}

impl<'a> CheckedIssuer<'a> {
    fn read(stored: &'a StoredIssuer, address: &HttpOrigin, list: Option<&StoredCrl>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(&stored.certificate).ok()?;
        let own = (stored.kind == IssuerKind::Issuing).then(|| {
            let endpoints = IssuerEndpoints::new(address, &stored.id, stored.shards).ok()?;
            let endpoints = match list {
                Some(list) => endpoints.as_published(address, &stored.id, &list.der),
                None => endpoints,
            };
            Some((AuditedIssuer::read(&stored.certificate).ok()?, endpoints))
        });
        Some(Self { stored, certificate, own: own.flatten() })
    }
}

/// What is remembered from row to row.
#[derive(Default)]
struct RowMemory {
    living: LivingGenerations,
    /// How many certificates name another public address.
    elsewhere: u64,
}

/// Generations of one device that somebody may hold and use.
#[derive(Default)]
struct LivingGenerations {
    device: String,
    in_use: Vec<i64>,
    on_the_way: Vec<i64>,
}

impl RowMemory {
    fn one(
        &mut self,
        look: &mut CheckContext<'_>,
        row: &FiledCertificate,
        authority: Option<&CheckedIssuer<'_>>,
    ) {
        self.living.one(look, row);
        row_alone(look, row);
        let Some(der) = &row.der else { return };
        if row.thumbprint.as_deref() != Some(Thumbprint::of(der).as_bytes().as_slice()) {
            look.report.add(
                FindingCode::CertificateMisfiled,
                name(row),
                "the thumbprint is another certificate's",
            );
        }
        // An unknown CA is an orphan, found elsewhere.
        let Some(authority) = authority else { return };
        match (&authority.own, profiles::record_of(look, row)) {
            (Some((issuer, endpoints)), Some((profile, record))) => {
                for finding in audit::certificate(der, issuer, &profile, endpoints, &record) {
                    match profiles::code_of(finding) {
                        FindingCode::CertificateAddress => self.elsewhere += 1,
                        code => look.report.add(code, name(row), format!("it lacks {finding}")),
                    }
                }
            }
            _ => bytes_alone(look, row, der, authority),
        }
    }

    fn end(&mut self, look: &mut CheckContext<'_>, address: &str) {
        self.living.turn(look);
        if self.elsewhere > 0 {
            let detail = format!("{} certificates name another address", self.elsewhere);
            look.report.add(FindingCode::CertificateAddress, address, detail);
        }
    }
}

/// Where no profile of ours applies: another authority's certificate, or a profile that does not load.
fn bytes_alone(
    look: &mut CheckContext<'_>,
    row: &FiledCertificate,
    der: &[u8],
    authority: &CheckedIssuer<'_>,
) {
    let Ok(([], certificate)) = X509Certificate::from_der(der) else {
        return look.report.add(
            FindingCode::CertificateUnreadable,
            name(row),
            "the stored bytes are no certificate",
        );
    };
    if certificate.tbs_certificate.as_ref() != row.tbs {
        look.report.add(
            FindingCode::CertificateAltered,
            name(row),
            "the signed bytes are not the intended ones",
        );
    }
    if certificate.verify_signature(Some(authority.certificate.public_key())).is_err() {
        let detail = format!("CA {} did not sign it", authority.stored.id);
        look.report.add(FindingCode::CertificateForged, name(row), detail);
    }
    let validity = certificate.validity();
    let seconds = |millis: i64| Timestamp::from_millis(millis).seconds();
    let described = certificate.raw_serial() == row.serial
        && validity.not_before.timestamp() == seconds(row.not_before)
        && validity.not_after.timestamp() == seconds(row.not_after)
        && digest(&SHA256, certificate.public_key().raw).as_ref() == row.key_hash;
    if !described {
        look.report.add(
            FindingCode::CertificateMisfiled,
            name(row),
            "serial, validity or key are not the recorded ones",
        );
    }
}

impl LivingGenerations {
    fn one(&mut self, look: &mut CheckContext<'_>, row: &FiledCertificate) {
        if row.device != self.device {
            self.turn(look);
            self.device.clone_from(&row.device);
        }
        let ended = row.not_after < look.now.millis() || row.device_state.as_deref() != Some("active");
        match row.state.as_str() {
            "in_use" if !ended => self.in_use.push(row.generation),
            "issued" | "delivered" if !ended => self.on_the_way.push(row.generation),
            _ => {}
        }
    }

    /// Judges the generations of the device that was read, and begins with the next.
    fn turn(&mut self, look: &mut CheckContext<'_>) {
        for (generations, what) in [(&self.in_use, "in use"), (&self.on_the_way, "on their way")] {
            if generations.len() > 1 {
                let detail = format!("generations {generations:?} are {what} at the same time");
                look.report.add(FindingCode::LivingTwice, format!("device {}", self.device), detail);
            }
        }
        *self = Self::default();
    }
}

/// `device ID generation N`.
fn name(row: &FiledCertificate) -> String {
    format!("device {} generation {}", row.device, row.generation)
}

/// What the row says of itself.
fn row_alone(look: &mut CheckContext<'_>, row: &FiledCertificate) {
    let subject = name(row);
    let state = row.state.as_str();
    let signed = row.der.is_some() && row.thumbprint.is_some() && row.issued_at.is_some();
    let contradiction = match state {
        "reserved" if row.der.is_some() => Some("it is reserved and has bytes"),
        "issued" | "delivered" | "in_use" | "retiring" | "retired" if !signed => {
            Some("it was issued and has no bytes, no thumbprint or no time")
        }
        "retiring" if row.retire_at.is_none() => Some("it retires at no time"),
        "retired" | "revoked" if row.ended_at.is_none() => Some("it ended at no time"),
        "reserved" | "issued" | "delivered" | "in_use" | "retiring" if row.ended_at.is_some() => {
            Some("it lives and has an end")
        }
        _ => None,
    };
    if let Some(contradiction) = contradiction {
        look.report.add(FindingCode::CertificateState, &subject, format!("state {state}: {contradiction}"));
    }
    let since = |at: i64| look.now.since(Timestamp::from_millis(at));
    if state == "reserved" && since(row.reserved_at) > RESERVED {
        let at = Timestamp::from_millis(row.reserved_at);
        look.report.add(
            FindingCode::ReservedLongAgo,
            &subject,
            format!("reserved at {at} and never given up"),
        );
    }
    if let (Some(at), "retiring") = (row.retire_at, state)
        && since(at) > RETIRING
    {
        let at = Timestamp::from_millis(at);
        look.report.add(FindingCode::RetirementOverdue, &subject, format!("its grace ended at {at}"));
    }
}
