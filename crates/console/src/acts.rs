//! What people do to devices: one way for pages and API. Who may is judged by the one table, in the transaction that does it, so that
//! nobody acts on what was somebody else's a moment ago; the audit entry is written by the same transaction.

use crate::acting::{Acting, ActingTransaction};
use crate::service::{ConsoleService, refusal};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use tegata_core::{
    Act, DeviceId, DeviceState, Justification, Name, Refusal, RevocationReason, StopCause, Timestamp,
};
use tegata_storage::{Device, DeviceAction, DeviceChange, KeptAnswer, LedgerError, ScopedLedger};
use tegata_web::api::DeviceStateSchema;
use utoipa::ToSchema;

/// What can be done to a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeviceCommand {
    /// Stop it for now.
    Suspend,
    /// Let a suspended one go on.
    Resume,
    /// Stop it for ever, for this cause where one was named.
    Revoke(Option<StopCause>),
}

/// What somebody wants done to a device.
pub(crate) struct DeviceRequest<'a> {
    pub(crate) device: &'a DeviceId,
    pub(crate) command: DeviceCommand,
    /// Why, for the audit log.
    pub(crate) note: &'a str,
    /// Whoever stops the device in hand has to say so.
    pub(crate) own: bool,
    /// What the device looked like to whoever asks, where they said so.
    pub(crate) seen: Option<&'a str>,
    /// Names the request, so that it may come again.
    pub(crate) repeat: Option<RepeatableRequest<'a>>,
}

/// A request that is done once however often it comes.
#[derive(Clone, Copy)]
pub(crate) struct RepeatableRequest<'a> {
    pub(crate) key: &'a str,
    /// What is asked for by it.
    pub(crate) text: &'a str,
}

/// A device was changed, durably.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceChanged {
    #[schema(value_type = String)]
    pub(crate) device: DeviceId,
    #[schema(value_type = DeviceStateSchema)]
    pub(crate) state: DeviceState,
    /// The event of the feed: `GET /api/v1/changes/{event}` says who has confirmed it.
    pub(crate) event: u64,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
}

/// What came of a request.
pub(crate) enum DeviceOutcome {
    /// It was done just now.
    Changed(DeviceChanged),
    /// It had been done before: the answer of then, in JSON.
    Before(String),
}

impl DeviceCommand {
    pub(crate) const fn act(self) -> Act {
        match self {
            Self::Suspend => Act::SuspendDevice,
            Self::Resume => Act::ResumeDevice,
            Self::Revoke(_) => Act::RevokeDevice,
        }
    }

    /// Where nobody named a cause, lists have the one by which nothing that was renewed goes on.
    fn action(self) -> (DeviceAction, Option<StopCause>) {
        match self {
            Self::Suspend => (DeviceAction::Suspend, None),
            Self::Resume => (DeviceAction::Resume, None),
            Self::Revoke(cause) => {
                let reason = cause.map_or(RevocationReason::KeyCompromise, StopCause::reason);
                (DeviceAction::Revoke(reason), cause)
            }
        }
    }

    const fn audited(self) -> &'static str {
        match self {
            Self::Suspend => "device.suspended",
            Self::Resume => "device.resumed",
            Self::Revoke(_) => "device.revoked",
        }
    }

    const fn target(self) -> DeviceState {
        match self {
            Self::Suspend => DeviceState::Suspended,
            Self::Resume => DeviceState::Active,
            Self::Revoke(_) => DeviceState::Revoked,
        }
    }
}

/// What a device looks like, as a validator (RFC 9110 section 8.8): it changes with whatever of it a person can change.
pub(crate) fn tag_of(device: &Device) -> String {
    let Device { label, site, state, tenant_state, reason, generation, changed_at, .. } = device;
    let seen = format!(
        "{label}\n{site}\n{state}\n{tenant_state}\n{reason:?}\n{generation}\n{}",
        changed_at.millis()
    );
    let hash = digest(&SHA256, seen.as_bytes());
    tegata_core::encoding::base64url(&hash.as_ref()[..12])
}

/// Notes and reasons stay in the audit log for ever.
const LONGEST_NOTE: usize = 200;

/// Whether a note is short enough to be kept.
pub(crate) fn fits(note: &str) -> Result<(), Refusal> {
    if note.chars().count() > LONGEST_NOTE { Err(Refusal::RequestMalformed) } else { Ok(()) }
}

impl ConsoleService {
    /// Does it, or says why not. A refusal of who it is goes to the audit log.
    ///
    /// # Errors
    /// What the person may not, or is not possible.
    pub(crate) async fn act_on_device(
        &self,
        by: &Acting,
        asked: &DeviceRequest<'_>,
    ) -> Result<DeviceOutcome, Refusal> {
        fits(asked.note)?;
        self.noting(by, Some(asked.device), self.done_to_device(by, asked).await).await
    }

