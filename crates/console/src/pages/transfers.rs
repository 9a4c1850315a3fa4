//! Transfers of business: those that there are, and a new plan.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::service::{ConsoleService, refusal};
use crate::transfer_planning::{RENEWAL_HOURS, TransferWish};
use crate::words;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::collections::HashMap;
use tegata_core::transfer::{TransferChange, TransferState};
use tegata_core::{Act, Language, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::{Site, Transfer};
use tegata_web::japan_date::moment;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "transfers.html")]
struct TransfersPage {
    frame: Frame,
    /// By what the other company names this one, where the reader belongs to a company that may be named.
    own_code: Option<String>,
    transfers: Vec<TransferLine>,
    sites: Vec<SiteLine>,
    /// Whose sites are chosen from, where the reader reaches all tenants and has named one.
    tenant: Option<TenantId>,
    must_choose: bool,
    /// The companies to choose from.
    tenants: Vec<TenantLine>,
    typed: TypedPlan,
}

/// A transfer in the list.
struct TransferLine {
    id: String,
    parties: String,
    at: String,
    state: &'static str,
    is_open: bool,
}

struct TenantLine {
    id: String,
    name: String,
}

struct SiteLine {
    id: String,
    name: String,
    is_chosen: bool,
}

/// What was typed, kept where it could not be taken.
struct TypedPlan {
    target: String,
    at: String,
    note: String,
    moves_devices: bool,
    moves_people: bool,
    sites: Vec<SiteId>,
}

/// Whose sites are to move.
#[derive(Deserialize)]
pub(crate) struct SourceQuery {
    tenant: Option<String>,
}

/// Sites that move are named by their identifiers.
#[derive(Deserialize)]
pub(crate) struct PlanForm {
    #[serde(default)]
    form_token: String,
    tenant: Option<TenantId>,
    #[serde(default)]
    target: String,
    #[serde(default)]
    at: String,
    #[serde(default)]
    note: String,
    devices: Option<String>,
    people: Option<String>,
    #[serde(flatten)]
    sites: HashMap<String, String>,
}

