//! Who moves: the devices and people of one site at a time, and when it happens.

use super::transfer::named;
use super::transfers::{parties, read_minute};
use crate::acting::{Acting, sealed_forms};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::personal::PersonalText;
use crate::service::{ConsoleService, refusal};
use crate::transfer_planning::TransferDecisions;
use crate::words;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::collections::HashMap;
use tegata_core::transfer::{DeviceDecision, PersonDecision};
use tegata_core::{Act, DeviceId, Language, PersonId, Refusal, SiteId, Thumbprint, Timestamp, TransferId};
use tegata_storage::{PresentAtSites, Site, Transfer};
use tegata_web::japan_date::in_japan;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "transfer-decisions.html")]
struct DecisionsPage {
    frame: Frame,
    id: String,
    parties: String,
    plan: String,
    at: String,
    sites: Vec<MovingSite>,
    site: String,
    /// Sites where a device may stay.
    staying: Vec<StayingSite>,
    devices: Vec<DeviceLine>,
    people: Vec<PersonLine>,
}

struct MovingSite {
    id: String,
    name: String,
    is_here: bool,
}

struct StayingSite {
    id: String,
    name: String,
}

struct DeviceLine {
    id: String,
    label: String,
    number: String,
    state: &'static str,
    /// `move`, `undecided`, or the site where it stays.
    decided: String,
}

struct PersonLine {
    id: String,
    name: PersonalText,
    login: PersonalText,
    roles: String,
    decided: &'static str,
}

/// Which site is looked at.
#[derive(Deserialize)]
pub(crate) struct SiteQuery {
    site: Option<String>,
}

/// Decisions by what they are about: `device-ID` and `person-ID`.
#[derive(Deserialize)]
pub(crate) struct DecisionsForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    plan: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    at: String,
    #[serde(flatten)]
    decided: HashMap<String, String>,
}

sealed_forms! { DecisionsForm }

impl DecisionsForm {
    fn read(&self) -> Result<TransferDecisions, Refusal> {
        let mut decisions = TransferDecisions::default();
        for (about, word) in &self.decided {
            if let Some(device) = about.strip_prefix("device-") {
                let device = DeviceId::parse(device).ok_or(Refusal::RequestMalformed)?;
                decisions.devices.push((device, device_decision(word)?));
            } else if let Some(person) = about.strip_prefix("person-") {
                let person = PersonId::parse(person).ok_or(Refusal::RequestMalformed)?;
                decisions.people.push((person, person_decision(word)?));
            } else {
                return Err(Refusal::RequestMalformed);
            }
        }
        if !self.at.is_empty() {
            decisions.at = Some(read_minute(&self.at).ok_or(Refusal::TransferPlanUnfit)?);
        }
        Ok(decisions)
    }
}

fn device_decision(word: &str) -> Result<Option<DeviceDecision>, Refusal> {
    match word {
        "move" => Ok(Some(DeviceDecision::Move)),
        "undecided" => Ok(None),
        site => {
            let at = SiteId::parse(site).ok_or(Refusal::RequestMalformed)?;
            Ok(Some(DeviceDecision::Stay { at }))
        }
    }
}

fn person_decision(word: &str) -> Result<Option<PersonDecision>, Refusal> {
    match word {
        "move" => Ok(Some(PersonDecision::Move)),
        "stay" => Ok(Some(PersonDecision::Stay)),
        "undecided" => Ok(None),
        _ => Err(Refusal::RequestMalformed),
    }
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(transfer): Path<String>,
    Query(SiteQuery { site }): Query<SiteQuery>,
) -> WebResult<Response> {
    let site = site.as_deref().and_then(SiteId::parse);
    service.decisions_page(&by, &named(&transfer)?, site, language, None).await
}

