//! What a list comes to, before anything is written.

use super::line::{ListedPerson, members, roles, state};
use crate::foreign_hash::ForeignHash;
use crate::provisioning::{PersonChange, PersonStatement, has_key};
use std::collections::{HashMap, HashSet};
use tegata_core::name::comparison_key;
use tegata_core::{
    Entropy, ExternalKey, Language, LoginId, Name, PersonId, PersonRole, Refusal, Roles, SiteId, TenantId,
};
use tegata_storage::{
    DirectorySite, ExternalKeyUpdate, LedgerError, NewPerson, Person, PersonState, ScopedLedger,
    SignInAccounts,
};

/// Whose list it is.
#[derive(Clone, Copy)]
pub struct ListPlace<'a> {
    /// The tenant whose people it names.
    pub tenant: &'a TenantId,
    /// The issuer of the provider where its people sign in, if they do at one.
    pub provider: Option<&'a str>,
}

/// What a list comes to.
pub struct PeopleListPlan {
    pub(super) tenant: TenantId,
    pub(super) provider: Option<String>,
    pub(super) accounts: SignInAccounts,
    pub(super) lines: Vec<PlannedLine>,
    /// Whom it does not name.
    pub missing: MissingPeople,
}

/// People who may sign in and whom a list does not name: of the tenant's own, without accounts for emergencies.
pub struct MissingPeople {
    pub(super) people: Vec<(PersonId, String)>,
    /// Of how many who may sign in.
    pub of: usize,
    /// Whether some line could not be read, so that nobody knows whom it names.
    pub is_unknown: bool,
}

pub(super) struct PlannedLine {
    pub(super) number: u32,
    pub(super) login: String,
    pub(super) action: LineAction,
}

pub(super) enum LineAction {
    Refuse(Refusal, Option<String>),
    Create { new: Box<NewPerson>, is_disabled: bool, brought: BroughtProofs },
    Change { person: PersonId, change: Box<PersonChange>, brought: BroughtProofs },
}

/// What a line brings along by which the person signs in.
#[derive(Default)]
pub(super) struct BroughtProofs {
    /// A hash of another product.
    pub(super) password: Option<String>,
    /// What the tenant's provider calls the person, where nobody has said it before.
    pub(super) subject: Option<String>,
}

/// The longest name of a person at a provider (OIDC Core section 2).
const LONGEST_SUBJECT: usize = 255;

/// Why a line is refused.
type Unfit = (Refusal, Option<String>);

/// What lines are compared with.
struct ListContext<'a> {
    place: ListPlace<'a>,
    people: Vec<Person>,
    by_login: HashMap<String, usize>,
    by_key: HashMap<ExternalKey, usize>,
    sites: Vec<DirectorySite>,
    /// Whom the provider knows, by its name for them.
    linked: HashMap<String, PersonId>,
    /// Logins, keys and names at the provider of earlier lines, and the people they are about.
    logins: HashSet<String>,
    subjects: HashSet<String>,
    keys: HashSet<ExternalKey>,
    named: HashSet<PersonId>,
    language: Language,
    entropy: &'a dyn Entropy,
}

impl MissingPeople {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.people.len()
    }

    /// Whether they are more than so many of a hundred.
    pub fn exceeds(&self, percent: u32) -> bool {
        self.people.len() * 100 > self.of * percent as usize
    }
}

impl PeopleListPlan {
    /// Compares a list with the people of a tenant.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn make(
        rows: &ScopedLedger,
        place: ListPlace<'_>,
        lines: Vec<(u32, Result<ListedPerson, String>)>,
        language: Language,
        entropy: &dyn Entropy,
    ) -> Result<Self, LedgerError> {
        let people = rows.people().await?;
        let sites = rows.directory_sites(place.tenant).await?;
        let linked = match place.provider {
            Some(issuer) => rows.links_with(issuer).await?,
            None => Vec::new(),
        };
        let accounts = rows.sign_in_policy(place.tenant).await?.accounts;
        let mut context = ListContext::new(place, people, sites, language, entropy);
        context.linked = linked.into_iter().map(|(person, subject)| (subject, person)).collect();
        let mut planned = Vec::with_capacity(lines.len());
        let mut is_unknown = false;
        for (number, line) in lines {
            let (login, action) = match line {
                Ok(line) => {
                    let action = context.plan(&line).unwrap_or_else(|why| LineAction::Refuse(why.0, why.1));
                    (line.login.trim().to_owned(), action)
                }
                Err(detail) => {
                    is_unknown = true;
                    (String::new(), LineAction::Refuse(Refusal::PersonUnfit, Some(detail)))
                }
            };
            planned.push(PlannedLine { number, login, action });
        }
        let provider = place.provider.map(str::to_owned);
        let missing = context.missing(is_unknown);
        Ok(Self { tenant: place.tenant.clone(), provider, accounts, lines: planned, missing })
    }
}

