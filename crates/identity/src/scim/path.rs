//! Paths of PATCH (RFC 7644 section 3.5.2): `active`, `name.formatted`, `members[value eq "…"]`, each with or without the name of
//! its schema.

use super::error::{ScimError, ScimResult};
use super::filter::{self, Comparison};

/// The longest path, in octets.
const LONGEST: usize = 1024;

/// Schemas whose attributes are ours.
const CORE: [&str; 2] =
    ["urn:ietf:params:scim:schemas:core:2.0:user:", "urn:ietf:params:scim:schemas:core:2.0:group:"];

/// Where something is changed.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct AttributePath {
    /// The attribute, in lower case; nothing where it is of a schema that is not ours, and so is passed over.
    pub(super) attribute: Option<String>,
    /// Which of its values.
    pub(super) filter: Option<Comparison>,
}

impl AttributePath {
    pub(super) fn parse(text: &str) -> ScimResult<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST {
            return Err(ScimError::path("the path is empty, or has more than 1,024 octets"));
        }
        let lower = text.to_ascii_lowercase();
        let is_foreign = lower.starts_with("urn:") && !CORE.iter().any(|schema| lower.starts_with(schema));
        if is_foreign {
            return Ok(Self { attribute: None, filter: None });
        }
        let core = CORE.iter().find(|schema| lower.starts_with(*schema)).map_or(0, |schema| schema.len());
        let own = &text[core..];
        let (name, rest) = own.split_at(own.find(['[', '.']).unwrap_or(own.len()));
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_".contains(&byte));
        if !is_name {
            return Err(ScimError::path("a path begins with the name of an attribute"));
        }
        let filter = match rest.strip_prefix('[') {
            Some(rest) => Some(selected(rest)?),
            None => None,
        };
        Ok(Self { attribute: Some(name.to_ascii_lowercase()), filter })
    }
}

/// The one comparison in brackets. What of the value is meant stands behind them, and is its `value` for all that is ours.
fn selected(rest: &str) -> ScimResult<Comparison> {
    let end = rest.rfind(']').ok_or_else(|| ScimError::path("a bracket is not closed"))?;
    let behind = &rest[end + 1..];
    if !behind.is_empty() && !behind.starts_with('.') {
        return Err(ScimError::path("something stands behind a bracket"));
    }
    let comparisons = filter::parse(&rest[..end])?;
    let [one] = <[Comparison; 1]>::try_from(comparisons)
        .map_err(|_| ScimError::path("one comparison stands in brackets"))?;
    Ok(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths_of_directories_lead_to_attributes() {
        let of = |text| AttributePath::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        for (text, attribute) in [
            ("active", Some("active")),
            ("displayName", Some("displayname")),
            ("name.givenName", Some("name")),
            ("urn:ietf:params:scim:schemas:core:2.0:User:externalId", Some("externalid")),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", None),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", None),
        ] {
            assert_eq!(of(text).attribute.as_deref(), attribute, "{text}");
        }
        let selected = of("members[value eq \"2819\"]").filter.unwrap();
        assert_eq!((&*selected.attribute, selected.value), ("value", json!("2819")));
        let primary = of("roles[primary eq \"True\"].value").filter.unwrap();
        assert_eq!((&*primary.attribute, primary.text()), ("primary", "True".to_owned()));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        for text in [
            "",
            " ",
            "1",
            "[value eq 1]",
            "members[value eq \"1\"",
            "members[value eq \"1\"]x",
            "a b",
            "名前",
        ] {
            assert!(AttributePath::parse(text).is_err(), "{text}");
        }
        let long = format!("members[value eq \"{}\"]", "x".repeat(2000));
        assert!(AttributePath::parse(&long).is_err());
    }

    proptest! {
        #[test]
        fn any_path_is_read_or_refused(text in "(urn:ietf:params:scim:schemas:core:2.0:User:)?[a-zA-Z\\[\\].\" あ:=]{0,40}") {
            let _ = AttributePath::parse(&text);
        }
    }
}
