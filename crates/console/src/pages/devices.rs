//! The list of devices: filtered, sorted, in pages.

use crate::acting::{Acting, Sight};
use crate::asking::JustifiedPage;
use crate::frame::{Frame, in_language};
use crate::pages::device::DeviceView;
use crate::pages::entrances::EntranceQuery;
use crate::service::{ConsoleService, refusal};
use crate::words;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::policy::Platform;
use tegata_core::{Act, DeviceId, DeviceState, Language, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::{DeviceCursor, DevicePage, DeviceSort, SavedView, Site};
use tegata_web::{ReaderLanguage, WebResult};

/// Devices on one page.
const PAGE: u32 = 50;

/// Sites to choose from; where there are more, the list is narrowed otherwise.
const MOST_SITES: usize = 500;

#[derive(Template)]
#[template(path = "console-devices.html")]
struct DevicesPage {
    frame: Frame,
    asked: ListQuery,
    devices: Vec<DeviceView>,
    next: Option<String>,
    csv: String,
    /// When certificates end, week by week.
    calendar: String,
    /// Where it is asked who could enter on a day.
    entrances: String,
    sites: Vec<SiteChoice>,
    states: Vec<WordChoice>,
    platforms: Vec<WordChoice>,
    sorts: Vec<WordChoice>,
    shows_tenant: bool,
    /// What is shown, without where a page ended.
    query: String,
    views: Vec<ViewLink>,
}

/// A view that the reader keeps.
struct ViewLink {
    name: String,
    path: String,
}

struct SiteChoice {
    id: String,
    name: String,
    is_chosen: bool,
}

struct WordChoice {
    word: &'static str,
    text: &'static str,
    is_chosen: bool,
}

/// How the list is narrowed and sorted, as the address says it.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct ListQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stale_days: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_days: Option<String>,
    /// Whose certificate lasts so many days at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lasts_days: Option<String>,
    /// Says `true` for those alone that share their name with another one of their site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namesakes: Option<String>,
    /// Says `true` for those alone whose certificate two machines seem to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copied: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(asked): Query<ListQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::SeeDevices)?;
    let page = asked.page(&sight, by.at, PAGE)?;
    let (devices, end) = sight.rows.device_page(&page).await.map_err(refusal)?;
    let sites = service.choosable_sites(&by, &sight, page.tenant.as_ref()).await?;
    let shows_tenant = sight.is_everywhere;
    let body = DevicesPage {
        frame: Frame::of(&by, "/console/devices", language),
        devices: devices.iter().map(|device| DeviceView::of(device, language)).collect(),
        next: end.map(|end| asked.path("/console/devices", Some(&end), language)),
        csv: asked.path("/console/devices.csv", None, language),
        calendar: in_words("/console/calendar", &EntranceQuery { site: None, ..asked.place() }, language),
        entrances: in_words("/console/entrances", &asked.place(), language),
        sites: site_choices(&sites, &asked),
        states: choices(
            DeviceState::ALL,
            |state| (state.as_str(), words::state(*state, language)),
            asked.state.as_deref(),
        ),
        platforms: choices(
            Platform::ALL,
            |platform| (platform.as_str(), platform.name(language)),
            asked.platform.as_deref(),
        ),
        sorts: choices(SORTS, |(word, _, ja, en)| (word, language.pick(ja, en)), asked.sort.as_deref()),
        shows_tenant,
        query: ListQuery { after: None, ..asked.clone() }.words(),
        views: service.views_of(&by).await?.into_iter().map(|view| ViewLink::of(view, language)).collect(),
        asked,
    };
    let title = language.pick("端末の一覧", "Devices");
    Ok(service.page(language, title, &body).into_response())
}

const SORTS: &[(&str, DeviceSort, &str, &str)] = &[
    ("number", DeviceSort::Number, "端末番号の順", "By number"),
    ("place", DeviceSort::Place, "店舗と名前の順", "By site and name"),
    ("unseen", DeviceSort::Unseen, "使われていない順", "Longest unseen first"),
    ("changed", DeviceSort::Changed, "状態が変わった順", "Changed last first"),
];

impl ListQuery {
    /// What the ledger is asked for.
    ///
    /// # Errors
    /// [`Refusal::RequestMalformed`] for a word that is none.
    pub(crate) fn page(&self, sight: &Sight, now: Timestamp, limit: u32) -> Result<DevicePage, Refusal> {
        let days = |text: &Option<String>| {
            let days: Option<u32> = parsed(text.as_deref(), |text| text.parse().ok())?;
            Ok::<_, Refusal>(days.map(|days| Duration::from_hours(24) * days.min(3660)))
        };
        let by_default = if sight.is_everywhere { DeviceSort::Number } else { DeviceSort::Place };
        let sort = parsed(self.sort.as_deref(), |word| SORTS.iter().find(|(known, ..)| *known == word))?;
        Ok(DevicePage {
            tenant: parsed(self.tenant.as_deref(), TenantId::parse)?,
            within: sight.within.clone(),
            site: parsed(self.site.as_deref(), SiteId::parse)?,
            state: parsed(self.state.as_deref(), DeviceState::parse)?,
            platform: parsed(self.platform.as_deref(), Platform::parse)?,
            unseen_since: days(&self.stale_days)?.map(|days| now.minus(days)),
            ends_before: days(&self.due_days)?.map(|days| now.plus(days)),
            ends_from: days(&self.lasts_days)?.map(|days| now.plus(days)),
            namesakes: parsed(self.namesakes.as_deref(), |text| text.parse().ok())?.unwrap_or(false),
            copied: parsed(self.copied.as_deref(), |text| text.parse().ok())?.unwrap_or(false),
            sort: sort.map_or(by_default, |(_, sort, ..)| *sort),
            after: parsed(self.after.as_deref(), cursor)?,
            limit,
        })
    }

