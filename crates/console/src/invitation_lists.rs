//! Many invitations at once: a list is looked through first, and every line of it is invited by or none. From then on it is a batch,
//! of which everybody who may invite there sees how far it is.

use crate::acting::Acting;
use crate::inviting::{InvitationTerms, MadeInvitation};
use crate::service::{ConsoleService, refusal};
use std::collections::HashMap;
use tegata_core::{Act, InvitationBatchId, Name, Refusal, Role, SiteId, TenantId};
use tegata_storage::{InvitationBatch, LedgerError, SentInvitation, Site};
use tegata_web::{InvitableLine, JudgedLine, RefusedLine, lines_of_csv};

/// Lines of one list at most.
const MOST_LINES: usize = 1000;

/// A list, as somebody has written it.
pub(crate) struct InvitationList<'a> {
    pub(crate) tenant: Option<TenantId>,
    /// Its identifier: the same one makes no second batch.
    pub(crate) batch: InvitationBatchId,
    /// What it is called.
    pub(crate) name: &'a str,
    pub(crate) lines: ListLines<'a>,
    pub(crate) terms: InvitationTerms,
}

/// The lines of a list: cells that were copied from a spreadsheet, or a CSV; or what a program has judged.
pub(crate) enum ListLines<'a> {
    Table(&'a str),
    Array(Vec<serde_json::Value>),
}

/// A line that was looked through.
pub(crate) struct CheckedLine {
    pub(crate) number: u32,
    /// For which site and device, or why not.
    pub(crate) outcome: Result<(Site, String), RefusedLine>,
}

/// A list that was looked through.
pub(crate) struct CheckedList {
    pub(crate) lines: Vec<CheckedLine>,
}

impl CheckedList {
    pub(crate) fn wrong(&self) -> usize {
        self.lines.iter().filter(|line| line.outcome.is_err()).count()
    }
}

impl ConsoleService {
    /// Looks a list through, and writes nothing.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::ListSize`], [`Refusal::ListUnreadable`], [`Refusal::LabelUnfit`] for the list's name.
    pub(crate) async fn check_list(
        &self,
        by: &Acting,
        list: &InvitationList<'_>,
    ) -> Result<CheckedList, Refusal> {
        list.terms.check()?;
        Name::label(list.name).map_err(|_| Refusal::LabelUnfit)?;
        let sight = self.sight(by, Act::InviteDevice)?;
        let mut sites = self.sites_seen(by, &sight, list.tenant.as_ref()).await?;
        sites.retain(|site| by.may(Act::InviteDevice, (&site.tenant, &site.id)));
        let judged = list.lines.judged(&sites)?;
        if !(1..=MOST_LINES).contains(&judged.len()) {
            return Err(Refusal::ListSize);
        }
        let checked = |line: JudgedLine| match line {
            Ok(InvitableLine { number, role: Role::Gate, .. }) => {
                CheckedLine { number, outcome: Err(gate_line(number)) }
            }
            Ok(InvitableLine { number, site, label, .. }) => {
                CheckedLine { number, outcome: Ok((sites[site].clone(), label)) }
            }
            Err(wrong) => CheckedLine { number: wrong.number, outcome: Err(wrong) },
        };
        Ok(CheckedList { lines: judged.into_iter().map(checked).collect() })
    }

    /// Invites by every line of a list, or by none where one of them is wrong.
    ///
    /// # Errors
    /// Those of [`Self::check_list`]; [`Refusal::IdempotencyKeyReused`] for a list that was sent before.
    pub(crate) async fn invite_list(
        &self,
        by: &Acting,
        list: &InvitationList<'_>,
    ) -> Result<(CheckedList, Vec<MadeInvitation>), Refusal> {
        self.noting(by, None, self.list_invited(by, list).await).await
    }

