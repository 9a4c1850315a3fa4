//! Transfers as the ledger knows them, and what became of each part.

use crate::engine::on_transaction;
use crate::person::read_roles;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use serde::Serialize;
use tegata_core::transfer::{
    DeviceTransferOutcome, PersonTransferOutcome, TransferApproval, TransferPlan, TransferSide, TransferState,
};
use tegata_core::{DeviceId, PersonId, SiteId, TenantId, Thumbprint, Timestamp, TransferId};

/// A transfer with its plan.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Transfer {
    pub id: TransferId,
    pub plan: TransferPlan,
    pub state: TransferState,
    pub source_name: String,
    pub target_name: Option<String>,
    /// Who asked for it, where it was a person with an account.
    pub requested_by: Option<PersonId>,
    /// Who has changed the plan since.
    pub changed_by: Vec<PersonId>,
    pub note: String,
    /// The transfer that this one takes back.
    pub reverses: Option<TransferId>,
    /// Why it waits, though its minute has come.
    pub held: Option<String>,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    pub begun_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

impl Transfer {
    /// Whether the plan is this person's, who asked for it or has changed it: somebody else approves of it.
    pub fn is_planned_by(&self, person: &PersonId) -> bool {
        self.requested_by.as_ref() == Some(person) || self.changed_by.contains(person)
    }
}

/// That somebody approved, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivenApproval {
    /// Who, for whom, and of which plan.
    pub approval: TransferApproval,
    /// When it was given.
    pub at: Timestamp,
}

/// What became of everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct TransferResult {
    pub sites: Vec<TransferredSite>,
    pub devices: Vec<TransferredDevice>,
    pub people: Vec<TransferredPerson>,
}

/// A site that moves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TransferredSite {
    pub site: SiteId,
    /// What it is called there now; for the tenant that receives, what it is called here.
    pub name: Option<String>,
    pub becomes: SiteId,
    pub state: TransferSiteState,
}

/// How far a site is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferSiteState {
    /// The minute has not come.
    Waiting,
    /// It is there in the new tenant, and devices move.
    Open,
    /// It was handed over.
    Done,
    /// It was no longer there when the minute came.
    Gone,
}

/// What became of a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TransferredDevice {
    pub device: DeviceId,
    pub label: Option<String>,
    pub outcome: DeviceTransferOutcome,
    /// What it is in its new tenant.
    pub successor: Option<DeviceId>,
    /// Until when its old certificate brings the new one.
    pub renew_until: Option<Timestamp>,
    /// Whether it was seen with its new certificate.
    pub is_at_work: bool,
}

/// What became of a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TransferredPerson {
    pub person: PersonId,
    pub login: Option<String>,
    pub outcome: PersonTransferOutcome,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT x.id, x.plan, x.state, COALESCE(s.name, x.source_called) AS source_name, \
             COALESCE((SELECT t.name FROM tenant t WHERE t.id = x.target), x.target_called) AS target_name, x.requested_by, \
             x.changed_by, x.note, x.reverses, \
             x.held, x.created_at, x.changed_at, x.begun_at, x.ended_at \
             FROM transfer x LEFT JOIN tenant s ON s.id = x.source WHERE ",
            $rest
        )
    };
}

