//! `application/x-www-form-urlencoded`, read strictly.

use crate::error::OAuthError;
use tegata_core::Refusal;
use tegata_core::encoding::percent_encoded;

/// Parameters that RFC 8707 section 2 lets a client repeat; all others come once (RFC 6749 section 3.2).
const REPEATABLE: &str = "resource";

/// What a body's text is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Charset {
    Utf8,
    /// In which ASCII is what it is everywhere, and nothing else is known.
    Other,
}

/// The parameters of a request. One without a value counts as absent (RFC 6749 sections 3.1 and 3.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FormParameters(Vec<(String, String)>);

impl FormParameters {
    /// Of a body in this charset.
    pub(crate) fn parse(body: &[u8], charset: Charset) -> Result<Self, OAuthError> {
        let malformed = || OAuthError::invalid_request("The body is not a form in UTF-8");
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let value = pair.get(equals + 1..).unwrap_or_default();
            let name = decode(&pair[..equals]).ok_or_else(malformed)?;
            let value = decode(value).ok_or_else(malformed)?;
            if charset == Charset::Other && !(name.is_ascii() && value.is_ascii()) {
                return Err(malformed());
            }
            if value.is_empty() {
                continue;
            }
            if name != REPEATABLE && pairs.iter().any(|(known, _)| *known == name) {
                return Err(OAuthError::invalid_request("A parameter is sent twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Of parameters that came in another way.
    pub(crate) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let given = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        Self(given.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Writes them into a query.
    pub(crate) fn as_query(&self) -> String {
        let pair = |(name, value): &(String, String)| {
            format!("{}={}", percent_encoded(name), percent_encoded(value))
        };
        self.0.iter().map(pair).collect::<Vec<_>>().join("&")
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The value of a parameter that must be there.
    pub(crate) fn require(&self, name: &str, otherwise: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| OAuthError::invalid_request(otherwise))
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The media type of what is taken here.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The charset of a content type, which must be the one of forms. Forms have no such parameter, and clients send it all
/// the same.
pub(crate) fn check_media_type(value: Option<&str>) -> Result<Charset, OAuthError> {
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case(FORM)) {
        return Err(
            OAuthError::invalid_request("Send application/x-www-form-urlencoded").because(Refusal::MediaType)
        );
    }
    let charset = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    };
    let is_utf8 = parts.filter_map(charset).all(|charset| matches!(charset.as_str(), "utf-8" | "utf8"));
    Ok(if is_utf8 { Charset::Utf8 } else { Charset::Other })
}

fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hexadecimal(*rest.next()?)? << 4 | hexadecimal(*rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(text: &str) -> String {
        let escapes: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        escapes.concat()
    }

    proptest! {
        #[test]
        fn whatever_a_client_encodes_is_read_back(pairs in proptest::collection::btree_map(".+", ".+", 0..6)) {
            let body = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
            let form = FormParameters::parse(body.collect::<Vec<_>>().join("&").as_bytes(), Charset::Utf8).unwrap();
            for (name, value) in &pairs {
                prop_assert_eq!(form.get(name), Some(value.as_str()));
            }
            prop_assert_eq!(FormParameters::parse(form.as_query().as_bytes(), Charset::Utf8).unwrap(), form);
        }

        #[test]
        fn no_body_makes_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = FormParameters::parse(&body, Charset::Utf8);
        }
    }

    fn parse(body: &[u8]) -> Result<FormParameters, OAuthError> {
        FormParameters::parse(body, Charset::Utf8)
    }

    #[test]
    fn a_parameter_sent_twice_is_refused() {
        for body in ["a=1&a=1", "a=1&b=&a=2", "%61=1&a=2"] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().error(), "invalid_request", "{body}");
        }
        let form = parse(b"resource=a&resource=b").unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_absent_even_beside_one_with() {
        let form = parse(b"scope=&client_secret&x=a+b%3d&").unwrap();
        assert_eq!((form.get("scope"), form.get("client_secret"), form.get("x")), (None, None, Some("a b=")));
        for body in ["a=1&a=", "a=&a=1", "a&a=1", "a=&a&a=1&a="] {
            assert_eq!(parse(body.as_bytes()).unwrap().get("a"), Some("1"), "{body}");
        }
    }

    #[test]
    fn half_an_escape_or_octets_that_are_no_text_are_refused() {
        for body in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%+1", b"a=\xff", b"%c3=1", b"a=%82%a0"] {
            assert!(parse(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn any_charset_will_do_as_long_as_all_is_ascii() {
        let media = |parameter: &str| check_media_type(Some(&format!("{FORM}{parameter}")));
        for utf8 in ["", ";charset=UTF-8", "; charset=\"utf-8\"", ";charset=utf8", "; version=1"] {
            assert_eq!(media(utf8).unwrap(), Charset::Utf8, "{utf8}");
        }
        for other in ["; charset=Shift_JIS", ";charset=ISO-8859-1", ";Charset=us-ascii", ";charset=x"] {
            assert_eq!(media(other).unwrap(), Charset::Other, "{other}");
        }
        let form =
            FormParameters::parse(b"grant_type=client_credentials&scope=a%20b", Charset::Other).unwrap();
        assert_eq!(form.get("scope"), Some("a b"));
        assert!(
            FormParameters::parse("a=%E3%81%82".as_bytes(), Charset::Other).is_err(),
            "what is it in Shift_JIS?"
        );
        assert_eq!(parse("a=%E3%81%82".as_bytes()).unwrap().get("a"), Some("あ"));
        for wrong in [None, Some("application/json"), Some("multipart/form-data")] {
            assert!(check_media_type(wrong).is_err(), "{wrong:?}");
        }
    }
}
