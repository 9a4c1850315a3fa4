//! One transfer: how it stands, what it will change, who approves, and what became of it.

use super::transfers::{parties, read_minute};
use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::service::{ConsoleService, refusal};
use crate::transfer_report::{headline, report_text};
use crate::transfer_text::{dry_run_text, problem_text};
use crate::transfers::TransferEnding;
use crate::words;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::transfer::{
    DeviceDecision, PersonDecision, TransferChange, TransferPlan, TransferSide, TransferState,
};
use tegata_core::{Act, Language, Refusal, TenantId, Thumbprint, TransferId};
use tegata_storage::{GivenApproval, Transfer, TransferResult, TransferSiteState};
use tegata_web::japan_date::moment;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "transfer.html")]
struct TransferPage {
    frame: Frame,
    transfer: TransferFacts,
    approvals: Vec<ApprovalLine>,
    /// How far it is, once it has begun.
    progress: Option<ProgressView>,
    may: TransferRights,
}

#[derive(Template)]
#[template(path = "transfer-dry-run.html")]
struct DryRunPage {
    frame: Frame,
    transfer: TransferFacts,
    problems: Vec<String>,
    text: String,
    may: TransferRights,
}

#[derive(Template)]
#[template(path = "transfer-report.html")]
struct ReportPage {
    frame: Frame,
    transfer: TransferFacts,
    text: String,
    printed: String,
}

/// A transfer as people read it.
struct TransferFacts {
    id: String,
    parties: String,
    at: String,
    latest: String,
    state: &'static str,
    headline: &'static str,
    held: Option<&'static str>,
    note: String,
    is_open: bool,
    is_over: bool,
    /// The hash of the plan.
    plan: String,
    counts: Option<PlanCounts>,
}

/// How many are decided about.
struct PlanCounts {
    sites: usize,
    devices_move: usize,
    devices_stay: usize,
    people_move: usize,
    people_stay: usize,
    renewal_hours: u32,
}

struct ApprovalLine {
    side: &'static str,
    given: Option<String>,
}

struct ProgressView {
    sites: usize,
    of: usize,
    devices: usize,
    people: usize,
}

