//! Whose rows somebody sees.

use tegata_core::TenantId;

/// Whose rows a handle sees and changes. Only [`Principal::scope`](crate::Principal::scope) gives one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everybody's: the operator's, and the program's own passes.
    #[non_exhaustive]
    Installation,
    /// What belongs to this tenant alone.
    #[non_exhaustive]
    Tenant(TenantId),
}

/// The rows of one tenant: the only scope there is for whoever serves tenants ([`ServiceLedger`](crate::ServiceLedger)).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantScope(TenantId);

impl TenantScope {
    pub(super) fn of(tenant: &TenantId) -> Self {
        Self(tenant.clone())
    }

    /// The tenant whose rows they are.
    pub fn tenant(&self) -> &TenantId {
        &self.0
    }
}

impl From<TenantScope> for Scope {
    fn from(scope: TenantScope) -> Self {
        Self::Tenant(scope.0)
    }
}

impl Scope {
    /// The tenant to compare rows with; nothing where all of them count.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }

    /// Whether what belongs to this tenant lies within.
    pub fn holds(&self, tenant: &TenantId) -> bool {
        self.tenant().is_none_or(|own| own == tenant)
    }

    /// What statements bind where they compare a row's tenant: `($n IS NULL OR tenant = $n)`.
    pub(crate) fn bound(&self) -> Option<&str> {
        self.tenant().map(TenantId::as_str)
    }
}
