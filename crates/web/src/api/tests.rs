use super::*;
use crate::probe::ProbeHosts;

crate::refusals! {
    DeliveryRefusals = REQUEST, BODY, WRITING
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
struct WithCode {
    code: String,
}

#[derive(utoipa::ToSchema)]
#[allow(dead_code)]
struct WithoutCode {
    thumbprint: String,
}

#[utoipa::path(post, path = "/api/v1/deliveries", operation_id = "deliver", request_body = WithCode,
    responses((status = NO_CONTENT), DeliveryRefusals))]
async fn at_the_portal() {}

#[utoipa::path(post, path = "/api/v1/deliveries", operation_id = "deliver", request_body = WithoutCode,
    responses((status = NO_CONTENT), DeliveryRefusals))]
async fn at_the_device_listener() {}

fn description() -> Value {
    let addresses = InstallationAddresses {
        portal: "https://portal.example".into(),
        device: "https://device.example".into(),
        public: "http://public.example".into(),
        probes: ProbeHosts::new("probe.example", 443),
    };
    let portal = OpenApiRouter::<()>::new().routes(routes!(at_the_portal)).into_openapi();
    let device = OpenApiRouter::<()>::new().routes(routes!(at_the_device_listener)).into_openapi();
    ApiDescription::new(&addresses).portal(portal).device(device).document().clone()
}

#[test]
fn what_both_listeners_serve_is_one_operation_that_takes_either_body() {
    let operation = &description()["paths"]["/api/v1/deliveries"]["post"];
    assert_eq!(operation["servers"].as_array().unwrap().len(), 2);
    assert_eq!(operation["security"], json!([{}, {"device": []}]));
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["anyOf"].as_array().unwrap().len(), 2, "{schema}");
}

#[test]
fn whoever_reads_the_description_knows_every_code_and_sees_one_of_each() {
    let description = description();
    let refused = &description["paths"]["/api/v1/deliveries"]["post"]["responses"]["503"];
    let content = &refused["content"]["application/problem+json"];
    assert_eq!(content["schema"]["allOf"][1]["properties"]["code"]["enum"], json!(["S-01", "S-04", "S-05"]));
    assert_eq!(content["examples"]["S-04"]["value"]["code"], "S-04");
    let problem = &description["components"]["schemas"]["Problem"]["properties"];
    for member in ["type", "title", "status", "code", "detail", "lang", "request_id", "contact"] {
        assert!(problem[member].is_object(), "{member}: {problem}");
    }
}
