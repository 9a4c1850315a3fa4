//! The description of the JSON API (`OpenAPI` 3.1), put together from what the handlers say of themselves.
//!
//! Each crate contributes the routes of its own: `utoipa_axum` serves a handler at the path that its annotation names, so
//! that nothing is served undescribed. [`refusals!`](crate::refusals) names the refusals that an operation may give, by
//! their codes. [`ApiDescription`] merges the parts of both listeners, and [`ApiDescription::routes`] answers with it.

mod merging;
mod refused;
mod values;

pub use refused::{BODY, CALLER, Described, REQUEST, WRITING, responses};
pub use values::{
    ContactSchema, DeviceStateSchema, PlatformSchema, ProductLinkSchema, RoleSchema, ThumbprintSchema,
};

use crate::context::InstallationAddresses;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use merging::merge;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the description is, on the portal.
pub const OPENAPI: &str = "/api/v1/openapi.json";

const ABOUT: &str = "How programs get, renew and look after device certificates. What is not described here may change. \
    OAuth, ACME, EST and the lists of revoked certificates have standards of their own; docs/doors.md and docs/tokens.md \
    say where they are.";

/// Who is asked for a certificate where a part of the API is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ApiListener {
    Portal,
    Device,
}

/// What is known of the API so far.
pub struct ApiDescription {
    document: Value,
    portal: String,
    device: String,
}

impl ApiDescription {
    /// A description that says nothing yet but where the installation is.
    pub fn new(addresses: &InstallationAddresses) -> Self {
        let document = json!({
            "openapi": "3.1.0",
            "info": {"title": "Tegata", "version": "1", "description": ABOUT},
            "servers": [],
            "paths": {},
            "components": {"schemas": refused::schemas(), "securitySchemes": {
                "device": {"type": "mutualTLS", "description": "The certificate of a device or a gate"},
                "client": {"type": "mutualTLS", "description": "A certificate of a registered client (docs/tokens.md)"},
            }},
        });
        let mut description =
            Self { document, portal: addresses.portal.clone(), device: addresses.device.clone() };
        description.document["servers"] = json!([description.server(ApiListener::Portal)]);
        description.portal(own_routes().into_openapi())
    }

    /// With a part that the portal serves.
    #[must_use]
    pub fn portal(self, part: OpenApi) -> Self {
        self.with(part, ApiListener::Portal)
    }

    /// With a part that the device listener serves, where a certificate is asked for.
    #[must_use]
    pub fn device(self, part: OpenApi) -> Self {
        self.with(part, ApiListener::Device)
    }

    /// The whole document, of all crates.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Answers with the description. A route of the portal.
    pub fn routes(self) -> Router {
        let text = Bytes::from(self.document.to_string());
        own_routes().split_for_parts().0.with_state(text)
    }

    fn with(mut self, part: OpenApi, listener: ApiListener) -> Self {
        let security = match listener {
            ApiListener::Portal => json!([{}]),
            ApiListener::Device => json!([{"device": []}]),
        };
        let server = self.server(listener);
        // Nothing that utoipa builds can fail to be written.
        let part = serde_json::to_value(part).unwrap_or_default();
        merge(&mut self.document, part, &server, &security);
        self
    }

    fn server(&self, listener: ApiListener) -> Value {
        match listener {
            ApiListener::Portal => {
                json!({"url": self.portal, "description": "Portal: no certificate is asked for"})
            }
            ApiListener::Device => {
                json!({"url": self.device, "description": "Devices: TLS with the device's certificate"})
            }
        }
    }
}

fn own_routes() -> OpenApiRouter<Bytes> {
    OpenApiRouter::default().routes(routes!(describe))
}

crate::refusals! {
    /// Whatever is wrong with the description is ours.
    DescribeRefusals = REQUEST
}

/// The description that programs read.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "describe",
    responses((status = OK, description = "OpenAPI 3.1", body = Object), DescribeRefusals))]
async fn describe(State(text): State<Bytes>) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], text).into_response()
}

#[cfg(test)]
mod tests;
