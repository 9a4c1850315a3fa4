//! The JSON API of enrollment and renewal.

use crate::enrolled::{EnrollmentResponse, NO_STORE};
use crate::enrollment_service::EnrollmentService;
use crate::renewal_token::RenewalTokenRequest;
use crate::requester::Requester;
use crate::ticket::{TicketPurpose, TicketRight};
use crate::waiting;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tegata_core::{Contact, DeviceId, Platform, ProductLink, Refusal, Role, Thumbprint, Timestamp};
use tegata_storage::Actor;
use tegata_web::qr::qr_svg;
use tegata_web::{CertificateReselection, Presented, ReaderLanguage, StrictJson, WebResult};

/// `POST {portal}/api/v1/invitations/open`. The code is a secret: it travels in a body, never in a URL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenInvitationRequest {
    code: String,
    /// Also one that was used for a device which was never at work: to make another key for it.
    #[serde(default)]
    replace: bool,
}

/// For whom an invitation is, so that the person can see it before using it.
#[derive(Serialize)]
pub(crate) struct OpenInvitationResponse {
    tenant: String,
    site: String,
    label: String,
    role: Role,
    expires_at: Timestamp,
    subject: String,
    /// Kinds of keys that a request may bring, the best first.
    keys: Vec<String>,
    device_origin: String,
    /// Whether somebody has to approve of the device.
    approval: bool,
    /// Whether profiles may lead to SCEP.
    scep: bool,
    probe_pattern: String,
    /// The link as an SVG, for a tablet that reads it from this screen.
    qr: String,
    /// Shows how far the device is, for whoever waits.
    progress: String,
    /// Whom a person at the device may call.
    contact: Option<Contact>,
    /// Where to go on once the certificate works.
    product: Option<ProductLink>,
}

/// The body of `POST {portal}/api/v1/enrollments`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrollmentRequest {
    code: String,
    csr: String,
    /// What the device is, where its page or program knows better than its `User-Agent`.
    platform: Option<Platform>,
    /// Whether this key takes the place of one that was lost before the device was ever used.
    #[serde(default)]
    replace: bool,
}

/// The body of `POST {device}/api/v1/renewals`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewalRequest {
    csr: String,
    /// Nobody gets a token who did not ask for one.
    token: Option<RenewalTokenRequest>,
    /// Whether its name says until when it is good: for a person who chooses between it and the one before.
    #[serde(default)]
    name_until: bool,
}

/// The next certificate, and the token that was wished for, or why there is none.
#[derive(Serialize)]
pub(crate) struct RenewalResponse {
    #[serde(flatten)]
    enrolled: EnrollmentResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_error: Option<Value>,
}

/// The body of `POST {portal}/api/v1/deliveries`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitedDeliveryRequest {
    code: Option<String>,
    /// Instead of the code, which a person may have typed and which may be over by now.
    approval: Option<String>,
    thumbprint: String,
}

/// The body of `POST {device}/api/v1/deliveries`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryRequest {
    thumbprint: String,
}

pub(crate) async fn open(
    State(service): State<EnrollmentService>,
    requester: Requester,
    StrictJson(body): StrictJson<OpenInvitationRequest>,
) -> WebResult<impl IntoResponse> {
    let service = service.serving(requester);
    let invitation = service.find(&body.code).await?;
    if let Err(refusal) = service.admit(&invitation, body.replace).await {
        return Err(service.problem_at(&invitation.site, refusal).await);
    }
    let guidance = service.guidance(&invitation.site).await;
    let addresses = &service.context.addresses;
    // The device's identifier is not known yet; no profile of a device names it.
    let nobody = DeviceId::random(service.context.entropy.as_ref());
    let subject = service.common_name(
        &invitation.tenant,
        invitation.role,
        &nobody,
        &invitation.site_name,
        &invitation.label,
    )?;
    let opened = OpenInvitationResponse {
        approval: invitation.role == Role::Device && invitation.policies.need_approval(),
        progress: service
            .give_ticket(TicketPurpose::Progress, TicketRight::Invitation(invitation.id))
            .await?,
        keys: service.key_kinds(&invitation.tenant, invitation.role)?,
        tenant: invitation.tenant_name,
        site: invitation.site_name,
        label: invitation.label,
        role: invitation.role,
        expires_at: invitation.expires_at,
        subject,
        device_origin: addresses.device.clone(),
        scep: service.scep,
        probe_pattern: addresses.probes.pattern(),
        contact: guidance.contact,
        product: guidance.product,
        qr: qr_svg(&format!("{}/enroll#{}", addresses.portal, body.code)).ok_or(Refusal::RequestMalformed)?,
    };
    Ok((NO_STORE, Json(opened)))
}

