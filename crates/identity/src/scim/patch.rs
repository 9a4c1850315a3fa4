//! PATCH (RFC 7644 section 3.5.2), also as Entra ID writes it: operations with capital letters, `"False"` for `false`, no path and
//! an object of paths for a value.

use super::body::{member, text, values};
use super::error::{ScimError, ScimResult};
use super::path::AttributePath;
use super::user;
use crate::provisioning::PersonStatement;
use serde_json::{Map, Value};
use tegata_core::{LoginId, PersonRole};
use tegata_storage::{ExternalKeyUpdate, Person};

/// Operations of one request.
const MOST: usize = 1000;

/// What is done with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PatchOperation {
    Add,
    Replace,
    Remove,
}

/// One step of a request.
#[derive(Debug)]
pub(super) struct PatchStep {
    pub(super) operation: PatchOperation,
    pub(super) path: AttributePath,
    pub(super) value: Value,
}

/// The steps of a request, in their order; an operation without a path is one step for each of its members.
pub(super) fn steps(request: &Map<String, Value>) -> ScimResult<Vec<PatchStep>> {
    let operations = member(request, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| ScimError::syntax("Operations is no list"))?;
    if operations.is_empty() || operations.len() > MOST {
        return Err(ScimError::value("there are 1 to 1,000 operations"));
    }
    let mut steps = Vec::with_capacity(operations.len());
    for operation in operations {
        let operation =
            operation.as_object().ok_or_else(|| ScimError::syntax("an operation is an object"))?;
        let value = member(operation, "value").cloned().unwrap_or(Value::Null);
        let word = text(operation, "op").unwrap_or_default();
        let kind = kind(word)?;
        match (text(operation, "path"), value) {
            (Some(path), value) => {
                steps.push(PatchStep { operation: kind, path: AttributePath::parse(path)?, value });
            }
            (None, Value::Object(members)) if kind != PatchOperation::Remove => {
                for (path, value) in members {
                    steps.push(PatchStep { operation: kind, path: AttributePath::parse(&path)?, value });
                }
            }
            (None, _) => return Err(no_target()),
        }
    }
    Ok(steps)
}

fn kind(word: &str) -> ScimResult<PatchOperation> {
    match word.to_ascii_lowercase().as_str() {
        "add" => Ok(PatchOperation::Add),
        "replace" => Ok(PatchOperation::Replace),
        "remove" => Ok(PatchOperation::Remove),
        _ => Err(ScimError::syntax("op is add, replace or remove")),
    }
}

fn no_target() -> ScimError {
    ScimError::path("an operation without a path has an object for a value")
}

/// What the steps say of a person.
pub(super) fn statement(steps: &[PatchStep], person: &Person) -> ScimResult<PersonStatement> {
    let mut said = PersonStatement { awaits_sites: true, ..PersonStatement::default() };
    for step in steps {
        match step.path.attribute.as_deref() {
            Some("username") => check_login(step, person)?,
            Some("displayname") => said.name = Some(display_name(step)?),
            Some("externalid") => said.external_key = external_key(step)?,
            Some("active") => said.state = Some(active(step)?),
            Some("roles") => {
                let before = said.roles.as_ref().unwrap_or(&person.roles).iter().collect();
                said.roles = Some(user::some_roles(roles(step, before)?));
            }
            Some("id" | "meta" | "groups" | "schemas") => {
                return Err(ScimError::fixed(tegata_core::Refusal::ScimRequestUnfit)
                    .with_detail("the attribute is the server's to say"));
            }
            // Of a schema or an attribute that is not ours.
            _ => {}
        }
    }
    Ok(said)
}

fn check_login(step: &PatchStep, person: &Person) -> ScimResult<()> {
    let login = step.value.as_str().and_then(|login| LoginId::parse(login).ok());
    match login {
        Some(login) if step.operation != PatchOperation::Remove => user::check_login(person, &login),
        _ => Err(ScimError::fixed(tegata_core::Refusal::LoginFixed)),
    }
}

fn display_name(step: &PatchStep) -> ScimResult<tegata_core::Name> {
    match (step.operation, &step.value) {
        (PatchOperation::Add | PatchOperation::Replace, Value::String(name)) => user::named(name),
        _ => Err(ScimError::value("displayName is a text, and never removed")),
    }
}

fn external_key(step: &PatchStep) -> ScimResult<ExternalKeyUpdate> {
    if step.operation == PatchOperation::Remove {
        return Ok(ExternalKeyUpdate::Clear);
    }
    user::external_key(&step.value)
}

fn active(step: &PatchStep) -> ScimResult<tegata_storage::PersonState> {
    if step.operation == PatchOperation::Remove {
        return Err(ScimError::value("active is true or false, and never removed"));
    }
    user::state(&step.value)
}

/// The roles after a step. Whatever a filter selects other than by `value` is all of them: a person has roles, and none of them
/// is primary.
fn roles(step: &PatchStep, mut before: Vec<PersonRole>) -> ScimResult<Vec<PersonRole>> {
    let selected = step.path.filter.as_ref().filter(|filter| filter.attribute == "value");
    let selected = selected.map(|filter| Value::String(filter.text()));
    let said = user::read_roles(&step.value)?;
    match (step.operation, selected) {
        (PatchOperation::Remove, None) if values(&step.value)?.is_empty() => Ok(Vec::new()),
        (PatchOperation::Remove, selected) => {
            let removed = match selected {
                Some(selected) => user::read_roles(&selected)?,
                None => said,
            };
            before.retain(|role| !removed.contains(role));
            Ok(before)
        }
        (PatchOperation::Add, _) if step.path.filter.is_none() => {
            before.extend(said);
            Ok(before)
        }
        (PatchOperation::Replace, Some(selected)) => {
            let replaced = user::read_roles(&selected)?;
            before.retain(|role| !replaced.contains(role));
            before.extend(said);
            Ok(before)
        }
        _ => Ok(said),
    }
}
