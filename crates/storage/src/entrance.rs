//! Which devices of a site could enter within a stretch of time, such as a day: by their certificates, and by every stop of
//! themselves and of their tenant.
//!
//! Entries of the audit log about stops stay as long as the rows that they are about, so this is known of every day since the
//! device was enrolled. A device stays at its site, so the site is the one of that day; its name is today's.

use crate::device::{Device, device_columns};
use crate::history::{containing, member_of};
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger};
use serde_json::Value;
use std::collections::HashMap;
use tegata_core::policy::Platform;
use tegata_core::{DeviceId, DeviceState, SiteId, TenantState, Timestamp};

/// A stretch of time in which a device could enter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntranceSpell {
    /// The moment when it begins.
    pub from: Timestamp,
    /// When it is over; that moment does not belong to it.
    pub until: Timestamp,
}

/// A device that could enter at some time of what was asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceEntrance {
    /// The device as it is now.
    pub device: Device,
    /// What it was when it last came, where that is known.
    pub platform: Option<Platform>,
    /// When it could enter, in order.
    pub spells: Vec<EntranceSpell>,
}

/// Behind which device a page goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntranceCursor {
    /// What the last device is called.
    pub label: String,
    /// Identifier of the last device.
    pub device: DeviceId,
}

/// Devices of one site and a stretch of time, by name.
#[derive(Clone, Debug)]
pub struct EntrancePage {
    /// The site that they are of.
    pub site: SiteId,
    /// The time that is asked about.
    pub within: EntranceSpell,
    /// Where the page before ended.
    pub after: Option<EntranceCursor>,
    /// How many are looked at; those that could not enter are left out.
    pub limit: u32,
}

/// From when on something was open, or was not.
type Switch = (Timestamp, bool);

/// What certificates of a device say while they are good for anything within the time that is asked about.
macro_rules! good_certificate {
    () => {
        "c.device = d.id AND c.der IS NOT NULL AND c.issued_at < $3 AND c.not_before < $3 AND c.not_after > $2 \
         AND (c.ended_at IS NULL OR c.ended_at > $2)"
    };
}

/// Devices of a site behind another one: `$4` and `$5` name it.
macro_rules! at_the_site {
    () => {
        "d.site = $1 AND d.role = 'device' AND ($4 IS NULL OR (d.label, d.id) > ($4, $5)) AND ($6 IS NULL OR d.tenant = $6)"
    };
}

const DEVICES: &str = concat!(
    "SELECT ",
    device_columns!(),
    ", d.platform FROM device d JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site WHERE ",
    at_the_site!(),
    " AND EXISTS (SELECT 1 FROM certificate c WHERE ",
    good_certificate!(),
    ") ORDER BY d.label, d.id LIMIT $7"
);

/// Up to the last device of the page.
const CERTIFICATES: &str = concat!(
    "SELECT c.device, CASE WHEN c.not_before > c.issued_at THEN c.not_before ELSE c.issued_at END AS opens_at, \
     CASE WHEN c.ended_at < c.not_after THEN c.ended_at ELSE c.not_after END AS closes_at \
     FROM device d JOIN certificate c ON c.device = d.id WHERE ",
    at_the_site!(),
    " AND (d.label, d.id) <= ($7, $8) AND ",
    good_certificate!()
);

impl ScopedLedger {
    /// Devices that could enter, and where the page ends if there may be another one.
    pub async fn entrances(
        &self,
        page: &EntrancePage,
    ) -> Result<(Vec<DeviceEntrance>, Option<EntranceCursor>)> {
        let devices = self.devices_with_certificates(page).await?;
        let Some(last) = devices.last() else { return Ok((Vec::new(), None)) };
        let last = EntranceCursor { label: last.device.label.clone(), device: last.device.id.clone() };
        let is_full = devices.len() >= usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut certificates = self.good_certificates(page, &last).await?;
        let tenant = match devices.first() {
            Some(row) => self.tenant_switches(&row.device, page.within.from).await?,
            None => Vec::new(),
        };
        let mut entrances = Vec::new();
        for EntranceRow { device, platform } in devices {
            let stops = self.device_switches(&device, page.within.from).await?;
            let certificates = certificates.remove(&device.id).unwrap_or_default();
            let spells = spells(page.within, &certificates, &[&stops, &tenant]);
            let platform = platform.as_deref().and_then(Platform::parse);
            if !spells.is_empty() {
                entrances.push(DeviceEntrance { device, platform, spells });
            }
        }
        Ok((entrances, is_full.then_some(last)))
    }

