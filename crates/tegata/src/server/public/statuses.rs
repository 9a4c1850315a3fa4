//! Token status lists over HTTP (draft-ietf-oauth-status-list section 8).

use super::answer::{SignedRepresentation, respond};
use super::context::PublicContext;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE,
    HeaderName, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use tegata_core::Refusal;
use tegata_signals::STATUS_LISTS;
use tegata_web::WebResult;

const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// Caches may keep a list for as long as its own `ttl` says, 10 seconds.
const CACHED: &str = "public, max-age=10, must-revalidate";

/// The lists and the list of lists, open to the pages of any site: there is nothing in them that a page may not know.
pub fn routes() -> Router<Arc<PublicContext>> {
    Router::new()
        .route(STATUS_LISTS, get(all).options(preflight))
        .route(&format!("{STATUS_LISTS}/{{name}}"), get(list).options(preflight))
        .layer(map_response(for_any_origin))
}

async fn list(
    State(public): State<Arc<PublicContext>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> WebResult<Response> {
    if asks_for_the_past(query.as_deref()) {
        return Err(Refusal::NoHistory.into());
    }
    if !names(&headers, &ACCEPT, &[MEDIA_TYPE, "application/*", "*/*"]) {
        return Err(Refusal::NotAcceptable.into());
    }
    // A server that has just started has none yet: that says nothing of this one.
    let missing = || if public.statuses.all().is_some() { Refusal::NotFound } else { Refusal::Unavailable };
    let list = public.statuses.get(&name).ok_or_else(missing)?;
    let now = public.context.now();
    // Somebody may have been stopped of whom this server has not heard: another one may have.
    if now >= list.expires || public.context.status.heard(now).is_none() {
        return Err(Refusal::Unavailable.into());
    }
    let gzip = headers.contains_key(ACCEPT_ENCODING) && names(&headers, &ACCEPT_ENCODING, &["gzip", "*"]);
    let (bytes, ending) = if gzip { (&list.gzipped, "-gzip") } else { (&list.text, "") };
    let representation = SignedRepresentation {
        media_type: MEDIA_TYPE,
        bytes: bytes.clone(),
        tag: &format!("\"{}{ending}\"", list.tag),
        modified: list.issued,
        expires: None,
        cache_control: CACHED,
    };
    let mut response = respond(representation, &headers, now);
    let answer = response.headers_mut();
    answer.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if gzip {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}

/// Section 9 of the draft.
async fn all(State(public): State<Arc<PublicContext>>) -> WebResult<Response> {
    let all = public.statuses.all().ok_or(Refusal::Unavailable)?;
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, CACHED)], all).into_response())
}

async fn preflight() -> Response {
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "accept, if-none-match"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

async fn for_any_origin(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Section 8.4 of the draft: what was said earlier is kept nowhere.
fn asks_for_the_past(query: Option<&str>) -> bool {
    let parameters = query.unwrap_or_default().split('&');
    parameters.map(|parameter| parameter.split('=').next()).any(|name| name == Some("time"))
}

/// Whether a header is not there, or has one of these words and does not rule it out.
fn names(headers: &HeaderMap, header: &HeaderName, words: &[&str]) -> bool {
    let mut lines = headers.get_all(header).iter().peekable();
    if lines.peek().is_none() {
        return true;
    }
    let items = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    items.map(|item| item.split(';').map(str::trim)).any(|mut parts| {
        let named = parts.next().is_some_and(|item| words.iter().any(|word| item.eq_ignore_ascii_case(word)));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(line: Option<&str>) -> bool {
        let headers = line.map(|line| (ACCEPT, line.parse().unwrap())).into_iter().collect();
        names(&headers, &ACCEPT, &[MEDIA_TYPE, "application/*", "*/*"])
    }

    #[test]
    fn whoever_can_read_a_jwt_gets_one_and_whoever_wants_another_form_is_told() {
        for line in [
            None,
            Some("*/*"),
            Some("application/statuslist+jwt"),
            Some("application/statuslist+cwt;q=0.5, Application/StatusList+JWT; q=0.1"),
        ] {
            assert!(accepts(line), "{line:?}");
        }
        for line in ["application/statuslist+cwt", "text/html", "application/statuslist+jwt;q=0", ""] {
            assert!(!accepts(Some(line)), "{line}");
        }
    }

    #[test]
    fn the_past_is_asked_for_by_its_name_only() {
        for (query, asks) in
            [(None, false), (Some("time=1"), true), (Some("a=b&time="), true), (Some("times=1"), false)]
        {
            assert_eq!(asks_for_the_past(query), asks, "{query:?}");
        }
    }

    #[test]
    fn caches_ask_again_when_readers_do() {
        let seconds = tegata_signals::STATUS_LIST_TTL.as_secs();
        assert!(CACHED.contains(&format!("max-age={seconds},")));
    }
}
