//! What token status lists are made of: each certificate's place and its status.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use futures_util::TryStreamExt;
use serde_json::json;
use std::ops::Range;
use tegata_core::feed::{Change, Event, TokenHolder, TokensBefore};
use tegata_core::status_list::TokenStatus;
use tegata_core::{CertificateState, DeviceState, Role, TenantId, TenantState, Timestamp};

/// How far the lists are.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusHead {
    /// The place that the next certificate gets.
    pub next: u64,
    /// What names and indices are made from; none while there are no lists, as after a restore.
    pub secret: Option<[u8; 32]>,
}

/// The status of the tokens at one place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StatusPlace {
    /// The place, counted through the installation.
    pub place: u64,
    /// The status that lists show.
    pub status: TokenStatus,
}

/// A certificate that was never signed has no tokens, and its own end is no event of the feed: its device alone decides.
macro_rules! columns {
    () => {
        "SELECT c.status_place, CASE WHEN c.thumbprint IS NULL THEN 'reserved' ELSE c.state END AS state, \
         d.state AS device_state, t.state AS tenant_state, d.role "
    };
}

/// CROSS JOIN: SQLite keeps the order, from the few that are stopped to their certificates.
const ALL: &str = concat!(
    columns!(),
    "FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant \
     WHERE c.state IN ('retired', 'revoked') AND c.thumbprint IS NOT NULL AND c.status_place IS NOT NULL UNION ALL ",
    columns!(),
    "FROM device d CROSS JOIN certificate c JOIN tenant t ON t.id = d.tenant \
     WHERE c.device = d.id AND d.state <> 'active' AND c.status_place IS NOT NULL \
     AND (c.state NOT IN ('retired', 'revoked') OR c.thumbprint IS NULL) UNION ALL ",
    columns!(),
    "FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c \
     WHERE t.state <> 'active' AND s.tenant = t.id AND d.site = s.id AND d.tenant = t.id AND c.device = d.id \
     AND d.state = 'active' AND d.role = 'device' AND c.status_place IS NOT NULL \
     AND (c.state NOT IN ('retired', 'revoked') OR c.thumbprint IS NULL) UNION ALL \
     SELECT b.place, 'revoked', 'active', 'active', 'device' FROM burned_status b",
);

const OF_CERTIFICATE: &str = concat!(
    columns!(),
    "FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant \
     WHERE c.thumbprint = $1 AND c.status_place IS NOT NULL"
);

const OF_DEVICE: &str = concat!(
    columns!(),
    "FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant \
     WHERE c.device = $1 AND c.status_place IS NOT NULL"
);

const OF_TENANT: &str = concat!(
    columns!(),
    "FROM site s CROSS JOIN device d CROSS JOIN certificate c CROSS JOIN tenant t \
     WHERE s.tenant = $1 AND d.site = s.id AND c.device = d.id AND t.id = d.tenant AND d.role = 'device' \
     AND c.status_place IS NOT NULL"
);

type StatusVisitor<'a> = &'a mut (dyn FnMut(StatusPlace) + Send);

impl Ledger {
    /// How far the lists are.
    pub async fn status_head(&self) -> Result<StatusHead> {
        let (next, secret): (i64, Option<Vec<u8>>) = on_read!(self, connection => {
            sqlx::query_as("SELECT status_next, status_secret FROM head WHERE id = 1").fetch_one(connection).await?
        });
        let read =
            |secret: Vec<u8>| secret.try_into().map_err(|_| LedgerError::Unreadable("head.status_secret"));
        Ok(StatusHead { next: next.unsigned_abs(), secret: secret.map(read).transpose()? })
    }

