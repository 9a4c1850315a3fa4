//! What somebody should see to before the minute of a transfer.

use super::forecast::TransferForecast;
use super::judging::PersonForecast;
use super::reading::Transfer;
use crate::engine::on_transaction;
use crate::person::read_roles;
use crate::{LedgerError, Result, Transaction};
use serde::Serialize;
use tegata_core::transfer::{DeviceTransferOutcome, PersonTransferOutcome, TransferChange, TransferPlan};
use tegata_core::{DeviceId, PersonId, PersonRole, SiteId, TenantId};

/// What should be seen to before the minute.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TransferProblem {
    /// Approvals are missing: it will not begin.
    NotApproved,
    /// A tenant is suspended: it will not begin before the tenant is resumed.
    TenantSuspended { tenant: TenantId },
    /// A site is not there any more: it stays out.
    SiteGone { site: SiteId },
    /// The new tenant has a site of this name: this one will be called otherwise.
    SiteNameTaken { site: SiteId, name: String },
    /// Nobody decided about it: it ends, and needs a new invitation.
    DeviceUndecided { device: DeviceId },
    /// It is suspended, and so it does not move.
    DeviceSuspended { device: DeviceId },
    /// A gate stands there. Gates are at work for everybody, and a transfer leaves them where they are.
    GateStays { device: DeviceId },
    /// Nobody decided about the person, who stays without the sites that move.
    PersonUndecided { person: PersonId },
    /// The person cannot move: somebody of the new tenant signs in by this name.
    LoginTaken { person: PersonId },
    /// Somebody changed the person's roles, sites or state since the last approval: they do not move.
    PersonChanged { person: PersonId },
    /// The person moves, and cannot sign in there with what they have: somebody there has to set them up.
    PersonCannotSignIn { person: PersonId },
    /// The tenant that gives would be left without an administrator.
    NoAdministratorLeft,
    /// The rules of the new tenant admit fewer devices than it would have.
    NoRoom { places: i64, needed: i64 },
    /// Devices had tokens for this product by a license of their whole tenant, and the new tenant has none.
    ProductNotLicensed { product: String },
}

impl Transaction {
    /// What a forecast and the two tenants say of it.
    pub(super) async fn problems_of(
        &mut self,
        transfer: &Transfer,
        forecast: &TransferForecast,
    ) -> Result<Vec<TransferProblem>> {
        let mut problems = Vec::new();
        if !self.is_fully_approved(transfer).await? {
            problems.push(TransferProblem::NotApproved);
        }
        let suspended = self.suspended_sides(transfer).await?;
        problems.extend(suspended.into_iter().map(|tenant| TransferProblem::TenantSuspended { tenant }));
        let devices = forecast.sites.iter().flat_map(|site| &site.devices);
        problems.extend(devices.filter_map(|device| match device.outcome {
            DeviceTransferOutcome::Undecided => {
                Some(TransferProblem::DeviceUndecided { device: device.device.clone() })
            }
            DeviceTransferOutcome::Suspended => {
                Some(TransferProblem::DeviceSuspended { device: device.device.clone() })
            }
            _ => None,
        }));
        problems.extend(forecast.people.iter().filter_map(|person| match person.outcome {
            PersonTransferOutcome::Undecided => {
                Some(TransferProblem::PersonUndecided { person: person.person.clone() })
            }
            PersonTransferOutcome::ChangedSince => {
                Some(TransferProblem::PersonChanged { person: person.person.clone() })
            }
            PersonTransferOutcome::LoginTaken => {
                Some(TransferProblem::LoginTaken { person: person.person.clone() })
            }
            PersonTransferOutcome::Moved if !person.may_sign_in => {
                Some(TransferProblem::PersonCannotSignIn { person: person.person.clone() })
            }
            _ => None,
        }));
        for site in &forecast.sites {
            let gates = self.gates_at(&site.site).await?;
            problems.extend(gates.into_iter().map(|device| TransferProblem::GateStays { device }));
        }
        if let TransferChange::Business { target, .. } = &transfer.plan.change {
            if self.leaves_nobody(&transfer.plan, forecast).await? {
                problems.push(TransferProblem::NoAdministratorLeft);
            }
            problems.extend(self.room(target, forecast).await?);
            problems.extend(self.products_lost(&transfer.plan.source, target).await?);
        }
        Ok(problems)
    }

    async fn gates_at(&mut self, site: &SiteId) -> Result<Vec<DeviceId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT id FROM device WHERE site = $1 AND role = 'gate' AND state IN ('active', 'suspended') ORDER BY id",
            )
            .bind(site.as_str())
            .fetch_all(connection)
            .await?
        });
        let read = |(id,)| DeviceId::try_from(id).map_err(|_| LedgerError::Unreadable("device.id"));
        rows.into_iter().map(read).collect()
    }

    /// Whether every active administrator of the tenant that gives goes away.
    async fn leaves_nobody(&mut self, plan: &TransferPlan, forecast: &TransferForecast) -> Result<bool> {
        let rows: Vec<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id, roles FROM person WHERE tenant = $1 AND state = 'active' AND break_glass IS NULL")
                .bind(plan.source.as_str())
                .fetch_all(connection)
                .await?
        });
        let mut left = 0;
        let mut were = 0;
        for (person, roles) in rows {
            let is_admin = read_roles(&roles)?.iter().any(|role| role == PersonRole::TenantAdmin);
            let goes = |one: &PersonForecast| {
                one.person.as_str() == person && one.outcome == PersonTransferOutcome::Moved
            };
            were += usize::from(is_admin);
            left += usize::from(is_admin && !forecast.people.iter().any(goes));
        }
        Ok(were > 0 && left == 0)
    }

    async fn room(
        &mut self,
        target: &TenantId,
        forecast: &TransferForecast,
    ) -> Result<Option<TransferProblem>> {
        let devices = forecast.sites.iter().flat_map(|site| &site.devices);
        let come = devices.filter(|one| one.outcome == DeviceTransferOutcome::Moved).count();
        let short = self.short_of_room(target, i64::try_from(come).unwrap_or(i64::MAX)).await?;
        Ok(short.map(|(places, needed)| TransferProblem::NoRoom { places, needed }))
    }

    /// How many devices the rules of a tenant admit and how many it would have, where those are more.
    pub(super) async fn short_of_room(&mut self, target: &TenantId, come: i64) -> Result<Option<(i64, i64)>> {
        let (places, present): (Option<i64>, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT t.places, (SELECT COUNT(*) FROM device d WHERE d.tenant = t.id AND d.role = 'device' \
                 AND d.state IN ('active', 'suspended')) FROM tenant t WHERE t.id = $1",
            )
            .bind(target.as_str())
            .fetch_one(connection)
            .await?
        });
        let needed = present.saturating_add(come);
        Ok(places.filter(|places| *places < needed).map(|places| (places, needed)))
    }

    async fn products_lost(&mut self, source: &TenantId, target: &TenantId) -> Result<Vec<TransferProblem>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT l.product FROM licence l WHERE l.tenant = $1 AND l.site IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM licence o WHERE o.tenant = $2 AND o.site IS NULL AND o.product = l.product) ORDER BY l.product",
            )
            .bind(source.as_str())
            .bind(target.as_str())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(|(product,)| TransferProblem::ProductNotLicensed { product }).collect())
    }
}
