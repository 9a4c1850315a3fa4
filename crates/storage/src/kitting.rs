//! Kitting: one code that admits many devices of one site. Each takes a *place*, which is an invitation for its key alone,
//! and then goes the way of every invitation.

use crate::audit::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::id::Code;
use tegata_core::{
    DeviceId, DeviceState, InvitationId, KittingId, Network, Refusal, SiteId, TenantId, Timestamp,
};

/// A place that was taken and not used for so long is given to somebody else: whoever took it is gone.
const PATIENCE: Duration = Duration::from_mins(10);

const MINUTE: Duration = Duration::from_mins(1);

/// A kitting code to write.
pub struct NewKitting<'a> {
    /// Its identifier.
    pub id: KittingId,
    /// Its secret; only the hash is stored.
    pub code: &'a Code,
    /// Whose devices.
    pub tenant: TenantId,
    /// Where they will stand.
    pub site: SiteId,
    /// What they are called; `{n}` stands for the number.
    pub label: String,
    /// How many.
    pub places: u32,
    /// How many in any minute.
    pub per_minute: u32,
    /// From where; from everywhere if it is empty.
    pub networks: Vec<Network>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A kitting code as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Kitting {
    pub id: KittingId,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub site: SiteId,
    pub site_name: String,
    /// What devices are called for which nobody says otherwise.
    pub label: String,
    pub places: u32,
    /// How many are taken now.
    pub taken: u32,
    pub per_minute: u32,
    pub networks: Vec<Network>,
    /// Whether somebody ended it.
    pub ended: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A place of a kitting code, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct KittingPlace {
    pub number: u32,
    pub invitation: InvitationId,
    pub label: String,
    pub taken_at: Timestamp,
    /// None while its certificate is being made.
    pub device: Option<DeviceId>,
    pub device_state: Option<DeviceState>,
    /// Whether its certificate was seen at work.
    pub in_use: bool,
}

impl KittingPlace {
    /// Whether whoever took it is gone, so that the next may have it.
    pub fn is_abandoned(&self, now: Timestamp) -> bool {
        self.device.is_none() && self.taken_at < now.minus(PATIENCE)
    }
}

/// Who asks for a place.
pub struct TakePlace<'a> {
    /// Of which code.
    pub kitting: &'a KittingId,
    /// The identifier of the invitation that the place will be.
    pub invitation: InvitationId,
    /// SHA-256 of the key that it is for.
    pub key_hash: &'a [u8],
    /// What the device is called, unless it is as the code says.
    pub label: Option<&'a str>,
}

impl Kitting {
    /// Whether it admits anybody, or why not.
    pub fn admits(&self, now: Timestamp) -> std::result::Result<(), Refusal> {
        if self.ended {
            Err(Refusal::InvitationWithdrawn)
        } else if now > self.expires_at {
            Err(Refusal::InvitationExpired)
        } else {
            Ok(())
        }
    }

    /// What the device of this number is called. Numbers are as long as the highest, so that names sort.
    pub fn label_of(&self, number: u32) -> String {
        let width = self.places.to_string().len();
        self.label.replace("{n}", &format!("{number:0width$}"))
    }
}

impl Ledger {
    /// The kitting code with this secret.
    pub async fn find_kitting(&self, code: &Code) -> Result<Option<Kitting>> {
        self.kitting_where("", code.hash()).await
    }

    /// The kitting code with this identifier.
    pub async fn kitting(&self, id: &KittingId) -> Result<Option<Kitting>> {
        self.kitting_where(id.as_str(), Vec::new()).await
    }

