//! An invitation as its row says it.

use crate::error::{LedgerError, Result};
use crate::policy::read_both;
use tegata_core::{
    DeviceId, EffectivePolicy, InvitationId, Refusal, Role, SiteId, TenantId, TenantState, Timestamp,
};

/// Where an invitation stands. Expiry is the clock's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvitationState {
    /// Nobody has used it yet.
    Open,
    /// Used by one key for one device.
    Claimed,
    /// It was taken back before anybody used it.
    Withdrawn,
}

impl InvitationState {
    /// Its name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed => "claimed",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let all = [Self::Open, Self::Claimed, Self::Withdrawn];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or(LedgerError::Unreadable("invitation.state"))
    }
}

/// An invitation as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
#[non_exhaustive]
pub struct Invitation {
    pub id: InvitationId,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub tenant_state: TenantState,
    pub site: SiteId,
    pub site_name: String,
    pub role: Role,
    pub label: String,
    pub state: InvitationState,
    pub expires_at: Timestamp,
    /// The key that claimed it.
    pub key_hash: Option<Vec<u8>>,
    /// The device it became.
    pub device: Option<DeviceId>,
    /// The rules for enrolling with it.
    pub policies: EffectivePolicy,
}

impl Invitation {
    /// Whether enrolling with it is refused because its tenant is stopped. Gates go on.
    pub fn falls_with_its_tenant(&self) -> bool {
        self.role == Role::Device && self.tenant_state != TenantState::Active
    }

    /// Whether the holder of `key_hash` may still enroll with it, or why not. A key that has claimed it may
    /// come again until it expires: its answer may have been lost.
    pub fn admits(&self, key_hash: Option<&[u8]>, now: Timestamp) -> std::result::Result<(), Refusal> {
        match self.state {
            InvitationState::Withdrawn => Err(Refusal::InvitationWithdrawn),
            InvitationState::Claimed if key_hash.is_none() || key_hash != self.key_hash.as_deref() => {
                Err(Refusal::InvitationUsed)
            }
            _ if now > self.expires_at => Err(Refusal::InvitationExpired),
            _ => Ok(()),
        }
    }
}

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT i.id, i.tenant, t.name AS tenant_name, t.state AS tenant_state, i.site, s.name AS site_name, i.role, i.label, i.state, \
             i.expires_at, i.key_hash, i.device, i.code_hash, t.policy AS tenant_policy, s.policy AS site_policy \
             FROM invitation i JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site ",
            $where
        )
    };
}

pub(super) use select;

#[derive(sqlx::FromRow)]
pub(crate) struct InvitationRow {
    #[sqlx(try_from = "String")]
    id: InvitationId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    tenant_name: String,
    #[sqlx(try_from = "String")]
    tenant_state: TenantState,
    #[sqlx(try_from = "String")]
    site: SiteId,
    site_name: String,
    #[sqlx(try_from = "String")]
    role: Role,
    label: String,
    state: String,
    expires_at: i64,
    key_hash: Option<Vec<u8>>,
    device: Option<String>,
    tenant_policy: Option<String>,
    site_policy: Option<String>,
    pub(super) code_hash: Vec<u8>,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = LedgerError;

    fn try_from(row: InvitationRow) -> Result<Self> {
        let state = InvitationState::parse(&row.state)?;
        Ok(Self {
            id: row.id,
            tenant: row.tenant,
            tenant_name: row.tenant_name,
            tenant_state: row.tenant_state,
            site: row.site,
            site_name: row.site_name,
            role: row.role,
            label: row.label,
            state,
            expires_at: row.expires_at.into(),
            key_hash: row.key_hash,
            device: row.device.as_deref().and_then(DeviceId::parse),
            policies: read_both(row.tenant_policy.as_deref(), row.site_policy.as_deref())?,
        })
    }
}
