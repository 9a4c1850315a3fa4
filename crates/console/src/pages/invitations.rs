//! Invitations that wait, and a new one. Its link is shown once.

use crate::acting::{Acting, SealedForm};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::deciding::{DAYS, MOST_DAYS, MadeInvitation};
use crate::frame::{Frame, onward, refused};
use crate::service::{ConsoleService, refusal};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Act, InvitationId, Language, Refusal, Role, SiteId, TenantId};
use tegata_storage::Invitation;
use tegata_web::japan_date::moment;
use tegata_web::qr::qr_svg;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "invitations.html")]
struct InvitationsPage {
    frame: Frame,
    sites: Vec<SiteView>,
    open: Vec<InvitationView>,
    typed: TypedInvitation,
}

#[derive(Template)]
#[template(path = "invited.html")]
struct InvitedPage {
    frame: Frame,
    site: String,
    label: String,
    link: String,
    until: String,
    qr: Option<String>,
}

struct SiteView {
    id: String,
    name: String,
    is_chosen: bool,
}

struct InvitationView {
    id: String,
    label: String,
    place: String,
    until: String,
    is_gate: bool,
}

/// For which place an invitation is to be.
#[derive(Deserialize)]
pub(crate) struct PlaceQuery {
    tenant: Option<String>,
    site: Option<String>,
}

/// What was typed, kept where it could not be taken.
#[derive(Default)]
struct TypedInvitation {
    tenant: Option<TenantId>,
    site: Option<SiteId>,
    label: String,
    days: u32,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawForm {
    #[serde(default)]
    form_token: String,
}

impl SealedForm for InvitationForm {
    fn form_token(&self) -> &str {
        &self.form_token
    }
}

impl SealedForm for WithdrawForm {
    fn form_token(&self) -> &str {
        &self.form_token
    }
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
    let days = form.days.unwrap_or(DAYS).clamp(1, MOST_DAYS);
    let made = match &form.site {
        Some(site) => service.invite(&by, (site, &form.label, days)).await,
        None => Err(Refusal::LineSiteUnknown),
    };
    match made {
        Ok(made) => Ok(service.invited_page(&by, made, language)),
        Err(why @ (Refusal::LineSiteUnknown | Refusal::LabelUnfit | Refusal::RoleMayNot))
            if by.may_ever(Act::InviteDevice) =>
        {
            let typed = TypedInvitation { tenant: form.tenant, site: form.site, label: form.label, days };
            service.invitations_page(&by, language, typed, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

pub(crate) async fn withdraw(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(invitation): Path<String>,
    JustifiedForm { by, .. }: JustifiedForm<WithdrawForm>,
) -> WebResult<Response> {
    // Nothing is said of what an address names before it is known who asks.
    let invitation = InvitationId::parse(&invitation).ok_or(Refusal::InvitationUnknown)?;
    service.withdraw(&by, &invitation).await?;
    Ok(onward("/console/invitations", language))
}

impl ConsoleService {
    /// Invitations that wait and that somebody may see, by the time they end; of one tenant alone where they reach all of them.
    pub(crate) async fn open_invitations_seen(
        &self,
        by: &Acting,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Invitation>, Refusal> {
        let sight = self.sight(by, Act::InviteDevice)?;
        let rows = match (tenant, sight.is_everywhere) {
            (Some(tenant), _) => sight.rows.narrowed(tenant).ok_or(Refusal::RoleMayNot)?,
            (None, false) => sight.rows,
            (None, true) => return Ok(Vec::new()),
        };
        let mut open = rows.open_invitations(by.at).await.map_err(refusal)?;
        open.retain(|one| !one.tenant.is_system() && by.may(Act::InviteDevice, (&one.tenant, &one.site)));
        Ok(open)
    }

    async fn invitations_page(
        &self,
        by: &Acting,
        language: Language,
        typed: TypedInvitation,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let open = self.open_invitations_seen(by, typed.tenant.as_ref()).await?;
        let sight = self.sight(by, Act::InviteDevice)?;
        let sites = self.sites_seen(by, &sight, typed.tenant.as_ref()).await?;
        let body = InvitationsPage {
            frame: Frame::of(by, "/console/invitations", language).refusing(why_not, None),
            sites: sites
                .into_iter()
                .map(|site| SiteView {
                    is_chosen: typed.site.as_ref() == Some(&site.id),
                    id: site.id.to_string(),
                    name: site.name,
                })
                .collect(),
            open: open.iter().map(|one| InvitationView::of(one, language)).collect(),
            typed,
        };
        let title = language.pick("招待", "Invitations");
        Ok(refused(self.page(language, title, &body), why_not))
    }

    fn invited_page(&self, by: &Acting, made: MadeInvitation, language: Language) -> Response {
        let body = InvitedPage {
            frame: Frame::of(by, "", language),
            qr: qr_svg(&made.link),
            site: made.site.name,
            label: made.label,
            link: made.link,
            until: moment(made.expires_at, language),
        };
        self.page(language, language.pick("招待を作りました", "An invitation"), &body).into_response()
    }
}

impl InvitationView {
    fn of(one: &Invitation, language: Language) -> Self {
        Self {
            id: one.id.to_string(),
            label: one.label.clone(),
            place: format!("{}　{}", one.tenant_name, one.site_name),
            until: moment(one.expires_at, language),
            is_gate: one.role == Role::Gate,
        }
    }
}
