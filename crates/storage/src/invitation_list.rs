//! Lists of invitations that registered clients send: written down as they came, then worked off. Whatever stops a server
//! in between, the next one goes on at the first line that waits; no line is done twice, and none by half.

mod reading;

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{InvitationState, LedgerError, NewInvitation, Result, Transaction};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{DeviceId, InvitationId, InvitationListId, Refusal, Role, SiteId, TenantId, Timestamp};

/// How long a list is kept once it is done: as long as its key may not be used again.
const KEPT: Duration = Duration::from_hours(24 * 30);

/// Lists that a client may send …
const MOST_LISTS: i64 = 60;
/// … in this time.
const WINDOW: Duration = Duration::from_hours(1);

/// A list to write down.
pub struct NewInvitationList<'a> {
    /// Its identifier, if it is new.
    pub id: InvitationListId,
    /// The `client_id` of the client that sent it.
    pub client: &'a str,
    /// What the client calls it.
    pub idempotency_key: &'a str,
    /// SHA-256 of what was sent.
    pub request_hash: [u8; 32],
    /// How long each invitation waits.
    pub life: Duration,
    /// Its lines, numbered as the client numbers them.
    pub lines: Vec<NewInvitationLine>,
}

/// A line with what was found about it.
pub struct NewInvitationLine {
    /// Where it stands in what was sent.
    pub number: u32,
    /// For whom it is, or why nobody is invited by it.
    pub judged: std::result::Result<InvitedHolder, LineRefusal>,
}

/// Why nobody is invited by a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineRefusal {
    /// Why nobody is invited.
    pub refusal: Refusal,
    /// The character in a label that it is about, if it is about one.
    pub hidden: Option<char>,
}

impl From<Refusal> for LineRefusal {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, hidden: None }
    }
}

/// For whom an invitation is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvitedHolder {
    /// The tenant that the device will belong to.
    pub tenant: TenantId,
    /// The site where the device will stand.
    pub site: SiteId,
    /// What it is called.
    pub label: String,
}

/// A list as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct InvitationList {
    pub id: InvitationListId,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
    pub handed_over_at: Option<Timestamp>,
}

/// A line, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct InvitationLine {
    pub number: u32,
    pub site: Option<SiteId>,
    pub site_name: Option<String>,
    pub label: Option<String>,
    pub outcome: LineOutcome,
}

/// What became of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LineOutcome {
    /// The line has not been handled yet.
    Waiting,
    /// Nobody is invited by the line.
    Refused(LineRefusal),
    /// There is an invitation.
    Invited {
        /// The identifier of the invitation.
        invitation: InvitationId,
        /// Where it stands now.
        state: InvitationState,
        /// The device that it became.
        device: Option<DeviceId>,
        /// Until when it can be used.
        expires_at: Timestamp,
    },
}

