//! Pages of the list of devices: filtered, sorted, and continued after the last device of the page before.

use crate::device::Device;
use crate::device::device_columns;
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use tegata_core::policy::Platform;
use tegata_core::{DeviceId, DeviceState, SiteId, TenantId, Timestamp};

/// A device with what the list says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerDevice {
    /// The device that is listed.
    pub device: Device,
    /// What it was when it last came, where that is known.
    pub platform: Option<Platform>,
    /// When it last came, to the day; nothing where it never did.
    pub seen_at: Option<Timestamp>,
    /// When the last of its certificates that can be used ends.
    pub ends_at: Option<Timestamp>,
}

/// In which order devices are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DeviceSort {
    /// By identifier: quick however many there are.
    #[default]
    Number,
    /// By tenant, site and label.
    Place,
    /// Those first that did not come for the longest time.
    Unseen,
    /// Those first whose state changed last.
    Changed,
}

/// Where a page of a list ends. The next one goes on behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceCursor {
    /// What the list is sorted by, of the last device.
    pub key: String,
    /// Identifier of the last device.
    pub device: DeviceId,
}

/// One page of a list of devices, as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct DevicePage {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Of these sites alone: as far as whoever asks may see.
    pub within: Option<Vec<SiteId>>,
    /// Of this site alone.
    pub site: Option<SiteId>,
    /// In this state alone, its tenant's state included.
    pub state: Option<DeviceState>,
    /// Of this platform alone.
    pub platform: Option<Platform>,
    /// That did not come since; those that never came count from when they were made.
    pub unseen_since: Option<Timestamp>,
    /// In use, and without a certificate that lasts longer than this.
    pub ends_before: Option<Timestamp>,
    /// Those alone that share their name with another one of their site, both in use or suspended.
    pub namesakes: bool,
    /// Those alone whose certificate two machines seem to use, and nobody has said that it is well.
    pub copied: bool,
    /// In use, and with a certificate that lasts until then at least.
    pub ends_from: Option<Timestamp>,
    /// The order of the list.
    pub sort: DeviceSort,
    /// Where the page before ended.
    pub after: Option<DeviceCursor>,
    /// How many at most.
    pub limit: u32,
}

/// When the last usable certificate of a device ends.
macro_rules! ends_at {
    () => {
        "(SELECT MAX(c.not_after) FROM certificate c WHERE c.device = d.id AND c.state IN ('issued', 'delivered', 'in_use', 'retiring'))"
    };
}

/// When a device last came.
macro_rules! seen_at {
    () => {
        "COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id))"
    };
}

/// Place, the columns of a device, and what is said of it beside.
macro_rules! listed {
    ($key:expr, $from:literal, $rest:expr) => {
        concat!(
            "SELECT ",
            device_columns!(),
            ", d.platform, ",
            seen_at!(),
            " AS seen_at, ",
            ends_at!(),
            " AS ends_at, ",
            $key,
            " AS sort_key FROM ",
            $from,
            // A site is its tenant's: whoever goes from tenants to devices looks at each site once.
            " WHERE s.id = d.site AND t.id = d.tenant AND s.tenant = t.id AND ($1 IS NULL OR t.id = $1) AND ",
            $rest
        )
    };
}

/// A page in one order: `$10` and `$11` are where the page before ended.
macro_rules! page {
    ($key:expr, $from:literal, $behind:expr, $order:expr) => {
        listed!(
            $key,
            $from,
            concat!(
                "($2 IS NULL OR t.id = $2) AND ($3 IS NULL OR s.id = $3) AND ($4 IS NULL OR $4 LIKE '%' || s.id || '%') \
                 AND ($5 IS NULL OR CASE WHEN d.state = 'active' AND t.state = 'suspended' AND d.role = 'device' \
                 THEN 'suspended' ELSE d.state END = $5) AND ($6 IS NULL OR d.platform = $6) \
                 AND ($7 IS NULL OR COALESCE(",
                seen_at!(),
                ", d.created_at) < $7) AND ($8 IS NULL OR (d.state = 'active' AND COALESCE(",
                ends_at!(),
                ", 0) < $8)) AND t.id <> $12 AND ($13 = 0 OR (d.state IN ('active', 'suspended') AND EXISTS \
                 (SELECT 1 FROM device o WHERE o.site = d.site AND o.label = d.label AND o.id <> d.id \
                 AND o.state IN ('active', 'suspended')))) AND ($14 IS NULL OR (d.state = 'active' AND ",
                ends_at!(),
                " >= $14)) AND ($15 = 0 OR d.id IN (SELECT a.device FROM copy_alarm a WHERE a.dismissed_at IS NULL)) \
                 AND ($10 IS NULL OR ",
                $behind,
                ") ORDER BY ",
                $order,
                " LIMIT $9"
            )
        )
    };
}