impl ScopedLedger {
    /// All transfers in which a tenant of the scope takes part, the newest minute first.
    pub async fn transfers(&self) -> Result<Vec<Transfer>> {
        let rows: Vec<TransferRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("($1 IS NULL OR x.source = $1 OR x.target = $1) ORDER BY x.due_at DESC, x.id"))
                .bind(self.scope.bound())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(TransferRow::transfer).collect()
    }

    /// A transfer in which a tenant of the scope takes part.
    pub async fn transfer(&self, id: &TransferId) -> Result<Option<Transfer>> {
        let row: Option<TransferRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("x.id = $2 AND ($1 IS NULL OR x.source = $1 OR x.target = $1)"))
                .bind(self.scope.bound())
                .bind(id.as_str())
                .fetch_optional(connection)
                .await?
        });
        row.map(TransferRow::transfer).transpose()
    }

    /// Who approved of a transfer, of whatever plan it had then.
    pub async fn transfer_approvals(&self, id: &TransferId) -> Result<Vec<GivenApproval>> {
        let rows: Vec<TransferApprovalRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT a.side, a.person, a.plan_hash, a.at FROM transfer_approval a JOIN transfer x ON x.id = a.transfer \
                 WHERE a.transfer = $1 AND ($2 IS NULL OR x.source = $2 OR x.target = $2) ORDER BY a.side",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TransferApprovalRow::given).collect()
    }

    /// What became of everything so far. The tenant that receives sees what it received.
    pub async fn transfer_result(&self, id: &TransferId) -> Result<TransferResult> {
        let sites: Vec<TransferredSiteRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                // The tenant that receives knows of its own sites, devices and people alone.
                "SELECT CASE WHEN x.target = $2 THEN y.becomes ELSE y.site END AS site, y.becomes, y.state, (SELECT s.name FROM site s \
                 WHERE s.id = CASE WHEN x.target = $2 THEN y.becomes ELSE y.site END) AS name \
                 FROM transfer x JOIN transfer_site y ON y.transfer = x.id WHERE x.id = $1 \
                 AND ($2 IS NULL OR x.source = $2 OR x.target = $2) ORDER BY y.site",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let devices: Vec<TransferredDeviceRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                // The tenant that gives is not told what its devices are now.
                "SELECT CASE WHEN x.target = $2 THEN y.successor ELSE y.subject END AS subject, d.label, y.outcome, CASE WHEN x.source = $2 THEN NULL ELSE y.successor END AS successor, \
                 y.renew_until, (SELECT COUNT(*) FROM certificate c WHERE x.source <> COALESCE($2, '') \
                 AND c.device = y.successor AND c.used_at IS NOT NULL) AS used \
                 FROM transfer x JOIN transfer_item y ON y.transfer = x.id AND y.kind = 'device' \
                 LEFT JOIN device d ON d.id = CASE WHEN x.target = $2 THEN y.successor ELSE y.subject END \
                 WHERE x.id = $1 AND ($2 IS NULL OR x.source = $2 OR (x.target = $2 AND y.outcome = 'moved')) \
                 ORDER BY y.outcome, d.label, y.subject",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let people: Vec<TransferredPersonRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT y.subject, p.login, y.outcome \
                 FROM transfer x JOIN transfer_item y ON y.transfer = x.id AND y.kind = 'person' \
                 LEFT JOIN person p ON p.id = y.subject AND ($2 IS NULL OR p.tenant = $2) \
                 WHERE x.id = $1 AND ($2 IS NULL OR x.source = $2 OR (x.target = $2 AND y.outcome = 'moved')) \
                 ORDER BY y.outcome, p.login_key, y.subject",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok(TransferResult {
            sites: sites.into_iter().map(TransferredSiteRow::site).collect::<Result<_>>()?,
            devices: devices.into_iter().map(TransferredDeviceRow::device).collect(),
            people: people.into_iter().map(TransferredPersonRow::person).collect(),
        })
    }
}

impl Transaction {
    /// A transfer as it stands while this transaction holds the right to write.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is none.
    pub(super) async fn transfer_in_hand(&mut self, id: &TransferId) -> Result<Transfer> {
        let row: Option<TransferRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(select!("x.id = $1")).bind(id.as_str()).fetch_optional(connection).await?
        });
        row.ok_or(LedgerError::Guard("there is no such transfer"))?.transfer()
    }

    /// Who approved, of whatever plan it was then. Whoever may not approve any more approves of nothing: disabled since, without
    /// the role, or of another tenant.
    pub(super) async fn approvals_in_hand(&mut self, transfer: &Transfer) -> Result<Vec<TransferApproval>> {
        let rows: Vec<ApproverRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT a.side, a.person, a.plan_hash, a.at, p.tenant, p.roles FROM transfer_approval a JOIN person p ON p.id = a.person \
                 WHERE a.transfer = $1 AND p.state = 'active' AND p.break_glass IS NULL ORDER BY a.side",
            )
            .bind(transfer.id.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut counted = Vec::with_capacity(rows.len());
        for ApproverRow { given, tenant, roles } in rows {
            let approval = given.given()?.approval;
            if transfer.plan.sides_of(&tenant, &read_roles(&roles)?).contains(&approval.side) {
                counted.push(approval);
            }
        }
        Ok(counted)
    }
}

