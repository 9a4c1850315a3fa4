use super::PersonRole::{Auditor, Operator, SiteManager, Staff, Support, SupportLead, TenantAdmin};
use super::*;
use crate::entropy::Seeded;
use std::collections::HashSet;
use std::fmt::Write;

const DOCUMENT: &str = include_str!("../../../../docs/roles.md");

struct Company {
    tenant: TenantId,
    other: TenantId,
    site: SiteId,
    second: SiteId,
    entropy: Seeded,
}

impl Company {
    fn new() -> Self {
        let entropy = Seeded::new(1);
        Self {
            tenant: TenantId::random(&entropy),
            other: TenantId::random(&entropy),
            site: SiteId::random(&entropy),
            second: SiteId::random(&entropy),
            entropy,
        }
    }

    fn person(&self, roles: &[PersonRole]) -> RoleHolder {
        RoleHolder {
            person: PersonId::random(&self.entropy),
            tenant: self.tenant.clone(),
            sites: vec![self.site.clone()],
            roles: Roles::new(roles.iter().copied()),
        }
    }

    fn at<'a>(&'a self, sites: &'a [SiteId]) -> ActTarget<'a> {
        ActTarget { tenant: &self.tenant, sites, person: None, requested_by: None }
    }
}

fn justified() -> Justification {
    Justification::new("端末を紛失したとの電話", "T-1024").unwrap()
}

#[test]
fn a_site_manager_reaches_her_sites_an_admin_the_tenant_support_everybody() {
    let company = Company::new();
    let [own, other] = [[company.site.clone()], [company.second.clone()]];
    let strangers = ActTarget { tenant: &company.other, ..company.at(&own) };
    let why = justified();
    let may =
        |role, on: &ActTarget<'_>| company.person(&[role]).may(Act::SuspendDevice, on, Some(&why)).is_ok();
    let reached =
        |role| [company.at(&own), company.at(&other), company.at(&[]), strangers].map(|on| may(role, &on));
    assert_eq!(reached(PersonRole::Staff), [false; 4]);
    assert_eq!(reached(PersonRole::SiteManager), [true, false, false, false]);
    assert_eq!(reached(PersonRole::TenantAdmin), [true, true, true, false]);
    assert_eq!(reached(PersonRole::Support), [true; 4]);
    assert_eq!(reached(PersonRole::Auditor), [false; 4]);
}

#[test]
fn what_is_at_two_sites_takes_somebody_who_answers_for_both() {
    let company = Company::new();
    let both = [company.site.clone(), company.second.clone()];
    let mut manager = company.person(&[PersonRole::SiteManager]);
    assert_eq!(manager.may(Act::PlanRenewals, &company.at(&both), None), Err(Refusal::RoleMayNot));
    manager.sites.push(company.second.clone());
    assert_eq!(manager.may(Act::PlanRenewals, &company.at(&both), None), Ok(()));
}

#[test]
fn support_says_why_and_by_which_ticket_or_does_nothing() {
    let company = Company::new();
    let sites = [company.site.clone()];
    for role in [PersonRole::Support, PersonRole::SupportLead] {
        let person = company.person(&[role]);
        for &act in Act::ALL.iter().filter(|act| act.reach(role) == Reach::Everywhere) {
            assert_eq!(person.may(act, &company.at(&sites), None), Err(Refusal::ReasonMissing), "{act:?}");
            assert_eq!(person.may(act, &company.at(&sites), Some(&justified())), Ok(()), "{act:?}");
        }
        let own = ActTarget { person: Some((&person.person, &person.roles)), ..company.at(&sites) };
        assert_eq!(person.may(Act::OwnSessions, &own, None), Ok(()), "her own sessions are nobody's ticket");
    }
    let both = company.person(&[PersonRole::Support, PersonRole::TenantAdmin]);
    assert_eq!(both.may(Act::SuspendDevice, &company.at(&sites), None), Ok(()), "as the tenant's own");
    let strangers = ActTarget { tenant: &company.other, ..company.at(&sites) };
    assert_eq!(both.may(Act::SuspendDevice, &strangers, None), Err(Refusal::ReasonMissing));
    for (reason, ticket) in [("", "T-1"), ("x", "  "), (&"長".repeat(201), "T-1")] {
        assert_eq!(Justification::new(reason, ticket), None);
    }
}

