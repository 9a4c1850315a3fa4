//! Doing again what a line of the log says, in a ledger that may never have heard of its subject.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::revocation_log::{LogRecord, LoggedEvent, NamedCertificate};
use crate::tenant;
use crate::{LedgerError, Result, Transaction};
use serde::Serialize;
use serde_json::json;
use tegata_core::encoding::from_hex;
use tegata_core::feed::{Change, Denial, TokensBefore};
use tegata_core::{
    DeviceId, DeviceState, IssuerId, RevocationReason, TenantId, TenantState, Thumbprint, Timestamp,
};

/// What was done again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct ReplayedEvent {
    /// Lines of the feed.
    pub(super) events: u64,
    /// Devices whose state changed.
    pub(super) devices: u64,
    /// Certificates of the ledger that ended.
    pub(super) certificates: u64,
    /// Certificates that ended and are not in the ledger.
    pub(super) lost: u64,
    /// Tenants whose state changed.
    pub(super) tenants: u64,
    /// Tokens taken back, and holders signed out.
    pub(super) tokens: u64,
    /// Keys that were blocked.
    pub(super) keys: u64,
    /// Steps in the life of a CA.
    pub(super) issuers: u64,
    /// People who may sign in no longer, or again.
    pub(super) people: u64,
}

/// From which states a line moves a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatesBefore {
    /// The backup may be from before any of the device's states, so there is none that it must be in.
    Any,
    /// Only those that let in more.
    LettingInMore,
}

impl Transaction {
    pub(super) async fn apply(&mut self, record: &LogRecord, done: &mut ReplayedEvent) -> Result<()> {
        match record {
            LogRecord::Header(_) => {}
            LogRecord::Event(logged) => {
                self.refeed(&logged.event).await?;
                done.events += 1;
                self.apply_event(logged, done).await?;
            }
            LogRecord::KeyBlocked { key, id, note, at } => {
                done.keys += self.block_again(key, id.as_deref(), note, *at).await?;
            }
            LogRecord::TokenKeyWithdrawn { kid, note, at } => {
                let withdrawn = self.withdraw_token_key_again(kid, *at).await?;
                if withdrawn > 0 {
                    let detail = json!({"kid": kid, "note": note, "at": at});
                    self.audit(&LOG, "token_key.withdrawn", None, detail).await?;
                }
                done.keys += withdrawn;
            }
            LogRecord::IssuerMoved { issuer, state, reason, at } => {
                done.issuers += self.move_issuer_again(issuer, state, reason.as_deref(), *at).await?;
            }
            LogRecord::PersonMoved { tenant, person, state, at } => {
                done.people += self.move_person_again(tenant, person, *state, *at).await?;
            }
        }
        Ok(())
    }

    async fn apply_event(&mut self, logged: &LoggedEvent, done: &mut ReplayedEvent) -> Result<()> {
        match &logged.event.change {
            Change::DeviceDenied { device, reason } => {
                let state = DeviceState::from(*reason);
                done.devices += self.move_again(device, state, StatesBefore::Any, logged).await?;
                done.lost += self.lose(logged).await?;
            }
            Change::DeviceAllowed { device } => {
                done.devices +=
                    self.move_again(device, DeviceState::Active, StatesBefore::Any, logged).await?;
                self.release(&logged.certificates).await?;
            }
            Change::CertificateDenied { thumbprint, reason, .. } => {
                done.certificates += self.end_again(logged, thumbprint, *reason).await?;
                done.lost += self.lose(logged).await?;
            }
            Change::TokenDenied { jti, until } => {
                done.tokens += self.deny_again(jti, *until, logged.event.seq).await?;
            }
            Change::TenantDenied { tenant, reason: _ } => {
                done.tenants += self.move_tenant_again(tenant, TenantState::Suspended, logged).await?;
                done.lost += self.lose(logged).await?;
            }
            Change::TenantAllowed { tenant } => {
                done.tenants += self.move_tenant_again(tenant, TenantState::Active, logged).await?;
                self.release(&logged.certificates).await?;
            }
            Change::TokensDenied(tokens) => {
                done.tokens += self.sign_out_again(tokens, logged.event.seq).await?;
            }
        }
        Ok(())
    }

