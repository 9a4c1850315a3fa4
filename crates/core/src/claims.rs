//! The claims of access tokens (RFC 9068), bound to a certificate (RFC 8705 section 3.1) or to a key (RFC 9449 section 6).

use crate::encoding::base64url;
use crate::id::{DeviceId, SiteId, TenantId};
use crate::status_list::StatusClaim;
use crate::thumbprint::{JwkThumbprint, Thumbprint};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The `typ` of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";

/// The longest life of an access token. It has to stay below the grace of a renewal, and short enough that nobody comes
/// to rely on it in place of the feed. What is denied by its time of issue is forgotten after it.
pub const LONGEST_LIFETIME: Duration = Duration::from_hours(1);

/// The claims of an access token. Times are seconds since the epoch, as RFC 7519 counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer's URL, exactly as its metadata says it.
    pub iss: String,
    /// Who asks: `device:{id}`, or `person:{hash}` where a person uses the device. The prefixes keep the two apart.
    pub sub: String,
    /// The product the token is for.
    pub aud: String,
    /// The OAuth client: the device's identifier, or whoever redeemed an authorization code on it.
    pub client_id: String,
    /// When it was issued.
    pub iat: i64,
    /// When the token expires, in seconds since the epoch.
    pub exp: i64,
    /// Before when it is not to be used; Tegata's own tokens begin when they are issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Its name: 128 random bits.
    pub jti: String,
    /// What it is bound to.
    pub cnf: Confirmation,
    /// Of a token that is bound to a key: the certificate that its device showed when it asked. What ends that certificate
    /// ends the token.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub shown_certificate: Option<Thumbprint>,
    /// The legal entity the device belongs to.
    pub tenant: TenantId,
    /// The store the device stands in.
    pub site: SiteId,
    /// The device that the token was issued to.
    pub device: DeviceId,
    /// Which certificate of the device.
    pub generation: u32,
    /// What of the product it is good for, separated by spaces (RFC 9068 section 2.2.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Where `sub` is a person: the device that acts for the person (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<ActorClaim>,
    /// Where the status of its certificate is published, for those who follow no feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim>,
    /// The session of the person that it came from. When the session ends, the feed denies this name as it denies a token's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// When the person proved who they are (RFC 9068 section 2.2.1); none where their provider has not said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How well it is known who asks: one of [`acr`]. Tokens that came by an authorization code say it, and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what it is known, in the words of RFC 8176.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
}

/// How well it is known who asks: the values of `acr`, each better than the one before.
pub mod acr {
    /// The certificate of an enrolled device, and nobody in particular who uses it.
    pub const DEVICE: &str = "urn:tegata:acr:device";
    /// A person on an enrolled device, by one factor: an emergency code was the other.
    pub const PERSON: &str = "urn:tegata:acr:person";
    /// A person on an enrolled device, by two factors of their own.
    pub const MFA: &str = "urn:tegata:acr:mfa";

    /// All of them, the weakest first.
    pub const ALL: [&str; 3] = [DEVICE, PERSON, MFA];

    /// Of a person who signed in by these methods.
    pub fn of_person(amr: &[String]) -> &'static str {
        if amr.iter().any(|method| method == "mfa") { MFA } else { PERSON }
    }
}

/// Who acts for the subject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorClaim {
    /// The device as `device:{id}`.
    pub sub: String,
}

impl AccessClaims {
    /// Whether the token names its device everywhere it has to: as the subject or as what acts for a person; and as the
    /// client, unless another client redeemed a code on it.
    pub fn names_its_device(&self) -> bool {
        let is_device =
            |subject: &str| subject.strip_prefix(DEVICE).is_some_and(|name| name == self.device.as_str());
        let by_itself = is_device(&self.sub) && self.act.is_none();
        let for_a_person = is_person(&self.sub) && self.act.as_ref().is_some_and(|act| is_device(&act.sub));
        let client = self.client_id == self.device.as_str() || self.acr.is_some();
        client && (by_itself || for_a_person)
    }

    /// The certificate of its device: the one that it is bound to, or the one that the device showed when it asked for a
    /// token that is bound to a key. A token that says both, or neither, has none and is nobody's.
    pub fn certificate(&self) -> Option<&Thumbprint> {
        self.cnf.certificate(self.shown_certificate.as_ref())
    }

    /// Whether its scope has this one.
    pub fn has_scope(&self, wanted: &str) -> bool {
        self.scope.as_deref().is_some_and(|scope| scope.split(' ').any(|one| one == wanted))
    }

