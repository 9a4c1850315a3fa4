//! Kitting codes: one for many devices in a row, how far it is, and its end.

use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::kitting::{KittingStanding, MOST_HOURS, MadeKitting, WantedKitting};
use crate::pages::invitations::{PlaceQuery, SiteView};
use crate::service::ConsoleService;
use crate::words;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Act, DeviceState, KittingId, Language, Refusal, SiteId, TenantId};
use tegata_storage::{Kitting, KittingPlace};
use tegata_web::japan_date::moment;
use tegata_web::qr::qr_svg;
use tegata_web::{ReaderLanguage, WebResult};

/// What a code is for, where nobody says otherwise.
const DEVICES: u32 = 10;
const HOURS: u32 = 8;
const PER_MINUTE: u32 = 10;

#[derive(Template)]
#[template(path = "console-kitting.html")]
struct KittingPage {
    frame: Frame,
    sites: Vec<SiteView>,
    codes: Vec<CodeView>,
    typed: TypedKitting,
    most_devices: u32,
    most_hours: u32,
}

#[derive(Template)]
#[template(path = "kitting-made.html")]
struct MadePage {
    frame: Frame,
    made: MadeKitting,
    until: String,
    qr: String,
}

#[derive(Template)]
#[template(path = "kitting-places.html")]
struct PlacesPage {
    frame: Frame,
    code: CodeView,
    places: Vec<PlaceView>,
    networks: String,
}

/// A code as people read it.
struct CodeView {
    id: String,
    label: String,
    place: String,
    taken: u32,
    devices: u32,
    until: String,
    standing: &'static str,
    is_open: bool,
}

/// A device that came by a code.
struct PlaceView {
    number: u32,
    label: String,
    device: Option<String>,
    standing: &'static str,
    at: String,
}

