//! What people may do: one table of acts and roles, and the conditions that come with it.
//!
//! The table says how far a role reaches with an act. Three conditions are the same for everybody and stand here: who works
//! for the vendor names a reason and a ticket, nobody decides on a request of their own, and nobody acts on a person who may
//! do more than themselves. `docs/roles.md` shows the table; a test compares the two.

mod role;
mod scope;
mod table;

pub use role::{PersonRole, Roles};
pub use scope::ConsoleScope;
pub use table::Act;

use crate::id::{PersonId, SiteId, TenantId};
use crate::refusal::Refusal;
use serde::Serialize;

/// How far somebody reaches with an act. Each reach includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    /// The act is not allowed at all.
    Nowhere,
    /// To what is the person's own.
    Own,
    /// To the sites the person works at.
    Sites,
    /// To the person's tenant with all of its sites.
    Tenant,
    /// To all tenants of the installation.
    Everywhere,
}

/// Somebody who wants to do something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleHolder {
    /// The person who acts.
    pub person: PersonId,
    /// Whose person it is.
    pub tenant: TenantId,
    /// The sites that the person works at.
    pub sites: Vec<SiteId>,
    /// The roles that the person has.
    pub roles: Roles,
}

/// What an act is done to.
#[derive(Clone, Copy, Debug)]
pub struct ActTarget<'a> {
    /// The tenant that it belongs to.
    pub tenant: &'a TenantId,
    /// At which sites it is; none where it belongs to the tenant as a whole.
    pub sites: &'a [SiteId],
    /// The person it is done to, with the roles they have or are to have.
    pub person: Option<(&'a PersonId, &'a Roles)>,
    /// Who asked for it, where the act decides on a request.
    pub requested_by: Option<&'a PersonId>,
}

/// Why somebody who works for the vendor acts (guideline 10④: maintenance is matched with what was asked for).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Justification {
    reason: String,
    ticket: String,
}

/// The longest reason or number of a ticket, in characters.
const LONGEST: usize = 200;

impl Justification {
    /// From what was typed; `None` where either says nothing, or is longer than 200 characters.
    pub fn new(reason: &str, ticket: &str) -> Option<Self> {
        let said = |text: &str| {
            let text = text.trim();
            (!text.is_empty() && text.chars().count() <= LONGEST).then(|| text.to_owned())
        };
        Some(Self { reason: said(reason)?, ticket: said(ticket)? })
    }

    /// The reason as the person typed it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The number under which somebody asked for it.
    pub fn ticket(&self) -> &str {
        &self.ticket
    }
}

impl RoleHolder {
    /// Whether this person may do it now.
    ///
    /// # Errors
    /// [`Refusal::RoleMayNot`] where none of the roles reaches that far, or the person it is done to has a role that this
    /// one may not give; [`Refusal::OwnRequest`] where one would decide for oneself; [`Refusal::ReasonMissing`] where only a
    /// role of the vendor's support reaches there and nothing was said of why.
    pub fn may(
        &self,
        act: Act,
        on: &ActTarget<'_>,
        justification: Option<&Justification>,
    ) -> Result<(), Refusal> {
        let needed = self.distance(on);
        let reaching = || self.roles.iter().filter(|role| act.reach(*role) >= needed);
        if reaching().next().is_none() || !self.may_act_on_person(act, on) {
            return Err(Refusal::RoleMayNot);
        }
        let decides_for_oneself =
            [on.requested_by, on.person.map(|(person, _)| person)].contains(&Some(&self.person));
        if act.takes_two_people() && decides_for_oneself {
            return Err(Refusal::OwnRequest);
        }
        let as_support = reaching().all(PersonRole::is_support);
        if as_support && act != Act::OwnSessions && justification.is_none() {
            return Err(Refusal::ReasonMissing);
        }
        Ok(())
    }

    /// The shortest reach that includes the target.
    fn distance(&self, on: &ActTarget<'_>) -> Reach {
        if on.person.is_some_and(|(person, _)| *person == self.person) {
            Reach::Own
        } else if *on.tenant != self.tenant {
            Reach::Everywhere
        } else if !on.sites.is_empty() && on.sites.iter().all(|site| self.sites.contains(site)) {
            Reach::Sites
        } else {
            Reach::Tenant
        }
    }

    /// Looking at somebody changes nothing, and of oneself everybody may say what the table lets them.
    fn may_act_on_person(&self, act: Act, on: &ActTarget<'_>) -> bool {
        let Some((person, roles)) = on.person else { return true };
        act == Act::SeePeople
            || *person == self.person
            || roles.iter().all(|role| self.roles.iter().any(|own| own.may_give(role)))
    }
}

#[cfg(test)]
mod tests;
