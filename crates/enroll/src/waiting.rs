//! What the page and `tegata enroll` are told where somebody has to approve, and how they ask again.

use crate::desk::{Desk, parse};
use crate::enrolled::{Enrolled, NO_STORE};
use crate::guest::Guest;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::{ApprovalId, Language, Refusal, Timestamp};
use tegata_storage::{Approval, Invitation};
use tegata_web::{Answer, Problem, ReaderLanguage, StrictJson};

/// How long whoever waits should wait before asking again.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// `POST {portal}/api/v1/approvals`: whoever was told this identifier asks how it stands. The answer is that of
/// `/api/v1/enrollments`; the certificate is for the key that was asked about, and of use to nobody else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    approval: String,
}

/// Nobody has decided yet: status 202.
#[derive(Serialize)]
struct Waiting {
    approval: ApprovalId,
    /// What somebody reads out to whoever approves.
    number: String,
    expires_at: Timestamp,
    /// Seconds.
    retry_after: u64,
}

pub(crate) async fn ask(
    State(desk): State<Desk>,
    guest: Guest,
    ReaderLanguage(language): ReaderLanguage,
    StrictJson(body): StrictJson<Ask>,
) -> Answer<Response> {
    let desk = desk.serving(guest);
    let (approval, invitation) = desk.approval(&body.approval).await?;
    match desk.resume(&invitation, &approval.key_hash, None).await {
        Ok(handed_over) => Enrolled::answer(&desk, handed_over),
        Err(Refusal::ApprovalPending) => Ok(Waiting::of(approval).answer()),
        Err(refusal) => Err(problem(refusal, &invitation, language)),
    }
}

/// What becomes of a request for a first certificate that the desk did not serve.
pub(crate) async fn told(
    desk: &Desk,
    code: &str,
    csr: &str,
    refusal: Refusal,
    language: Language,
) -> Answer<Response> {
    if !matches!(refusal, Refusal::ApprovalPending | Refusal::OutsideHours) {
        return Err(refusal.into());
    }
    let invitation = desk.find(code).await?;
    if refusal == Refusal::OutsideHours {
        return Err(problem(refusal, &invitation, language));
    }
    let known = desk.approval_for(&invitation, &parse(csr)?.key_hash()).await?;
    Ok(Waiting::of(known.ok_or(Refusal::Unavailable)?).answer())
}

/// What somebody is told whose request waits.
pub(crate) fn answer(approval: Approval) -> Response {
    Waiting::of(approval).answer()
}

/// Says when to come, where that is the matter.
fn problem(refusal: Refusal, invitation: &Invitation, language: Language) -> Problem {
    let hours: Vec<_> = invitation.policies.hours().map(|hours| hours.text(language)).collect();
    if refusal == Refusal::OutsideHours && !hours.is_empty() {
        return Problem::with_detail(refusal, hours.join(language.pick("、かつ ", " and ")));
    }
    refusal.into()
}

impl Waiting {
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
