//! What is around the content of every page: who is signed in, why they act, and where else they can go.

use crate::acting::Acting;
use crate::service::ConsoleService;
use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use tegata_core::{Act, Language, Refusal};
use tegata_web::HtmlPage;

/// What is around the content of every page.
pub(crate) struct Frame {
    pub(crate) language: Language,
    /// Who is signed in.
    pub(crate) name: String,
    pub(crate) form_token: String,
    /// What is opened every day.
    pub(crate) links: Vec<FrameLink>,
    /// What is opened now and then: behind one word, so that the first ones are found at a glance.
    pub(crate) others: Vec<FrameLink>,
    pub(crate) call: Option<CallView>,
    pub(crate) problem: Option<PageProblem>,
}

/// Where else somebody can go.
pub(crate) struct FrameLink {
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
    pub(crate) is_here: bool,
}

/// Why somebody of the vendor's support acts at the moment.
pub(crate) struct CallView {
    pub(crate) reason: String,
    pub(crate) ticket: String,
}

/// Why something was not done, above the page on which it was asked for.
pub(crate) struct PageProblem {
    pub(crate) title: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) code: &'static str,
    /// What exactly, such as who came first.
    pub(crate) more: Option<String>,
}

/// A page that stands in every frame: the act that leads there, and what it is called in Japanese and English.
type Linked = (&'static str, Act, &'static str, &'static str);

const DAILY: &[Linked] = &[
    ("/console", Act::SeeDevices, "さがす", "Find"),
    ("/console/devices", Act::SeeDevices, "端末の一覧", "Devices"),
    ("/console/approvals", Act::DecideApproval, "承認待ち", "Approvals"),
    ("/console/invitations", Act::InviteDevice, "招待", "Invitations"),
    ("/console/people", Act::SeePeople, "利用者", "People"),
    ("/console/sites", Act::SeeDevices, "店舗", "Sites"),
];

const OTHERS: &[Linked] = &[
    ("/console/today", Act::SeeDevices, "今日の運用", "Today"),
    ("/console/reviews", Act::ReviewPeople, "在籍の確認", "Reviews"),
    ("/console/trail", Act::ReadAudit, "操作の記録", "What happened"),
    ("/console/transfers", Act::PlanTransfer, "事業譲渡", "Transfers"),
    ("/console/figures", Act::SeeDevices, "グラフ", "Figures"),
    ("/console/health", Act::SeeHealth, "稼働状況", "Health"),
];

impl Frame {
    pub(crate) fn of(by: &Acting, path: &str, language: Language) -> Self {
        let links_to = |pages: &[Linked]| {
            let reached = pages.iter().filter(|(_, act, ..)| by.may_ever(*act));
            let links = reached.map(|(to, _, ja, en)| FrameLink {
                path: to,
                text: language.pick(ja, en),
                is_here: *to == path,
            });
            links.collect()
        };
        let call = by.because().map(|because| CallView {
            reason: because.reason().to_owned(),
            ticket: because.ticket().to_owned(),
        });
        Self {
            language,
            name: by.who.person().map_or_else(|_| String::new(), |person| person.session.name.clone()),
            form_token: by.form_token(),
            links: links_to(DAILY),
            others: links_to(OTHERS),
            call,
            problem: None,
        }
    }

    /// With why something was not done.
    pub(crate) fn refusing(mut self, refusal: Option<Refusal>, more: Option<String>) -> Self {
        self.problem = refusal.map(|refusal| PageProblem {
            title: refusal.title(self.language),
            detail: refusal.advice(self.language),
            code: refusal.code(),
            more,
        });
        self
    }

    /// The page that the reader is on, where it is one of those that are opened now and then.
    pub(crate) fn other_here(&self) -> Option<&FrameLink> {
        self.others.iter().find(|link| link.is_here)
    }

    /// A path of ours in the reader's language.
    pub(crate) fn to(&self, path: &str) -> String {
        in_language(path, self.language)
    }
}

impl ConsoleService {
    /// A page in the common frame.
    pub(crate) fn page(&self, language: Language, title: &str, body: &impl Template) -> HtmlPage {
        let page = HtmlPage::new(language, title, body).contact(self.contact.as_ref()).sending_forms();
        page.style("/assets/console.css").script("/assets/console.js")
    }
}

/// The page that says why something was not done has the status of the refusal, for whoever counts or logs.
pub(crate) fn refused(page: HtmlPage, refusal: Option<Refusal>) -> Response {
    let Some(refusal) = refusal else { return page.into_response() };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, page).into_response();
    response.extensions_mut().insert(refusal);
    response
}

/// Goes on with `GET` (RFC 9110 section 15.4.4).
pub(crate) fn onward(path: &str, language: Language) -> Response {
    Redirect::to(&in_language(path, language)).into_response()
}

/// An address of ours in a language.
pub(crate) fn in_language(path: &str, language: Language) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}lang={}", language.tag())
}
