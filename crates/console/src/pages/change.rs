//! Who has confirmed a change of a device, while it happens and afterwards, and the sheet of an incident.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::confirmations::{Confirmations, known};
use crate::frame::Frame;
use crate::history::{ActorText, HistoryReader};
use crate::pages::device::DeviceView;
use crate::service::{ConsoleService, refusal};
use crate::words;
use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tegata_core::{Act, DeviceState, Language, Refusal};
use tegata_storage::{DeviceChange, LedgerDevice, ScopedLedger};
use tegata_web::japan_date::{moment, second};
use tegata_web::{ReaderLanguage, WebResult};
use tokio::sync::watch;
use tokio::time::sleep;

/// How often the ledger is looked at where another server waits for the confirmations, and how often at most.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 80;

#[derive(Template)]
#[template(path = "change.html")]
struct ChangePage {
    frame: Frame,
    device: DeviceView,
    change: ChangeView,
    /// What can be undone.
    may_resume: bool,
    seen: String,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentSheet {
    frame: Frame,
    title: &'static str,
    device: DeviceView,
    change: ChangeView,
    contact: Option<tegata_core::Contact>,
    printed: String,
}

/// A change as people read it.
struct ChangeView {
    event: u64,
    title: &'static str,
    at: String,
    by: ActorText,
    reason: Option<String>,
    ticket: Option<String>,
    lines: Vec<SurfaceLine>,
    is_over: bool,
    summary: String,
}

/// A kind of surface, and how soon it confirmed.
struct SurfaceLine {
    kind: String,
    name: &'static str,
    text: String,
    is_done: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(event): Path<u64>,
) -> WebResult<Response> {
    let (change, device, rows) = service.seen_change(&by, event).await?;
    let at = (&device.device.tenant, &device.device.site);
    let page = ChangePage {
        frame: Frame::of(&by, "", language),
        may_resume: device.device.state == DeviceState::Suspended && by.may(Act::ResumeDevice, at),
        seen: crate::acts::tag_of(&device.device),
        change: service.change_view(&by, &change, &rows, language).await?,
        device: DeviceView::of(&device, language),
    };
    Ok(service.page(language, page.change.title, &page).into_response())
}

pub(crate) async fn sheet(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(event): Path<u64>,
) -> WebResult<Response> {
    let (change, device, rows) = service.seen_change(&by, event).await?;
    let guidance = rows.guidance_of(&device.device.site).await.map_err(refusal)?;
    let page = IncidentSheet {
        frame: Frame::of(&by, "", language),
        title: match change.action.as_str() {
            "device.resumed" => language.pick("端末の停止を解除した記録", "Record of a device that goes on"),
            "device.revoked" => language.pick("端末を失効させた記録", "Record of a revoked device"),
            "device.moved" => {
                language.pick("端末を別の店舗へ移した記録", "Record of a device that was moved")
            }
            _ => language.pick("端末の停止の記録", "Record of a stopped device"),
        },
        change: service.change_view(&by, &change, &rows, language).await?,
        device: DeviceView::of(&device, language),
        contact: guidance.contact.or_else(|| service.contact.clone()),
        printed: moment(by.at, language),
    };
    Ok(service.page(language, page.title, &page).into_response())
}

/// Server-sent events (WHATWG HTML section 9.2): each tells all that is known by then; the last one says that it is over.
pub(crate) async fn stream(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    by: Acting,
    Path(event): Path<u64>,
) -> WebResult<Response> {
    let (change, _, rows) = service.seen_change(&by, event).await?;
    let from = match service.confirmations.watch(event) {
        Some(watching) if change.confirmed.is_none() => ChangeSource::Here(watching, Box::new(rows)),
        _ => ChangeSource::Kept(Box::new(rows), LOOKS),
    };
    let told = stream::unfold(Some((from, event)), move |from| next(from, language));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(told)).into_response())
}

/// Where confirmations are told.
enum ChangeSource {
    /// This server waits for them.
    Here(watch::Receiver<Confirmations>, Box<ScopedLedger>),
    /// Another server does, or nobody any more: they are in the ledger when the waiting is over.
    Kept(Box<ScopedLedger>, u32),
}

type Told = (Result<Bytes, Infallible>, Option<(ChangeSource, u64)>);

