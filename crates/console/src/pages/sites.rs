//! The sites that somebody may see; each leads to its devices.

use crate::acting::ActingPage;
use crate::frame::Frame;
use crate::pages::home::TypedCall;
use crate::service::{ConsoleService, refusal};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use tegata_core::Act;
use tegata_web::{ReaderLanguage, WebResult};

/// More are found by searching.
const MOST: usize = 1000;

#[derive(Template)]
#[template(path = "console-sites.html")]
struct SitesPage {
    frame: Frame,
    sites: Vec<SiteView>,
    more: bool,
}

struct SiteView {
    id: String,
    name: String,
    tenant: String,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    ActingPage(by): ActingPage,
) -> WebResult<Response> {
    if by.must_say_why() {
        return Ok(service.ask_why(&by, language, TypedCall::default(), None));
    }
    let sight = service.sight(&by, Act::SeeDevices)?;
    let sites = service.sites_seen(&by, &sight).await?;
    let tenants = sight.rows.tenants().await.map_err(refusal)?;
    let names: HashMap<_, _> = tenants.into_iter().map(|tenant| (tenant.id, tenant.name)).collect();
    let more = sites.len() > MOST;
    let view = |site: tegata_storage::Site| SiteView {
        id: site.id.to_string(),
        tenant: names.get(&site.tenant).cloned().unwrap_or_default(),
        name: site.name,
    };
    let sites = sites.into_iter().take(MOST).map(view).collect();
    let body = SitesPage { frame: Frame::of(&by, "/console/sites", language), sites, more };
    Ok(service.page(language, language.pick("店舗", "Sites"), &body).into_response())
}
