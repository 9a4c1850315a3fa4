//! Rotation: each use of a value replaces it (RFC 9700 section 4.14.2).

use super::{FamilyEnd, GrantedToken};
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::{Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::{CLOCKS_APART, DeviceId, FamilyId, Timestamp};

/// A value that a device presents, and the one that is to replace it.
#[derive(Clone, Debug)]
pub struct RotateFamily {
    /// The family that the value names.
    pub id: FamilyId,
    /// The device that presents it.
    pub device: DeviceId,
    /// The hash of what it presents.
    pub presented: Vec<u8>,
    /// The hash of what replaces it.
    pub next: Vec<u8>,
    /// How long the replaced value works once more.
    pub grace: Duration,
    /// How long the family lives without being used.
    pub idle: Duration,
    /// The access token that goes with it.
    pub token: GrantedToken,
    /// When it was presented.
    pub at: Timestamp,
}

/// What became of it. Whatever it is, it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// The next value is current.
    Rotated,
    /// So it is, and the value before was presented once more within its grace.
    Retried,
    /// There is no such family of this device, or it is over: nothing was changed.
    Refused,
    /// The value had been replaced: the family was ended. Gates acknowledge this event, if its access tokens made one.
    Replayed(Option<u64>),
}

impl Operation for RotateFamily {
    type Output = Rotation;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<Rotation> {
        let rotation = if transaction.replace_current(self).await? {
            Rotation::Rotated
        } else if transaction.replace_after_retry(self).await? {
            Rotation::Retried
        } else if transaction.has_living_family(self).await? {
            // It is the device's own family and not one of the two values that work.
            let actor = Actor::Device(self.device.clone());
            let end = transaction.end_family(&self.id, &self.device, FamilyEnd::Replayed, &actor).await?;
            return Ok(Rotation::Replayed(end));
        } else {
            return Ok(Rotation::Refused);
        };
        transaction.note_rotation(self, rotation).await?;
        Ok(rotation)
    }
}

impl Transaction {
    /// A family that a clock that was ahead has begun would outlive its time: it is over.
    async fn replace_current(&mut self, wanted: &RotateFamily) -> Result<bool> {
        let now = self.now;
        let replaced = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE token_family SET previous_hash = current_hash, previous_until = $5, current_hash = $4, \
                 idle_until = $6 WHERE id = $1 AND device = $2 AND current_hash = $3 AND state = 'living' \
                 AND idle_until > $7 AND expires_at > $7 AND created_at <= $8 \
                 AND (session IS NULL OR EXISTS (SELECT 1 FROM session s \
                 WHERE s.id = token_family.session AND s.idle_until > $7 AND s.expires_at > $7)) \
                 AND EXISTS (SELECT 1 FROM device d JOIN tenant t ON t.id = d.tenant \
                 WHERE d.id = $2 AND d.state = 'active' AND t.state = 'active')",
            )
            .bind(wanted.id.as_str())
            .bind(wanted.device.as_str())
            .bind(wanted.presented.clone())
            .bind(wanted.next.clone())
            .bind(now.plus(wanted.grace).millis())
            .bind(now.plus(wanted.idle).millis())
            .bind(now.millis())
            .bind(now.plus(CLOCKS_APART).millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(replaced == 1)
    }

    /// Once: what was presented is neither current nor previous afterwards. The value that got lost, if it did, may come
    /// once more in its place, but the window is still that of the first use.
    async fn replace_after_retry(&mut self, wanted: &RotateFamily) -> Result<bool> {
        let now = self.now;
        let replaced = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE token_family SET previous_hash = current_hash, current_hash = $4, idle_until = $5 \
                 WHERE id = $1 AND device = $2 AND previous_hash = $3 AND previous_until > $6 AND state = 'living' \
                 AND idle_until > $6 AND expires_at > $6 AND created_at <= $7 \
                 AND (session IS NULL OR EXISTS (SELECT 1 FROM session s \
                 WHERE s.id = token_family.session AND s.idle_until > $6 AND s.expires_at > $6)) \
                 AND EXISTS (SELECT 1 FROM device d JOIN tenant t ON t.id = d.tenant \
                 WHERE d.id = $2 AND d.state = 'active' AND t.state = 'active')",
            )
            .bind(wanted.id.as_str())
            .bind(wanted.device.as_str())
            .bind(wanted.presented.clone())
            .bind(wanted.next.clone())
            .bind(now.plus(wanted.idle).millis())
            .bind(now.millis())
            .bind(now.plus(CLOCKS_APART).millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(replaced == 1)
    }

    /// The transaction holds the right to write, so what it reads now is what stopped the rotation.
    async fn has_living_family(&mut self, wanted: &RotateFamily) -> Result<bool> {
        let (now, soon) = (self.now.millis(), self.now.plus(CLOCKS_APART).millis());
        let found: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT created_at FROM token_family WHERE id = $1 AND device = $2 AND state = 'living' \
                 AND idle_until > $3 AND expires_at > $3 AND created_at <= $4 \
                 AND (session IS NULL OR EXISTS (SELECT 1 FROM session s \
                 WHERE s.id = token_family.session AND s.idle_until > $3 AND s.expires_at > $3)) \
                 AND EXISTS (SELECT 1 FROM device d JOIN tenant t ON t.id = d.tenant \
                 WHERE d.id = $2 AND d.state = 'active' AND t.state = 'active')",
            )
            .bind(wanted.id.as_str())
            .bind(wanted.device.as_str())
            .bind(now)
            .bind(soon)
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }

    async fn note_rotation(&mut self, wanted: &RotateFamily, rotation: Rotation) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM granted_token WHERE family = $1 AND until <= $2")
                .bind(wanted.id.as_str())
                .bind(now)
                .execute(connection)
                .await?;
        });
        self.grant(&wanted.id, &wanted.token).await?;
        self.use_session_of(&wanted.id).await?;
        let detail = json!({
            "family": wanted.id, "generation": wanted.token.generation, "jti": wanted.token.jti,
            "again": rotation == Rotation::Retried,
        });
        let actor = Actor::Device(wanted.device.clone());
        self.audit(&actor, "token_family.rotated", Some(&wanted.device), detail).await
    }

    /// Whoever refreshes uses the session too: it lasts as long again as it did from its last use.
    async fn use_session_of(&mut self, family: &FamilyId) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE session SET idle_until = $2 + (idle_until - used_at), used_at = $2 WHERE used_at < $2 \
                 AND id IN (SELECT f.session FROM token_family f WHERE f.id = $1 AND f.session IS NOT NULL)",
            )
            .bind(family.as_str())
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
