//! Reading lists back.

use super::{InvitationLine, InvitationList, LineOutcome, LineRefusal};
use crate::engine::on_read;
use crate::{InvitationState, Ledger, LedgerError, Result};
use tegata_core::{DeviceId, InvitationId, InvitationListId, Refusal, SiteId};

impl Ledger {
    /// A list of this client.
    pub async fn invitation_list(
        &self,
        client: &str,
        id: &InvitationListId,
    ) -> Result<Option<InvitationList>> {
        let row: Option<(i64, Option<i64>, Option<i64>)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT created_at, done_at, handed_over_at FROM invitation_list WHERE id = $1 AND client = $2",
            )
            .bind(id.as_str())
            .bind(client)
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(|(created_at, done_at, handed_over_at)| InvitationList {
            id: id.clone(),
            created_at: created_at.into(),
            done_at: done_at.map(Into::into),
            handed_over_at: handed_over_at.map(Into::into),
        }))
    }

    /// The lines of a list of this client, in order.
    pub async fn invitation_lines(&self, client: &str, id: &InvitationListId) -> Result<Vec<InvitationLine>> {
        let rows: Vec<LineRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT l.number, l.site, s.name AS site_name, l.label, l.state, l.refusal, l.hidden, l.invitation, \
                 i.state AS invitation_state, i.device, i.expires_at FROM invitation_list j \
                 JOIN invitation_line l ON l.list = j.id \
                 LEFT JOIN site s ON s.id = l.site LEFT JOIN invitation i ON i.id = l.invitation \
                 WHERE j.id = $1 AND j.client = $2 ORDER BY l.number",
            )
            .bind(id.as_str())
            .bind(client)
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Lists with lines that wait, the oldest first, with who sent them.
    pub async fn unfinished_lists(&self) -> Result<Vec<(InvitationListId, String)>> {
        let rows: Vec<(String, String)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, client FROM invitation_list WHERE done_at IS NULL ORDER BY created_at, id",
            )
            .fetch_all(connection)
            .await?
        });
        let read = |(id, client): (String, String)| {
            let id = InvitationListId::parse(&id).ok_or(LedgerError::Unreadable("invitation_list.id"))?;
            Ok((id, client))
        };
        rows.into_iter().map(read).collect()
    }
}

#[derive(sqlx::FromRow)]
struct LineRow {
    number: i64,
    site: Option<String>,
    site_name: Option<String>,
    label: Option<String>,
    state: String,
    refusal: Option<String>,
    hidden: Option<i64>,
    invitation: Option<String>,
    invitation_state: Option<String>,
    device: Option<String>,
    expires_at: Option<i64>,
}

impl TryFrom<LineRow> for InvitationLine {
    type Error = LedgerError;

    fn try_from(row: LineRow) -> Result<Self> {
        let outcome = row.outcome()?;
        Ok(Self {
            number: u32::try_from(row.number)
                .map_err(|_| LedgerError::Unreadable("invitation_line.number"))?,
            site: row.site.as_deref().and_then(SiteId::parse),
            site_name: row.site_name,
            label: row.label,
            outcome,
        })
    }
}

impl LineRow {
    fn outcome(&self) -> Result<LineOutcome> {
        let invitation = self.invitation.as_deref().and_then(InvitationId::parse);
        match (self.state.as_str(), invitation, self.invitation_state.as_deref(), self.expires_at) {
            ("waiting", ..) => Ok(LineOutcome::Waiting),
            ("refused", ..) => {
                let refusal = self.refusal.as_deref().and_then(Refusal::from_code);
                let hidden = self.hidden.and_then(|hidden| char::from_u32(u32::try_from(hidden).ok()?));
                let refused = refusal.map(|refusal| LineOutcome::Refused(LineRefusal { refusal, hidden }));
                refused.ok_or(LedgerError::Unreadable("invitation_line.refusal"))
            }
            ("invited", Some(invitation), Some(state), Some(expires_at)) => Ok(LineOutcome::Invited {
                invitation,
                state: InvitationState::parse(state)?,
                device: self.device.as_deref().and_then(DeviceId::parse),
                expires_at: expires_at.into(),
            }),
            _ => Err(LedgerError::Unreadable("invitation_line.state")),
        }
    }
}
