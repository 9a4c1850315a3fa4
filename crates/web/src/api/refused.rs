//! The refusals of an operation: by status, with the codes that may come and an example of each.

use crate::problem::ProblemJson;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tegata_core::{Language, Refusal};
use utoipa::openapi::schema::{AdditionalProperties, AllOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What any request may be answered.
pub const REQUEST: &[Refusal] = &[
    Refusal::RequestMalformed,
    Refusal::Misdirected,
    Refusal::NotImplemented,
    Refusal::Internal,
    Refusal::Unavailable,
];

/// What a request with a body may be answered.
pub const BODY: &[Refusal] = &[Refusal::MediaType, Refusal::RequestTooLarge];

/// What whoever has to show a certificate may be answered.
pub const CALLER: &[Refusal] = &[
    Refusal::NoCertificate,
    Refusal::ForeignCertificate,
    Refusal::UnknownCertificate,
    Refusal::CertificateExpired,
    Refusal::CertificateNotYetValid,
    Refusal::CertificateRevoked,
    Refusal::DeviceSuspended,
    Refusal::CertificateRetired,
    Refusal::TenantSuspended,
    Refusal::ForeignOrigin,
    Refusal::ProxyNotTrusted,
    Refusal::CertificateHeader,
];

/// What whoever has something written down may be answered: it is done later, or nobody knows.
pub const WRITING: &[Refusal] = &[Refusal::Accepted, Refusal::InDoubt];

/// The responses that refuse, by status.
pub type Described = BTreeMap<String, RefOr<Response>>;

/// Names a type that `utoipa::path` takes among the responses of an operation: the refusals of all these groups.
#[macro_export]
macro_rules! refusals {
    ($(#[$about:meta])* $name:ident = $($group:expr),+ $(,)?) => {
        $(#[$about])*
        struct $name;

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> $crate::api::Described {
                $crate::api::responses(&[$($group),+])
            }
        }
    };
}

/// The responses that tell these refusals.
pub fn responses(groups: &[&[Refusal]]) -> Described {
    let mut by_status: BTreeMap<u16, Vec<Refusal>> = BTreeMap::new();
    for refusal in groups.iter().copied().flatten() {
        let known = by_status.entry(refusal.status()).or_default();
        if !known.contains(refusal) {
            known.push(*refusal);
        }
    }
    by_status.into_iter().map(|(status, refusals)| (status.to_string(), response(&refusals).into())).collect()
}

fn response(refusals: &[Refusal]) -> Response {
    let text = |refusal: &Refusal| format!("{}: {}", refusal.code(), refusal.title(Language::En));
    let description = refusals.iter().map(text).collect::<Vec<_>>().join("\n\n");
    let codes = refusals.iter().map(|refusal| refusal.code());
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    // What says its kind says no less than `Problem`, so further members are not forbidden.
    let narrowed = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Object))
        .property("code", code)
        .required("code")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)));
    let schema =
        AllOfBuilder::new().item(Ref::from_schema_name(&*ProblemJson::name())).item(narrowed).build();
    let examples = refusals.iter().map(|refusal| (refusal.code(), example(*refusal)));
    let content =
        ContentBuilder::new().schema(Some(Schema::AllOf(schema))).examples_from_iter(examples).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}

fn example(refusal: Refusal) -> utoipa::openapi::example::Example {
    let language = Language::En;
    utoipa::openapi::example::ExampleBuilder::new()
        .summary(refusal.title(language))
        .value(Some(json!({
            "type": "about:blank",
            "title": refusal.title(language),
            "status": refusal.status(),
            "code": refusal.code(),
            "detail": refusal.advice(language),
            "lang": language.tag(),
            "request_id": "6f1e0a52c3b94d7e",
        })))
        .build()
}

/// The schemas that refusals refer to.
pub(super) fn schemas() -> Value {
    let mut named = vec![(ProblemJson::name().into_owned(), ProblemJson::schema())];
    ProblemJson::schemas(&mut named);
    named.into_iter().map(|(name, schema)| (name, json!(schema))).collect::<serde_json::Map<_, _>>().into()
}
