//! How a tenant's people sign in: with accounts here, at its OpenID provider, or either.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::TenantId;

/// With which accounts the people of a tenant sign in. Accounts for emergencies are local whatever it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignInAccounts {
    /// With accounts here alone.
    Local,
    /// With accounts here, or at the provider.
    #[default]
    Both,
    /// At the tenant's provider alone.
    Provider,
}

/// Whether whoever the provider knows and nobody has linked gets an account by signing in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CreatesPeople {
    /// Somebody has to link them first.
    #[default]
    Off,
    /// They do, as staff of the sites that the provider names.
    On,
}

/// What a tenant has decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignInPolicy {
    /// With which accounts people sign in.
    pub accounts: SignInAccounts,
    /// Whether the provider makes accounts.
    pub creates_people: CreatesPeople,
}

impl SignInAccounts {
    /// All choices there are.
    pub const ALL: [Self; 3] = [Self::Local, Self::Both, Self::Provider];

    /// The word in the ledger, in JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Both => "both",
            Self::Provider => "provider",
        }
    }

    /// What a word says.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|accounts| accounts.as_str() == word)
    }
}

impl TryFrom<String> for SignInAccounts {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        Self::parse(&word).ok_or(LedgerError::Unreadable("tenant.sign_in"))
    }
}

impl CreatesPeople {
    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

impl TryFrom<String> for CreatesPeople {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        let known = [Self::Off, Self::On].into_iter().find(|creates| creates.as_str() == word);
        known.ok_or(LedgerError::Unreadable("tenant.creates_people"))
    }
}

impl ScopedLedger {
    /// What a tenant has decided; what it would be at first where there is no such tenant.
    pub async fn sign_in_policy(&self, tenant: &TenantId) -> Result<SignInPolicy> {
        let row: Option<(String, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as("SELECT sign_in, creates_people FROM tenant WHERE id = $1 AND ($2 IS NULL OR id = $2)")
                .bind(tenant.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        let Some((accounts, creates_people)) = row else { return Ok(SignInPolicy::default()) };
        Ok(SignInPolicy { accounts: accounts.try_into()?, creates_people: creates_people.try_into()? })
    }
}

impl Transaction {
    /// Decides how a tenant's people sign in from now on. Sessions that have begun go on.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant.
    pub async fn set_sign_in_policy(
        &mut self,
        tenant: &TenantId,
        wanted: SignInPolicy,
        actor: &Actor,
    ) -> Result<()> {
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE tenant SET sign_in = $2, creates_people = $3 WHERE id = $1 AND ($4 IS NULL OR id = $4)",
            )
            .bind(tenant.as_str())
            .bind(wanted.accounts.as_str())
            .bind(wanted.creates_people.as_str())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(changed, "there is no such tenant")?;
        let detail = json!({
            "tenant": tenant, "accounts": wanted.accounts.as_str(), "creates_people": wanted.creates_people.as_str(),
        });
        self.audit(actor, "tenant.sign_in", None, detail).await
    }
}
