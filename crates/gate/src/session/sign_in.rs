//! The way to the sign-in: what the gate asks the platform for, and what it keeps meanwhile in the browser.

use super::answers::{self, OwnRequest};
use super::config::RequiredSignIn;
use super::endpoints::SignInEndpoints;
use super::fields::{FieldReader, FieldWriter};
use super::sealed::Purpose;
use super::{BrowserSessions, CALLBACK, cookie};
use crate::problem::language_of;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use ring::digest::{SHA256, digest};
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, Entropy, Refusal, Timestamp};

/// Sign-ins that one browser may have under way: tabs, and what is left of them.
const MOST: usize = 6;

/// What their cookies may measure together. Servers take lines of 8 KiB, and the product has cookies, too.
const LONGEST_TOGETHER: usize = 5 * 1024;

/// What of a state is part of the cookie's name.
const NAMED: usize = 8;

/// The authentication context that the device's certificate alone gives.
pub(super) const DEVICE_ALONE: &str = "urn:tegata:acr:device";

/// A sign-in that is under way, as the browser keeps it, sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignInFlow {
    begun: Timestamp,
    pub(super) device: DeviceId,
    state: [u8; 16],
    nonce: [u8; 16],
    verifier: [u8; 32],
    /// Path and query that the browser asked for.
    pub(super) return_to: Box<str>,
}

impl SignInFlow {
    fn begin(device: DeviceId, return_to: &str, now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self {
            begun: now,
            device,
            state: bytes(entropy),
            nonce: bytes(entropy),
            verifier: bytes(entropy),
            return_to: return_to.into(),
        }
    }

    /// The bytes that are sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut fields = FieldWriter::default();
        fields.number(self.begun.seconds()).text(self.device.as_str());
        fields.bytes(&self.state).bytes(&self.nonce).bytes(&self.verifier).text(&self.return_to);
        fields.finish()
    }

    /// From what was sealed; `None` unless it is all there and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(bytes);
        let flow = Self {
            begun: fields.moment()?,
            device: DeviceId::parse(fields.text()?)?,
            state: fields.array()?,
            nonce: fields.array()?,
            verifier: fields.array()?,
            return_to: Some(fields.text()?).filter(|target| target.starts_with('/'))?.into(),
        };
        fields.is_finished().then_some(flow)
    }

    pub(super) fn state(&self) -> String {
        base64url(&self.state)
    }

    pub(super) fn nonce(&self) -> String {
        base64url(&self.nonce)
    }

    /// RFC 7636 section 4.1: 43 characters.
    pub(super) fn verifier(&self) -> String {
        base64url(&self.verifier)
    }

    fn challenge(&self) -> String {
        base64url(digest(&SHA256, self.verifier().as_bytes()).as_ref())
    }
}

/// The name of the cookie of the sign-in with this state.
pub(super) fn cookie_name(state: &str) -> Option<String> {
    Some(format!("{}{}", cookie::SIGN_IN, state.get(..NAMED)?))
}

impl BrowserSessions {
    /// Leads a browser to the sign-in, or says why not.
    pub async fn sign_in(&self, request: OwnRequest) -> Response<Full<Bytes>> {
        let device = match self.device(request.presented.as_ref()) {
            Ok(device) => device,
            Err(refusal) => return self.gate.refuse(refusal, &request.headers),
        };
        match self.endpoints.get(&self.gate).await {
            Some(endpoints) => self.begin(&request, device, &endpoints),
            None => self.gate.refuse(Refusal::SignInUnavailable, &request.headers),
        }
    }

    fn begin(
        &self,
        request: &OwnRequest,
        device: DeviceId,
        endpoints: &SignInEndpoints,
    ) -> Response<Full<Bytes>> {
        let (now, entropy) = (self.gate.now(), self.gate.entropy());
        let flow = SignInFlow::begin(device, request.as_browser().return_to(), now, entropy);
        let state = flow.state();
        let location = self.authorization_request(&flow, endpoints, &request.headers);
        let sealed = self.sealer.seal(Purpose::SignIn, flow.to_bytes(), entropy);
        let kept = cookie_name(&state).zip(sealed);
        let kept =
            kept.and_then(|(name, sealed)| cookie::set(&name, &sealed, Some(self.limits.sign_in.as_secs())));
        let (Some(location), Some(kept)) = (location, kept) else {
            return self.gate.refuse(Refusal::Internal, &request.headers);
        };
        let left = self.left_over(&request.headers, kept.len(), now);
        answers::redirect(&location, left.into_iter().chain([kept]))
    }

    /// The address of the authorization endpoint with everything it asks for (`OpenID` Connect Core 1.0 section 3.1.2.1).
    fn authorization_request(
        &self,
        flow: &SignInFlow,
        endpoints: &SignInEndpoints,
        headers: &HeaderMap,
    ) -> Option<String> {
        let (state, nonce, challenge) = (flow.state(), flow.nonce(), flow.challenge());
        let redirect_uri = self.url(CALLBACK);
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid"),
            ("resource", self.gate.audience()),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("ui_locales", language_of(headers).tag()),
        ];
        if self.requires == RequiredSignIn::Device {
            parameters.push(("acr_values", DEVICE_ALONE));
        }
        answers::with_query(&endpoints.authorization, &parameters)
    }

    /// Takes away what earlier sign-ins of this browser left, so that cookies do not become more and more: what cannot be
    /// read or is over, and of the others the oldest that do not fit beside the new one.
    fn left_over(&self, headers: &HeaderMap, new: usize, now: Timestamp) -> Vec<HeaderValue> {
        let earlier = cookie::own_cookies(headers).filter(|(name, _)| name.starts_with(cookie::SIGN_IN));
        let mut earlier: Vec<_> = earlier
            .map(|(name, sealed)| {
                (self.flow(sealed, now).map(|flow| flow.begun), name, name.len() + sealed.len())
            })
            .collect();
        earlier.sort_unstable();
        let (mut kept, mut length) = (1, new);
        // From the newest on; what cannot be read is the last.
        let over = earlier.iter().rev().filter(|(begun, _, size)| {
            kept += 1;
            length += size;
            begun.is_none() || kept > MOST || length > LONGEST_TOGETHER
        });
        over.filter_map(|(_, name, _)| cookie::remove(name)).collect()
    }

    /// A sign-in that is under way.
    pub(super) fn flow(&self, sealed: &str, now: Timestamp) -> Option<SignInFlow> {
        let flow = SignInFlow::from_bytes(&self.sealer.open(Purpose::SignIn, sealed)?)?;
        (now < flow.begun.plus(self.limits.sign_in)).then_some(flow)
    }
}
