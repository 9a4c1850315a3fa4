//! Lists of invitations from registered clients: who may send them, from the configuration, and the secret of their codes.

use crate::server::Server;
use crate::server::acme;
use std::collections::HashMap;
use std::sync::Arc;
use tegata_core::client_registration::ActsFor;
use tegata_core::{Refusal, SiteId, TenantId, Timestamp};
use tegata_enroll::{
    BulkInvitations, CodeSecret, InvitationRights, InvitingClientFuture, InvitingClients, OpenCodeSecret,
};
use tegata_installation::{Failure, FailureContext, config::InvitationPlace};
use tegata_storage::{Ledger, Principal};
use tegata_web::{ClientRegistry, PeerCertificate, ServiceContext};

/// Whether the places that clients may invite to, and the companies that they act for, are there.
pub async fn examine(server: &Server) -> Result<(), Failure> {
    for client in &server.config.registered {
        for place in &client.invites {
            check(&server.ledger, &client.client_id, place).await?;
        }
        if let Some(ActsFor::Tenant(tenant)) = &client.acts_for {
            check_tenant(&server.ledger, &client.client_id, ("acts_for", tenant)).await?;
        }
    }
    Ok(())
}

/// Opens the service for bulk invitations. Its secret stays sealed until it is first needed.
pub async fn open(server: &Server, clients: &Arc<ClientRegistry>) -> Result<BulkInvitations, Failure> {
    let mut realms = HashMap::new();
    for client in &server.config.registered {
        realms.insert(client.client_id.clone(), client.invites.iter().map(realm).collect());
    }
    let context = server.context.for_services();
    let sealed =
        acme::sealed_secret(&server.ledger, &server.ring, context.entropy.as_ref(), context.now()).await?;
    let ring = server.ring.clone();
    let open: OpenCodeSecret =
        Arc::new(move || ring.open_sealed(&sealed).ok().map(|bytes| CodeSecret::new(&bytes)));
    Ok(BulkInvitations::new(
        context.clone(),
        Arc::new(InvitingRegistrations { context, clients: clients.clone(), realms }),
        open,
    ))
}

/// The registered clients, with where each may invite.
struct InvitingRegistrations {
    context: ServiceContext,
    clients: Arc<ClientRegistry>,
    realms: HashMap<String, Vec<InvitationRights>>,
}

impl InvitingRegistrations {
    async fn realms_of(
        &self,
        client_id: &str,
        certificate: Option<&PeerCertificate>,
        now: Timestamp,
    ) -> Result<Vec<InvitationRights>, Refusal> {
        self.clients.recognize(client_id, &self.context, certificate, now).await?;
        Ok(self.realms.get(client_id).cloned().unwrap_or_default())
    }
}

impl InvitingClients for InvitingRegistrations {
    fn admit<'a>(
        &'a self,
        client_id: &'a str,
        certificate: Option<&'a PeerCertificate>,
        now: Timestamp,
    ) -> InvitingClientFuture<'a> {
        Box::pin(self.realms_of(client_id, certificate, now))
    }
}

fn realm(place: &InvitationPlace) -> InvitationRights {
    InvitationRights { tenant: place.tenant.clone(), sites: place.sites.clone() }
}

/// A tenant or site that does not exist is a mistake in the configuration.
async fn check(ledger: &Ledger, client: &str, place: &InvitationPlace) -> Result<(), Failure> {
    check_tenant(ledger, client, ("invites", &place.tenant)).await?;
    let what = "cannot read the sites";
    let sites = ledger.within(Principal::system("startup").scope()).sites(&place.tenant).await.doing(what)?;
    let known = |named: &SiteId| sites.iter().any(|site| site.id == *named);
    match &place.sites {
        Some(named) if !named.iter().all(known) => Err(Failure::misuse(format!(
            "client {client}: invites names a site that is not there, or another tenant's"
        ))),
        _ => Ok(()),
    }
}

async fn check_tenant(
    ledger: &Ledger,
    client: &str,
    (member, named): (&str, &TenantId),
) -> Result<(), Failure> {
    let tenants = ledger.within(Principal::system("startup").scope()).tenants().await;
    let tenants = tenants.doing("cannot read the tenants")?;
    if tenants.iter().any(|tenant| tenant.id == *named && !tenant.is_system()) {
        return Ok(());
    }
    Err(Failure::misuse(format!("client {client}: {member} names a tenant that is not there")))
}
