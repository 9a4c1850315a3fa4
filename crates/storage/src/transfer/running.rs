//! The steps of a transfer whose minute has come. Each is one transaction, finds by itself what is still to be done, and is done
//! under the right to write that one server has at a time. So it is all the same who does it, how often somebody dies over it, and
//! what clock they have meanwhile.

use super::reading::Transfer;
use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::server::{FORGOTTEN, VERSION};
use crate::{Ledger, LedgerError, Result, Site, Transaction};
use serde_json::json;
use tegata_core::transfer::{
    DeviceDecision, TransferChange, TransferEvent, TransferSide, TransferState, is_approved,
};
use tegata_core::{DeviceId, DeviceState, Entropy, Name, SiteId, StopCause, TenantId, Timestamp, TransferId};

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferStep {
    /// Something was done, and there may be more.
    Went,
    /// It cannot begin. With `is_news` that is written down and has to be committed.
    Held {
        /// What is in the way.
        hold: TransferHold,
        /// Whether it was not known before.
        is_news: bool,
    },
    /// There is nothing to do now.
    Rests,
}

/// Why a transfer does not begin though its minute has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferHold {
    /// Not everybody has approved of the plan, or somebody who had may not sign in any more.
    NotApproved,
    /// One of the tenants is suspended.
    TenantSuspended,
    /// Another tenant has the new name.
    NameTaken,
    /// The rules of the new tenant admit fewer devices than it would have.
    NoRoom,
    /// Devices that should move were ended by a transfer already, of which this ledger knows nothing: it was restored from a backup.
    BegunBefore,
    /// A server runs another version, which may not know of sites that were handed over.
    VersionsMixed,
    /// Servers do not agree what time it is, or the clock of this one was just set ahead.
    ClocksDiffer,
}

impl TransferHold {
    /// Its name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotApproved => "not_approved",
            Self::TenantSuspended => "tenant_suspended",
            Self::NameTaken => "name_taken",
            Self::NoRoom => "no_room",
            Self::BegunBefore => "begun_before",
            Self::VersionsMixed => "versions_mixed",
            Self::ClocksDiffer => "clocks_differ",
        }
    }
}

/// Devices and people in one transaction: others who write wait no longer than for these.
pub(super) const AT_ONCE: usize = 50;

impl Ledger {
    /// When the newest entry of the audit log was written, by the clock of whoever wrote it.
    pub async fn newest_entry_at(&self) -> Result<Option<Timestamp>> {
        let row: Option<(i64,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT at FROM audit ORDER BY seq DESC LIMIT 1").fetch_optional(connection).await?
        });
        Ok(row.map(|(at,)| at.into()))
    }

    /// Transfers about which there may be something to do at a time, the earliest first: also one that was held, by a clock that
    /// was ahead, before its minute has come.
    pub async fn transfers_due(&self, now: Timestamp) -> Result<Vec<(TransferId, TransferState)>> {
        let rows: Vec<(String, String)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, state FROM transfer WHERE state IN ('draft', 'approved', 'running') AND (due_at <= $1 OR held IS NOT NULL) ORDER BY due_at, id",
            )
            .bind(now.millis())
            .fetch_all(connection)
            .await?
        });
        let read = |(id, state): (String, String)| {
            let id = TransferId::try_from(id).map_err(|_| LedgerError::Unreadable("transfer.id"))?;
            Ok((id, TransferState::parse(&state).ok_or(LedgerError::Unreadable("transfer.state"))?))
        };
        rows.into_iter().map(read).collect()
    }
}

impl Transaction {
    /// Does the next step of a transfer, if there is one at the time of this transaction.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such transfer.
    pub async fn advance_transfer(
        &mut self,
        id: &TransferId,
        entropy: &dyn Entropy,
        actor: &Actor,
    ) -> Result<TransferStep> {
        let transfer = self.transfer_in_hand(id).await?;
        match transfer.state {
            TransferState::Draft | TransferState::Approved if self.now < transfer.plan.at => {
                self.rest(&transfer).await
            }
            TransferState::Draft | TransferState::Approved if self.now > transfer.plan.latest => {
                self.lapse(&transfer, actor).await
            }
            TransferState::Draft | TransferState::Approved => match self.hold_of(&transfer).await? {
                Some(hold) => self.hold(&transfer, hold).await,
                None => self.begin_transfer(&transfer, actor).await,
            },
            TransferState::Running => self.go_on(&transfer, entropy, actor).await,
            TransferState::Done | TransferState::Aborted | TransferState::Lapsed => Ok(TransferStep::Rests),
        }
    }

