//! `/scim/v2/Users`.

use super::answer::{Resource, list_answer, not_there};
use super::body::ScimObject;
use super::caller::ScimCaller;
use super::error::{ScimError, ScimResult};
use super::filter::Comparison;
use super::listing::ScimQuery;
use super::{patch, user};
use crate::provisioning::PersonStatement;
use crate::service::IdentityService;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tegata_core::name::comparison_key;
use tegata_core::{ExternalKey, LoginId, Name, PersonId, Refusal};
use tegata_storage::{ExternalKeyUpdate, NewPerson, PeopleFilter, Person, PersonState, ScopedTransaction};

/// What the audit log says of whoever was stopped or let in again.
const NOTE: &str = "by the directory";

pub(super) async fn list(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Query(query): Query<ScimQuery>,
) -> ScimResult<Response> {
    let (start, projection) = (query.start(), query.projection());
    let Some(filter) = people_filter(&query.comparisons()?)? else {
        return Ok(list_answer(0, start, &[]));
    };
    let page = caller.rows.find_people(&filter, start - 1, query.count()).await?;
    let portal = &service.context.addresses.portal;
    let shown = page.people.iter().map(|person| user::shown(person, portal).projected(&projection));
    let shown: Vec<_> = shown.collect();
    Ok(list_answer(page.total, start, &shown))
}

pub(super) async fn read(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    Query(query): Query<ScimQuery>,
    headers: HeaderMap,
) -> ScimResult<Response> {
    let person = caller.person(&id).await?;
    Ok(service.user(&person).shown(&headers, &query.projection()))
}

/// Whoever the directory had deleted comes back as who they were.
pub(super) async fn create(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Query(query): Query<ScimQuery>,
    ScimObject(said): ScimObject,
) -> ScimResult<Response> {
    let (login, statement) = (user::login(&said)?, user::statement(&said)?);
    let mut transaction = caller.begin().await?;
    let person = match caller.known(&mut transaction, &login, &statement).await? {
        Some(known) => caller.bring_back(&mut transaction, known, &login, statement).await?,
        None => caller.add(&mut transaction, &service, login, statement).await?,
    };
    transaction.commit().await?;
    let person = caller.person(person.as_str()).await?;
    Ok(service.user(&person).made(&query.projection()))
}

pub(super) async fn replace(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    Query(query): Query<ScimQuery>,
    headers: HeaderMap,
    ScimObject(said): ScimObject,
) -> ScimResult<Response> {
    let (login, statement) = (user::login(&said)?, user::statement(&said)?);
    let change = |person: &Person| {
        user::check_login(person, &login)?;
        Ok(statement)
    };
    let person = caller.change(&service, &id, &headers, change).await?;
    Ok(service.user(&person).changed(&query.projection()))
}

pub(super) async fn modify(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    Query(query): Query<ScimQuery>,
    headers: HeaderMap,
    ScimObject(request): ScimObject,
) -> ScimResult<Response> {
    let steps = patch::steps(&request)?;
    let person = caller.change(&service, &id, &headers, |person| patch::statement(&steps, person)).await?;
    Ok(service.user(&person).changed(&query.projection()))
}

