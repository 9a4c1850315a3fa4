//! The places of a kitting code: taken, given back, and free again when their taker is gone.

use super::Kitting;
use super::reading::{KittingRow, count, select};
use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::name::comparison_key;
use tegata_core::{DeviceId, DeviceState, InvitationId, KittingId, Refusal, Timestamp};

/// A place that was taken and not used for so long is given to somebody else: whoever took it is gone.
const PATIENCE: Duration = Duration::from_mins(10);

const MINUTE: Duration = Duration::from_mins(1);

/// A place of a kitting code, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct KittingPlace {
    pub number: u32,
    pub invitation: InvitationId,
    pub label: String,
    pub taken_at: Timestamp,
    /// Whether it has no device yet because somebody has to approve.
    pub waits: bool,
    /// None while its certificate is being made.
    pub device: Option<DeviceId>,
    pub device_state: Option<DeviceState>,
    /// Whether its certificate was used.
    pub in_use: bool,
}

impl KittingPlace {
    /// Whether its taker is gone, so that another key may have it.
    pub fn is_abandoned(&self, now: Timestamp) -> bool {
        self.device.is_none() && self.taken_at < now.minus(PATIENCE)
    }
}

/// Who asks for a place.
pub struct TakePlace<'a> {
    /// The kitting code that was presented.
    pub kitting: &'a KittingId,
    /// The identifier of the invitation that the place will be.
    pub invitation: InvitationId,
    /// SHA-256 of the key that it is for.
    pub key_hash: &'a [u8],
    /// What the device is called, unless it is as the code says.
    pub label: Option<&'a str>,
}

impl Ledger {
    /// The place that this key has taken: its number, and the invitation that it is.
    pub async fn kitting_place_of(
        &self,
        id: &KittingId,
        key_hash: &[u8],
    ) -> Result<Option<(u32, InvitationId)>> {
        let row: Option<(i64, String)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT kitting_number, id FROM invitation \
                 WHERE kitting = $1 AND key_hash = $2 AND state <> 'withdrawn'",
            )
            .bind(id.as_str())
            .bind(key_hash.to_vec())
            .fetch_optional(connection)
            .await?
        });
        row.map(|(number, id)| {
            Ok((count(number)?, InvitationId::parse(&id).ok_or(LedgerError::Unreadable("invitation.id"))?))
        })
        .transpose()
    }
}

