//! Kitting codes: one code for many devices of a site in a row. Judged and done as [`crate::acts`] does it for devices.

use crate::acting::Acting;
use crate::deciding::guarded;
use crate::service::{ConsoleService, refusal};
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{Act, KittingId, Network, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::{Kitting, KittingPlace, NewKitting, Site};

/// How long a code works at most: it lies about where many people are.
pub(crate) const MOST_HOURS: u32 = 24 * 7;

/// Devices that a code admits within a minute, at most.
pub(crate) const MOST_PER_MINUTE: u32 = 100;

/// Codes that are shown, the newest.
const SHOWN: usize = 100;

/// What a code is to be for.
pub(crate) struct WantedKitting<'a> {
    pub(crate) site: &'a SiteId,
    /// What devices are called; where the number has no place, it comes last.
    pub(crate) label: &'a str,
    pub(crate) devices: u32,
    pub(crate) hours: u32,
    pub(crate) per_minute: u32,
    /// From where, separated by spaces or commas; from everywhere if it is empty.
    pub(crate) networks: &'a str,
}

/// A code that was made just now. Its link is a secret.
pub(crate) struct MadeKitting {
    pub(crate) id: KittingId,
    pub(crate) site: Site,
    pub(crate) label: String,
    pub(crate) devices: u32,
    pub(crate) expires_at: Timestamp,
    pub(crate) link: String,
}

/// Where a code stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KittingStanding {
    Open,
    UsedUp,
    Ended,
    Expired,
}

impl KittingStanding {
    pub(crate) fn of(kitting: &Kitting, now: Timestamp) -> Self {
        if kitting.ended {
            Self::Ended
        } else if now > kitting.expires_at {
            Self::Expired
        } else if kitting.taken >= kitting.places {
            Self::UsedUp
        } else {
            Self::Open
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::UsedUp => "used_up",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

impl ConsoleService {
    /// Makes a code for many devices of a site.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LabelUnfit`]; [`Refusal::RequestMalformed`] for a number or network that is none;
    /// [`Refusal::LineSiteUnknown`] for a site that they do not see.
    pub(crate) async fn add_kitting(
        &self,
        by: &Acting,
        wanted: &WantedKitting<'_>,
    ) -> Result<MadeKitting, Refusal> {
        self.noting(by, None, self.kitting_added(by, wanted).await).await
    }

    async fn kitting_added(&self, by: &Acting, wanted: &WantedKitting<'_>) -> Result<MadeKitting, Refusal> {
        let label = if wanted.label.contains("{n}") {
            wanted.label.to_owned()
        } else {
            format!("{}-{{n}}", wanted.label.trim())
        };
        let label = Kitting::label_template(&label).ok_or(Refusal::LabelUnfit)?;
        let is_fit = (1..=Kitting::MOST_PLACES).contains(&wanted.devices)
            && (1..=MOST_HOURS).contains(&wanted.hours)
            && (1..=MOST_PER_MINUTE).contains(&wanted.per_minute);
        if !is_fit {
            return Err(Refusal::RequestMalformed);
        }
        let networks = networks(wanted.networks)?;
        let site = self.site_named(by, Act::InviteDevice, wanted.site).await?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        acting.judge_invitation(&site.tenant, &site.id)?;
        let entropy = self.context.entropy.as_ref();
        let code = InvitationCode::random(entropy);
        let new = NewKitting {
            id: KittingId::random(entropy),
            code: &code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            label: label.into(),
            places: wanted.devices,
            per_minute: wanted.per_minute,
            networks,
            expires_at: by.at.plus(Duration::from_hours(1) * wanted.hours),
        };
        let added = acting.rows.add_kitting(&new, &acting.by.actor()).await;
        added.map_err(guarded(Refusal::LineSiteUnknown))?;
        acting.commit().await?;
        let link = format!("{}/kitting#{}", self.context.addresses.portal, code.reveal());
        let NewKitting { id, label, places, expires_at, .. } = new;
        Ok(MadeKitting { id, site, label, devices: places, expires_at, link })
    }

    /// Ends a code at once. The devices that it has made go on.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::InvitationUnknown`], or [`Refusal::InvitationWithdrawn`] where it was ended.
    pub(crate) async fn end_kitting(&self, by: &Acting, id: &KittingId) -> Result<(), Refusal> {
        self.noting(by, None, self.kitting_ended(by, id).await).await
    }

    async fn kitting_ended(&self, by: &Acting, id: &KittingId) -> Result<(), Refusal> {
        // For which site a code is never changes.
        let known = self.sight(by, Act::InviteDevice)?.rows.kitting(id).await.map_err(refusal)?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let known = known.filter(|known| acting.by.sees((&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::InvitationUnknown)?;
        acting.judge_invitation(&known.tenant, &known.site)?;
        let ended = acting.rows.end_kitting(id, &acting.by.actor()).await;
        ended.map_err(guarded(Refusal::InvitationWithdrawn))?;
        acting.commit().await
    }

    /// A code with its places, if somebody sees it.
    pub(crate) async fn kitting_seen(
        &self,
        by: &Acting,
        id: &KittingId,
    ) -> Result<(Kitting, Vec<KittingPlace>), Refusal> {
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        let known = rows.kitting(id).await.map_err(refusal)?;
        let known = known.filter(|known| by.may(Act::InviteDevice, (&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::InvitationUnknown)?;
        let places = rows.kitting_places(id).await.map_err(refusal)?;
        Ok((known, places))
    }

    /// The newest codes that somebody sees; of one tenant alone where they reach all of them.
    pub(crate) async fn kittings_seen(
        &self,
        by: &Acting,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Kitting>, Refusal> {
        let sight = self.sight(by, Act::InviteDevice)?;
        let rows = match (tenant, sight.is_everywhere) {
            (Some(tenant), _) => sight.rows.narrowed(tenant).ok_or(Refusal::RoleMayNot)?,
            (None, false) => sight.rows,
            (None, true) => return Ok(Vec::new()),
        };
        let mut known = rows.kittings().await.map_err(refusal)?;
        known.retain(|one| !one.tenant.is_system() && by.may(Act::InviteDevice, (&one.tenant, &one.site)));
        known.truncate(SHOWN);
        Ok(known)
    }
}

fn networks(text: &str) -> Result<Vec<Network>, Refusal> {
    let words = text.split([' ', ',', '\n', '\r', '\t', '　', '、']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| Refusal::RequestMalformed)).collect()
}
