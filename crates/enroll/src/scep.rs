//! SCEP (RFC 8894), below the public listener's `/scep`: for Apple devices with a SCEP payload, routers, and whatever
//! manages devices. Messages are signed and encrypted themselves, so the way there is plain HTTP.
//!
//! A first certificate is authorized by an invitation, whose code is the challenge password; the next one by the
//! certificate that signs the request. Both are served by the same enrollment service as the page. Who the device is
//! comes from the ledger: names in a request are not read.
//!
//! - `transactions` decides what a message gets.
//! - Here is HTTP: three operations, and one of them with GET and POST.

mod transactions;

use crate::enrollment_service::EnrollmentService;
use crate::guesses::CodeGuesses;
use crate::serving::Serving;
use axum::Router;
use axum::extract::{FromRef, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use std::sync::Arc;
use tegata_ca::scep::{Address, CertRep, FailInfo, Fault, NoMessage, ScepMessage};
use tegata_ca::{IssuingCa, Registrar, RegistrarError, Registrars, pkcs7};
use tegata_core::encoding::from_base64;
use tegata_core::{IssuerId, Refusal};
use tegata_storage::StoredIssuer;
use tegata_web::{Problem, WebResult, body};
use transactions::{ScepDenial, ScepOutcome};

/// What this server can do (RFC 8894 section 3.5.2): nothing that is weak, so neither DES nor SHA-1. SHA-384 is not in
/// the RFC, but true, and strongSwan 5.9 finds no other common digest without it.
const CAPABILITIES: &str = "AES\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-256\nSHA-384\nSHA-512\n";

const MESSAGE: &str = "application/x-pki-message";
const CA_AND_RA: &str = "application/x-x509-ca-ra-cert";

/// Messages that cannot be opened, from one address and from all, in ten minutes. Honest clients send none.
const BAD_MESSAGES: (u32, u32) = (100, 100_000);

/// The SCEP server. Cloning shares it.
#[derive(Clone)]
pub struct ScepServer {
    service: EnrollmentService,
    registrars: Arc<Registrars>,
    bad_messages: Arc<CodeGuesses>,
}

impl ScepServer {
    /// A server that issues through this enrollment service.
    pub fn new(service: EnrollmentService, registrars: Arc<Registrars>) -> Self {
        let (per_address, in_all) = BAD_MESSAGES;
        Self { service, registrars, bad_messages: Arc::new(CodeGuesses::limited(per_address, in_all)) }
    }
}

impl FromRef<ScepServer> for EnrollmentService {
    fn from_ref(scep: &ScepServer) -> Self {
        scep.service.clone()
    }
}

/// The routes of the public listener.
pub fn scep_routes(scep: ScepServer) -> Router {
    // Cisco IOS and others append the name of the first server's program, or a slash.
    ["/scep", "/scep/", "/scep/pkiclient.exe"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, get(by_get).post(by_post)))
        .with_state(scep)
}

/// RFC 8894 section 4.1.
#[derive(Deserialize)]
struct ScepQuery {
    operation: String,
    #[serde(default)]
    message: String,
}

async fn by_get(
    State(scep): State<ScepServer>,
    Serving(service): Serving,
    Query(asked): Query<ScepQuery>,
) -> WebResult<Response> {
    let scep = ScepServer { service, ..scep };
    match asked.operation.as_str() {
        "GetCACaps" => Ok(answer("text/plain", CAPABILITIES.into())),
        "GetCACert" => scep.certificates(&asked.message).await,
        "PKIOperation" => {
            // In a query a plus sign may have become a space.
            let base64: String =
                asked.message.replace(' ', "+").chars().filter(|letter| !letter.is_whitespace()).collect();
            let message = from_base64(&base64).ok_or(Refusal::RequestMalformed)?;
            scep.operate(&message).await
        }
        _ => Err(no_such_operation()),
    }
}

async fn by_post(
    State(scep): State<ScepServer>,
    Serving(service): Serving,
    Query(asked): Query<ScepQuery>,
    request: Request,
) -> WebResult<Response> {
    if asked.operation != "PKIOperation" {
        return Err(no_such_operation());
    }
    let message = body::read(request.into_body(), body::LIMIT).await?;
    let scep = ScepServer { service, ..scep };
    scep.operate(&message).await
}

impl ScepServer {
    /// The registrar, its CA and the CAs above. `name` is a CA's identifier; whatever else clients put there means the
    /// one that serves everybody.
    async fn certificates(&self, name: &str) -> WebResult<Response> {
        let authority = self.authority(name)?;
        let registrar = self.registrar(&authority).await?;
        let issuers = self.service.context.ledger.issuers().await?;
        let mut bag = vec![registrar.certificate()];
        bag.extend(upwards(&issuers, authority.issuer().id()));
        Ok(answer(CA_AND_RA, pkcs7::certs_only(&bag)))
    }