    /// Sessions that the device was stopped with are denied by lines of their own.
    pub(super) async fn move_again(
        &mut self,
        device: &DeviceId,
        to: DeviceState,
        from: StatesBefore,
        logged: &LoggedEvent,
    ) -> Result<u64> {
        let statement = match from {
            StatesBefore::Any => "UPDATE device SET state = $2, reason = $3, changed_at = $4 WHERE id = $1",
            StatesBefore::LettingInMore => {
                "UPDATE device SET state = $2, reason = $3, changed_at = $4 WHERE id = $1 AND state <> $2 AND \
                 (state = 'active' OR (state = 'suspended' AND $2 IN ('retired', 'revoked')) \
                 OR (state = 'retired' AND $2 = 'revoked'))"
            }
        };
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(statement)
                .bind(device.as_str())
                .bind(to.as_str())
                .bind(logged.reason.clone())
                .bind(logged.event.at.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if moved > 0 {
            self.touch_shards_of(device).await?;
            if to != DeviceState::Active {
                self.drop_sessions_on(device, Timestamp::END).await?;
            }
            let detail = json!({"event": logged.event.seq, "reason": logged.reason, "at": logged.event.at});
            self.audit(&LOG, moved_to(to), Some(device), detail).await?;
        }
        Ok(moved)
    }

    pub(super) async fn end_again(
        &mut self,
        logged: &LoggedEvent,
        thumbprint: &Thumbprint,
        denial: Denial,
    ) -> Result<u64> {
        let state = if denial == Denial::Retired { "retired" } else { "revoked" };
        let mut ended = 0;
        for named in &logged.certificates {
            // A backup between intention and signature has the row without its thumbprint.
            let changed = on_transaction!(self.engine, connection => {
                sqlx::query(
                    "UPDATE certificate SET state = $3, reason = $4, ended_at = $5, \
                     thumbprint = COALESCE(thumbprint, $6) \
                     WHERE issuer = $1 AND serial = $2 AND state <> 'revoked' AND state <> $3",
                )
                .bind(named.issuer.as_str())
                .bind(named.serial.as_bytes().to_vec())
                .bind(state)
                .bind(named.reason.map(RevocationReason::as_str))
                .bind(logged.event.at.millis())
                .bind(thumbprint.as_bytes().to_vec())
                .execute(connection)
                .await?
                .rows_affected()
            });
            if changed > 0 {
                self.touch_shard(named.issuer.as_str(), named.shard).await?;
                let action =
                    if denial == Denial::Retired { "certificate.retired" } else { "certificate.revoked" };
                self.audit(&LOG, action, Some(&named.device), detail(named, logged)).await?;
            }
            ended += changed;
        }
        Ok(ended)
    }

    /// Remembers the end of certificates that the ledger does not have. One that was only on hold may end for good,
    /// and never the other way round.
    pub(super) async fn lose(&mut self, logged: &LoggedEvent) -> Result<u64> {
        let mut lost = 0;
        for named in &logged.certificates {
            let changed = on_transaction!(self.engine, connection => {
                sqlx::query(
                    "INSERT INTO lost_certificate (issuer, serial, shard, thumbprint, not_after, ended_at, reason) \
                     SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS \
                     (SELECT 1 FROM certificate c WHERE c.issuer = $1 AND c.serial = $2) \
                     ON CONFLICT (issuer, serial) DO UPDATE SET ended_at = $6, reason = $7 \
                     WHERE lost_certificate.reason IS NULL",
                )
                .bind(named.issuer.as_str())
                .bind(named.serial.as_bytes().to_vec())
                .bind(named.shard)
                .bind(named.thumbprint.map(|thumbprint| thumbprint.as_bytes().to_vec()))
                .bind(named.not_after.millis())
                .bind(logged.event.at.millis())
                .bind(named.reason.map(RevocationReason::as_str))
                .execute(connection)
                .await?
                .rows_affected()
            });
            if changed > 0 {
                self.touch_shard(named.issuer.as_str(), named.shard).await?;
                self.audit(&LOG, "certificate.lost", Some(&named.device), detail(named, logged)).await?;
            }
            lost += changed;
        }
        Ok(lost)
    }

    /// Their device or tenant was resumed: what was on hold is so no longer. Nobody accepts it, for the ledger does not know it.
    async fn release(&mut self, certificates: &[NamedCertificate]) -> Result<()> {
        for named in certificates {
            on_transaction!(self.engine, connection => {
                sqlx::query("DELETE FROM lost_certificate WHERE issuer = $1 AND serial = $2 AND reason IS NULL")
                    .bind(named.issuer.as_str())
                    .bind(named.serial.as_bytes().to_vec())
                    .execute(connection)
                    .await?;
            });
            self.touch_shard(named.issuer.as_str(), named.shard).await?;
        }
        Ok(())
    }

    pub(super) async fn deny_again(&mut self, jti: &str, until: Timestamp, event: u64) -> Result<u64> {
        let denied = on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO denied_token (jti, until) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING")
                .bind(jti)
                .bind(until.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if denied > 0 {
            self.audit(&LOG, "token.revoked", None, json!({"jti": jti, "event": event})).await?;
        }
        Ok(denied)
    }

    pub(super) async fn move_tenant_again(
        &mut self,
        tenant: &TenantId,
        to: TenantState,
        logged: &LoggedEvent,
    ) -> Result<u64> {
        let moved = self.move_tenant(tenant, to, logged.event.at).await?;
        if moved > 0 {
            self.touch_shards_within(tenant).await?;
            if to == TenantState::Suspended {
                self.drop_sessions_within(tenant, Timestamp::END).await?;
            }
            let detail = json!({"tenant": tenant, "event": logged.event.seq, "at": logged.event.at});
            self.audit(&LOG, tenant::moved_to(to), None, detail).await?;
        }
        Ok(moved)
    }

    pub(super) async fn sign_out_again(&mut self, tokens: &TokensBefore, event: u64) -> Result<u64> {
        let is_news = self.write_tokens_before(tokens).await?;
        if is_news {
            self.move_statuses(tokens, event).await?;
            self.audit_tokens_before(tokens, event, 0, "", &LOG).await?;
        }
        Ok(u64::from(is_news))
    }

    async fn block_again(&mut self, key: &str, id: Option<&str>, note: &str, at: Timestamp) -> Result<u64> {
        let read = |text: &str| from_hex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key_hash = read(key).ok_or(LedgerError::Unreadable("a key in the revocation log"))?;
        let id = match id.and_then(read) {
            Some(id) => id,
            None => self.key_id_of(&key_hash).await?,
        };
        let blocked = self.insert_blocked_key(&key_hash, &id, note, at).await?;
        if blocked > 0 {
            self.audit(&LOG, "key.blocked", None, json!({"key": key, "note": note, "at": at})).await?;
        }
        Ok(blocked)
    }

    /// Only forward: the log may be read from its beginning.
    async fn move_issuer_again(
        &mut self,
        issuer: &IssuerId,
        state: &str,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<u64> {
        let ended_at = (state == "retired" || state == "revoked").then_some(at.millis());
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE issuer SET state = $2, reason = $3, ended_at = $4 WHERE id = $1 AND state <> $2 \
                 AND (state = 'active' OR (state = 'resting' AND $2 IN ('retired', 'revoked')))",
            )
            .bind(issuer.as_str())
            .bind(state)
            .bind(reason.map(str::to_owned))
            .bind(ended_at)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if moved > 0 {
            if state == "revoked" {
                self.touch_parent(issuer).await?;
            }
            let detail = json!({"issuer": issuer, "state": state, "reason": reason, "at": at});
            self.audit(&LOG, "issuer.moved", None, detail).await?;
        }
        Ok(moved)
    }
}

/// Who does it again.
pub(super) const LOG: Actor = Actor::System("revocation log");

fn detail(named: &NamedCertificate, logged: &LoggedEvent) -> serde_json::Value {
    json!({
        "issuer": named.issuer, "serial": named.serial, "thumbprint": named.thumbprint,
        "generation": named.generation, "reason": named.reason, "event": logged.event.seq, "at": logged.event.at,
    })
}

const fn moved_to(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Active => "device.resumed",
        DeviceState::Suspended => "device.suspended",
        DeviceState::Revoked => "device.revoked",
        DeviceState::Retired => "device.retired",
    }
}
