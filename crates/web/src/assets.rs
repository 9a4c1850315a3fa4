//! Files that pages refer to, compiled into the program.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use tegata_core::Thumbprint;

/// A browser asks every time and mostly hears "not modified": scripts import each other, and after an
/// update old and new ones must not meet in one page.
const FRESHNESS: &str = "public, max-age=0, must-revalidate";

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Below `/assets/`, such as `style.css`.
    pub name: &'static str,
    /// Such as `text/css; charset=utf-8`.
    pub content_type: &'static str,
    /// What it contains.
    pub bytes: &'static [u8],
}

/// What the layout needs.
pub const LAYOUT: &[Asset] = &[
    Asset {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/style.css"),
    },
    Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: include_bytes!("../assets/icon.svg") },
];

/// Serves them at `/assets/{name}`. A name may appear only once.
pub fn routes<S: Clone + Send + Sync + 'static>(
    assets: impl IntoIterator<Item = &'static Asset>,
) -> Router<S> {
    assets.into_iter().fold(Router::new(), |router, asset| {
        let tag = format!("\"{}\"", Thumbprint::of(asset.bytes));
        let answer = move |headers: HeaderMap| std::future::ready(answer(asset, &tag, &headers));
        router.route(&format!("/assets/{}", asset.name), get(answer))
    })
}

fn answer(asset: &'static Asset, tag: &str, headers: &HeaderMap) -> Response {
    let fresh = [(ETAG, tag), (CACHE_CONTROL, FRESHNESS)];
    if known(headers, tag) {
        return (StatusCode::NOT_MODIFIED, fresh).into_response();
    }
    (fresh, [(CONTENT_TYPE, asset.content_type)], asset.bytes).into_response()
}

/// Weak comparison, as RFC 9110 section 13.1.2 wants it.
fn known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|list| list.split(',')).map(str::trim).any(|known| known.trim_start_matches("W/") == tag)
}