    /// The person's subject, where a person uses the device.
    pub fn person(&self) -> Option<&str> {
        Some(&*self.sub).filter(|subject| is_person(subject))
    }
}

/// How whoever shows a token proves that it is theirs, by exactly one means. A second member is refused: a gate that does not
/// understand a confirmation method must not accept the token (RFC 7800 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Confirmation {
    /// By the certificate of the connection: SHA-256 of its DER (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(Thumbprint),
    /// By a key that signs a proof for each request (RFC 9449 section 6.1).
    #[serde(rename = "jkt")]
    Key(JwkThumbprint),
}

impl Confirmation {
    /// The key that signs proofs; none where a certificate proves it.
    pub const fn key(&self) -> Option<&JwkThumbprint> {
        match self {
            Self::Certificate(_) => None,
            Self::Key(key) => Some(key),
        }
    }

    /// The certificate behind a token: what it is bound to, or what was shown for a token that is bound to a key.
    pub const fn certificate<'a>(&'a self, shown: Option<&'a Thumbprint>) -> Option<&'a Thumbprint> {
        match (self, shown) {
            (Self::Certificate(bound), None) => Some(bound),
            (Self::Key(_), Some(shown)) => Some(shown),
            (Self::Certificate(_), Some(_)) | (Self::Key(_), None) => None,
        }
    }
}

/// The subject of a device's tokens.
pub fn device_subject(device: &DeviceId) -> String {
    format!("{DEVICE}{device}")
}

const DEVICE: &str = "device:";

const PERSON: &str = "person:";

/// The subject of a person whom an identity provider calls `name`: `person:` and base64url of SHA-256 over the issuer, a
/// zero byte, and the name. It says who it is to nobody who does not know both, and never changes.
pub fn person_subject(issuer: &str, name: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(issuer.as_bytes());
    context.update(&[0]);
    context.update(name.as_bytes());
    format!("{PERSON}{}", base64url(context.finish().as_ref()))
}

/// Whether a subject is a person's.
pub fn is_person(subject: &str) -> bool {
    subject.starts_with(PERSON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Seeded;

    #[test]
    fn a_token_is_bound_in_one_way_and_says_so_in_one_member() {
        let (one, key) = (Thumbprint::of(b"certificate"), JwkThumbprint::of("{}"));
        for (cnf, text) in [
            (Confirmation::Certificate(one), format!(r#"{{"x5t#S256":"{one}"}}"#)),
            (Confirmation::Key(key), format!(r#"{{"jkt":"{key}"}}"#)),
        ] {
            assert_eq!(serde_json::to_string(&cnf).unwrap(), text);
            assert_eq!(serde_json::from_str::<Confirmation>(&text).unwrap(), cnf);
        }
        for wrong in [
            "{}".to_owned(),
            "null".into(),
            r#""jkt""#.into(),
            format!(r#"{{"x5t#S256":"{one}","jkt":"{key}"}}"#),
            format!(r#"{{"jkt":"{key}","x5t#S256":"{one}"}}"#),
            format!(r#"{{"jkt":"{key}","jkt":"{key}"}}"#),
            format!(r#"{{"jkt":"{key}","kid":"1"}}"#),
            format!(r#"{{"jkt":"{key}="}}"#),
            r#"{"jkt":"short"}"#.into(),
            format!(r#"{{"x5t":"{one}"}}"#),
        ] {
            assert!(serde_json::from_str::<Confirmation>(&wrong).is_err(), "{wrong}");
        }
        assert_eq!(Confirmation::Certificate(one).certificate(None), Some(&one));
        assert_eq!(Confirmation::Key(key).certificate(Some(&one)), Some(&one));
        assert_eq!(Confirmation::Certificate(one).certificate(Some(&one)), None, "mixed");
        assert_eq!(Confirmation::Key(key).certificate(None), None);
    }

    #[test]
    fn a_person_has_one_subject_at_one_provider_and_never_a_device_s() {
        let subject = person_subject("https://idp.example", "staff-1");
        assert_eq!(subject, person_subject("https://idp.example", "staff-1"));
        assert_eq!(subject.len(), PERSON.len() + 43);
        for other in [
            person_subject("https://idp.example", "staff-2"),
            person_subject("https://other.example", "staff-1"),
            person_subject("https://idp.examples", "taff-1"),
            device_subject(&DeviceId::random(&Seeded::new(1))),
        ] {
            assert_ne!(subject, other);
        }
        assert!(!subject.contains("staff"));
    }
}
