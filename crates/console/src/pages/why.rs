//! Why somebody cannot enter: what a code means that they read out, and what to tell them.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::finding::{Hit, Hits};
use crate::frame::Frame;
use crate::service::{ConsoleService, refusal};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::refusal::SpokenCode;
use tegata_core::{Act, Language, Refusal};
use tegata_web::japan_date::moment;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "why.html")]
struct WhyPage {
    frame: Frame,
    q: String,
    rule: Option<RuleView>,
    since: Option<String>,
    /// The device that it is about; several where the number is short.
    hits: Option<Hits>,
    noted: Option<NotedView>,
    in_the_log: bool,
}

/// A rule that refuses, and what whoever is refused can do.
struct RuleView {
    code: &'static str,
    title: &'static str,
    tell: &'static str,
    /// What the reader may do about it.
    remedies: Vec<&'static str>,
}

/// The last refusal that was written down.
struct NotedView {
    code: &'static str,
    title: &'static str,
    at: String,
}

#[derive(Deserialize)]
pub(crate) struct WhyQuery {
    #[serde(default)]
    code: String,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(WhyQuery { code }): Query<WhyQuery>,
) -> WebResult<Response> {
    let sight = service.sight(&by, Act::SeeDevices)?;
    let answer = sight.rows.why(&SpokenCode::parse(&code), by.at).await.map_err(refusal)?;
    let is_seen = |found: &&tegata_storage::FoundDevice| {
        by.may(Act::SeeDevices, (&found.device.tenant, &found.device.site))
    };
    let devices: Vec<_> = answer.devices.iter().filter(is_seen).collect();
    // Whose device nobody may see, of that nothing is said but what the code says by itself.
    let is_shown = devices.len() == answer.devices.len();
    let spoken = if is_shown { answer.refusal } else { SpokenCode::parse(&code).refusal };
    let body = WhyPage {
        frame: Frame::of(&by, "", language),
        q: code,
        rule: spoken.map(|rule| RuleView::of(rule, &by, language)),
        since: answer.since.filter(|_| is_shown).map(|at| moment(at, language)),
        noted: answer.noted.filter(|_| is_shown).map(|noted| NotedView {
            code: noted.refusal.code(),
            title: noted.refusal.title(language),
            at: moment(noted.at, language),
        }),
        in_the_log: answer.in_the_log,
        hits: (!devices.is_empty()).then(|| Hits {
            found: devices.iter().map(|found| Hit::of(found, &by, language)).collect(),
            more: false,
        }),
    };
    let title = language.pick("なぜ使えないか", "Why somebody cannot enter");
    Ok(service.page(language, title, &body).into_response())
}

impl RuleView {
    fn of(rule: Refusal, by: &Acting, language: Language) -> Self {
        let remedies = rule.remedies().iter().filter(|act| by.may_ever(**act));
        Self {
            code: rule.code(),
            title: rule.title(language),
            tell: rule.advice(language),
            remedies: remedies.filter_map(|act| remedy(*act, language)).collect(),
        }
    }
}

/// What the reader can do on a page of the console, or whom they ask where there is no such page.
const fn remedy(act: Act, language: Language) -> Option<&'static str> {
    Some(match act {
        Act::ResumeDevice => {
            language.pick("端末の画面で、停止を解除する", "Let the device go on, on its page")
        }
        Act::InviteDevice => language.pick("「招待」で、新しい招待を作る", "Make a new invitation"),
        Act::DecideApproval => language
            .pick("「承認待ち」で、端末を承認する", "Decide on the device that waits, under Approvals"),
        Act::SetPolicy => language.pick(
            "登録のルールの見直しを、運用者に依頼する",
            "Ask the operator to change the rules of enrollment",
        ),
        Act::DisablePerson => language.pick(
            "利用者の停止の解除を、運用者に依頼する",
            "Ask the operator to let the person sign in again",
        ),
        Act::AssignDevice => language.pick(
            "端末を使う人の見直しを、運用者に依頼する",
            "Ask the operator to say who may use the device",
        ),
        Act::ChangePerson => language.pick(
            "利用者の店舗や役割の見直しを、運用者に依頼する",
            "Ask the operator to change the sites or roles of the person",
        ),
        Act::ResetPerson => language.pick(
            "利用者の新しい設定用リンクを、運用者に依頼する",
            "Ask the operator for a new setup link for the person",
        ),
        Act::SuspendTenant => language
            .pick("会社の利用停止の解除を、運用者に依頼する", "Ask the operator to let the company go on"),
        _ => return None,
    })
}
