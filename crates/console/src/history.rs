//! Entries of the audit log as sentences for people. What is routine for a device (tokens, certificates that it uses) is left out.

use crate::service::refusal;
use serde_json::Value;
use std::collections::HashMap;
use tegata_core::{Language, PersonId, Refusal};
use tegata_storage::{AuditEntry, ScopedLedger};
use tegata_web::japan_date::moment;

/// A line of the history.
pub(crate) struct HistoryLine {
    pub(crate) at: String,
    pub(crate) what: String,
    /// By whom, where that was a person.
    pub(crate) by: Option<String>,
    pub(crate) note: Option<String>,
}

/// Reads entries, and looks up the names of those who acted.
pub(crate) struct HistoryReader<'a> {
    rows: &'a ScopedLedger,
    language: Language,
    masks_names: bool,
    names: HashMap<String, Option<String>>,
}

impl<'a> HistoryReader<'a> {
    pub(crate) fn new(rows: &'a ScopedLedger, language: Language, masks_names: bool) -> Self {
        Self { rows, language, masks_names, names: HashMap::new() }
    }

    /// The sentences of entries, without those that are routine.
    pub(crate) async fn lines(&mut self, entries: &[AuditEntry]) -> Result<Vec<HistoryLine>, Refusal> {
        let mut lines = Vec::new();
        for entry in entries {
            lines.extend(self.line(entry).await?);
        }
        Ok(lines)
    }

    /// The sentence of one entry; nothing where it is routine or cannot be read.
    pub(crate) async fn line(&mut self, entry: &AuditEntry) -> Result<Option<HistoryLine>, Refusal> {
        let Ok(value) = serde_json::from_str::<Value>(&entry.entry) else { return Ok(None) };
        let Some(what) = what(value["action"].as_str().unwrap_or_default(), &value["detail"], self.language)
        else {
            return Ok(None);
        };
        let by = self.who(value["actor"].as_str().unwrap_or_default()).await?;
        let note = ["note", "why"].iter().find_map(|name| value["detail"][name].as_str());
        let note = note.filter(|note| !note.is_empty()).map(str::to_owned);
        Ok(Some(HistoryLine { at: moment(entry.at, self.language), what, by, note }))
    }

    /// Who acted. People of the vendor are not a tenant's to see by name.
    async fn who(&mut self, actor: &str) -> Result<Option<String>, Refusal> {
        let language = self.language;
        let Some((kind, name)) = actor.split_once(':') else { return Ok(None) };
        Ok(match kind {
            "person" => Some(
                self.name(name)
                    .await?
                    .unwrap_or_else(|| language.pick("サポート担当者", "the vendor's support").to_owned()),
            ),
            "operator" => Some(language.pick("運用者（コマンド）", "an operator, by command").to_owned()),
            "client" => Some(name.to_owned()),
            _ => None,
        })
    }

    async fn name(&mut self, id: &str) -> Result<Option<String>, Refusal> {
        if let Some(known) = self.names.get(id) {
            return Ok(known.clone());
        }
        let Some(person) = PersonId::parse(id) else { return Ok(None) };
        let known = self.rows.person(&person).await.map_err(refusal)?;
        let name = known.filter(|_| !self.masks_names).map(|person| person.name);
        self.names.insert(id.to_owned(), name.clone());
        Ok(name)
    }
}

fn what(action: &str, detail: &Value, language: Language) -> Option<String> {
    let pick = |ja: &str, en: &str| Some(language.pick(ja, en).to_owned());
    match action {
        "device.suspended" => pick("一時停止しました", "Suspended"),
        "device.resumed" => pick("停止を解除しました", "Resumed"),
        "device.revoked" => pick("失効させました", "Revoked for ever"),
        "device.retired" => pick("使用を終了しました", "Retired"),
        "device.renamed" => {
            let [before, after] =
                ["before", "after"].map(|name| detail[name].as_str().unwrap_or("?").to_owned());
            Some(match language {
                Language::Ja => format!("名前を「{before}」から「{after}」に変えました"),
                Language::En => format!("Renamed from “{before}” to “{after}”"),
            })
        }
        "device.assigned" => pick("使う人を決めました", "Assigned to people"),
        "device.signed_out" => pick("サインアウトさせました", "Signed out"),
        "certificate.issued" => pick("証明書を発行しました", "Certificate issued"),
        "certificate.revoked" => pick("証明書を失効させました", "Certificate revoked"),
        "console.refused" => pick("操作が拒否されました", "An act was refused"),
        "loss_report.refused" => pick("紛失の届けが拒否されました", "A report of loss was refused"),
        _ => None,
    }
}
