//! The first CAs of an installation, and its first tenant and site in the ledger.

use super::plan::InitPlan;
use crate::ceremony::list::{RootList, USUAL_DAYS};
use crate::ceremony::request::ISSUING_SHARDS;
use crate::ceremony::root::NewRoot;
use tegata_ca::create_ca::{self, CaName, RootAddresses, Validity};
use tegata_ca::{IssuerEndpoints, PublicKey};
use tegata_core::{IssuerId, SiteId, TenantId};
use tegata_installation::{Failure, FailureContext, KeyRing, SystemContext};
use tegata_storage::{Actor, IssuerKind, Ledger, Site, StoredIssuer, StoredTokenKey, Tenant};

/// Lives of the CAs, in days.
const ROOT_DAYS: u32 = 20 * 365;
const ISSUING_DAYS: u32 = 10 * 365;

const CA: &str = "cannot make a CA";

/// Root and first issuing CA, with the root's first list.
pub struct InitialCas {
    root: StoredIssuer,
    issuing: StoredIssuer,
    list: RootList,
}

/// Makes both, with their keys.
pub fn make(plan: &InitPlan, ring: &KeyRing, system: &SystemContext) -> Result<InitialCas, Failure> {
    let (now, entropy) = (system.now(), system.entropy.as_ref());
    let name = |common_name| CaName { organization: &plan.tenant, common_name };
    let terms = |days| Validity { days, now, entropy };
    let root_key = ring.create("root", entropy)?;
    let public = &plan.public;
    let NewRoot { issuer: root, list } =
        NewRoot::make(name("Tegata Root"), root_key, USUAL_DAYS, terms(ROOT_DAYS))?;

    let id = IssuerId::random(entropy);
    let key = ring.create(&KeyRing::issuing(&id), entropy)?;
    // The name tells issuing CAs of one installation apart, in a browser's list too.
    let issuing_name = format!("Tegata Issuing {}", &id.as_str()[..6]);
    let endpoints = IssuerEndpoints::new(public, root.id(), 1).map_err(Failure::misuse)?;
    let issuing = create_ca::create_issuing(
        name(&issuing_name),
        &PublicKey::of(key.as_ref()),
        &root,
        RootAddresses { crl: &endpoints.crl(0), certificate: endpoints.certificate() },
        terms(ISSUING_DAYS),
    )
    .doing(CA)?;
    let parent = Some(root.id().clone());
    Ok(InitialCas {
        root: StoredIssuer::new(root.id().clone(), IssuerKind::Root, root.certificate().to_vec(), None),
        issuing: StoredIssuer {
            shards: ISSUING_SHARDS,
            ..StoredIssuer::new(id, IssuerKind::Issuing, issuing, parent)
        },
        list,
    })
}

/// Writes the first rows: CAs, list, tenant, site.
pub async fn record(
    ledger: &Ledger,
    authorities: Option<&InitialCas>,
    token_key: &StoredTokenKey,
    plan: &InitPlan,
    system: &SystemContext,
) -> Result<(), Failure> {
    let entropy = system.entropy.as_ref();
    let actor = SystemContext::operator();
    let tenant = Tenant::new(TenantId::random(entropy), plan.tenant.as_str());
    let site = Site { id: SiteId::random(entropy), tenant: tenant.id.clone(), name: plan.site.clone() };
    let what = "cannot write the ledger";
    let mut transaction = ledger.begin(system.now()).await.doing(what)?;
    if let Some(InitialCas { root, issuing, list }) = authorities {
        transaction.add_issuer(root, &actor).await.doing(what)?;
        transaction.add_issuer(issuing, &actor).await.doing(what)?;
        transaction.publish_crl(&root.id, 0, &list.stored(1)).await.doing(what)?;
    }
    transaction.add_tenant(&tenant, &actor).await.doing(what)?;
    transaction.add_site(&site, &actor).await.doing(what)?;
    transaction.appoint_token_key(token_key, None, &actor).await.doing(what)?;
    let done = serde_json::json!({"installation": plan.name.as_str()});
    transaction.audit(&Actor::System("init"), "installation.made", None, done).await.doing(what)?;
    transaction.commit().await.doing(what)
}
