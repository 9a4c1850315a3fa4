//! Who acts, and how far each kind of them reaches: somebody who is signed in, or a program by itself.

use crate::people::{ActsFor, FormSeal, ProgramItself, ScopedProgram};
use std::sync::Arc;
use tegata_core::access::{ConsoleScope, Reach};
use tegata_core::{Act, ActTarget, DeviceId, PersonId, PersonRole, Refusal, RoleHolder, SiteId, TenantId};
use tegata_storage::{ActingPerson, Actor, AnsweredCaller, ChangeAuthor, LiveSession};

/// Who sends a request and acts by it.
#[derive(Clone)]
pub(crate) enum Party {
    /// Somebody who is signed in, themselves or by a program that they signed in to.
    Person(Box<SignedInParty>),
    /// A program that acts for nobody but itself.
    Program(ProgramItself),
}

/// Somebody who is signed in, with what they may do.
#[derive(Clone)]
pub(crate) struct SignedInParty {
    pub(crate) session: LiveSession,
    pub(crate) holder: RoleHolder,
    pub(crate) form: Arc<dyn FormSeal>,
    /// What a program may do that acts for them by a token; nothing where they act themselves.
    pub(crate) program: Option<ScopedProgram>,
    /// The device in hand.
    pub(crate) device: DeviceId,
}

/// A site of a tenant that something is done to.
pub(crate) type At<'a> = (&'a TenantId, &'a SiteId);

impl SignedInParty {
    /// Somebody with what was shown of them: a form, and the scopes of a program's token.
    pub(crate) fn of(
        person: ActingPerson,
        (form, program): (Arc<dyn FormSeal>, Option<ScopedProgram>),
        device: DeviceId,
    ) -> Self {
        let ActingPerson { session, sites } = person;
        let holder = RoleHolder {
            person: session.person.clone(),
            tenant: session.tenant.clone(),
            sites,
            roles: session.roles.clone(),
        };
        Self { session, holder, form, program, device }
    }

    /// This person, as the ledger has them at another moment.
    pub(crate) fn anew(&self, person: ActingPerson) -> Self {
        Self::of(person, (self.form.clone(), self.program.clone()), self.device.clone())
    }

    /// How far an act reaches by the roles that count: those of support count once it was said why.
    fn reach(&self, act: Act) -> Result<Reach, Refusal> {
        let roles = || self.session.roles.iter().filter(|role| act.reach(*role) > Reach::Own);
        let has_said_why = self.session.justification.is_some();
        let counting = roles().filter(|role| !role.is_support() || has_said_why);
        match (counting.map(|role| act.reach(role)).max(), roles().next()) {
            (Some(reach), _) => Ok(reach),
            (None, Some(_)) => Err(Refusal::ReasonMissing),
            (None, None) => Err(Refusal::RoleMayNot),
        }
    }
}

impl ProgramItself {
    /// In a company it reaches as a head office does; of the installation nothing but what is no company's.
    fn reach(&self, act: Act) -> Result<Reach, Refusal> {
        let reach = match &self.acts_for {
            ActsFor::Tenant(_) => act.reach(PersonRole::TenantAdmin),
            ActsFor::Installation if matches!(act, Act::AddTenant | Act::SeeHealth) => Reach::Everywhere,
            ActsFor::Installation => Reach::Nowhere,
        };
        if reach >= Reach::Tenant { Ok(reach) } else { Err(Refusal::RoleMayNot) }
    }
}

impl Party {
    /// How far an act reaches.
    ///
    /// # Errors
    /// [`Refusal::RoleMayNot`], [`Refusal::ReasonMissing`] where only roles of support reach anywhere,
    /// [`Refusal::ScopeInsufficient`], or [`Refusal::PersonNeeded`].
    pub(crate) fn reach(&self, act: Act) -> Result<Reach, Refusal> {
        self.must_have_scope(act)?;
        match self {
            Self::Person(person) => person.reach(act),
            Self::Program(_) if act.takes_two_people() => Err(Refusal::PersonNeeded),
            Self::Program(program) => program.reach(act),
        }
    }

    /// Whether they may do this.
    ///
    /// # Errors
    /// Those of [`RoleHolder::may`], [`Refusal::ScopeInsufficient`], and [`Refusal::PersonNeeded`].
    pub(crate) fn judge(&self, act: Act, on: &ActTarget<'_>) -> Result<(), Refusal> {
        self.must_have_scope(act)?;
        self.may_whatever_the_scope(act, on)
    }

    /// A token narrows what may be done; what is seen of a thing while something is done to it is no act of its own.
    pub(crate) fn may_whatever_the_scope(&self, act: Act, on: &ActTarget<'_>) -> Result<(), Refusal> {
        match self {
            Self::Person(person) => person.holder.may(act, on, person.session.justification.as_ref()),
            Self::Program(_) if act.takes_two_people() => Err(Refusal::PersonNeeded),
            Self::Program(program) if program.tenant() == *on.tenant => program.reach(act).map(drop),
            Self::Program(_) => Err(Refusal::RoleMayNot),
        }
    }