    /// All of them, the newest first.
    pub async fn kittings(&self) -> Result<Vec<Kitting>> {
        let rows: Vec<Row> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT k.id, k.tenant, t.name AS tenant_name, k.site, s.name AS site_name, k.label, k.places, \
                 k.per_minute, k.networks, k.state, k.created_at, k.expires_at, \
                 (SELECT COUNT(*) FROM invitation i WHERE i.kitting = k.id AND i.state <> 'withdrawn') AS taken \
                 FROM kitting k JOIN tenant t ON t.id = k.tenant JOIN site s ON s.id = k.site \
                 ORDER BY k.created_at DESC, k.id",
            )
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn kitting_where(&self, id: &str, code_hash: Vec<u8>) -> Result<Option<Kitting>> {
        let row: Option<Row> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT k.id, k.tenant, t.name AS tenant_name, k.site, s.name AS site_name, k.label, k.places, \
                 k.per_minute, k.networks, k.state, k.created_at, k.expires_at, \
                 (SELECT COUNT(*) FROM invitation i WHERE i.kitting = k.id AND i.state <> 'withdrawn') AS taken \
                 FROM kitting k JOIN tenant t ON t.id = k.tenant JOIN site s ON s.id = k.site \
                 WHERE k.id = $1 OR k.code_hash = $2",
            )
            .bind(id)
            .bind(code_hash)
            .fetch_optional(connection)
            .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// The places that are taken, by number.
    pub async fn kitting_places(&self, id: &KittingId) -> Result<Vec<KittingPlace>> {
        let rows: Vec<PlaceRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT i.kitting_number AS number, i.id AS invitation, i.label, i.created_at AS taken_at, i.device, \
                 d.state AS device_state, (SELECT COUNT(*) FROM certificate c \
                 WHERE c.device = i.device AND c.used_at IS NOT NULL) AS used \
                 FROM invitation i LEFT JOIN device d ON d.id = i.device \
                 WHERE i.kitting = $1 AND i.state <> 'withdrawn' ORDER BY i.kitting_number",
            )
            .bind(id.as_str())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

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

impl Transaction {
    /// Writes a kitting code.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the site is not one of the tenant's.
    pub async fn add_kitting(&mut self, new: &NewKitting<'_>, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let networks = written(&new.networks);
        let inserted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO kitting (id, code_hash, tenant, site, label, places, per_minute, networks, state, \
                 created_at, expires_at) SELECT $1, $2, s.tenant, s.id, $5, $6, $7, $8, 'open', $9, $10 \
                 FROM site s WHERE s.tenant = $3 AND s.id = $4",
            )
            .bind(new.id.as_str())
            .bind(new.code.hash())
            .bind(new.tenant.as_str())
            .bind(new.site.as_str())
            .bind(new.label.as_str())
            .bind(i64::from(new.places))
            .bind(i64::from(new.per_minute))
            .bind(networks.as_str())
            .bind(now)
            .bind(new.expires_at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if inserted != 1 {
            return Err(LedgerError::Guard("the site does not belong to the tenant"));
        }
        let detail = json!({
            "kitting": new.id, "tenant": new.tenant, "site": new.site, "places": new.places,
            "per_minute": new.per_minute, "networks": networks, "expires_at": new.expires_at,
        });
        self.audit(actor, "kitting.added", None, detail).await
    }

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
        let detail =
            json!({"kitting": wanted.kitting, "number": place.number, "invitation": wanted.invitation});
        let actor = Actor::Invitation(wanted.invitation.clone());
        self.audit(&actor, "kitting.place_taken", None, detail).await?;
        Ok(place.number)
    }

    /// Gives a place back that came to nothing. Gives whether it was still free of a device.
    pub async fn give_place_back(&mut self, invitation: &InvitationId) -> Result<bool> {
        let given = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE invitation SET state = 'withdrawn' WHERE id = $1 AND state = 'open' AND kitting IS NOT NULL",
            )
            .bind(invitation.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if given == 1 {
            let actor = Actor::Invitation(invitation.clone());
            let detail = json!({"invitation": invitation});
            self.audit(&actor, "kitting.place_given_back", None, detail).await?;
        }
        Ok(given == 1)
    }

    /// Ends a kitting code at once: nobody takes a place any more, and whoever has just taken one gets nothing.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is none, or it was ended.
    pub async fn end_kitting(&mut self, id: &KittingId, actor: &Actor) -> Result<()> {
        let ended = on_transaction!(self.engine, connection => {
            let ended = sqlx::query("UPDATE kitting SET state = 'ended' WHERE id = $1 AND state = 'open'")
                .bind(id.as_str())
                .execute(&mut *connection)
                .await?
                .rows_affected();
            sqlx::query("UPDATE invitation SET state = 'withdrawn' WHERE kitting = $1 AND state = 'open'")
                .bind(id.as_str())
                .execute(connection)
                .await?;
            ended
        });
        if ended != 1 {
            return Err(LedgerError::Guard("the kitting code is not open"));
        }
        self.audit(actor, "kitting.ended", None, json!({"kitting": id})).await
    }

