//! Which devices could enter on a day: what the page, its file and the API have in common.

use crate::acting::{Acting, Sight};
use crate::service::{ConsoleService, refusal};
use tegata_core::{Act, Language, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::{DeviceEntrance, EntranceSpell, Site};
use tegata_web::japan_date::in_japan;

/// The day that is asked about, and what there is of it by now.
#[derive(Clone)]
pub(crate) struct AskedDay {
    /// Year, month and day, as in `2026-11-30`.
    pub(crate) text: String,
    pub(crate) within: EntranceSpell,
}

impl AskedDay {
    /// From what was typed; today where nothing was.
    ///
    /// # Errors
    /// [`Refusal::RequestMalformed`] for what is no day, or one that is to come.
    pub(crate) fn parse(text: Option<&str>, now: Timestamp) -> Result<Self, Refusal> {
        let text = text.filter(|text| !text.is_empty()).map_or_else(|| today(now), str::to_owned);
        let within = EntranceSpell::of_day(&text, now).ok_or(Refusal::RequestMalformed)?;
        Ok(Self { text, within })
    }

    /// When a device could enter on it, as people read it.
    pub(crate) fn told(&self, entrance: &DeviceEntrance, language: Language) -> String {
        let is_over = self.within.until.since(self.within.from) == std::time::Duration::from_hours(24);
        if is_over && entrance.spells == [self.within] {
            return language.pick("終日", "All day").to_owned();
        }
        let end = |at: Timestamp, in_seconds: bool| match (at == self.within.until, is_over) {
            (true, true) => "24:00".to_owned(),
            (true, false) => language.pick("現在", "now").to_owned(),
            (false, _) => clock(at, in_seconds),
        };
        let spell = |spell: &EntranceSpell| {
            let EntranceSpell { from, until } = *spell;
            let in_seconds = clock(from, false) == end(until, false);
            format!("{}〜{}", clock(from, in_seconds), end(until, in_seconds))
        };
        let spells: Vec<_> = entrance.spells.iter().map(spell).collect();
        spells.join(language.pick("、", ", "))
    }
}

/// The time of day in Japan; to the second where it began and was over within a minute.
fn clock(at: Timestamp, in_seconds: bool) -> String {
    let time = in_japan(at);
    let seconds = if in_seconds { format!(":{:02}", time.second()) } else { String::new() };
    format!("{}:{:02}{seconds}", time.hour(), time.minute())
}

pub(crate) fn today(now: Timestamp) -> String {
    let day = in_japan(now);
    format!("{}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

impl ConsoleService {
    /// The sites about which somebody may ask, and what they may look at: one of them where it is named.
    ///
    /// # Errors
    /// [`Refusal::LineSiteUnknown`] for a site that they do not see, and what keeps them from looking at all.
    pub(crate) async fn sites_of_entrances(
        &self,
        by: &Acting,
        tenant: Option<&TenantId>,
        site: Option<&SiteId>,
    ) -> Result<(Sight, Vec<Site>), Refusal> {
        let sight = self.sight(by, Act::SeeDevices)?;
        let Some(site) = site else {
            let sites = self.sites_seen(by, &sight, tenant).await?;
            return Ok((sight, sites));
        };
        let known = sight.rows.site(site).await.map_err(refusal)?;
        let known = known.filter(|known| by.may(Act::SeeDevices, (&known.tenant, &known.id)));
        Ok((sight, vec![known.ok_or(Refusal::LineSiteUnknown)?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_is_asked_about_where_no_day_was_typed_and_none_to_come() {
        let now = Timestamp::parse("2026-11-30T16:30:00Z").unwrap();
        assert_eq!(today(now), "2026-12-01", "it is the next day in Japan");
        assert_eq!(AskedDay::parse(Some(""), now).unwrap().text, "2026-12-01");
        assert!(AskedDay::parse(Some("2026-12-02"), now).is_err());
        assert!(AskedDay::parse(Some("きのう"), now).is_err());
    }
}
