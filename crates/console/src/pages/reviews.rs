//! Do they still work here? The people of open reviews, and what whoever answers for them says.

use crate::acting::{Acting, ActingForm, ActingPage, sealed_forms};
use crate::frame::{Frame, onward, refused};
use crate::reviewing::{AnswersRefused, may_answer};
use crate::service::ConsoleService;
use crate::words;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use std::collections::HashMap;
use tegata_core::{Act, Language, PersonId, Refusal, ReviewId};
use tegata_storage::{PersonReview, ReviewAnswer, ReviewedPerson};
use tegata_web::japan_date::{day, moment};
use tegata_web::{ReaderLanguage, WebResult};

/// People of one review on the page: as many as somebody answers for in one go, and as a form holds.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "reviews.html")]
struct ReviewsPage {
    frame: Frame,
    reviews: Vec<ReviewView>,
}

/// A review, as people read it.
struct ReviewView {
    id: String,
    place: String,
    due: String,
    is_overdue: bool,
    /// Whether it is about the people of a site, and not about those who work at none.
    is_of_site: bool,
    people: Vec<ReviewedView>,
    /// How many more there are than are shown.
    more: usize,
    /// Whether the reader can answer for anybody shown.
    takes_answers: bool,
}

struct ReviewedView {
    id: String,
    name: String,
    login: String,
    roles: String,
    last: Option<String>,
    may_answer: bool,
    is_own: bool,
}

/// Answers by the identifiers of people.
#[derive(Deserialize)]
pub(crate) struct AnswersForm {
    #[serde(default)]
    form_token: String,
    #[serde(flatten)]
    answers: HashMap<String, String>,
}

sealed_forms! { AnswersForm }

impl AnswersForm {
    /// What was answered. Whoever is asked about again later has no answer.
    fn read(&self) -> Result<Vec<(PersonId, ReviewAnswer)>, Refusal> {
        let mut answers = Vec::with_capacity(self.answers.len());
        for (person, word) in &self.answers {
            let person = PersonId::parse(person).ok_or(Refusal::RequestMalformed)?;
            match word.as_str() {
                "confirmed" => answers.push((person, ReviewAnswer::Confirmed)),
                "removed" => answers.push((person, ReviewAnswer::Removed)),
                "later" => {}
                _ => return Err(Refusal::RequestMalformed),
            }
        }
        // In one order, so that a refusal names the same person whenever it is tried again.
        answers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Ok(answers)
    }
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    ActingPage(by): ActingPage,
) -> WebResult<Response> {
    service.reviews_page(&by, language, None, None).await
}

pub(crate) async fn answer(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    Path(review): Path<String>,
    ActingForm { by, form }: ActingForm<AnswersForm>,
) -> WebResult<Response> {
    let review = ReviewId::parse(&review).ok_or(Refusal::ReviewUnknown)?;
    let answers = form.read()?;
    match service.answer(&by, &review, &answers).await {
        Ok(0) => Ok(onward("/console/reviews", language)),
        Ok(late) => {
            let said = said_of_late(late, answers.len(), language);
            service.reviews_page(&by, language, Some(Refusal::ReviewUnknown.into()), Some(said)).await
        }
        Err(why) => match why.refusal {
            Refusal::LastAdministrator | Refusal::OwnRequest | Refusal::RoleMayNot
                if by.may_ever(Act::ReviewPeople) =>
            {
                service.reviews_page(&by, language, Some(why), None).await
            }
            refusal => Err(refusal.into()),
        },
    }
}

/// Whoever answers second reads that the other answer counts, whatever it was.
fn said_of_late(late: usize, all: usize, language: Language) -> String {
    let taken = all - late;
    match language {
        Language::Ja => format!("{late}人は、すでに答えが出ていました（{taken}人への回答は記録しました）"),
        Language::En => format!("Answered before you: {late}. Your other answers were taken: {taken}."),
    }
}

impl ConsoleService {
    async fn reviews_page(
        &self,
        by: &Acting,
        language: Language,
        why_not: Option<AnswersRefused>,
        said: Option<String>,
    ) -> WebResult<Response> {
        let reviews = self.reviews_seen(by).await?;
        let refusal = why_not.as_ref().map(|why| why.refusal);
        let because_of = why_not.and_then(|why| why.person).and_then(|person| {
            let mut left = reviews.iter().flat_map(|review| &review.left);
            left.find(|one| one.id == person).map(|one| one.name.clone())
        });
        let frame = Frame::of(by, "/console/reviews", language).refusing(refusal, said.or(because_of));
        let reviews = reviews.iter().map(|review| ReviewView::of(by, review, language)).collect();
        let title = language.pick("在籍の確認", "Who still works here");
        Ok(refused(self.page(language, title, &ReviewsPage { frame, reviews }), refusal))
    }
}

impl ReviewView {
    /// Those for whom the reader answers come first.
    fn of(by: &Acting, review: &PersonReview, language: Language) -> Self {
        let view = |person: &ReviewedPerson| ReviewedView::of(by, review, person, language);
        let mut people: Vec<_> = review.left.iter().map(view).collect();
        people.sort_by_key(|person| !person.may_answer);
        let more = people.len().saturating_sub(SHOWN);
        people.truncate(SHOWN);
        Self {
            id: review.id.to_string(),
            place: review.site_name.clone().unwrap_or_else(|| {
                language.pick("店舗に属さない人", "People who work at no site").to_owned()
            }),
            due: day(review.due_at, language),
            is_overdue: review.due_at <= by.at,
            is_of_site: review.site.is_some(),
            takes_answers: people.iter().any(|person| person.may_answer),
            people,
            more,
        }
    }
}

impl ReviewedView {
    fn of(by: &Acting, review: &PersonReview, person: &ReviewedPerson, language: Language) -> Self {
        let roles: Vec<_> = person.roles.iter().map(|role| words::role(role, language)).collect();
        Self {
            id: person.id.to_string(),
            name: person.name.clone(),
            login: person.login.clone(),
            roles: roles.join(language.pick("、", ", ")),
            last: person.signed_in_at.map(|at| moment(at, language)),
            may_answer: may_answer(by, review, person).is_ok(),
            is_own: by.who.is(Some(&person.id)),
        }
    }
}
