//! A site as a Group (RFC 7643 section 4.2): its members are the people who work there.

use super::answer::Resource;
use super::error::ScimResult;
use super::{body, patch};
use patch::{PatchOperation, PatchStep};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tegata_core::PersonId;
use tegata_storage::{DirectorySite, SiteMember};

pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A site, at a portal; without members where nobody asks for them.
pub(super) fn shown(site: &DirectorySite, members: Option<&[SiteMember]>, portal: &str) -> Resource {
    let mut value = json!({"schemas": [GROUP], "id": site.id, "displayName": site.name});
    if let Some(key) = &site.external_key {
        value["externalId"] = key.as_str().into();
    }
    if let Some(members) = members {
        let of = members.iter().filter(|member| member.site == site.id).map(|member| {
            let location = format!("{portal}/scim/v2/Users/{}", member.person);
            json!({"value": member.person, "$ref": location, "display": member.name, "type": "User"})
        });
        value["members"] = of.collect();
    }
    Resource::new("Group", format!("{portal}/scim/v2/Groups/{}", site.id), None, value)
}

/// Identifiers of people that an attribute names. Whatever is no identifier is nobody's.
pub(super) fn members(value: &Value) -> ScimResult<Vec<String>> {
    Ok(body::values(value)?.into_iter().map(str::to_owned).collect())
}

/// Who works at a site after a step, of those who did before.
pub(super) fn members_after(step: &PatchStep, before: &BTreeSet<String>) -> ScimResult<BTreeSet<String>> {
    let said: BTreeSet<_> = members(&step.value)?.into_iter().collect();
    let selected = step.path.filter.as_ref().map(super::filter::Comparison::text);
    Ok(match (step.operation, selected) {
        (PatchOperation::Add, _) => before.union(&said).cloned().collect(),
        (PatchOperation::Replace, None) => said,
        (PatchOperation::Remove, Some(selected)) => {
            before.iter().filter(|member| **member != selected).cloned().collect()
        }
        (PatchOperation::Remove, None) if said.is_empty() => BTreeSet::new(),
        (PatchOperation::Remove, None) => before.difference(&said).cloned().collect(),
        (PatchOperation::Replace, Some(selected)) => {
            let kept = before.iter().filter(|member| **member != selected);
            kept.chain(&said).cloned().collect()
        }
    })
}

/// The identifier that a member is; none where it has not the form of one.
pub(super) fn person_id(member: &str) -> Option<PersonId> {
    PersonId::parse(member)
}
