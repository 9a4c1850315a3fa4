//! What a person reads in place of the product: one small page without scripts, pictures or requests.

use tegata_core::{Language, Refusal};
use tegata_net::RequestId;

/// Nothing but the page's own style, and links to follow.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                                 frame-ancestors 'none'";

const STYLE: &str = "body{margin:0;background:#f4f3ee;color:#1f2a30;font:1.0625rem/1.65 system-ui,'Hiragino Sans',\
'Yu Gothic UI','Noto Sans JP',Meiryo,sans-serif}main{max-width:40rem;margin:2rem auto;padding:1.5rem 2rem;background:#fff;\
border-left:5px solid #9c2f22;border-radius:.5rem}h1{font-size:1.375rem;line-height:1.4;color:#9c2f22;margin:0 0 1rem}\
a{display:inline-block;padding:.6rem 1.25rem;border-radius:.5rem;background:#1d5a8a;color:#fff;font-weight:700;\
text-decoration:none}a:focus-visible{outline:3px solid #1f2a30;outline-offset:3px}@media(max-width:30rem)\
{main{margin:.75rem;padding:1.25rem 1rem}}";

pub(super) fn of(refusal: Refusal, language: Language, help: Option<&str>) -> String {
    let (title, advice) = (escaped(refusal.title(language)), escaped(refusal.advice(language)));
    let (code, tag) = (refusal.code(), language.tag());
    let word = language.pick("コード", "Code");
    let why = language.pick("この端末の状態を確かめる", "See how this device stands");
    let request = RequestId::current().map(|id| format!(" · {} {id}", language.pick("受付番号", "Request")));
    let request = request.unwrap_or_default();
    let link = help.map(|help| format!("<p><a href=\"{}\">{why}</a></p>", escaped(help))).unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"{tag}\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style><main><h1>{title}</h1><p>{advice}</p>\
         <p>{word} <strong>{code}</strong>{request}</p>{link}</main></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
