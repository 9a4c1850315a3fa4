//! Kitting over HTTP: the page for enrolling many devices in a row, and its API.

use crate::enrolled::{EnrollmentResponse, NO_STORE};
use crate::enrollment_service::EnrollmentService;
use crate::refusal_explanation::number as device_number;
use crate::requester::Requester;
use crate::waiting;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::{
    Contact, DeviceId, DeviceState, Language, Name, NotAName, Platform, Refusal, Role, Thumbprint, Timestamp,
};
use tegata_storage::{Kitting, KittingPlace};
use tegata_web::qr::qr_svg;
use tegata_web::{HtmlPage, Problem, ReaderLanguage, StrictJson, WebResult};

pub(crate) fn routes(service: EnrollmentService) -> Router {
    Router::new()
        .route("/kitting", get(page))
        .route("/api/v1/kitting/open", post(open))
        .route("/api/v1/kitting/enrollments", post(enroll))
        .route("/api/v1/kitting/deliveries", post(deliver))
        .with_state(service)
}

/// `POST {portal}/api/v1/kitting/open`. The code is a secret: it travels in a body, never in a URL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenKittingRequest {
    code: String,
}

/// What a kitting code is for, and how far it is.
#[derive(Serialize)]
struct OpenKittingResponse {
    tenant: String,
    site: String,
    expires_at: Timestamp,
    places: u32,
    taken: u32,
    /// What the next device is called, by default.
    next_label: String,
    subject: String,
    /// Kinds of keys that a request may bring, the best first.
    keys: Vec<String>,
    device_origin: String,
    probe_pattern: String,
    /// The link as an SVG, for the camera of the next device.
    qr: String,
    /// The page where a device sees its own certificate, as an SVG: for the label on the device. No secret.
    device_page_qr: String,
    devices: Vec<KittedDeviceView>,
    /// Whom a person at the device may call.
    contact: Option<Contact>,
}

/// A device that the code has made.
#[derive(Serialize)]
struct KittedDeviceView {
    number: u32,
    label: String,
    /// Nothing while its certificate is being made.
    device: Option<DeviceId>,
    /// What support types to find it.
    device_number: Option<String>,
    state: Option<DeviceState>,
    /// Whether somebody has to approve of it first.
    waits: bool,
    in_use: bool,
    at: Timestamp,
}

/// The body of `POST {portal}/api/v1/kitting/enrollments`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KittingEnrollmentRequest {
    code: String,
    csr: String,
    /// Such as the asset number that a scanner reads from the device.
    label: Option<String>,
    /// What the device is, where its page or program knows better than its `User-Agent`.
    platform: Option<Platform>,
}

#[derive(Serialize)]
struct KittingEnrollmentResponse {
    #[serde(flatten)]
    enrolled: EnrollmentResponse,
    number: u32,
    label: String,
    device_number: String,
    places: u32,
    taken: u32,
}

/// The body of `POST {portal}/api/v1/kitting/deliveries`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KittingDeliveryRequest {
    code: String,
    thumbprint: String,
}

#[derive(Template)]
#[template(path = "kitting.html")]
struct KittingPage<'a> {
    language: Language,
    device_url: &'a str,
    contact: Option<&'a Contact>,
}

async fn page(
    State(service): State<EnrollmentService>,
    ReaderLanguage(language): ReaderLanguage,
) -> HtmlPage {
    let contact = service.contact.as_ref();
    let body = KittingPage { language, device_url: &service.context.addresses.device, contact };
    HtmlPage::new(language, language.pick("まとめて登録する", "Set up many devices"), &body)
        .contact(contact)
        .script("/assets/kitting.js")
        .asking(&service.context.addresses.probes)
}

async fn open(
    State(service): State<EnrollmentService>,
    requester: Requester,
    StrictJson(body): StrictJson<OpenKittingRequest>,
) -> WebResult<impl IntoResponse> {
    let service = service.serving(requester);
    let (kitting, places) = service.open_kitting(&body.code).await?;
    let contact = service.guidance(&kitting.site).await.contact;
    Ok((NO_STORE, Json(opened(&service, kitting, places, &body.code, contact)?)))
}

async fn enroll(
    State(service): State<EnrollmentService>,
    requester: Requester,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<KittingEnrollmentRequest>,
) -> WebResult<Response> {
    let service = service.serving(requester.calling_itself(body.platform));
    let label = match Name::label(body.label.as_deref().unwrap_or_default()) {
        Ok(label) => Some(label),
        Err(NotAName::Empty) => None,
        Err(unfit) => return Err(Problem::with_detail(Refusal::LabelUnfit, unfit.text(language))),
    };
    let made = match service.enroll_kitting(&body.code, &body.csr, label.as_ref()).await {
        Ok(made) => made,
        Err(Refusal::ApprovalPending) => {
            return Ok(waiting::answer(service.waiting_in_kitting(&body.code, &body.csr).await?));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let kitted = KittingEnrollmentResponse {
        device_number: device_number(&made.handed_over.issued.device),
        enrolled: EnrollmentResponse::new(&service, made.handed_over)?,
        number: made.number,
        label: made.label,
        places: made.kitting.places,
        taken: made.kitting.taken,
    };
    Ok((StatusCode::CREATED, NO_STORE, Json(kitted)).into_response())
}

async fn deliver(
    State(service): State<EnrollmentService>,
    requester: Requester,
    StrictJson(body): StrictJson<KittingDeliveryRequest>,
) -> WebResult<StatusCode> {
    let service = service.serving(requester);
    let thumbprint = Thumbprint::parse(&body.thumbprint).ok_or(Refusal::RequestMalformed)?;
    service.deliver_kitting(&body.code, &thumbprint).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn opened(
    service: &EnrollmentService,
    kitting: Kitting,
    places: Vec<KittingPlace>,
    code: &str,
    contact: Option<Contact>,
) -> Result<OpenKittingResponse, Refusal> {
    let addresses = &service.context.addresses;
    let next_label = kitting.label_of(places.last().map_or(0, |place| place.number) + 1);
    // No device's name says who it is before it is one.
    let nobody = DeviceId::random(service.context.entropy.as_ref());
    let subject =
        service.common_name(&kitting.tenant, Role::Device, &nobody, &kitting.site_name, &next_label)?;
    let qr = |text: &str| qr_svg(text).ok_or(Refusal::RequestMalformed);
    Ok(OpenKittingResponse {
        contact,
        keys: service.key_kinds(&kitting.tenant, Role::Device)?,
        tenant: kitting.tenant_name,
        site: kitting.site_name,
        expires_at: kitting.expires_at,
        places: kitting.places,
        taken: kitting.taken,
        next_label,
        subject,
        device_origin: addresses.device.clone(),
        probe_pattern: addresses.probes.pattern(),
        qr: qr(&format!("{}/kitting#{code}", addresses.portal))?,
        device_page_qr: qr(&format!("{}/", addresses.device))?,
        devices: places.into_iter().map(KittedDeviceView::from).collect(),
    })
}

impl From<KittingPlace> for KittedDeviceView {
    fn from(place: KittingPlace) -> Self {
        Self {
            number: place.number,
            label: place.label,
            device_number: place.device.as_ref().map(device_number),
            device: place.device,
            state: place.device_state,
            waits: place.waits,
            in_use: place.in_use,
            at: place.taken_at,
        }
    }
}
