//! `/scim/v2/Groups`.

use super::answer::{list_answer, not_there};
use super::body::{ScimObject, member, text};
use super::caller::ScimCaller;
use super::error::{ScimError, ScimResult};
use super::filter::Comparison;
use super::listing::ScimQuery;
use super::patch::{PatchOperation, steps};
use super::{group, user};
use crate::service::IdentityService;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use std::collections::{BTreeSet, HashMap};
use tegata_core::name::is_same;
use tegata_core::{ExternalKey, PersonId, Refusal, SiteId};
use tegata_storage::{DirectorySite, ExternalKeyUpdate, Person, ScopedTransaction, SiteMember};

/// People who come or go in one transaction: few enough that others get their turn.
const TOGETHER: usize = 50;

/// Somebody who comes to a site, or goes.
struct MemberMove {
    person: PersonId,
    works_there: bool,
}

/// What becomes of a site.
struct SiteChange {
    key: ExternalKeyUpdate,
    /// Who works there from now on; nothing where that stays.
    members: Option<BTreeSet<String>>,
}

/// A site as the directory knows it, in the transaction that changes it.
struct ComparedSite {
    transaction: ScopedTransaction,
    /// All sites of the tenant.
    sites: Vec<DirectorySite>,
    site: DirectorySite,
    key: ExternalKeyUpdate,
    moves: Vec<MemberMove>,
}

pub(super) async fn list(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Query(query): Query<ScimQuery>,
) -> ScimResult<Response> {
    let (comparisons, projection) = (query.comparisons()?, query.projection());
    let mut sites = caller.rows.directory_sites(&caller.tenant).await?;
    let asks_for_members = comparisons.iter().any(is_about_members);
    let members = if projection.has("members") || asks_for_members {
        Some(caller.rows.site_members(None).await?)
    } else {
        None
    };
    for comparison in &comparisons {
        retain(&mut sites, comparison, members.as_deref().unwrap_or_default())?;
    }
    let (start, total) = (query.start(), sites.len() as u64);
    let page = sites.iter().skip(start as usize - 1).take(query.count() as usize);
    let portal = &service.context.addresses.portal;
    let shown = page.map(|site| group::shown(site, members.as_deref(), portal).projected(&projection));
    let shown: Vec<_> = shown.collect();
    Ok(list_answer(total, start, &shown))
}

pub(super) async fn read(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    Query(query): Query<ScimQuery>,
    headers: HeaderMap,
) -> ScimResult<Response> {
    let site = caller.site(&id).await?;
    let members = caller.rows.site_members(Some(&site.id)).await?;
    let shown = group::shown(&site, Some(&members), &service.context.addresses.portal);
    Ok(shown.shown(&headers, &query.projection()))
}

pub(super) async fn create(_caller: ScimCaller) -> ScimError {
    Refusal::SitesFixed.into()
}

pub(super) async fn delete(_caller: ScimCaller, Path(_): Path<String>) -> ScimError {
    Refusal::SitesFixed.into()
}

pub(super) async fn replace(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    Query(query): Query<ScimQuery>,
    headers: HeaderMap,
    ScimObject(said): ScimObject,
) -> ScimResult<Response> {
    let change = |site: &DirectorySite, _: &BTreeSet<String>| {
        check_name(site, text(&said, "displayName"))?;
        let key = member(&said, "externalId").map_or(Ok(ExternalKeyUpdate::Keep), user::external_key)?;
        let members = member(&said, "members").map(group::members).transpose()?;
        Ok(SiteChange { key, members: members.map(|members| members.into_iter().collect()) })
    };
    caller.change_site(&service, &id, &headers, change).await?;
    let site = caller.site(&id).await?;
    let members = caller.rows.site_members(Some(&site.id)).await?;
    let shown = group::shown(&site, Some(&members), &service.context.addresses.portal);
    Ok(shown.changed(&query.projection()))
}