    async fn devices_with_certificates(&self, page: &EntrancePage) -> Result<Vec<EntranceRow>> {
        let after = page.after.as_ref();
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(DEVICES)
                .bind(page.site.as_str())
                .bind(page.within.from.millis())
                .bind(page.within.until.millis())
                .bind(after.map(|after| after.label.clone()))
                .bind(after.map(|after| after.device.as_str().to_owned()))
                .bind(self.scope.bound())
                .bind(i64::from(page.limit))
                .fetch_all(connection)
                .await?
        }))
    }

    async fn good_certificates(
        &self,
        page: &EntrancePage,
        last: &EntranceCursor,
    ) -> Result<HashMap<DeviceId, Vec<EntranceSpell>>> {
        let after = page.after.as_ref();
        let rows: Vec<(String, i64, i64)> = on_scoped_read!(self, connection => {
            sqlx::query_as(CERTIFICATES)
                .bind(page.site.as_str())
                .bind(page.within.from.millis())
                .bind(page.within.until.millis())
                .bind(after.map(|after| after.label.clone()))
                .bind(after.map(|after| after.device.as_str().to_owned()))
                .bind(self.scope.bound())
                .bind(last.label.as_str())
                .bind(last.device.as_str())
                .fetch_all(connection)
                .await?
        });
        let mut certificates: HashMap<_, Vec<_>> = HashMap::new();
        for (device, from, until) in rows {
            let device =
                DeviceId::try_from(device).map_err(|_| LedgerError::Unreadable("certificate.device"))?;
            let spell = EntranceSpell { from: from.into(), until: until.into() };
            certificates.entry(device).or_default().push(spell);
        }
        Ok(certificates)
    }

    /// When a device was stopped and let go on. Whose state is older than the time that is asked about had no other in it.
    async fn device_switches(&self, device: &Device, from: Timestamp) -> Result<Vec<Switch>> {
        let now = (device.changed_at, device.state == DeviceState::Active);
        if device.changed_at <= from {
            return Ok(vec![now]);
        }
        let rows: Vec<(i64, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT at, entry FROM audit WHERE device = $1 AND (entry LIKE $2 ESCAPE '!' OR entry LIKE $3 ESCAPE '!' \
                 OR entry LIKE $4 ESCAPE '!' OR entry LIKE $5 ESCAPE '!') AND ($6 IS NULL OR EXISTS \
                 (SELECT 1 FROM device d WHERE d.id = audit.device AND d.tenant = $6)) ORDER BY seq",
            )
            .bind(device.id.as_str())
            .bind(containing(&member_of("action", "device.suspended")))
            .bind(containing(&member_of("action", "device.resumed")))
            .bind(containing(&member_of("action", "device.revoked")))
            .bind(containing(&member_of("action", "device.retired")))
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok(switches(rows, "device.resumed", now))
    }

    /// When a tenant was stopped and let go on, with all its devices.
    async fn tenant_switches(&self, device: &Device, from: Timestamp) -> Result<Vec<Switch>> {
        let now = (device.tenant_changed_at, device.tenant_state == TenantState::Active);
        if device.tenant_changed_at <= from {
            return Ok(vec![now]);
        }
        let rows: Vec<(i64, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                // The condition of the index `audit_tenant_moved`, letter by letter.
                "SELECT at, entry FROM audit \
                 WHERE (entry LIKE '%\"action\":\"tenant.suspended\"%' OR entry LIKE '%\"action\":\"tenant.resumed\"%') \
                 AND entry LIKE $1 ESCAPE '!' AND ($2 IS NULL OR $3 = $2) ORDER BY seq",
            )
            .bind(containing(&member_of("tenant", device.tenant.as_str())))
            .bind(self.scope.bound())
            .bind(device.tenant.as_str())
            .fetch_all(connection)
            .await?
        });
        Ok(switches(rows, "tenant.resumed", now))
    }
}