    /// Whoever waits for an approval is not gone.
    async fn free_places(&mut self, id: &KittingId) -> Result<()> {
        let (long_ago, now) = (self.now.minus(PATIENCE).millis(), self.now.millis());
        let freed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE invitation SET state = 'withdrawn' WHERE kitting = $1 AND state = 'open' AND created_at < $2 \
                 AND NOT EXISTS (SELECT 1 FROM approval a WHERE a.invitation = invitation.id \
                 AND a.state <> 'declined' AND a.expires_at >= $3)",
            )
            .bind(id.as_str())
            .bind(long_ago)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if freed > 0 {
            let detail = json!({"kitting": id, "places": freed});
            self.audit(&Actor::System("kitting"), "kitting.places_freed", None, detail).await?;
        }
        Ok(())
    }

    async fn next_place(&mut self, id: &KittingId) -> Result<NextPlace> {
        let lately = self.now.minus(MINUTE).millis();
        let row: Option<Row> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT k.id, k.tenant, t.name AS tenant_name, k.site, s.name AS site_name, k.label, k.places, \
                 k.per_minute, k.networks, k.state, k.created_at, k.expires_at, \
                 (SELECT COUNT(*) FROM invitation i WHERE i.kitting = k.id AND i.state <> 'withdrawn') AS taken \
                 FROM kitting k JOIN tenant t ON t.id = k.tenant JOIN site s ON s.id = k.site WHERE k.id = $1",
            )
            .bind(id.as_str())
            .fetch_optional(&mut *connection)
            .await?
        });
        let kitting: Kitting = row.ok_or(LedgerError::Refused(Refusal::InvitationUnknown))?.try_into()?;
        let (highest, in_this_minute): (i64, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT COALESCE(MAX(kitting_number), 0), \
                 COUNT(CASE WHEN created_at > $2 AND state <> 'withdrawn' THEN 1 END) \
                 FROM invitation WHERE kitting = $1",
            )
            .bind(id.as_str())
            .bind(lately)
            .fetch_one(connection)
            .await?
        });
        Ok(NextPlace { kitting, number: count(highest)? + 1, in_this_minute: count(in_this_minute)? })
    }

    /// One that was revoked or laid aside may be enrolled again.
    async fn refuse_taken_label(&mut self, id: &KittingId, label: &str) -> Result<()> {
        let taken: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT i.id FROM invitation i LEFT JOIN device d ON d.id = i.device \
                 WHERE i.kitting = $1 AND i.label = $2 AND i.state <> 'withdrawn' \
                 AND (d.state IS NULL OR d.state NOT IN ('revoked', 'retired')) LIMIT 1",
            )
            .bind(id.as_str())
            .bind(label)
            .fetch_optional(connection)
            .await?
        });
        if taken.is_none() { Ok(()) } else { Err(LedgerError::Refused(Refusal::KittingLabelTaken)) }
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
struct Row {
    #[sqlx(try_from = "String")]
    id: KittingId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    tenant_name: String,
    #[sqlx(try_from = "String")]
    site: SiteId,
    site_name: String,
    label: String,
    places: i64,
    per_minute: i64,
    networks: String,
    state: String,
    created_at: i64,
    expires_at: i64,
    taken: i64,
}

#[derive(sqlx::FromRow)]
struct PlaceRow {
    number: i64,
    #[sqlx(try_from = "String")]
    invitation: InvitationId,
    label: String,
    taken_at: i64,
    device: Option<String>,
    device_state: Option<String>,
    used: i64,
}

impl TryFrom<Row> for Kitting {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self> {
        let networks = row.networks.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>();
        Ok(Self {
            id: row.id,
            tenant: row.tenant,
            tenant_name: row.tenant_name,
            site: row.site,
            site_name: row.site_name,
            label: row.label,
            places: count(row.places)?,
            taken: count(row.taken)?,
            per_minute: count(row.per_minute)?,
            // A restriction that cannot be read is not one that is not there.
            networks: networks.map_err(|_| LedgerError::Unreadable("kitting.networks"))?,
            ended: row.state != "open",
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
        })
    }
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
            device: row.device.as_deref().and_then(DeviceId::parse),
            device_state: state.map_err(|_| LedgerError::Unreadable("device.state"))?,
            in_use: row.used > 0,
        })
    }
}

fn written(networks: &[Network]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn count(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| LedgerError::Unreadable("a number of kitting"))
}
