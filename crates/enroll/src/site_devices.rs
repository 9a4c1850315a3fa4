//! The devices of a shop, as one of them shows it, and the report that another one is lost.
//!
//! Who stands before the device is not known here: the certificate of the device is the right, and what can be done with
//! it is small, reversible and bounded. Once people sign in, the same page is theirs.

use crate::device_page::refuse;
use crate::enrollment_service::EnrollmentService;
use crate::refusal_explanation::number;
use crate::serving::Serving;
use crate::sighting::note_platform;
use askama::Template;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::policy::Platform;
use tegata_core::{Contact, DeviceId, DeviceState, Language, Refusal, Timestamp};
use tegata_storage::{Actor, CertificateHolder, LedgerError, LossReports, ReceiptWait, SiteDevice};
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use tegata_web::japan_date::{day, moment};
use tegata_web::{HtmlPage, Presented, ReaderLanguage, StrictJson, WebResult};
use utoipa::ToSchema;

/// How long a report waits for the receipts of those who have to refuse the device from now on.
const PROOF: Duration = Duration::from_secs(4);

#[derive(Template)]
#[template(path = "shop.html")]
struct SitePage {
    language: Language,
    tenant: String,
    site: String,
    devices: Vec<SiteDeviceView>,
    takes_reports: bool,
    contact: Option<Contact>,
}

struct SiteDeviceView {
    id: String,
    label: String,
    number: String,
    platform: &'static str,
    state: &'static str,
    is_at_work: bool,
    is_this: bool,
    since: String,
    seen: String,
}

tegata_web::refusals! {
    LossRefusals = REQUEST, BODY, CALLER, WRITING, &[
        Refusal::NotADevice,
        Refusal::DeviceNotHere,
        Refusal::DeviceStopped,
        Refusal::TooManyLossReports,
        Refusal::LossReportsOff,
        Refusal::OwnDevice,
    ]
}

/// The body of `POST {device}/api/v1/loss-reports`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossReportRequest {
    #[schema(value_type = String)]
    device: DeviceId,
    /// Whoever reports the device in hand has to say so.
    #[serde(default)]
    own: bool,
}

/// The device is suspended, durably, and so many of those who have to know have said that they do.
#[derive(Serialize, ToSchema)]
pub(crate) struct LossReportResponse {
    #[schema(value_type = String)]
    device: DeviceId,
    /// What support types to find it.
    number: String,
    /// The event of the feed that stopped it.
    event: u64,
    #[schema(value_type = String, format = DateTime)]
    stopped_at: Timestamp,
    #[serde(flatten)]
    proof: LossReceipt,
}

#[derive(Serialize, ToSchema)]
struct LossReceipt {
    /// Surfaces of servers, and gates, that have to refuse the device.
    surfaces: usize,
    /// Those of them that refuse the device already.
    confirmed: usize,
    /// When the last of them did; nothing until all have.
    #[schema(value_type = Option<String>, format = DateTime)]
    proved_at: Option<Timestamp>,
}

/// Serves `GET {device}/shop`, the page that lists the devices of a site.
pub(crate) async fn get(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    headers: HeaderMap,
) -> Response {
    let shown = match service.context.device(certificate.as_ref(), service.now()).await {
        Ok(facts) => show(&service, &facts, &headers, language).await,
        Err(refusal) => Err(refusal),
    };
    match shown {
        Ok(shop) => {
            let title = language.pick("この店舗の端末", "Devices of this site");
            let page = HtmlPage::new(language, title, &shop).contact(shop.contact.as_ref());
            page.script("/assets/shop.js").into_response()
        }
        Err(refusal) => refuse(&service, certificate.as_ref(), refusal, language).await,
    }
}
/// Stops a device of the same site that was lost.
///
/// The device is suspended at once; support alone undoes that. Two reports a device and day. Devices of other sites, other
/// tenants and none at all get the same refusal (D-01).
#[utoipa::path(post, path = "/api/v1/loss-reports", operation_id = "reportLost", request_body = LossReportRequest,
    responses((status = OK, description = "It is suspended, durably", body = LossReportResponse), LossRefusals))]
pub(crate) async fn report(
    Serving(service): Serving,
    Presented(certificate): Presented,
    StrictJson(body): StrictJson<LossReportRequest>,
) -> WebResult<Json<LossReportResponse>> {
    let facts = service.context.device(certificate.as_ref(), service.now()).await?;
    Ok(Json(service.report_lost(&facts, &body).await?))
}

