//! The audit log and the feed against the rows: nothing was issued, stopped or let in again behind their back.

use super::claims::{ClaimDifference, ClaimDifferences, ClaimSums, ComparedRelation, LedgerClaim, SUSPENDED};
use super::code::FindingCode;
use super::context::{CheckContext, PAGE};
use super::dates::SignedDates;
use serde::Deserialize;
use serde_json::Value;
use tegata_core::encoding::hex;
use tegata_core::feed::{Change, TokenHolder};
use tegata_core::{DeviceState, Thumbprint};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{FiledCertificate, FiledDevice, FiledEvent, FiledTokens};

const WHAT: &str = "cannot read the ledger";

/// An end, whatever kind: retired certificates may be revoked later.
const ENDED: &str = "ended";

/// Walks everything once, and a part of it a second time where the two sides differ.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let mut sums = ClaimSums::new(look.entropy);
    let mut dates = SignedDates::default();
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
            look.report.add(FindingCode::AuditBroken, "audit log", fault);
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
        look.report.add(FindingCode::FeedBroken, format!("event {gap}"), "it is missing");
    }
    rows(look, &mut |claim| sums.file(&claim)).await?;
    if let Some(differences) = sums.left_over() {
        explain(look, differences, gap.is_some()).await?;
    }
    look.report.area("audit", format!("{entries} entries and {events} events, chain whole, rows as told"));
    Ok(())
}