pub(crate) async fn enroll(
    State(service): State<EnrollmentService>,
    requester: Requester,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<EnrollmentRequest>,
) -> WebResult<Response> {
    let service = service.serving(requester.calling_itself(body.platform));
    match service.enroll(&body.code, &body.csr, body.replace).await {
        Ok(handed_over) => EnrollmentResponse::answer(&service, handed_over),
        Err(refusal) => waiting::told(&service, &body.code, &body.csr, refusal, language).await,
    }
}

pub(crate) async fn renew(
    State(service): State<EnrollmentService>,
    Presented(certificate): Presented,
    StrictJson(body): StrictJson<RenewalRequest>,
) -> WebResult<impl IntoResponse> {
    let old = service.renewing(certificate.as_ref()).await?;
    let enrolled = EnrollmentResponse::new(&service, service.renew(&old, &body.csr, body.name_until).await?)?;
    // The certificate is issued: whatever becomes of the token, it is handed over.
    let given = match &body.token {
        Some(wish) => Some(token_for(&service, &enrolled.thumbprint, wish).await),
        None => None,
    };
    let (token, token_error) = match given {
        Some(Ok(token)) => (Some(token), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    Ok((StatusCode::CREATED, NO_STORE, Json(RenewalResponse { enrolled, token, token_error })))
}

pub(crate) async fn deliver_invited(
    State(service): State<EnrollmentService>,
    requester: Requester,
    StrictJson(body): StrictJson<InvitedDeliveryRequest>,
) -> WebResult<StatusCode> {
    let service = service.serving(requester);
    check_thumbprint(&body.thumbprint)?;
    let invitation = match (&body.code, &body.approval) {
        (Some(code), None) => service.find(code).await?,
        (None, Some(approval)) => service.approval(approval).await?.1,
        _ => return Err(Refusal::RequestMalformed.into()),
    };
    service.deliver_invited(invitation, &body.thumbprint).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn deliver(
    State(service): State<EnrollmentService>,
    Presented(certificate): Presented,
    StrictJson(body): StrictJson<DeliveryRequest>,
) -> WebResult<StatusCode> {
    let caller = service.context.caller(certificate.as_ref()).await?;
    check_thumbprint(&body.thumbprint)?;
    service.deliver(&caller.device, &body.thumbprint, Actor::Device(caller.device.clone())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST {device}/api/v1/handovers`: the page of a device has seen its newer certificate at work. The browser is made to
/// choose again: all connections of the older certificate end, and it is refused within TLS for a moment.
pub(crate) async fn hand_over(
    State(service): State<EnrollmentService>,
    Presented(certificate): Presented,
    choice: CertificateReselection,
) -> WebResult<StatusCode> {
    let caller = service.context.caller(certificate.as_ref()).await?;
    let successor = service.successor(&caller).await?;
    choice.release_everywhere(successor, &service.context).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn token_for(
    service: &EnrollmentService,
    certificate: &Thumbprint,
    wish: &RenewalTokenRequest,
) -> Result<Value, Value> {
    let nobody = || json!({"error": "unauthorized_client", "error_description": "Here are no tokens"});
    service.tokens.as_ref().ok_or_else(nobody)?.token_for(certificate, wish).await
}

fn check_thumbprint(text: &str) -> Result<(), Refusal> {
    Thumbprint::parse(text).map(|_| ()).ok_or(Refusal::RequestMalformed)
}