#[test]
fn nobody_decides_on_a_request_of_their_own() {
    let company = Company::new();
    let sites = [company.site.clone()];
    for &act in Act::ALL.iter().filter(|act| act.takes_two_people()) {
        let lead = company.person(&[PersonRole::Operator, PersonRole::TenantAdmin]);
        let asked = ActTarget { requested_by: Some(&lead.person), ..company.at(&sites) };
        assert_eq!(lead.may(act, &asked, None), Err(Refusal::OwnRequest), "{act:?}");
        let herself = ActTarget { person: Some((&lead.person, &lead.roles)), ..company.at(&sites) };
        assert_eq!(lead.may(act, &herself, None), Err(Refusal::OwnRequest), "{act:?}");
        let another = company.person(&[PersonRole::TenantAdmin]);
        assert_eq!(another.may(act, &asked, None), Ok(()), "{act:?}");
    }
}

#[test]
fn nobody_acts_on_a_person_who_may_do_more_nor_gives_such_a_role() {
    let company = Company::new();
    let sites = [company.site.clone()];
    let why = justified();
    let someone = PersonId::random(&company.entropy);
    let may = |own, act, theirs| {
        let roles = Roles::new([theirs]);
        let on = ActTarget { person: Some((&someone, &roles)), ..company.at(&sites) };
        company.person(&[own]).may(act, &on, Some(&why)).is_ok()
    };
    assert!(
        may(SiteManager, Act::DisablePerson, Staff) && !may(SiteManager, Act::DisablePerson, TenantAdmin)
    );
    assert!(may(TenantAdmin, Act::AddPerson, TenantAdmin) && !may(TenantAdmin, Act::AddPerson, Support));
    assert!(may(Support, Act::DisablePerson, TenantAdmin) && !may(Support, Act::DisablePerson, Operator));
    assert!(may(SupportLead, Act::ResetPerson, Support) && !may(SupportLead, Act::ResetPerson, SupportLead));
    assert!(may(Operator, Act::ResetPerson, Operator) && may(Operator, Act::AddPerson, Auditor));
    assert!(may(SiteManager, Act::SeePeople, TenantAdmin), "whoever may see people sees these as well");
    for &role in PersonRole::ALL {
        for &given in PersonRole::ALL.iter().filter(|given| role.may_give(**given)) {
            let exceeds = |act: &&Act| act.reach(given) > act.reach(role);
            let of_shops = |act: &Act| matches!(act, Act::ReportLoss | Act::ReviewPeople);
            let more: Vec<_> = Act::ALL.iter().filter(exceeds).filter(|act| !of_shops(act)).collect();
            assert!(role == Support || more.is_empty(), "{role} gives {given}, who may {more:?}");
        }
    }
}

#[test]
fn roles_are_read_as_they_are_written_and_nothing_else_is_a_role() {
    let roles = Roles::parse("site-manager staff staff").unwrap();
    assert_eq!(roles.to_string(), "staff site-manager");
    assert_eq!(Roles::parse(&roles.to_string()), Some(roles));
    for wrong in ["", " ", "root", "staff,auditor", "Staff"] {
        assert_eq!(Roles::parse(wrong), None, "{wrong}");
    }
    let words: HashSet<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
    assert_eq!(words.len(), Act::ALL.len());
}

#[test]
fn the_document_shows_the_table() {
    let table = table();
    assert!(DOCUMENT.contains(&table), "docs/roles.md must have this table:\n\n{table}");
}

fn table() -> String {
    let mut text = String::from("| act |");
    for role in PersonRole::ALL {
        write!(text, " {role} |").unwrap();
    }
    text.push_str(" two people |\n|---|");
    text.push_str(&"---|".repeat(PersonRole::ALL.len() + 1));
    for act in Act::ALL {
        write!(text, "\n| `{}` |", act.as_str()).unwrap();
        for &role in PersonRole::ALL {
            let word = match act.reach(role) {
                Reach::Nowhere => "–",
                Reach::Own => "own",
                Reach::Sites => "sites",
                Reach::Tenant => "tenant",
                Reach::Everywhere => "all",
            };
            write!(text, " {word} |").unwrap();
        }
        text.push_str(if act.takes_two_people() { " yes |" } else { " |" });
    }
    text.push('\n');
    text
}

#[test]
fn an_auditor_reads_everything_and_does_nothing() {
    let reading = [Act::SeeDevices, Act::SeePeople, Act::ReadAudit, Act::ExportAudit, Act::SeeHealth];
    for &act in Act::ALL {
        let expected = match act {
            Act::OwnSessions => Reach::Own,
            act if reading.contains(&act) => Reach::Everywhere,
            _ => Reach::Nowhere,
        };
        assert_eq!(act.reach(Auditor), expected, "{act:?}");
    }
}
