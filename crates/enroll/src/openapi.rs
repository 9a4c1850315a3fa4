//! What programs may rely on, as `OpenAPI` 3.1 has it: `openapi.json`, with this installation's addresses.

use crate::enrollment_service::EnrollmentService;
use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

const DESCRIPTION: &str = include_str!("../openapi.json");

pub(crate) fn routes(service: &EnrollmentService) -> Router {
    let addresses = &service.context.addresses;
    let text = DESCRIPTION
        .replace("https://portal.example", &addresses.portal)
        .replace("https://device.example", &addresses.device);
    let text = Bytes::from(text);
    let answer = move || {
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
        std::future::ready((headers, text.clone()))
    };
    Router::new().route("/api/v1/openapi.json", get(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_route_of_the_api_is_described_and_nothing_else_is() {
        let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
        let described: BTreeSet<_> = description["paths"].as_object().unwrap().keys().cloned().collect();
        let mut routed = BTreeSet::new();
        collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut routed);
        assert_eq!(described, routed);
    }

    /// A router does not tell its routes; their sources do.
    fn collect(folder: &Path, routed: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), routed);
                continue;
            }
            let source = std::fs::read_to_string(entry.path()).unwrap();
            let routes = source.split("route(\"/api/v1/").skip(1).filter_map(|rest| rest.split('"').next());
            routed.extend(routes.map(|rest| format!("/api/v1/{rest}")));
        }
    }
}