    async fn list_invited(
        &self,
        by: &Acting,
        list: &InvitationList<'_>,
    ) -> Result<(CheckedList, Vec<MadeInvitation>), Refusal> {
        let checked = self.check_list(by, list).await?;
        let good: Vec<_> = checked.lines.iter().filter_map(|line| line.outcome.as_ref().ok()).collect();
        let Some((first, _)) = good.first().filter(|_| checked.wrong() == 0) else {
            return Ok((checked, Vec::new()));
        };
        let name = Name::label(list.name).map_err(|_| Refusal::LabelUnfit)?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        acting.judge_invitation(&first.tenant, &first.id)?;
        let begun =
            acting.rows.add_invitation_batch(&list.batch, &first.tenant, &name, &acting.by.actor()).await;
        begun.map_err(sent_before)?;
        let mut made = Vec::with_capacity(good.len());
        for (site, label) in good {
            let one = self.write_invitation(&mut acting, (site, label), list.terms).await?;
            acting.rows.put_into_batch(&one.id, &list.batch).await.map_err(refusal)?;
            made.push(one);
        }
        acting.commit().await?;
        let made = self.with_contacts(by, made).await?;
        Ok((checked, made))
    }

    /// Batches that somebody may see something of; of one tenant alone where they reach all of them.
    pub(crate) async fn batches_seen(
        &self,
        by: &Acting,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<(InvitationBatch, Vec<SentInvitation>)>, Refusal> {
        let sight = self.sight(by, Act::InviteDevice)?;
        let tenant = match (tenant, sight.is_everywhere) {
            (Some(tenant), _) => tenant,
            (None, false) => &by.tenant(),
            (None, true) => return Ok(Vec::new()),
        };
        let mut seen = Vec::new();
        for batch in sight.rows.invitation_batches(tenant).await.map_err(refusal)? {
            let sent = sight.rows.invitations_of_batch(&batch.id, by.at).await.map_err(refusal)?;
            seen.extend(seen_by(by, sent).ok().map(|sent| (batch, sent)));
        }
        Ok(seen)
    }

    /// A batch with those of its invitations that somebody may see.
    ///
    /// # Errors
    /// [`Refusal::ListUnknown`] where they see none of it.
    pub(crate) async fn batch_seen(
        &self,
        by: &Acting,
        id: &InvitationBatchId,
    ) -> Result<(InvitationBatch, Vec<SentInvitation>), Refusal> {
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        let batch = rows.invitation_batch(id).await.map_err(refusal)?.ok_or(Refusal::ListUnknown)?;
        let sent = rows.invitations_of_batch(id, by.at).await.map_err(refusal)?;
        Ok((batch, seen_by(by, sent)?))
    }

    /// What there is of a batch. Whether it is theirs to see is asked in the transaction.
    async fn invitations_of(
        &self,
        by: &Acting,
        id: &InvitationBatchId,
    ) -> Result<Vec<SentInvitation>, Refusal> {
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        rows.invitations_of_batch(id, by.at).await.map_err(refusal)
    }

    /// Makes new links for whatever of a batch nobody has used. The former ones are of no use from then on.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::ListUnknown`].
    pub(crate) async fn send_batch_again(
        &self,
        by: &Acting,
        id: &InvitationBatchId,
        terms: InvitationTerms,
    ) -> Result<Vec<MadeInvitation>, Refusal> {
        terms.check()?;
        self.noting(by, None, self.batch_sent_again(by, id, terms).await).await
    }

    async fn batch_sent_again(
        &self,
        by: &Acting,
        id: &InvitationBatchId,
        terms: InvitationTerms,
    ) -> Result<Vec<MadeInvitation>, Refusal> {
        let sent = self.invitations_of(by, id).await?;
        let sites: HashMap<SiteId, Site> = {
            let all = self.sight(by, Act::InviteDevice)?.rows.all_sites().await.map_err(refusal)?;
            all.into_iter().map(|site| (site.id.clone(), site)).collect()
        };
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let sent = seen_by(&acting.by, sent)?;
        let mut made = Vec::new();
        for one in sent.iter().filter(|one| one.progress.may_be_sent_again()) {
            let Some(site) = sites.get(&one.site) else { continue };
            made.push(self.replace_invitation(&mut acting, (one, site), terms).await?);
        }
        acting.commit().await?;
        self.with_contacts(by, made).await
    }

    /// Takes back whatever of a batch nobody has used. Gives how many.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::ListUnknown`].
    pub(crate) async fn withdraw_batch(&self, by: &Acting, id: &InvitationBatchId) -> Result<u32, Refusal> {
        self.noting(by, None, self.batch_withdrawn(by, id).await).await
    }

    async fn batch_withdrawn(&self, by: &Acting, id: &InvitationBatchId) -> Result<u32, Refusal> {
        let sent = self.invitations_of(by, id).await?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let sent = seen_by(&acting.by, sent)?;
        let mut withdrawn = 0;
        for one in sent.iter().filter(|one| one.progress.may_be_withdrawn()) {
            acting.judge_invitation(&one.tenant, &one.site)?;
            match acting.rows.withdraw_invitation(&one.id, &acting.by.actor()).await {
                Ok(()) => withdrawn += 1,
                // Somebody has used it meanwhile, which is no reason to leave the others.
                Err(LedgerError::Guard(_)) => {}
                Err(error) => return Err(refusal(error)),
            }
        }
        acting.commit().await?;
        Ok(withdrawn)
    }
}

impl ListLines<'_> {
    /// Each line with the site that it names.
    ///
    /// # Errors
    /// [`Refusal::ListUnreadable`].
    fn judged(&self, sites: &[Site]) -> Result<Vec<JudgedLine>, Refusal> {
        match self {
            Self::Array(lines) => Ok(tegata_web::lines_of_json(lines.clone(), sites)),
            Self::Table(text) => {
                let (text, above) = with_columns(text);
                let lines = lines_of_csv(text.as_bytes(), Some("utf-8"), sites);
                let renumbered = |line: JudgedLine| match line {
                    Ok(line) => Ok(InvitableLine { number: line.number - above, ..line }),
                    Err(line) => Err(RefusedLine { number: line.number.saturating_sub(above), ..line }),
                };
                Ok(lines.map_err(|_| Refusal::ListUnreadable)?.into_iter().map(renumbered).collect())
            }
        }
    }
}

