//! Companies, where somebody reaches several, and the sites of one; each leads to its devices.

use crate::asking::JustifiedPage;
use crate::frame::Frame;
use crate::service::{ConsoleService, refusal};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Act, Refusal, TenantId};
use tegata_storage::{Site, Tenant};
use tegata_web::{ReaderLanguage, WebResult};

/// More are found by their devices.
const MOST: usize = 1000;

#[derive(Template)]
#[template(path = "console-sites.html")]
struct SitesPage {
    frame: Frame,
    tenants: Vec<PlaceView>,
    sites: Vec<PlaceView>,
    may_invite: bool,
    may_read_log: bool,
    more: bool,
}

struct PlaceView {
    id: String,
    tenant: String,
    name: String,
}

/// Whose sites are shown.
#[derive(Deserialize)]
pub(crate) struct SitesQuery {
    tenant: Option<String>,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(SitesQuery { tenant }): Query<SitesQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::SeeDevices)?;
    let tenant = match tenant {
        Some(tenant) => Some(TenantId::parse(&tenant).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    let sites = service.sites_seen(&by, &sight, tenant.as_ref()).await?;
    let mut tenants = Vec::new();
    if sight.is_everywhere && tenant.is_none() {
        tenants = sight.rows.tenants().await.map_err(refusal)?;
        tenants.retain(|tenant| !tenant.is_system());
    }
    let body = SitesPage {
        frame: Frame::of(&by, "/console/sites", language),
        more: sites.len().max(tenants.len()) > MOST,
        may_invite: by.may_ever(Act::InviteDevice),
        may_read_log: by.may_ever(Act::ReadAudit),
        tenants: tenants.into_iter().take(MOST).map(PlaceView::of_tenant).collect(),
        sites: sites.into_iter().take(MOST).map(PlaceView::of_site).collect(),
    };
    Ok(service.page(language, language.pick("店舗", "Sites"), &body).into_response())
}

impl PlaceView {
    fn of_tenant(tenant: Tenant) -> Self {
        Self { id: tenant.id.to_string(), tenant: tenant.id.to_string(), name: tenant.name }
    }

    fn of_site(site: Site) -> Self {
        Self { id: site.id.to_string(), tenant: site.tenant.to_string(), name: site.name }
    }
}
