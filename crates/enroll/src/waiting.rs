//! What the page and `tegata enroll` are told where somebody has to approve, and how they ask again.

use crate::api_refusals::{CSR, INVITATION, ISSUER, POLICY};
use crate::enrolled::{EnrollmentResponse, NO_STORE};
use crate::enrollment_service::EnrollmentService;
use crate::serving::Serving;
use crate::shown_code::ShownCode;
use crate::submitted_csr::SubmittedCsr;
use crate::ticket::{TicketPurpose, TicketRight};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::{ApprovalId, Language, Platform, Refusal, Timestamp};
use tegata_storage::{Approval, ApprovalState, Invitation};
use tegata_web::api::{BODY, PlatformSchema, REQUEST, WRITING};
use tegata_web::{Problem, ReaderLanguage, StrictJson, WebResult};
use utoipa::ToSchema;

/// When a waiting requester should ask again.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

tegata_web::refusals! {
    AskRefusals = REQUEST, BODY, INVITATION, POLICY, CSR, ISSUER, WRITING
}

/// `POST {portal}/api/v1/approvals`: whoever was told this identifier asks how it stands. The answer is that of
/// `/api/v1/enrollments`; the certificate is for the key that was asked about, and of use to nobody else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalStatusRequest {
    /// What the one who waits was told.
    #[schema(max_length = 128)]
    approval: String,
}

/// Nobody has decided yet: status 202.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalPendingResponse {
    /// The approval that is waited for.
    #[schema(value_type = String)]
    approval: ApprovalId,
    /// The number that the person at the device reads out to the approver.
    number: String,
    /// Nobody waits longer than this.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When to ask again, in seconds.
    #[schema(minimum = 1)]
    retry_after: u64,
}
/// How an approval stands.
///
/// The answer is that of /api/v1/enrollments: the certificate for the key that was asked about, once somebody has approved of
/// it; E-06 when it was declined.
#[utoipa::path(post, path = "/api/v1/approvals", operation_id = "askApproval", request_body = ApprovalStatusRequest,
    responses((status = CREATED, description = "The certificate", body = EnrollmentResponse),
        (status = ACCEPTED, description = "Nobody has decided yet", body = ApprovalPendingResponse), AskRefusals))]
pub(crate) async fn ask(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<ApprovalStatusRequest>,
) -> WebResult<Response> {
    let (approval, invitation) = service.approval(&approval_id(&body.approval)?).await?;
    match service.resume(&invitation, &approval.key_hash, None).await {
        Ok(handed_over) => EnrollmentResponse::answer(&service, handed_over),
        Err(Refusal::ApprovalPending) => Ok(ApprovalPendingResponse::of(approval).answer()),
        Err(refusal) => Err(problem(refusal, &invitation, language)),
    }
}

/// `POST {portal}/api/v1/approvals/profile`: for a device that will make its key by itself, once it has its profile. First with
/// the code, then with the claim that came in answer to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileApprovalRequest {
    #[schema(value_type = Option<String>, max_length = 128)]
    code: Option<ShownCode>,
    #[schema(value_type = Option<String>, max_length = 128)]
    claim: Option<ShownCode>,
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
}

/// Nobody has decided yet, status 202; or what stands for the invitation from now on.
#[derive(Serialize, ToSchema)]
struct ApprovalClaim {
    #[serde(flatten)]
    waiting: ApprovalPendingResponse,
    /// Asks again in place of the code.
    claim: String,
}

#[derive(Serialize, ToSchema)]
struct ApprovedResponse {
    /// In place of the code.
    code: String,
    /// A ticket for `/api/v1/invitations/progress`.
    progress: String,
}
/// Approval of a device that will make its key by itself.
///
/// For a configuration profile: asked before there is a key. With `code` somebody is asked; with the `claim` that came in answer
/// the caller learns what they said.
#[utoipa::path(post, path = "/api/v1/approvals/profile", operation_id = "askApprovalBefore", request_body = ProfileApprovalRequest,
    responses((status = OK, description = "Somebody has approved", body = ApprovedResponse),
        (status = ACCEPTED, description = "Nobody has decided yet: ask again with `claim` after `retry_after` seconds", body = ApprovalClaim), AskRefusals))]
