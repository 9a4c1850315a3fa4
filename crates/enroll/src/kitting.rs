//! Kitting over HTTP: the page for enrolling many devices in a row, and its API.

use crate::api_refusals::{CSR, INVITATION, ISSUER, KITTING, POLICY};
use crate::enrolled::{EnrollmentResponse, NO_STORE};
use crate::enrollment_service::EnrollmentService;
use crate::refusal_explanation::number as device_number;
use crate::serving::Serving;
use crate::shown_code::ShownCode;
use crate::submitted_csr::SubmittedCsr;
use crate::waiting;
use crate::waiting::ApprovalPendingResponse;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::{
    Contact, DeviceId, DeviceState, Language, Name, NotAName, Platform, Refusal, Role, Thumbprint, Timestamp,
};
use tegata_storage::{Kitting, KittingPlace};
use tegata_web::api::{
    BODY, ContactSchema, DeviceStateSchema, PlatformSchema, REQUEST, ThumbprintSchema, WRITING,
};
use tegata_web::qr::qr_svg;
use tegata_web::{HtmlPage, Problem, ReaderLanguage, StrictJson, WebResult};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes(service: EnrollmentService) -> Router {
    api().split_for_parts().0.route("/kitting", get(page)).with_state(service)
}

/// The part of the portal's API.
pub(crate) fn api() -> OpenApiRouter<EnrollmentService> {
    OpenApiRouter::new().routes(routes!(open)).routes(routes!(enroll)).routes(routes!(deliver))
}

tegata_web::refusals! {
    OpenKittingRefusals = REQUEST, BODY, INVITATION, KITTING, ISSUER
}

tegata_web::refusals! {
    KittingRefusals = REQUEST, BODY, INVITATION, KITTING, POLICY, CSR, ISSUER, WRITING
}

tegata_web::refusals! {
    KittingDeliveryRefusals = REQUEST, BODY, INVITATION, KITTING, WRITING
}

/// `POST {portal}/api/v1/kitting/open`. The code is a secret: it travels in a body, never in a URL.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenKittingRequest {
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
}

/// What a kitting code is for, and how far it is.
#[derive(Serialize, ToSchema)]
struct OpenKittingResponse {
    tenant: String,
    site: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// How many devices it is for.
    places: u32,
    /// How many it has made.
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
    #[schema(value_type = Option<ContactSchema>)]
    contact: Option<Contact>,
}

/// A device that the code has made.
#[derive(Serialize, ToSchema)]
struct KittedDeviceView {
    number: u32,
    label: String,
    /// Nothing while its certificate is being made.
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// What support types to find it.
    device_number: Option<String>,
    #[schema(value_type = Option<DeviceStateSchema>)]
    state: Option<DeviceState>,
    /// Whether somebody has to approve of it first.
    waits: bool,
    in_use: bool,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// The body of `POST {portal}/api/v1/kitting/enrollments`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KittingEnrollmentRequest {
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
    /// A PKCS#10 request: base64 of its DER, which has at most 8 KiB.
    #[schema(value_type = String, content_encoding = "base64")]
    csr: SubmittedCsr,
    /// Such as the asset number that a scanner reads from the device.
    label: Option<String>,
    /// What the device is, where its page or program knows better than its `User-Agent`.
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
}

#[derive(Serialize, ToSchema)]
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
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KittingDeliveryRequest {
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
    #[schema(value_type = ThumbprintSchema)]
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
/// What a kitting code is for, and what it has made.
///
/// A kitting code enrolls many devices of one site in a row (`tegata invite --kitting`).
#[utoipa::path(post, path = "/api/v1/kitting/open", operation_id = "openKitting", request_body = OpenKittingRequest,
    responses((status = OK, description = "The batch", body = OpenKittingResponse), OpenKittingRefusals))]
async fn open(
    Serving(service): Serving,
    StrictJson(body): StrictJson<OpenKittingRequest>,
) -> WebResult<impl IntoResponse> {
    let (kitting, places) = service.open_kitting(&body.code).await?;
    let contact = service.guidance(&kitting.site).await.contact;
    let code = body.code.reveal().ok_or(Refusal::InvitationUnknown)?;
    Ok((NO_STORE, Json(opened(&service, kitting, places, &code, contact)?)))
}
/// From a kitting code to the certificate of one more device.
///
/// Never more than the code admits (I-30). The same key may come again while the code lives, and gets the same certificate. Two
/// devices of a batch are not called the same (I-31). Where somebody has to approve, the same request is sent again until the
/// answer is another.
#[utoipa::path(post, path = "/api/v1/kitting/enrollments", operation_id = "enrollKitting", request_body = KittingEnrollmentRequest,
    responses((status = CREATED, description = "The certificate", body = KittingEnrollmentResponse),
        (status = ACCEPTED, description = "Somebody has to approve first: send the same request again after `retry_after` seconds", body = ApprovalPendingResponse), KittingRefusals))]
async fn enroll(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<KittingEnrollmentRequest>,
) -> WebResult<Response> {
    let service = service.calling_itself(body.platform);
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
/// Notes that a certificate has arrived.
///
/// With the code that it was obtained with.
#[utoipa::path(post, path = "/api/v1/kitting/deliveries", operation_id = "deliverKitting", request_body = KittingDeliveryRequest,
    responses((status = NO_CONTENT, description = "Noted"), KittingDeliveryRefusals))]
async fn deliver(
    Serving(service): Serving,
    StrictJson(body): StrictJson<KittingDeliveryRequest>,
) -> WebResult<StatusCode> {
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
