//! The issuing CAs of an installation: which one serves whom.

use crate::issuing_ca::IssuingCa;
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::sync::Arc;
use tegata_core::{IssuerId, Refusal, TenantId};

/// All CAs that still publish. Active ones issue; resting ones only sign revocation lists and OCSP responders.
pub struct IssuerSet {
    shared: ArcSwap<IssuerSetShared>,
}

/// A CA, and whom it issues for.
#[derive(Clone)]
pub struct IssuerAssignment {
    /// The CA with its signing key.
    pub authority: Arc<IssuingCa>,
    /// The only tenant it issues for; none for a shared one.
    pub tenant: Option<TenantId>,
    /// Whether new certificates may be issued by it; if not, it still signs revocation lists and OCSP responses.
    pub is_active: bool,
}

struct IssuerSetShared {
    /// All assignments, the oldest CA first.
    assignments: Vec<IssuerAssignment>,
    /// Tenants that are served by their own CAs alone.
    silos: HashSet<TenantId>,
}

impl IssuerSet {
    /// From the CAs, oldest first, and the tenants that are served by their own alone.
    pub fn new(assignments: Vec<IssuerAssignment>, silos: HashSet<TenantId>) -> Self {
        Self { shared: ArcSwap::from_pointee(IssuerSetShared { assignments, silos }) }
    }

    /// Takes over what the ledger says now. What is being issued meanwhile goes on with the CA it began with; the
    /// ledger refuses it if that CA has come to rest.
    pub fn replace(&self, assignments: Vec<IssuerAssignment>, silos: HashSet<TenantId>) {
        self.shared.store(Arc::new(IssuerSetShared { assignments, silos }));
    }

    /// The CA that issues for a tenant: the newest active one of its own, or else of the shared ones if its policy
    /// allows.
    ///
    /// # Errors
    /// [`Refusal::NoIssuer`] when there is none.
    pub fn for_tenant(&self, tenant: &TenantId) -> Result<Arc<IssuingCa>, Refusal> {
        let shared = self.shared.load();
        let newest = |own: Option<&TenantId>| {
            shared
                .assignments
                .iter()
                .rev()
                .find(|assignment| assignment.is_active && assignment.tenant.as_ref() == own)
        };
        let shared = || if shared.silos.contains(tenant) { None } else { newest(None) };
        let assignment = newest(Some(tenant)).or_else(shared).ok_or(Refusal::NoIssuer)?;
        Ok(assignment.authority.clone())
    }

    /// The newest active CA that is shared by the tenants without CAs of their own.
    pub fn shared(&self) -> Option<Arc<IssuingCa>> {
        self.shared
            .load()
            .assignments
            .iter()
            .rev()
            .find(|assignment| assignment.is_active && assignment.tenant.is_none())
            .map(|assignment| assignment.authority.clone())
    }

    /// The CA with this identifier, if it issues.
    pub fn active(&self, issuer: &IssuerId) -> Option<Arc<IssuingCa>> {
        let shared = self.shared.load();
        let assignment = shared
            .assignments
            .iter()
            .find(|assignment| assignment.is_active && assignment.authority.issuer().id() == issuer);
        assignment.map(|assignment| assignment.authority.clone())
    }

    /// Whether a CA is there for this tenant: its own, or a shared one.
    pub fn serves(&self, issuer: &IssuerId, tenant: &TenantId) -> bool {
        let shared = self.shared.load();
        let assignment =
            shared.assignments.iter().find(|assignment| assignment.authority.issuer().id() == issuer);
        assignment.is_some_and(|assignment| assignment.tenant.as_ref().is_none_or(|own| own == tenant))
    }

    /// The CA with this identifier.
    pub fn get(&self, issuer: &IssuerId) -> Option<Arc<IssuingCa>> {
        self.shared
            .load()
            .assignments
            .iter()
            .find(|assignment| assignment.authority.issuer().id() == issuer)
            .map(|assignment| assignment.authority.clone())
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Arc<IssuingCa>> {
        self.shared.load().assignments.iter().map(|assignment| assignment.authority.clone()).collect()
    }
}
