//! Devices by what a caller says of them.

use crate::acting::Acting;
use crate::service::{ConsoleService, refusal};
use crate::words;
use tegata_core::search::Search;
use tegata_core::{Act, Language, Refusal};
use tegata_storage::{DeviceFilter, ListedDevice};
use tegata_web::japan_date::day;

/// More than these nobody reads.
const MOST: usize = 50;

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
    pub(crate) seen: String,
    pub(crate) state: &'static str,
    pub(crate) is_at_work: bool,
    pub(crate) number: String,
}

impl ConsoleService {
    /// What is found by these words; nothing where nobody has said anything yet.
    pub(crate) async fn hits(
        &self,
        by: &Acting,
        said: &str,
        language: Language,
    ) -> Result<Option<Hits>, Refusal> {
        let sight = self.sight(by, Act::SeeDevices)?;
        let search = Search::new(&[said]);
        if search.is_empty() {
            return Ok(None);
        }
        let (mut found, mut more) = (Vec::new(), false);
        let everything = DeviceFilter::default();
        let read = sight.rows.each_device(&everything, |listed| {
            let device = &listed.device;
            let is_seen = sight.within.as_ref().is_none_or(|sites| sites.contains(&device.site));
            let place = search.at(&device.tenant_name, &device.site_name);
            if device.tenant.is_system() || !is_seen || !search.finds(&place, &device.label, &device.id) {
                return;
            }
            more = found.len() == MOST;
            if !more {
                found.push(hit(&listed, language));
            }
        });
        read.await.map_err(refusal)?;
        Ok(Some(Hits { found, more }))
    }
}

fn hit(listed: &ListedDevice, language: Language) -> Hit {
    let device = &listed.device;
    let state = device.effective_state();
    Hit {
        id: device.id.to_string(),
        label: device.label.clone(),
        place: format!("{}　{}", device.tenant_name, device.site_name),
        seen: listed.seen_at().map_or_else(
            || language.pick("まだ使われていません", "Not used yet").to_owned(),
            |at| day(at, language),
        ),
        state: words::state(state, language),
        is_at_work: state == tegata_core::DeviceState::Active,
        number: words::number(&device.id),
    }
}
