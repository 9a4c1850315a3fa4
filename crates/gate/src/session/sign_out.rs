//! The end of a session, by the person's own wish.

use super::answers::{self, OwnRequest};
use super::{BrowserSessions, SIGNED_OUT, cookie};
use crate::problem::language_of;
use http::Response;
use http_body_util::Full;
use hyper::body::Bytes;
use tegata_core::Refusal;

impl BrowserSessions {
    /// Takes the cookie away and leads the browser to the platform, which ends the session there and, by the feed, at every
    /// gate (`OpenID` Connect RP-Initiated Logout 1.0). Another site cannot sign anybody out.
    pub(super) async fn sign_out(&self, request: &OwnRequest) -> Response<Full<Bytes>> {
        if !request.as_browser().is_own(&self.origin) {
            return self.gate.refuse(Refusal::ForeignOrigin, &request.headers);
        }
        let own = cookie::own_cookies(&request.headers).filter_map(|(name, _)| cookie::remove(name));
        let own: Vec<_> = own.collect();
        let Some(sid) = self.sid_of(&request.as_browser()) else {
            return answers::redirect(&self.url(SIGNED_OUT), own);
        };
        // Nobody has signed out whom the platform still lets in: then the cookie stays, and the person can try again.
        match self.end_session_request(request, &sid).await {
            Some(location) => answers::redirect(&location, own),
            None => self.gate.refuse(Refusal::SignInUnavailable, &request.headers),
        }
    }

    async fn end_session_request(&self, request: &OwnRequest, sid: &str) -> Option<String> {
        let endpoints = self.endpoints.get(&self.gate).await?;
        let parameters = [
            ("client_id", &*self.client_id),
            ("logout_hint", sid),
            ("post_logout_redirect_uri", &self.url(SIGNED_OUT)),
            ("ui_locales", language_of(&request.headers).tag()),
        ];
        answers::with_query(endpoints.end_session.as_deref()?, &parameters)
    }
}
