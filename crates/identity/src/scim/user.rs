//! A person as a User (RFC 7643 section 4.1), and what a User says of a person.

use super::answer::Resource;
use super::body::{member, text, values};
use super::error::{ScimError, ScimResult};
use crate::provisioning::PersonStatement;
use serde_json::{Map, Value, json};
use tegata_core::{ExternalKey, Language, LoginId, Name, PersonRole, Refusal, Roles};
use tegata_storage::{ExternalKeyUpdate, Person, PersonState};

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// A person, at a portal.
pub(super) fn shown(person: &Person, portal: &str) -> Resource {
    let roles: Vec<_> = person.roles.iter().map(|role| json!({"value": role.as_str()})).collect();
    let groups = person.sites.iter().map(|site| {
        let location = format!("{portal}/scim/v2/Groups/{}", site.id);
        json!({"value": site.id, "$ref": location, "display": site.name})
    });
    let groups: Vec<_> = groups.collect();
    let mut value = json!({
        "schemas": [USER], "id": person.id, "userName": person.login, "displayName": person.name,
        "active": person.state == PersonState::Active, "roles": roles, "groups": groups,
    });
    if let Some(key) = &person.external_key {
        value["externalId"] = key.as_str().into();
    }
    let location = format!("{portal}/scim/v2/Users/{}", person.id);
    Resource::new("User", location, Some((person.created_at, person.changed_at)), value)
}

/// The login that a User has.
pub(super) fn login(user: &Map<String, Value>) -> ScimResult<LoginId> {
    let login = text(user, "userName").ok_or_else(|| ScimError::unfit("userName is missing"))?;
    LoginId::parse(login).map_err(|unfit| ScimError::unfit(unfit.text(Language::En)))
}

/// What a whole User says (POST and PUT). What it does not say stays as it is.
pub(super) fn statement(user: &Map<String, Value>) -> ScimResult<PersonStatement> {
    let mut said = PersonStatement { awaits_sites: true, ..PersonStatement::default() };
    said.name = name(user)?;
    if let Some(key) = member(user, "externalId") {
        said.external_key = external_key(key)?;
    }
    if let Some(active) = member(user, "active") {
        said.state = Some(state(active)?);
    }
    if let Some(roles) = member(user, "roles") {
        said.roles = Some(some_roles(read_roles(roles)?));
    }
    Ok(said)
}

/// `displayName`, or what `name` says where there is none.
fn name(user: &Map<String, Value>) -> ScimResult<Option<Name>> {
    let said = |object: &Map<String, Value>, name: &str| {
        text(object, name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let parts = member(user, "name").and_then(Value::as_object);
    let joined = |parts: &Map<String, Value>| {
        let both: Vec<_> = ["familyName", "givenName"].iter().filter_map(|part| said(parts, part)).collect();
        (!both.is_empty()).then(|| both.join(" "))
    };
    let name = said(user, "displayName")
        .or_else(|| parts.and_then(|parts| said(parts, "formatted").or_else(|| joined(parts))));
    name.map(|name| named(&name)).transpose()
}

pub(super) fn named(text: &str) -> ScimResult<Name> {
    Name::of_place(text)
        .map_err(|unfit| ScimError::unfit(format!("displayName: {}", unfit.text(Language::En))))
}

/// A key, or none where the attribute is null or empty.
pub(super) fn external_key(value: &Value) -> ScimResult<ExternalKeyUpdate> {
    match value {
        Value::Null => Ok(ExternalKeyUpdate::Clear),
        Value::String(text) if text.trim().is_empty() => Ok(ExternalKeyUpdate::Clear),
        Value::String(text) => match ExternalKey::parse(text) {
            Ok(key) => Ok(ExternalKeyUpdate::Set(key)),
            Err(unfit) => Err(ScimError::unfit(format!("externalId: {}", unfit.text(Language::En)))),
        },
        _ => Err(ScimError::value("externalId is a text")),
    }
}

/// `active`, also in the words that Entra ID writes.
pub(super) fn state(value: &Value) -> ScimResult<PersonState> {
    let is_active = match value {
        Value::Bool(is_active) => Some(*is_active),
        Value::String(word) if word.eq_ignore_ascii_case("true") => Some(true),
        Value::String(word) if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    let is_active = is_active.ok_or_else(|| ScimError::value("active is true or false"))?;
    Ok(if is_active { PersonState::Active } else { PersonState::Disabled })
}

/// Roles by their names. Entra ID may wrap each in a text of JSON.
pub(super) fn read_roles(value: &Value) -> ScimResult<Vec<PersonRole>> {
    let read = |text: &str| {
        let wrapped: Option<Value> = text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
        let inner = wrapped.as_ref().and_then(|role| role["value"].as_str());
        PersonRole::parse(inner.unwrap_or(text))
            .ok_or_else(|| ScimError::unfit("roles: use staff, site-manager or tenant-admin"))
    };
    values(value)?.into_iter().map(read).collect()
}

/// Whoever has no role has the least.
pub(super) fn some_roles(roles: Vec<PersonRole>) -> Roles {
    if roles.is_empty() { least() } else { Roles::new(roles) }
}

pub(super) fn least() -> Roles {
    Roles::new([PersonRole::Staff])
}

/// A login stays what it is, in whatever case and width it is written.
pub(super) fn check_login(person: &Person, login: &LoginId) -> ScimResult<()> {
    let is_same = tegata_core::name::comparison_key(&person.login) == login.key();
    if is_same { Ok(()) } else { Err(ScimError::fixed(Refusal::LoginFixed)) }
}
