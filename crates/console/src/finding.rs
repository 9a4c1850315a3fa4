//! Devices by what a caller says of them.

use crate::acting::Acting;
use crate::personal::PersonalText;
use crate::service::{ConsoleService, refusal};
use crate::words;
use tegata_core::policy::Platform;
use tegata_core::search::SearchQuery;
use tegata_core::{Act, DeviceState, Language, Refusal, ShortCode};
use tegata_storage::{DeviceSearch, FoundDevice};
use tegata_web::japan_date::{day, moment};

/// What a search has found.
pub(crate) struct Hits {
    pub(crate) found: Vec<Hit>,
    /// Whether there are more than are shown.
    pub(crate) more: bool,
}

/// One device among the hits.
pub(crate) struct Hit {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) place: String,
    pub(crate) kind: &'static str,
    pub(crate) seen: String,
    /// A recorded use at the time that was said.
    pub(crate) used: Option<String>,
    /// Who uses it; masked for those who look into tenants of others.
    pub(crate) people: Vec<PersonalText>,
    pub(crate) state: &'static str,
    pub(crate) is_at_work: bool,
    pub(crate) number: String,
}

impl ConsoleService {
    /// What is found by these words; nothing where too little was said yet. A short code takes tens of milliseconds to compare, so it
    /// is looked for where somebody has finished typing.
    pub(crate) async fn hits(
        &self,
        by: &Acting,
        said: &str,
        is_whole: bool,
        language: Language,
    ) -> Result<Option<Hits>, Refusal> {
        let sight = self.sight(by, Act::SeeDevices)?;
        let query = SearchQuery::parse(said, by.at);
        if query.is_empty() || query.is_one_letter() {
            return Ok(None);
        }
        let short_code = if is_whole { self.short_code(said).await } else { None };
        let search =
            DeviceSearch { query, sites: sight.within.clone(), short_code, ..DeviceSearch::default() };
        let found = sight.rows.search_devices(&search).await.map_err(refusal)?;
        let hits = found.hits.iter().map(|found| Hit::of(found, by, language)).collect();
        Ok(Some(Hits { found: hits, more: found.more }))
    }

    /// The hash of a short code, where that is what was said.
    async fn short_code(&self, said: &str) -> Option<Vec<u8>> {
        let code = ShortCode::parse(said)?;
        let installation = self.context.installation.clone();
        tokio::task::spawn_blocking(move || code.hash(&installation)).await.ok()
    }
}

impl Hit {
    pub(crate) fn of(found: &FoundDevice, by: &Acting, language: Language) -> Self {
        let device = &found.device;
        let state = device.effective_state();
        Self {
            id: device.id.to_string(),
            label: device.label.clone(),
            place: format!("{}　{}", device.tenant_name, device.site_name),
            kind: Platform::name_of(found.platform, language),
            seen: found.seen_at.map_or_else(
                || language.pick("まだ使われていません", "Not used yet").to_owned(),
                |at| day(at, language),
            ),
            used: found.used_at.map(|at| moment(at, language)),
            people: found.people.iter().map(|person| by.name_of(&device.tenant, &person.name)).collect(),
            state: words::state(state, language),
            is_at_work: state == DeviceState::Active,
            number: words::number(&device.id),
        }
    }
}
