//! The language of the reader of a request.

use axum::extract::FromRequestParts;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use http::{HeaderMap, Uri};
use std::convert::Infallible;
use tegata_core::Language;

/// `?lang=` when it names a supported language, else the best of `Accept-Language`, else Japanese.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReaderLanguage(pub Language);

impl ReaderLanguage {
    /// Of a request with this URI and these headers.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let accepted = || headers.get(ACCEPT_LANGUAGE)?.to_str().ok().and_then(best);
        Self(named(uri).or_else(accepted).unwrap_or_default())
    }
}

impl<S: Sync> FromRequestParts<S> for ReaderLanguage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri, &parts.headers))
    }
}

fn named(uri: &Uri) -> Option<Language> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == "lang").and_then(|(_, value)| Language::parse(value))
}

/// The first language of the greatest weight (RFC 9110 section 12.5.4) among the supported ones.
fn best(header: &str) -> Option<Language> {
    let ranges = header.split(',').filter_map(weighed);
    let spoken = ranges.filter_map(|(tag, weight)| Some((Language::parse(tag)?, weight)));
    let best = spoken.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(language, _)| language)
}

/// A member of a list with weights, unless its weight is zero or unreadable.
pub(crate) fn weighed(member: &str) -> Option<(&str, f32)> {
    let mut parts = member.split(';').map(str::trim);
    let value = parts.next()?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |text| text.parse().ok())?;
    (weight > 0.0 && weight <= 1.0).then_some((value, weight))
}
