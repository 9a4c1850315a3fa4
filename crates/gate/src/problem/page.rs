//! What a person reads in place of the product: one small page without scripts, pictures or requests.

use tegata_core::{Language, Refusal};
use tegata_net::RequestId;

/// How a page looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// Somebody is refused something.
    Refusal,
    /// Everything is as it should be.
    Calm,
}

const STYLE: &str = "body{margin:0;background:#f4f3ee;color:#1f2a30;font:1.0625rem/1.65 system-ui,'Hiragino Sans',\
'Yu Gothic UI','Noto Sans JP',Meiryo,sans-serif}main{max-width:40rem;margin:2rem auto;padding:1.5rem 2rem;background:#fff;\
border-left:5px solid var(--tone);border-radius:.5rem}h1{font-size:1.375rem;line-height:1.4;color:var(--tone);margin:0 0 1rem}\
a,button{display:inline-block;padding:.6rem 1.25rem;border:0;border-radius:.5rem;background:#1d5a8a;color:#fff;font:inherit;\
font-weight:700;text-decoration:none;cursor:pointer}a.quiet{padding:0;background:none;color:#1d5a8a;text-decoration:underline}\
:focus-visible{outline:3px solid #1f2a30;outline-offset:3px}@media(max-width:30rem)\
{main{margin:.75rem;padding:1.25rem 1rem}}";

/// Nothing but the page's own style, links to follow, and forms that lead there.
pub(crate) fn policy(form_action: &str) -> String {
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )
}

/// A page with this title and, as HTML, this body.
pub(crate) fn shell(language: Language, title: &str, body: &str, tone: Tone) -> String {
    let tag = language.tag();
    let color = match tone {
        Tone::Refusal => "#9c2f22",
        Tone::Calm => "#1d5a8a",
    };
    format!(
        "<!doctype html><html lang=\"{tag}\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>:root{{--tone:{color}}}{STYLE}</style><main><h1>{title}\
         </h1>{body}</main></html>"
    )
}

pub(super) fn of(refusal: Refusal, language: Language, help: Option<&str>) -> String {
    let (title, advice) = (escaped(refusal.title(language)), escaped(refusal.advice(language)));
    let code = refusal.code();
    let word = language.pick("コード", "Code");
    let why = language.pick("この端末の状態を確かめる", "See how this device stands");
    let request = RequestId::current().map(|id| format!(" · {} {id}", language.pick("受付番号", "Request")));
    let request = request.unwrap_or_default();
    let link = help.map(|help| format!("<p><a href=\"{}\">{why}</a></p>", escaped(help))).unwrap_or_default();
    let body = format!("<p>{advice}</p><p>{word} <strong>{code}</strong>{request}</p>{link}");
    shell(language, &title, &body, Tone::Refusal)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
