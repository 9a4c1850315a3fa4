//! Who could enter on a day, as a file for a spreadsheet: of one site, or of all that its reader sees. It is read and sent piece by
//! piece, as the list of devices is.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::csv;
use crate::entrances::AskedDay;
use crate::pages::entrances::EntranceQuery;
use crate::service::{ConsoleService, refusal};
use crate::words;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::stream;
use std::collections::VecDeque;
use std::io;
use tegata_core::policy::Platform;
use tegata_core::{Act, Language, Refusal};
use tegata_storage::{EntrancePage, ScopedLedger, Site};
use tegata_web::{ReaderLanguage, WebResult};

/// Devices that are looked at for one piece.
const PAGE: u32 = 500;

/// What is still to be sent, and to whom.
struct EntrancesRest {
    service: ConsoleService,
    by: Acting,
    rows: ScopedLedger,
    day: AskedDay,
    language: Language,
    sites: VecDeque<Site>,
    /// Where the first of the sites goes on.
    page: Option<EntrancePage>,
    is_first: bool,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(asked): Query<EntranceQuery>,
) -> WebResult<Response> {
    let day = AskedDay::parse(asked.date.as_deref(), by.at)?;
    let (tenant, site) = (asked.tenant()?, asked.site()?);
    let (sight, sites) = service.sites_of_entrances(&by, tenant.as_ref(), site.as_ref()).await?;
    service.note_export(&by, "entrances.csv").await?;
    let rest = EntrancesRest {
        service,
        by,
        rows: sight.rows,
        day,
        language,
        sites: sites.into(),
        page: None,
        is_first: true,
    };
    Ok(csv::file("entrances.csv", stream::unfold(Some(rest), next)))
}

/// A file whose reader was signed out meanwhile, or that cannot be read to its end, is cut off.
async fn next(rest: Option<EntrancesRest>) -> Option<(io::Result<Bytes>, Option<EntrancesRest>)> {
    let mut rest = rest?;
    match rest.piece().await {
        Ok(text) => {
            let more = (!rest.sites.is_empty()).then_some(rest);
            Some((Ok(text.into()), more))
        }
        Err(refusal) => {
            tracing::info!(code = refusal.code(), "a list of entrances ends before its time");
            Some((Err(io::Error::other("the list could not be sent to its end")), None))
        }
    }
}

impl EntrancesRest {
    async fn piece(&mut self) -> Result<String, Refusal> {
        self.service.sees_still(&self.by, Act::SeeDevices).await?;
        let mut text = String::new();
        if std::mem::take(&mut self.is_first) {
            text.push_str(csv::MARK);
            text.push_str(&head(self.language));
        }
        let Some(site) = self.sites.front().cloned() else { return Ok(text) };
        let of_site =
            || EntrancePage { site: site.id.clone(), within: self.day.within, after: None, limit: PAGE };
        let page = self.page.take().unwrap_or_else(of_site);
        let (entrances, end) = self.rows.entrances(&page).await.map_err(refusal)?;
        for one in &entrances {
            text.push_str(&csv::line(&[
                &self.day.text,
                &one.device.tenant_name,
                &site.name,
                &one.device.label,
                &words::number(&one.device.id),
                Platform::name_of(one.platform, self.language),
                &self.day.told(one, self.language),
                one.device.id.as_str(),
            ]));
        }
        match end {
            Some(end) => self.page = Some(EntrancePage { after: Some(end), ..page }),
            None => drop(self.sites.pop_front()),
        }
        Ok(text)
    }
}

fn head(language: Language) -> String {
    csv::line(&match language {
        Language::Ja => ["日付", "会社", "店舗", "端末", "端末番号", "種類", "使えた時間", "識別子"],
        Language::En => ["date", "company", "site", "device", "number", "kind", "could enter", "identifier"],
    })
}
