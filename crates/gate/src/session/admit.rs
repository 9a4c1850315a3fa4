//! Which way a request takes: by its token, by its session, to the sign-in, or to the gate's own pages.

use super::answers::OwnRequest;
use super::browser_request::BrowserRequest;
use super::check::AdmittedSession;
use super::{BrowserSessions, cookie};
use crate::bearer::names_a_token;
use crate::certificate::ClientCertificate;
use crate::dpop::line_of;
use crate::gate::Gate;
use crate::request_outcome::RequestOutcome;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use std::sync::Arc;
use tegata_core::Refusal;

impl BrowserSessions {
    /// The decision about a request at the product. The gate's own cookies are gone afterwards.
    pub(crate) fn admit<B>(
        self: &Arc<Self>,
        gate: &Gate,
        request: &mut Request<B>,
        presented: Option<ClientCertificate>,
    ) -> RequestOutcome {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
        if Self::owns(request.uri().path()) {
            return self.answered(request, target, presented, Way::Own);
        }
        let query = request.uri().query();
        let admission = if comes_with_a_token(request.headers(), query) {
            let presented = presented.map(|one| one.thumbprint());
            gate.check_request(request.headers(), query, presented, Some(line_of(request))).into()
        } else {
            let asked = BrowserRequest {
                method: request.method(),
                target: &target,
                headers: request.headers(),
                presented: presented.as_ref(),
            };
            match self.check(&asked) {
                Ok(AdmittedSession { verified, renewed }) => RequestOutcome::Admitted { verified, renewed },
                Err(refusal) if may_sign_in(refusal, &asked) => {
                    self.answered(request, target, presented, Way::SignIn)
                }
                Err(refusal) => RequestOutcome::Refused(refusal),
            }
        };
        cookie::strip_own(request.headers_mut());
        admission
    }

    fn answered<B>(
        self: &Arc<Self>,
        request: &Request<B>,
        target: String,
        presented: Option<ClientCertificate>,
        way: Way,
    ) -> RequestOutcome {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let own = OwnRequest { method, target, headers, presented };
        let sessions = Arc::clone(self);
        RequestOutcome::Answered(Box::pin(async move {
            match way {
                Way::Own => sessions.serve(own).await,
                Way::SignIn => sessions.sign_in(own).await,
            }
        }))
    }
}

#[derive(Clone, Copy)]
enum Way {
    Own,
    SignIn,
}

/// Whether a token decides. A request with one is never let in by a cookie that came along, and one whose token is wrong
/// neither.
pub(crate) fn comes_with_a_token(headers: &HeaderMap, query: Option<&str>) -> bool {
    headers.contains_key(AUTHORIZATION) || query.is_some_and(names_a_token)
}

/// What a refusal becomes where a browser opens a page.
pub(crate) fn may_sign_in(refusal: Refusal, request: &BrowserRequest<'_>) -> bool {
    BrowserSessions::leads_to_sign_in(refusal) && request.opens_a_page()
}
