//! Files that pages refer to, compiled into the program.

use crate::language::weighed;
use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, StatusCode};
use std::io::{self, Write};
use std::sync::Arc;
use tegata_core::Thumbprint;

/// A browser asks every time and mostly hears "not modified": scripts import each other, and after an
/// update old and new ones must not meet in one page.
const FRESHNESS: &str = "public, max-age=0, must-revalidate";

/// A static file that the program carries.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Below `/assets/`, such as `style.css`.
    pub name: &'static str,
    /// Such as `text/css; charset=utf-8`.
    pub content_type: &'static str,
    /// Its content as it is sent, not compressed.
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
        let forms = Arc::new(AssetForms::of(asset));
        let answer = move |headers: HeaderMap| std::future::ready(forms.answer(&headers));
        router.route(&format!("/assets/{}", asset.name), get(answer))
    })
}

/// An asset as it is and, for whoever understands it, compressed. What is compressed here is the same for everybody and
/// holds no secret, so that its length gives nothing away.
struct AssetForms {
    content_type: &'static str,
    plain: AssetForm<&'static [u8]>,
    gzip: Option<AssetForm<Arc<[u8]>>>,
}

struct AssetForm<B> {
    tag: String,
    bytes: B,
}

impl AssetForms {
    fn of(asset: &Asset) -> Self {
        let tag = Thumbprint::of(asset.bytes);
        let gzip = compressed(asset.bytes).ok().filter(|gzip| gzip.len() < asset.bytes.len());
        Self {
            content_type: asset.content_type,
            plain: AssetForm { tag: format!("\"{tag}\""), bytes: asset.bytes },
            // A strong validator names one sequence of bytes (RFC 9110 section 8.8.3.3).
            gzip: gzip.map(|gzip| AssetForm { tag: format!("\"{tag}-gzip\""), bytes: gzip.into() }),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        match &self.gzip {
            Some(gzip) if takes_gzip(headers) => {
                let answer = self.form(&gzip.tag, headers, || Bytes::from_owner(gzip.bytes.clone()));
                ([(CONTENT_ENCODING, "gzip")], answer).into_response()
            }
            _ => {
                let plain = self.plain.bytes;
                self.form(&self.plain.tag, headers, || Bytes::from_static(plain))
            }
        }
    }

    fn form(&self, tag: &str, headers: &HeaderMap, bytes: impl FnOnce() -> Bytes) -> Response {
        let fresh = [(ETAG, tag), (CACHE_CONTROL, FRESHNESS), (VARY, "accept-encoding")];
        if known(headers, tag) {
            return (StatusCode::NOT_MODIFIED, fresh).into_response();
        }
        (fresh, [(CONTENT_TYPE, self.content_type)], bytes()).into_response()
    }
}

pub(crate) fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Named, and not with a weight of nothing (RFC 9110 section 12.5.3).
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(',')).filter_map(weighed).any(|(coding, _)| coding == "gzip")
}

/// Weak comparison, as RFC 9110 section 13.1.2 wants it.
fn known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|list| list.split(',')).map(str::trim).any(|known| known.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    const TEXT: Asset = Asset { name: "a.js", content_type: "text/javascript", bytes: &[b'a'; 4000] };
    const TINY: Asset = Asset { name: "b.js", content_type: "text/javascript", bytes: b"b" };

    async fn ask(asset: &Asset, fields: &[(&'static str, &str)]) -> (Response<()>, Vec<u8>) {
        let headers =
            fields.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let (parts, body) = AssetForms::of(asset).answer(&headers.collect()).into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (Response::from_parts(parts, ()), body.to_vec())
    }

    #[tokio::test]
    async fn whoever_understands_gzip_gets_the_same_file_in_fewer_bytes() {
        let (answer, body) = ask(&TEXT, &[("accept-encoding", "br;q=1, gzip;q=0.8")]).await;
        assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(answer.headers()[VARY], "accept-encoding");
        assert!(body.len() < 100);
        let mut text = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, TEXT.bytes);
        let tag = answer.headers()[ETAG].to_str().unwrap().to_owned();
        let again = [("accept-encoding", "gzip"), ("if-none-match", tag.as_str())];
        assert_eq!(ask(&TEXT, &again).await.0.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(&TEXT, &again[1..]).await.0.status(), StatusCode::OK, "another form has another tag");
    }

    #[tokio::test]
    async fn nobody_else_does_and_nothing_grows() {
        for refused in [&[][..], &[("accept-encoding", "gzip;q=0")], &[("accept-encoding", "br")]] {
            let (answer, body) = ask(&TEXT, refused).await;
            assert!(!answer.headers().contains_key(CONTENT_ENCODING) && body == TEXT.bytes, "{refused:?}");
        }
        let (answer, body) = ask(&TINY, &[("accept-encoding", "gzip")]).await;
        assert!(!answer.headers().contains_key(CONTENT_ENCODING) && body == b"b");
    }
}
