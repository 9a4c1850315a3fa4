//! The JSON API of enrollment and renewal.

use crate::api_refusals::{CSR, INVITATION, ISSUER, POLICY};
use crate::enrolled::{EnrollmentResponse, NO_STORE};
use crate::enrollment_service::EnrollmentService;
use crate::renewal_token::RenewalTokenRequest;
use crate::serving::Serving;
use crate::shown_code::ShownCode;
use crate::submitted_csr::SubmittedCsr;
use crate::ticket::{TicketPurpose, TicketRight};
use crate::waiting::{self, ApprovalPendingResponse, approval_id};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tegata_core::{Contact, DeviceId, Platform, ProductLink, Refusal, Role, Thumbprint, Timestamp};
use tegata_storage::Actor;
use tegata_web::api::{
    BODY, CALLER, ContactSchema, PlatformSchema, ProductLinkSchema, REQUEST, RoleSchema, ThumbprintSchema,
    WRITING,
};
use tegata_web::qr::qr_svg;
use tegata_web::{CertificateReselection, Presented, ReaderLanguage, StrictJson, WebResult};
use utoipa::ToSchema;

tegata_web::refusals! {
    OpenRefusals = REQUEST, BODY, INVITATION, ISSUER
}

tegata_web::refusals! {
    EnrollRefusals = REQUEST, BODY, INVITATION, POLICY, CSR, ISSUER, WRITING
}

tegata_web::refusals! {
    RenewRefusals = REQUEST, BODY, CALLER, CSR, ISSUER, WRITING, &[Refusal::RenewalNotPossible]
}

tegata_web::refusals! {
    DeliverInvitedRefusals = REQUEST, BODY, INVITATION, WRITING
}

tegata_web::refusals! {
    DeliverRefusals = REQUEST, BODY, CALLER, WRITING, &[Refusal::NotFound]
}

tegata_web::refusals! {
    HandOverRefusals = REQUEST, CALLER, &[Refusal::NothingNewer]
}

/// `POST {portal}/api/v1/invitations/open`. The code is a secret: it travels in a body, never in a URL.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenInvitationRequest {
    /// What follows `#` in its link, or the short one that was read out.
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
    /// Also one that was used for a device which was never at work: to make another key for it.
    #[serde(default)]
    replace: bool,
}

/// For whom an invitation is, so that the person can see it before using it.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenInvitationResponse {
    /// Name of the tenant.
    tenant: String,
    /// Name of the site.
    site: String,
    /// What the device will be called.
    label: String,
    #[schema(value_type = RoleSchema)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// What a browser's list of certificates will show.
    subject: String,
    /// Kinds of keys that a request may bring, the best first.
    #[schema(min_items = 1)]
    keys: Vec<String>,
    /// Where the device goes with its certificate.
    #[schema(format = "uri")]
    device_origin: String,
    /// Whether somebody has to approve of the device.
    approval: bool,
    /// Whether profiles may lead to SCEP.
    scep: bool,
    /// Where a browser proves its certificate: `{nonce}` stands for letters and digits that were never used before.
    probe_pattern: String,
    /// The link as an SVG, for a tablet that reads it from this screen.
    qr: String,
    /// Shows how far the device is, for whoever waits.
    progress: String,
    /// Whom a person at the device may call.
    #[schema(value_type = Option<ContactSchema>)]
    contact: Option<Contact>,
    /// Where to go on once the certificate works.
    #[schema(value_type = Option<ProductLinkSchema>)]
    product: Option<ProductLink>,
}

/// The body of `POST {portal}/api/v1/enrollments`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrollmentRequest {
    /// The invitation's code: what follows `#` in its link, or the short one that was read out.
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
    /// A PKCS#10 request: base64 of its DER, which has at most 8 KiB.
    #[schema(value_type = String, content_encoding = "base64")]
    csr: SubmittedCsr,
    /// What the device is, where its page or program knows better than its `User-Agent`.
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
    /// Whether this key takes the place of one that was lost before the device was ever used.
    #[serde(default)]
    replace: bool,
}