    /// What a token does not name, the program does not do.
    fn must_have_scope(&self, act: Act) -> Result<(), Refusal> {
        let has = self.scopes().is_none_or(|scopes| scopes.iter().any(|scope| scope.act() == act));
        if has { Ok(()) } else { Err(Refusal::ScopeInsufficient) }
    }

    /// The scopes of a program's token; nothing for somebody who acts themselves.
    fn scopes(&self) -> Option<&[ConsoleScope]> {
        match self {
            Self::Person(person) => person.program.as_ref().map(|program| program.scopes.as_slice()),
            Self::Program(program) => Some(&program.scopes),
        }
    }

    /// The person, themselves or by a program.
    ///
    /// # Errors
    /// [`Refusal::PersonNeeded`] where a program acts by itself.
    pub(crate) fn person(&self) -> Result<&SignedInParty, Refusal> {
        match self {
            Self::Person(person) => Ok(person),
            Self::Program(_) => Err(Refusal::PersonNeeded),
        }
    }

    /// Whether a program sends the request, for somebody or by itself.
    pub(crate) fn is_program(&self) -> bool {
        self.scopes().is_some()
    }

    /// The tenant to which they belong.
    pub(crate) fn tenant(&self) -> TenantId {
        match self {
            Self::Person(person) => person.session.tenant.clone(),
            Self::Program(program) => program.tenant(),
        }
    }

    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Person(person) => Actor::Person(person.session.person.clone()),
            Self::Program(program) => Actor::Client(program.client_id.clone()),
        }
    }

    /// Who has changed something, for the sheet of an incident.
    pub(crate) fn author(&self) -> ChangeAuthor {
        match self {
            Self::Person(person) => ChangeAuthor::Person(person.session.person.clone()),
            Self::Program(program) => ChangeAuthor::Client(program.client_id.clone()),
        }
    }

    /// The name of the program that sends the request.
    pub(crate) fn client_id(&self) -> Option<&str> {
        match self {
            Self::Person(person) => person.program.as_ref().map(|program| program.client_id.as_str()),
            Self::Program(program) => Some(&program.client_id),
        }
    }

    /// Under whose name answers are kept, with the key as it is kept: each program of a person has keys of its own.
    pub(crate) fn answered<'a>(&'a self, tenant: &'a TenantId, key: &str) -> (AnsweredCaller<'a>, String) {
        match self {
            Self::Person(person) => {
                let program = person.program.as_ref().map(|program| program.client_id.as_str());
                let key = program.map_or_else(|| key.to_owned(), |client| format!("{client} {key}"));
                (AnsweredCaller::Person(&person.session.person), key)
            }
            Self::Program(program) => (AnsweredCaller::Client(tenant, &program.client_id), key.to_owned()),
        }
    }

    /// Whether this is that person.
    pub(crate) fn is(&self, other: Option<&PersonId>) -> bool {
        matches!(self, Self::Person(person) if other == Some(&person.session.person))
    }
}

impl ProgramItself {
    /// The tenant within which it acts; the installation's own, where that is all of it.
    pub(crate) fn tenant(&self) -> TenantId {
        match &self.acts_for {
            ActsFor::Tenant(tenant) => tenant.clone(),
            ActsFor::Installation => TenantId::system(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    fn program(acts_for: ActsFor) -> Party {
        let scopes = ConsoleScope::ALL.to_vec();
        Party::Program(ProgramItself { client_id: "crm".into(), scopes, acts_for })
    }

    #[test]
    fn a_program_reaches_one_company_and_never_stands_in_for_a_second_person() {
        let entropy = Seeded::new(1);
        let [own, other] = [TenantId::random(&entropy), TenantId::random(&entropy)];
        let sites = [SiteId::random(&entropy)];
        let crm = program(ActsFor::Tenant(own.clone()));
        let on = |tenant| ActTarget { tenant, sites: &sites, person: None, requested_by: None };
        assert_eq!(crm.judge(Act::SuspendDevice, &on(&own)), Ok(()));
        assert_eq!(crm.judge(Act::SuspendDevice, &on(&other)), Err(Refusal::RoleMayNot));
        assert_eq!(crm.judge(Act::DecideApproval, &on(&own)), Err(Refusal::PersonNeeded));
        assert_eq!(crm.reach(Act::DecideApproval), Err(Refusal::PersonNeeded));
        for act in [Act::SeeHealth, Act::AddTenant] {
            assert_eq!(crm.reach(act), Err(Refusal::RoleMayNot), "{act:?}");
        }
        assert_eq!(crm.judge(Act::AddPerson, &on(&own)), Err(Refusal::ScopeInsufficient), "no scope has it");
        let register = program(ActsFor::Installation);
        assert_eq!(register.reach(Act::AddTenant), Ok(Reach::Everywhere));
        assert_eq!(register.reach(Act::SeeDevices), Err(Refusal::RoleMayNot));
        assert_eq!(register.judge(Act::SuspendDevice, &on(&own)), Err(Refusal::RoleMayNot));
    }
}