/// The table with the names of its columns: whoever copies cells from a spreadsheet has copied them or not, in either language.
/// Gives how many lines were put above.
fn with_columns(text: &str) -> (String, u32) {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let separator = if first.contains('\t') { '\t' } else { ',' };
    let columns: Vec<_> = first.split(separator).map(str::trim).collect();
    match columns[..] {
        ["site", "label", ..] | ["label", "site", ..] => (text.to_owned(), 0),
        ["店舗", _] => {
            let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
            (format!("site{separator}label\n{rest}"), 0)
        }
        _ => (format!("site{separator}label\n{text}"), 1),
    }
}

fn gate_line(number: u32) -> RefusedLine {
    let detail = "a gate is invited by command: tegata invite --gate".to_owned();
    RefusedLine { number, refusal: Refusal::LineMalformed, hidden: None, detail }
}

/// Those invitations that somebody may see.
///
/// # Errors
/// [`Refusal::ListUnknown`] where there are none.
fn seen_by(by: &Acting, mut sent: Vec<SentInvitation>) -> Result<Vec<SentInvitation>, Refusal> {
    sent.retain(|one| by.may(Act::InviteDevice, (&one.tenant, &one.site)));
    if sent.is_empty() { Err(Refusal::ListUnknown) } else { Ok(sent) }
}

fn sent_before(error: LedgerError) -> Refusal {
    match error {
        LedgerError::Guard(_) => Refusal::IdempotencyKeyReused,
        error => refusal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn cells_are_read_with_the_names_of_their_columns_or_without() {
        let entropy = Seeded::new(1);
        let tenant = TenantId::random(&entropy);
        let site =
            |name: &str| Site { id: SiteId::random(&entropy), tenant: tenant.clone(), name: name.into() };
        let sites = [site("本店"), site("駅前店")];
        let read = |text: &str| {
            let lines = ListLines::Table(text).judged(&sites).unwrap();
            lines
                .into_iter()
                .map(|line| line.map(|line| (line.number, line.site, line.label)).map_err(|line| line.number))
                .collect::<Vec<_>>()
        };
        let plain = |number, site, label: &str| Ok((number, site, label.to_owned()));
        assert_eq!(read("本店\t受付PC\r\n駅前店\tレジ\r\n"), [plain(1, 0, "受付PC"), plain(2, 1, "レジ")]);
        assert_eq!(read("店舗\t端末\n駅前店\tレジ\n"), [plain(2, 1, "レジ")]);
        assert_eq!(read("label,site\nレジ,駅前店\n北,無い店\n"), [plain(2, 1, "レジ"), Err(3)]);
        assert_eq!(read("本店,受付PC\n無い店,レジ\n本店,1,2\n"), [plain(1, 0, "受付PC"), Err(2), Err(3)]);
        assert!(read("").is_empty());
    }
}
