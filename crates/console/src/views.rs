//! Views of the list of devices that people keep: how it is narrowed and sorted, under a name.

use crate::acting::{Acting, ActingTransaction};
use crate::pages::devices::ListQuery;
use crate::service::{ConsoleService, refusal};
use tegata_core::{Act, Name, Refusal};
use tegata_storage::{LedgerError, SavedView};

/// The longest query that is kept, in bytes: one with every restriction is shorter.
const LONGEST: usize = 1000;

impl ConsoleService {
    /// The views that somebody keeps, by name.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn views_of(&self, by: &Acting) -> Result<Vec<SavedView>, Refusal> {
        by.reach(Act::SeeDevices)?;
        self.own_rows(by).saved_views(&by.who.person()?.session.person).await.map_err(refusal)
    }

    /// Keeps a view, in the place of one of this name. Gives its query as it is kept.
    ///
    /// # Errors
    /// [`Refusal::ViewUnfit`] for a name or a query that is none, [`Refusal::ViewsFull`].
    pub(crate) async fn save_view(&self, by: &Acting, name: &str, query: &str) -> Result<String, Refusal> {
        let name = Name::label(name).map_err(|_| Refusal::ViewUnfit)?;
        let query = kept(query)?;
        let mut acting = self.begin_with_views(by).await?;
        match acting.rows.save_view(&by.who.person()?.session.person, &name, &query).await {
            Ok(()) => acting.commit().await.map(|()| query),
            Err(LedgerError::Guard(_)) => Err(Refusal::ViewsFull),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Forgets a view. That there is none any more is what was asked for.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub(crate) async fn forget_view(&self, by: &Acting, name: &str) -> Result<(), Refusal> {
        let mut acting = self.begin_with_views(by).await?;
        match acting.rows.forget_view(&by.who.person()?.session.person, name).await {
            Ok(()) => acting.commit().await,
            Err(LedgerError::Guard(_)) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }
}

impl ConsoleService {
    /// Views are the person's own: a program that acts for them leaves them as they are.
    async fn begin_with_views(&self, by: &Acting) -> Result<ActingTransaction, Refusal> {
        if by.who.is_program() {
            return Err(Refusal::ScopeInsufficient);
        }
        let begun = self.begin_within(self.own_rows(by), by).await?;
        begun.by.reach(Act::SeeDevices)?;
        Ok(begun)
    }
}

/// What of a query is known, without the place where a page ended.
fn kept(query: &str) -> Result<String, Refusal> {
    if query.len() > LONGEST {
        return Err(Refusal::ViewUnfit);
    }
    let asked: ListQuery = serde_urlencoded::from_str(query).map_err(|_| Refusal::ViewUnfit)?;
    let kept = serde_urlencoded::to_string(ListQuery { after: None, ..asked });
    kept.ok().filter(|kept| kept.len() <= LONGEST).ok_or(Refusal::ViewUnfit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_keeps_restrictions_and_nothing_else() {
        assert_eq!(kept("state=active&lang=ja&after=xyz&sort=unseen"), Ok("state=active&sort=unseen".into()));
        assert_eq!(kept(""), Ok(String::new()));
        assert_eq!(kept(&format!("site={}", "x".repeat(2000))), Err(Refusal::ViewUnfit));
    }
}
