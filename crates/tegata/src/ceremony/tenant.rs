//! `tenant-issuing`: whether the shared CAs serve a tenant, or its own alone.

use super::scene::Scene;
use crate::cli::scope::Directory;
use crate::failure::{Committed, Doing, Failure};
use crate::machine::Machine;
use serde::Deserialize;
use serde_json::json;
use tegata_storage::{IssuerKind, IssuerState, Issuing, LedgerError};

/// Who is served how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantIssuing {
    tenant: String,
    issuing: Policy,
    /// Though the tenant has no CA of its own at work: it gets no certificates until it has.
    #[serde(default)]
    without_ca: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Pool,
    Silo,
}

impl From<Policy> for Issuing {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Pool => Self::Pool,
            Policy::Silo => Self::Silo,
        }
    }
}

pub async fn issuing(details: &TenantIssuing, scene: &mut Scene<'_>) -> Result<(), Failure> {
    const READ: &str = "cannot read the ledger";
    let config = scene.config()?;
    let ledger = scene.ledger(&config).await?;
    let tenant = Directory::read(&ledger).await?.into_tenant(&details.tenant)?;
    let policy = Issuing::from(details.issuing);
    let issuers = ledger.issuers().await.doing(READ)?;
    let own = issuers.iter().filter(|issuer| {
        issuer.kind == IssuerKind::Issuing
            && issuer.state == IssuerState::Active
            && issuer.tenant.as_ref() == Some(&tenant.id)
    });
    let own: Vec<_> = own.map(|issuer| &issuer.id).collect();
    if policy == Issuing::Silo && own.is_empty() && !details.without_ca {
        return Err(Failure::wrong(
            "the tenant has no CA of its own at work: install one for it first, or say without_ca = true",
        ));
    }
    let facts = json!({
        "tenant": tenant.id, "name": tenant.name, "from": tenant.issuing.as_str(), "to": policy.as_str(),
        "own_cas": own,
    });
    scene.plan("change who issues for a tenant", &facts)?;
    if scene.perform {
        let actor = Machine::operator();
        let change = async {
            let mut transaction = ledger.begin(scene.now).await?;
            transaction.set_issuing(&tenant.id, policy, &actor).await?;
            let detail = scene.detail(&json!({"tenant": tenant.id, "issuing": policy.as_str()}));
            transaction.audit(&actor, "ceremony.performed", None, detail).await?;
            transaction.commit().await
        };
        let changed: Result<(), LedgerError> = change.await;
        changed.committed("nothing was changed")?;
        scene.say("changed", &facts)?;
    }
    Ok(())
}
