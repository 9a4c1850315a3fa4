//! A company's own audit log as a file for a spreadsheet, in sentences and with each entry's number. It is sent piece by piece.
//! Whoever needs the entries as they were hashed takes `tegata audit export`.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::csv;
use crate::service::{ConsoleService, refusal};
use crate::trail::{TrailQuery, TrailReader};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::stream;
use std::io;
use tegata_core::{Act, Language, Refusal};
use tegata_storage::{ScopedLedger, TrailPage};
use tegata_web::{ReaderLanguage, WebResult};

/// Entries that are read for one piece.
const PAGE: u32 = 500;

/// What is still to be sent, and to whom.
struct TrailRest {
    service: ConsoleService,
    by: Acting,
    rows: ScopedLedger,
    page: TrailPage,
    language: Language,
    is_first: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(asked): Query<TrailQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::ExportAudit)?;
    let page = asked.page(&by, &sight, PAGE)?.ok_or(Refusal::RequestMalformed)?;
    service.note_export(&by, "trail.csv").await?;
    let rest = TrailRest { service, by, rows: sight.rows, page, language, is_first: true };
    Ok(csv::file("trail.csv", stream::unfold(Some(rest), next)))
}

/// A file whose reader was signed out meanwhile, or that cannot be read to its end, is cut off.
async fn next(rest: Option<TrailRest>) -> Option<(io::Result<Bytes>, Option<TrailRest>)> {
    let mut rest = rest?;
    match rest.piece().await {
        Ok((text, is_last)) => Some((Ok(text.into()), (!is_last).then_some(rest))),
        Err(refusal) => {
            tracing::info!(code = refusal.code(), "an audit log ends before its time");
            Some((Err(io::Error::other("the log could not be sent to its end")), None))
        }
    }
}

impl TrailRest {
    async fn piece(&mut self) -> Result<(String, bool), Refusal> {
        self.service.sees_still(&self.by, Act::ExportAudit).await?;
        let mut text = String::new();
        if std::mem::take(&mut self.is_first) {
            text.push_str(csv::MARK);
            text.push_str(&head(self.language));
        }
        let found = self.rows.trail(&self.page).await.map_err(refusal)?;
        let mut reader = TrailReader::new(&self.by, &self.rows, self.language);
        for entry in &found.entries {
            let told = reader.line(entry).await?;
            let (device, label) = told.device.unwrap_or_default();
            let text_of = |one: Option<&dyn ToString>| one.map(ToString::to_string).unwrap_or_default();
            text.push_str(&csv::line(&[
                &entry.seq.to_string(),
                &csv::time(entry.at),
                &told.line.what,
                &label,
                &told.label.unwrap_or_default(),
                &text_of(told.person.as_ref().map(|one| one as &dyn ToString)),
                &text_of(told.line.by.as_ref().map(|one| one as &dyn ToString)),
                &told.line.note.unwrap_or_default(),
                &told.line.call.unwrap_or_default(),
                &device,
            ]));
        }
        self.page.before = found.next;
        Ok((text, found.next.is_none()))
    }
}

fn head(language: Language) -> String {
    csv::line(&match language {
        Language::Ja => [
            "番号",
            "日時（日本時間）",
            "内容",
            "端末",
            "対象",
            "利用者",
            "操作した人",
            "メモ",
            "用件",
            "端末の識別子",
        ],
        Language::En => [
            "number",
            "time (Japan)",
            "what",
            "device",
            "for",
            "person",
            "by",
            "note",
            "call",
            "device identifier",
        ],
    })
}
