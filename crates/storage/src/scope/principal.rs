//! Who asks.

use super::extent::{Scope, TenantScope};
use crate::{Actor, CertificateHolder, HeldCertificate, Invitation, LiveSession, ScimToken};
use tegata_core::access::Reach;
use tegata_core::{Act, TenantId};

/// Who asks, as it was verified, and with what scope. By its type it is told whether that is one tenant's
/// ([`TenantScope`]) or may be the whole installation's ([`Scope`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal<S = Scope> {
    actor: Actor,
    scope: S,
}

/// Who belongs to a tenant.
impl Principal<TenantScope> {
    /// A device or a gate by its certificate, as [`StatusCache`](crate::StatusCache) judged it: it sees its own tenant.
    pub fn device(holder: &CertificateHolder) -> Self {
        Self { actor: Actor::Device(holder.device.clone()), scope: TenantScope::of(&holder.tenant) }
    }

    /// Whoever has proved to hold the key of a certificate that may be used no more, or the account it was issued to: they
    /// see the tenant of its device.
    pub fn keyholder(held: &HeldCertificate) -> Self {
        Self { actor: Actor::Device(held.device.clone()), scope: TenantScope::of(&held.tenant) }
    }

    /// Whoever showed the code of an invitation, or the key that claimed it: they see its tenant.
    pub fn invited(invitation: &Invitation) -> Self {
        let scope = TenantScope::of(&invitation.tenant);
        Self { actor: Actor::Invitation(invitation.id.clone()), scope }
    }

    /// A person whose session was presented by its device: they see their own tenant. What they may do there is
    /// [`tegata_core::access`]'s to say.
    pub fn person(session: &LiveSession) -> Self {
        Self { actor: Actor::Person(session.person.clone()), scope: TenantScope::of(&session.tenant) }
    }

    /// The directory of a tenant, by a token of its own that works: it sees that tenant.
    pub fn directory(token: &ScimToken) -> Self {
        Self { actor: Actor::Directory(token.id.clone()), scope: TenantScope::of(&token.tenant) }
    }

    /// A tenant's OpenID provider, which has signed what it says: it tells about people of that tenant.
    pub fn provider(issuer: &str, tenant: &TenantId) -> Self {
        Self { actor: Actor::Provider(issuer.to_owned()), scope: TenantScope::of(tenant) }
    }

    /// A registered client whose certificate was verified, for one of the tenants that its registration names.
    pub fn client(client: &str, tenant: &TenantId) -> Self {
        Self { actor: Actor::Client(client.to_owned()), scope: TenantScope::of(tenant) }
    }
}

/// Who may stand above the tenants.
impl Principal<Scope> {
    /// A person whose session was presented by its device, who does something: with the whole installation where the table of
    /// [`tegata_core::access`] lets a role of theirs reach all tenants by this act, and with their own tenant otherwise. What
    /// they may do within is still to be asked.
    pub fn acting(session: &LiveSession, act: Act) -> Self {
        let reaches_all = session.roles.iter().any(|role| act.reach(role) == Reach::Everywhere);
        let scope = if reaches_all { Scope::Installation } else { Scope::Tenant(session.tenant.clone()) };
        Self { actor: Actor::Person(session.person.clone()), scope }
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
}

impl<S: Clone> Principal<S> {
    /// Who it is to the audit log.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose rows they see.
    pub fn scope(&self) -> S {
        self.scope.clone()
    }
}
