//! Certificates that two machines seem to use: who sees it, and who says that it is well.

use crate::acting::Acting;
use crate::acts::fits;
use crate::deciding::guarded;
use crate::service::{ConsoleService, refusal};
use tegata_core::{Act, DeviceId, Refusal};
use tegata_storage::CopyAlarm;

/// Alarms that are read at a time: of more there is a list of devices.
const MOST: u32 = 500;

impl ConsoleService {
    /// Says that it is well that a certificate is used as it is, and why.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::RequestMalformed`] without a reason; [`Refusal::CopyAlarmOver`].
    pub(crate) async fn dismiss_copy_alarm(
        &self,
        by: &Acting,
        device: &DeviceId,
        reason: &str,
    ) -> Result<(), Refusal> {
        let reason = reason.trim();
        fits(reason)?;
        if reason.is_empty() {
            return Err(Refusal::RequestMalformed);
        }
        self.noting(by, Some(device), self.copy_alarm_dismissed(by, device, reason).await).await
    }

    async fn copy_alarm_dismissed(
        &self,
        by: &Acting,
        device: &DeviceId,
        reason: &str,
    ) -> Result<(), Refusal> {
        let mut acting = self.begin(by, Act::ResumeDevice).await?;
        acting.device_in_hand(device, Act::ResumeDevice, None).await?;
        let dismissed = acting.rows.dismiss_copy_alarm(device, reason, &acting.by.actor()).await;
        dismissed.map_err(guarded(Refusal::CopyAlarmOver))?;
        acting.commit().await
    }

    /// Alarms about devices that somebody may see, the newest first.
    pub(crate) async fn copy_alarms_seen(&self, by: &Acting) -> Result<Vec<CopyAlarm>, Refusal> {
        let rows = self.sight(by, Act::SeeDevices)?.rows;
        let mut alarms = rows.copy_alarms(MOST).await.map_err(refusal)?;
        alarms.retain(|one| by.sees((&one.tenant, &one.site)));
        Ok(alarms)
    }
}
