//! A request that a gate let in.

use crate::session::SessionFacts;
use std::time::Duration;
use tegata_core::claims::{AccessClaims, is_person};
use tegata_core::feed::Denials;
use tegata_core::{DeviceId, JwkThumbprint, Refusal, SiteId, TenantId, Thumbprint, Timestamp};

/// Who asks, as handlers find it in the request's extensions: by an access token, or by a browser's session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedRequest(Credential);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Credential {
    Token {
        claims: Box<AccessClaims>,
        /// Of its device: what the token is bound to, or what was shown for a token that is bound to a key.
        certificate: Thumbprint,
    },
    Session {
        facts: SessionFacts,
        /// The certificate of the connection, perhaps a newer one than signed in.
        presented: Thumbprint,
        until: Timestamp,
    },
}

/// How a person signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignInFacts<'a> {
    /// The authentication context: what kind of sign-in it was.
    pub acr: &'a str,
    /// By which methods (RFC 8176).
    pub amr: Vec<&'a str>,
    /// When, in seconds since the epoch; none where the device signed in by itself.
    pub auth_time: Option<i64>,
}

impl VerifiedRequest {
    /// What a signed text says.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let claims: Box<AccessClaims> = serde_json::from_slice(payload).ok()?;
        let certificate = *claims.certificate()?;
        Some(Self(Credential::Token { claims, certificate }))
    }

    /// A session that goes on until then unless it is used again, on a connection with this certificate.
    pub(crate) fn of_session(facts: SessionFacts, presented: Thumbprint, until: Timestamp) -> Self {
        Self(Credential::Session { facts, presented, until })
    }

    /// Whether a token may be used now. Sessions were asked before they came here.
    pub(crate) fn in_time(&self, now: Timestamp, leeway: Duration) -> Result<(), Refusal> {
        let Credential::Token { claims, .. } = &self.0 else { return Ok(()) };
        let horizon = now.plus(leeway);
        let begun = |seconds: i64| Timestamp::from_seconds(seconds) <= horizon;
        if now >= Timestamp::from_seconds(claims.exp) {
            Err(Refusal::TokenEnded)
        } else if begun(claims.iat) && claims.nbf.is_none_or(begun) {
            Ok(())
        } else {
            Err(Refusal::TokenNotYetValid)
        }
    }

    /// Whether what was begun in time may go on. A session's end is the end of it; a token is asked for when something begins.
    pub(crate) fn goes_on(&self, now: Timestamp) -> Result<(), Refusal> {
        match &self.0 {
            Credential::Session { until, .. } if now >= *until => Err(Refusal::SessionOver),
            _ => Ok(()),
        }
    }

    /// Whether the token itself, or the session, was ended before its time.
    pub(crate) fn ended_by(&self, denials: &Denials) -> Result<(), Refusal> {
        match &self.0 {
            Credential::Token { claims, .. } if denials.denies_token(claims) => Err(Refusal::TokenRevoked),
            Credential::Session { facts, .. } if ends_session(denials, facts) => Err(Refusal::SessionOver),
            _ => Ok(()),
        }
    }

    /// Whether the connection of this certificate may bring the token. Both thumbprints are hashes of public certificates:
    /// comparing them in varying time tells nobody anything.
    pub(crate) fn is_bound_to(&self, presented: Option<&Thumbprint>) -> Result<(), Refusal> {
        if self.key().is_some() {
            // It was stripped to Bearer.
            return Err(Refusal::DpopProofInvalid);
        }
        let presented = presented.ok_or(Refusal::NoCertificate)?;
        if presented == self.thumbprint() { Ok(()) } else { Err(Refusal::TokenNotBound) }
    }

    /// The key that proved the request; none where the certificate of the connection did.
    pub fn key(&self) -> Option<&JwkThumbprint> {
        self.claims().and_then(|claims| claims.cnf.key())
    }

    /// Everything the token says; none where a browser came with a session.
    pub fn claims(&self) -> Option<&AccessClaims> {
        match &self.0 {
            Credential::Token { claims, .. } => Some(claims),
            Credential::Session { .. } => None,
        }
    }

    /// When it ends by itself: the end of the token, or of a session that is not used again.
    pub fn ends(&self) -> Timestamp {
        match &self.0 {
            Credential::Token { claims, .. } => Timestamp::from_seconds(claims.exp),
            Credential::Session { until, .. } => *until,
        }
    }

    /// The device that asks.
    pub fn device(&self) -> &DeviceId {
        match &self.0 {
            Credential::Token { claims, .. } => &claims.device,
            Credential::Session { facts, .. } => &facts.device,
        }
    }

    /// Who asks: `device:{id}`, or `person:{hash}` where a person uses the device.
    pub fn subject(&self) -> &str {
        match &self.0 {
            Credential::Token { claims, .. } => &claims.sub,
            Credential::Session { facts, .. } => &facts.subject,
        }
    }

    /// The person who uses it, by a name that is stable and says nothing; none where the device asks for itself.
    pub fn person(&self) -> Option<&str> {
        Some(self.subject()).filter(|subject| is_person(subject))
    }

    /// How the sign-in was done; none where it is not known.
    pub fn sign_in(&self) -> Option<SignInFacts<'_>> {
        match &self.0 {
            Credential::Token { claims, .. } => Some(SignInFacts {
                acr: claims.acr.as_deref()?,
                amr: claims.amr.iter().flatten().map(String::as_str).collect(),
                auth_time: claims.auth_time,
            }),
            Credential::Session { facts, .. } => Some(SignInFacts {
                acr: &facts.acr,
                amr: facts.amr.split_ascii_whitespace().collect(),
                auth_time: facts.auth_time,
            }),
        }
    }

    /// The legal entity it belongs to.
    pub fn tenant(&self) -> &TenantId {
        match &self.0 {
            Credential::Token { claims, .. } => &claims.tenant,
            Credential::Session { facts, .. } => &facts.tenant,
        }
    }

    /// The store it stands in.
    pub fn site(&self) -> &SiteId {
        match &self.0 {
            Credential::Token { claims, .. } => &claims.site,
            Credential::Session { facts, .. } => &facts.site,
        }
    }

    /// Which certificate of the device it presented, counted from 1. Of a session, the one that signed in: it goes on with
    /// a renewed certificate.
    pub fn generation(&self) -> u32 {
        match &self.0 {
            Credential::Token { claims, .. } => claims.generation,
            Credential::Session { facts, .. } => facts.generation,
        }
    }

    /// The certificate it presented: here, or, of a token that is bound to a key, to the platform when it asked for the token.
    pub fn thumbprint(&self) -> &Thumbprint {
        match &self.0 {
            Credential::Token { certificate, .. } => certificate,
            Credential::Session { presented, .. } => presented,
        }
    }
}

/// A person's session is denied as a token is, by its name; a device that was signed out, by the time.
fn ends_session(denials: &Denials, facts: &SessionFacts) -> bool {
    facts.sid.as_deref().is_some_and(|sid| denials.token_denied(sid))
        || denials.tokens_before(&facts.tenant, &facts.device).is_some_and(|moment| facts.issued < moment)
}