/// Nobody is deleted: they are disabled, and the directory sees them no longer.
pub(super) async fn delete(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ScimResult<Response> {
    let mut transaction = caller.begin().await?;
    let person = in_directory(transaction.person_in_hand(&named(&id)?).await?)?;
    service.user(&person).check(&headers)?;
    caller.may_change(&person)?;
    if person.state == PersonState::Active {
        transaction.disable_person(&person.id, NOTE, &caller.actor).await?;
    }
    transaction.show_in_directory(&person.id, false, &caller.actor).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl IdentityService {
    fn user(&self, person: &Person) -> Resource {
        user::shown(person, &self.context.addresses.portal)
    }
}

impl ScimCaller {
    /// Somebody whom the directory sees.
    pub(super) async fn person(&self, id: &str) -> ScimResult<Person> {
        in_directory(self.rows.person(&named(id)?).await?)
    }

    /// Changes a person as it is said, if the caller knows them as they are. What is compared is what is changed.
    async fn change(
        &self,
        service: &IdentityService,
        id: &str,
        headers: &HeaderMap,
        said: impl FnOnce(&Person) -> ScimResult<PersonStatement>,
    ) -> ScimResult<Person> {
        let mut transaction = self.begin().await?;
        let person = in_directory(transaction.person_in_hand(&named(id)?).await?)?;
        service.user(&person).check(headers)?;
        let change = self.checked(&mut transaction, &person, said(&person)?).await?.against(&person);
        if change.update.is_none() && change.state.is_none() {
            return Ok(person);
        }
        self.may_change(&person)?;
        change.apply(&mut transaction, &person.id, NOTE, &self.actor).await?;
        transaction.commit().await?;
        self.person(id).await
    }

    /// Whoever has this login or this key already.
    async fn known(
        &self,
        transaction: &mut ScopedTransaction,
        login: &LoginId,
        said: &PersonStatement,
    ) -> ScimResult<Option<Person>> {
        let filter = PeopleFilter { login_key: Some(login.key()), ..PeopleFilter::default() };
        let by_login = transaction.people_in_hand(&filter).await?.pop();
        let by_key = with_key(transaction, said).await?;
        match (by_login, by_key) {
            (Some(person), None) => Ok(Some(person)),
            (Some(person), Some(other)) if person.id == other.id => Ok(Some(person)),
            (None, None) => Ok(None),
            _ => Err(Refusal::PersonKnown.into()),
        }
    }

    async fn add(
        &self,
        transaction: &mut ScopedTransaction,
        service: &IdentityService,
        login: LoginId,
        said: PersonStatement,
    ) -> ScimResult<PersonId> {
        let roles = said.roles.unwrap_or_else(user::least);
        self.may_give(&roles)?;
        let name = said.name.map_or_else(|| Name::of_place(login.as_str()), Ok);
        let external_key = match said.external_key {
            ExternalKeyUpdate::Set(key) => Some(key),
            ExternalKeyUpdate::Keep | ExternalKeyUpdate::Clear => None,
        };
        let new = NewPerson {
            id: PersonId::random(service.context.entropy.as_ref()),
            tenant: self.tenant.clone(),
            login,
            external_key,
            name: name.map_err(|unfit| ScimError::unfit(unfit.to_string()))?,
            roles,
            sites: Vec::new(),
            awaits_sites: true,
        };
        transaction.add_person(&new, &self.actor).await?;
        if said.state == Some(PersonState::Disabled) {
            transaction.disable_even_last(&new.id, NOTE, &self.actor).await?;
        }
        Ok(new.id)
    }

    async fn bring_back(
        &self,
        transaction: &mut ScopedTransaction,
        person: Person,
        login: &LoginId,
        said: PersonStatement,
    ) -> ScimResult<PersonId> {
        if person.left_directory_at.is_none() || comparison_key(&person.login) != login.key() {
            return Err(Refusal::PersonKnown.into());
        }
        self.may_change(&person)?;
        let state = said.state.or(Some(PersonState::Active));
        let said = self.checked(transaction, &person, PersonStatement { state, ..said }).await?;
        transaction.show_in_directory(&person.id, true, &self.actor).await?;
        said.against(&person).apply(transaction, &person.id, NOTE, &self.actor).await?;
        Ok(person.id)
    }

    /// What is said, unless the caller may not say it.
    async fn checked(
        &self,
        transaction: &mut ScopedTransaction,
        person: &Person,
        said: PersonStatement,
    ) -> ScimResult<PersonStatement> {
        if let Some(roles) = said.roles.as_ref().filter(|roles| **roles != person.roles) {
            self.may_give(roles)?;
        }
        match with_key(transaction, &said).await? {
            Some(other) if other.id != person.id => Err(Refusal::PersonKnown.into()),
            _ => Ok(said),
        }
    }
}

/// The identifier in an address.
fn named(id: &str) -> ScimResult<PersonId> {
    PersonId::parse(id).ok_or_else(not_there)
}

/// Whoever the directory has deleted is not there.
fn in_directory(person: Option<Person>) -> ScimResult<Person> {
    person.filter(|person| person.left_directory_at.is_none()).ok_or_else(not_there)
}

/// Whoever has the key that is said.
async fn with_key(transaction: &mut ScopedTransaction, said: &PersonStatement) -> ScimResult<Option<Person>> {
    let ExternalKeyUpdate::Set(key) = &said.external_key else { return Ok(None) };
    let filter = PeopleFilter { external_key: Some(key.clone()), ..PeopleFilter::default() };
    Ok(transaction.people_in_hand(&filter).await?.pop())
}

/// Nothing where no person can fit.
fn people_filter(comparisons: &[Comparison]) -> ScimResult<Option<PeopleFilter>> {
    let mut filter = PeopleFilter { is_in_directory: true, ..PeopleFilter::default() };
    for comparison in comparisons {
        let text = comparison.text();
        match comparison.attribute.as_str() {
            "username" => filter.login_key = Some(comparison_key(&text)),
            "id" => match PersonId::parse(&text) {
                Some(person) => filter.person = Some(person),
                None => return Ok(None),
            },
            "externalid" => match ExternalKey::parse(&text) {
                Ok(key) => filter.external_key = Some(key),
                Err(_) => return Ok(None),
            },
            "active" => filter.state = Some(user::state(&comparison.value)?),
            _ => {
                return Err(ScimError::filter("people are found by userName, externalId, id and active"));
            }
        }
    }
    Ok(Some(filter))
}