    /// Begins lists that are made from this secret, unless somebody has begun others.
    pub async fn begin_status_lists(&self, secret: &[u8; 32], now: Timestamp) -> Result<()> {
        let mut transaction = self.begin(now).await?;
        let begun = on_transaction!(transaction.engine, connection => {
            sqlx::query("UPDATE head SET status_secret = $1 WHERE id = 1 AND status_secret IS NULL")
                .bind(secret.to_vec())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if begun == 1 {
            let detail = json!({"next": transaction.head.status_next});
            transaction.audit(&Actor::System("status lists"), "status_lists.begun", None, detail).await?;
        }
        transaction.commit().await
    }

    /// All places of which anything else than "valid" is to be said, handed to `visit` one by one and never held together.
    pub async fn statuses(&self, visit: StatusVisitor<'_>) -> Result<()> {
        self.visit_statuses(ALL, None, visit).await
    }

    /// The places that a change concerns, with what is to be said of them by now.
    pub async fn statuses_of(&self, event: &Event, visit: StatusVisitor<'_>) -> Result<()> {
        match &event.change {
            Change::CertificateDenied { thumbprint, .. } => {
                let thumbprint = StatusPlaceName::Bytes(thumbprint.as_bytes().to_vec());
                self.visit_statuses(OF_CERTIFICATE, Some(thumbprint), visit).await
            }
            Change::DeviceDenied { device, .. } | Change::DeviceAllowed { device } => {
                self.visit_statuses(OF_DEVICE, Some(StatusPlaceName::Text(device.as_str())), visit).await
            }
            Change::TenantDenied { tenant, .. } | Change::TenantAllowed { tenant } => {
                self.visit_statuses(OF_TENANT, Some(StatusPlaceName::Text(tenant.as_str())), visit).await
            }
            Change::TokensDenied(tokens) => {
                self.visit_burned(event.seq, visit).await?;
                match &tokens.of {
                    TokenHolder::Device(device) => {
                        self.visit_statuses(OF_DEVICE, Some(StatusPlaceName::Text(device.as_str())), visit)
                            .await
                    }
                    TokenHolder::Tenant(tenant) => {
                        self.visit_statuses(OF_TENANT, Some(StatusPlaceName::Text(tenant.as_str())), visit)
                            .await
                    }
                }
            }
            Change::TokenDenied { .. } => Ok(()),
        }
    }

    /// The tenants that are stopped.
    pub async fn suspended_tenants(&self) -> Result<Vec<TenantId>> {
        let rows: Vec<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id FROM tenant WHERE state <> 'active' ORDER BY id").fetch_all(connection).await?
        });
        let read = |id| TenantId::try_from(id).map_err(|_| LedgerError::Unreadable("tenant.id"));
        rows.into_iter().map(|(id,)| read(id)).collect()
    }

    /// When the last certificate at these places ends; nothing where there is none.
    pub async fn last_of_places(&self, places: Range<u64>) -> Result<Option<Timestamp>> {
        let [first, beyond] =
            [places.start, places.end].map(|place| i64::try_from(place).unwrap_or(i64::MAX));
        let (last,): (Option<i64>,) = on_read!(self, connection => {
            sqlx::query_as("SELECT MAX(not_after) FROM certificate WHERE status_place >= $1 AND status_place < $2")
                .bind(first)
                .bind(beyond)
                .fetch_one(connection)
                .await?
        });
        Ok(last.map(Timestamp::from_millis))
    }

    async fn visit_statuses(
        &self,
        statement: &'static str,
        name: Option<StatusPlaceName<'_>>,
        visit: StatusVisitor<'_>,
    ) -> Result<()> {
        on_read!(self, connection => {
            let query = sqlx::query_as::<_, StatusListRow>(statement);
            let mut rows = match name {
                None => query.fetch(connection),
                Some(StatusPlaceName::Text(text)) => query.bind(text).fetch(connection),
                Some(StatusPlaceName::Bytes(bytes)) => query.bind(bytes).fetch(connection),
            };
            while let Some(row) = rows.try_next().await? {
                visit(row.into());
            }
        });
        Ok(())
    }

    async fn visit_burned(&self, seq: u64, visit: StatusVisitor<'_>) -> Result<()> {
        on_read!(self, connection => {
            let mut rows = sqlx::query_as::<_, (i64,)>("SELECT place FROM burned_status WHERE seq = $1")
                .bind(i64::try_from(seq).unwrap_or(i64::MAX))
                .fetch(connection);
            while let Some((place,)) = rows.try_next().await? {
                visit(StatusPlace { place: place.unsigned_abs(), status: TokenStatus::Invalid });
            }
        });
        Ok(())
    }
}