/// What entries say, and what the row says, which goes before them where a restored ledger was brought up to date.
fn switches(rows: Vec<(i64, String)>, opens: &str, now: Switch) -> Vec<Switch> {
    let opened = |entry: &str| {
        let value: Value = serde_json::from_str(entry).unwrap_or_default();
        value["action"] == opens
    };
    let mut switches: Vec<_> = rows.into_iter().map(|(at, entry)| (at.into(), opened(&entry))).collect();
    switches.push(now);
    switches.sort_by_key(|(at, _)| *at);
    switches
}

/// Whether it was open at a moment: before it was ever switched, it was.
fn is_open(switches: &[Switch], at: Timestamp) -> bool {
    switches.iter().rev().find(|(from, _)| *from <= at).is_none_or(|(_, open)| *open)
}

/// When some certificate was good and nothing was stopped.
fn spells(
    within: EntranceSpell,
    certificates: &[EntranceSpell],
    switches: &[&Vec<Switch>],
) -> Vec<EntranceSpell> {
    let bounds = certificates.iter().flat_map(|spell| [spell.from, spell.until]);
    let switched = switches.iter().flat_map(|all| all.iter().map(|(at, _)| *at));
    let mut moments: Vec<_> =
        bounds.chain(switched).filter(|at| within.from < *at && *at < within.until).collect();
    moments.extend([within.from, within.until]);
    moments.sort();
    moments.dedup();
    let mut spells: Vec<EntranceSpell> = Vec::new();
    for pair in moments.windows(2) {
        let (from, until) = (pair[0], pair[1]);
        let is_good = certificates.iter().any(|spell| spell.from <= from && from < spell.until);
        if !is_good || !switches.iter().all(|switches| is_open(switches, from)) {
            continue;
        }
        match spells.last_mut() {
            Some(last) if last.until == from => last.until = until,
            _ => spells.push(EntranceSpell { from, until }),
        }
    }
    spells
}

impl EntranceSpell {
    /// A day of Japan, as in `2026-11-30`; nothing where that is none. Of a day that is not over, what there is of it.
    pub fn of_day(text: &str, now: Timestamp) -> Option<Self> {
        let is_day = text.len() == "2026-11-30".len();
        let from = is_day.then(|| Timestamp::parse(&format!("{text}T00:00:00+09:00")))??;
        let until = from.plus(std::time::Duration::from_hours(24)).min(now);
        (from < until).then_some(Self { from, until })
    }
}

#[derive(sqlx::FromRow)]
struct EntranceRow {
    #[sqlx(flatten)]
    device: Device,
    platform: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(hour: i64) -> Timestamp {
        Timestamp::from_seconds(hour * 3600)
    }

    const fn spell(from: i64, until: i64) -> EntranceSpell {
        EntranceSpell { from: at(from), until: at(until) }
    }

    #[test]
    fn a_device_could_enter_while_nothing_stopped_a_good_certificate() {
        let certificates = [spell(-50, 6), spell(4, 500)];
        let none = vec![];
        assert_eq!(
            spells(spell(0, 24), &certificates, &[&none, &none]),
            [spell(0, 24)],
            "renewed without a gap"
        );
        let stopped = vec![(at(9), false), (at(11), true)];
        let tenant = vec![(at(-100), true), (at(20), false)];
        let found = spells(spell(0, 24), &certificates, &[&stopped, &tenant]);
        assert_eq!(found, [spell(0, 9), spell(11, 20)]);
        let revoked = vec![(at(-1), false)];
        assert_eq!(spells(spell(0, 24), &certificates, &[&revoked, &none]), []);
        assert_eq!(spells(spell(0, 24), &[spell(10, 12)], &[&none, &none]), [spell(10, 12)]);
    }

    #[test]
    fn a_day_is_one_of_japan_and_none_that_is_to_come() {
        let now = Timestamp::parse("2026-11-30T03:00:00Z").unwrap();
        let day = |text| EntranceSpell::of_day(text, now).map(|day| (day.from.to_string(), day.until == now));
        assert_eq!(day("2026-11-29"), Some(("2026-11-28T15:00:00Z".into(), false)));
        assert!(day("2026-11-30").is_some_and(|(_, is_now)| is_now));
        for wrong in ["2026-12-01", "2026-02-30", "20261130", "", "2026-11-30T00:00:00Z", "あああ2"] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }
}
