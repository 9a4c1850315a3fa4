//! A device moves to another site of its company: one way for page and API, judged and done as [`crate::acts`] does it.

use crate::acting::Acting;
use crate::acts::{DeviceChanged, fits};
use crate::service::{ConsoleService, refusal};
use tegata_core::{Act, DeviceId, DeviceState, Justification, Refusal, SiteId};
use tegata_storage::{DeviceChange, LedgerError};

/// Where a device is to go.
pub(crate) struct DeviceMove<'a> {
    pub(crate) device: &'a DeviceId,
    pub(crate) site: &'a SiteId,
    /// Why, for the audit log.
    pub(crate) note: &'a str,
    /// Whoever moves the device in hand signs themselves out, and has to say so.
    pub(crate) own: bool,
    /// What the device looked like to whoever asks, where they said so.
    pub(crate) seen: Option<&'a str>,
}

impl ConsoleService {
    /// Moves a device between sites of which whoever asks says who uses their devices. Whoever is signed in on it is signed out;
    /// for whom it is named stays.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LineSiteUnknown`] for a site that is none of the company's or that they do not see,
    /// [`Refusal::DeviceStateOtherwise`] for a device that has ended or is there already, [`Refusal::SiteFull`],
    /// [`Refusal::SiteChangesHands`],
    /// [`Refusal::OwnDevice`], [`Refusal::DeviceChangedMeanwhile`].
    pub(crate) async fn move_device(
        &self,
        by: &Acting,
        asked: &DeviceMove<'_>,
    ) -> Result<DeviceChanged, Refusal> {
        fits(asked.note)?;
        self.noting(by, Some(asked.device), self.moved(by, asked).await).await
    }

    async fn moved(&self, by: &Acting, asked: &DeviceMove<'_>) -> Result<DeviceChanged, Refusal> {
        let DeviceMove { device, site, note, .. } = *asked;
        // Whoever has to confirm is known before the change, so that nobody is missed who goes silent at that moment.
        let wait = self.context.ledger.receipt_wait(by.at).await.map_err(refusal)?;
        let site = self.site_named(by, Act::AssignDevice, site).await?;
        let mut acting = self.begin(by, Act::AssignDevice).await?;
        let known = acting.device_in_hand(device, Act::AssignDevice, asked.seen).await?;
        if site.tenant != known.tenant {
            return Err(Refusal::LineSiteUnknown);
        }
        if !acting.by.sees((&site.tenant, &site.id)) {
            return Err(Refusal::LineSiteUnknown);
        }
        acting.by.judge(Act::AssignDevice, (&site.tenant, &site.id), None)?;
        if known.site == site.id || matches!(known.state, DeviceState::Revoked | DeviceState::Retired) {
            return Err(Refusal::DeviceStateOtherwise);
        }
        let in_hand = by.who.person().is_ok_and(|person| person.device == known.id);
        if in_hand && !asked.own {
            return Err(Refusal::OwnDevice);
        }
        let event = match acting.rows.move_device_to(device, &site.id, note, &acting.by.actor()).await {
            Ok(event) => event,
            // It was there a moment ago, and nobody else writes: the site was handed over to another company.
            Err(LedgerError::Guard(_)) => return Err(Refusal::LineSiteUnknown),
            Err(error) => return Err(refusal(error)),
        };
        let because = acting.by.because();
        let said = [note, because.map_or("", Justification::reason)];
        let said: Vec<_> = said.into_iter().filter(|said| !said.is_empty()).collect();
        let change = DeviceChange {
            event,
            device: device.clone(),
            action: "device.moved".to_owned(),
            by: acting.by.who.author(),
            reason: (!said.is_empty()).then(|| said.join(" / ")),
            ticket: because.map(|because| because.ticket().to_owned()),
            at: by.at,
            confirmed: None,
        };
        acting.rows.note_device_change(&change).await.map_err(refusal)?;
        let rows = self.sight(&acting.by, Act::AssignDevice)?.rows;
        acting.commit().await?;
        self.confirmations.follow(wait, &change, rows, self.context.clock.clone()).await;
        Ok(DeviceChanged { device: device.clone(), state: known.state, event, at: by.at })
    }
}