/// Answered with nothing, as directories expect it of groups: they may be large.
pub(super) async fn modify(
    State(service): State<IdentityService>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    ScimObject(request): ScimObject,
) -> ScimResult<Response> {
    let steps = steps(&request)?;
    let change = |site: &DirectorySite, before: &BTreeSet<String>| {
        let mut change = SiteChange { key: ExternalKeyUpdate::Keep, members: None };
        for step in &steps {
            match step.path.attribute.as_deref() {
                Some("members") => {
                    let before = change.members.as_ref().unwrap_or(before);
                    change.members = Some(group::members_after(step, before)?);
                }
                Some("externalid") if step.operation == PatchOperation::Remove => {
                    change.key = ExternalKeyUpdate::Clear;
                }
                Some("externalid") => change.key = user::external_key(&step.value)?,
                Some("displayname") => check_name(site, step.value.as_str())?,
                _ => {}
            }
        }
        Ok(change)
    };
    caller.change_site(&service, &id, &headers, change).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl ScimCaller {
    async fn site(&self, id: &str) -> ScimResult<DirectorySite> {
        let sites = self.rows.directory_sites(&self.tenant).await?;
        site_with(&sites, id).cloned()
    }

    /// What is compared is what is changed: both in one transaction, as long as few people come or go. More are looked at
    /// first, so that one who may not keeps everybody; then it is compared again, for others may have written meanwhile. They come
    /// and go some at a time, and whoever breaks off in the middle repeats the request, which does what is left.
    async fn change_site(
        &self,
        service: &IdentityService,
        id: &str,
        headers: &HeaderMap,
        said: impl Fn(&DirectorySite, &BTreeSet<String>) -> ScimResult<SiteChange>,
    ) -> ScimResult<()> {
        let mut compared = self.compare_site(service, id, headers, &said).await?;
        if compared.moves.len() > TOGETHER {
            let moves = std::mem::take(&mut compared.moves);
            drop(compared);
            self.check_all(&moves).await?;
            compared = self.compare_site(service, id, headers, &said).await?;
        }
        let ComparedSite { mut transaction, sites, site, key, moves } = compared;
        self.set_key(&mut transaction, &site, &sites, key).await?;
        let mut parts = moves.chunks(TOGETHER).peekable();
        loop {
            for one in parts.next().unwrap_or_default() {
                self.set_member(&mut transaction, &site.id, one).await?;
            }
            transaction.commit().await?;
            if parts.peek().is_none() {
                return Ok(());
            }
            transaction = self.begin().await?;
        }
    }

    async fn compare_site(
        &self,
        service: &IdentityService,
        id: &str,
        headers: &HeaderMap,
        said: &impl Fn(&DirectorySite, &BTreeSet<String>) -> ScimResult<SiteChange>,
    ) -> ScimResult<ComparedSite> {
        let mut transaction = self.begin().await?;
        let sites = transaction.directory_sites_in_hand(&self.tenant).await?;
        let site = site_with(&sites, id)?.clone();
        let members = transaction.site_members_in_hand(&site.id).await?;
        group::shown(&site, Some(&members), &service.context.addresses.portal).check(headers)?;
        let before: BTreeSet<_> = members.iter().map(|member| member.person.to_string()).collect();
        let SiteChange { key, members } = said(&site, &before)?;
        let moves = members.map_or_else(|| Ok(Vec::new()), |after| moves(&before, &after))?;
        Ok(ComparedSite { transaction, sites, site, key, moves })
    }

    async fn set_key(
        &self,
        transaction: &mut ScopedTransaction,
        site: &DirectorySite,
        others: &[DirectorySite],
        update: ExternalKeyUpdate,
    ) -> ScimResult<()> {
        let key: Option<ExternalKey> = match update {
            ExternalKeyUpdate::Keep => return Ok(()),
            ExternalKeyUpdate::Clear => None,
            ExternalKeyUpdate::Set(key) => Some(key),
        };
        if site.external_key == key {
            return Ok(());
        }
        let is_taken =
            |other: &DirectorySite| other.id != site.id && key.is_some() && other.external_key == key;
        if others.iter().any(is_taken) {
            return Err(Refusal::PersonKnown.into());
        }
        transaction.set_site_key(&site.id, key.as_ref(), &self.actor).await?;
        Ok(())
    }

    /// Without a transaction: many are read, and nobody waits for it.
    async fn check_all(&self, moves: &[MemberMove]) -> ScimResult<()> {
        let people = self.rows.people().await?;
        let by_id: HashMap<_, _> = people.iter().map(|person| (&person.id, person)).collect();
        moves.iter().try_for_each(|one| self.check(one, by_id.get(&one.person).copied()).map(drop))
    }

    fn check<'a>(&self, one: &MemberMove, person: Option<&'a Person>) -> ScimResult<&'a Person> {
        let person = person.filter(|person| person.left_directory_at.is_none() || !one.works_there);
        let person = person.ok_or_else(nobody)?;
        self.may_change(person)?;
        Ok(person)
    }

    async fn set_member(
        &self,
        transaction: &mut ScopedTransaction,
        site: &SiteId,
        one: &MemberMove,
    ) -> ScimResult<()> {
        let person = transaction.person_in_hand(&one.person).await?;
        let person = self.check(one, person.as_ref())?;
        // Somebody else may have said so meanwhile.
        if person.sites.iter().any(|at| at.id == *site) != one.works_there {
            transaction.set_works_at(&one.person, site, one.works_there, &self.actor).await?;
        }
        Ok(())
    }
}

fn site_with<'a>(sites: &'a [DirectorySite], id: &str) -> ScimResult<&'a DirectorySite> {
    let id = SiteId::parse(id).ok_or_else(not_there)?;
    sites.iter().find(|site| site.id == id).ok_or_else(|| Refusal::PersonSiteUnknown.into())
}

/// Who comes and who goes.
fn moves(before: &BTreeSet<String>, after: &BTreeSet<String>) -> ScimResult<Vec<MemberMove>> {
    let one = |person: &String| {
        let works_there = after.contains(person);
        let person = group::person_id(person).ok_or_else(nobody)?;
        Ok(MemberMove { person, works_there })
    };
    before.symmetric_difference(after).map(one).collect()
}

fn nobody() -> ScimError {
    ScimError::value("a member is nobody of this tenant")
}

/// The name of a site is the operator's to change.
fn check_name(site: &DirectorySite, name: Option<&str>) -> ScimResult<()> {
    match name {
        Some(name) if !is_same(&site.name, name) => Err(ScimError::fixed(Refusal::SitesFixed)),
        _ => Ok(()),
    }
}

fn is_about_members(comparison: &Comparison) -> bool {
    ["members", "members.value"].contains(&comparison.attribute.as_str())
}

fn retain(sites: &mut Vec<DirectorySite>, comparison: &Comparison, members: &[SiteMember]) -> ScimResult<()> {
    let wanted = comparison.text();
    match comparison.attribute.as_str() {
        "displayname" => sites.retain(|site| is_same(&site.name, &wanted)),
        "id" => sites.retain(|site| site.id.as_str() == wanted),
        "externalid" => {
            sites.retain(|site| site.external_key.as_ref().is_some_and(|key| key.as_str() == wanted));
        }
        _ if is_about_members(comparison) => {
            let works_at = |site: &DirectorySite| {
                members.iter().any(|of| of.site == site.id && of.person.as_str() == wanted)
            };
            sites.retain(works_at);
        }
        _ => return Err(ScimError::filter("groups are found by displayName, externalId, id and members")),
    }
    Ok(())
}