async fn next(from: Option<(ChangeSource, u64)>, language: Language) -> Option<Told> {
    let (mut source, event) = from?;
    loop {
        source = match source {
            ChangeSource::Here(mut watching, rows) => {
                let now = watching.borrow_and_update().clone();
                if now.is_over {
                    return Some((Ok(told(&now, language)), None));
                }
                if !now.surfaces.is_empty() && watching.has_changed().is_ok() {
                    // What was seen is told, and the next time something newer is waited for.
                    let told = told(&now, language);
                    let _ = watching.changed().await;
                    return Some((Ok(told), Some((ChangeSource::Here(watching, rows), event))));
                }
                match watching.changed().await {
                    Ok(()) => ChangeSource::Here(watching, rows),
                    Err(_) => ChangeSource::Kept(rows, LOOKS),
                }
            }
            // Nobody will say more: a page that asked again for ever would keep its session alive.
            ChangeSource::Kept(_, 0) => {
                let over = Confirmations { is_over: true, ..Confirmations::default() };
                return Some((Ok(told(&over, language)), None));
            }
            ChangeSource::Kept(rows, looks) => {
                let kept = rows.device_change(event).await.ok().flatten().and_then(|change| change.confirmed);
                let kept = kept.and_then(|text| serde_json::from_str::<Confirmations>(&text).ok());
                if let Some(kept) = kept {
                    return Some((Ok(told(&kept, language)), None));
                }
                sleep(LOOK).await;
                ChangeSource::Kept(rows, looks - 1)
            }
        };
    }
}

fn told(known: &Confirmations, language: Language) -> Bytes {
    let lines = lines(known, language);
    let lines: Vec<_> = lines
        .iter()
        .map(|line| json!({"kind": line.kind, "name": line.name, "text": line.text, "done": line.is_done}))
        .collect();
    let told = json!({"lines": lines, "over": known.is_over, "summary": summary(known, language)});
    format!("data: {told}\n\n").into()
}

impl ConsoleService {
    /// A change of a device that somebody may see.
    ///
    /// # Errors
    /// [`Refusal::DeviceUnknown`], and what keeps them from looking at all.
    pub(crate) async fn seen_change(
        &self,
        by: &Acting,
        event: u64,
    ) -> Result<(DeviceChange, LedgerDevice, ScopedLedger), Refusal> {
        let rows = self.sight(by, Act::SeeDevices)?.rows;
        let change = rows.device_change(event).await.map_err(refusal)?.ok_or(Refusal::DeviceUnknown)?;
        let (device, rows) = self.seen_device(by, &change.device).await?;
        Ok((change, device, rows))
    }

    async fn change_view(
        &self,
        by: &Acting,
        change: &DeviceChange,
        rows: &ScopedLedger,
        language: Language,
    ) -> Result<ChangeView, Refusal> {
        let by = HistoryReader::new(by, rows, language).author(&change.by).await?;
        let known = known(&self.confirmations, change);
        Ok(ChangeView {
            event: change.event,
            title: match change.action.as_str() {
                "device.resumed" => language.pick("停止を解除しました", "It goes on"),
                "device.revoked" => language.pick("失効させました", "It is revoked"),
                "device.moved" => language.pick("別の店舗へ移しました", "It was moved"),
                _ => language.pick("止めました", "It is stopped"),
            },
            at: second(change.at, language),
            by,
            reason: change.reason.clone(),
            ticket: change.ticket.clone(),
            lines: lines(&known, language),
            is_over: known.is_over,
            summary: summary(&known, language),
        })
    }
}

fn lines(known: &Confirmations, language: Language) -> Vec<SurfaceLine> {
    let line = |surface: &crate::confirmations::ConfirmedSurface| {
        let time = surface.milliseconds.map_or_else(String::new, |milliseconds| format!("{milliseconds} ms"));
        let count = if surface.of == 1 && surface.kind != "gate" {
            String::new()
        } else {
            format!("{}/{} ", surface.confirmed, surface.of)
        };
        let is_done = surface.confirmed == surface.of;
        let silent = if surface.silent > 0 {
            language.pick("（応答のないサーバーは、だれも通しません）", " (a silent server lets nobody in)")
        } else {
            ""
        };
        let missing = match (is_done, known.is_over) {
            (true, _) => "",
            (false, false) => language.pick("確認中", " waiting"),
            (false, true) => language.pick("確認できていません", " not confirmed"),
        };
        SurfaceLine {
            kind: surface.kind.clone(),
            name: words::surface(&surface.kind, language),
            text: format!("{count}{time}{missing}{silent}"),
            is_done,
        }
    };
    known.surfaces.iter().map(line).collect()
}

fn summary(known: &Confirmations, language: Language) -> String {
    match (known.is_over, known.slowest()) {
        (false, _) => language
            .pick("すべてのサービスの確認を待っています…", "Waiting for every service to confirm…")
            .to_owned(),
        (true, Some(slowest)) => match language {
            Language::Ja => format!("{slowest} ミリ秒で、すべてのサービスが確認しました。"),
            Language::En => format!("Every service has confirmed it within {slowest} ms."),
        },
        (true, None) => language
            .pick(
                "変更は記録されました。まだ確認できていないサービスがあります。",
                "The change is recorded. Some services have not confirmed it.",
            )
            .to_owned(),
    }
}