pub(crate) async fn decide(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(transfer): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<DecisionsForm>,
) -> WebResult<Response> {
    let id = named(&transfer)?;
    let plan = Thumbprint::parse(&form.plan).ok_or(Refusal::RequestMalformed)?;
    let decided = match form.read() {
        Ok(decisions) => service.decide_transfer(&by, (&id, &plan), decisions).await,
        Err(refusal) => Err(refusal),
    };
    match decided {
        Ok(()) => Ok(onward(&format!("/console/transfers/{id}/decisions?site={}", form.site), language)),
        Err(why @ (Refusal::TransferChangedMeanwhile | Refusal::TransferPlanUnfit)) => {
            service.decisions_page(&by, &id, SiteId::parse(&form.site), language, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

impl ConsoleService {
    async fn decisions_page(
        &self,
        by: &Acting,
        id: &TransferId,
        site: Option<SiteId>,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let (transfer, rows) = self.transfer_seen(by, id).await?;
        let source = &transfer.plan.source;
        self.noting(by, None, by.judge_tenant(Act::PlanTransfer, source)).await?;
        if !transfer.state.is_open() {
            return Err(Refusal::TransferStateOtherwise.into());
        }
        let rows = rows.narrowed(source).ok_or(Refusal::RoleMayNot)?;
        let sites = rows.sites(source).await.map_err(refusal)?;
        let (moving, staying): (Vec<_>, Vec<_>) =
            sites.into_iter().partition(|site| transfer.plan.sites().any(|(id, _)| *id == site.id));
        let here = site.filter(|site| moving.iter().any(|one| one.id == *site));
        let here = here.or_else(|| moving.first().map(|site| site.id.clone()));
        let present = rows.present_at_sites(&transfer.plan).await.map_err(refusal)?;
        let body = DecisionsPage {
            frame: Frame::of(by, "/console/transfers", language).refusing(why_not, None),
            id: id.to_string(),
            parties: parties(&transfer, language),
            plan: transfer.plan.hash().to_string(),
            at: field(transfer.plan.at),
            sites: moving.iter().map(|site| MovingSite::of(site, here.as_ref())).collect(),
            staying: staying.into_iter().map(StayingSite::of).collect(),
            devices: devices(&transfer, &present, here.as_ref(), language),
            people: people(by, &transfer, &present, here.as_ref(), language),
            site: here.map_or_else(String::new, |site| site.to_string()),
        };
        let title = language.pick("移る端末と人を決める", "Who moves");
        Ok(refused(self.page(language, title, &body), why_not))
    }
}

/// What a field for date and time takes.
fn field(at: Timestamp) -> String {
    let at = in_japan(at);
    let (month, day) = (u8::from(at.month()), at.day());
    format!("{:04}-{month:02}-{day:02}T{:02}:{:02}", at.year(), at.hour(), at.minute())
}

fn devices(
    transfer: &Transfer,
    present: &PresentAtSites,
    here: Option<&SiteId>,
    language: Language,
) -> Vec<DeviceLine> {
    let at_site = present.devices.iter().map(|one| &one.device).filter(|one| Some(&one.site) == here);
    let line = |device: &tegata_storage::Device| DeviceLine {
        id: device.id.to_string(),
        label: device.label.clone(),
        number: words::number(&device.id),
        state: words::state(device.effective_state(), language),
        decided: match transfer.plan.device(&device.id) {
            Some(DeviceDecision::Move) => "move".to_owned(),
            Some(DeviceDecision::Stay { at }) => at.to_string(),
            None => "undecided".to_owned(),
        },
    };
    at_site.map(line).collect()
}

fn people(
    by: &Acting,
    transfer: &Transfer,
    present: &PresentAtSites,
    here: Option<&SiteId>,
    language: Language,
) -> Vec<PersonLine> {
    let works_here =
        |person: &&tegata_storage::Person| person.sites.iter().any(|site| Some(&site.id) == here);
    let line = |person: &tegata_storage::Person| {
        let roles: Vec<_> = person.roles.iter().map(|role| words::role(role, language)).collect();
        PersonLine {
            id: person.id.to_string(),
            name: by.name_of(&person.tenant, &person.name),
            login: by.login_of(&person.tenant, &person.login),
            roles: roles.join(language.pick("、", ", ")),
            decided: match transfer.plan.person(&person.id) {
                Some(PersonDecision::Move) => "move",
                Some(PersonDecision::Stay) => "stay",
                None => "undecided",
            },
        }
    };
    present.people.iter().filter(works_here).map(line).collect()
}

impl MovingSite {
    fn of(site: &Site, here: Option<&SiteId>) -> Self {
        Self { id: site.id.to_string(), name: site.name.clone(), is_here: Some(&site.id) == here }
    }
}

impl StayingSite {
    fn of(site: Site) -> Self {
        Self { id: site.id.to_string(), name: site.name }
    }
}