    async fn done_to_device(&self, by: &Acting, asked: &DeviceRequest<'_>) -> Result<DeviceOutcome, Refusal> {
        let DeviceRequest { device, command, note, .. } = *asked;
        // Whoever has to confirm is known before the change, so that nobody is missed who goes silent at that moment.
        let wait = self.context.ledger.receipt_wait(by.at).await.map_err(refusal)?;
        let mut acting = self.begin(by, command.act()).await?;
        if let Some(before) = before(&mut acting, asked.repeat).await? {
            return Ok(DeviceOutcome::Before(before));
        }
        let known = acting.device_in_hand(device, command.act(), asked.seen).await?;
        let in_hand = by.who.person().is_ok_and(|person| person.device == known.id);
        if in_hand && command != DeviceCommand::Resume && !asked.own {
            return Err(Refusal::OwnDevice);
        }
        let (action, cause) = command.action();
        let actor = acting.by.actor();
        let acted = acting.rows.act_on_device_because(device, action, cause, note, &actor).await;
        let event = match acted {
            Ok(event) => event,
            Err(LedgerError::Guard(_)) => return Err(Refusal::DeviceStateOtherwise),
            Err(error) => return Err(refusal(error)),
        };
        let change = change(&acting.by, asked, event);
        acting.rows.note_device_change(&change).await.map_err(refusal)?;
        let changed = DeviceChanged { device: device.clone(), state: command.target(), event, at: by.at };
        keep(&mut acting, asked.repeat, &changed).await?;
        let rows = self.sight(&acting.by, command.act())?.rows;
        acting.commit().await?;
        self.confirmations.follow(wait, &change, rows, self.context.clock.clone()).await;
        Ok(DeviceOutcome::Changed(changed))
    }

    /// Gives a device another name: whoever may invite a device under a name may name it.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LabelUnfit`], [`Refusal::DeviceChangedMeanwhile`].
    pub(crate) async fn rename_device(
        &self,
        by: &Acting,
        (device, label): (&DeviceId, &str),
        seen: Option<&str>,
    ) -> Result<(), Refusal> {
        let label = Name::label(label).map_err(|_| Refusal::LabelUnfit)?;
        self.noting(by, Some(device), self.renamed(by, (device, &label), seen).await).await
    }

    async fn renamed(
        &self,
        by: &Acting,
        (device, label): (&DeviceId, &Name),
        seen: Option<&str>,
    ) -> Result<(), Refusal> {
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let known = acting.device_in_hand(device, Act::InviteDevice, seen).await?;
        if known.label == label.as_str() {
            return Ok(());
        }
        acting.rows.rename_device(device, label, &acting.by.actor()).await.map_err(refusal)?;
        acting.commit().await
    }
}

impl ActingTransaction {
    /// A device that they see, may do this to, and have seen as it is, where they said what they saw.
    ///
    /// # Errors
    /// [`Refusal::DeviceUnknown`], [`Refusal::DeviceChangedMeanwhile`], and those of [`Acting::judge`].
    pub(crate) async fn device_in_hand(
        &mut self,
        device: &DeviceId,
        act: Act,
        seen: Option<&str>,
    ) -> Result<Device, Refusal> {
        let known = self.rows.device_in_hand(device).await.map_err(refusal)?;
        let known = known.filter(|known| self.by.sees((&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::DeviceUnknown)?;
        self.by.judge(act, (&known.tenant, &known.site), None)?;
        if seen.is_some_and(|seen| seen != tag_of(&known)) {
            return Err(Refusal::DeviceChangedMeanwhile);
        }
        Ok(known)
    }
}

/// What is kept of it beside the audit entry.
fn change(by: &Acting, asked: &DeviceRequest<'_>, event: u64) -> DeviceChange {
    let because = by.because();
    let said = [asked.note, because.map_or("", Justification::reason)];
    let said: Vec<_> = said.into_iter().filter(|said| !said.is_empty()).collect();
    DeviceChange {
        event,
        device: asked.device.clone(),
        action: asked.command.audited().to_owned(),
        by: by.who.author(),
        reason: (!said.is_empty()).then(|| said.join(" / ")),
        ticket: because.map(|because| because.ticket().to_owned()),
        at: by.at,
        confirmed: None,
    }
}

/// What was answered to this very request before.
async fn before(
    acting: &mut ActingTransaction,
    repeat: Option<RepeatableRequest<'_>>,
) -> Result<Option<String>, Refusal> {
    let Some(repeat) = repeat else { return Ok(None) };
    let tenant = acting.by.tenant();
    let (caller, key) = acting.by.who.answered(&tenant, repeat.key);
    let known = acting.rows.answer_before(caller, &key).await.map_err(refusal)?;
    match known {
        Some(known) if known.request_hash == repeat.hash() => Ok(Some(known.answer)),
        Some(_) => Err(Refusal::IdempotencyKeyReused),
        None => Ok(None),
    }
}

async fn keep(
    acting: &mut ActingTransaction,
    repeat: Option<RepeatableRequest<'_>>,
    answer: &impl Serialize,
) -> Result<(), Refusal> {
    let Some(repeat) = repeat else { return Ok(()) };
    let answer = serde_json::to_string(answer).map_err(|_| Refusal::Internal)?;
    let kept = KeptAnswer { request_hash: repeat.hash(), answer };
    let tenant = acting.by.tenant();
    let (caller, key) = acting.by.who.answered(&tenant, repeat.key);
    acting.rows.keep_answer(caller, &key, &kept).await.map_err(refusal)
}

impl RepeatableRequest<'_> {
    fn hash(&self) -> Vec<u8> {
        digest(&SHA256, self.text.as_bytes()).as_ref().to_vec()
    }
}

/// Whoever brought a device into the state that it has now, and when: what somebody reads who comes second.
pub(crate) async fn last_change(
    rows: &ScopedLedger,
    device: &Device,
) -> Result<Option<tegata_storage::AuditEntry>, Refusal> {
    let action = match device.state {
        DeviceState::Active => "device.resumed",
        DeviceState::Suspended => "device.suspended",
        DeviceState::Revoked => "device.revoked",
        DeviceState::Retired => "device.retired",
    };
    rows.last_entry_of(&device.id, action, "").await.map_err(refusal)
}
