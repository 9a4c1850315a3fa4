//! Boxes to tick: the roles of a person, and the sites where they work.

use crate::acting::Acting;
use crate::words;
use std::collections::HashMap;
use tegata_core::{Language, PersonRole, Refusal, Roles, SiteId};
use tegata_storage::DirectorySite;

/// The beginnings of the names of boxes.
const ROLE: &str = "role-";
const SITE: &str = "site-";

/// A role that somebody may have.
pub(crate) struct RoleChoice {
    pub(crate) word: &'static str,
    pub(crate) text: &'static str,
    pub(crate) is_chosen: bool,
}

/// A site where somebody may work.
pub(crate) struct SiteChoice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_chosen: bool,
}

/// Roles and sites that were ticked.
#[derive(Default)]
pub(crate) struct TypedChoices {
    pub(crate) roles: Roles,
    pub(crate) sites: Vec<SiteId>,
}

impl RoleChoice {
    /// The roles that the reader may give, and those of the person.
    pub(crate) fn all(by: &Acting, chosen: &Roles, language: Language) -> Vec<Self> {
        let has = |role: PersonRole| chosen.iter().any(|known| known == role);
        let own = by.who.person().map(|person| &person.holder.roles);
        let may_give =
            |role: PersonRole| own.as_ref().is_ok_and(|own| own.iter().any(|own| own.may_give(role)));
        let offered = PersonRole::ALL.iter().copied().filter(|role| may_give(*role) || has(*role));
        let choice = |role: PersonRole| Self {
            word: role.as_str(),
            text: words::role(role, language),
            is_chosen: has(role),
        };
        offered.map(choice).collect()
    }
}

impl SiteChoice {
    pub(crate) fn all(sites: Vec<DirectorySite>, is_chosen: &impl Fn(&SiteId) -> bool) -> Vec<Self> {
        let choice = |site: DirectorySite| Self {
            is_chosen: is_chosen(&site.id),
            id: site.id.to_string(),
            name: site.name,
        };
        sites.into_iter().map(choice).collect()
    }
}

impl TypedChoices {
    /// From the fields of a form.
    ///
    /// # Errors
    /// [`Refusal::RequestMalformed`] for a field that is no such box.
    pub(crate) fn of(ticked: &HashMap<String, String>) -> Result<Self, Refusal> {
        let (mut roles, mut sites) = (Vec::new(), Vec::new());
        for name in ticked.keys() {
            let role = name.strip_prefix(ROLE).and_then(PersonRole::parse);
            let site = name.strip_prefix(SITE).and_then(SiteId::parse);
            match (role, site) {
                (Some(role), _) => roles.push(role),
                (None, Some(site)) => sites.push(site),
                (None, None) => return Err(Refusal::RequestMalformed),
            }
        }
        Ok(Self { roles: Roles::new(roles), sites })
    }
}
