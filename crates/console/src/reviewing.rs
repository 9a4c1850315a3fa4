//! Answers to reviews, whether people still work here: judged and done as [`crate::acts`] does it for devices.

use crate::acting::Acting;
use crate::service::{ConsoleService, refusal};
use tegata_core::access::Reach;
use tegata_core::{Act, ActTarget, PersonId, Refusal, ReviewId};
use tegata_storage::{LedgerError, PersonReview, ReviewAnswer, ReviewedPerson};

/// Why answers were not taken, and because of whom where it is because of one.
pub(crate) struct AnswersRefused {
    pub(crate) refusal: Refusal,
    pub(crate) person: Option<PersonId>,
}

impl From<Refusal> for AnswersRefused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, person: None }
    }
}

impl ConsoleService {
    /// The open reviews of the places that somebody answers for.
    ///
    /// # Errors
    /// Those of [`Acting::reach`].
    pub(crate) async fn reviews_seen(&self, by: &Acting) -> Result<Vec<PersonReview>, Refusal> {
        let reach = by.reach(Act::ReviewPeople)?;
        let mut reviews = self.own_rows(by).open_reviews().await.map_err(refusal)?;
        let is_own =
            |review: &PersonReview| review.site.as_ref().is_some_and(|site| by.sites().contains(site));
        reviews.retain(|review| !review.left.is_empty() && (reach >= Reach::Tenant || is_own(review)));
        Ok(reviews)
    }

    /// Takes answers about people of one review, all or none. Who was answered for meanwhile, or left, is no question any more.
    /// Gives how many answers came too late for that.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LastAdministrator`].
    pub(crate) async fn answer(
        &self,
        by: &Acting,
        review: &ReviewId,
        answers: &[(PersonId, ReviewAnswer)],
    ) -> Result<usize, AnswersRefused> {
        let outcome = self.answered(by, review, answers).await;
        match outcome {
            Ok(late) => Ok(late),
            Err(AnswersRefused { refusal, person }) => {
                let noted: Result<usize, Refusal> = self.noting(by, None, Err(refusal)).await;
                noted.map_err(|refusal| AnswersRefused { refusal, person })
            }
        }
    }

    async fn answered(
        &self,
        by: &Acting,
        review: &ReviewId,
        answers: &[(PersonId, ReviewAnswer)],
    ) -> Result<usize, AnswersRefused> {
        let mut late = 0;
        let mut acting = self.begin(by, Act::ReviewPeople).await?;
        let (who, actor) = (&by.who.person()?.session.person, by.actor());
        for (person, answer) in answers {
            match acting.rows.answer_review(review, person, *answer, who, &actor).await {
                Ok(_) => {}
                Err(LedgerError::Refused(Refusal::ReviewUnknown)) => late += 1,
                Err(error) => {
                    return Err(AnswersRefused { refusal: refusal(error), person: Some(person.clone()) });
                }
            }
        }
        acting.commit().await?;
        Ok(late)
    }
}

/// Whether somebody answers for a person of a review: the table of roles says it, and nobody answers for themselves.
///
/// # Errors
/// Those of [`tegata_core::RoleHolder::may`].
pub(crate) fn may_answer(by: &Acting, review: &PersonReview, person: &ReviewedPerson) -> Result<(), Refusal> {
    let sites: Vec<_> = review.site.iter().cloned().collect();
    let target = ActTarget {
        tenant: &review.tenant,
        sites: &sites,
        person: Some((&person.id, &person.roles)),
        requested_by: None,
    };
    by.who.judge(Act::ReviewPeople, &target)
}
