//! Invitations that wait, and a new one. Its link is shown once, with a sheet to print.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, in_language, onward, refused};
use crate::inviting::{DAYS, InvitationTerms, MOST_DAYS, MadeInvitation};
use crate::pages::invitation_lists::BatchView;
use crate::service::ConsoleService;
use crate::words;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Act, InvitationId, Language, Refusal, Role, SiteId, TenantId};
use tegata_storage::{InvitationProgress, SentInvitation, Site};
use tegata_web::japan_date::moment;
use tegata_web::{ReaderLanguage, SheetPage, WebResult};

#[derive(Template)]
#[template(path = "invitations.html")]
struct InvitationsPage {
    frame: Frame,
    sites: Vec<SiteView>,
    unused: Vec<InvitationView>,
    batches: Vec<BatchView>,
    typed: TypedInvitation,
    to_list: String,
    to_kitting: String,
}

#[derive(Template)]
#[template(path = "invited.html")]
struct InvitedPage<'a> {
    frame: Frame,
    made: &'a [MadeInvitation],
    pages: Vec<SheetPage<'a>>,
    back: String,
}

/// A site to choose from.
pub(crate) struct SiteView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_chosen: bool,
}

/// An invitation as people read it.
#[allow(clippy::struct_excessive_bools, reason = "each is one button or one mark")]
pub(crate) struct InvitationView {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) site: String,
    pub(crate) until: String,
    pub(crate) progress: &'static str,
    pub(crate) is_gate: bool,
    pub(crate) is_enrolled: bool,
    pub(crate) may_be_sent_again: bool,
    pub(crate) may_be_withdrawn: bool,
    /// The device that it became.
    pub(crate) device: Option<String>,
}

/// For which place an invitation is to be.
#[derive(Deserialize)]
pub(crate) struct PlaceQuery {
    pub(crate) tenant: Option<String>,
    pub(crate) site: Option<String>,
}

/// What was typed, kept where it could not be taken.
#[derive(Default)]
struct TypedInvitation {
    tenant: Option<TenantId>,
    site: Option<SiteId>,
    label: String,
    days: u32,
    has_code: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationForm {
    #[serde(default)]
    form_token: String,
    tenant: Option<TenantId>,
    site: Option<SiteId>,
    #[serde(default)]
    label: String,
    days: Option<u32>,
    /// Ticked where a short code is wanted, too.
    code: Option<String>,
}

/// What is done to an invitation that is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SentForm {
    #[serde(default)]
    form_token: String,
    days: Option<u32>,
    code: Option<String>,
}

sealed_forms! { InvitationForm, SentForm }

impl SentForm {
    pub(crate) fn terms(&self) -> InvitationTerms {
        terms(self.days, self.code.is_some())
    }
}

/// A number beyond what may be asked for is the nearest one that may.
pub(crate) fn terms(days: Option<u32>, has_code: bool) -> InvitationTerms {
    InvitationTerms { days: days.unwrap_or(DAYS).clamp(1, MOST_DAYS), has_code }
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(PlaceQuery { tenant, site }): Query<PlaceQuery>,
) -> WebResult<Response> {
    let typed = TypedInvitation {
        tenant: tenant.as_deref().and_then(TenantId::parse),
        site: site.as_deref().and_then(SiteId::parse),
        days: DAYS,
        ..TypedInvitation::default()
    };
    service.invitations_page(&by, language, typed, None).await
}

pub(crate) async fn invite(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<InvitationForm>,
) -> WebResult<Response> {
    let terms = terms(form.days, form.code.is_some());
    let made = match &form.site {
        Some(site) => service.invite(&by, (site, &form.label), terms).await,
        None => Err(Refusal::LineSiteUnknown),
    };
    let InvitationForm { tenant, site, label, .. } = form;
    let typed = TypedInvitation { tenant, site, label, days: terms.days, has_code: terms.has_code };
    match made {
        Ok(made) => service.invited_page(&by, &[made], "/console/invitations", language),
        Err(why) => service.invitations_refused(&by, language, typed, why).await,
    }
}

pub(crate) async fn send_again(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(invitation): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<SentForm>,
) -> WebResult<Response> {
    match service.send_again(&by, &named(&invitation)?, form.terms()).await {
        Ok(made) => service.invited_page(&by, &[made], "/console/invitations", language),
        Err(why) => {
            let typed = TypedInvitation { days: DAYS, ..TypedInvitation::default() };
            service.invitations_refused(&by, language, typed, why).await
        }
    }
}