/// What the reader may do with it.
#[allow(clippy::struct_excessive_bools, reason = "each is one button")]
struct TransferRights {
    plan: bool,
    decide: bool,
    /// Whether the reader would, had they not planned it.
    is_planner: bool,
    reverse: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferApprovalForm {
    #[serde(default)]
    form_token: String,
    /// The plan that was looked at.
    #[serde(default)]
    plan: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndingForm {
    #[serde(default)]
    form_token: String,
    /// The plan that was looked at.
    #[serde(default)]
    plan: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReverseForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    at: String,
}

sealed_forms! { TransferApprovalForm, EndingForm, ReverseForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(transfer): Path<String>,
) -> WebResult<Response> {
    service.transfer_page(&by, &named(&transfer)?, language, None).await
}

pub(crate) async fn dry_run(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(transfer): Path<String>,
) -> WebResult<Response> {
    service.dry_run_page(&by, &named(&transfer)?, language, None).await
}

pub(crate) async fn report(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(transfer): Path<String>,
) -> WebResult<Response> {
    let (transfer, result) = service.transfer_result(&by, &named(&transfer)?).await?;
    let body = ReportPage {
        frame: Frame::of(&by, "", language),
        text: report_text(&transfer, &result, language),
        transfer: TransferFacts::of(&by, &transfer, language),
        printed: moment(by.at, language),
    };
    let title = language.pick("事業譲渡の報告", "Report of the transfer");
    Ok(service.page(language, title, &body).into_response())
}

pub(crate) async fn approve(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(transfer): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<TransferApprovalForm>,
) -> WebResult<Response> {
    let id = named(&transfer)?;
    let plan = Thumbprint::parse(&form.plan).ok_or(Refusal::RequestMalformed)?;
    match service.approve_transfer(&by, (&id, &plan)).await {
        Ok(_) => Ok(onward(&format!("/console/transfers/{id}"), language)),
        Err(why @ Refusal::TransferChangedMeanwhile) => {
            service.dry_run_page(&by, &id, language, Some(why)).await
        }
        Err(why @ (Refusal::OwnRequest | Refusal::TransferStateOtherwise)) => {
            service.transfer_page(&by, &id, language, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

pub(crate) async fn decline(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(transfer): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<EndingForm>,
) -> WebResult<Response> {
    service.ending(&by, &named(&transfer)?, (TransferEnding::Decline, &form), language).await
}

pub(crate) async fn abort(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(transfer): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<EndingForm>,
) -> WebResult<Response> {
    service.ending(&by, &named(&transfer)?, (TransferEnding::Abort, &form), language).await
}

pub(crate) async fn reverse(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(transfer): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<ReverseForm>,
) -> WebResult<Response> {
    let id = named(&transfer)?;
    let planned = match read_minute(&form.at) {
        Some(at) => service.reverse_transfer(&by, &id, at).await,
        None => Err(Refusal::TransferPlanUnfit),
    };
    match planned {
        Ok(back) => Ok(onward(&format!("/console/transfers/{back}"), language)),
        Err(why @ (Refusal::TransferPlanUnfit | Refusal::TransferStateOtherwise)) => {
            service.transfer_page(&by, &id, language, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

/// What an address names. Nothing is said of it before it is known who asks.
pub(super) fn named(text: &str) -> Result<TransferId, Refusal> {
    TransferId::parse(text).ok_or(Refusal::TransferUnknown)
}

impl ConsoleService {
    async fn ending(
        &self,
        by: &Acting,
        id: &TransferId,
        (ending, form): (TransferEnding, &EndingForm),
        language: Language,
    ) -> WebResult<Response> {
        let seen = Thumbprint::parse(&form.plan).ok_or(Refusal::RequestMalformed)?;
        match self.end_transfer(by, (id, &seen), (ending, form.reason.trim())).await {
            Ok(()) => Ok(onward(&format!("/console/transfers/{id}"), language)),
            Err(why @ (Refusal::TransferStateOtherwise | Refusal::TransferChangedMeanwhile)) => {
                self.transfer_page(by, id, language, Some(why)).await
            }
            Err(why) => Err(why.into()),
        }
    }

    async fn transfer_page(
        &self,
        by: &Acting,
        id: &TransferId,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let (transfer, rows) = self.transfer_seen(by, id).await?;
        let given = rows.transfer_approvals(id).await.map_err(refusal)?;
        let has_begun = matches!(transfer.state, TransferState::Running | TransferState::Done);
        let progress = if has_begun {
            Some(ProgressView::of(&rows.transfer_result(id).await.map_err(refusal)?))
        } else {
            None
        };
        let body = TransferPage {
            frame: Frame::of(by, "/console/transfers", language).refusing(why_not, None),
            approvals: approvals(&transfer, &given, language),
            may: TransferRights::of(by, &transfer),
            transfer: TransferFacts::of(by, &transfer, language),
            progress,
        };
        Ok(refused(self.page(language, language.pick("事業譲渡", "Transfer of business"), &body), why_not))
    }

    async fn dry_run_page(
        &self,
        by: &Acting,
        id: &TransferId,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let (transfer, seen) = self.transfer_forecast(by, id).await?;
        let body = DryRunPage {
            frame: Frame::of(by, "/console/transfers", language).refusing(why_not, None),
            problems: seen.problems().iter().map(|problem| problem_text(problem, language)).collect(),
            text: dry_run_text(&transfer, &seen, language),
            may: TransferRights::of(by, &transfer),
            transfer: TransferFacts::of(by, &transfer, language),
        };
        let title = language.pick("何が変わるかを確かめる", "What will change");
        Ok(refused(self.page(language, title, &body), why_not))
    }
}

impl TransferFacts {
    fn of(by: &Acting, transfer: &Transfer, language: Language) -> Self {
        // What is decided of others' devices and people is not for the tenant that receives.
        let sees_all = by.judge_tenant(Act::PlanTransfer, &transfer.plan.source).is_ok();
        Self {
            id: transfer.id.to_string(),
            parties: parties(transfer, language),
            at: moment(transfer.plan.at, language),
            latest: moment(transfer.plan.latest, language),
            state: words::transfer_state(transfer.state, language),
            headline: headline(transfer, language),
            held: transfer.held.as_deref().map(|held| words::transfer_hold(held, language)),
            note: if sees_all { transfer.note.clone() } else { String::new() },
            is_open: transfer.state.is_open(),
            is_over: !transfer.state.is_open(),
            plan: transfer.plan.hash().to_string(),
            counts: sees_all.then(|| PlanCounts::of(&transfer.plan)).flatten(),
        }
    }
}

impl PlanCounts {
    fn of(plan: &TransferPlan) -> Option<Self> {
        let TransferChange::Business { sites, devices, people, .. } = &plan.change else { return None };
        let devices_move = devices.values().filter(|one| **one == DeviceDecision::Move).count();
        let people_move = people.values().filter(|one| **one == PersonDecision::Move).count();
        Some(Self {
            sites: sites.len(),
            devices_move,
            devices_stay: devices.len() - devices_move,
            people_move,
            people_stay: people.len() - people_move,
            renewal_hours: plan.renewal_hours,
        })
    }
}

impl TransferRights {
    fn of(by: &Acting, transfer: &Transfer) -> Self {
        let holder = by.who.person().map(|person| &person.holder);
        let is_planner = holder.is_ok_and(|holder| transfer.is_planned_by(&holder.person));
        let side = |is_planner| transfer.plan.side_for(holder?, is_planner, by.because());
        let plans = |tenant: &TenantId| by.judge_tenant(Act::PlanTransfer, tenant).is_ok();
        let is_done = transfer.state == TransferState::Done;
        Self {
            plan: transfer.state.is_open() && plans(&transfer.plan.source),
            decide: transfer.state.is_open() && side(is_planner).is_ok(),
            is_planner: is_planner && side(false).is_ok(),
            reverse: is_done && transfer.plan.target().is_some_and(plans),
        }
    }
}

impl ProgressView {
    fn of(result: &TransferResult) -> Self {
        Self {
            sites: result.sites.iter().filter(|site| site.state == TransferSiteState::Done).count(),
            of: result.sites.len(),
            devices: result.devices.len(),
            people: result.people.len(),
        }
    }
}

fn approvals(transfer: &Transfer, given: &[GivenApproval], language: Language) -> Vec<ApprovalLine> {
    let hash = transfer.plan.hash();
    let of =
        |side: TransferSide| given.iter().find(|one| one.approval.side == side && one.approval.plan == hash);
    let line = |side: &TransferSide| ApprovalLine {
        side: words::transfer_side(*side, language),
        given: of(*side).map(|one| moment(one.at, language)),
    };
    transfer.plan.sides().iter().map(line).collect()
}
