//! The audit log and the feed against the rows: nothing was issued, stopped or let in again behind their back.

use super::claims::{Claim, Difference, Differences, Relation, SUSPENDED, Sums};
use super::clocks::Dates;
use super::code::Code;
use super::{Look, PAGE};
use crate::failure::{Doing, Failure};
use serde::Deserialize;
use serde_json::Value;
use tegata_core::encoding::hex;
use tegata_core::feed::{Change, Holder};
use tegata_core::{DeviceState, Thumbprint};
use tegata_storage::{FiledCertificate, FiledDevice, FiledEvent, FiledTokens};

const WHAT: &str = "cannot read the ledger";

/// An end, whatever kind: retired certificates may be revoked later.
const ENDED: &str = "ended";

/// Walks everything once, and a part of it a second time where the two sides differ.
pub async fn look(look: &mut Look<'_>) -> Result<(), Failure> {
    let mut sums = Sums::new(look.entropy);
    let mut dates = Dates::default();
    let audit = look
        .inspection
        .walk_audit(&mut |entry| {
            dates.follow(entry.seq, entry.at);
            for claim in &claims_of_entry(&entry.entry) {
                sums.tell(claim);
            }
        })
        .await
        .doing(WHAT)?;
    look.dates = dates;
    let entries = match audit {
        Ok(entries) => entries,
        Err(fault) => {
            // What comes after the break proves nothing, so nothing is compared with it.
            look.report.add(Code::AuditBroken, "audit log", fault);
            look.report.area("audit", "the chain is broken: the rows were not compared with it");
            return Ok(());
        }
    };
    let mut events = 0u64;
    let gap = look
        .inspection
        .walk_feed(&mut |event| {
            events += 1;
            for claim in claims_of_event(event) {
                sums.tell(&claim);
            }
        })
        .await
        .doing(WHAT)?;
    if let Some(gap) = gap {
        look.report.add(Code::FeedBroken, format!("event {gap}"), "it is missing");
    }
    rows(look, &mut |claim| sums.file(&claim)).await?;
    if let Some(differences) = sums.left_over() {
        explain(look, differences, gap.is_some()).await?;
    }
    look.report.area("audit", format!("{entries} entries and {events} events, chain whole, rows as told"));
    Ok(())
}

/// The second walk.
async fn explain(
    look: &mut Look<'_>,
    mut differences: Differences,
    is_feed_broken: bool,
) -> Result<(), Failure> {
    let mut tell = |claims: Vec<Claim>| claims.into_iter().for_each(|claim| differences.tell(claim));
    let _ = look.inspection.walk_audit(&mut |entry| tell(claims_of_entry(&entry.entry))).await.doing(WHAT)?;
    let _ = look.inspection.walk_feed(&mut |event| tell(claims_of_event(event))).await.doing(WHAT)?;
    rows(look, &mut |claim| differences.file(claim)).await?;
    let is_complete = differences.is_complete;
    let mut found = differences.found();
    if is_feed_broken {
        found.retain(|difference| {
            !matches!(
                difference.relation,
                Relation::AnnouncedCertificate
                    | Relation::AnnouncedDevice
                    | Relation::AnnouncedTenant
                    | Relation::AnnouncedSignOut
            )
        });
    }
    for difference in &found {
        let (code, detail) = verdict(difference);
        look.report.add(code, &difference.key, detail);
    }
    if !is_complete && let Some(difference) = found.first() {
        look.report.add(
            verdict(difference).0,
            "the rest",
            "more differs than was looked into: mend and look again",
        );
    }
    Ok(())
}

