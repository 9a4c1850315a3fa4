//! One document of many parts. What two listeners serve at one path is one operation, which takes the bodies of both.

use serde_json::{Map, Value, json};

/// Adds a part. Its operations are served at `server`, to whom `security` says unless they say it themselves.
pub(super) fn merge(document: &mut Value, mut part: Value, server: &Value, security: &Value) {
    if let Some(schemas) = members(&mut part["components"]["schemas"]) {
        let known = &mut document["components"]["schemas"];
        for (name, schema) in schemas {
            known[name] = schema;
        }
    }
    for (path, item) in members(&mut part["paths"]).into_iter().flatten() {
        let known = &mut document["paths"][&path];
        add_once(&mut known["servers"], server);
        for (method, mut operation) in item.as_object().cloned().into_iter().flatten() {
            operation["servers"] = json!([server]);
            if operation["security"].is_null() {
                operation["security"] = security.clone();
            }
            if let Some(tags) = operation.as_object_mut() {
                tags.remove("tags");
            }
            known[&method] = match known[&method].take() {
                Value::Null => operation,
                other => both(other, operation),
            };
        }
    }
}

/// One operation of two that are served at different listeners.
fn both(mut one: Value, mut other: Value) -> Value {
    for list in ["servers", "security"] {
        for entry in other[list].as_array().into_iter().flatten() {
            add_once(&mut one[list], entry);
        }
    }
    let more = other["description"].as_str().or(other["summary"].as_str()).unwrap_or_default();
    one["description"] =
        format!("{}\n\n{more}", one["description"].as_str().unwrap_or_default()).trim().into();
    let body = (one["requestBody"].take(), other["requestBody"].take());
    if let Some(body) = either(body, content) {
        one["requestBody"] = body;
    }
    for (status, response) in members(&mut other["responses"]).into_iter().flatten() {
        let known = &mut one["responses"][&status];
        *known = either((known.take(), response), content).unwrap_or_default();
    }
    one
}

/// Of two things that may be missing, the one there is, or what `join` makes of both.
fn either((one, other): (Value, Value), join: fn(Value, Value) -> Value) -> Option<Value> {
    match (one, other) {
        (Value::Null, Value::Null) => None,
        (Value::Null, only) | (only, Value::Null) => Some(only),
        (one, other) if one == other => Some(one),
        (one, other) => Some(join(one, other)),
    }
}

/// A body that has one form or another.
fn content(mut one: Value, mut other: Value) -> Value {
    if one["description"] != other["description"] {
        let description = |value: &Value| value["description"].as_str().unwrap_or_default().to_owned();
        one["description"] = format!("{}\n\n{}", description(&one), description(&other)).trim().into();
    }
    for (media, form) in members(&mut other["content"]).into_iter().flatten() {
        let known = &mut one["content"][&media];
        if known.is_null() {
            *known = form;
            continue;
        }
        if known["schema"] != form["schema"] {
            known["schema"] = json!({"anyOf": [known["schema"].take(), form["schema"]]});
        }
        for (name, example) in form["examples"].as_object().into_iter().flatten() {
            known["examples"][name] = example.clone();
        }
    }
    one
}

fn members(value: &mut Value) -> Option<Map<String, Value>> {
    match value.take() {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn add_once(list: &mut Value, entry: &Value) {
    let known = list.as_array().is_some_and(|known| known.contains(entry));
    match list {
        Value::Array(known_entries) if !known => known_entries.push(entry.clone()),
        Value::Array(_) => {}
        other => *other = json!([entry]),
    }
}
