//! The operations of all listeners, as the program has them: nobody writes them down.

use crate::access::{AccessTable, filled};
use crate::sending::{BatchedRequest, Told, send_batch};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tegata_tests::RunningInstallation;

/// What a client can ask one listener for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Operation {
    pub(crate) listener: &'static str,
    pub(crate) method: String,
    /// The path that the router has, with parameters in braces.
    pub(crate) path: String,
    /// A body that fits its description, as JSON; nothing where it is not described.
    pub(crate) body: Option<String>,
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Operation {
    /// How failures and `routes.toml` name it.
    pub(crate) fn key(&self) -> String {
        format!("{} {} {}", self.listener, self.method, self.path)
    }

    /// Without the listener.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Every path of a source or of the description, at every listener that has it.
pub(crate) fn find_operations(installation: &RunningInstallation, table: &AccessTable) -> Vec<Operation> {
    let description = installation.at_portal("/api/v1/openapi.json").send().expect(200).json();
    let mut paths = described(&description);
    for path in in_sources(table) {
        paths.entry(path).or_insert_with(|| METHODS.map(|method| (method, None)).into());
    }
    let listeners = [
        ("portal", &installation.portal),
        ("device", &installation.device),
        ("public", &installation.public),
    ];
    let mut asked = Vec::new();
    for (listener, origin) in listeners {
        for (path, bodies) in &paths {
            for (method, body) in bodies {
                let url = format!("{origin}{}", filled(path).replace("{device}", "0"));
                let operation =
                    Operation { listener, method: (*method).into(), path: path.clone(), body: body.clone() };
                asked.push((operation, BatchedRequest::new(method, url)));
            }
        }
    }
    let answers = send_batch(installation, None, asked.iter().map(|(_, request)| request));
    // What is not there is told to everybody alike, and before anything else is looked at.
    let is_there = |answer: &Told| answer.status != 405 && answer.code != "R-03";
    let found = asked.into_iter().zip(answers).filter(|(_, answer)| is_there(answer));
    found.map(|((operation, _), _)| operation).collect()
}

/// For each method a body, where it takes one.
type Bodies = BTreeMap<&'static str, Option<String>>;

/// Paths of the description, with the methods that they have.
fn described(description: &Value) -> BTreeMap<String, Bodies> {
    let mut paths: BTreeMap<String, Bodies> = BTreeMap::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        let bodies = paths.entry(path.clone()).or_default();
        for method in METHODS {
            let operation = &item[method.to_lowercase()];
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !operation.is_null() {
                let body = (!schema.is_null()).then(|| example(schema, description, "").to_string());
                bodies.insert(method, body);
            }
        }
    }
    paths
}

/// A value that fits a schema; identifiers are those of the first tenant, to be filled in.
fn example(schema: &Value, description: &Value, name: &str) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return example(description.pointer(pointer).expect("a schema"), description, name);
    }
    if let Some(one) = ["oneOf", "anyOf", "allOf"].iter().find_map(|word| schema[*word].as_array()?.first()) {
        return example(one, description, name);
    }
    if let Some(properties) = schema["properties"].as_object() {
        let required: BTreeSet<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted = properties.iter().filter(|(name, _)| required.contains(name.as_str()));
        return wanted.map(|(name, schema)| (name.clone(), example(schema, description, name))).collect();
    }
    if let Some(one) = schema["enum"].as_array().and_then(|all| all.first()) {
        return one.clone();
    }
    match (schema["type"].as_str(), name) {
        (Some("integer" | "number"), _) => Value::from(0),
        (Some("boolean"), _) => Value::from(false),
        (Some("array"), _) => Value::Array(Vec::new()),
        (_, "device" | "list" | "invitation" | "site" | "csr" | "thumbprint") => {
            Value::from(format!("{{{name}}}"))
        }
        _ => Value::from("nothing"),
    }
}

/// Paths in the sources of the routers.
fn in_sources(table: &AccessTable) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut found = BTreeSet::new();
    let crates = ["console", "enroll", "identity", "oauth", "signals", "tegata", "web"];
    let files: Vec<_> = crates.iter().flat_map(|krate| sources(&root.join(krate).join("src"))).collect();
    let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
    for (file, text) in &files {
        let name = file.strip_prefix(&root).expect("below crates/").display().to_string();
        assert!(
            !text.contains(".nest(") && !text.contains(".route_service(") && !text.contains(".nest_service("),
            "{name} adds routes in a way that tests/walls does not read: teach operations.rs"
        );
        // A constant of the same crate goes before one of this name elsewhere.
        let krate = name.split('/').next().unwrap_or_default();
        let is_near = |file: &Path| file.starts_with(root.join(krate));
        let near: String =
            files.iter().filter(|(file, _)| is_near(file)).map(|(_, text)| text.as_str()).collect();
        let texts = near + &all;
        for argument in arguments(text) {
            match (table.computed(&format!("{name} {argument}")), written(&argument, &texts)) {
                (Some(paths), _) => found.extend(paths),
                (None, Some(path)) => {
                    found.insert(path);
                }
                (None, None) => panic!(
                    "which path is {argument} in {name}? Say so under [computed] in tests/walls/routes.toml"
                ),
            }
        }
    }
    found
}

/// The path that an argument is, if it can be read: a text, a constant, or a format of these.
fn written(argument: &str, sources: &str) -> Option<String> {
    if let Some(text) = quoted(argument) {
        return Some(text.to_owned());
    }
    if let Some(inner) = argument.strip_prefix("&format!(").and_then(|rest| rest.strip_suffix(')')) {
        let mut parts = inner.split(", ");
        let mut text = quoted(parts.next()?)?.replace("{{", "\u{1}").replace("}}", "\u{2}");
        for part in parts {
            text = text.replacen("{}", &constant(part, sources)?, 1);
        }
        while let Some((before, rest)) = text.clone().split_once('{') {
            let (name, after) = rest.split_once('}')?;
            text = format!("{before}{}{after}", constant(name, sources)?);
        }
        return Some(text.replace('\u{1}', "{").replace('\u{2}', "}"));
    }
    constant(argument, sources)
}

fn quoted(text: &str) -> Option<&str> {
    let text = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('"')).then_some(text)
}

fn constant(name: &str, sources: &str) -> Option<String> {
    let name = name.rsplit("::").next()?.trim();
    let is_constant = name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let (_, rest) = sources.split_once(&format!("const {name}: &str = \""))?;
    is_constant.then(|| rest.split('"').next().unwrap_or_default().to_owned())
}

/// The first arguments of all `.route(…)`.
fn arguments(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let first = |rest: &str| {
        let (mut depth, mut in_text) = (0, false);
        let end = rest.find(|letter: char| {
            in_text ^= letter == '"';
            if !in_text {
                depth += match letter {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
            }
            letter == ',' && depth == 0 && !in_text
        });
        rest[..end.unwrap_or(rest.len())].trim().to_owned()
    };
    code.split(".route(").skip(1).map(first).collect()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push((path, text));
            }
        }
    }
    found
}
