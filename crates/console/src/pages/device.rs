//! The page of one device: what it is, what can be done to it, and what was.

use crate::acting::{Acting, sealed_forms};
use crate::acts::{DeviceCommand, DeviceOutcome, DeviceRequest, last_change, tag_of};
use crate::asking::{JustifiedForm, JustifiedPage};
use crate::frame::{Frame, onward, refused};
use crate::history::{HistoryLine, HistoryReader};
use crate::pages::invitations::SiteView;
use crate::personal::PersonalText;
use crate::service::{ConsoleService, refusal};
use crate::words;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use tegata_core::policy::Platform;
use tegata_core::{Act, DeviceId, DeviceState, Language, Refusal, Role, StopCause};
use tegata_storage::{CopyAlarm, Device, FoundPerson, LedgerDevice, ScopedLedger};
use tegata_web::japan_date::{day, moment};
use tegata_web::{ReaderLanguage, WebResult};

/// Entries of the audit log that are read for the page; those that are routine are left out of it.
const ENTRIES: u32 = 60;

#[derive(Template)]
#[template(path = "console-device.html")]
struct DevicePage {
    frame: Frame,
    device: DeviceView,
    may: DeviceActs,
    may_rename: bool,
    /// Where it can go.
    sites: Vec<SiteView>,
    copy: Option<CopyView>,
    /// Whether whoever suspends may let it go on again.
    may_undo: bool,
    /// Whether it is the device in hand.
    is_own: bool,
    /// What the device looks like now: whoever acts says what they saw.
    seen: String,
    /// The newest change that somebody has made here: who has confirmed it.
    change: Option<u64>,
    causes: Vec<CauseView>,
    /// Who uses it, where the reader may see people.
    people: Vec<UserView>,
    history: Vec<HistoryLine>,
}

/// A device as people read it.
pub(crate) struct DeviceView {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) number: String,
    pub(crate) tenant: String,
    pub(crate) site: String,
    pub(crate) platform: &'static str,
    pub(crate) state: &'static str,
    pub(crate) is_at_work: bool,
    /// Whether it is stopped with its tenant, and not by itself.
    pub(crate) falls_with_tenant: bool,
    pub(crate) is_gate: bool,
    pub(crate) since: String,
    pub(crate) seen: String,
    pub(crate) ends: String,
}

/// That its certificate is perhaps in two machines.
struct CopyView {
    machines: [String; 2],
    raised: String,
    last: String,
    may_dismiss: bool,
}

/// What a page offers.
struct DeviceActs {
    suspend: bool,
    resume: bool,
    revoke: bool,
}

/// Somebody who uses the device.
struct UserView {
    id: String,
    name: PersonalText,
    /// Whether what a caller says can be compared with what is on file: of those whom the reader sees masked.
    is_masked: bool,
}

/// A cause to choose from.
struct CauseView {
    word: &'static str,
    told: &'static str,
}

/// What somebody wants done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    note: String,
    /// What it is to be called.
    #[serde(default)]
    label: String,
    seen: Option<String>,
    cause: Option<String>,
    /// Ticked by whoever means the device in hand.
    own: Option<String>,
}

sealed_forms! { DeviceForm }

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Path(device): Path<String>,
) -> WebResult<Response> {
    let device = device_named(&device)?;
    service.device_page(&by, &device, language, None).await
}

pub(crate) async fn suspend(
    state: State<ConsoleService>,
    language: ReaderLanguage,
    device: Path<String>,
    form: JustifiedForm<DeviceForm>,
) -> WebResult<Response> {
    act(state, language, device, form, |_| Some(DeviceCommand::Suspend)).await
}

pub(crate) async fn resume(
    state: State<ConsoleService>,
    language: ReaderLanguage,
    device: Path<String>,
    form: JustifiedForm<DeviceForm>,
) -> WebResult<Response> {
    act(state, language, device, form, |_| Some(DeviceCommand::Resume)).await
}

pub(crate) async fn revoke(
    state: State<ConsoleService>,
    language: ReaderLanguage,
    device: Path<String>,
    form: JustifiedForm<DeviceForm>,
) -> WebResult<Response> {
    let command = |form: &DeviceForm| match form.cause.as_deref() {
        None => Some(DeviceCommand::Revoke(None)),
        Some(word) => StopCause::parse(word).map(|cause| DeviceCommand::Revoke(Some(cause))),
    };
    act(state, language, device, form, command).await
}

