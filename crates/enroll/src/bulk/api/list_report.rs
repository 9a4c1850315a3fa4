//! What a client reads about a list.

use serde::Serialize;
use tegata_core::{DeviceId, InvitationId, InvitationListId, Language, NotAName, SiteId, Timestamp};
use tegata_storage::{InvitationLine, InvitationList, LineOutcome, LineRefusal};
use utoipa::ToSchema;

/// How far a list is, and what became of each line.
#[derive(Serialize, ToSchema)]
pub(super) struct InvitationListReport {
    #[schema(value_type = String)]
    list: InvitationListId,
    /// `working` until every line is written, then `done`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Whether the links wait to be fetched, or were.
    codes: &'static str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    done_at: Option<Timestamp>,
    lines: usize,
    /// Lines that became an invitation.
    invited: usize,
    /// Lines with a mistake.
    refused: usize,
    /// Lines that were not yet looked at.
    waiting: usize,
    #[serde(rename = "report")]
    each: Vec<LineReport>,
}

#[derive(Serialize, Default, ToSchema)]
pub(super) struct LineReport {
    line: u32,
    /// `invited`, `refused` or `waiting`.
    #[schema(value_type = String)]
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    site_id: Option<SiteId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    invitation: Option<InvitationId>,
    /// Where the invitation stands now: open, claimed or withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl InvitationListReport {
    pub(super) fn new(list: InvitationList, lines: Vec<InvitationLine>, language: Language) -> Self {
        let each: Vec<_> = lines.into_iter().map(|line| line_report(line, language)).collect();
        let count = |outcome| each.iter().filter(|line| line.outcome == outcome).count();
        Self {
            list: list.id,
            state: if list.done_at.is_some() { "done" } else { "working" },
            codes: match (list.done_at, list.handed_over_at) {
                (_, Some(_)) => "handed_over",
                (Some(_), None) => "ready",
                (None, None) => "waiting",
            },
            created_at: list.created_at,
            done_at: list.done_at,
            lines: each.len(),
            invited: count(INVITED),
            refused: count(REFUSED),
            waiting: count(WAITING),
            each,
        }
    }
}

const INVITED: &str = "invited";
const REFUSED: &str = "refused";
const WAITING: &str = "waiting";

fn line_report(line: InvitationLine, language: Language) -> LineReport {
    let report = LineReport {
        line: line.number,
        outcome: WAITING,
        site: line.site_name,
        site_id: line.site,
        label: line.label,
        ..LineReport::default()
    };
    match line.outcome {
        LineOutcome::Waiting => report,
        LineOutcome::Refused(LineRefusal { refusal, hidden }) => LineReport {
            outcome: REFUSED,
            code: Some(refusal.code()),
            title: Some(refusal.title(language)),
            detail: Some(match hidden {
                Some(character) => {
                    format!("{} ({})", refusal.advice(language), NotAName::Hidden(character).text(language))
                }
                None => refusal.advice(language).to_owned(),
            }),
            ..report
        },
        LineOutcome::Invited { invitation, state, device, expires_at } => LineReport {
            outcome: INVITED,
            invitation: Some(invitation),
            state: Some(state.as_str()),
            device,
            expires_at: Some(expires_at),
            ..report
        },
    }
}
