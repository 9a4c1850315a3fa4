//! The system's own tenant and site, which the canary lives in.

use tegata_core::{SiteId, Timestamp};
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{Actor, Ledger, Principal, Site, Tenant};

/// Who acts, in the audit log.
pub const ACTOR: Actor = Actor::System("canary");

/// Makes both where they are not there yet.
pub async fn site(ledger: &Ledger, now: Timestamp) -> Result<Site, Failure> {
    let what = "cannot make the canary's place";
    let tenant = Tenant::system();
    if let Some(site) = ledger
        .within(Principal::system("canary").scope())
        .sites(&tenant.id)
        .await
        .doing(what)?
        .into_iter()
        .next()
    {
        return Ok(site);
    }
    let id = SiteId::parse(tenant.id.as_str()).ok_or_else(|| Failure::wrong(what))?;
    let site = Site { id, tenant: tenant.id.clone(), name: tenant.name.clone() };
    let mut transaction = ledger.begin(now).await.doing(what)?;
    transaction.add_tenant(&tenant, &ACTOR).await.doing(what)?;
    transaction.add_site(&site, &ACTOR).await.doing(what)?;
    transaction.commit().await.doing(what)?;
    Ok(site)
}
