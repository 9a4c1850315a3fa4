//! Tokens that are denied by their age: a device, or a whole tenant, is signed out.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::claims::LONGEST_LIFETIME;
use tegata_core::feed::{Change, TokenHolder, TokensBefore};
use tegata_core::{CLOCKS_APART, DeviceId, TenantId, Timestamp};

/// A moment that a clock that was ahead has written counts as now: whatever was dated rightly before is older, and what was
/// dated ahead is not valid yet. Otherwise nobody could date a token after it.
fn not_ahead(moment: Timestamp, now: Timestamp) -> Timestamp {
    if moment.is_ahead_of(now) { now.whole_second().plus(SECOND) } else { moment }
}

/// Kind, holder, moment, end.
type TokenAgeRow = (String, String, i64, i64);

impl Ledger {
    /// Tokens of this device that say they were issued before this moment are refused, whether on its own account or its
    /// tenant's. It holds for whatever outlives access tokens, too.
    pub async fn tokens_before(&self, tenant: &TenantId, device: &DeviceId) -> Result<Option<Timestamp>> {
        let (moment,): (Option<i64>,) = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT MAX(issued_before) FROM denied_tokens \
                 WHERE (kind = 'device' AND holder = $1) OR (kind = 'tenant' AND holder = $2)",
            )
            .bind(device.as_str())
            .bind(tenant.as_str())
            .fetch_one(connection)
            .await?
        });
        Ok(moment.map(Timestamp::from_millis))
    }

    /// Those of which any may live.
    pub(crate) async fn denied_tokens_before(&self, now: Timestamp) -> Result<Vec<TokensBefore>> {
        let rows: Vec<TokenAgeRow> = on_read!(self, connection => {
            sqlx::query_as("SELECT kind, holder, issued_before, until FROM denied_tokens WHERE until >= $1")
                .bind(now.millis())
                .fetch_all(connection)
                .await?
        });
        let read = |row| {
            let tokens = tokens_before(row)?;
            let issued_before = not_ahead(tokens.issued_before, now);
            Ok(TokensBefore { issued_before, ..tokens })
        };
        rows.into_iter().map(read).collect()
    }
}

impl ScopedLedger {
    /// [`Ledger::tokens_before`] of one device; nothing where it is not there.
    pub async fn tokens_before(&self, device: &DeviceId) -> Result<Option<Timestamp>> {
        let (moment,): (Option<i64>,) = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT MAX(t.issued_before) FROM device d JOIN denied_tokens t \
                 ON (t.kind = 'device' AND t.holder = d.id) OR (t.kind = 'tenant' AND t.holder = d.tenant) \
                 WHERE d.id = $1 AND ($2 IS NULL OR d.tenant = $2)",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_one(connection)
            .await?
        });
        Ok(moment.map(Timestamp::from_millis))
    }
}

impl Transaction {
    /// Denies the tokens issued before a moment, or all that were issued so far, and ends the sessions that were begun by
    /// then. Gives the number of the event that gates acknowledge.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when nobody is there by that name, their tokens of that time are denied already, or the
    /// moment has not come.
    pub async fn deny_tokens(
        &mut self,
        of: &TokenHolder,
        issued_before: Option<Timestamp>,
        note: &str,
        actor: &Actor,
    ) -> Result<u64> {
        let issued_before = match issued_before {
            Some(moment) if moment > self.now => {
                return Err(LedgerError::Guard("the tokens of the future cannot be denied"));
            }
            // Tokens count whole seconds: nobody can tell whether one of the same second came before.
            Some(moment) => moment.plus(SECOND.saturating_sub(MILLISECOND)).whole_second(),
            None => self.newest_token(of).await?.plus(SECOND),
        };
        let tokens =
            TokensBefore { of: of.clone(), issued_before, until: issued_before.plus(LONGEST_LIFETIME) };
        if !self.is_known(of).await? || !self.write_tokens_before(&tokens).await? {
            return Err(LedgerError::Guard(
                "nobody is there by that name, or was signed out at that time already",
            ));
        }
        let families = self.end_families_before(&tokens).await?;
        let event = self.feed(Change::TokensDenied(tokens.clone())).await?;
        self.move_statuses(&tokens, event.seq).await?;
        self.audit_tokens_before(&tokens, event.seq, families, note, actor).await?;
        Ok(event.seq)
    }