macro_rules! place_key {
    () => {
        "t.name || '/' || s.name || '/' || d.label"
    };
}

/// Times of our days have thirteen digits, so that their texts are in their order.
macro_rules! seen_key {
    () => {
        concat!("CAST(COALESCE(", seen_at!(), ", 0) AS TEXT)")
    };
}

macro_rules! changed_key {
    () => {
        "CAST(d.changed_at AS TEXT)"
    };
}

const BY_NUMBER: &str = page!(
    "CAST('' AS TEXT)",
    "device d CROSS JOIN site s CROSS JOIN tenant t",
    "($10 = '' AND d.id > $11)",
    "d.id"
);
const BY_PLACE: &str = page!(
    place_key!(),
    "tenant t CROSS JOIN site s CROSS JOIN device d",
    concat!("(", place_key!(), ", d.id) > ($10, $11)"),
    concat!(place_key!(), ", d.id")
);
const BY_SEEN: &str = page!(
    seen_key!(),
    "tenant t CROSS JOIN site s CROSS JOIN device d",
    concat!("(", seen_key!(), ", d.id) > ($10, $11)"),
    concat!(seen_key!(), ", d.id")
);
const BY_CHANGE: &str = page!(
    changed_key!(),
    "tenant t CROSS JOIN site s CROSS JOIN device d",
    concat!("(", changed_key!(), ", d.id) < ($10, $11)"),
    concat!(changed_key!(), " DESC, d.id DESC")
);
const ONE: &str = listed!("CAST('' AS TEXT)", "device d CROSS JOIN site s CROSS JOIN tenant t", "d.id = $2");

impl ScopedLedger {
    /// A page of the list of devices, and where it ends if there may be another one. The system tenant's are not listed.
    pub async fn device_page(&self, page: &DevicePage) -> Result<(Vec<LedgerDevice>, Option<DeviceCursor>)> {
        let statement = match page.sort {
            DeviceSort::Number => BY_NUMBER,
            DeviceSort::Place => BY_PLACE,
            DeviceSort::Unseen => BY_SEEN,
            DeviceSort::Changed => BY_CHANGE,
        };
        let within = page.within.as_ref().map(|sites| {
            let sites: Vec<_> = sites.iter().map(SiteId::as_str).collect();
            sites.join(" ")
        });
        let after = page.after.as_ref();
        let rows: Vec<LedgerRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(statement)
                .bind(self.scope.bound())
                .bind(page.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()))
                .bind(page.site.as_ref().map(|site| site.as_str().to_owned()))
                .bind(within)
                .bind(page.state.map(DeviceState::as_str))
                .bind(page.platform.map(Platform::as_str))
                .bind(page.unseen_since.map(Timestamp::millis))
                .bind(page.ends_before.map(Timestamp::millis))
                .bind(i64::from(page.limit))
                .bind(after.map(|cursor| cursor.key.clone()))
                .bind(after.map(|cursor| cursor.device.as_str().to_owned()))
                .bind(TenantId::system().as_str().to_owned())
                .bind(i64::from(page.namesakes))
                .bind(page.ends_from.map(Timestamp::millis))
                .bind(i64::from(page.copied))
                .fetch_all(connection)
                .await?
        });
        let is_full = rows.len() >= usize::try_from(page.limit).unwrap_or(usize::MAX);
        let end = rows.last().filter(|_| is_full);
        let end = end.map(|row| DeviceCursor { key: row.sort_key.clone(), device: row.device.id.clone() });
        Ok((rows.into_iter().map(LedgerRow::device).collect(), end))
    }

    /// One device with what is said of it beside.
    pub async fn ledger_device(&self, id: &DeviceId) -> Result<Option<LedgerDevice>> {
        let row: Option<LedgerRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(ONE)
                .bind(self.scope.bound())
                .bind(id.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.map(LedgerRow::device))
    }
}

#[derive(sqlx::FromRow)]
struct LedgerRow {
    #[sqlx(flatten)]
    device: Device,
    platform: Option<String>,
    seen_at: Option<i64>,
    ends_at: Option<i64>,
    sort_key: String,
}

impl LedgerRow {
    fn device(self) -> LedgerDevice {
        LedgerDevice {
            device: self.device,
            platform: self.platform.as_deref().and_then(Platform::parse),
            seen_at: self.seen_at.map(Timestamp::from_millis),
            ends_at: self.ends_at.map(Timestamp::from_millis),
        }
    }
}