/// What was typed, kept where it could not be taken.
struct TypedKitting {
    tenant: Option<TenantId>,
    site: Option<SiteId>,
    label: String,
    devices: u32,
    hours: u32,
    networks: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KittingForm {
    #[serde(default)]
    form_token: String,
    tenant: Option<TenantId>,
    site: Option<SiteId>,
    #[serde(default)]
    label: String,
    devices: Option<u32>,
    hours: Option<u32>,
    #[serde(default)]
    networks: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndForm {
    #[serde(default)]
    form_token: String,
}

sealed_forms! { KittingForm, EndForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(PlaceQuery { tenant, site }): Query<PlaceQuery>,
) -> WebResult<Response> {
    let typed = TypedKitting {
        tenant: tenant.as_deref().and_then(TenantId::parse),
        site: site.as_deref().and_then(SiteId::parse),
        label: String::new(),
        devices: DEVICES,
        hours: HOURS,
        networks: String::new(),
    };
    service.kitting_page(&by, language, typed, None).await
}

pub(crate) async fn add(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedForm { by, form }: JustifiedForm<KittingForm>,
) -> WebResult<Response> {
    let typed = TypedKitting {
        tenant: form.tenant,
        site: form.site,
        label: form.label,
        devices: form.devices.unwrap_or(DEVICES),
        hours: form.hours.unwrap_or(HOURS),
        networks: form.networks,
    };
    let made = match &typed.site {
        Some(site) => {
            let wanted = WantedKitting {
                site,
                label: &typed.label,
                devices: typed.devices,
                hours: typed.hours,
                per_minute: PER_MINUTE,
                networks: &typed.networks,
            };
            service.add_kitting(&by, &wanted).await
        }
        None => Err(Refusal::LineSiteUnknown),
    };
    match made {
        Ok(made) => service.kitting_made_page(&by, made, language),
        Err(
            why @ (Refusal::LineSiteUnknown
            | Refusal::LabelUnfit
            | Refusal::RequestMalformed
            | Refusal::RoleMayNot),
        ) if by.may_ever(Act::InviteDevice) => service.kitting_page(&by, language, typed, Some(why)).await,
        Err(why) => Err(why.into()),
    }
}

pub(crate) async fn places(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(kitting): Path<String>,
) -> WebResult<Response> {
    let (kitting, places) = service.kitting_seen(&by, &named(&kitting)?).await?;
    let networks: Vec<_> = kitting.networks.iter().map(ToString::to_string).collect();
    let body = PlacesPage {
        frame: Frame::of(&by, "/console/invitations", language),
        code: CodeView::of(&by, &kitting, language),
        places: places.iter().map(|place| PlaceView::of(place, language)).collect(),
        networks: networks.join(" "),
    };
    Ok(service.page(language, language.pick("作業用コード", "A kitting code"), &body).into_response())
}

pub(crate) async fn end(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(kitting): Path<String>,
    JustifiedForm { by, .. }: JustifiedForm<EndForm>,
) -> WebResult<Response> {
    let kitting = named(&kitting)?;
    service.end_kitting(&by, &kitting).await?;
    Ok(onward(&format!("/console/kitting/{kitting}"), language))
}

/// What an address names. Nothing is said of it before it is known who asks.
fn named(text: &str) -> Result<KittingId, Refusal> {
    KittingId::parse(text).ok_or(Refusal::InvitationUnknown)
}

impl ConsoleService {
    async fn kitting_page(
        &self,
        by: &Acting,
        language: Language,
        typed: TypedKitting,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let codes = self.kittings_seen(by, typed.tenant.as_ref()).await?;
        let sight = self.sight(by, Act::InviteDevice)?;
        let sites = self.sites_seen(by, &sight, typed.tenant.as_ref()).await?;
        let body = KittingPage {
            frame: Frame::of(by, "/console/invitations", language).refusing(why_not, None),
            sites: SiteView::all(&sites, typed.site.as_ref()),
            codes: codes.iter().map(|code| CodeView::of(by, code, language)).collect(),
            typed,
            most_devices: Kitting::MOST_PLACES,
            most_hours: MOST_HOURS,
        };
        let title = language.pick("1か所でまとめて登録する", "Set up many devices in one place");
        Ok(refused(self.page(language, title, &body), why_not))
    }

    fn kitting_made_page(&self, by: &Acting, made: MadeKitting, language: Language) -> WebResult<Response> {
        let body = MadePage {
            frame: Frame::of(by, "/console/invitations", language),
            until: moment(made.expires_at, language),
            qr: qr_svg(&made.link).ok_or(Refusal::Internal)?,
            made,
        };
        let title = language.pick("作業用コードを作りました", "The kitting code is ready");
        Ok(self.page(language, title, &body).into_response())
    }
}

impl CodeView {
    fn of(by: &Acting, kitting: &Kitting, language: Language) -> Self {
        let standing = KittingStanding::of(kitting, by.at);
        Self {
            id: kitting.id.to_string(),
            label: kitting.label.clone(),
            place: kitting.site_name.clone(),
            taken: kitting.taken,
            devices: kitting.places,
            until: moment(kitting.expires_at, language),
            standing: words::kitting(standing, language),
            is_open: matches!(standing, KittingStanding::Open | KittingStanding::UsedUp),
        }
    }
}

impl PlaceView {
    fn of(place: &KittingPlace, language: Language) -> Self {
        Self {
            number: place.number,
            label: place.label.clone(),
            device: place.device.as_ref().map(ToString::to_string),
            standing: match place.device_state {
                None if place.waits => language.pick("承認待ち", "Waits for approval"),
                None => language.pick("証明書を作っています", "Being made"),
                Some(DeviceState::Active) if place.in_use => language.pick("使用開始", "In use"),
                Some(DeviceState::Active) => language.pick("証明書を受け取り済み", "Certificate fetched"),
                Some(state) => words::state(state, language),
            },
            at: moment(place.taken_at, language),
        }
    }
}
