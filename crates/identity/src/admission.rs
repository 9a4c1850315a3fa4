//! Whether somebody who has proved to be a person may sign in on a device.

use tegata_core::{DeviceUse, Refusal};
use tegata_storage::{BreakGlass, CertificateHolder, PersonState, SignInCandidate};

/// Said to nobody who has not proved to be the person.
pub(crate) fn may_enter(candidate: &SignInCandidate, holder: &CertificateHolder) -> Result<(), Refusal> {
    if candidate.state == PersonState::Disabled || candidate.break_glass == Some(BreakGlass::Used) {
        return Err(Refusal::PersonDisabled);
    }
    let here = DeviceUse {
        person_tenant: &holder.tenant,
        roles: &candidate.roles,
        device_tenant: &holder.tenant,
        works_at_site: candidate.works_at_site,
        assigned: candidate.assigned,
    };
    here.check()
}
