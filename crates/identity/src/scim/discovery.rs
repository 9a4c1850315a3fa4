//! What there is (RFC 7643 sections 5 to 7): the same for every tenant.

use super::answer::{json_answer, list_answer};
use super::caller::ScimCaller;
use super::error::{ScimError, ScimResult};
use super::group::GROUP;
use super::listing::MOST;
use super::user::USER;
use crate::service::IdentityService;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use tegata_core::{PersonRole, Refusal};

pub(super) async fn service_provider_config(
    State(service): State<IdentityService>,
    _caller: ScimCaller,
) -> Response {
    let location = format!("{}/scim/v2/ServiceProviderConfig", service.context.addresses.portal);
    let config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MOST},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "primary": true,
            "description": "A token that the operator of the installation has made for this tenant",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": location},
    });
    json_answer(StatusCode::OK, &config)
}

pub(super) async fn resource_types(State(service): State<IdentityService>, _caller: ScimCaller) -> Response {
    let types = service.resource_types();
    list_answer(types.len() as u64, 1, &types)
}

pub(super) async fn resource_type(
    State(service): State<IdentityService>,
    _caller: ScimCaller,
    Path(id): Path<String>,
) -> ScimResult<Response> {
    one(service.resource_types(), &id)
}

pub(super) async fn schemas(State(service): State<IdentityService>, _caller: ScimCaller) -> Response {
    let schemas = service.schemas();
    list_answer(schemas.len() as u64, 1, &schemas)
}

pub(super) async fn schema(
    State(service): State<IdentityService>,
    _caller: ScimCaller,
    Path(id): Path<String>,
) -> ScimResult<Response> {
    one(service.schemas(), &id)
}

fn one(all: Vec<Value>, id: &str) -> ScimResult<Response> {
    let found = all.into_iter().find(|described| described["id"] == id);
    found.map(|described| json_answer(StatusCode::OK, &described)).ok_or(ScimError::from(Refusal::NotFound))
}

impl IdentityService {
    fn resource_types(&self) -> Vec<Value> {
        let portal = &self.context.addresses.portal;
        let describe = |(name, path, schema, description): (&str, &str, &str, &str)| {
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": name, "name": name, "endpoint": path, "description": description, "schema": schema,
                "schemaExtensions": [],
                "meta": {
                    "resourceType": "ResourceType", "location": format!("{portal}/scim/v2/ResourceTypes/{name}"),
                },
            })
        };
        [
            ("User", "/Users", USER, "People of the tenant"),
            ("Group", "/Groups", GROUP, "Sites of the tenant, with whoever works there"),
        ]
        .map(describe)
        .into()
    }

    fn schemas(&self) -> Vec<Value> {
        let portal = &self.context.addresses.portal;
        let describe = |(id, name, attributes): (&str, &str, Vec<Value>)| {
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
                "id": id, "name": name, "description": name, "attributes": attributes,
                "meta": {"resourceType": "Schema", "location": format!("{portal}/scim/v2/Schemas/{id}")},
            })
        };
        [(USER, "User", user_attributes()), (GROUP, "Group", group_attributes())].map(describe).into()
    }
}

fn user_attributes() -> Vec<Value> {
    let roles = PersonRole::ALL.iter().filter(|role| role.is_of_tenant());
    let roles: Vec<_> = roles.map(|role| role.as_str()).collect();
    let mut role = attribute("value", "string", "The name of a role");
    role["canonicalValues"] = json!(roles);
    role["required"] = true.into();
    let mut login = attribute("userName", "string", "What the person signs in with; it never changes");
    login["required"] = true.into();
    login["mutability"] = "immutable".into();
    login["uniqueness"] = "server".into();
    let mut name = attribute("displayName", "string", "What the person is called");
    name["required"] = true.into();
    let mut active = attribute("active", "boolean", "Whether the person may sign in");
    active["required"] = true.into();
    let mut all_roles = several("roles", "What the person is", vec![role]);
    all_roles["required"] = true.into();
    let site = ["value", "display"].map(|part| read_only(attribute(part, "string", "Of a site")));
    let groups = several("groups", "The sites where the person works", site.into());
    vec![login, name, active, all_roles, read_only(groups)]
}

fn group_attributes() -> Vec<Value> {
    let mut name = attribute("displayName", "string", "The name of the site");
    name["required"] = true.into();
    name["mutability"] = "immutable".into();
    let mut value = attribute("value", "string", "The identifier of a person");
    value["required"] = true.into();
    value["mutability"] = "immutable".into();
    let display = read_only(attribute("display", "string", "What the person is called"));
    vec![name, several("members", "The people who work there", vec![value, display])]
}

fn attribute(name: &str, kind: &str, description: &str) -> Value {
    json!({
        "name": name, "type": kind, "multiValued": false, "description": description, "required": false,
        "caseExact": false, "mutability": "readWrite", "returned": "default", "uniqueness": "none",
    })
}

fn several(name: &str, description: &str, parts: Vec<Value>) -> Value {
    let mut of = attribute(name, "complex", description);
    of["multiValued"] = true.into();
    of["subAttributes"] = parts.into();
    of
}

fn read_only(mut attribute: Value) -> Value {
    attribute["mutability"] = "readOnly".into();
    attribute
}