pub(crate) async fn withdraw(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(invitation): Path<String>,
    JustifiedForm { by, .. }: JustifiedForm<SentForm>,
) -> WebResult<Response> {
    service.withdraw(&by, &named(&invitation)?).await?;
    Ok(onward("/console/invitations", language))
}

/// What an address names. Nothing is said of it before it is known who asks.
fn named(text: &str) -> Result<InvitationId, Refusal> {
    InvitationId::parse(text).ok_or(Refusal::InvitationUnknown)
}

impl ConsoleService {
    /// Shows the page again with why nothing was done, where whoever asks may see it.
    async fn invitations_refused(
        &self,
        by: &Acting,
        language: Language,
        typed: TypedInvitation,
        why: Refusal,
    ) -> WebResult<Response> {
        use Refusal::{InvitationAwaitsApproval, InvitationUsed, LabelUnfit, LineSiteUnknown, RoleMayNot};
        let is_shown = matches!(
            why,
            LineSiteUnknown | LabelUnfit | RoleMayNot | InvitationUsed | InvitationAwaitsApproval
        );
        if is_shown && by.may_ever(Act::InviteDevice) {
            return self.invitations_page(by, language, typed, Some(why)).await;
        }
        Err(why.into())
    }

    async fn invitations_page(
        &self,
        by: &Acting,
        language: Language,
        typed: TypedInvitation,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let tenant = typed.tenant.as_ref();
        let unused = self.unused_invitations_seen(by, tenant).await?;
        let batches = self.batches_seen(by, tenant).await?;
        let sight = self.sight(by, Act::InviteDevice)?;
        let sites = self.sites_seen(by, &sight, tenant).await?;
        let further = |path: &str| {
            let query = tenant.map(|tenant| format!("?tenant={tenant}")).unwrap_or_default();
            in_language(&format!("{path}{query}"), language)
        };
        let body = InvitationsPage {
            frame: Frame::of(by, "/console/invitations", language).refusing(why_not, None),
            sites: SiteView::all(&sites, typed.site.as_ref()),
            unused: unused.iter().map(|one| InvitationView::of(one, language)).collect(),
            batches: batches.iter().map(|(batch, sent)| BatchView::of(batch, sent, language)).collect(),
            to_list: further("/console/invitation-lists"),
            to_kitting: further("/console/kitting"),
            typed,
        };
        let title = language.pick("招待", "Invitations");
        Ok(refused(self.page(language, title, &body), why_not))
    }

    /// What was made just now, with its links, which are shown once, and a sheet for each.
    pub(crate) fn invited_page(
        &self,
        by: &Acting,
        made: &[MadeInvitation],
        back: &str,
        language: Language,
    ) -> WebResult<Response> {
        let pages = made.iter().map(|made| SheetPage::of(&made.sheet())).collect::<Option<_>>();
        let frame = Frame::of(by, "", language);
        let pages = pages.ok_or(Refusal::Internal)?;
        let body = InvitedPage { back: frame.to(back), frame, made, pages };
        Ok(self.page(language, language.pick("招待を作りました", "An invitation"), &body).into_response())
    }
}

impl SiteView {
    pub(crate) fn all(sites: &[Site], chosen: Option<&SiteId>) -> Vec<Self> {
        let view = |site: &Site| Self {
            is_chosen: chosen == Some(&site.id),
            id: site.id.to_string(),
            name: site.name.clone(),
        };
        sites.iter().map(view).collect()
    }
}

impl InvitationView {
    pub(crate) fn of(one: &SentInvitation, language: Language) -> Self {
        let is_gate = one.role == Role::Gate;
        Self {
            id: one.id.to_string(),
            label: one.label.clone(),
            site: one.site_name.clone(),
            until: moment(one.expires_at, language),
            progress: words::progress(one.progress, language),
            is_gate,
            is_enrolled: one.progress == InvitationProgress::Enrolled,
            may_be_sent_again: one.progress.may_be_sent_again() && !is_gate,
            may_be_withdrawn: one.progress.may_be_withdrawn(),
            device: one.device.as_ref().map(ToString::to_string),
        }
    }
}
