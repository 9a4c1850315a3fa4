//! `rest-issuing`, `retire-issuing`, `revoke-issuing`: the ends of an issuing CA.

use super::run::CeremonyRun;
use serde::Deserialize;
use serde_json::{Value, json};
use tegata_core::{IssuerId, RevocationReason};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, anchors, rows};
use tegata_storage::{IssuerKind, IssuerState, Ledger, LedgerError, StoredIssuer, TenantIssuers};

/// Certificates revoked in one transaction: other writers get their turn in between.
const PORTION: u32 = 500;

/// It issues no more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestIssuing {
    issuer: IssuerId,
    /// Though nobody else issues for those it serves.
    #[serde(default)]
    without_successor: bool,
}

/// Ends an issuing CA as planned: none of its certificates is accepted any more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetireIssuing {
    issuer: IssuerId,
    /// Though certificates of it live: they are revoked.
    #[serde(default)]
    with_certificates: bool,
    #[serde(default = "superseded")]
    reason: RevocationReason,
}

/// Revokes an issuing CA whose key may be compromised.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeIssuing {
    issuer: IssuerId,
    reason: RevocationReason,
}

fn superseded() -> RevocationReason {
    RevocationReason::Superseded
}

pub async fn rest(details: &RestIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let (issuer, issuers) = find(&ledger, &details.issuer).await?;
    must_be(&issuer, &[IssuerState::Active])?;
    if !details.without_successor {
        must_have_successor(&ledger, &issuer, &issuers).await?;
    }
    let living = living(&ledger, &issuer, ceremony).await?;
    ceremony.plan("rest an issuing CA", &json!({"issuer": issuer.id, "living_certificates": living}))?;
    if ceremony.perform {
        move_to(&ledger, &issuer, IssuerState::Resting, RevocationReason::Unspecified, ceremony).await?;
        ceremony.say("rests", &json!({"issuer": issuer.id}))?;
    }
    Ok(())
}

pub async fn retire(details: &RetireIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let (issuer, _) = find(&ledger, &details.issuer).await?;
    must_be(&issuer, &[IssuerState::Resting])?;
    let living = living(&ledger, &issuer, ceremony).await?;
    if living > 0 && !details.with_certificates {
        return Err(Failure::wrong(format!(
            "{living} certificates of it live: let them be renewed first, or say with_certificates = true, which \
             revokes them"
        )));
    }
    ceremony.plan("retire an issuing CA", &json!({"issuer": issuer.id, "revoked_with_it": living}))?;
    ceremony.obtain_consent(&ends(&issuer, living))?;
    if ceremony.perform {
        // What is left is denied before its CA is no longer believed, so that whoever is refused reads the true reason.
        let revoked = revoke_rest(&ledger, &issuer, details.reason, ceremony).await?;
        move_to(&ledger, &issuer, IssuerState::Retired, details.reason, ceremony).await?;
        anchors::write(&config, &ledger.issuers().await.doing(READ)?);
        ceremony.say("retired", &revoked)?;
    }
    Ok(())
}

pub async fn revoke(details: &RevokeIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let (issuer, issuers) = find(&ledger, &details.issuer).await?;
    // Revoked already: an act that was stopped in the middle goes on.
    must_be(&issuer, &[IssuerState::Active, IssuerState::Resting, IssuerState::Revoked])?;
    let living = living(&ledger, &issuer, ceremony).await?;
    let facts = json!({
        "issuer": issuer.id, "state": issuer.state.as_str(), "reason": details.reason.as_str(),
        "revoked_with_it": living,
    });
    ceremony.plan("revoke an issuing CA", &facts)?;
    if let Err(nobody) = must_have_successor(&ledger, &issuer, &issuers).await {
        ceremony.say("warning", &json!({"text": nobody.to_string()}))?;
    }
    ceremony.obtain_consent(&ends(&issuer, living))?;
    if ceremony.perform {
        // The other way round than a retirement: whoever has the key must be stopped first.
        if issuer.state != IssuerState::Revoked {
            move_to(&ledger, &issuer, IssuerState::Revoked, details.reason, ceremony).await?;
        }
        let revoked = revoke_rest(&ledger, &issuer, details.reason, ceremony).await?;
        anchors::write(&config, &ledger.issuers().await.doing(READ)?);
        ceremony.say("revoked", &revoked)?;
    }
    let Some(root) = &issuer.parent else { return Ok(()) };
    let next = "the root's list does not say so yet: hold sign-root-crl where the root's key is, with this CA as \
                revoked, then install-root-crl here";
    ceremony.say("next", &json!({"text": next, "root": root}))
}

