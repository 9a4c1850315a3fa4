//! Filters (RFC 7644 section 3.4.2.2), as far as directories use them: attributes that equal values, joined by `and`.
//!
//! Anything else is refused with `invalidFilter`, so that nobody takes a list for the answer to a question that was not read.

use super::error::{ScimError, ScimResult};
use serde_json::Value;

/// The longest filter, in octets.
const LONGEST: usize = 1024;

/// Comparisons that are joined, at most.
const MOST: usize = 4;

/// An attribute that has to equal a value.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Comparison {
    /// Its name in lower case, without the name of its schema.
    pub(super) attribute: String,
    /// The value that it has to equal.
    pub(super) value: Value,
}

impl Comparison {
    /// The value as a text: directories write `True` for `true`, too.
    pub(super) fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// All of which have to hold.
pub(super) fn parse(text: &str) -> ScimResult<Vec<Comparison>> {
    if text.len() > LONGEST {
        return Err(ScimError::filter("the filter has more than 1,024 octets"));
    }
    let mut comparisons = Vec::new();
    let mut rest = text.trim();
    loop {
        let (comparison, after) = comparison(rest)?;
        comparisons.push(comparison);
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(comparisons);
        }
        let (word, after) = word(rest);
        if !word.eq_ignore_ascii_case("and") || comparisons.len() == MOST {
            return Err(ScimError::filter("comparisons are joined by \"and\", four at most"));
        }
        rest = after.trim_start();
    }
}

/// `attribute eq value`, and what stands behind it.
fn comparison(text: &str) -> ScimResult<(Comparison, &str)> {
    let (attribute, rest) = word(text);
    let (operator, rest) = word(rest.trim_start());
    if !is_attribute(attribute) {
        return Err(ScimError::filter("it begins with no attribute"));
    }
    if !operator.eq_ignore_ascii_case("eq") {
        return Err(ScimError::filter("\"eq\" is the only operator that is taken"));
    }
    let (value, rest) = value(rest.trim_start())?;
    Ok((Comparison { attribute: plain_name(attribute), value }, rest))
}

/// A value of JSON: a text in quotes, or a word.
fn value(text: &str) -> ScimResult<(Value, &str)> {
    let end = if text.starts_with('"') { end_of_text(text) } else { text.find(' ').or(Some(text.len())) };
    let (value, rest) = text.split_at(end.ok_or_else(|| ScimError::filter("a text has no end"))?);
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(ScimError::filter("something stands behind a text"));
    }
    let read = match value {
        "True" => Ok(Value::Bool(true)),
        "False" => Ok(Value::Bool(false)),
        value => serde_json::from_str(value),
    };
    match read {
        Ok(value @ (Value::String(_) | Value::Bool(_) | Value::Number(_))) => Ok((value, rest)),
        _ => Err(ScimError::filter("what is compared with is no value of JSON")),
    }
}

/// Behind the closing quote.
fn end_of_text(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(' ').unwrap_or(text.len()))
}

fn is_attribute(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_.:".contains(&byte))
}

/// The name without its schema, in lower case.
fn plain_name(name: &str) -> String {
    let name =
        if name.to_lowercase().starts_with("urn:") { name.rsplit(':').next().unwrap_or(name) } else { name };
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn pairs(text: &str) -> Vec<(String, Value)> {
        let parsed = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        parsed.into_iter().map(|comparison| (comparison.attribute, comparison.value)).collect()
    }

    #[test]
    fn what_directories_ask_for_is_read() {
        for (text, expected) in [
            (r#"userName eq "sato@example.jp""#, json!([["username", "sato@example.jp"]])),
            (r#"externalId EQ "00u1\"x\\""#, json!([["externalid", "00u1\"x\\"]])),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a b""#, json!([["username", "a b"]])),
            ("active eq True", json!([["active", true]])),
            (
                r#"displayName eq "本店" and active eq false"#,
                json!([["displayname", "本店"], ["active", false]]),
            ),
            (r#"id eq "1" AND members eq "2""#, json!([["id", "1"], ["members", "2"]])),
            (r#"userName eq "a and b""#, json!([["username", "a and b"]])),
        ] {
            assert_eq!(json!(pairs(text)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_taken_is_refused_and_answers_nothing() {
        for text in [
            "",
            "userName",
            "userName eq",
            "userName co \"a\"",
            "userName pr",
            "not (userName eq \"a\")",
            "userName eq \"a",
            "userName eq \"a\"b",
            "userName eq sato",
            "userName eq null",
            "userName eq [1]",
            "userName eq \"a\" or active eq true",
            "userName eq \"a\" and",
            "1a eq \"a\"",
            "(userName eq \"a\")",
            &format!("userName eq \"{}\"", "x".repeat(1100)),
            "a eq 1 and a eq 1 and a eq 1 and a eq 1 and a eq 1",
        ] {
            let refused = parse(text).expect_err(text);
            assert_eq!(refused.scim_type(), Some("invalidFilter"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-zA-Z \"\\\\():=.あ0-9]{0,60}", value in ".{0,20}") {
            let _ = parse(&text);
            let asked = format!("userName eq {}", json!(value));
            prop_assert_eq!(pairs(&asked), vec![("username".to_owned(), json!(value))]);
        }
    }
}