/// Walks the chains again, to name the rows behind sums that differ.
async fn explain(
    look: &mut CheckContext<'_>,
    mut differences: ClaimDifferences,
    is_feed_broken: bool,
) -> Result<(), Failure> {
    let mut tell = |claims: Vec<LedgerClaim>| claims.into_iter().for_each(|claim| differences.tell(claim));
    let _ = look.inspection.walk_audit(&mut |entry| tell(claims_of_entry(&entry.entry))).await.doing(WHAT)?;
    let _ = look.inspection.walk_feed(&mut |event| tell(claims_of_event(event))).await.doing(WHAT)?;
    rows(look, &mut |claim| differences.file(claim)).await?;
    let is_complete = differences.is_complete;
    let mut found = differences.found();
    if is_feed_broken {
        found.retain(|difference| {
            !matches!(
                difference.relation,
                ComparedRelation::AnnouncedCertificate
                    | ComparedRelation::AnnouncedDevice
                    | ComparedRelation::AnnouncedTenant
                    | ComparedRelation::AnnouncedSignOut
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

async fn rows(
    look: &mut CheckContext<'_>,
    file: &mut (dyn FnMut(LedgerClaim) + Send),
) -> Result<(), Failure> {
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
        file(LedgerClaim { relation: ComparedRelation::Tenant, key: key.clone(), value: value.clone() });
        file(LedgerClaim { relation: ComparedRelation::AnnouncedTenant, key, value });
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
struct HistoryEntry {
    action: String,
    device: Option<String>,
    detail: Value,
}

fn claims_of_entry(text: &str) -> Vec<LedgerClaim> {
    // Tokens are most of the log, and claim nothing.
    if text.contains(r#""action":"token."#) {
        return Vec::new();
    }
    let Ok(HistoryEntry { action, device, detail }) = serde_json::from_str(text) else { return Vec::new() };
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let Some(device) = device else { return claims_of_tenant(&action, &text) };
    let certificate = || format!("certificate {} {}", text("issuer"), text("serial").to_ascii_lowercase());
    let generation = || format!("device {device} generation {}", detail["generation"]);
    let claim = |relation, key, value: Option<String>| vec![LedgerClaim { relation, key, value }];
    let holder = || format!("device {device}");
    match action.as_str() {
        "certificate.reserved" => claim(ComparedRelation::Reserved, certificate(), Some(generation())),
        "certificate.issued" | "certificate.taken_over" => {
            claim(ComparedRelation::Issued, certificate(), Some(text("thumbprint")))
        }
        "certificate.revoked"
        | "certificate.superseded"
        | "certificate.retired"
        | "certificate.abandoned" => claim(ComparedRelation::Ended, generation(), Some(ENDED.into())),
        "device.suspended" => claim(ComparedRelation::Device, holder(), Some(SUSPENDED.into())),
        "device.resumed" => claim(ComparedRelation::Device, holder(), None),
        "device.revoked" => claim(ComparedRelation::Device, holder(), Some(DeviceState::Revoked.to_string())),
        "device.retired" => claim(ComparedRelation::Device, holder(), Some(DeviceState::Retired.to_string())),
        "device.signed_out" => claim(ComparedRelation::SignedOut, holder(), Some(text("issued_before"))),
        _ => Vec::new(),
    }
}

/// Of an entry that is about no single device.
fn claims_of_tenant(action: &str, text: &dyn Fn(&str) -> String) -> Vec<LedgerClaim> {
    let (relation, value) = match action {
        "tenant.suspended" => (ComparedRelation::Tenant, Some(SUSPENDED.to_owned())),
        "tenant.resumed" => (ComparedRelation::Tenant, None),
        "tenant.signed_out" => (ComparedRelation::SignedOut, Some(text("issued_before"))),
        _ => return Vec::new(),
    };
    vec![LedgerClaim { relation, key: format!("tenant {}", text("tenant")), value }]
}

fn claims_of_event(event: &FiledEvent) -> Vec<LedgerClaim> {
    let claim = |relation, key, value: Option<String>| vec![LedgerClaim { relation, key, value }];
    match serde_json::from_str(&event.change) {
        Ok(Change::CertificateDenied { thumbprint, .. }) => claim(
            ComparedRelation::AnnouncedCertificate,
            format!("certificate with thumbprint {thumbprint}"),
            Some(ENDED.into()),
        ),
        Ok(Change::DeviceDenied { device, reason }) => {
            let state = DeviceState::from(reason).to_string();
            claim(ComparedRelation::AnnouncedDevice, format!("device {device}"), Some(state))
        }
        Ok(Change::DeviceAllowed { device }) => {
            claim(ComparedRelation::AnnouncedDevice, format!("device {device}"), None)
        }
        Ok(Change::TenantDenied { tenant, reason }) => {
            let state = DeviceState::from(reason).to_string();
            claim(ComparedRelation::AnnouncedTenant, format!("tenant {tenant}"), Some(state))
        }
        Ok(Change::TenantAllowed { tenant }) => {
            claim(ComparedRelation::AnnouncedTenant, format!("tenant {tenant}"), None)
        }
        Ok(Change::TokensDenied(tokens)) => {
            let holder = match &tokens.of {
                TokenHolder::Device(device) => format!("device {device}"),
                TokenHolder::Tenant(tenant) => format!("tenant {tenant}"),
            };
            claim(ComparedRelation::AnnouncedSignOut, holder, Some(tokens.issued_before.to_string()))
        }
        Ok(Change::TokenDenied { .. }) | Err(_) => Vec::new(),
    }
}

/// Certificates of another authority were taken over as they were: nothing was reserved.
fn claims_of_certificate(row: &FiledCertificate, is_foreign: bool) -> Vec<LedgerClaim> {
    let serial = format!("certificate {} {}", row.issuer, hex(&row.serial));
    let generation = format!("device {} generation {}", row.device, row.generation);
    let mut claims = Vec::with_capacity(4);
    let thumbprint = row.thumbprint.as_deref().and_then(Thumbprint::from_slice);
    if !is_foreign {
        claims.push(LedgerClaim {
            relation: ComparedRelation::Reserved,
            key: serial.clone(),
            value: Some(generation.clone()),
        });
    }
    if row.der.is_some() {
        let value = Some(thumbprint.map(|known| known.to_string()).unwrap_or_default());
        claims.push(LedgerClaim { relation: ComparedRelation::Issued, key: serial, value });
    }
    if matches!(row.state.as_str(), "retired" | "revoked") {
        let value = Some(ENDED.to_owned());
        claims.push(LedgerClaim { relation: ComparedRelation::Ended, key: generation, value: value.clone() });
        if let Some(thumbprint) = thumbprint {
            let key = format!("certificate with thumbprint {thumbprint}");
            claims.push(LedgerClaim { relation: ComparedRelation::AnnouncedCertificate, key, value });
        }
    }
    claims
}

fn claims_of_device(row: &FiledDevice) -> Vec<LedgerClaim> {
    if row.state == "active" {
        return Vec::new();
    }
    let claim = |relation| LedgerClaim {
        relation,
        key: format!("device {}", row.id),
        value: Some(row.state.clone()),
    };
    vec![claim(ComparedRelation::Device), claim(ComparedRelation::AnnouncedDevice)]
}

fn claims_of_tokens(row: &FiledTokens) -> Vec<LedgerClaim> {
    let claim = |relation| LedgerClaim {
        relation,
        key: format!("{} {}", row.kind, row.holder),
        value: Some(row.issued_before.to_string()),
    };
    vec![claim(ComparedRelation::SignedOut), claim(ComparedRelation::AnnouncedSignOut)]
}

fn verdict(difference: &ClaimDifference) -> (FindingCode, String) {
    let ClaimDifference { relation, in_log, filed, .. } = difference;
    let say = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".into());
    let (log_text, filed_text) = (say(in_log), say(filed));
    match (relation, filed) {
        (ComparedRelation::Reserved | ComparedRelation::Issued, None) => {
            (FindingCode::CertificateMissing, format!("the audit log has {log_text}, the ledger nothing"))
        }
        (ComparedRelation::Reserved | ComparedRelation::Issued, Some(_)) => (
            FindingCode::CertificateUnrecorded,
            format!("the ledger has {filed_text}, the audit log {log_text}"),
        ),
        (ComparedRelation::Ended, None) => {
            (FindingCode::RevocationUndone, "the audit log says that it ended, the ledger lets it in".into())
        }
        (ComparedRelation::Ended, Some(_)) => {
            (FindingCode::RevocationUnrecorded, "it has ended, and the audit log does not say so".into())
        }
        (ComparedRelation::Device | ComparedRelation::Tenant, None) => {
            (FindingCode::RevocationUndone, format!("the audit log says {log_text}, the ledger active"))
        }
        (ComparedRelation::SignedOut, None) => (
            FindingCode::RevocationUndone,
            format!("the audit log says that tokens before {log_text} are denied, the ledger does not"),
        ),
        (ComparedRelation::Device | ComparedRelation::Tenant | ComparedRelation::SignedOut, Some(_)) => (
            FindingCode::DeviceStateUnrecorded,
            format!("the ledger says {filed_text}, the audit log {log_text}"),
        ),
        (
            ComparedRelation::AnnouncedCertificate
            | ComparedRelation::AnnouncedDevice
            | ComparedRelation::AnnouncedTenant
            | ComparedRelation::AnnouncedSignOut,
            None,
        ) => (FindingCode::AnnouncementUnfounded, format!("the feed says {log_text}, the ledger does not")),
        (
            ComparedRelation::AnnouncedCertificate
            | ComparedRelation::AnnouncedDevice
            | ComparedRelation::AnnouncedTenant
            | ComparedRelation::AnnouncedSignOut,
            Some(_),
        ) => {
            (FindingCode::RevocationUnannounced, format!("the ledger says {filed_text}, the feed {log_text}"))
        }
    }
}
