//! Why somebody cannot enter, from the code that a page or a gate shows them.
//!
//! The code says by which rule; the number beside it, where there is one, which device. What would refuse that device now is
//! worked out from the ledger, by the rule that refuses it. A request's number leads to the line of a log and no further: what
//! strangers are refused leaves no row here.

use crate::search::{DeviceSearch, FoundDevice};
use crate::{Certificate, Device, Result, ScopedLedger};
use serde_json::Value;
use tegata_core::certificate::standing;
use tegata_core::refusal::SpokenCode;
use tegata_core::search::SearchQuery;
use tegata_core::{DeviceId, DeviceState, Refusal, Standing, Timestamp};

/// Devices that one number may mean before it says nothing.
const MOST: usize = 5;

/// What is known of why somebody is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WhyAnswer {
    /// Which device it is, with the people who use it; several where the number is short.
    pub devices: Vec<FoundDevice>,
    /// The rule: what refuses the one device now; without a device, what the code says.
    pub refusal: Option<Refusal>,
    /// Since when that rule refuses it.
    pub since: Option<Timestamp>,
    /// The last refusal of the device that the audit log has.
    pub noted: Option<NotedRefusal>,
    /// Whether the number may be a request's, which the log of the server or the gate knows and the ledger does not.
    pub in_the_log: bool,
}

/// A refusal in the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotedRefusal {
    /// Why it was refused.
    pub refusal: Refusal,
    /// When it was refused.
    pub at: Timestamp,
}

impl ScopedLedger {
    /// Explains a code that somebody reads out.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn why(&self, code: &SpokenCode, now: Timestamp) -> Result<WhyAnswer> {
        let mut devices = match &code.number {
            Some(number) => self.numbered(number, now).await?,
            None => Vec::new(),
        };
        let in_the_log = devices.is_empty() && code.may_be_request();
        let mut answer =
            WhyAnswer { devices: Vec::new(), refusal: code.refusal, since: None, noted: None, in_the_log };
        if let [found] = &devices[..] {
            let certificates = self.certificates_of(&found.device.id).await?;
            (answer.refusal, answer.since) = refused_now(&found.device, &certificates, now)
                .map_or((code.refusal, None), |(refusal, since)| (Some(refusal), since));
            answer.noted = self.last_refusal_of(&found.device.id).await?;
        }
        devices.truncate(MOST);
        Ok(WhyAnswer { devices, ..answer })
    }

    async fn numbered(&self, number: &str, now: Timestamp) -> Result<Vec<FoundDevice>> {
        let query = SearchQuery::parse(number, now);
        let search = DeviceSearch { query, ..DeviceSearch::default() };
        Ok(self.search_numbers(&search).await?.hits)
    }

    /// Whatever was refused to the device itself: a certificate, a sign-in, a token for a person.
    async fn last_refusal_of(&self, device: &DeviceId) -> Result<Option<NotedRefusal>> {
        let entries = self.history_of(device, u64::try_from(i64::MAX).unwrap_or(u64::MAX), 200).await?;
        Ok(entries.iter().find_map(|entry| {
            let at = entry.at;
            let entry: Value = serde_json::from_str(&entry.entry).ok()?;
            let is_refusal = entry["action"].as_str()?.ends_with(".refused");
            let refusal = Refusal::from_code(entry["detail"]["code"].as_str()?).filter(|_| is_refusal)?;
            Some(NotedRefusal { refusal, at })
        }))
    }
}

/// What refuses a device now, and since when. The newest certificate decides: a browser that shows an older one beside it is told
/// so by its own page.
fn refused_now(
    device: &Device,
    certificates: &[Certificate],
    now: Timestamp,
) -> Option<(Refusal, Option<Timestamp>)> {
    let state = device.effective_state();
    let Some(newest) = certificates.iter().max_by_key(|certificate| certificate.generation) else {
        return Some((Refusal::NoCertificate, None));
    };
    let stopped =
        if device.state == DeviceState::Active { device.tenant_changed_at } else { device.changed_at };
    match standing(state, newest.state, newest.not_before, newest.not_after, now) {
        Standing::Good => None,
        Standing::Unissued => Some((Refusal::NoCertificate, None)),
        Standing::NotYetValid => Some((Refusal::CertificateNotYetValid, None)),
        Standing::Expired => Some((Refusal::CertificateExpired, Some(newest.not_after))),
        Standing::Suspended => Some((Refusal::DeviceSuspended, Some(stopped))),
        Standing::Retired => Some((Refusal::CertificateRetired, None)),
        Standing::Revoked => {
            let since = (device.state == DeviceState::Revoked).then_some(device.changed_at);
            Some((Refusal::CertificateRevoked, since))
        }
    }
}