#[derive(sqlx::FromRow)]
struct ApproverRow {
    #[sqlx(flatten)]
    given: TransferApprovalRow,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    roles: String,
}

#[derive(sqlx::FromRow)]
struct TransferRow {
    #[sqlx(try_from = "String")]
    id: TransferId,
    plan: String,
    #[sqlx(try_from = "String")]
    state: TransferState,
    source_name: Option<String>,
    target_name: Option<String>,
    requested_by: Option<String>,
    changed_by: String,
    note: String,
    reverses: Option<String>,
    held: Option<String>,
    created_at: i64,
    changed_at: i64,
    begun_at: Option<i64>,
    ended_at: Option<i64>,
}

impl TransferRow {
    fn transfer(self) -> Result<Transfer> {
        Ok(Transfer {
            id: self.id,
            plan: serde_json::from_str(&self.plan).map_err(|_| LedgerError::Unreadable("transfer.plan"))?,
            state: self.state,
            source_name: self.source_name.unwrap_or_default(),
            target_name: self.target_name,
            requested_by: self.requested_by.as_deref().and_then(PersonId::parse),
            changed_by: serde_json::from_str(&self.changed_by)
                .map_err(|_| LedgerError::Unreadable("transfer.changed_by"))?,
            note: self.note,
            reverses: self.reverses.as_deref().and_then(TransferId::parse),
            held: self.held,
            created_at: self.created_at.into(),
            changed_at: self.changed_at.into(),
            begun_at: self.begun_at.map(Timestamp::from_millis),
            ended_at: self.ended_at.map(Timestamp::from_millis),
        })
    }
}

#[derive(sqlx::FromRow)]
struct TransferApprovalRow {
    #[sqlx(try_from = "String")]
    side: TransferSide,
    #[sqlx(try_from = "String")]
    person: PersonId,
    plan_hash: Vec<u8>,
    at: i64,
}

impl TransferApprovalRow {
    fn given(self) -> Result<GivenApproval> {
        let plan = Thumbprint::from_slice(&self.plan_hash);
        let plan = plan.ok_or(LedgerError::Unreadable("transfer_approval.plan_hash"))?;
        let approval = TransferApproval { side: self.side, person: self.person, plan };
        Ok(GivenApproval { approval, at: self.at.into() })
    }
}

#[derive(sqlx::FromRow)]
struct TransferredSiteRow {
    #[sqlx(try_from = "String")]
    site: SiteId,
    name: Option<String>,
    #[sqlx(try_from = "String")]
    becomes: SiteId,
    state: String,
}

impl TransferredSiteRow {
    fn site(self) -> Result<TransferredSite> {
        let state = match self.state.as_str() {
            "waiting" => TransferSiteState::Waiting,
            "open" => TransferSiteState::Open,
            "done" => TransferSiteState::Done,
            "gone" => TransferSiteState::Gone,
            _ => return Err(LedgerError::Unreadable("transfer_site.state")),
        };
        Ok(TransferredSite { site: self.site, name: self.name, becomes: self.becomes, state })
    }
}

#[derive(sqlx::FromRow)]
struct TransferredDeviceRow {
    #[sqlx(try_from = "String")]
    subject: DeviceId,
    label: Option<String>,
    #[sqlx(try_from = "String")]
    outcome: DeviceTransferOutcome,
    successor: Option<String>,
    renew_until: Option<i64>,
    used: i64,
}

impl TransferredDeviceRow {
    fn device(self) -> TransferredDevice {
        TransferredDevice {
            device: self.subject,
            label: self.label,
            outcome: self.outcome,
            successor: self.successor.as_deref().and_then(DeviceId::parse),
            renew_until: self.renew_until.map(Timestamp::from_millis),
            is_at_work: self.used > 0,
        }
    }
}

#[derive(sqlx::FromRow)]
struct TransferredPersonRow {
    #[sqlx(try_from = "String")]
    subject: PersonId,
    login: Option<String>,
    #[sqlx(try_from = "String")]
    outcome: PersonTransferOutcome,
}

impl TransferredPersonRow {
    fn person(self) -> TransferredPerson {
        TransferredPerson { person: self.subject, login: self.login, outcome: self.outcome }
    }
}