impl<'a> ListContext<'a> {
    fn new(
        place: ListPlace<'a>,
        people: Vec<Person>,
        sites: Vec<DirectorySite>,
        language: Language,
        entropy: &'a dyn Entropy,
    ) -> Self {
        let by_login = people.iter().enumerate().map(|(at, person)| (comparison_key(&person.login), at));
        let by_key = people.iter().enumerate();
        let by_key = by_key.filter_map(|(at, person)| Some((person.external_key.clone()?, at)));
        Self {
            place,
            by_login: by_login.collect(),
            by_key: by_key.collect(),
            people,
            sites,
            linked: HashMap::new(),
            logins: HashSet::new(),
            subjects: HashSet::new(),
            keys: HashSet::new(),
            named: HashSet::new(),
            language,
            entropy,
        }
    }

    fn plan(&mut self, line: &ListedPerson) -> Result<LineAction, Unfit> {
        let language = self.language;
        let key = line.external_key.as_deref().filter(|key| !key.trim().is_empty());
        let key = key.map(ExternalKey::parse).transpose();
        let key = key.map_err(|unfit| (Refusal::PersonUnfit, Some(unfit.text(language))));
        let login =
            LoginId::parse(&line.login).map_err(|unfit| (Refusal::PersonUnfit, Some(unfit.text(language))));
        // Whoever is named is not missing, whatever else is wrong with the line.
        let known = self.known(login.as_ref().ok(), key.as_ref().ok().and_then(Option::as_ref));
        let is_again = known.is_some_and(|at| !self.named.insert(self.people[at].id.clone()));
        let (login, key) = (login?, key?);
        let is_login_again = !self.logins.insert(login.key());
        let is_key_again = key.clone().is_some_and(|key| !self.keys.insert(key));
        if is_again || is_login_again || is_key_again {
            return Err((Refusal::PersonTwice, None));
        }
        let password = line.password_hash.as_deref().filter(|hash| !hash.trim().is_empty());
        let password = password.map(|hash| checked_hash(hash, language)).transpose()?;
        let subject = self.subject(line, known)?;
        let statement = self.statement(line, key.clone())?;
        let brought = BroughtProofs { password, subject };
        match known {
            Some(at) => change(&self.people[at], &login, key.as_ref(), statement, brought),
            None => self.create(login, key, statement, brought),
        }
    }

