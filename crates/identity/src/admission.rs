//! Whether somebody who has proved to be a person may sign in on a device.

use tegata_core::{DeviceUse, Refusal};
use tegata_storage::{BreakGlass, CertificateHolder, PersonState, SignInAccounts, SignInPerson};

/// Said to nobody who has not proved to be the person.
pub(crate) fn may_enter(who: &SignInPerson, holder: &CertificateHolder) -> Result<(), Refusal> {
    if who.state == PersonState::Disabled || who.break_glass == Some(BreakGlass::Used) {
        return Err(Refusal::PersonDisabled);
    }
    let here = DeviceUse {
        person_tenant: &holder.tenant,
        roles: &who.roles,
        device_tenant: &holder.tenant,
        works_at_site: who.works_at_site,
        assigned: who.assigned,
    };
    here.check()
}

/// With an account here: where the tenant's people sign in at its provider alone, those for emergencies are what is left.
pub(crate) fn may_enter_locally(who: &SignInPerson, holder: &CertificateHolder) -> Result<(), Refusal> {
    may_enter(who, holder)?;
    let is_closed = who.accounts == SignInAccounts::Provider && who.break_glass.is_none();
    if is_closed { Err(Refusal::LocalAccountClosed) } else { Ok(()) }
}