pub(crate) async fn rename(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(device): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<DeviceForm>,
) -> WebResult<Response> {
    let device = device_named(&device)?;
    match service.rename_device(&by, (&device, &form.label), form.seen.as_deref()).await {
        Ok(()) => Ok(onward(&format!("/console/devices/{device}"), language)),
        Err(why @ (Refusal::LabelUnfit | Refusal::DeviceChangedMeanwhile | Refusal::RoleMayNot)) => {
            service.device_page(&by, &device, language, Some(why)).await
        }
        Err(why) => Err(why.into()),
    }
}

/// Leads to who has confirmed it, or shows the device again with why nothing was done.
async fn act(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(device): Path<String>,
    JustifiedForm { by, form }: JustifiedForm<DeviceForm>,
    command: impl Fn(&DeviceForm) -> Option<DeviceCommand>,
) -> WebResult<Response> {
    let device = device_named(&device)?;
    let command = command(&form).ok_or(Refusal::RequestMalformed)?;
    let (note, seen) = (form.note.trim(), form.seen.as_deref());
    let own = form.own.is_some();
    let asked = DeviceRequest { device: &device, command, note, own, seen, repeat: None };
    match service.act_on_device(&by, &asked).await {
        Ok(DeviceOutcome::Changed(changed)) => {
            Ok(onward(&format!("/console/changes/{}", changed.event), language))
        }
        Ok(DeviceOutcome::Before(_)) => Ok(onward(&format!("/console/devices/{device}"), language)),
        Err(
            refusal @ (Refusal::DeviceStateOtherwise
            | Refusal::DeviceChangedMeanwhile
            | Refusal::OwnDevice
            | Refusal::RoleMayNot),
        ) => service.device_page(&by, &device, language, Some(refusal)).await,
        Err(refusal) => Err(refusal.into()),
    }
}

/// What an address names. Nothing is said of it before it is known who asks.
pub(crate) fn device_named(text: &str) -> Result<DeviceId, Refusal> {
    DeviceId::parse(text).ok_or(Refusal::DeviceUnknown)
}

impl ConsoleService {
    /// A device that somebody may see.
    ///
    /// # Errors
    /// [`Refusal::DeviceUnknown`], and what keeps them from looking at all.
    pub(crate) async fn seen_device(
        &self,
        by: &Acting,
        device: &DeviceId,
    ) -> Result<(LedgerDevice, ScopedLedger), Refusal> {
        let rows = self.sight(by, Act::SeeDevices)?.rows;
        let known = rows.ledger_device(device).await.map_err(refusal)?;
        let is_seen =
            |known: &LedgerDevice| by.may(Act::SeeDevices, (&known.device.tenant, &known.device.site));
        Ok((known.filter(is_seen).ok_or(Refusal::DeviceUnknown)?, rows))
    }

    /// Other sites of its company to which somebody may move a device that has not ended.
    async fn sites_to_move_to(
        &self,
        by: &Acting,
        device: &Device,
        rows: &ScopedLedger,
    ) -> Result<Vec<SiteView>, Refusal> {
        let has_ended = matches!(device.state, DeviceState::Revoked | DeviceState::Retired);
        if has_ended || !by.may(Act::AssignDevice, (&device.tenant, &device.site)) {
            return Ok(Vec::new());
        }
        let mut sites = rows.sites(&device.tenant).await.map_err(refusal)?;
        sites.retain(|site| site.id != device.site && by.may(Act::AssignDevice, (&site.tenant, &site.id)));
        Ok(SiteView::all(&sites, None))
    }

