//! Answers: a resource with its version, a list of them, or nothing.

use super::error::{MEDIA_TYPE, ScimError, ScimResult};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};
use tegata_core::encoding::hex;
use tegata_core::{Refusal, Timestamp};

/// A resource as it is shown.
pub(super) struct Resource {
    value: Value,
    version: String,
    location: String,
}

/// What of a resource is asked for (RFC 7644 section 3.9): names in lower case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Projection {
    only: Vec<String>,
    without: Vec<String>,
}

/// When a resource came to be, and was changed, where that is known.
pub(super) type Lifetime = Option<(Timestamp, Timestamp)>;

impl Resource {
    /// With `meta`, whose version is what the rest of it says.
    pub(super) fn new(kind: &'static str, location: String, lifetime: Lifetime, mut value: Value) -> Self {
        let hash = hex(digest(&SHA256, value.to_string().as_bytes()).as_ref());
        let version = format!("W/\"{}\"", &hash[..16]);
        let mut meta = json!({"resourceType": kind, "location": location, "version": version});
        if let Some((created, modified)) = lifetime {
            meta["created"] = json!(created);
            meta["lastModified"] = json!(modified);
        }
        value["meta"] = meta;
        Self { value, version, location }
    }

    /// Whether the caller has read it as it is now, where it says what it has read.
    ///
    /// # Errors
    /// [`Refusal::ScimVersionOutdated`].
    pub(super) fn check(&self, headers: &HeaderMap) -> ScimResult<()> {
        match headers.get(IF_MATCH) {
            Some(wanted) if !self.is_among(wanted) => Err(Refusal::ScimVersionOutdated.into()),
            _ => Ok(()),
        }
    }

    /// To whoever reads it.
    pub(super) fn shown(self, headers: &HeaderMap, projection: &Projection) -> Response {
        if headers.get(IF_NONE_MATCH).is_some_and(|known| self.is_among(known)) {
            return with_tag(StatusCode::NOT_MODIFIED.into_response(), &self.version);
        }
        self.answer(StatusCode::OK, projection)
    }

    /// To whoever has changed it.
    pub(super) fn changed(self, projection: &Projection) -> Response {
        self.answer(StatusCode::OK, projection)
    }

    /// To whoever has made it.
    pub(super) fn made(self, projection: &Projection) -> Response {
        let location = HeaderValue::from_str(&self.location).ok();
        let mut response = self.answer(StatusCode::CREATED, projection);
        response.headers_mut().extend(location.map(|location| (LOCATION, location)));
        response
    }

    pub(super) fn projected(self, projection: &Projection) -> Value {
        projection.of(self.value)
    }

    fn answer(self, status: StatusCode, projection: &Projection) -> Response {
        let version = self.version.clone();
        with_tag(json_answer(status, &self.projected(projection)), &version)
    }

    /// Tags are compared weakly: they say what a resource says (RFC 9110 section 8.8.3.2).
    fn is_among(&self, tags: &HeaderValue) -> bool {
        let own = self.version.trim_start_matches("W/");
        let tags = tags.to_str().unwrap_or_default();
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
    }
}

impl Projection {
    pub(super) fn new(attributes: Option<&str>, excluded: Option<&str>) -> Self {
        let names = |text: Option<&str>| {
            let names = text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
            names.map(top_level).collect::<Vec<_>>()
        };
        Self { only: names(attributes), without: names(excluded) }
    }

    /// Whether an attribute is worth reading.
    pub(super) fn has(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        (self.only.is_empty() || self.only.contains(&name)) && !self.without.contains(&name)
    }

    /// `id` and `schemas` are always there, and `meta` unless it is not wanted.
    fn of(&self, value: Value) -> Value {
        let Value::Object(object) = value else { return value };
        let is_kept = |name: &str| ["id", "schemas"].contains(&name) || self.has(name);
        let kept = object.into_iter().filter(|(name, _)| is_kept(name));
        Value::Object(kept.collect::<Map<_, _>>())
    }
}

/// `urn:…:User:name.givenName` is asked for as `name`: parts of attributes are shown together.
fn top_level(name: &str) -> String {
    let name = if name.starts_with("urn:") { name.rsplit(':').next().unwrap_or(name) } else { name };
    name.split('.').next().unwrap_or(name).to_lowercase()
}

/// Some of the resources that were looked for (RFC 7644 section 3.4.2).
pub(super) fn list_answer(total: u64, start: u32, resources: &[Value]) -> Response {
    let answer = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources,
    });
    json_answer(StatusCode::OK, &answer)
}

pub(super) fn json_answer(status: StatusCode, value: &Value) -> Response {
    let headers = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
    (status, headers, value.to_string()).into_response()
}

fn with_tag(mut response: Response, version: &str) -> Response {
    response.headers_mut().extend(HeaderValue::from_str(version).ok().map(|tag| (ETAG, tag)));
    response
}

/// What is not there, or not this directory's to see.
pub(super) fn not_there() -> ScimError {
    Refusal::PersonUnknown.into()
}
