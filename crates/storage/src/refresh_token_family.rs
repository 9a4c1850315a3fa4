//! Families of refresh tokens: what a grant has become, from its first value to its end.

mod rotating;
mod starting;

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::feed::{TokenHolder, TokensBefore};
use tegata_core::{DeviceId, FamilyId, JwkThumbprint, SessionId, SiteId, TenantId, Timestamp};

pub use rotating::{RotateFamily, Rotation};

/// A family as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshTokenFamily {
    /// The identifier that the values of its refresh tokens carry.
    pub id: FamilyId,
    /// The device that it was granted to.
    pub device: DeviceId,
    /// Whose device it is by now.
    pub tenant: TenantId,
    /// Where the device stands by now.
    pub site: SiteId,
    /// For which product its access tokens are.
    pub audience: String,
    /// The person they name, as a hash; none where the device acts for itself.
    pub subject: Option<String>,
    /// What of the product they may be good for, separated by spaces.
    pub scope: Option<String>,
    /// The client that refreshes it, where it is not the device itself.
    pub client: Option<String>,
    /// The session of the person that it ends with.
    pub session: Option<SessionId>,
    /// The key that whoever refreshes it has to prove; none where the client has a certificate of its own, or the device's.
    pub dpop_jkt: Option<JwkThumbprint>,
    /// Whether it was ended.
    pub is_ended: bool,
    /// Its end if nobody uses it, or in any case: whichever is sooner.
    pub until: Timestamp,
}

impl RefreshTokenFamily {
    /// Whether its current value works at a time.
    pub fn lives(&self, now: Timestamp) -> bool {
        !self.is_ended && now < self.until
    }
}

/// An access token of a family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantedToken {
    /// The `jti` of the token.
    pub jti: String,
    /// To which certificate of the device.
    pub generation: u32,
    /// When the token expires.
    pub until: Timestamp,
}

/// Why a family is ended before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FamilyEnd {
    /// Its holder revoked it (RFC 7009).
    Revoked,
    /// A value came back that had been replaced: somebody has a copy.
    Replayed,
    /// Its device, or the whole tenant, was signed out.
    SignedOut,
    /// Its client is registered no longer.
    ClientRemoved,
}

impl FamilyEnd {
    /// Its name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Replayed => "replayed",
            Self::SignedOut => "signed_out",
            Self::ClientRemoved => "client_removed",
        }
    }
}

/// A new family, with its first access token.
#[derive(Clone, Debug)]
pub struct StartFamily {
    /// The identifier of the new family.
    pub id: FamilyId,
    /// The device that it is granted to.
    pub device: DeviceId,
    /// The product whose access tokens it renews.
    pub audience: String,
    /// The person, as a hash.
    pub subject: Option<String>,
    /// What of the product, separated by spaces.
    pub scope: Option<String>,
    /// The client that will refresh it, where it is not the device itself.
    pub client: Option<String>,
    /// The session that it ends with.
    pub session: Option<SessionId>,
    /// The key that its client has to prove at each refresh (RFC 9449 section 5).
    pub dpop_jkt: Option<JwkThumbprint>,
    /// The hash of its first value.
    pub current: Vec<u8>,
    /// How long it lives without being used.
    pub idle: Duration,
    /// Its end in any case.
    pub expires_at: Timestamp,
    /// Its first access token.
    pub token: GrantedToken,
    /// When it is granted.
    pub at: Timestamp,
}

impl Ledger {
    /// The family with this identifier.
    pub async fn family(&self, id: &FamilyId) -> Result<Option<RefreshTokenFamily>> {
        let row: Option<RefreshTokenFamilyRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT f.id, f.device, d.tenant, d.site, f.audience, f.subject, f.scope, f.client, f.session, f.dpop_jkt, f.state, \
                 f.idle_until, f.expires_at FROM token_family f JOIN device d ON d.id = f.device WHERE f.id = $1",
            )
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?
        });
        row.map(TryInto::try_into).transpose()
    }
}

impl Transaction {
    /// Ends a living family of a device, and the access tokens of it that still live. Gives the last event that gates
    /// acknowledge, if there were any such tokens; once more changes nothing.
    pub async fn end_family(
        &mut self,
        id: &FamilyId,
        device: &DeviceId,
        end: FamilyEnd,
        actor: &Actor,
    ) -> Result<Option<u64>> {
        let ended = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE token_family SET state = 'ended', reason = $3, previous_hash = NULL \
                 WHERE id = $1 AND device = $2 AND state = 'living'",
            )
            .bind(id.as_str())
            .bind(device.as_str())
            .bind(end.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if ended != 1 {
            return Ok(None);
        }
        let detail = json!({"family": id, "reason": end.as_str()});
        self.audit(actor, "token_family.ended", Some(device), detail).await?;
        let mut last = None;
        for (jti, until) in self.living_tokens(id).await? {
            last = self.deny_token(&jti, until.into(), Some(device), actor).await?.or(last);
        }
        Ok(last)
    }

