//! Documents that anybody may fetch: metadata and key sets.

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

/// The document in JSON. It must have nothing that cannot be serialized, such as a map with other keys than strings.
pub fn written(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}

/// A cache may keep it for a minute: much shorter than the time between publishing a key and signing with it. Pages of any
/// origin may read it, without anything that makes their reader known.
pub fn public(document: Bytes, media_type: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "public, max-age=60"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, document).into_response()
}