    /// What the provider calls the person from now on. A list links whoever is not linked, and moves and removes nothing: a
    /// session that was begun by a link would end, and that is for somebody who means it.
    fn subject(&mut self, line: &ListedPerson, known: Option<usize>) -> Result<Option<String>, Unfit> {
        let subject = line.provider_subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty());
        let Some(subject) = subject else { return Ok(None) };
        if self.place.provider.is_none() {
            return Err((Refusal::ProviderMissing, None));
        }
        if subject.len() > LONGEST_SUBJECT {
            let long = self
                .language
                .pick("provider_subject は255文字までです", "provider_subject is longer than 255");
            return Err((Refusal::PersonUnfit, Some(long.to_owned())));
        }
        if !self.subjects.insert(subject.to_owned()) {
            return Err((Refusal::PersonTwice, None));
        }
        let person = known.map(|at| &self.people[at]);
        let is_same = |id: &PersonId| person.is_some_and(|person| person.id == *id);
        match self.linked.get(subject) {
            Some(owner) if is_same(owner) => Ok(None),
            None if person.is_some_and(|person| person.break_glass.is_some()) => {
                Err((Refusal::EmergencyAccountKept, None))
            }
            None if !self.linked.values().any(is_same) => Ok(Some(subject.to_owned())),
            _ => Err((Refusal::PersonKnown, None)),
        }
    }

    /// By the key first, which is the directory's own.
    fn known(&self, login: Option<&LoginId>, key: Option<&ExternalKey>) -> Option<usize> {
        let by_key = key.and_then(|key| self.by_key.get(key));
        by_key.or_else(|| self.by_login.get(&login?.key())).copied()
    }

    fn statement(&self, line: &ListedPerson, key: Option<ExternalKey>) -> Result<PersonStatement, Unfit> {
        let language = self.language;
        let unfit = |detail: String| (Refusal::PersonUnfit, Some(detail));
        let name = line.name.as_deref().filter(|name| !name.trim().is_empty());
        let name = name.map(Name::of_place).transpose().map_err(|why| unfit(why.text(language)))?;
        let not_a_role = |word: String| {
            unfit(match language {
                Language::Ja => format!("役割ではありません: {word:?}"),
                Language::En => format!("not a role: {word:?}"),
            })
        };
        let roles = line.roles.as_deref().map(roles).transpose().map_err(not_a_role)?.flatten();
        let state = line.state.as_deref().map(state).transpose();
        let state = state.map_err(|()| {
            unfit(language.pick("state は active か disabled です", "state is active or disabled").to_owned())
        })?;
        let sites = line.sites.as_deref().map(|cell| self.sites_of(cell)).transpose()?;
        let external_key = key.map_or(ExternalKeyUpdate::Keep, ExternalKeyUpdate::Set);
        Ok(PersonStatement { name, roles, sites, external_key, state: state.flatten(), awaits_sites: false })
    }

    fn sites_of(&self, cell: &str) -> Result<Vec<SiteId>, Unfit> {
        let mut found = Vec::new();
        for wanted in members(cell) {
            let site = site_called(&self.sites, wanted)
                .ok_or_else(|| (Refusal::PersonSiteUnknown, Some(wanted.to_owned())))?;
            if !found.contains(&site.id) {
                found.push(site.id.clone());
            }
        }
        Ok(found)
    }

    fn create(
        &self,
        login: LoginId,
        external_key: Option<ExternalKey>,
        statement: PersonStatement,
        brought: BroughtProofs,
    ) -> Result<LineAction, Unfit> {
        let nameless = self.language.pick("新しい利用者には name が必要です", "a new person needs a name");
        let name = statement.name.ok_or_else(|| (Refusal::PersonUnfit, Some(nameless.to_owned())))?;
        let roles = statement.roles.unwrap_or_else(|| Roles::new([PersonRole::Staff]));
        let sites = statement.sites.unwrap_or_default();
        if sites.is_empty() && roles.iter().any(PersonRole::is_of_sites) {
            return Err((Refusal::PersonSiteMissing, None));
        }
        let new = Box::new(NewPerson {
            id: PersonId::random(self.entropy),
            tenant: self.place.tenant.clone(),
            login,
            external_key,
            name,
            roles,
            sites,
            awaits_sites: false,
        });
        let is_disabled = statement.state == Some(PersonState::Disabled);
        Ok(LineAction::Create { new, is_disabled, brought })
    }

    fn missing(&self, is_unknown: bool) -> MissingPeople {
        let may_be_missing = |person: &&Person| {
            person.state == PersonState::Active
                && person.break_glass.is_none()
                && person.roles.iter().all(PersonRole::is_of_tenant)
        };
        let active: Vec<_> = self.people.iter().filter(may_be_missing).collect();
        let missing = active.iter().filter(|person| !self.named.contains(&person.id));
        MissingPeople {
            people: missing.map(|person| (person.id.clone(), person.login.clone())).collect(),
            of: active.len(),
            is_unknown,
        }
    }
}

/// What a line changes of somebody who is there.
fn change(
    person: &Person,
    login: &LoginId,
    key: Option<&ExternalKey>,
    statement: PersonStatement,
    brought: BroughtProofs,
) -> Result<LineAction, Unfit> {
    if comparison_key(&person.login) != login.key() {
        return Err((Refusal::LoginFixed, Some(person.login.clone())));
    }
    // A key that was given to a person does not move to another by a list.
    if key.is_some_and(|key| person.external_key.is_some() && !has_key(person, key)) {
        return Err((Refusal::PersonKnown, None));
    }
    let roles = statement.roles.as_ref().unwrap_or(&person.roles);
    let sites = statement.sites.as_ref().map_or(person.sites.len(), Vec::len);
    // Whom a directory has added without a site may go on waiting for one.
    let awaits_sites = person.sites.is_empty() && person.roles.iter().any(PersonRole::is_of_sites);
    if sites == 0 && !awaits_sites && roles.iter().any(PersonRole::is_of_sites) {
        return Err((Refusal::PersonSiteMissing, None));
    }
    let is_stopped = statement.state == Some(PersonState::Disabled);
    if person.break_glass.is_some() && is_stopped {
        return Err((Refusal::EmergencyAccountKept, None));
    }
    let change = Box::new(PersonStatement { awaits_sites, ..statement }.against(person));
    Ok(LineAction::Change { person: person.id.clone(), change, brought })
}

/// The one site of this identifier, external key or name.
fn site_called<'a>(sites: &'a [DirectorySite], wanted: &str) -> Option<&'a DirectorySite> {
    let by_key = |site: &&DirectorySite| {
        site.id.as_str() == wanted || site.external_key.as_ref().is_some_and(|key| key.as_str() == wanted)
    };
    if let Some(site) = sites.iter().find(by_key) {
        return Some(site);
    }
    let key = comparison_key(wanted);
    let mut called = sites.iter().filter(|site| comparison_key(&site.name) == key);
    match (called.next(), called.next()) {
        (Some(site), None) => Some(site),
        _ => None,
    }
}

/// Whether a hash can be imported, without saying it again.
fn checked_hash(text: &str, language: Language) -> Result<String, Unfit> {
    match ForeignHash::parse(text) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(why) => Err((Refusal::PasswordHashUnfit, Some(why.text(language).to_owned()))),
    }
}
