//! The list of devices as a file for a spreadsheet. It is read and sent page by page, so that its length costs no memory and holds
//! no reading of the ledger open.

use crate::acting::ActingPage;
use crate::pages::devices::ListQuery;
use crate::service::ConsoleService;
use crate::words;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::io;
use tegata_core::policy::Platform;
use tegata_core::spreadsheet::neutralized;
use tegata_core::{Act, Language, Timestamp};
use tegata_storage::{DevicePage, LedgerDevice, ScopedLedger};
use tegata_web::{ReaderLanguage, WebResult};

/// Devices that are read at a time.
const PAGE: u32 = 500;

/// Excel reads UTF-8 where the file says so.
const MARK: &str = "\u{feff}";

/// What is still to be sent.
struct CsvRest {
    rows: ScopedLedger,
    page: DevicePage,
    language: Language,
    is_first: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    ActingPage(by): ActingPage,
    Query(asked): Query<ListQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::SeeDevices)?;
    let page = asked.page(&sight, by.at, PAGE)?;
    let rest = CsvRest { rows: sight.rows, page, language, is_first: true };
    let body = Body::from_stream(stream::unfold(Some(rest), next));
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"devices.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// A file that cannot be read to its end is cut off, and not ended as if it were whole.
async fn next(rest: Option<CsvRest>) -> Option<(io::Result<Bytes>, Option<CsvRest>)> {
    let mut rest = rest?;
    let (devices, end) = match rest.rows.device_page(&rest.page).await {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(%error, "a list of devices could not be read to its end");
            return Some((Err(io::Error::other("the list could not be read to its end")), None));
        }
    };
    let mut text = String::new();
    if std::mem::take(&mut rest.is_first) {
        text.push_str(MARK);
        text.push_str(&head(rest.language));
    }
    for device in &devices {
        text.push_str(&line(device, rest.language));
    }
    rest.page.after = end;
    let more = rest.page.after.is_some().then_some(rest);
    Some((Ok(text.into()), more))
}

fn head(language: Language) -> String {
    let names = match language {
        Language::Ja => [
            "会社",
            "店舗",
            "端末",
            "端末番号",
            "状態",
            "種類",
            "最後に使われた日時",
            "証明書の期限",
            "識別子",
        ],
        Language::En => [
            "company",
            "site",
            "device",
            "number",
            "state",
            "kind",
            "last seen",
            "certificate until",
            "identifier",
        ],
    };
    written(&names)
}

fn line(known: &LedgerDevice, language: Language) -> String {
    let device = &known.device;
    let time = |at: Option<Timestamp>| at.map(|at| at.whole_second().to_string()).unwrap_or_default();
    written(&[
        &device.tenant_name,
        &device.site_name,
        &device.label,
        &words::number(&device.id),
        words::state(device.effective_state(), language),
        Platform::name_of(known.platform, language),
        &time(known.seen_at),
        &time(known.ends_at),
        device.id.as_str(),
    ])
}

/// RFC 4180, and nothing that a spreadsheet calculates.
fn written(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| quoted(&neutralized(cell))).collect();
    format!("{}\r\n", cells.join(","))
}

fn quoted(cell: &str) -> String {
    let is_plain = !cell.contains(['"', ',', '\r', '\n']);
    if is_plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_commas_quotes_or_a_formula_stays_one_text() {
        assert_eq!(written(&["受付,1", "a\"b", "=1+1", "本店"]), "\"受付,1\",\"a\"\"b\",'=1+1,本店\r\n");
    }
}
