//! A list of invitations: pasted, looked through, sent; and how far each of them is.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::invitation_lists::{CheckedLine, CheckedList, InvitationList, ListLines};
use crate::inviting::{DAYS, MOST_DAYS};
use crate::pages::invitations::{InvitationView, PlaceQuery, SentForm, terms};
use crate::service::ConsoleService;
use crate::words;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Act, InvitationBatchId, Language, Refusal, TenantId};
use tegata_storage::{InvitationBatch, InvitationProgress, SentInvitation};
use tegata_web::japan_date::{day, moment};
use tegata_web::{ReaderLanguage, RefusedLine, WebResult};

#[derive(Template)]
#[template(path = "invitation-list.html")]
struct ListPage {
    frame: Frame,
    typed: TypedList,
    /// What was found when it was looked through.
    checked: Option<CheckedView>,
    most_days: u32,
}

#[derive(Template)]
#[template(path = "invitation-batch.html")]
struct BatchPage {
    frame: Frame,
    batch: BatchView,
    sent: Vec<InvitationView>,
    may_be_sent_again: bool,
    may_be_withdrawn: bool,
}

/// A list as it was typed.
struct TypedList {
    tenant: Option<TenantId>,
    batch: InvitationBatchId,
    name: String,
    list: String,
    days: u32,
}

struct CheckedView {
    lines: Vec<LineView>,
    good: usize,
    wrong: usize,
}

struct LineView {
    number: u32,
    site: String,
    label: String,
    /// Why nobody is invited by it.
    problem: Option<String>,
}

/// A batch as people read it.
pub(crate) struct BatchView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) made: String,
    pub(crate) count: usize,
    /// How many are how far, without those that there are none of.
    pub(crate) progress: Vec<(&'static str, usize)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListForm {
    #[serde(default)]
    form_token: String,
    tenant: Option<TenantId>,
    batch: Option<InvitationBatchId>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    list: String,
    days: Option<u32>,
    /// Said by whoever has seen what was found.
    send: Option<String>,
}

sealed_forms! { ListForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(PlaceQuery { tenant, .. }): Query<PlaceQuery>,
) -> WebResult<Response> {
    by.reach(Act::InviteDevice)?;
    let typed = TypedList {
        tenant: tenant.as_deref().and_then(TenantId::parse),
        batch: service.new_batch(),
        name: format!("{} {}", day(by.at, language), language.pick("の招待", "invitations")),
        list: String::new(),
        days: DAYS,
    };
    Ok(service.list_page(&by, language, typed, Ok(None)))
}

/// Looks the list through, and sends it where that was said.
pub(crate) async fn send(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<ListForm>,
) -> WebResult<Response> {
    by.reach(Act::InviteDevice)?;
    let ListForm { tenant, batch, name, list, days, send, .. } = form;
    let terms = terms(days, false);
    let batch = batch.unwrap_or_else(|| service.new_batch());
    let typed = TypedList { tenant, batch, name, list, days: terms.days };
    let asked = InvitationList {
        tenant: typed.tenant.clone(),
        batch: typed.batch.clone(),
        name: &typed.name,
        lines: ListLines::Table(&typed.list),
        terms,
    };
    let checked = if send.is_some() {
        let back = format!("/console/invitation-lists/{}", typed.batch);
        match service.invite_list(&by, &asked).await {
            Ok((_, made)) if !made.is_empty() => return service.invited_page(&by, &made, &back, language),
            Ok((checked, _)) => Ok(checked),
            // It was sent before: whoever pressed twice sees what came of it.
            Err(Refusal::IdempotencyKeyReused) => return Ok(onward(&back, language)),
            Err(why) => Err(why),
        }
    } else {
        service.check_list(&by, &asked).await
    };
    let is_shown = |why: &Refusal| {
        matches!(
            why,
            Refusal::ListSize | Refusal::ListUnreadable | Refusal::LabelUnfit | Refusal::LineSiteUnknown
        )
    };
    match checked {
        Ok(checked) => Ok(service.list_page(&by, language, typed, Ok(Some(checked)))),
        Err(why) if is_shown(&why) => Ok(service.list_page(&by, language, typed, Err(why))),
        Err(why) => Err(why.into()),
    }
}

