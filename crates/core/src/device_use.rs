//! Account and terminal must match: which people may sign in on which device.

use crate::access::Roles;
use crate::id::TenantId;
use crate::refusal::Refusal;

/// A person before a device, as far as the rule depends on them.
#[derive(Clone, Copy, Debug)]
pub struct DeviceUse<'a> {
    /// Whose person it is.
    pub person_tenant: &'a TenantId,
    /// The roles that the person has.
    pub roles: &'a Roles,
    /// Whose device it is.
    pub device_tenant: &'a TenantId,
    /// Whether the person works at the device's site.
    pub works_at_site: bool,
    /// Whom the device is for.
    pub assigned: DeviceAssignment,
}

/// Whom a device is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceAssignment {
    /// Everybody who works at its site.
    Shared,
    /// Named people, and this is one of them.
    ThisPerson,
    /// Named people, and this is none of them.
    OthersOnly,
}

impl DeviceUse<'_> {
    /// Whether this person may use this device: one of the same tenant, at a site where they work unless a role of theirs
    /// reaches beyond sites. Where people are named for a device, they alone may, wherever they work.
    ///
    /// # Errors
    /// [`Refusal::PersonElsewhere`].
    pub fn check(&self) -> Result<(), Refusal> {
        let is_at_home = self.person_tenant == self.device_tenant;
        let fits = match self.assigned {
            DeviceAssignment::Shared => self.works_at_site || !self.roles.are_of_sites(),
            DeviceAssignment::ThisPerson => true,
            DeviceAssignment::OthersOnly => false,
        };
        if is_at_home && fits { Ok(()) } else { Err(Refusal::PersonElsewhere) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::PersonRole;
    use crate::entropy::Seeded;

    #[test]
    fn a_person_may_use_the_devices_of_her_own_sites_or_those_named_for_her() {
        use DeviceAssignment::{OthersOnly, Shared, ThisPerson};
        let [own, other] = [1, 2].map(|seed| TenantId::random(&Seeded::new(seed)));
        for &role in PersonRole::ALL {
            let roles = Roles::new([role]);
            let at = |device_tenant, works_at_site, assigned| {
                let tried =
                    DeviceUse { person_tenant: &own, roles: &roles, device_tenant, works_at_site, assigned };
                tried.check().is_ok()
            };
            assert!(at(&own, true, Shared) && at(&own, true, ThisPerson) && at(&own, false, ThisPerson));
            assert_eq!(at(&own, false, Shared), !role.is_of_sites(), "{role}");
            assert!(!at(&own, true, OthersOnly) && !at(&own, false, OthersOnly));
            for assigned in [Shared, ThisPerson, OthersOnly] {
                assert!(
                    !at(&other, true, assigned) && !at(&other, false, assigned),
                    "another tenant's device"
                );
            }
        }
    }

    #[test]
    fn somebody_without_a_role_that_reaches_further_is_bound_to_sites() {
        let tenant = TenantId::random(&Seeded::new(1));
        let nobody = Roles::default();
        let tried = DeviceUse {
            person_tenant: &tenant,
            roles: &nobody,
            device_tenant: &tenant,
            works_at_site: false,
            assigned: DeviceAssignment::Shared,
        };
        assert_eq!(tried.check(), Err(Refusal::PersonElsewhere));
    }
}
