//! What a transfer changes: read for a dry run, and read again by the very same methods when its minute has come.

use super::identifiers::{read_person, short};
use super::judging::PersonForecast;
use super::problems::TransferProblem;
use super::reading::Transfer;
use crate::engine::on_transaction;
use crate::{Result, Transaction};
use serde::Serialize;
use std::collections::BTreeMap;
use tegata_core::transfer::{
    DeviceDecision, DeviceTransferOutcome, PersonTransferOutcome, TransferState, device_outcome,
};
use tegata_core::{DeviceId, DeviceState, InvitationId, KittingId, PersonId, Role, Serial, SiteId, TenantId};

/// Everything that a transfer will change as things stand, and what somebody should see to before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct TransferForecast {
    pub problems: Vec<TransferProblem>,
    pub sites: Vec<SiteForecast>,
    pub people: Vec<PersonForecast>,
    /// Clients that hear of the end of sessions.
    pub clients: Vec<ClientForecast>,
}

/// What becomes of a site.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct SiteForecast {
    pub site: SiteId,
    pub name: String,
    /// Its identifier and name in the new tenant.
    pub becomes: SiteId,
    pub new_name: String,
    pub devices: Vec<DeviceForecast>,
    /// Open invitations, which are taken back.
    pub invitations: Vec<InvitationId>,
    /// Open kitting codes, which end.
    pub kittings: Vec<KittingId>,
    /// Products that the site has a license for, which goes along.
    pub licenses: Vec<String>,
}

/// What becomes of a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct DeviceForecast {
    pub device: DeviceId,
    pub label: String,
    pub role: Role,
    pub state: DeviceState,
    pub outcome: DeviceTransferOutcome,
    /// Where it goes, where it stays with its tenant.
    pub stays_at: Option<SiteId>,
    /// Serial numbers of the certificates that end.
    pub certificates: Vec<Serial>,
    /// Sessions of people that end.
    pub sessions: i64,
    /// Refresh tokens that end.
    pub refresh_tokens: i64,
    /// For whom it is; everybody at its site where nobody is named.
    pub people: Vec<PersonId>,
}

/// A client that hears of the end of sessions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct ClientForecast {
    pub client: String,
    pub sessions: i64,
}

/// More than any site has.
const ALL: i64 = i64::MAX;

impl Transaction {
    /// What a transfer will change as things stand.
    pub(super) async fn forecast_of(&mut self, transfer: &Transfer) -> Result<TransferForecast> {
        let mut forecast = TransferForecast::default();
        for (site, planned) in transfer.plan.sites() {
            let Some(name) = self.open_site(&transfer.plan.source, site).await? else {
                forecast.problems.push(TransferProblem::SiteGone { site: site.clone() });
                continue;
            };
            let wanted = planned.name.clone().unwrap_or_else(|| name.clone());
            let new_name = self.free_site_name(transfer, &wanted).await?;
            if new_name != wanted {
                forecast.problems.push(TransferProblem::SiteNameTaken { site: site.clone(), name: wanted });
            }
            let mut devices = self.devices_to_move(transfer, site, ALL).await?;
            self.add_certificates(site, &mut devices).await?;
            forecast.sites.push(SiteForecast {
                site: site.clone(),
                name,
                becomes: planned.becomes.clone(),
                new_name,
                devices,
                invitations: self.open_invitations(site, ALL).await?,
                kittings: self.open_kittings(site, ALL).await?,
                licenses: self.site_licenses(site).await?,
            });
        }
        for person in self.people_to_judge(transfer).await? {
            forecast.people.extend(self.person_forecast(transfer, &person).await?);
        }
        forecast.clients = self.clients_that_hear(transfer).await?;
        forecast.problems.extend(self.problems_of(transfer, &forecast).await?);
        forecast.problems.sort();
        Ok(forecast)
    }

    /// The name of a site of this tenant that was not handed over.
    pub(super) async fn open_site(&mut self, tenant: &TenantId, site: &SiteId) -> Result<Option<String>> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT name FROM site WHERE id = $1 AND tenant = $2 AND closed_at IS NULL")
                .bind(site.as_str())
                .bind(tenant.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(found.map(|(name,)| name))
    }

    /// This name, or one like it that no site of the new tenant has: nobody is awake to choose another.
    pub(super) async fn free_site_name(&mut self, transfer: &Transfer, wanted: &str) -> Result<String> {
        let Some(target) = transfer.plan.target() else { return Ok(wanted.to_owned()) };
        let target = target.clone();
        let mut name = wanted.to_owned();
        for number in 1_u32.. {
            let taken: Option<(String,)> = on_transaction!(self.engine, connection => {
                sqlx::query_as("SELECT id FROM site WHERE tenant = $1 AND name = $2")
                    .bind(target.as_str())
                    .bind(name.as_str())
                    .fetch_optional(connection)
                    .await?
            });
            if taken.is_none() {
                break;
            }
            name = match number {
                1 => format!("{wanted} ({})", short(&transfer.id)),
                _ => format!("{wanted} ({}-{number})", short(&transfer.id)),
            };
        }
        Ok(name)
    }