pub(crate) async fn ask_before(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<ProfileApprovalRequest>,
) -> WebResult<Response> {
    let service = service.calling_itself(body.platform);
    let approval = match (&body.code, &body.claim) {
        (Some(code), None) => {
            let invitation = service.open(code).await?;
            let asked = service.ask_before(&invitation).await;
            asked.map_err(|refusal| problem(refusal, &invitation, language))?
        }
        (None, Some(claim)) => service.claimed(claim).await?,
        _ => return Err(Refusal::RequestMalformed.into()),
    };
    match approval.state {
        ApprovalState::Declined => Err(Refusal::ApprovalDeclined.into()),
        ApprovalState::Waiting if approval.is_over(service.now()) => Err(Refusal::InvitationExpired.into()),
        ApprovalState::Waiting => {
            let claim = service
                .give_ticket(TicketPurpose::Approval, TicketRight::Approved(approval.id.clone()))
                .await?;
            let wait = [(RETRY_AFTER, PAUSE.as_secs().to_string())];
            let pending = ApprovalClaim { waiting: ApprovalPendingResponse::of(approval), claim };
            Ok((StatusCode::ACCEPTED, NO_STORE, wait, Json(pending)).into_response())
        }
        ApprovalState::Granted => {
            let code =
                service.give_ticket(TicketPurpose::Certificate, TicketRight::Approved(approval.id)).await?;
            service.open(&ShownCode::parse(&code)).await?;
            let progress = TicketRight::Invitation(approval.invitation);
            let progress = service.give_ticket(TicketPurpose::Progress, progress).await?;
            Ok((StatusCode::OK, NO_STORE, Json(ApprovedResponse { code, progress })).into_response())
        }
    }
}

impl EnrollmentService {
    async fn claimed(&self, claim: &ShownCode) -> Result<Approval, Refusal> {
        let ticket = claim.ticket().ok_or(Refusal::InvitationUnknown)?;
        match &self.read_ticket(TicketPurpose::Approval, ticket).await?.right {
            TicketRight::Approved(id) => self.known_approval(id).await,
            TicketRight::Invitation(_) | TicketRight::Renewal(_) => Err(Refusal::InvitationUnknown),
        }
    }
}

/// What becomes of a request for a first certificate that the enrollment service refused.
pub(crate) async fn answer_refused(
    service: &EnrollmentService,
    code: &ShownCode,
    csr: &SubmittedCsr,
    refusal: Refusal,
    language: Language,
) -> WebResult<Response> {
    if !matches!(refusal, Refusal::ApprovalPending | Refusal::OutsideHours) {
        return Err(refusal.into());
    }
    let invitation = service.find(code).await?;
    if refusal == Refusal::OutsideHours {
        return Err(problem(refusal, &invitation, language));
    }
    let known = service.approval_for(&invitation, &csr.request()?.key_hash()).await?;
    Ok(ApprovalPendingResponse::of(known.ok_or(Refusal::Unavailable)?).answer())
}

/// An identifier that nobody was told is as good as none.
pub(crate) fn approval_id(text: &str) -> Result<ApprovalId, Refusal> {
    ApprovalId::parse(text).ok_or(Refusal::InvitationUnknown)
}

/// The response to a request that waits for approval.
pub(crate) fn answer(approval: Approval) -> Response {
    ApprovalPendingResponse::of(approval).answer()
}

/// Says when to come, where that is the matter.
fn problem(refusal: Refusal, invitation: &Invitation, language: Language) -> Problem {
    let hours: Vec<_> = invitation.policies.hours().map(|hours| hours.text(language)).collect();
    if refusal == Refusal::OutsideHours && !hours.is_empty() {
        return Problem::with_detail(refusal, hours.join(language.pick("、かつ ", " and ")));
    }
    refusal.into()
}

impl ApprovalPendingResponse {
    fn of(approval: Approval) -> Self {
        Self {
            number: number(&approval.id),
            approval: approval.id,
            expires_at: approval.expires_at,
            retry_after: PAUSE.as_secs(),
        }
    }

    fn answer(self) -> Response {
        let wait = [(RETRY_AFTER, self.retry_after.to_string())];
        (StatusCode::ACCEPTED, NO_STORE, wait, Json(self)).into_response()
    }
}

/// The beginning of an identifier, which is random: `4f7k-2m9q`.
fn number(id: &ApprovalId) -> String {
    let text = id.as_str();
    format!("{}-{}", &text[..4], &text[4..8])
}