    /// All that it says, as an address has it.
    fn words(&self) -> String {
        serde_urlencoded::to_string(self).unwrap_or_default()
    }

    /// Its place alone, for whoever asks something else about it.
    fn place(&self) -> EntranceQuery {
        let (tenant, site) = (self.tenant.clone(), self.site.clone().filter(|site| !site.is_empty()));
        EntranceQuery { tenant, site, ..EntranceQuery::default() }
    }

    fn path(&self, path: &str, after: Option<&DeviceCursor>, language: Language) -> String {
        in_words(path, &Self { after: after.map(written), ..self.clone() }, language)
    }
}

/// The address of what is asked for.
pub(crate) fn in_words(path: &str, asked: &impl Serialize, language: Language) -> String {
    let query = serde_urlencoded::to_string(asked).unwrap_or_default();
    format!("{path}?{query}{}lang={}", if query.is_empty() { "" } else { "&" }, language.tag())
}

/// A word that is missing or empty restricts nothing; one that cannot be read is a mistake.
pub(crate) fn parsed<T>(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| read(text).ok_or(Refusal::RequestMalformed)).transpose()
}

/// A cursor as addresses carry it. It is no secret, and gives no right: the list behind it is that of whoever asks.
pub(crate) fn written(cursor: &DeviceCursor) -> String {
    base64url(format!("{} {}", cursor.device, cursor.key).as_bytes())
}

pub(crate) fn cursor(text: &str) -> Option<DeviceCursor> {
    let text = String::from_utf8(from_base64url(text)?).ok()?;
    let (device, key) = text.split_once(' ')?;
    Some(DeviceCursor { key: key.to_owned(), device: DeviceId::parse(device)? })
}

impl ConsoleService {
    /// The sites that somebody may see; of one tenant alone where they reach all of them.
    pub(crate) async fn sites_seen(
        &self,
        by: &Acting,
        sight: &Sight,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Site>, Refusal> {
        let mut sites = match (tenant, sight.is_everywhere) {
            (Some(tenant), _) => sight.rows.sites(tenant).await.map_err(refusal)?,
            (None, false) => sight.rows.all_sites().await.map_err(refusal)?,
            (None, true) => Vec::new(),
        };
        sites.retain(|site| !site.tenant.is_system() && by.may(Act::SeeDevices, (&site.tenant, &site.id)));
        Ok(sites)
    }

    /// The sites to choose from; nobody is given a choice where there are more than [`MOST_SITES`], and they are not read to their end.
    async fn choosable_sites(
        &self,
        by: &Acting,
        sight: &Sight,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Site>, Refusal> {
        let own = (!sight.is_everywhere).then(|| by.tenant());
        let Some(tenant) = tenant.or(own.as_ref()).filter(|_| sight.within.is_none()) else {
            return self.sites_seen(by, sight, tenant).await;
        };
        let most = u32::try_from(MOST_SITES).unwrap_or(u32::MAX).saturating_add(1);
        let mut sites = sight.rows.some_sites(tenant, most).await.map_err(refusal)?;
        sites.retain(|site| !site.tenant.is_system());
        Ok(sites)
    }
}

impl ViewLink {
    fn of(view: SavedView, language: Language) -> Self {
        let SavedView { name, query } = view;
        Self { name, path: in_language(&format!("/console/devices?{query}"), language) }
    }
}

fn site_choices(sites: &[Site], asked: &ListQuery) -> Vec<SiteChoice> {
    if sites.len() > MOST_SITES {
        return Vec::new();
    }
    let choice = |site: &Site| SiteChoice {
        is_chosen: asked.site.as_deref() == Some(site.id.as_str()),
        id: site.id.to_string(),
        name: site.name.clone(),
    };
    sites.iter().map(choice).collect()
}

fn choices<T>(
    all: &[T],
    text: impl Fn(&T) -> (&'static str, &'static str),
    chosen: Option<&str>,
) -> Vec<WordChoice> {
    let choice = |one: &T| {
        let (word, text) = text(one);
        WordChoice { word, text, is_chosen: chosen == Some(word) }
    };
    all.iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_nonsense_is_none() {
        let cursor_of = DeviceCursor {
            key: "あおば/本店/受付 PC".into(),
            device: DeviceId::random(&Seeded::new(1)),
        };
        assert_eq!(cursor(&written(&cursor_of)), Some(cursor_of));
        for wrong in ["", "x", "!!!!", &base64url(b"nothing here")] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }
}