impl EnrollmentService {
    async fn report_lost(
        &self,
        facts: &CertificateHolder,
        report: &LossReportRequest,
    ) -> Result<LossReportResponse, Refusal> {
        let now = self.now();
        let refused = async |refusal| {
            let actor = Actor::Device(facts.device.clone());
            self.note_refusal("loss_report.refused", actor, Some(facts.device.clone()), refusal, now).await
        };
        if report.device == facts.device && !report.own {
            return Err(refused(Refusal::OwnDevice).await);
        }
        let wait = self.context.ledger.receipt_wait(now).await?;
        match self.suspend_lost(facts, &report.device, now).await {
            Ok(event) => Ok(LossReportResponse {
                device: report.device.clone(),
                number: number(&report.device),
                event,
                stopped_at: now,
                proof: self.proof(wait, event, now).await,
            }),
            Err(LedgerError::Refused(refusal)) => Err(refused(refusal).await),
            Err(error) => Err(error.into()),
        }
    }

    async fn suspend_lost(
        &self,
        facts: &CertificateHolder,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<u64, LedgerError> {
        let mut transaction = self.own_rows(facts).begin(now).await?;
        let event = transaction.report_lost(&facts.device, device).await?;
        transaction.commit().await?;
        Ok(event)
    }

    /// Waits for the receipts. What cannot be read is not proved; the suspension holds all the same.
    async fn proof(&self, wait: ReceiptWait, event: u64, now: Timestamp) -> LossReceipt {
        let seen = async { wait.committed(event, now).await?.wait(PROOF, |_, _| {}).await }.await;
        let receipts = match seen {
            Ok(receipts) => receipts,
            Err(error) => {
                tracing::warn!(%error, "who has confirmed a report of loss is not known");
                return LossReceipt { surfaces: 0, confirmed: 0, proved_at: None };
            }
        };
        let confirmed_at: Vec<_> = receipts.iter().filter_map(|receipt| receipt.confirmed_at(now)).collect();
        let is_complete = confirmed_at.len() == receipts.len();
        let last = confirmed_at.iter().copied().max().unwrap_or(now).max(now);
        LossReceipt {
            surfaces: receipts.len(),
            confirmed: confirmed_at.len(),
            proved_at: is_complete.then_some(last),
        }
    }
}

async fn show(
    service: &EnrollmentService,
    facts: &CertificateHolder,
    headers: &HeaderMap,
    language: Language,
) -> Result<SitePage, Refusal> {
    let rows = service.own_rows(facts);
    let platform = note_platform(service, facts, headers);
    let device = service.device(facts).await?;
    let neighbors = rows.devices_of_site(&facts.site).await?;
    let takes = rows.loss_reports(&facts.tenant).await?;
    let own = |neighbor: SiteDevice| {
        let is_this = neighbor.id == facts.device;
        let now = service.now();
        // What this very request says of it is not written down yet.
        let fresh = SiteDevice { platform: Some(platform), seen_at: Some(now), ..neighbor.clone() };
        shown(if is_this { fresh } else { neighbor }, is_this, language)
    };
    Ok(SitePage {
        language,
        tenant: device.tenant_name,
        site: device.site_name,
        devices: neighbors.into_iter().map(own).collect(),
        takes_reports: takes == LossReports::On,
        contact: service.guidance(&facts.site).await.contact,
    })
}

fn shown(neighbor: SiteDevice, is_this: bool, language: Language) -> SiteDeviceView {
    let is_at_work = neighbor.state == DeviceState::Active;
    SiteDeviceView {
        number: number(&neighbor.id),
        id: neighbor.id.to_string(),
        label: neighbor.label,
        platform: Platform::name_of(neighbor.platform, language),
        state: match neighbor.state {
            DeviceState::Active => language.pick("使えます", "In use"),
            DeviceState::Suspended => language.pick("一時停止中", "Suspended"),
            DeviceState::Revoked | DeviceState::Retired => language.pick("停止済み", "Stopped"),
        },
        is_at_work,
        is_this,
        since: if is_at_work { String::new() } else { moment(neighbor.changed_at, language) },
        seen: neighbor.seen_at.map_or_else(
            || language.pick("まだ使われていません", "Not used yet").to_owned(),
            |at| day(at, language),
        ),
    }
}