    /// No token that was issued by now says that it is younger: one is dated now, or ahead, when its holder was signed out
    /// in this very second.
    async fn newest_token(&mut self, of: &TokenHolder) -> Result<Timestamp> {
        let (kind, holder) = name_of(of);
        let (signed_out,): (Option<i64>,) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT MAX(issued_before) FROM denied_tokens WHERE (kind = $1 AND holder = $2) \
                 OR (kind = 'tenant' AND holder IN (SELECT d.tenant FROM device d WHERE d.id = $2)) \
                 OR (kind = 'device' AND holder IN \
                 (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $2))",
            )
            .bind(kind)
            .bind(holder)
            .fetch_one(connection)
            .await?
        });
        let signed_out = signed_out.map_or(Timestamp::default(), |moment| not_ahead(moment.into(), self.now));
        Ok(self.now.whole_second().max(signed_out))
    }

    /// Only forward, save behind a moment that lies in the future. Gives whether that was news.
    pub(crate) async fn write_tokens_before(&mut self, tokens: &TokensBefore) -> Result<bool> {
        let (kind, holder) = name_of(&tokens.of);
        // Said once more of the same moment, it is no news whatever the clock says.
        let ahead = self.now.plus(CLOCKS_APART).max(tokens.issued_before).millis();
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO denied_tokens (kind, holder, issued_before, until) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, holder) DO UPDATE SET issued_before = $3, until = $4 \
                 WHERE denied_tokens.issued_before < $3 OR denied_tokens.issued_before > $5",
            )
            .bind(kind)
            .bind(holder)
            .bind(tokens.issued_before.millis())
            .bind(tokens.until.millis())
            .bind(ahead)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if changed == 1 {
            match &tokens.of {
                TokenHolder::Device(device) => self.drop_sessions_on(device, tokens.issued_before).await?,
                TokenHolder::Tenant(tenant) => {
                    self.drop_sessions_within(tenant, tokens.issued_before).await?
                }
            };
        }
        Ok(changed == 1)
    }

    pub(crate) async fn audit_tokens_before(
        &mut self,
        tokens: &TokensBefore,
        event: u64,
        families: u64,
        note: &str,
        actor: &Actor,
    ) -> Result<()> {
        let mut detail = json!({
            "issued_before": tokens.issued_before, "event": event, "sessions": families, "note": note,
        });
        match &tokens.of {
            TokenHolder::Device(device) => self.audit(actor, "device.signed_out", Some(device), detail).await,
            TokenHolder::Tenant(tenant) => {
                detail["tenant"] = json!(tenant);
                self.audit(actor, "tenant.signed_out", None, detail).await
            }
        }
    }

    async fn is_known(&mut self, of: &TokenHolder) -> Result<bool> {
        let (kind, holder) = name_of(of);
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.id FROM device d WHERE d.id = $2 AND $1 = 'device' AND ($3 IS NULL OR d.tenant = $3) \
                 UNION ALL SELECT t.id FROM tenant t WHERE t.id = $2 AND $1 = 'tenant' AND ($3 IS NULL OR t.id = $3)",
            )
            .bind(kind)
            .bind(holder)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn name_of(of: &TokenHolder) -> (&'static str, &str) {
    match of {
        TokenHolder::Device(device) => ("device", device.as_str()),
        TokenHolder::Tenant(tenant) => ("tenant", tenant.as_str()),
    }
}

fn tokens_before((kind, holder, issued_before, until): TokenAgeRow) -> Result<TokensBefore> {
    let of = match kind.as_str() {
        "device" => DeviceId::parse(&holder).map(TokenHolder::Device),
        _ => TenantId::parse(&holder).map(TokenHolder::Tenant),
    };
    let of = of.ok_or(LedgerError::Unreadable("denied_tokens.holder"))?;
    Ok(TokensBefore { of, issued_before: issued_before.into(), until: until.into() })
}