pub(crate) async fn progress(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(batch): Path<String>,
) -> WebResult<Response> {
    service.batch_page(&by, &named(&batch)?, language, None).await
}

pub(crate) async fn send_again(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(batch): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<SentForm>,
) -> WebResult<Response> {
    let batch = named(&batch)?;
    let back = format!("/console/invitation-lists/{batch}");
    match service.send_batch_again(&by, &batch, form.terms()).await {
        Ok(made) if made.is_empty() => Ok(onward(&back, language)),
        Ok(made) => service.invited_page(&by, &made, &back, language),
        Err(why @ (Refusal::InvitationUsed | Refusal::LineSiteUnknown)) => {
            service.batch_page(&by, &batch, language, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

pub(crate) async fn withdraw(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(batch): Path<String>,
    JustifiedForm { by, .. }: JustifiedForm<SentForm>,
) -> WebResult<Response> {
    let batch = named(&batch)?;
    service.withdraw_batch(&by, &batch).await?;
    Ok(onward(&format!("/console/invitation-lists/{batch}"), language))
}

/// What an address names. Nothing is said of it before it is known who asks.
fn named(text: &str) -> Result<InvitationBatchId, Refusal> {
    InvitationBatchId::parse(text).ok_or(Refusal::ListUnknown)
}

impl ConsoleService {
    pub(crate) fn new_batch(&self) -> InvitationBatchId {
        InvitationBatchId::random(self.context.entropy.as_ref())
    }

    fn list_page(
        &self,
        by: &Acting,
        language: Language,
        typed: TypedList,
        checked: Result<Option<CheckedList>, Refusal>,
    ) -> Response {
        let why_not = checked.as_ref().err().copied();
        let checked = checked.ok().flatten().map(|checked| CheckedView::of(&checked, language));
        let frame = Frame::of(by, "/console/invitations", language).refusing(why_not, None);
        let title = language.pick("まとめて招待する", "Invite many devices");
        refused(
            self.page(language, title, &ListPage { frame, typed, checked, most_days: MOST_DAYS }),
            why_not,
        )
    }

    async fn batch_page(
        &self,
        by: &Acting,
        id: &InvitationBatchId,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let (batch, sent) = self.batch_seen(by, id).await?;
        let body = BatchPage {
            frame: Frame::of(by, "/console/invitations", language).refusing(why_not, None),
            batch: BatchView::of(&batch, &sent, language),
            may_be_sent_again: sent.iter().any(|one| one.progress.may_be_sent_again()),
            may_be_withdrawn: sent.iter().any(|one| one.progress.may_be_withdrawn()),
            sent: sent.iter().map(|one| InvitationView::of(one, language)).collect(),
        };
        Ok(match why_not {
            None => self.page(language, &body.batch.name, &body).into_response(),
            Some(_) => refused(self.page(language, &body.batch.name, &body), why_not),
        })
    }
}

impl BatchView {
    pub(crate) fn of(batch: &InvitationBatch, sent: &[SentInvitation], language: Language) -> Self {
        let of = |progress: &InvitationProgress| {
            let count = sent.iter().filter(|one| one.progress == *progress).count();
            (count > 0).then(|| (words::progress(*progress, language), count))
        };
        Self {
            id: batch.id.to_string(),
            name: batch.name.clone(),
            made: moment(batch.created_at, language),
            count: sent.len(),
            progress: InvitationProgress::ALL.iter().filter_map(of).collect(),
        }
    }
}

impl CheckedView {
    fn of(checked: &CheckedList, language: Language) -> Self {
        let wrong = checked.wrong();
        let lines = checked.lines.iter().map(|line| LineView::of(line, language)).collect();
        Self { lines, good: checked.lines.len() - wrong, wrong }
    }
}

impl LineView {
    fn of(line: &CheckedLine, language: Language) -> Self {
        let number = line.number;
        match &line.outcome {
            Ok((site, label)) => {
                Self { number, site: site.name.clone(), label: label.clone(), problem: None }
            }
            Err(RefusedLine { refusal, detail, .. }) => {
                let told = match language {
                    Language::Ja => format!("{} {}", refusal.title(language), refusal.advice(language)),
                    Language::En => format!("{}: {detail}", refusal.title(language)),
                };
                Self { number, site: String::new(), label: String::new(), problem: Some(told) }
            }
        }
    }
}
