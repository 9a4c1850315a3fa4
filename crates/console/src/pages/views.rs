//! Keeping a view of the list of devices, and forgetting it.

use crate::acting::sealed_forms;
use crate::asking::JustifiedForm;
use crate::frame::onward;
use crate::service::ConsoleService;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    name: String,
    /// How the list is narrowed and sorted, as its address says it.
    #[serde(default)]
    query: String,
}

sealed_forms! { ViewForm }

pub(crate) async fn save(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<ViewForm>,
) -> WebResult<Response> {
    let query = service.save_view(&by, &form.name, &form.query).await?;
    Ok(onward(&format!("/console/devices?{query}"), language))
}

pub(crate) async fn forget(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<ViewForm>,
) -> WebResult<Response> {
    service.forget_view(&by, &form.name).await?;
    Ok(onward("/console/devices", language))
}
