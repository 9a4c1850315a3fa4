//! Whether what a caller says of themselves is what is on file: yes or no, asked by whoever sees people masked.

use crate::acting::Acting;
use crate::service::{ConsoleService, refusal};
use serde::Deserialize;
use tegata_core::{Act, ActTarget, PersonId, Refusal, SiteId};
use tegata_storage::{OnFile, Person};
use utoipa::ToSchema;

/// The longest name or login that is compared, in characters.
const LONGEST: usize = 200;

/// What of a person is compared.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FactOnFile {
    /// What they are called.
    Name,
    /// What they sign in with, which may be a mail address.
    Login,
}

impl FactOnFile {
    /// With what was said of it.
    pub(crate) const fn said(self, text: &str) -> OnFile<'_> {
        match self {
            Self::Name => OnFile::Name(text),
            Self::Login => OnFile::Login(text),
        }
    }
}

impl ConsoleService {
    /// A person of whom somebody may be asked about.
    ///
    /// # Errors
    /// [`Refusal::PersonUnknown`], and what keeps them from looking at people at all.
    pub(crate) async fn person_seen(&self, by: &Acting, id: &PersonId) -> Result<Person, Refusal> {
        let known = self.sight(by, Act::SeePeople)?.rows.person(id).await.map_err(refusal)?;
        known.filter(|known| by.may_see(known).is_ok()).ok_or(Refusal::PersonUnknown)
    }

    /// Whether this is on file of somebody. The question is in the audit log without what was said, and asked a few times an hour at
    /// most.
    ///
    /// # Errors
    /// [`Refusal::PersonUnknown`], [`Refusal::TooManyChecks`], and what the asker may not.
    pub(crate) async fn check_on_file(
        &self,
        by: &Acting,
        id: &PersonId,
        said: &OnFile<'_>,
    ) -> Result<bool, Refusal> {
        self.noting(by, None, self.checked(by, id, said).await).await
    }

    async fn checked(&self, by: &Acting, id: &PersonId, said: &OnFile<'_>) -> Result<bool, Refusal> {
        let (OnFile::Name(text) | OnFile::Login(text)) = *said;
        if text.trim().is_empty() || text.chars().count() > LONGEST {
            return Err(Refusal::RequestMalformed);
        }
        let person = self.person_seen(by, id).await?;
        let mut acting = self.begin(by, Act::SeePeople).await?;
        acting.by.may_see(&person)?;
        let matches = acting.rows.check_on_file(id, said, "", &acting.by.actor()).await.map_err(refusal)?;
        // That it was asked stays, whatever the answer.
        acting.commit().await?;
        Ok(matches)
    }
}

impl Acting {
    /// Whether they may look at somebody.
    ///
    /// # Errors
    /// Those of [`tegata_core::RoleHolder::may`].
    pub(crate) fn may_see(&self, person: &Person) -> Result<(), Refusal> {
        let sites: Vec<SiteId> = person.sites.iter().map(|site| site.id.clone()).collect();
        let target = ActTarget {
            tenant: &person.tenant,
            sites: &sites,
            person: Some((&person.id, &person.roles)),
            requested_by: None,
        };
        self.who.may_whatever_the_scope(Act::SeePeople, &target)
    }
}