impl Transaction {
    /// Writes a list down, unless this client sent it before: gives the identifier under which it is known.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] when the key was used for another list, or the client sends more lists than anybody needs.
    pub async fn receive_list(&mut self, new: &NewInvitationList<'_>) -> Result<InvitationListId> {
        if let Some(known) = self.list_sent_before(new).await? {
            return Ok(known);
        }
        self.forget_old_lists(new.client).await?;
        self.refuse_flood_of_lists(new.client).await?;
        let now = self.now.millis();
        let life = i64::try_from(new.life.as_millis()).map_err(|_| LedgerError::Guard("too long a life"))?;
        let waiting = new.lines.iter().any(|line| line.judged.is_ok());
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO invitation_list (id, client, idempotency_key, request_hash, created_at, life, done_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(new.id.as_str())
            .bind(new.client)
            .bind(new.idempotency_key)
            .bind(new.request_hash.to_vec())
            .bind(now)
            .bind(life)
            .bind((!waiting).then_some(now))
            .execute(connection)
            .await?;
        });
        for line in &new.lines {
            self.write_line(&new.id, line).await?;
        }
        let tenants =
            new.lines.iter().map(|line| line.judged.as_ref().ok().map(|holder| holder.tenant.as_str()));
        self.audit_by_tenant((&new.id, new.client), "invitations.received", tenants).await?;
        Ok(new.id.clone())
    }

    /// Works off at most `most` lines that wait, in order. `fresh` makes an invitation's identifier and its secret. Gives
    /// whether the list is done.
    pub async fn work_off_list(
        &mut self,
        id: &InvitationListId,
        client: &str,
        most: u32,
        fresh: &(dyn Fn() -> (InvitationId, InvitationCode) + Sync),
    ) -> Result<bool> {
        let (lines, life) = self.waiting_lines(id, most).await?;
        let expires_at = self.now.plus(life);
        let actor = Actor::Client(client.to_owned());
        for (number, holder) in &lines {
            let (invitation, code) = fresh();
            let new = NewInvitation {
                id: invitation,
                code: &code,
                tenant: holder.tenant.clone(),
                site: holder.site.clone(),
                role: Role::Device,
                label: holder.label.clone(),
                expires_at,
            };
            let outcome = match self.invite(&new, &actor).await {
                Ok(()) => Ok(&new.id),
                Err(LedgerError::Refused(refusal)) => Err(refusal),
                Err(LedgerError::Guard(_)) => Err(Refusal::LineSiteUnknown),
                Err(error) => return Err(error),
            };
            self.finish_line(id, *number, outcome).await?;
        }
        let done = u32::try_from(lines.len()).is_ok_and(|worked| worked < most);
        if done {
            self.finish_list(id, client).await?;
        }
        Ok(done)
    }

    /// The codes of a list go to its client now, and never again.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] says why not: unknown, not done, or handed over before.
    pub async fn hand_list_over(&mut self, id: &InvitationListId, client: &str) -> Result<()> {
        let now = self.now.millis();
        let handed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE invitation_list SET handed_over_at = $3 \
                 WHERE id = $1 AND client = $2 AND done_at IS NOT NULL AND handed_over_at IS NULL",
            )
            .bind(id.as_str())
            .bind(client)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if handed != 1 {
            return Err(LedgerError::Refused(self.why_not_handed_over(id, client).await?));
        }
        let actor = Actor::Client(client.to_owned());
        self.audit(&actor, "invitations.handed_over", None, json!({"list": id})).await
    }

    /// Takes back every invitation of a list that nobody has used, and stops what still waits. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] when there is no such list of this client.
    pub async fn withdraw_list(&mut self, id: &InvitationListId, client: &str) -> Result<u64> {
        let now = self.now.millis();
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM invitation_list WHERE id = $1 AND client = $2")
                .bind(id.as_str())
                .bind(client)
                .fetch_optional(connection)
                .await?
        });
        if found.is_none() {
            return Err(LedgerError::Refused(Refusal::ListUnknown));
        }
        let withdrawn: Vec<(Option<String>,)> = on_transaction!(self.engine, connection => {
            let mut stopped: Vec<(Option<String>,)> = sqlx::query_as(
                "UPDATE invitation_line SET state = 'refused', refusal = $2 WHERE list = $1 AND state = 'waiting' \
                 RETURNING tenant",
            )
            .bind(id.as_str())
            .bind(Refusal::InvitationWithdrawn.code())
            .fetch_all(&mut *connection)
            .await?;
            sqlx::query("UPDATE invitation_list SET done_at = $2 WHERE id = $1 AND done_at IS NULL")
                .bind(id.as_str())
                .bind(now)
                .execute(&mut *connection)
                .await?;
            let withdrawn: Vec<(Option<String>,)> = sqlx::query_as(
                "UPDATE invitation SET state = 'withdrawn' WHERE state = 'open' \
                 AND id IN (SELECT invitation FROM invitation_line WHERE list = $1) RETURNING tenant",
            )
            .bind(id.as_str())
            .fetch_all(connection)
            .await?;
            stopped.extend(withdrawn);
            stopped
        });
        let tenants = withdrawn.iter().map(|(tenant,)| tenant.as_deref());
        self.audit_by_tenant((id, client), "invitations.withdrawn", tenants).await?;
        Ok(u64::try_from(withdrawn.len()).unwrap_or(u64::MAX))
    }

    /// One entry for each tenant with how many lines are its own, so that it stands in each one's log; and one for lines that are
    /// nobody's, or where there is no line.
    async fn audit_by_tenant<'a>(
        &mut self,
        (list, client): (&InvitationListId, &str),
        action: &'static str,
        lines: impl Iterator<Item = Option<&'a str>>,
    ) -> Result<()> {
        let mut counts: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for tenant in lines {
            *counts.entry(tenant).or_default() += 1;
        }
        if counts.is_empty() {
            counts.insert(None, 0);
        }
        let actor = Actor::Client(client.to_owned());
        for (tenant, lines) in counts {
            let mut detail = json!({"list": list, "lines": lines});
            if let Some(tenant) = tenant {
                detail["tenant"] = tenant.into();
            }
            self.audit(&actor, action, None, detail).await?;
        }
        Ok(())
    }

    async fn list_sent_before(&mut self, new: &NewInvitationList<'_>) -> Result<Option<InvitationListId>> {
        let row: Option<(String, Vec<u8>)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT id, request_hash FROM invitation_list WHERE client = $1 AND idempotency_key = $2",
            )
            .bind(new.client)
            .bind(new.idempotency_key)
            .fetch_optional(connection)
            .await?
        });
        match row {
            None => Ok(None),
            Some((_, hash)) if hash != new.request_hash => {
                Err(LedgerError::Refused(Refusal::IdempotencyKeyReused))
            }
            Some((id, _)) => {
                InvitationListId::parse(&id).map(Some).ok_or(LedgerError::Unreadable("invitation_list.id"))
            }
        }
    }

    async fn forget_old_lists(&mut self, client: &str) -> Result<()> {
        let old = self.now.minus(KEPT).millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM invitation_line WHERE list IN \
                 (SELECT id FROM invitation_list WHERE client = $1 AND done_at < $2)",
            )
            .bind(client)
            .bind(old)
            .execute(&mut *connection)
            .await?;
            sqlx::query("DELETE FROM invitation_list WHERE client = $1 AND done_at < $2")
                .bind(client)
                .bind(old)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    async fn refuse_flood_of_lists(&mut self, client: &str) -> Result<()> {
        let lately = self.now.minus(WINDOW).millis();
        let (sent,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT COUNT(*) FROM invitation_list WHERE client = $1 AND created_at > $2")
                .bind(client)
                .bind(lately)
                .fetch_one(connection)
                .await?
        });
        if sent < MOST_LISTS { Ok(()) } else { Err(LedgerError::Refused(Refusal::TooManyRequests)) }
    }

    async fn write_line(&mut self, list: &InvitationListId, line: &NewInvitationLine) -> Result<()> {
        let holder = line.judged.as_ref().ok();
        let refusal = line.judged.as_ref().err();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO invitation_line (list, number, tenant, site, label, state, refusal, hidden) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(list.as_str())
            .bind(i64::from(line.number))
            .bind(holder.map(|holder| holder.tenant.as_str()))
            .bind(holder.map(|holder| holder.site.as_str()))
            .bind(holder.map(|holder| holder.label.as_str()))
            .bind(if holder.is_some() { "waiting" } else { "refused" })
            .bind(refusal.map(|judged| judged.refusal.code()))
            .bind(refusal.and_then(|judged| judged.hidden).map(|hidden| i64::from(u32::from(hidden))))
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn waiting_lines(
        &mut self,
        id: &InvitationListId,
        most: u32,
    ) -> Result<(Vec<(i64, InvitedHolder)>, Duration)> {
        let rows: Vec<(i64, String, String, String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT l.number, l.tenant, l.site, l.label, j.life FROM invitation_line l \
                 JOIN invitation_list j ON j.id = l.list \
                 WHERE l.list = $1 AND l.state = 'waiting' ORDER BY l.number LIMIT $2",
            )
            .bind(id.as_str())
            .bind(i64::from(most))
            .fetch_all(connection)
            .await?
        });
        let life = rows.first().map_or(0, |row| row.4.unsigned_abs());
        let read = |(number, tenant, site, label, _): (i64, String, String, String, i64)| {
            let tenant = TenantId::parse(&tenant).ok_or(LedgerError::Unreadable("invitation_line.tenant"))?;
            let site = SiteId::parse(&site).ok_or(LedgerError::Unreadable("invitation_line.site"))?;
            Ok((number, InvitedHolder { tenant, site, label }))
        };
        let lines = rows.into_iter().map(read).collect::<Result<_>>()?;
        Ok((lines, Duration::from_millis(life)))
    }

    async fn finish_line(
        &mut self,
        list: &InvitationListId,
        number: i64,
        outcome: std::result::Result<&InvitationId, Refusal>,
    ) -> Result<()> {
        let finished = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE invitation_line SET state = $3, refusal = $4, invitation = $5 \
                 WHERE list = $1 AND number = $2 AND state = 'waiting'",
            )
            .bind(list.as_str())
            .bind(number)
            .bind(if outcome.is_ok() { "invited" } else { "refused" })
            .bind(outcome.err().map(Refusal::code))
            .bind(outcome.ok().map(InvitationId::as_str))
            .execute(connection)
            .await?
            .rows_affected()
        });
        if finished == 1 { Ok(()) } else { Err(LedgerError::Guard("the line does not wait")) }
    }

    async fn finish_list(&mut self, id: &InvitationListId, client: &str) -> Result<()> {
        let now = self.now.millis();
        let done = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE invitation_list SET done_at = $2 WHERE id = $1 AND done_at IS NULL")
                .bind(id.as_str())
                .bind(now)
                .execute(connection)
                .await?
                .rows_affected()
        });
        if done == 0 {
            // Another server was here first.
            return Ok(());
        }
        self.audit(&Actor::Client(client.to_owned()), "invitations.done", None, json!({"list": id})).await
    }

    async fn why_not_handed_over(&mut self, id: &InvitationListId, client: &str) -> Result<Refusal> {
        let row: Option<(Option<i64>,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT done_at FROM invitation_list WHERE id = $1 AND client = $2")
                .bind(id.as_str())
                .bind(client)
                .fetch_optional(connection)
                .await?
        });
        Ok(match row {
            None => Refusal::ListUnknown,
            Some((None,)) => Refusal::ListUnfinished,
            Some((Some(_),)) => Refusal::CodesHandedOver,
        })
    }
}
