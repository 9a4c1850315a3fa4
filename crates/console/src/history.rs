//! Entries of the audit log as sentences for people. What is routine for a device (tokens, certificates that it uses) is left out.

use crate::acting::Acting;
use crate::personal::{NameReader, PersonalText};
use crate::sentences::sentence;
use serde_json::Value;
use std::fmt;
use tegata_core::{Language, PersonId, Refusal};
use tegata_storage::{AuditEntry, ChangeAuthor, ScopedLedger};
use tegata_web::japan_date::moment;

/// A line of the history.
pub(crate) struct HistoryLine {
    pub(crate) at: String,
    pub(crate) what: String,
    pub(crate) by: Option<ActorText>,
    pub(crate) note: Option<String>,
    /// For what somebody of support acted.
    pub(crate) call: Option<String>,
}

/// By whom something was done, where that was somebody.
#[derive(Clone)]
pub(crate) enum ActorText {
    Person(PersonalText),
    /// Somebody or something that is no person whom the reader knows.
    Other(String),
}

impl fmt::Display for ActorText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => name.fmt(formatter),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

/// Reads entries, and looks up the names of those who acted.
pub(crate) struct HistoryReader<'a> {
    names: NameReader<'a>,
    language: Language,
}

impl<'a> HistoryReader<'a> {
    pub(crate) fn new(by: &'a Acting, rows: &'a ScopedLedger, language: Language) -> Self {
        Self { names: NameReader::new(by, rows), language }
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
        match what(value["action"].as_str().unwrap_or_default(), &value["detail"], self.language) {
            Some(what) => self.told(entry, &value, what).await.map(Some),
            None => Ok(None),
        }
    }

    /// The sentence of one entry, whatever it is about.
    pub(crate) async fn any_line(&mut self, entry: &AuditEntry) -> Result<HistoryLine, Refusal> {
        let value: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
        let action = value["action"].as_str().unwrap_or_default();
        let other = || format!("{} ({action})", self.language.pick("そのほかの記録", "Another entry"));
        let sentence = || sentence(action, self.language).map_or_else(other, str::to_owned);
        let what = what(action, &value["detail"], self.language).unwrap_or_else(sentence);
        self.told(entry, &value, what).await
    }

    async fn told(
        &mut self,
        entry: &AuditEntry,
        value: &Value,
        what: String,
    ) -> Result<HistoryLine, Refusal> {
        let by = self.who(value["actor"].as_str().unwrap_or_default()).await?;
        let note = ["note", "why"].iter().find_map(|name| value["detail"][name].as_str());
        let note = note.filter(|note| !note.is_empty()).map(str::to_owned);
        let because = &value["because"];
        let call = because["reason"].as_str().zip(because["ticket"].as_str());
        let call = call.map(|(reason, ticket)| format!("{reason} [{ticket}]"));
        let program = value["program"].as_str();
        let program = program.map(|name| format!("{} {name}", self.language.pick("プログラム:", "program:")));
        let call = [call, program].into_iter().flatten().reduce(|call, program| format!("{call} {program}"));
        Ok(HistoryLine { at: moment(entry.at, self.language), what, by, note, call })
    }

    async fn who(&mut self, actor: &str) -> Result<Option<ActorText>, Refusal> {
        let language = self.language;
        let Some((kind, name)) = actor.split_once(':') else { return Ok(None) };
        let other = |text: &str| Some(ActorText::Other(text.to_owned()));
        Ok(match kind {
            "person" => match PersonId::parse(name) {
                Some(id) => Some(self.person(&id).await?),
                None => None,
            },
            "operator" => other(language.pick("運用者（コマンド）", "an operator, by command")),
            "client" => other(&self.program(name)),
            _ => None,
        })
    }

    /// Whom an entry names besides: of whom it is.
    pub(crate) async fn named(&mut self, id: &str) -> Result<Option<PersonalText>, Refusal> {
        match PersonId::parse(id) {
            Some(id) => self.names.name(&id).await,
            None => Ok(None),
        }
    }

    /// Who has changed a device.
    pub(crate) async fn author(&mut self, author: &ChangeAuthor) -> Result<ActorText, Refusal> {
        match author {
            ChangeAuthor::Person(person) => self.person(person).await,
            ChangeAuthor::Client(client) => Ok(ActorText::Other(self.program(client))),
        }
    }

    fn program(&self, name: &str) -> String {
        format!("{} {name}", self.language.pick("プログラム:", "program:"))
    }

    /// Somebody who acted. People of the vendor are not a tenant's to see by name.
    pub(crate) async fn person(&mut self, id: &PersonId) -> Result<ActorText, Refusal> {
        let unknown = || self.language.pick("サポート担当者", "the vendor's support").to_owned();
        let known = self.names.name(id).await?;
        Ok(known.map_or_else(|| ActorText::Other(unknown()), ActorText::Person))
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
        "device.moved" => {
            let name = |side: &str| detail[side]["name"].as_str().map(str::to_owned);
            match (name("before").zip(name("after")), language) {
                (Some((before, after)), Language::Ja) => {
                    Some(format!("「{before}」から「{after}」へ移しました"))
                }
                (Some((before, after)), Language::En) => Some(format!("Moved from “{before}” to “{after}”")),
                (None, _) => pick("別の店舗へ移しました", "Moved to another site"),
            }
        }
        "device.copy_suspected" => {
            pick("証明書がコピーされたおそれがあります", "The certificate is perhaps copied")
        }
        "device.copy_dismissed" => pick("コピーの疑いを確かめました", "Looked into a copied certificate"),
        "device.assigned" if detail["people"].as_array().is_some_and(Vec::is_empty) => {
            pick("使う人の限定をやめました（店舗の全員が使えます）", "For everybody at its site again")
        }
        "device.assigned" => pick("使える人を限りました", "For the people named alone"),
        "device.signed_out" => pick("サインアウトさせました", "Signed out"),
        "certificate.issued" => pick("証明書を発行しました", "Certificate issued"),
        "certificate.revoked" => pick("証明書を失効させました", "Certificate revoked"),
        "console.refused" => pick("操作が拒否されました", "An act was refused"),
        "loss_report.refused" => pick("紛失の届けが拒否されました", "A report of loss was refused"),
        _ => None,
    }
}
