//! A company's own audit log in sentences: what the page and its file have in common.

use crate::acting::{Acting, Sight};
use crate::history::{HistoryLine, HistoryReader};
use crate::pages::devices::{in_words, parsed};
use crate::personal::PersonalText;
use crate::service::refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tegata_core::{DeviceId, Language, PersonId, Refusal, TenantId, Timestamp};
use tegata_storage::{AuditEntry, ScopedLedger, TrailPage};

/// Which entries are asked for, as the address says it.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct TrailQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    /// The first day, as in `2026-11-30`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The last day that is asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
}

/// A line of the log, with what it is about.
pub(crate) struct TrailLine {
    pub(crate) line: HistoryLine,
    /// Identifier and name of the device, where it is about one.
    pub(crate) device: Option<(String, String)>,
    /// The person, where it is about one.
    pub(crate) person: Option<PersonalText>,
    /// What else it names, such as what an invitation is for.
    pub(crate) label: Option<String>,
}

impl TrailQuery {
    /// What the ledger is asked for; nothing where whoever reaches all companies has named none.
    ///
    /// # Errors
    /// [`Refusal::RequestMalformed`] for a word that is none.
    pub(crate) fn page(&self, by: &Acting, sight: &Sight, limit: u32) -> Result<Option<TrailPage>, Refusal> {
        let tenant = parsed(self.tenant.as_deref(), TenantId::parse)?;
        let own = (!sight.is_everywhere).then(|| by.tenant());
        let Some(tenant) = tenant.or(own) else { return Ok(None) };
        let until = parsed(self.until.as_deref(), day)?;
        Ok(Some(TrailPage {
            tenant,
            device: parsed(self.device.as_deref(), DeviceId::parse)?,
            person: parsed(self.person.as_deref(), PersonId::parse)?,
            from: parsed(self.from.as_deref(), day)?,
            until: until.map(|day| day.plus(Duration::from_hours(24))),
            before: parsed(self.before.as_deref(), |text| text.parse().ok())?,
            limit,
        }))
    }

    pub(crate) fn path(&self, path: &str, before: Option<u64>, language: Language) -> String {
        let asked = Self { before: before.map(|before| before.to_string()), ..self.clone() };
        in_words(path, &asked, language)
    }
}

/// When a day of Japan begins.
fn day(text: &str) -> Option<Timestamp> {
    let is_day = text.len() == "2026-11-30".len();
    is_day.then(|| Timestamp::parse(&format!("{text}T00:00:00+09:00")))?
}

/// Tells entries one after another, and looks up what they name once.
pub(crate) struct TrailReader<'a> {
    history: HistoryReader<'a>,
    rows: &'a ScopedLedger,
    labels: HashMap<String, Option<String>>,
}

impl<'a> TrailReader<'a> {
    pub(crate) fn new(by: &'a Acting, rows: &'a ScopedLedger, language: Language) -> Self {
        Self { history: HistoryReader::new(by, rows, language), rows, labels: HashMap::new() }
    }

    pub(crate) async fn line(&mut self, entry: &AuditEntry) -> Result<TrailLine, Refusal> {
        let value: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
        let detail = &value["detail"];
        let person = match detail["person"].as_str() {
            Some(id) => self.history.named(id).await?,
            None => None,
        };
        let device = match value["device"].as_str() {
            Some(id) => self.label(id).await?.map(|label| (id.to_owned(), label)),
            None => None,
        };
        let label = detail["label"].as_str().map(str::to_owned);
        Ok(TrailLine { line: self.history.any_line(entry).await?, device, person, label })
    }

    async fn label(&mut self, id: &str) -> Result<Option<String>, Refusal> {
        if let Some(known) = self.labels.get(id) {
            return Ok(known.clone());
        }
        let Some(device) = DeviceId::parse(id) else { return Ok(None) };
        let label = self.rows.device(&device).await.map_err(refusal)?.map(|device| device.label);
        self.labels.insert(id.to_owned(), label.clone());
        Ok(label)
    }
}
