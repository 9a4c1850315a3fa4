//! Every certificate: the bytes, the row that describes them, and what device and CA say of it.

use super::code::Code;
use super::{Look, PAGE, profiles};
use crate::failure::{Doing, Failure};
use ring::digest::{SHA256, digest};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tegata_ca::Endpoints;
use tegata_core::{IssuerId, Thumbprint, Timestamp};
use tegata_storage::{FiledCertificate, IssuerKind, StoredIssuer};
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate reserved longer ago was left by a crash, and the pass that gives it up is not running.
const RESERVED: Duration = Duration::from_mins(30);

/// The same for old generations whose grace has ended.
const RETIRING: Duration = Duration::from_hours(1);

/// Public addresses told apart; more of them are counted with the last.
const ADDRESSES: usize = 8;

/// Walks all certificates.
pub async fn look(look: &mut Look<'_>) -> Result<(), Failure> {
    let what = "cannot read certificates";
    let issuers = look.issuers.clone();
    let authorities = Authorities::read(&issuers);
    let total = look.inspection.count_certificates().await.doing(what)?;
    let mut visit = Visit { living: Living::default(), addresses: BTreeMap::new() };
    let (mut device, mut generation, mut count) = (String::new(), 0, 0u64);
    loop {
        let page = look.inspection.certificates(&device, generation, PAGE).await.doing(what)?;
        let Some(last) = page.last() else { break };
        (device, generation) = (last.device.clone(), last.generation);
        for row in &page {
            visit.one(look, row, &authorities);
            count += 1;
        }
        look.progress.at("certificates", count, total);
    }
    visit.end(look);
    look.report.area("certificates", format!("{count} certificates, bytes as intended and as recorded"));
    Ok(())
}

/// Certificates of the CAs, read once.
struct Authorities<'a>(HashMap<&'a str, (&'a StoredIssuer, X509Certificate<'a>)>);

impl<'a> Authorities<'a> {
    fn read(issuers: &'a [StoredIssuer]) -> Self {
        let read = |issuer: &'a StoredIssuer| {
            let (_, certificate) = X509Certificate::from_der(&issuer.certificate).ok()?;
            Some((issuer.id.as_str(), (issuer, certificate)))
        };
        Self(issuers.iter().filter_map(read).collect())
    }
}

/// What is remembered from row to row.
struct Visit {
    living: Living,
    /// How many certificates name which public address.
    addresses: BTreeMap<String, u64>,
}

/// Generations of one device that somebody may hold and use.
#[derive(Default)]
struct Living {
    device: String,
    in_use: Vec<i64>,
    on_the_way: Vec<i64>,
}

impl Visit {
    fn one(&mut self, look: &mut Look<'_>, row: &FiledCertificate, authorities: &Authorities<'_>) {
        self.living.one(look, row);
        row_alone(look, row);
        let Some(der) = &row.der else { return };
        let subject = name(row);
        let Ok((rest, certificate)) = X509Certificate::from_der(der) else {
            return look.report.add(
                Code::CertificateUnreadable,
                subject,
                "the stored bytes are no certificate",
            );
        };
        if !rest.is_empty() {
            look.report.add(Code::CertificateUnreadable, &subject, "something follows the certificate");
        }
        if certificate.tbs_certificate.as_ref() != row.tbs {
            look.report.add(Code::CertificateAltered, &subject, "the signed bytes are not the intended ones");
        }
        if let Some(fault) = misfiled(row, &certificate, der) {
            look.report.add(Code::CertificateMisfiled, &subject, fault);
        }
        // An unknown CA is an orphan, found elsewhere.
        let Some((issuer, authority)) = authorities.0.get(row.issuer.as_str()) else { return };
        if certificate.verify_signature(Some(authority.public_key())).is_err() {
            look.report.add(Code::CertificateForged, &subject, format!("CA {} did not sign it", row.issuer));
        }
        if issuer.kind == IssuerKind::Issuing {
            self.names(look, row, &certificate);
            profiles::lint(look, row, issuer, &certificate);
        }
    }

    fn end(&mut self, look: &mut Look<'_>) {
        self.living.turn(look);
        let known = look.public_addresses();
        for (address, count) in &self.addresses {
            if !known.contains(address) {
                look.report.add(
                    Code::CertificateAddress,
                    address,
                    format!("{count} certificates name it, and it is not [public] url"),
                );
            }
        }
    }