    /// The devices of a site about which nothing was done yet, at most `limit`, with what becomes of each.
    pub(super) async fn devices_to_move(
        &mut self,
        transfer: &Transfer,
        site: &SiteId,
        limit: i64,
    ) -> Result<Vec<DeviceForecast>> {
        let source = &transfer.plan.source;
        let rows: Vec<DeviceToMove> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.id, d.label, d.role, d.state, (SELECT COUNT(*) FROM session s WHERE s.device = d.id) AS sessions, \
                 (SELECT COUNT(*) FROM token_family f WHERE f.device = d.id AND f.state = 'living') AS families \
                 FROM device d WHERE d.site = $1 AND d.tenant = $2 AND d.role = 'device' AND d.state IN ('active', 'suspended') AND NOT EXISTS \
                 (SELECT 1 FROM transfer_item x WHERE x.transfer = $3 AND x.kind = 'device' AND x.subject = d.id) \
                 ORDER BY d.label, d.id LIMIT $4",
            )
            .bind(site.as_str())
            .bind(source.as_str())
            .bind(transfer.id.as_str())
            .bind(limit)
            .fetch_all(connection)
            .await?
        });
        let mut devices = Vec::with_capacity(rows.len());
        for row in rows {
            let decided = transfer.plan.device(&row.id);
            let stays_at = match decided {
                Some(DeviceDecision::Stay { at }) => self.open_site(source, at).await?.map(|_| at.clone()),
                _ => None,
            };
            let people = self.people_of_device(transfer, &row.id).await?;
            let mut outcome = device_outcome(decided, row.state, stays_at.is_some());
            // A device for named people alone does not become everybody's because none of them comes along.
            if outcome == DeviceTransferOutcome::Moved && !self.somebody_comes(transfer, &people).await? {
                outcome = DeviceTransferOutcome::Undecided;
            }
            devices.push(row.forecast(outcome, stays_at, people));
        }
        Ok(devices)
    }

    /// For whom a device is; once people have moved, for whom it was when the transfer began.
    async fn people_of_device(&mut self, transfer: &Transfer, device: &DeviceId) -> Result<Vec<PersonId>> {
        let statement = match transfer.state {
            TransferState::Running => {
                "SELECT person FROM transfer_binding WHERE transfer = $1 AND device = $2 ORDER BY person"
            }
            _ => "SELECT person FROM device_person WHERE $1 <> '' AND device = $2 ORDER BY person",
        };
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(statement)
                .bind(transfer.id.as_str())
                .bind(device.as_str())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(|(id,)| read_person(id)).collect()
    }

    /// Whether a device for these people has one of them in the new tenant; one for everybody needs nobody.
    async fn somebody_comes(&mut self, transfer: &Transfer, people: &[PersonId]) -> Result<bool> {
        if people.is_empty() {
            return Ok(true);
        }
        for person in people {
            let comes = if transfer.state == TransferState::Running {
                Some(&self.tenant_of(person).await?) == transfer.plan.target()
            } else {
                let forecast = self.person_forecast(transfer, person).await?;
                forecast.is_some_and(|one| one.outcome == PersonTransferOutcome::Moved)
            };
            if comes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn add_certificates(&mut self, site: &SiteId, devices: &mut [DeviceForecast]) -> Result<()> {
        let rows: Vec<(String, Vec<u8>)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.device, c.serial FROM device d JOIN certificate c ON c.device = d.id WHERE d.site = $1 \
                 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.not_after >= $2 \
                 ORDER BY c.device, c.generation",
            )
            .bind(site.as_str())
            .bind(self.now.millis())
            .fetch_all(connection)
            .await?
        });
        let mut of: BTreeMap<String, Vec<Serial>> = BTreeMap::new();
        for (device, serial) in rows {
            of.entry(device).or_default().extend(Serial::from_slice(&serial));
        }
        for device in devices.iter_mut().filter(|device| device.outcome != DeviceTransferOutcome::Stayed) {
            device.certificates = of.remove(device.device.as_str()).unwrap_or_default();
        }
        Ok(())
    }

    async fn clients_that_hear(&mut self, transfer: &Transfer) -> Result<Vec<ClientForecast>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.client, COUNT(*) AS sessions FROM transfer_site y JOIN device d ON d.site = y.site \
                 JOIN session s ON s.device = d.id JOIN session_client c ON c.session = s.id \
                 WHERE y.transfer = $1 AND y.state IN ('waiting', 'open') GROUP BY c.client ORDER BY c.client",
            )
            .bind(transfer.id.as_str())
            .fetch_all(connection)
            .await?
        }))
    }
}

#[derive(sqlx::FromRow)]
struct DeviceToMove {
    #[sqlx(try_from = "String")]
    id: DeviceId,
    label: String,
    #[sqlx(try_from = "String")]
    role: Role,
    #[sqlx(try_from = "String")]
    state: DeviceState,
    sessions: i64,
    families: i64,
}

impl DeviceToMove {
    fn forecast(
        self,
        outcome: DeviceTransferOutcome,
        stays_at: Option<SiteId>,
        people: Vec<PersonId>,
    ) -> DeviceForecast {
        DeviceForecast {
            device: self.id,
            label: self.label,
            role: self.role,
            state: self.state,
            outcome,
            stays_at,
            certificates: Vec::new(),
            sessions: self.sessions,
            refresh_tokens: self.families,
            people,
        }
    }
}