    /// Answers one message in kind, as long as it is one.
    async fn operate(&self, bytes: &[u8]) -> WebResult<Response> {
        let now = self.service.now();
        let attempt = self.bad_messages.begin(self.service.requester().address, now).ok_or_else(|| {
            Problem::with_detail(Refusal::TooManyGuesses, "too many messages that could not be opened")
        })?;
        let message = match ScepMessage::parse(bytes) {
            Ok(message) => message,
            Err(NoMessage::Faulty(address, fault)) => return self.answer_fault(&address, fault).await,
            Err(NoMessage::Unanswerable) => return Err(unanswerable()),
        };
        let (authority, registrar) = self.addressee(&message).await?;
        let verified = message.verify();
        let outcome = match (&verified, &authority) {
            (Ok(verified), Some(authority)) => {
                transactions::decide(&self.service, &message, verified, authority, &registrar).await
            }
            // Whom it is for has ended, or never was: its sender has to ask for the certificates again.
            (Ok(_), None) => Err(Fault::RECIPIENT.into()),
            (Err(fault), _) => Err((*fault).into()),
        };
        if !matches!(&outcome, Err(denied) if denied.info == FailInfo::BadMessageCheck) {
            attempt.was_right();
        }
        // What is our fault is no answer to the message: its sender tries again.
        if let Err(ScepDenial { refusal, .. }) = &outcome
            && refusal.status() >= 500
        {
            return Err((*refusal).into());
        }
        let text;
        let reply = match (&outcome, &verified) {
            (Ok(ScepOutcome::Granted(granted)), Ok(verified)) => {
                CertRep::Success(verified, granted.borrowed())
            }
            (Ok(_), _) => CertRep::Pending,
            (Err(denied), _) => {
                text = denied.text();
                CertRep::Failure(denied.info, &text)
            }
        };
        let entropy = self.service.context.entropy.as_ref();
        let mut response =
            answer(MESSAGE, reply.to(message.address(), &registrar, now, entropy).ok_or(Refusal::Internal)?);
        if let Err(denied) = outcome {
            // Counted by what it says.
            response.extensions_mut().insert(denied.refusal);
        }
        Ok(response)
    }

    /// A failure for a message that does not say whom it is for.
    async fn answer_fault(&self, address: &Address, fault: Fault) -> WebResult<Response> {
        let registrar = self.registrar(&*self.authority("")?).await?;
        let denied = ScepDenial::from(fault);
        let text = denied.text();
        let entropy = self.service.context.entropy.as_ref();
        let reply = CertRep::Failure(denied.info, &text);
        let reply = reply.to(address, &registrar, self.service.now(), entropy);
        let mut response = answer(MESSAGE, reply.ok_or(Refusal::Internal)?);
        response.extensions_mut().insert(denied.refusal);
        Ok(response)
    }

    /// The registrar that a message is for, with its CA. Without one somebody has to say so all the same.
    async fn addressee(&self, message: &ScepMessage) -> WebResult<(Option<Arc<IssuingCa>>, Arc<Registrar>)> {
        let now = self.service.now();
        for authority in self.service.authorities.all() {
            for id in message.recipients() {
                let found = self.registrars.addressed(&authority, id, now).await.map_err(unavailable)?;
                if let Some(registrar) = found {
                    return Ok((Some(authority), registrar));
                }
            }
        }
        let speaker = self.authority("")?;
        Ok((None, self.registrar(&speaker).await?))
    }

    async fn registrar(&self, authority: &IssuingCa) -> WebResult<Arc<Registrar>> {
        let now = self.service.now();
        Ok(self.registrars.current(authority, now).await.map_err(unavailable)?)
    }

    fn authority(&self, name: &str) -> Result<Arc<IssuingCa>, Refusal> {
        let authorities = &self.service.authorities;
        let named = IssuerId::parse(name).and_then(|id| authorities.active(&id));
        named.or_else(|| authorities.shared()).ok_or(Refusal::NoIssuer)
    }
}

/// The certificate of a CA and of those above it.
fn upwards<'a>(issuers: &'a [StoredIssuer], from: &IssuerId) -> Vec<&'a [u8]> {
    let mut chain: Vec<&[u8]> = Vec::new();
    let mut next = Some(from);
    while let Some(issuer) = next.and_then(|id| issuers.iter().find(|issuer| issuer.id == *id)) {
        // No chain is longer than there are CAs: this ends even if the rows form a circle.
        if chain.len() > issuers.len() {
            break;
        }
        chain.push(&issuer.certificate);
        next = issuer.parent.as_ref();
    }
    chain
}

fn unanswerable() -> Problem {
    Problem::with_detail(
        Refusal::RequestMalformed,
        "a pkiMessage is CMS SignedData with signed attributes, among them a transactionID (RFC 8894 section 3.2)",
    )
}

fn no_such_operation() -> Problem {
    Problem::with_detail(
        Refusal::RequestMalformed,
        "operation is GetCACaps, GetCACert or PKIOperation, which may be posted",
    )
}

#[allow(clippy::needless_pass_by_value)]
fn unavailable(error: RegistrarError) -> Refusal {
    match error {
        RegistrarError::Ledger(error) => error.into(),
        error => {
            tracing::error!(%error, "there is no SCEP registrar");
            Refusal::Internal
        }
    }
}

fn answer(media_type: &'static str, body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")], body).into_response()
}
