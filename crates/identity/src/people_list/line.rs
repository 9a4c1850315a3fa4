//! A line of a list, as it was written.

use serde::{Deserialize, Deserializer};
use tegata_core::{PersonRole, Roles};
use tegata_storage::PersonState;

/// The columns of a list. One that is not there leaves everything as it is. The last is never written by an export.
pub const LIST_COLUMNS: &[&str] =
    &["login", "name", "roles", "sites", "external_key", "state", "provider_subject", "password_hash"];

/// How many of them a list must have.
pub const LIST_NEEDED: usize = 1;

/// What a line says. A column that is not there is nothing, an empty cell an empty text. It does not print itself: there may
/// be a password's hash in it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedPerson {
    /// What the person signs in with.
    pub login: String,
    /// What the person is called.
    #[serde(default, deserialize_with = "written")]
    pub name: Option<String>,
    /// Names of roles with `;` between.
    #[serde(default, deserialize_with = "written")]
    pub roles: Option<String>,
    /// Names, identifiers or external keys of sites with `;` between.
    #[serde(default, deserialize_with = "written")]
    pub sites: Option<String>,
    /// What the directory calls the person.
    #[serde(default, deserialize_with = "written")]
    pub external_key: Option<String>,
    /// Whether the person may sign in: `active` or `disabled`.
    #[serde(default, deserialize_with = "written")]
    pub state: Option<String>,
    /// What the tenant's OpenID provider calls the person for ever.
    #[serde(default, deserialize_with = "written")]
    pub provider_subject: Option<String>,
    /// A hash that another product has made.
    #[serde(default, deserialize_with = "written")]
    pub password_hash: Option<String>,
}

/// A cell that is there, be it empty.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// The members of a cell, which stand apart by a semicolon of any width.
pub(super) fn members(cell: &str) -> impl Iterator<Item = &str> {
    cell.split([';', '；']).map(str::trim).filter(|member| !member.is_empty())
}

/// The roles that a cell names; an error names the word that is none.
pub(super) fn roles(cell: &str) -> Result<Option<Roles>, String> {
    let mut roles = Vec::new();
    for word in members(cell) {
        roles.push(PersonRole::parse(word).ok_or_else(|| word.to_owned())?);
    }
    Ok((!roles.is_empty()).then(|| Roles::new(roles)))
}

/// The state that a cell names, in English or Japanese; nothing where it is empty.
pub(super) fn state(cell: &str) -> Result<Option<PersonState>, ()> {
    match cell.trim().to_lowercase().as_str() {
        "" => Ok(None),
        "active" | "有効" | "在籍" => Ok(Some(PersonState::Active)),
        "disabled" | "停止" | "退職" => Ok(Some(PersonState::Disabled)),
        _ => Err(()),
    }
}