    /// The holder in the certificate is the device of the row, and the list in it the one of the shard.
    fn names(&mut self, look: &mut Look<'_>, row: &FiledCertificate, certificate: &X509Certificate<'_>) {
        let holder = format!("https://{}/device/{}", look.config.installation.name.as_str(), row.device);
        if holder_of(certificate) != Some(&holder) {
            look.report.add(Code::CertificateMisnamed, name(row), "its SubjectAltName is not its device's");
        }
        let (Some(issuer), Some(list)) = (IssuerId::parse(&row.issuer), list_of(certificate)) else {
            return look.report.add(Code::CertificateMisnamed, name(row), "it names no list of revocations");
        };
        let Some((address, _)) = list.split_once("/crl/") else {
            return look.report.add(
                Code::CertificateMisnamed,
                name(row),
                "the list it names is not one of ours",
            );
        };
        let shard = u16::try_from(row.shard).unwrap_or(u16::MAX);
        let expected = Endpoints::new(address, &issuer, 1).map(|endpoints| endpoints.crl(shard));
        if expected.as_deref().ok() != Some(list) {
            let detail = format!("it names {list}, and its end would be on shard {}", row.shard);
            look.report.add(Code::CertificateMisnamed, name(row), detail);
        }
        if self.addresses.len() < ADDRESSES || self.addresses.contains_key(address) {
            *self.addresses.entry(address.to_owned()).or_default() += 1;
        }
    }
}

impl Living {
    fn one(&mut self, look: &mut Look<'_>, row: &FiledCertificate) {
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

    /// The next device.
    fn turn(&mut self, look: &mut Look<'_>) {
        for (generations, what) in [(&self.in_use, "in use"), (&self.on_the_way, "on their way")] {
            if generations.len() > 1 {
                let detail = format!("generations {generations:?} are {what} at the same time");
                look.report.add(Code::LivingTwice, format!("device {}", self.device), detail);
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
fn row_alone(look: &mut Look<'_>, row: &FiledCertificate) {
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
        look.report.add(Code::CertificateState, &subject, format!("state {state}: {contradiction}"));
    }
    let since = |at: i64| look.now.since(Timestamp::from_millis(at));
    if state == "reserved" && since(row.reserved_at) > RESERVED {
        let at = Timestamp::from_millis(row.reserved_at);
        look.report.add(Code::ReservedLongAgo, &subject, format!("reserved at {at} and never given up"));
    }
    if let (Some(at), "retiring") = (row.retire_at, state)
        && since(at) > RETIRING
    {
        let at = Timestamp::from_millis(at);
        look.report.add(Code::RetirementOverdue, &subject, format!("its grace ended at {at}"));
    }
}

/// The first column that does not describe the certificate.
fn misfiled(row: &FiledCertificate, certificate: &X509Certificate<'_>, der: &[u8]) -> Option<&'static str> {
    let validity = certificate.validity();
    let seconds = |millis: i64| Timestamp::from_millis(millis).seconds();
    let thumbprint = row.thumbprint.as_deref().and_then(Thumbprint::from_slice);
    [
        (certificate.raw_serial() == row.serial, "the serial is not the reserved one"),
        (thumbprint == Some(Thumbprint::of(der)), "the thumbprint is another certificate's"),
        (validity.not_before.timestamp() == seconds(row.not_before), "the beginning of validity differs"),
        (validity.not_after.timestamp() == seconds(row.not_after), "the end of validity differs"),
        (
            digest(&SHA256, certificate.public_key().raw).as_ref() == row.key_hash,
            "the key is not the recorded one",
        ),
    ]
    .into_iter()
    .find_map(|(holds, fault)| (!holds).then_some(fault))
}

fn holder_of<'a>(certificate: &X509Certificate<'a>) -> Option<&'a str> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => match names.general_names.as_slice() {
            [GeneralName::URI(uri)] => Some(*uri),
            _ => None,
        },
        _ => None,
    })
}

fn list_of<'a>(certificate: &X509Certificate<'a>) -> Option<&'a str> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => match points.points.as_slice() {
            [point] => match &point.distribution_point {
                Some(DistributionPointName::FullName(names)) => match names.as_slice() {
                    [GeneralName::URI(uri)] => Some(*uri),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
