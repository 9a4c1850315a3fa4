//! The page of the device itself: its certificate, or why it is refused.

use crate::enrollment_service::EnrollmentService;
use crate::refusal_explanation::{CertificateFact, number};
use crate::serving::Serving;
use crate::sighting::note_platform;
use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tegata_core::stop_cause::stopped_by_administrator;
use tegata_core::{Contact, Language, ProductLink, Refusal, Role, StopCause};
use tegata_storage::CertificateHolder;
use tegata_web::japan_date::{day, moment};
use tegata_web::{HtmlPage, PeerCertificate, Presented, ReaderLanguage};

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    language: Language,
    device: Option<DeviceView>,
    problem: Option<ProblemView>,
    /// The refusal of a gate in front of a product, whose cause is not the certificate.
    elsewhere: Option<ElsewhereRefusal>,
    contact: Option<Contact>,
}

/// A refusal that the reader met elsewhere.
struct ElsewhereRefusal {
    title: &'static str,
    detail: &'static str,
    code: &'static str,
}

struct DeviceView {
    tenant: String,
    site: String,
    label: String,
    generation: u32,
    number: String,
    not_after: String,
    due_at: String,
    subject: String,
    keys: String,
    probe_pattern: String,
    /// Whether a profile can bring the next certificate.
    profiles: bool,
    url: String,
    due: bool,
    /// Where to go on once a new certificate works.
    product: Option<ProductLink>,
    contact: Option<Contact>,
    leads_to: DeviceLinks,
    /// Until when, for a device that has moved to this tenant, its old certificate brings the new one.
    moved_until: Option<String>,
    /// How loudly the page offers the renewal.
    weight: &'static str,
}

/// Other pages for whoever stands before the device: a gate has none.
struct DeviceLinks {
    /// The shop with others in it.
    shop: bool,
    /// Sign-in, where the company has anybody with an account of the installation.
    account: bool,
}

struct ProblemView {
    title: &'static str,
    detail: String,
    code: &'static str,
    number: Option<String>,
    facts: Vec<CertificateFact>,
    now: String,
}

/// Serves `GET {device}/`, the page on which a device sees its own certificate.
pub(crate) async fn get(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let shown = match service.caller(certificate.as_ref()).await {
        Ok(facts) => {
            note_platform(&service, &facts, &headers);
            show(&service, &facts, language).await
        }
        Err(refusal) => show_moved(&service, certificate.as_ref(), refusal, language).await,
    };
    match shown {
        Ok(mut shown) => {
            let (elsewhere, contact) = (elsewhere_in(query.as_deref(), language), shown.contact.take());
            page(language, Some(shown), None, elsewhere, contact)
                .script("/assets/renew.js")
                .asking(&service.context.addresses.probes)
                .sending_forms()
                .into_response()
        }
        Err(refusal) => refuse(&service, certificate.as_ref(), refusal, language).await,
    }
}

pub(crate) async fn refuse(
    service: &EnrollmentService,
    certificate: Option<&PeerCertificate>,
    refusal: Refusal,
    language: Language,
) -> Response {
    let why = service.why(certificate, refusal, language).await;
    let problem = ProblemView {
        title: refusal.title(language),
        detail: detail(refusal, why.cause, language),
        code: refusal.code(),
        number: why.number,
        facts: why.facts,
        now: service.now().to_string(),
    };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, page(language, None, Some(problem), None, why.contact).script("/assets/why.js")).into_response()
}

/// The code in the link of a gate's refusal: one of ours, or nothing. No other text of a link is ever shown.
fn elsewhere_in(query: Option<&str>, language: Language) -> Option<ElsewhereRefusal> {
    let code = query?.split('&').find_map(|pair| pair.strip_prefix("code="))?;
    let refusal = Refusal::from_code(code)?;
    // What it says to programs is nothing for whoever reads a page.
    let advice = refusal.advice(language);
    let detail = advice.split_once(" A program ").map_or(advice, |(for_people, _)| for_people);
    Some(ElsewhereRefusal { title: refusal.title(language), detail, code: refusal.code() })
}

fn page(
    language: Language,
    device: Option<DeviceView>,
    problem: Option<ProblemView>,
    elsewhere: Option<ElsewhereRefusal>,
    contact: Option<Contact>,
) -> HtmlPage {
    let title = language.pick("この端末の証明書", "The certificate of this device");
    let body = DevicePage { language, device, problem, elsewhere, contact };
    HtmlPage::new(language, title, &body).contact(body.contact.as_ref())
}

/// Of a device that was stopped for ever, what was said then, and no more.
fn detail(refusal: Refusal, cause: Option<StopCause>, language: Language) -> String {
    let advice = refusal.advice(language);
    match (cause, advice.strip_prefix(stopped_by_administrator(language))) {
        (Some(cause), Some(rest)) if refusal == Refusal::CertificateRevoked => {
            format!("{}{rest}", cause.told(language))
        }
        _ => advice.to_owned(),
    }
}

async fn show(
    service: &EnrollmentService,
    facts: &CertificateHolder,
    language: Language,
) -> Result<DeviceView, Refusal> {
    let device = service.device(facts).await?;
    let plan = service.planned_for(facts).await?;
    let (due_at, due) = (plan.from, service.has_come(&plan));
    let guidance = service.guidance(&facts.site).await;
    Ok(DeviceView {
        subject: service.common_name(
            &facts.tenant,
            facts.role,
            &facts.device,
            &device.site_name,
            &device.label,
        )?,
        keys: service.key_kinds(&facts.tenant, facts.role)?.join(" "),
        tenant: device.tenant_name,
        site: device.site_name,
        label: device.label,
        generation: facts.generation,
        number: number(&facts.device),
        not_after: day(facts.not_after, language),
        due_at: day(due_at, language),
        profiles: service.invitation_of(facts).await?.is_some(),
        probe_pattern: service.context.addresses.probes.pattern(),
        url: format!("{}/", service.context.addresses.device),
        due,
        moved_until: None,
        weight: if due { "big" } else { "quiet" },
        product: guidance.product,
        contact: guidance.contact,
        leads_to: DeviceLinks {
            shop: facts.role == Role::Device,
            account: facts.role == Role::Device && service.has_people(facts).await?,
        },
    })
}

/// The page of a device that has moved to another tenant and still shows its old certificate.
async fn show_moved(
    service: &EnrollmentService,
    certificate: Option<&PeerCertificate>,
    refusal: Refusal,
    language: Language,
) -> Result<DeviceView, Refusal> {
    let moved = service.moved_by(certificate).await?.ok_or(refusal)?;
    let (until, invitation) = (moved.until(), moved.invitation);
    let device = moved.handover.successor;
    let guidance = service.guidance(&invitation.site).await;
    Ok(DeviceView {
        subject: service.common_name(
            &invitation.tenant,
            invitation.role,
            &device,
            &invitation.site_name,
            &invitation.label,
        )?,
        keys: service.key_kinds(&invitation.tenant, invitation.role)?.join(" "),
        tenant: invitation.tenant_name,
        site: invitation.site_name,
        label: invitation.label,
        generation: 0,
        number: number(&device),
        not_after: String::new(),
        due_at: String::new(),
        profiles: false,
        probe_pattern: service.context.addresses.probes.pattern(),
        url: format!("{}/", service.context.addresses.device),
        due: true,
        moved_until: Some(moment(until, language)),
        weight: "big",
        product: guidance.product,
        contact: guidance.contact,
        leads_to: DeviceLinks { shop: false, account: false },
    })
}