const READ: &str = "cannot read the ledger";

async fn find(ledger: &Ledger, id: &IssuerId) -> Result<(StoredIssuer, Vec<StoredIssuer>), Failure> {
    let issuers = ledger.issuers().await.doing(READ)?;
    let found = issuers.iter().find(|issuer| issuer.id == *id && issuer.kind != IssuerKind::Root).cloned();
    let found = found.ok_or_else(|| Failure::misuse(format!("the ledger has no issuing CA {id}")))?;
    Ok((found, issuers))
}

fn ends(issuer: &StoredIssuer, living: u64) -> String {
    format!("the CA {} ends for ever, and with it the {living} living certificates that it issued", issuer.id)
}

fn must_be(issuer: &StoredIssuer, states: &[IssuerState]) -> Result<(), Failure> {
    if states.contains(&issuer.state) {
        return Ok(());
    }
    let wanted: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    Err(Failure::wrong(format!("the CA is {}, and must be {}", issuer.state.as_str(), wanted.join(" or "))))
}

/// Whether somebody else issues for everybody whom this CA serves.
async fn must_have_successor(
    ledger: &Ledger,
    issuer: &StoredIssuer,
    issuers: &[StoredIssuer],
) -> Result<(), Failure> {
    if issuer.kind == IssuerKind::Foreign {
        return Ok(());
    }
    let others = || {
        issuers.iter().filter(|other| {
            other.kind == IssuerKind::Issuing && other.state == IssuerState::Active && other.id != issuer.id
        })
    };
    let is_shared = others().any(|other| other.tenant.is_none());
    let Some(tenant) = &issuer.tenant else {
        return if is_shared { Ok(()) } else { Err(nobody("the tenants that share it")) };
    };
    if others().any(|other| other.tenant.as_ref() == Some(tenant)) {
        return Ok(());
    }
    let tenants = rows(ledger, None).tenants().await.doing(READ)?;
    let is_silo = tenants.iter().any(|known| known.id == *tenant && known.issuing == TenantIssuers::Silo);
    if is_shared && !is_silo { Ok(()) } else { Err(nobody("its tenant")) }
}

fn nobody(whom: &str) -> Failure {
    Failure::wrong(format!(
        "no other CA issues for {whom}: install its successor first, or say without_successor = true"
    ))
}

async fn living(ledger: &Ledger, issuer: &StoredIssuer, ceremony: &CeremonyRun<'_>) -> Result<u64, Failure> {
    ledger.living_certificates(&issuer.id, ceremony.now).await.doing(READ)
}

async fn move_to(
    ledger: &Ledger,
    issuer: &StoredIssuer,
    state: IssuerState,
    reason: RevocationReason,
    ceremony: &CeremonyRun<'_>,
) -> Result<(), Failure> {
    let actor = SystemContext::operator();
    let moving = async {
        let mut transaction = ledger.begin(ceremony.now).await?;
        transaction.move_issuer(&issuer.id, state, reason, &ceremony.header.why, &actor).await?;
        let detail = ceremony.detail(&json!({"issuer": issuer.id, "state": state.as_str()}));
        transaction.audit(&actor, "ceremony.performed", None, detail).await?;
        transaction.commit().await
    };
    let moved: Result<(), LedgerError> = moving.await;
    moved.committed("the CA was not moved")
}

/// All that is left of a CA, portion by portion. Stopped in between, it goes on where it was.
async fn revoke_rest(
    ledger: &Ledger,
    issuer: &StoredIssuer,
    reason: RevocationReason,
    ceremony: &mut CeremonyRun<'_>,
) -> Result<Value, Failure> {
    const WHAT: &str = "not all certificates of the CA are revoked yet: perform the act once more";
    let (mut certificates, mut event) = (0, 0);
    loop {
        let mut transaction = ledger.begin(ceremony.system.now()).await.doing(WHAT)?;
        let actor = SystemContext::operator();
        let portion =
            transaction.revoke_certificates_of(&issuer.id, reason, PORTION, &actor).await.doing(WHAT)?;
        transaction.commit().await.committed(WHAT)?;
        if portion.certificates > 0 {
            certificates += portion.certificates;
            event = portion.event;
            ceremony.say("revoked certificates", &json!({"so_far": certificates, "event": event}))?;
        }
        if portion.certificates < PORTION as usize {
            return Ok(json!({"issuer": issuer.id, "certificates": certificates, "last_event": event}));
        }
    }
}
