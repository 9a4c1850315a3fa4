//! What an outside directory says of a person, by a list or by SCIM, and what follows from it.

use tegata_core::{ExternalKey, Name, PersonId, Roles, SiteId};
use tegata_storage::{
    Actor, ExternalKeyUpdate, LedgerError, Person, PersonState, PersonUpdate, ScopedTransaction,
};

/// What is said of a person; what is nothing stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct PersonStatement {
    pub(crate) name: Option<Name>,
    pub(crate) roles: Option<Roles>,
    pub(crate) sites: Option<Vec<SiteId>>,
    pub(crate) external_key: ExternalKeyUpdate,
    pub(crate) state: Option<PersonState>,
    /// Whether whoever belongs to sites may be without one.
    pub(crate) awaits_sites: bool,
}

/// What has to be done so that it is as it was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct PersonChange {
    pub(crate) update: Option<PersonUpdate>,
    pub(crate) state: Option<PersonState>,
}

impl PersonStatement {
    /// What differs from how the person is: nothing where it was said before.
    pub(crate) fn against(self, person: &Person) -> PersonChange {
        let name = self.name.filter(|name| name.as_str() != person.name);
        let roles = self.roles.filter(|roles| *roles != person.roles);
        let sites = self.sites.filter(|sites| !is_same(sites, person));
        let external_key = match self.external_key {
            ExternalKeyUpdate::Set(key) if person.external_key.as_ref() == Some(&key) => {
                ExternalKeyUpdate::Keep
            }
            ExternalKeyUpdate::Clear if person.external_key.is_none() => ExternalKeyUpdate::Keep,
            update => update,
        };
        let is_changed =
            name.is_some() || roles.is_some() || sites.is_some() || external_key != ExternalKeyUpdate::Keep;
        let update = PersonUpdate { name, roles, sites, external_key, awaits_sites: self.awaits_sites };
        PersonChange {
            update: is_changed.then_some(update),
            state: self.state.filter(|state| *state != person.state),
        }
    }
}

impl PersonChange {
    /// Does it, by the functions that `tegata person` has. Where nobody else could administrate, the first of them refuses it and
    /// nothing was done: whoever is stopped is stopped first, and whoever is let in again is let in last, when their roles are
    /// what they will be.
    pub(crate) async fn apply(
        &self,
        transaction: &mut ScopedTransaction,
        person: &PersonId,
        note: &str,
        actor: &Actor,
    ) -> Result<(), LedgerError> {
        if self.state == Some(PersonState::Disabled) {
            transaction.disable_person(person, note, actor).await?;
        }
        if let Some(update) = &self.update {
            transaction.change_person(person, update, actor).await?;
        }
        if self.state == Some(PersonState::Active) {
            transaction.enable_person(person, note, actor).await?;
        }
        Ok(())
    }

    /// What changes, in words for a report.
    pub(crate) fn parts(&self) -> Vec<&'static str> {
        let update = self.update.as_ref();
        let has = |part: fn(&PersonUpdate) -> bool| update.is_some_and(part);
        let parts = [
            (has(|update| update.name.is_some()), "name"),
            (has(|update| update.roles.is_some()), "roles"),
            (has(|update| update.sites.is_some()), "sites"),
            (has(|update| update.external_key != ExternalKeyUpdate::Keep), "external_key"),
            (self.state.is_some(), "state"),
        ];
        parts.into_iter().filter(|(is_changed, _)| *is_changed).map(|(_, part)| part).collect()
    }
}

/// Whether the key is one that a person has already.
pub(crate) fn has_key(person: &Person, key: &ExternalKey) -> bool {
    person.external_key.as_ref() == Some(key)
}

fn is_same(sites: &[SiteId], person: &Person) -> bool {
    sites.len() == person.sites.len() && person.sites.iter().all(|site| sites.contains(&site.id))
}
