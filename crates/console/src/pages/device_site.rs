//! A device goes to another site; and somebody says that its certificate is well where it is.

use crate::acting::sealed_forms;
use crate::asking::JustifiedForm;
use crate::frame::onward;
use crate::moving::DeviceMove;
use crate::pages::device::device_named;
use crate::service::ConsoleService;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use tegata_core::{Refusal, SiteId};
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveForm {
    #[serde(default)]
    form_token: String,
    site: Option<SiteId>,
    #[serde(default)]
    note: String,
    seen: Option<String>,
    /// Ticked by whoever means the device in hand.
    own: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DismissForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    reason: String,
}

sealed_forms! { MoveForm, DismissForm }

pub(crate) async fn move_to(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(device): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<MoveForm>,
) -> WebResult<Response> {
    let device = device_named(&device)?;
    let moved = match &form.site {
        Some(site) => {
            let (note, seen, own) = (form.note.trim(), form.seen.as_deref(), form.own.is_some());
            service.move_device(&by, &DeviceMove { device: &device, site, note, own, seen }).await
        }
        None => Err(Refusal::LineSiteUnknown),
    };
    match moved {
        Ok(changed) => Ok(onward(&format!("/console/changes/{}", changed.event), language)),
        Err(
            why @ (Refusal::LineSiteUnknown
            | Refusal::DeviceStateOtherwise
            | Refusal::DeviceChangedMeanwhile
            | Refusal::SiteFull
            | Refusal::SiteChangesHands
            | Refusal::OwnDevice
            | Refusal::RoleMayNot),
        ) => service.device_page(&by, &device, language, Some(why)).await,
        Err(why) => Err(why.into()),
    }
}

pub(crate) async fn dismiss(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(device): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<DismissForm>,
) -> WebResult<Response> {
    let device = device_named(&device)?;
    match service.dismiss_copy_alarm(&by, &device, &form.reason).await {
        Ok(()) => Ok(onward(&format!("/console/devices/{device}"), language)),
        Err(why @ (Refusal::CopyAlarmOver | Refusal::RoleMayNot)) => {
            service.device_page(&by, &device, language, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}