impl ScopedLedger {
    /// The places that are taken, by number.
    pub async fn kitting_places(&self, id: &KittingId) -> Result<Vec<KittingPlace>> {
        let rows: Vec<PlaceRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT i.kitting_number AS number, i.id AS invitation, i.label, i.created_at AS taken_at, i.device, \
                 (SELECT COUNT(*) FROM approval a WHERE a.invitation = i.id AND a.state = 'waiting') AS waiting, \
                 d.state AS device_state, (SELECT COUNT(*) FROM certificate c \
                 WHERE c.device = i.device AND c.used_at IS NOT NULL) AS used \
                 FROM invitation i LEFT JOIN device d ON d.id = i.device \
                 WHERE i.kitting = $1 AND i.state <> 'withdrawn' AND ($2 IS NULL OR i.tenant = $2) \
                 ORDER BY i.kitting_number",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

impl Transaction {
    /// Takes a place: an invitation that this key alone may use. Places whose takers are gone are free again.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] says why there is none for them: the code ended, all places are taken, too many were
    /// within this minute, or the name is another device's.
    pub async fn take_place(&mut self, wanted: &TakePlace<'_>) -> Result<u32> {
        self.free_places(wanted.kitting).await?;
        let place = self.next_place(wanted.kitting).await?;
        place.admits(self.now)?;
        let label = wanted.label.map_or_else(|| place.kitting.label_of(place.number), str::to_owned);
        self.refuse_taken_label(wanted.kitting, &label).await?;
        let now = self.now.millis();
        let number = i64::from(place.number);
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO invitation (id, code_hash, tenant, site, role, label, state, created_at, expires_at, \
                 key_hash, kitting, kitting_number) VALUES ($1, $2, $3, $4, 'device', $5, 'open', $6, $7, $8, $9, $10)",
            )
            .bind(wanted.invitation.as_str())
            // No code opens it: a SHA-256 is longer.
            .bind(wanted.invitation.bits().to_vec())
            .bind(place.kitting.tenant.as_str())
            .bind(place.kitting.site.as_str())
            .bind(label.as_str())
            .bind(now)
            .bind(place.kitting.expires_at.millis())
            .bind(wanted.key_hash.to_vec())
            .bind(wanted.kitting.as_str())
            .bind(number)
            .execute(connection)
            .await?;
        });
        let detail = json!({
            "tenant": place.kitting.tenant, "kitting": wanted.kitting, "number": place.number,
            "invitation": wanted.invitation,
        });
        let actor = Actor::Invitation(wanted.invitation.clone());
        self.audit(&actor, "kitting.place_taken", None, detail).await?;
        Ok(place.number)
    }

    /// Gives a place back that came to nothing. Gives whether it was still free of a device.
    pub async fn give_place_back(&mut self, invitation: &InvitationId) -> Result<bool> {
        let given: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE invitation SET state = 'withdrawn' WHERE id = $1 AND state = 'open' AND kitting IS NOT NULL \
                 RETURNING tenant",
            )
            .bind(invitation.as_str())
            .fetch_optional(connection)
            .await?
        });
        let Some((tenant,)) = given else { return Ok(false) };
        let actor = Actor::Invitation(invitation.clone());
        let detail = json!({"tenant": tenant, "invitation": invitation});
        self.audit(&actor, "kitting.place_given_back", None, detail).await?;
        Ok(true)
    }

    /// Whoever waits for an approval is not gone.
    async fn free_places(&mut self, id: &KittingId) -> Result<()> {
        let (long_ago, now) = (self.now.minus(PATIENCE).millis(), self.now.millis());
        let freed: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE invitation SET state = 'withdrawn' WHERE kitting = $1 AND state = 'open' AND created_at < $2 \
                 AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.invitation = invitation.id \
                 AND a.state <> 'declined' AND a.expires_at >= $3) RETURNING tenant",
            )
            .bind(id.as_str())
            .bind(long_ago)
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        if let Some((tenant,)) = freed.first() {
            let detail = json!({"tenant": tenant, "kitting": id, "places": freed.len()});
            self.audit(&Actor::System("kitting"), "kitting.places_freed", None, detail).await?;
        }
        Ok(())
    }

    async fn next_place(&mut self, id: &KittingId) -> Result<NextPlace> {
        let lately = self.now.minus(MINUTE).millis();
        let row: Option<KittingRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(select!("WHERE k.id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *connection)
            .await?
        });
        let kitting: Kitting = row.ok_or(LedgerError::Refused(Refusal::InvitationUnknown))?.try_into()?;
        let (highest, in_this_minute): (i64, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT COALESCE(MAX(kitting_number), 0), \
                 COUNT(CASE WHEN created_at > $2 THEN 1 END) \
                 FROM invitation WHERE kitting = $1",
            )
            .bind(id.as_str())
            .bind(lately)
            .fetch_one(connection)
            .await?
        });
        Ok(NextPlace { kitting, number: count(highest)? + 1, in_this_minute: count(in_this_minute)? })
    }

    /// Names that look alike are one. One that was revoked or laid aside may be enrolled again.
    async fn refuse_taken_label(&mut self, id: &KittingId, label: &str) -> Result<()> {
        let labels: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT i.label FROM invitation i LEFT JOIN device d ON d.id = i.device \
                 WHERE i.kitting = $1 AND i.state <> 'withdrawn' \
                 AND (d.state IS NULL OR d.state NOT IN ('revoked', 'retired'))",
            )
            .bind(id.as_str())
            .fetch_all(connection)
            .await?
        });
        let key = comparison_key(label);
        if labels.iter().any(|(other,)| comparison_key(other) == key) {
            return Err(LedgerError::Refused(Refusal::KittingLabelTaken));
        }
        Ok(())
    }
}

struct NextPlace {
    kitting: Kitting,
    number: u32,
    in_this_minute: u32,
}

impl NextPlace {
    fn admits(&self, now: Timestamp) -> Result<()> {
        self.kitting.admits(now).map_err(LedgerError::Refused)?;
        if self.kitting.taken >= self.kitting.places {
            return Err(LedgerError::Refused(Refusal::KittingUsedUp));
        }
        if self.in_this_minute >= self.kitting.per_minute {
            return Err(LedgerError::Refused(Refusal::KittingTooFast));
        }
        Ok(())
    }
}

#[derive(sqlx::FromRow)]
struct PlaceRow {
    number: i64,
    #[sqlx(try_from = "String")]
    invitation: InvitationId,
    label: String,
    taken_at: i64,
    waiting: i64,
    device: Option<String>,
    device_state: Option<String>,
    used: i64,
}

impl TryFrom<PlaceRow> for KittingPlace {
    type Error = LedgerError;

    fn try_from(row: PlaceRow) -> Result<Self> {
        let state = row.device_state.map(DeviceState::try_from).transpose();
        Ok(Self {
            number: count(row.number)?,
            invitation: row.invitation,
            label: row.label,
            taken_at: row.taken_at.into(),
            waits: row.waiting > 0 && row.device.is_none(),
            device: row.device.as_deref().and_then(DeviceId::parse),
            device_state: state.map_err(|_| LedgerError::Unreadable("device.state"))?,
            in_use: row.used > 0,
        })
    }
}