async fn rows(look: &mut Look<'_>, file: &mut (dyn FnMut(Claim) + Send)) -> Result<(), Failure> {
    let foreign = look.foreign_issuers();
    let (mut device, mut generation) = (String::new(), 0);
    loop {
        let page = look.inspection.certificates(&device, generation, PAGE).await.doing(WHAT)?;
        let Some(last) = page.last() else { break };
        (device, generation) = (last.device.clone(), last.generation);
        for row in &page {
            claims_of_certificate(row, foreign.contains(&row.issuer)).into_iter().for_each(&mut *file);
        }
    }
    let mut after = String::new();
    loop {
        let page = look.inspection.devices(&after, PAGE).await.doing(WHAT)?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        page.iter().flat_map(claims_of_device).for_each(&mut *file);
    }
    for tenant in look.inspection.stopped_tenants().await.doing(WHAT)? {
        let (key, value) = (format!("tenant {}", tenant.id), Some(tenant.state));
        file(Claim { relation: Relation::Tenant, key: key.clone(), value: value.clone() });
        file(Claim { relation: Relation::AnnouncedTenant, key, value });
    }
    let (mut kind, mut holder) = (String::new(), String::new());
    loop {
        let page = look.inspection.denied_tokens(&kind, &holder, PAGE).await.doing(WHAT)?;
        let Some(last) = page.last() else { return Ok(()) };
        (kind, holder) = (last.kind.clone(), last.holder.clone());
        page.iter().flat_map(claims_of_tokens).for_each(&mut *file);
    }
}

/// The part of an audit entry that claims something.
#[derive(Deserialize)]
struct Entry {
    action: String,
    device: Option<String>,
    detail: Value,
}

fn claims_of_entry(text: &str) -> Vec<Claim> {
    // Tokens are most of the log, and claim nothing.
    if text.contains(r#""action":"token."#) {
        return Vec::new();
    }
    let Ok(Entry { action, device, detail }) = serde_json::from_str(text) else { return Vec::new() };
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let Some(device) = device else { return claims_of_tenant(&action, &text) };
    let certificate = || format!("certificate {} {}", text("issuer"), text("serial").to_ascii_lowercase());
    let generation = || format!("device {device} generation {}", detail["generation"]);
    let claim = |relation, key, value: Option<String>| vec![Claim { relation, key, value }];
    let holder = || format!("device {device}");
    match action.as_str() {
        "certificate.reserved" => claim(Relation::Reserved, certificate(), Some(generation())),
        "certificate.issued" | "certificate.taken_over" => {
            claim(Relation::Issued, certificate(), Some(text("thumbprint")))
        }
        "certificate.revoked"
        | "certificate.superseded"
        | "certificate.retired"
        | "certificate.abandoned" => claim(Relation::Ended, generation(), Some(ENDED.into())),
        "device.suspended" => claim(Relation::Device, holder(), Some(SUSPENDED.into())),
        "device.resumed" => claim(Relation::Device, holder(), None),
        "device.revoked" => claim(Relation::Device, holder(), Some(DeviceState::Revoked.to_string())),
        "device.retired" => claim(Relation::Device, holder(), Some(DeviceState::Retired.to_string())),
        "device.signed_out" => claim(Relation::SignedOut, holder(), Some(text("issued_before"))),
        _ => Vec::new(),
    }
}

/// Of an entry that is about no single device.
fn claims_of_tenant(action: &str, text: &dyn Fn(&str) -> String) -> Vec<Claim> {
    let (relation, value) = match action {
        "tenant.suspended" => (Relation::Tenant, Some(SUSPENDED.to_owned())),
        "tenant.resumed" => (Relation::Tenant, None),
        "tenant.signed_out" => (Relation::SignedOut, Some(text("issued_before"))),
        _ => return Vec::new(),
    };
    vec![Claim { relation, key: format!("tenant {}", text("tenant")), value }]
}

fn claims_of_event(event: &FiledEvent) -> Vec<Claim> {
    let claim = |relation, key, value: Option<String>| vec![Claim { relation, key, value }];
    match serde_json::from_str(&event.change) {
        Ok(Change::CertificateDenied { thumbprint, .. }) => claim(
            Relation::AnnouncedCertificate,
            format!("certificate with thumbprint {thumbprint}"),
            Some(ENDED.into()),
        ),
        Ok(Change::DeviceDenied { device, reason }) => {
            let state = DeviceState::from(reason).to_string();
            claim(Relation::AnnouncedDevice, format!("device {device}"), Some(state))
        }
        Ok(Change::DeviceAllowed { device }) => {
            claim(Relation::AnnouncedDevice, format!("device {device}"), None)
        }
        Ok(Change::TenantDenied { tenant, reason }) => {
            let state = DeviceState::from(reason).to_string();
            claim(Relation::AnnouncedTenant, format!("tenant {tenant}"), Some(state))
        }
        Ok(Change::TenantAllowed { tenant }) => {
            claim(Relation::AnnouncedTenant, format!("tenant {tenant}"), None)
        }
        Ok(Change::TokensDenied(tokens)) => {
            let holder = match &tokens.of {
                Holder::Device(device) => format!("device {device}"),
                Holder::Tenant(tenant) => format!("tenant {tenant}"),
            };
            claim(Relation::AnnouncedSignOut, holder, Some(tokens.issued_before.to_string()))
        }
        Ok(Change::TokenDenied { .. }) | Err(_) => Vec::new(),
    }
}

