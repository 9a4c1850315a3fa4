//! Who could enter on a day, by site.

use crate::asking::JustifiedPage;
use crate::entrances::{AskedDay, today};
use crate::frame::{Frame, refused};
use crate::pages::devices::{in_words, parsed};
use crate::service::{ConsoleService, refusal};
use crate::words;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::policy::Platform;
use tegata_core::{DeviceId, Language, Refusal, SiteId, TenantId};
use tegata_storage::{DeviceEntrance, EntranceCursor, EntrancePage};
use tegata_web::japan_date::day;
use tegata_web::{ReaderLanguage, WebResult};

/// Devices that are looked at for one page.
const PAGE: u32 = 200;

#[derive(Template)]
#[template(path = "entrances.html")]
struct EntrancesPage {
    frame: Frame,
    tenant: Option<String>,
    sites: Vec<SiteView>,
    /// Of which site, where one was chosen or there is no other.
    site: Option<String>,
    date: String,
    latest: String,
    told: String,
    entrances: Vec<EntranceView>,
    next: Option<String>,
    csv: String,
}

struct SiteView {
    id: String,
    name: String,
    is_chosen: bool,
}

/// A device that could enter, as people read it.
struct EntranceView {
    id: String,
    label: String,
    number: String,
    platform: &'static str,
    hours: String,
}

/// What is asked about, as the address says it.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct EntranceQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

impl EntranceQuery {
    pub(crate) fn tenant(&self) -> Result<Option<TenantId>, Refusal> {
        parsed(self.tenant.as_deref(), TenantId::parse)
    }

    pub(crate) fn site(&self) -> Result<Option<SiteId>, Refusal> {
        parsed(self.site.as_deref(), SiteId::parse)
    }

    fn path(&self, path: &str, after: Option<&EntranceCursor>, language: Language) -> String {
        in_words(path, &Self { after: after.map(written), ..self.clone() }, language)
    }
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(asked): Query<EntranceQuery>,
) -> WebResult<Response> {
    let latest = today(by.at);
    let (asked_day, why_not) = match AskedDay::parse(asked.date.as_deref(), by.at) {
        Ok(day) => (day, None),
        Err(why) => (AskedDay::parse(None, by.at)?, Some(why)),
    };
    let (sight, sites) = service.sites_of_entrances(&by, asked.tenant()?.as_ref(), None).await?;
    let site = match asked.site()? {
        Some(site) => Some(sites.iter().find(|known| known.id == site).ok_or(Refusal::LineSiteUnknown)?),
        None => sites.first().filter(|_| sites.len() == 1),
    };
    let (mut entrances, mut end) = (Vec::new(), None);
    if let Some(site) = site.filter(|_| why_not.is_none()) {
        let page = EntrancePage {
            site: site.id.clone(),
            within: asked_day.within,
            after: parsed(asked.after.as_deref(), cursor)?,
            limit: PAGE,
        };
        (entrances, end) = sight.rows.entrances(&page).await.map_err(refusal)?;
    }
    let chosen = site.map(|site| site.id.to_string());
    // Midnight may come between two pages: whatever follows is of the same day.
    let dated = EntranceQuery { date: Some(asked_day.text.clone()), ..asked.clone() };
    let body = EntrancesPage {
        frame: Frame::of(&by, "", language).refusing(why_not, None),
        tenant: asked.tenant.clone(),
        told: day(asked_day.within.from, language),
        entrances: entrances.iter().map(|one| EntranceView::of(one, &asked_day, language)).collect(),
        next: end.map(|end| dated.path("/console/entrances", Some(&end), language)),
        csv: dated.path("/console/entrances.csv", None, language),
        sites: sites
            .iter()
            .map(|site| SiteView {
                is_chosen: chosen.as_deref() == Some(site.id.as_str()),
                id: site.id.to_string(),
                name: site.name.clone(),
            })
            .collect(),
        site: chosen,
        date: asked_day.text,
        latest,
    };
    let title = language.pick("この日に使えた端末", "Who could enter");
    Ok(refused(service.page(language, title, &body), why_not))
}

impl EntranceView {
    fn of(entrance: &DeviceEntrance, day: &AskedDay, language: Language) -> Self {
        Self {
            id: entrance.device.id.to_string(),
            label: entrance.device.label.clone(),
            number: words::number(&entrance.device.id),
            platform: Platform::name_of(entrance.platform, language),
            hours: day.told(entrance, language),
        }
    }
}

/// A cursor as addresses carry it: no secret, and no right.
pub(crate) fn written(cursor: &EntranceCursor) -> String {
    base64url(format!("{} {}", cursor.device, cursor.label).as_bytes())
}

pub(crate) fn cursor(text: &str) -> Option<EntranceCursor> {
    let text = String::from_utf8(from_base64url(text)?).ok()?;
    let (device, label) = text.split_once(' ')?;
    Some(EntranceCursor { label: label.to_owned(), device: DeviceId::parse(device)? })
}