macro_rules! of_device {
    () => {
        "c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.device = $2 AND NOT EXISTS \
         (SELECT 1 FROM device d JOIN denied_tokens k ON k.kind = 'tenant' AND k.holder = d.tenant \
         WHERE d.id = $2 AND k.issued_before >= $3)"
    };
}

macro_rules! of_tenant {
    () => {
        "c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.device IN \
         (SELECT d.id FROM site s JOIN device d ON d.site = s.id WHERE s.tenant = $2 AND d.role = 'device' \
         AND NOT EXISTS (SELECT 1 FROM denied_tokens k WHERE k.kind = 'device' AND k.holder = d.id \
         AND k.issued_before >= $3))"
    };
}

macro_rules! burn {
    ($whose:expr) => {
        concat!(
            "INSERT INTO burned_status (place, seq) SELECT c.status_place, $1 FROM certificate c \
             WHERE c.status_place IS NOT NULL AND ",
            $whose
        )
    };
}

macro_rules! renumber {
    ($whose:expr) => {
        concat!(
            "UPDATE certificate SET status_place = $1 + n.number FROM (SELECT c.issuer, c.serial, \
             ROW_NUMBER() OVER (ORDER BY c.status_place, c.issuer, c.serial) - 1 AS number FROM certificate c WHERE ",
            $whose,
            ") AS n WHERE certificate.issuer = n.issuer AND certificate.serial = n.serial"
        )
    };
}

impl Transaction {
    /// Reserves the next place.
    pub(crate) fn take_status_place(&mut self) -> i64 {
        let place = self.head.status_next;
        self.head.status_next += 1;
        place
    }

    /// What was issued so far is denied by its age, and what comes is not: the certificates get other places. Whose tokens of
    /// that time were denied already, with their device or their tenant, keep theirs.
    pub(crate) async fn move_statuses(&mut self, tokens: &TokensBefore, event: u64) -> Result<()> {
        let (burn, renumber, holder) = match &tokens.of {
            TokenHolder::Device(device) => (burn!(of_device!()), renumber!(of_device!()), device.as_str()),
            TokenHolder::Tenant(tenant) => (burn!(of_tenant!()), renumber!(of_tenant!()), tenant.as_str()),
        };
        let event = i64::try_from(event).unwrap_or(i64::MAX);
        let mut moved = 0;
        for (statement, number) in [(burn, event), (renumber, self.head.status_next)] {
            moved = on_transaction!(self.engine, connection => {
                sqlx::query(statement)
                    .bind(number)
                    .bind(holder)
                    .bind(tokens.issued_before.millis())
                    .execute(connection)
                    .await?
                    .rows_affected()
            });
        }
        self.head.status_next += i64::try_from(moved).unwrap_or(i64::MAX);
        Ok(())
    }

    /// Places may have been given out of which this ledger knows nothing. Lists of another name and order begin, so that
    /// none of them is given out again.
    pub(crate) async fn end_status_lists(&mut self) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE head SET status_secret = NULL WHERE id = 1").execute(connection).await?;
        });
        Ok(())
    }
}

enum StatusPlaceName<'a> {
    Text(&'a str),
    Bytes(Vec<u8>),
}

#[derive(sqlx::FromRow)]
struct StatusListRow {
    status_place: i64,
    #[sqlx(try_from = "String")]
    state: CertificateState,
    #[sqlx(try_from = "String")]
    device_state: DeviceState,
    #[sqlx(try_from = "String")]
    tenant_state: TenantState,
    #[sqlx(try_from = "String")]
    role: Role,
}

impl From<StatusListRow> for StatusPlace {
    fn from(row: StatusListRow) -> Self {
        let device = row.device_state.within(row.tenant_state, row.role);
        Self { place: row.status_place.unsigned_abs(), status: TokenStatus::of(row.state, device) }
    }
}