/// Certificates of another authority were taken over as they were: nothing was reserved.
fn claims_of_certificate(row: &FiledCertificate, is_foreign: bool) -> Vec<Claim> {
    let serial = format!("certificate {} {}", row.issuer, hex(&row.serial));
    let generation = format!("device {} generation {}", row.device, row.generation);
    let mut claims = Vec::with_capacity(4);
    let thumbprint = row.thumbprint.as_deref().and_then(Thumbprint::from_slice);
    if !is_foreign {
        claims.push(Claim {
            relation: Relation::Reserved,
            key: serial.clone(),
            value: Some(generation.clone()),
        });
    }
    if row.der.is_some() {
        let value = Some(thumbprint.map(|known| known.to_string()).unwrap_or_default());
        claims.push(Claim { relation: Relation::Issued, key: serial, value });
    }
    if matches!(row.state.as_str(), "retired" | "revoked") {
        let value = Some(ENDED.to_owned());
        claims.push(Claim { relation: Relation::Ended, key: generation, value: value.clone() });
        if let Some(thumbprint) = thumbprint {
            let key = format!("certificate with thumbprint {thumbprint}");
            claims.push(Claim { relation: Relation::AnnouncedCertificate, key, value });
        }
    }
    claims
}

fn claims_of_device(row: &FiledDevice) -> Vec<Claim> {
    if row.state == "active" {
        return Vec::new();
    }
    let claim =
        |relation| Claim { relation, key: format!("device {}", row.id), value: Some(row.state.clone()) };
    vec![claim(Relation::Device), claim(Relation::AnnouncedDevice)]
}

fn claims_of_tokens(row: &FiledTokens) -> Vec<Claim> {
    let claim = |relation| Claim {
        relation,
        key: format!("{} {}", row.kind, row.holder),
        value: Some(row.issued_before.to_string()),
    };
    vec![claim(Relation::SignedOut), claim(Relation::AnnouncedSignOut)]
}

fn verdict(difference: &Difference) -> (Code, String) {
    let Difference { relation, told, filed, .. } = difference;
    let say = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".into());
    let (told_text, filed_text) = (say(told), say(filed));
    match (relation, filed) {
        (Relation::Reserved | Relation::Issued, None) => {
            (Code::CertificateMissing, format!("the audit log has {told_text}, the ledger nothing"))
        }
        (Relation::Reserved | Relation::Issued, Some(_)) => {
            (Code::CertificateUnrecorded, format!("the ledger has {filed_text}, the audit log {told_text}"))
        }
        (Relation::Ended, None) => {
            (Code::RevocationUndone, "the audit log says that it ended, the ledger lets it in".into())
        }
        (Relation::Ended, Some(_)) => {
            (Code::RevocationUnrecorded, "it has ended, and the audit log does not say so".into())
        }
        (Relation::Device | Relation::Tenant, None) => {
            (Code::RevocationUndone, format!("the audit log says {told_text}, the ledger active"))
        }
        (Relation::SignedOut, None) => (
            Code::RevocationUndone,
            format!("the audit log says that tokens before {told_text} are denied, the ledger does not"),
        ),
        (Relation::Device | Relation::Tenant | Relation::SignedOut, Some(_)) => {
            (Code::DeviceStateUnrecorded, format!("the ledger says {filed_text}, the audit log {told_text}"))
        }
        (
            Relation::AnnouncedCertificate
            | Relation::AnnouncedDevice
            | Relation::AnnouncedTenant
            | Relation::AnnouncedSignOut,
            None,
        ) => (Code::AnnouncementUnfounded, format!("the feed says {told_text}, the ledger does not")),
        (
            Relation::AnnouncedCertificate
            | Relation::AnnouncedDevice
            | Relation::AnnouncedTenant
            | Relation::AnnouncedSignOut,
            Some(_),
        ) => (Code::RevocationUnannounced, format!("the ledger says {filed_text}, the feed {told_text}")),
    }
}
