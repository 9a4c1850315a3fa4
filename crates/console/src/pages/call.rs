//! Why somebody of the vendor's support acts: said once, and kept with the session until the call is over.

use crate::acting::{Acting, ActingForm, sealed_forms};
use crate::asking::TypedCall;
use crate::frame::onward;
use crate::service::{ConsoleService, refusal};
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tegata_core::{Justification, Refusal};
use tegata_web::{ReaderLanguage, WebResult};

/// What a caller wants, and what they said first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    q: String,
}

/// A form that says no more than that it was made here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndForm {
    #[serde(default)]
    form_token: String,
}

sealed_forms! { CallForm, EndForm }

pub(crate) async fn begin(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    ActingForm { by, form }: ActingForm<CallForm>,
) -> WebResult<Response> {
    let Some(because) = Justification::new(&form.reason, &form.ticket) else {
        let typed = TypedCall { reason: form.reason, ticket: form.ticket, q: form.q };
        return Ok(service.ask_why(&by, language, typed, Some(Refusal::ReasonMissing)));
    };
    service.keep_justification(&by, Some(&because)).await?;
    let query = serde_urlencoded::to_string([("q", form.q.trim())]).unwrap_or_default();
    Ok(onward(&format!("/console?{query}"), language))
}

pub(crate) async fn end(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    ActingForm { by, .. }: ActingForm<EndForm>,
) -> WebResult<Response> {
    service.keep_justification(&by, None).await?;
    Ok(onward("/console", language))
}

impl ConsoleService {
    /// Keeps why somebody acts with their session; nothing ends the call.
    pub(crate) async fn keep_justification(
        &self,
        by: &Acting,
        because: Option<&Justification>,
    ) -> Result<(), Refusal> {
        let mut acting = self.begin_within(self.own_rows(by), by).await?;
        let session = &by.who.person()?.session.id;
        let kept = acting.rows.justify_session(session, because, &acting.by.actor()).await;
        kept.map_err(refusal)?;
        acting.commit().await
    }
}
