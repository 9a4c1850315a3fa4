//! What is said of people, as somebody may read it: in full within their own tenant, masked beyond it.
//!
//! Pages hold a [`PersonalText`], and nothing but [`Acting`] makes one: a name that was not shown through the right of whoever
//! reads it does not compile.

use crate::acting::Acting;
use crate::service::refusal;
use std::collections::HashMap;
use std::fmt;
use tegata_core::{PersonId, Refusal, TenantId, mask};
use tegata_storage::ScopedLedger;

/// A name or a login, as its reader may see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PersonalText(String);

impl fmt::Display for PersonalText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Acting {
    /// What somebody of a tenant is called.
    pub(crate) fn name_of(&self, tenant: &TenantId, name: &str) -> PersonalText {
        self.shown(tenant, name, mask::person_name)
    }

    /// What somebody of a tenant signs in with.
    pub(crate) fn login_of(&self, tenant: &TenantId, login: &str) -> PersonalText {
        self.shown(tenant, login, mask::login)
    }

    fn shown(&self, tenant: &TenantId, text: &str, masked: impl Fn(&str) -> String) -> PersonalText {
        PersonalText(if *tenant == self.tenant() { text.to_owned() } else { masked(text) })
    }
}

/// Looks names up for a page, each once.
pub(crate) struct NameReader<'a> {
    by: &'a Acting,
    rows: &'a ScopedLedger,
    known: HashMap<PersonId, Option<PersonalText>>,
}

impl<'a> NameReader<'a> {
    pub(crate) fn new(by: &'a Acting, rows: &'a ScopedLedger) -> Self {
        Self { by, rows, known: HashMap::new() }
    }

    /// What somebody is called, as the reader may see it. Whoever is beyond the rows that they see, as the vendor's people are for
    /// a tenant, has no name.
    pub(crate) async fn name(&mut self, id: &PersonId) -> Result<Option<PersonalText>, Refusal> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let person = self.rows.person(id).await.map_err(refusal)?;
        let name = person.map(|person| self.by.name_of(&person.tenant, &person.name));
        self.known.insert(id.clone(), name.clone());
        Ok(name)
    }
}