    /// Ends the families that devices began before a moment; their access tokens are denied by their age. Gives how many.
    pub(crate) async fn end_families_before(&mut self, tokens: &TokensBefore) -> Result<u64> {
        let holder = match &tokens.of {
            TokenHolder::Device(device) => device.as_str(),
            TokenHolder::Tenant(tenant) => tenant.as_str(),
        };
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE token_family SET state = 'ended', reason = $3, previous_hash = NULL \
                 WHERE state = 'living' AND created_at < $2 AND (device = $1 OR device IN \
                 (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $1))",
            )
            .bind(holder)
            .bind(tokens.issued_before.millis())
            .bind(FamilyEnd::SignedOut.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    /// Forgets families that have ended or whose device is gone for good, and access tokens that have. Gives the number
    /// of families.
    pub async fn prune_families(&mut self) -> Result<usize> {
        let now = self.now.millis();
        let pruned = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM granted_token WHERE until <= $1 OR family IN (SELECT id FROM token_family WHERE \
                 state = 'ended' OR idle_until <= $1 OR expires_at <= $1 \
                 OR device IN (SELECT id FROM device WHERE state IN ('revoked', 'retired')))")
                .bind(now)
                .execute(&mut *connection)
                .await?;
            sqlx::query("DELETE FROM token_family WHERE state = 'ended' OR idle_until <= $1 OR expires_at <= $1 \
                 OR device IN (SELECT id FROM device WHERE state IN ('revoked', 'retired'))")
                .bind(now)
                .execute(connection)
                .await?
                .rows_affected()
        });
        if pruned > 0 {
            let actor = Actor::System("renewal");
            self.audit(&actor, "token_family.forgotten", None, json!({"families": pruned})).await?;
        }
        Ok(usize::try_from(pruned).unwrap_or(usize::MAX))
    }

    /// A ledger that was restored knows older values than their holders, and not which families were ended since: none
    /// of them is believed any more.
    pub(crate) async fn end_all_families(&mut self) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE token_family SET state = 'ended', reason = 'restored' WHERE state = 'living'")
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }

    async fn grant(&mut self, family: &FamilyId, token: &GrantedToken) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO granted_token (jti, family, until) VALUES ($1, $2, $3)")
                .bind(token.jti.as_str())
                .bind(family.as_str())
                .bind(token.until.millis())
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    async fn living_tokens(&mut self, family: &FamilyId) -> Result<Vec<(String, i64)>> {
        let now = self.now.millis();
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT jti, until FROM granted_token WHERE family = $1 AND until > $2 ORDER BY jti")
                .bind(family.as_str())
                .bind(now)
                .fetch_all(connection)
                .await?
        }))
    }
}

#[derive(sqlx::FromRow)]
struct RefreshTokenFamilyRow {
    id: String,
    device: String,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    #[sqlx(try_from = "String")]
    site: SiteId,
    audience: String,
    subject: Option<String>,
    scope: Option<String>,
    client: Option<String>,
    session: Option<String>,
    dpop_jkt: Option<Vec<u8>>,
    state: String,
    idle_until: i64,
    expires_at: i64,
}

impl TryFrom<RefreshTokenFamilyRow> for RefreshTokenFamily {
    type Error = LedgerError;

    fn try_from(row: RefreshTokenFamilyRow) -> Result<Self> {
        let session = row.session.as_deref().map(SessionId::parse);
        let dpop_jkt = row.dpop_jkt.as_deref().map(JwkThumbprint::from_slice);
        Ok(Self {
            id: FamilyId::parse(&row.id).ok_or(LedgerError::Unreadable("token_family.id"))?,
            device: DeviceId::parse(&row.device).ok_or(LedgerError::Unreadable("token_family.device"))?,
            tenant: row.tenant,
            site: row.site,
            audience: row.audience,
            subject: row.subject,
            scope: row.scope,
            client: row.client,
            session: session
                .map(|session| session.ok_or(LedgerError::Unreadable("token_family.session")))
                .transpose()?,
            dpop_jkt: dpop_jkt
                .map(|key| key.ok_or(LedgerError::Unreadable("token_family.dpop_jkt")))
                .transpose()?,
            is_ended: row.state != "living",
            until: row.idle_until.min(row.expires_at).into(),
        })
    }
}
