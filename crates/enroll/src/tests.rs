//! What a program may rely on that knows the description of the API alone.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use tegata_web::api::ApiDescription;
use tegata_web::context::InstallationAddresses;
use tegata_web::probe::ProbeHosts;

fn description() -> Value {
    let addresses = InstallationAddresses {
        portal: "https://portal.example".into(),
        device: "https://device.example".into(),
        public: "http://public.example".into(),
        probes: ProbeHosts::new("probe.example", 443),
    };
    crate::describe(ApiDescription::new(&addresses)).document().clone()
}

/// Method and path of every operation, as the annotations of the handlers name them.
fn annotated(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            annotated(&entry.path(), found);
            continue;
        }
        let source = std::fs::read_to_string(entry.path()).unwrap();
        for annotation in source.split(concat!("#[utoipa", "::path(")).skip(1) {
            let (method, rest) = annotation.split_once(',').unwrap();
            let path = rest.split('"').nth(1).unwrap();
            found.insert(format!("{} {path}", method.trim()));
        }
        assert!(
            !source.contains(concat!(".route(", "\"/api/")),
            "{} serves what is not described",
            entry.path().display()
        );
    }
}

fn operations(description: &Value) -> BTreeSet<String> {
    let paths = description["paths"].as_object().unwrap();
    let named = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys().filter(|member| *member != "servers");
        methods.map(|method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    paths.iter().flat_map(named).collect()
}

#[test]
fn whatever_the_api_serves_is_described_and_nothing_else() {
    let mut annotated_operations = BTreeSet::new();
    annotated(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut annotated_operations);
    annotated_operations.insert("get /api/v1/openapi.json".into());
    assert_eq!(operations(&description()), annotated_operations);
}

#[test]
fn every_operation_has_a_name_and_an_example_of_each_refusal() {
    let description = description();
    let mut names = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "servers") {
            let about = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{about}");
            assert!(operation["summary"].is_string(), "{about}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let refused = status.starts_with(['4', '5']);
                let problem = &response["content"]["application/problem+json"];
                assert!(response["description"].is_string(), "{about} {status}");
                assert_eq!(problem["examples"].is_object(), refused, "{about} {status}");
            }
        }
    }
}

#[test]
fn whatever_the_description_refers_to_is_in_it() {
    let description = description();
    let text = description.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(description["components"]["schemas"][name].is_object(), "{name}");
    }
}