    pub(crate) async fn device_page(
        &self,
        by: &Acting,
        id: &DeviceId,
        language: Language,
        why_not: Option<Refusal>,
    ) -> WebResult<Response> {
        let (known, rows) = self.seen_device(by, id).await?;
        let mut reader = HistoryReader::new(by, &rows, language);
        let entries = rows.history_of(id, u64::MAX, ENTRIES).await.map_err(refusal)?;
        let history = reader.lines(&entries).await?;
        let first = match last_change(&rows, &known.device).await? {
            Some(entry)
                if why_not.is_some_and(|why| {
                    [Refusal::DeviceStateOtherwise, Refusal::DeviceChangedMeanwhile].contains(&why)
                }) =>
            {
                reader.line(&entry).await?
            }
            _ => None,
        };
        let change = rows.last_change_of(id).await.map_err(refusal)?.map(|change| change.event);
        let copy = rows.copy_alarm_of(id).await.map_err(refusal)?;
        let sites = self.sites_to_move_to(by, &known.device, &rows).await?;
        let more = first.map(|line| came_first(&line, language));
        let (device, at) = (&known.device, (&known.device.tenant, &known.device.site));
        let page = DevicePage {
            frame: Frame::of(by, "", language).refusing(why_not, more),
            may: DeviceActs {
                suspend: device.state == DeviceState::Active && by.may(Act::SuspendDevice, at),
                resume: device.state == DeviceState::Suspended && by.may(Act::ResumeDevice, at),
                revoke: device.state.may_become(DeviceState::Revoked) && by.may(Act::RevokeDevice, at),
            },
            may_rename: by.may(Act::InviteDevice, at),
            sites,
            copy: copy.map(|alarm| CopyView::of(alarm, by.may(Act::ResumeDevice, at), language)),
            may_undo: by.may(Act::ResumeDevice, at),
            is_own: by.who.person().is_ok_and(|person| person.device == *id),
            seen: tag_of(device),
            change,
            people: if by.may(Act::SeePeople, at) { users(by, &known, &rows).await? } else { Vec::new() },
            causes: causes(language),
            history,
            device: DeviceView::of(&known, language),
        };
        let title = format!("{} {}", page.device.label, page.device.number);
        Ok(refused(self.page(language, &title, &page), why_not))
    }
}

impl CopyView {
    fn of(alarm: CopyAlarm, may_dismiss: bool, language: Language) -> Self {
        let told = |machine: String| match machine.split_once(' ') {
            Some((address, platform)) => {
                let platform = Platform::name_of(Platform::parse(platform), language);
                let unknown = || language.pick("接続元は不明", "address unknown");
                format!("{platform}（{}）", if address == "-" { unknown() } else { address })
            }
            None => machine,
        };
        Self {
            machines: alarm.machines.map(told),
            raised: moment(alarm.raised_at, language),
            last: moment(alarm.last_at, language),
            may_dismiss,
        }
    }
}

impl DeviceView {
    pub(crate) fn of(known: &LedgerDevice, language: Language) -> Self {
        let device = &known.device;
        let state = device.effective_state();
        let never = || language.pick("まだ使われていません", "Not used yet").to_owned();
        let none = || language.pick("使える証明書がありません", "No usable certificate").to_owned();
        Self {
            id: device.id.to_string(),
            label: device.label.clone(),
            number: words::number(&device.id),
            tenant: device.tenant_name.clone(),
            site: device.site_name.clone(),
            platform: Platform::name_of(known.platform, language),
            state: words::state(state, language),
            is_at_work: state == DeviceState::Active,
            falls_with_tenant: state != device.state,
            is_gate: device.role == Role::Gate,
            since: moment(device.changed_at, language),
            seen: known.seen_at.map_or_else(never, |at| day(at, language)),
            ends: known.ends_at.map_or_else(none, |at| day(at, language)),
        }
    }
}

/// Who came first, as in `佐藤 花子（2026年11月30日 9:00）：一時停止しました`.
fn came_first(line: &HistoryLine, language: Language) -> String {
    let HistoryLine { at, what, by, .. } = line;
    let otherwise = || language.pick("別の担当者", "somebody else").to_owned();
    let by = by.as_ref().map_or_else(otherwise, ToString::to_string);
    match language {
        Language::Ja => format!("{by}（{at}）：{what}"),
        Language::En => format!("{by}, {at}: {what}"),
    }
}

/// Who uses a device, as somebody may see them.
async fn users(by: &Acting, known: &LedgerDevice, rows: &ScopedLedger) -> Result<Vec<UserView>, Refusal> {
    let tenant = &known.device.tenant;
    let view = |person: FoundPerson| UserView {
        id: person.id.to_string(),
        name: by.name_of(tenant, &person.name),
        is_masked: *tenant != by.tenant(),
    };
    Ok(rows.users_of(&known.device.id).await.map_err(refusal)?.into_iter().map(view).collect())
}

fn causes(language: Language) -> Vec<CauseView> {
    let told = |cause: StopCause| match cause {
        StopCause::Lost => language.pick("紛失・盗難", "Lost or stolen"),
        StopCause::KeyCompromise => language.pick("鍵が漏れたおそれ", "The key may be in other hands"),
        StopCause::Superseded => language.pick("別の端末に置き換え", "Replaced by another device"),
        StopCause::AffiliationChanged => language.pick("所属が変わった", "It belongs elsewhere now"),
        StopCause::CessationOfOperation => language.pick("もう使わない", "No longer used"),
    };
    StopCause::ALL.iter().map(|cause| CauseView { word: cause.as_str(), told: told(*cause) }).collect()
}
