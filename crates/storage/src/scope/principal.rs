//! Who asks.

use super::extent::Scope;
use crate::{Actor, CertificateHolder, Invitation, LiveSession};
use tegata_core::TenantId;

/// Who asks, as it was verified, and with what scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    actor: Actor,
    scope: Scope,
}

impl Principal {
    /// A device or a gate by its certificate, as [`StatusCache`](crate::StatusCache) judged it: it sees its own tenant.
    pub fn device(holder: &CertificateHolder) -> Self {
        Self { actor: Actor::Device(holder.device.clone()), scope: Scope::Tenant(holder.tenant.clone()) }
    }

    /// Whoever showed the code of an invitation, or the key that claimed it: they see its tenant.
    pub fn invited(invitation: &Invitation) -> Self {
        let scope = Scope::Tenant(invitation.tenant.clone());
        Self { actor: Actor::Invitation(invitation.id.clone()), scope }
    }

    /// A person whose session was presented by its device: they see their own tenant. What they may do there is
    /// [`tegata_core::access`]'s to say.
    pub fn person(session: &LiveSession) -> Self {
        Self { actor: Actor::Person(session.person.clone()), scope: Scope::Tenant(session.tenant.clone()) }
    }

    /// A registered client whose certificate was verified, for one of the tenants that its registration names.
    pub fn client(client: &str, tenant: &TenantId) -> Self {
        Self { actor: Actor::Client(client.to_owned()), scope: Scope::Tenant(tenant.clone()) }
    }

    /// A person at the machine itself: with the whole installation, or with the one tenant they named.
    pub fn operator(name: impl Into<String>, tenant: Option<&TenantId>) -> Self {
        let scope = tenant.map_or(Scope::Installation, |tenant| Scope::Tenant(tenant.clone()));
        Self { actor: Actor::Operator(name.into()), scope }
    }

    /// A part of the program that serves all tenants: a pass, or a service that judges rights itself.
    pub fn system(part: &'static str) -> Self {
        Self { actor: Actor::System(part), scope: Scope::Installation }
    }

    /// Who it is to the audit log.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose rows they see.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }
}