/// The body of `POST {device}/api/v1/renewals`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewalRequest {
    /// A PKCS#10 request: base64 of its DER, which has at most 8 KiB.
    #[schema(value_type = String, content_encoding = "base64")]
    csr: SubmittedCsr,
    /// Nobody gets a token who did not ask for one.
    token: Option<RenewalTokenRequest>,
    /// Whether its name says until when it is good: for a person who chooses between it and the one before.
    #[serde(default)]
    name_until: bool,
}

/// The next certificate, and the token that was wished for, or why there is none.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenewalResponse {
    #[serde(flatten)]
    enrolled: EnrollmentResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The answer of the token endpoint, with the product as `resource`.
    #[schema(value_type = Option<Object>)]
    token: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The refusal of the token endpoint, where the token was not given.
    #[schema(value_type = Option<Object>)]
    token_error: Option<Value>,
}

/// The body of `POST {portal}/api/v1/deliveries`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitedDeliveryRequest {
    #[schema(value_type = Option<String>, max_length = 128)]
    code: Option<ShownCode>,
    /// Instead of the code, which a person may have typed and which may be over by now.
    #[schema(max_length = 128)]
    approval: Option<String>,
    #[schema(value_type = ThumbprintSchema)]
    thumbprint: String,
}

/// The body of `POST {device}/api/v1/deliveries`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveryRequest {
    #[schema(value_type = ThumbprintSchema)]
    thumbprint: String,
}
/// For whom an invitation is.
///
/// Changes nothing. The code is a secret: it travels in bodies, never in a URL. Short codes are throttled by address and as a
/// whole (I-11), wrong links by address (I-12).
#[utoipa::path(post, path = "/api/v1/invitations/open", operation_id = "openInvitation", request_body = OpenInvitationRequest,
    responses((status = OK, description = "The invitation can be used", body = OpenInvitationResponse), OpenRefusals))]
pub(crate) async fn open(
    Serving(service): Serving,
    StrictJson(body): StrictJson<OpenInvitationRequest>,
) -> WebResult<impl IntoResponse> {
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
    let code = body.code.reveal().ok_or(Refusal::InvitationUnknown)?;
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
        qr: qr_svg(&format!("{}/enroll#{}", addresses.portal, *code)).ok_or(Refusal::RequestMalformed)?,
    };
    Ok((NO_STORE, Json(opened)))
}
/// From an invitation to a certificate.
///
/// The same key may come again with the same code until the invitation expires, and gets the same certificate: an answer that
/// was lost locks nobody out. Another key is refused (I-02), unless it says `replace` and the device was never at work.
#[utoipa::path(post, path = "/api/v1/enrollments", operation_id = "enroll", request_body = EnrollmentRequest,
    responses((status = CREATED, description = "The certificate", body = EnrollmentResponse),
        (status = ACCEPTED, description = "Somebody has to approve first: ask /api/v1/approvals again after `retry_after` seconds", body = ApprovalPendingResponse), EnrollRefusals))]
pub(crate) async fn enroll(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<EnrollmentRequest>,
) -> WebResult<Response> {
    let service = service.calling_itself(body.platform);
    match service.enroll(&body.code, &body.csr, body.replace).await {
        Ok(handed_over) => EnrollmentResponse::answer(&service, handed_over),
        Err(refusal) => waiting::answer_refused(&service, &body.code, &body.csr, refusal, language).await,
    }
}
/// The next generation of the device that asks.
///
/// The older generation goes on working until the new one was presented, and for a grace period after that. A device that has
/// moved to another tenant by a transfer gets its first certificate there, by its old one, for as long as the plan says. With `token`, an
/// access token bound to the new certificate comes in the same answer.
#[utoipa::path(post, path = "/api/v1/renewals", operation_id = "renew", request_body = RenewalRequest,
    responses((status = CREATED, description = "The next certificate", body = RenewalResponse), RenewRefusals))]
