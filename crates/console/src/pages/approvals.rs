//! Devices that wait for somebody's approval: what they say of themselves, and the decision.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::deciding::Decision;
use crate::frame::{Frame, onward, refused};
use crate::history::{ActorText, HistoryReader};
use crate::service::{ConsoleService, refusal};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use tegata_core::{Act, ApprovalId, Language, Refusal};
use tegata_storage::{Approval, ScopedLedger};
use tegata_web::japan_date::moment;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    frame: Frame,
    waiting: Vec<WaitingView>,
}

/// A device that waits, as people read it.
struct WaitingView {
    id: String,
    number: String,
    label: String,
    place: String,
    platform: &'static str,
    address: Option<String>,
    asked: String,
    until: String,
    invited_by: Option<ActorText>,
    /// Whether the reader may decide: whoever invited it may not.
    may_decide: bool,
    is_own: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    reason: String,
}

sealed_forms! { DecisionForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
) -> WebResult<Response> {
    service.approvals_page(&by, language, None).await
}

pub(crate) async fn approve(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(approval): Path<String>,
    JustifiedForm { by, .. }: JustifiedForm<DecisionForm>,
) -> WebResult<Response> {
    let decided = service.decide(&by, &named(&approval)?, Decision::Approve).await;
    service.after_decision(&by, decided, language).await
}

pub(crate) async fn decline(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(approval): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<DecisionForm>,
) -> WebResult<Response> {
    let decided =
        service.decide(&by, &named(&approval)?, Decision::Decline { reason: form.reason.trim() }).await;
    service.after_decision(&by, decided, language).await
}

/// What an address names. Nothing is said of it before it is known who asks.
fn named(text: &str) -> Result<ApprovalId, Refusal> {
    ApprovalId::parse(text).ok_or(Refusal::ApprovalUnknown)
}

impl ConsoleService {
    async fn after_decision(
        &self,
        by: &Acting,
        decided: Result<Approval, Refusal>,
        language: Language,
    ) -> WebResult<Response> {
        match decided {
            Ok(_) => Ok(onward("/console/approvals", language)),
            Err(
                why @ (Refusal::ApprovalUnknown
                | Refusal::ApprovalOver
                | Refusal::OwnRequest
                | Refusal::RoleMayNot),
            ) if by.may_ever(Act::DecideApproval) => self.approvals_page(by, language, Some(why)).await,
            Err(why) => Err(why.into()),
        }
    }

    /// Those who wait and whom somebody may see, the longest first.
    pub(crate) async fn waiting_seen(&self, by: &Acting) -> Result<(Vec<Approval>, ScopedLedger), Refusal> {
        let rows = self.sight(by, Act::DecideApproval)?.rows;
        let mut waiting = rows.waiting(by.at).await.map_err(refusal)?;
        waiting.retain(|one| by.sees((&one.tenant, &one.site)));
        Ok((waiting, rows))
    }

    async fn approvals_page(
        &self,
        by: &Acting,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let (known, rows) = self.waiting_seen(by).await?;
        let mut waiting = Vec::with_capacity(known.len());
        let mut reader = HistoryReader::new(by, &rows, language);
        for one in &known {
            waiting.push(view(by, one, &mut reader, language).await?);
        }
        let frame = Frame::of(by, "/console/approvals", language).refusing(why_not, None);
        let title = language.pick("承認待ちの端末", "Devices that wait for approval");
        Ok(refused(self.page(language, title, &ApprovalsPage { frame, waiting }), why_not))
    }
}

async fn view(
    by: &Acting,
    one: &Approval,
    reader: &mut HistoryReader<'_>,
    language: Language,
) -> Result<WaitingView, Refusal> {
    let at = (&one.tenant, &one.site);
    Ok(WaitingView {
        id: one.id.to_string(),
        number: one.id.as_str().chars().take(8).collect::<String>().to_uppercase(),
        label: one.label.clone(),
        place: format!("{}　{}", one.tenant_name, one.site_name),
        platform: one.platform.name(language),
        address: one.address.clone(),
        asked: moment(one.asked_at, language),
        until: moment(one.expires_at, language),
        invited_by: match &one.invited_by {
            Some(person) => Some(reader.person(person).await?),
            None => None,
        },
        may_decide: by.judge(Act::DecideApproval, at, one.invited_by.as_ref()).is_ok(),
        is_own: by.who.is(one.invited_by.as_ref()),
    })
}
