//! Who may enroll a first device, with what, from where and when: the rules of a tenant and of each of its sites.
//!
//! The rules of a tenant are a ceiling. Whoever enrolls at a site must satisfy the rules of the tenant **and** those of the
//! site, so a site can only be stricter than its tenant, never looser. A rule that is not there allows everything.
//!
//! Rules are for first certificates. A renewal knows nothing of them: nobody is locked out by the hour, by a platform or
//! by a number. What a client says of its platform is a claim, and the rule sorts honest devices, not liars.

mod hours;
mod platform;
#[cfg(test)]
mod tests;

pub use hours::{FixedOffset, NotAWindow, NotAZone, OpeningHours, Weekdays, WeeklyWindow};
pub use platform::Platform;

use crate::network::Network;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The rules of one place: a tenant, or a site. In JSON a rule that is not there is left out; a member that is not known
/// is an error, so that a program which is too old for a rule does not pass over it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnrollmentPolicy {
    /// At most so many devices at a time: all of the tenant's, or all of the site's. Counted where serials are reserved,
    /// as nobody else can say that there is still a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<u32>,
    /// What devices may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<BTreeSet<Platform>>,
    /// From where they may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<Network>>,
    /// The hours in which devices may enroll; at any time if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<OpeningHours>,
    /// Whether somebody has to approve of each.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
}

/// The rules of a site with those of its tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EffectivePolicy {
    /// The tenant's rules, which no site may loosen.
    pub tenant: EnrollmentPolicy,
    /// What the site asks beyond it.
    pub site: EnrollmentPolicy,
}

/// What is known of a requester who wants a first certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnrollmentAttempt {
    /// What it calls itself.
    pub platform: Platform,
    /// From where the connection comes. `None` where that is not known, as behind a proxy: no network has it.
    pub address: Option<IpAddr>,
    /// When the device tries to enroll.
    pub at: Timestamp,
}

/// What becomes of somebody who is not refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyVerdict {
    /// A certificate, if there is a place.
    Admitted,
    /// A certificate once somebody has approved.
    Waiting,
}

impl EffectivePolicy {
    /// Judges a request by every rule but the number of devices.
    ///
    /// # Errors
    /// The first rule that is broken: [`Refusal::NetworkNotAllowed`], [`Refusal::PlatformNotAllowed`],
    /// [`Refusal::OutsideHours`].
    pub fn judge(&self, asking: &EnrollmentAttempt) -> Result<PolicyVerdict, Refusal> {
        let verdicts = [self.tenant.judge(asking)?, self.site.judge(asking)?];
        let waits = verdicts.contains(&PolicyVerdict::Waiting);
        Ok(if waits { PolicyVerdict::Waiting } else { PolicyVerdict::Admitted })
    }

    /// Whether somebody has to approve of each.
    pub fn need_approval(&self) -> bool {
        self.tenant.approval || self.site.approval
    }

    /// The hours that are in force.
    pub fn hours(&self) -> impl Iterator<Item = &OpeningHours> {
        [&self.tenant, &self.site].into_iter().filter_map(|policy| policy.hours.as_ref())
    }
}

impl EnrollmentPolicy {
    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn judge(&self, asking: &EnrollmentAttempt) -> Result<PolicyVerdict, Refusal> {
        if self.networks.as_ref().is_some_and(|networks| !has(networks, asking.address)) {
            return Err(Refusal::NetworkNotAllowed);
        }
        if self.platforms.as_ref().is_some_and(|platforms| !asking.platform.is_among(platforms)) {
            return Err(Refusal::PlatformNotAllowed);
        }
        if self.hours.as_ref().is_some_and(|hours| !hours.include(asking.at)) {
            return Err(Refusal::OutsideHours);
        }
        Ok(if self.approval { PolicyVerdict::Waiting } else { PolicyVerdict::Admitted })
    }
}

fn has(networks: &[Network], address: Option<IpAddr>) -> bool {
    address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
}
