//! The list of devices as a file for a spreadsheet. It is read and sent page by page, so that its length costs no memory and holds
//! no reading of the ledger open. Before each page it is asked whether its reader may still see it.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::csv;
use crate::pages::devices::ListQuery;
use crate::service::ConsoleService;
use crate::words;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::stream;
use std::io;
use tegata_core::policy::Platform;
use tegata_core::{Act, Language, Timestamp};
use tegata_storage::{DevicePage, LedgerDevice, ScopedLedger};
use tegata_web::{ReaderLanguage, WebResult};

/// Devices that are read at a time.
const PAGE: u32 = 500;

/// What is still to be sent, and to whom.
struct DevicesRest {
    service: ConsoleService,
    by: Acting,
    rows: ScopedLedger,
    page: DevicePage,
    language: Language,
    is_first: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(asked): Query<ListQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::SeeDevices)?;
    let page = asked.page(&sight, by.at, PAGE)?;
    service.note_export(&by, "devices.csv").await?;
    let rest = DevicesRest { service, by, rows: sight.rows, page, language, is_first: true };
    Ok(csv::file("devices.csv", stream::unfold(Some(rest), next)))
}

/// A file that cannot be read to its end is cut off, and not ended as if it were whole; so is one whose reader was signed out
/// meanwhile, or may see less now.
async fn next(rest: Option<DevicesRest>) -> Option<(io::Result<Bytes>, Option<DevicesRest>)> {
    let mut rest = rest?;
    if let Err(refusal) = rest.service.sees_still(&rest.by, Act::SeeDevices).await {
        tracing::info!(code = refusal.code(), "a list of devices ends with the right to see it");
        return Some((Err(io::Error::other("the right to see the list has ended")), None));
    }
    let (devices, end) = match rest.rows.device_page(&rest.page).await {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(%error, "a list of devices could not be read to its end");
            return Some((Err(io::Error::other("the list could not be read to its end")), None));
        }
    };
    let mut text = String::new();
    if std::mem::take(&mut rest.is_first) {
        text.push_str(csv::MARK);
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
            "最後に使われた日時（日本時間）",
            "証明書の期限（日本時間）",
            "識別子",
        ],
        Language::En => [
            "company",
            "site",
            "device",
            "number",
            "state",
            "kind",
            "last seen (Japan)",
            "certificate until (Japan)",
            "identifier",
        ],
    };
    csv::line(&names)
}

fn line(known: &LedgerDevice, language: Language) -> String {
    let device = &known.device;
    let time = |at: Option<Timestamp>| at.map(csv::time).unwrap_or_default();
    csv::line(&[
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