sealed_forms! { PlanForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(SourceQuery { tenant }): Query<SourceQuery>,
) -> WebResult<Response> {
    let tenant = match tenant {
        Some(tenant) => Some(TenantId::parse(&tenant).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    service.transfers_page(&by, language, (tenant, TypedPlan::default()), None).await
}

pub(crate) async fn plan(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<PlanForm>,
) -> WebResult<Response> {
    let (tenant, typed) = (form.tenant.clone(), TypedPlan::of(&form));
    let planned = match wish(&by, &form) {
        Ok(wish) => service.plan_transfer(&by, &wish).await,
        Err(refusal) => Err(refusal),
    };
    match planned {
        Ok(id) => Ok(onward(&format!("/console/transfers/{id}"), language)),
        Err(why @ Refusal::TransferPlanUnfit) => {
            service.transfers_page(&by, language, (tenant, typed), Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

fn wish(by: &Acting, form: &PlanForm) -> Result<TransferWish, Refusal> {
    let sites: Option<Vec<_>> = form.sites.keys().map(|site| SiteId::parse(site)).collect();
    Ok(TransferWish {
        source: form.tenant.clone().unwrap_or_else(|| by.tenant()),
        target: read_code(&form.target).ok_or(Refusal::TransferPlanUnfit)?,
        sites: sites.ok_or(Refusal::RequestMalformed)?,
        at: read_minute(&form.at).ok_or(Refusal::TransferPlanUnfit)?,
        renewal_hours: RENEWAL_HOURS,
        moves_devices: form.devices.is_some(),
        moves_people: form.people.is_some(),
        note: form.note.trim().to_owned(),
    })
}

/// A company's code, as people type what was read out to them.
fn read_code(text: &str) -> Option<TenantId> {
    let code: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    TenantId::parse(&code.to_lowercase())
}

/// What a field for date and time sends; the time is Japan's.
pub(super) fn read_minute(text: &str) -> Option<Timestamp> {
    let minute = text.get(..16).unwrap_or(text);
    Timestamp::parse(&format!("{minute}:00+09:00"))
}

/// In groups, so that it can be read out.
fn grouped(code: &str) -> String {
    let letters: Vec<_> = code.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

impl ConsoleService {
    async fn transfers_page(
        &self,
        by: &Acting,
        language: Language,
        (tenant, typed): (Option<TenantId>, TypedPlan),
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let transfers = self.transfers_seen(by).await?;
        let sight = self.sight(by, Act::PlanTransfer)?;
        let sites = self.sites_seen(by, &sight, tenant.as_ref()).await?;
        let must_choose = sight.is_everywhere && tenant.is_none();
        let tenants = if must_choose { sight.rows.tenants().await.map_err(refusal)? } else { Vec::new() };
        let companies = tenants.into_iter().filter(|tenant| !tenant.is_system());
        let body = TransfersPage {
            frame: Frame::of(by, "/console/transfers", language).refusing(why_not, None),
            own_code: (!sight.is_everywhere).then(|| grouped(by.tenant().as_str())),
            transfers: transfers.iter().map(|transfer| TransferLine::of(transfer, language)).collect(),
            sites: sites.into_iter().map(|site| SiteLine::of(site, &typed)).collect(),
            must_choose,
            tenants: companies
                .map(|tenant| TenantLine { id: tenant.id.to_string(), name: tenant.name })
                .collect(),
            tenant,
            typed,
        };
        Ok(refused(self.page(language, language.pick("事業譲渡", "Transfers of business"), &body), why_not))
    }
}

impl Default for TypedPlan {
    fn default() -> Self {
        Self {
            target: String::new(),
            at: String::new(),
            note: String::new(),
            moves_devices: true,
            moves_people: true,
            sites: Vec::new(),
        }
    }
}

impl TypedPlan {
    fn of(form: &PlanForm) -> Self {
        Self {
            target: form.target.clone(),
            at: form.at.clone(),
            note: form.note.clone(),
            moves_devices: form.devices.is_some(),
            moves_people: form.people.is_some(),
            sites: form.sites.keys().filter_map(|site| SiteId::parse(site)).collect(),
        }
    }
}

impl SiteLine {
    fn of(site: Site, typed: &TypedPlan) -> Self {
        Self { is_chosen: typed.sites.contains(&site.id), id: site.id.to_string(), name: site.name }
    }
}

impl TransferLine {
    fn of(transfer: &Transfer, language: Language) -> Self {
        Self {
            id: transfer.id.to_string(),
            parties: parties(transfer, language),
            at: moment(transfer.plan.at, language),
            state: words::transfer_state(transfer.state, language),
            is_open: transfer.state.is_open() || transfer.state == TransferState::Running,
        }
    }
}

impl Frame {
    /// The page of a transfer, or of a part of it.
    pub(crate) fn to_transfer(&self, transfer: &str, part: &str) -> String {
        let joint = if part.is_empty() { "" } else { "/" };
        self.to(&format!("/console/transfers/{transfer}{joint}{part}"))
    }

    /// Where it is decided who of a site moves.
    pub(crate) fn to_moving_site(&self, transfer: &str, site: &str) -> String {
        self.to(&format!("/console/transfers/{transfer}/decisions?site={site}"))
    }
}

/// Who gives to whom.
pub(super) fn parties(transfer: &Transfer, language: Language) -> String {
    let from = &transfer.source_name;
    match (&transfer.plan.change, &transfer.target_name) {
        (TransferChange::Shares { name }, _) => match language {
            Language::Ja => format!("{from}（新しい名前: {name}）"),
            Language::En => format!("{from}, called {name} from then on"),
        },
        (TransferChange::Business { .. }, target) => {
            format!("{from} → {}", target.as_deref().unwrap_or("?"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_was_written_down() {
        let code = "0123456789abcdefghjkmnpqrs";
        let read = |text: &str| read_code(text).map(|id| id.to_string());
        assert_eq!(read(&grouped(code)).as_deref(), Some(code));
        assert_eq!(read(&format!(" {} ", code.to_uppercase())).as_deref(), Some(code));
        assert_eq!(read("みどり薬局"), None);
    }

    #[test]
    fn a_minute_is_japans_with_seconds_or_without() {
        let at = Timestamp::parse("2026-04-01T03:00:00+09:00");
        assert!(at.is_some());
        assert_eq!(read_minute("2026-04-01T03:00"), at);
        assert_eq!(read_minute("2026-04-01T03:00:00"), at);
        for wrong in ["", "2026-04-01", "2026-04-31T03:00", "あした"] {
            assert_eq!(read_minute(wrong), None, "{wrong}");
        }
    }
}
