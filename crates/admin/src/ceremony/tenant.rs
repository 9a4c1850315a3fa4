//! `tenant-issuing`: whether the shared CAs serve a tenant, or its own alone.

use super::run::CeremonyRun;
use serde::Deserialize;
use serde_json::json;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, TenantDirectory};
use tegata_storage::{IssuerKind, IssuerState, LedgerError, TenantIssuers};

/// Who is served how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantIssuing {
    tenant: String,
    issuing: TenantIssuancePolicy,
    /// Though the tenant has no CA of its own at work: it gets no certificates until it has.
    #[serde(default)]
    without_ca: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TenantIssuancePolicy {
    Pool,
    Silo,
}

impl From<TenantIssuancePolicy> for TenantIssuers {
    fn from(policy: TenantIssuancePolicy) -> Self {
        match policy {
            TenantIssuancePolicy::Pool => Self::Pool,
            TenantIssuancePolicy::Silo => Self::Silo,
        }
    }
}

pub async fn issuing(details: &TenantIssuing, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    const READ: &str = "cannot read the ledger";
    let config = ceremony.config()?;
    let ledger = ceremony.ledger(&config).await?;
    let tenant = TenantDirectory::read(&ledger).await?.into_tenant(&details.tenant)?;
    let policy = TenantIssuers::from(details.issuing);
    let issuers = ledger.issuers().await.doing(READ)?;
    let own = issuers.iter().filter(|issuer| {
        issuer.kind == IssuerKind::Issuing
            && issuer.state == IssuerState::Active
            && issuer.tenant.as_ref() == Some(&tenant.id)
    });
    let own: Vec<_> = own.map(|issuer| &issuer.id).collect();
    if policy == TenantIssuers::Silo && own.is_empty() && !details.without_ca {
        return Err(Failure::wrong(
            "the tenant has no CA of its own at work: install one for it first, or say without_ca = true",
        ));
    }
    let facts = json!({
        "tenant": tenant.id, "name": tenant.name, "from": tenant.issuing.as_str(), "to": policy.as_str(),
        "own_cas": own,
    });
    ceremony.plan("change who issues for a tenant", &facts)?;
    if ceremony.perform {
        let actor = SystemContext::operator();
        let change = async {
            let mut transaction = ledger.begin(ceremony.now).await?;
            transaction.set_issuing(&tenant.id, policy, &actor).await?;
            let detail = ceremony.detail(&json!({"tenant": tenant.id, "issuing": policy.as_str()}));
            transaction.audit(&actor, "ceremony.performed", None, detail).await?;
            transaction.commit().await
        };
        let changed: Result<(), LedgerError> = change.await;
        changed.committed("nothing was changed")?;
        ceremony.say("changed", &facts)?;
    }
    Ok(())
}