    /// Its minute has not come, whatever somebody's clock said before.
    async fn rest(&mut self, transfer: &Transfer) -> Result<TransferStep> {
        if transfer.held.is_none() {
            return Ok(TransferStep::Rests);
        }
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE transfer SET held = NULL WHERE id = $1").bind(transfer.id.as_str()).execute(connection).await?;
        });
        Ok(TransferStep::Went)
    }

    /// Says that a transfer waits, whatever else stands in its way. Gives whether that is news, which has to be committed.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such transfer.
    pub async fn hold_transfer(&mut self, id: &TransferId, hold: TransferHold) -> Result<bool> {
        let transfer = self.transfer_in_hand(id).await?;
        if !transfer.state.is_open() {
            return Ok(false);
        }
        Ok(matches!(self.hold(&transfer, hold).await?, TransferStep::Held { is_news: true, .. }))
    }

    async fn lapse(&mut self, transfer: &Transfer, actor: &Actor) -> Result<TransferStep> {
        self.advance_state(transfer, TransferEvent::Lapse).await?;
        let detail = json!({"held": transfer.held});
        self.audit_transfer(
            (&transfer.id, &transfer.plan),
            "transfer.lapsed",
            (TransferSide::Support, &detail),
            actor,
        )
        .await?;
        Ok(TransferStep::Went)
    }

    async fn hold_of(&mut self, transfer: &Transfer) -> Result<Option<TransferHold>> {
        if transfer.state != TransferState::Approved || !self.is_fully_approved(transfer).await? {
            return Ok(Some(TransferHold::NotApproved));
        }
        if !self.suspended_sides(transfer).await?.is_empty() {
            return Ok(Some(TransferHold::TenantSuspended));
        }
        if self.other_versions_run().await? {
            return Ok(Some(TransferHold::VersionsMixed));
        }
        let TransferChange::Shares { name } = &transfer.plan.change else {
            return self.hold_of_sites(transfer).await;
        };
        let taken: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM tenant WHERE name = $1 AND id <> $2")
                .bind(name.as_str())
                .bind(transfer.plan.source.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(taken.map(|_| TransferHold::NameTaken))
    }

    async fn other_versions_run(&mut self) -> Result<bool> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM server WHERE (version IS NULL OR version <> $1) AND seen_at > $2 LIMIT 1")
                .bind(VERSION)
                .bind(self.now.minus(FORGOTTEN).millis())
                .fetch_optional(connection)
                .await?
        });
        Ok(found.is_some())
    }

    /// Read from the rows at the minute: places may have been used up since everybody approved.
    async fn hold_of_sites(&mut self, transfer: &Transfer) -> Result<Option<TransferHold>> {
        let rows: Vec<(String, String, Option<String>, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.id, d.state, d.cause, d.changed_at FROM transfer_site y JOIN device d ON d.site = y.site \
                 WHERE y.transfer = $1 AND d.role = 'device'",
            )
            .bind(transfer.id.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut come = 0;
        for (id, state, cause, changed_at) in rows {
            let id = DeviceId::try_from(id).map_err(|_| LedgerError::Unreadable("device.id"))?;
            if transfer.plan.device(&id) != Some(&DeviceDecision::Move) {
                continue;
            }
            let is_of_a_transfer = cause.as_deref() == Some(StopCause::AffiliationChanged.as_str());
            if is_of_a_transfer && changed_at >= transfer.plan.at.millis() {
                return Ok(Some(TransferHold::BegunBefore));
            }
            come += i64::from(state == DeviceState::Active.as_str());
        }
        let Some(target) = transfer.plan.target() else { return Ok(None) };
        Ok(self.short_of_room(target, come).await?.map(|_| TransferHold::NoRoom))
    }

    /// Whether everybody has approved of the plan as it is, and may still sign in.
    pub(super) async fn is_fully_approved(&mut self, transfer: &Transfer) -> Result<bool> {
        let given = self.approvals_in_hand(transfer).await?;
        Ok(is_approved(&transfer.plan, &given))
    }

    /// Which of the two tenants is suspended.
    pub(super) async fn suspended_sides(&mut self, transfer: &Transfer) -> Result<Vec<TenantId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM tenant WHERE id IN ($1, $2) AND state <> 'active' ORDER BY id")
                .bind(transfer.plan.source.as_str())
                .bind(transfer.plan.target().map_or("", TenantId::as_str))
                .fetch_all(connection)
                .await?
        });
        let read = |(id,)| TenantId::try_from(id).map_err(|_| LedgerError::Unreadable("tenant.id"));
        rows.into_iter().map(read).collect()
    }

    /// Why it waits is no change of state: whoever looks is told, and the audit log is not filled with it.
    async fn hold(&mut self, transfer: &Transfer, hold: TransferHold) -> Result<TransferStep> {
        let is_news = transfer.held.as_deref() != Some(hold.as_str());
        if is_news {
            on_transaction!(self.engine, connection => {
                sqlx::query("UPDATE transfer SET held = $2 WHERE id = $1")
                    .bind(transfer.id.as_str())
                    .bind(hold.as_str())
                    .execute(connection)
                    .await?;
            });
        }
        Ok(TransferStep::Held { hold, is_news })
    }

    /// A company that is called otherwise is so at once.
    async fn begin_transfer(&mut self, transfer: &Transfer, actor: &Actor) -> Result<TransferStep> {
        self.advance_state(transfer, TransferEvent::Begin).await?;
        self.audit_transfer(
            (&transfer.id, &transfer.plan),
            "transfer.begun",
            (TransferSide::Support, &json!({})),
            actor,
        )
        .await?;
        if let TransferChange::Shares { name } = &transfer.plan.change {
            let name = Name::of_place(name).map_err(|_| LedgerError::Unreadable("transfer.plan"))?;
            self.rename_tenant(&transfer.plan.source, &name, actor).await?;
            let running = Transfer { state: TransferState::Running, ..transfer.clone() };
            self.finish(&running, actor).await?;
        }
        Ok(TransferStep::Went)
    }

    /// The new tenant gets some of its sites, empty as yet. Gives whether there were any.
    async fn open_new_sites(&mut self, transfer: &Transfer, actor: &Actor) -> Result<bool> {
        let Some(target) = transfer.plan.target() else { return Ok(false) };
        let waiting = self.sites_in(&transfer.id, "waiting", AT_ONCE).await?;
        for site in &waiting {
            let planned =
                transfer.plan.sites().find(|(moving, _)| *moving == site).map(|(_, planned)| planned);
            let open = self.open_site(&transfer.plan.source, site).await?;
            let (Some(planned), Some(name)) = (planned, open) else {
                self.mark_site(&transfer.id, site, "waiting", "gone").await?;
                continue;
            };
            let wanted = planned.name.clone().unwrap_or(name);
            let name = self.free_site_name(transfer, &wanted).await?;
            let new = Site { id: planned.becomes.clone(), tenant: target.clone(), name };
            self.add_site(&new, actor).await?;
            self.keep_bindings(&transfer.id, site).await?;
            self.mark_site(&transfer.id, site, "waiting", "open").await?;
        }
        Ok(!waiting.is_empty())
    }

    /// The new sites first, then people, so that whoever moves is there when their devices are bound to them; then site by site.
    async fn go_on(
        &mut self,
        transfer: &Transfer,
        entropy: &dyn Entropy,
        actor: &Actor,
    ) -> Result<TransferStep> {
        if self.open_new_sites(transfer, actor).await? {
            return Ok(TransferStep::Went);
        }
        let people = self.people_to_judge(transfer).await?;
        if !people.is_empty() {
            for person in people.iter().take(AT_ONCE) {
                self.transfer_person(transfer, person, entropy, actor).await?;
            }
            return Ok(TransferStep::Went);
        }
        let Some(site) = self.sites_in(&transfer.id, "open", 1).await?.pop() else {
            if !self.note_ended_devices(transfer).await? {
                self.finish(transfer, actor).await?;
            }
            return Ok(TransferStep::Went);
        };
        let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let devices = self.devices_to_move(transfer, &site, limit).await?;
        for device in &devices {
            self.transfer_device(transfer, &site, device, entropy, actor).await?;
        }
        if devices.len() < AT_ONCE {
            self.close_site(transfer, &site, actor).await?;
        }
        Ok(TransferStep::Went)
    }

    async fn finish(&mut self, transfer: &Transfer, actor: &Actor) -> Result<()> {
        self.advance_state(transfer, TransferEvent::Finish).await?;
        self.audit_transfer(
            (&transfer.id, &transfer.plan),
            "transfer.done",
            (TransferSide::Support, &json!({})),
            actor,
        )
        .await
    }

    async fn advance_state(&mut self, transfer: &Transfer, event: TransferEvent) -> Result<()> {
        let next = transfer.state.after(event);
        let next = next.ok_or(LedgerError::Guard("the transfer is not in a state that allows this"))?;
        self.move_transfer(&transfer.id, transfer.state, next).await
    }

    /// Sites in a state, at most so many.
    async fn sites_in(&mut self, id: &TransferId, state: &str, limit: usize) -> Result<Vec<SiteId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT site FROM transfer_site WHERE transfer = $1 AND state = $2 ORDER BY site LIMIT $3")
                .bind(id.as_str())
                .bind(state)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(connection)
                .await?
        });
        let read = |(id,)| SiteId::try_from(id).map_err(|_| LedgerError::Unreadable("transfer_site.site"));
        rows.into_iter().map(read).collect()
    }
}