pub(crate) async fn renew(
    Serving(service): Serving,
    Presented(certificate): Presented,
    StrictJson(body): StrictJson<RenewalRequest>,
) -> WebResult<impl IntoResponse> {
    let next = service.next_certificate(certificate.as_ref(), &body.csr, body.name_until).await?;
    let enrolled = EnrollmentResponse::new(&service, next)?;
    // The certificate is issued: whatever becomes of the token, it is handed over.
    let given = match &body.token {
        Some(request) => Some(token_for(&service, &enrolled.thumbprint, request).await),
        None => None,
    };
    let (token, token_error) = match given {
        Some(Ok(token)) => (Some(token), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    Ok((StatusCode::CREATED, NO_STORE, Json(RenewalResponse { enrolled, token, token_error })))
}
/// Notes that a certificate has arrived.
///
/// At the portal with the invitation's code, or with the approval that stood for it.
#[utoipa::path(post, path = "/api/v1/deliveries", operation_id = "deliver", request_body = InvitedDeliveryRequest,
    responses((status = NO_CONTENT, description = "Noted"), DeliverInvitedRefusals))]
pub(crate) async fn deliver_invited(
    Serving(service): Serving,
    StrictJson(body): StrictJson<InvitedDeliveryRequest>,
) -> WebResult<StatusCode> {
    let thumbprint = thumbprint(&body.thumbprint)?;
    let invitation = match (&body.code, &body.approval) {
        (Some(code), None) => service.find(code).await?,
        (None, Some(approval)) => service.approval(&approval_id(approval)?).await?.1,
        _ => return Err(Refusal::RequestMalformed.into()),
    };
    service.deliver_invited(invitation, &thumbprint).await?;
    Ok(StatusCode::NO_CONTENT)
}
/// Notes that a certificate has arrived.
///
/// At the device listener with any certificate of the same device, or with the one it had before it moved to another tenant.
#[utoipa::path(post, path = "/api/v1/deliveries", operation_id = "deliver", request_body = DeliveryRequest,
    responses((status = NO_CONTENT, description = "Noted"), DeliverRefusals))]
pub(crate) async fn deliver(
    Serving(service): Serving,
    Presented(certificate): Presented,
    StrictJson(body): StrictJson<DeliveryRequest>,
) -> WebResult<StatusCode> {
    let device = match service.moved_by(certificate.as_ref()).await? {
        Some(moved) => moved.handover.successor,
        None => service.caller(certificate.as_ref()).await?.device.clone(),
    };
    let thumbprint = thumbprint(&body.thumbprint)?;
    service.deliver(&device, &thumbprint, Actor::Device(device.clone())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a browser choose its certificate again.
///
/// Asked with the older certificate once the newer one was seen at work: all connections of the older certificate end, and it is
/// refused within TLS for a moment. Nothing is revoked.
#[utoipa::path(post, path = "/api/v1/handovers", operation_id = "handOver",
    responses((status = NO_CONTENT, description = "The connection ends"), HandOverRefusals))]
pub(crate) async fn hand_over(
    Serving(service): Serving,
    Presented(certificate): Presented,
    choice: CertificateReselection,
) -> WebResult<StatusCode> {
    let caller = service.caller(certificate.as_ref()).await?;
    let successor = service.successor(&caller).await?;
    choice.release_everywhere(successor, &service.context).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn token_for(
    service: &EnrollmentService,
    certificate: &Thumbprint,
    request: &RenewalTokenRequest,
) -> Result<Value, Value> {
    let nobody = || json!({"error": "unauthorized_client", "error_description": "Here are no tokens"});
    service.tokens.as_ref().ok_or_else(nobody)?.token_for(certificate, request).await
}

fn thumbprint(text: &str) -> Result<Thumbprint, Refusal> {
    Thumbprint::parse(text).ok_or(Refusal::RequestMalformed)
}
