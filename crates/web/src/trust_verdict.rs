//! Whether a presented certificate was issued here.
//!
//! The leaf is checked by webpki against the issuing CAs alone: whatever else a client sends along is
//! not looked at, so nothing but the leaf can match. webpki treats a trust anchor as a name and a key
//! and never asks whether it may sign certificates or still lives; those questions are answered here,
//! when the issuers are loaded and by the clock of each connection.
//!
//! A CA taken over from another authority stands beside them, below no root of ours. That a leaf is signed by it
//! opens nothing: the ledger holds the few certificates of it that were taken over, and refuses all others.
//!
//! A signature that held once holds for ever, so a leaf that was verified is remembered by its SHA-256 together with the
//! issuer that signed it. Nothing else is: whether that issuer lives is asked at every judgment, a change of issuers
//! makes a new set with an empty memory, and what may end between two connections (the leaf's life, its revocation) is
//! decided by the ledger at every request. That the client has the key is proved in every handshake.
//!
//! The end of the leaf's own life is no matter of the path: the ledger's standing rule says "expired",
//! which a person can act on, where "foreign" would mislead them.

pub use rustls::DistinguishedName;
use rustls::crypto::ring::default_provider;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use tegata_core::{Thumbprint, Timestamp, VerifiedCache};
use thiserror::Error;
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder, anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2, as the content bytes of its OID. webpki's own constant for
/// clients also takes a leaf that names no purpose at all.
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Where a certificate comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrustVerdict {
    /// Signed by one of our issuing CAs, or one taken over, for client authentication.
    Trusted,
    /// The certificate leads to no trusted issuer.
    Foreign,
}

/// The issuing CAs of this installation.
#[derive(Debug)]
pub struct TrustedIssuers {
    issuers: Vec<TrustedIssuer>,
    /// Names that are sent as hints beside those of the issuers.
    more_hints: Vec<DistinguishedName>,
    /// Leaves that were found to be signed, and the place of their issuer.
    verified: VerifiedCache<usize>,
}

/// Leaves remembered, in less than 100 bytes each. Only leaves that an issuer signed take room.
const REMEMBERED: usize = 100_000;

/// Why a CA certificate cannot be an issuer of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UnfitIssuer {
    /// It is not a certificate in DER.
    #[error("a CA certificate cannot be read")]
    Unreadable,
    /// Basic constraints do not say CA (RFC 5280 section 4.2.1.9).
    #[error("a CA certificate does not say that it is a CA")]
    NotACa,
    /// The key usage lacks keyCertSign (RFC 5280 section 4.2.1.3).
    #[error("a CA certificate may not sign certificates")]
    MayNotSign,
    /// The extended key usage rules client authentication out.
    #[error("a CA certificate is not for client authentication")]
    NotForClients,
    /// None of the installation's roots signed it.
    #[error("an issuing CA certificate is not signed by a root of this installation")]
    NotOfThisRoot,
}

#[derive(Debug)]
struct TrustedIssuer {
    anchor: TrustAnchor<'static>,
    subject: DistinguishedName,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl TrustedIssuers {
    /// From the roots, the issuing CAs below them, and those taken over from other authorities. One unfit issuer
    /// refuses the whole set: what an operator configured and what is trusted must never differ in silence.
    pub fn new<'a>(
        roots: impl IntoIterator<Item = &'a [u8]>,
        issuing: impl IntoIterator<Item = &'a [u8]>,
        foreign: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, UnfitIssuer> {
        let roots = roots.into_iter().map(read_ca).collect::<Result<Vec<_>, _>>()?;
        let below = |der| {
            let issuer = read_ca(der)?;
            let root =
                roots.iter().find(|root| is_signed_by(root, &issuer)).ok_or(UnfitIssuer::NotOfThisRoot)?;
            TrustedIssuer::new(der, Some(root))
        };
        let own = issuing.into_iter().map(below);
        let foreign = foreign.into_iter().map(|der| TrustedIssuer::new(der, None));
        let issuers = own.chain(foreign).collect::<Result<_, _>>()?;
        Ok(Self { issuers, more_hints: Vec::new(), verified: VerifiedCache::new(REMEMBERED) })
    }

    /// Of CAs that no root of ours knows: those of registered clients. They say nothing about devices.
    pub fn of_clients<'a>(cas: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, UnfitIssuer> {
        Self::new([], [], cas)
    }

    /// These issuers with further names in [`TrustedIssuers::hints`].
    #[must_use]
    pub fn also_hinting(self, more_hints: Vec<DistinguishedName>) -> Self {
        Self { more_hints, ..self }
    }

    /// The verdict on a leaf at the time of its connection.
    pub fn judge(&self, leaf: &[u8], now: Timestamp) -> TrustVerdict {
        self.judge_named(leaf, &Thumbprint::of(leaf), now)
    }

    /// The verdict on a leaf whose thumbprint is known already, as in [`TrustedIssuers::judge`].
    pub(crate) fn judge_named(&self, leaf: &[u8], thumbprint: &Thumbprint, now: Timestamp) -> TrustVerdict {
        if self.verified.get(thumbprint).is_some_and(|place| self.issuers[place].lives_at(now)) {
            return TrustVerdict::Trusted;
        }
        let Ok(place) = self.issuer_of(leaf, now, &[]) else { return TrustVerdict::Foreign };
        self.verified.insert(*thumbprint, place);
        TrustVerdict::Trusted
    }

    /// The names to tell clients, so that they offer certificates of these issuers. Browsers compare
    /// them with the leaf's issuer: a root's name would make them offer nothing.
    pub fn hints(&self) -> Vec<DistinguishedName> {
        self.issuers.iter().map(|issuer| issuer.subject.clone()).chain(self.more_hints.clone()).collect()
    }

    /// Looked up in `lists`, unless there are none. Each list counts for its issuer alone; when it ends is not looked at.
    /// Nothing of it is remembered: lists change.
    pub(crate) fn verify(
        &self,
        leaf: &[u8],
        now: Timestamp,
        lists: &[&CertRevocationList<'_>],
    ) -> Result<(), webpki::Error> {
        self.issuer_of(leaf, now, lists).map(drop)
    }

    /// The place of the living issuer that signed the leaf.
    fn issuer_of(
        &self,
        leaf: &[u8],
        now: Timestamp,
        lists: &[&CertRevocationList<'_>],
    ) -> Result<usize, webpki::Error> {
        let (places, living): (Vec<_>, Vec<_>) = self
            .issuers
            .iter()
            .enumerate()
            .filter(|(_, issuer)| issuer.lives_at(now))
            .map(|(place, issuer)| (place, issuer.anchor.clone()))
            .unzip();
        let first_day = first_day(leaf).ok_or(webpki::Error::BadDer)?;
        let der = CertificateDer::from(leaf);
        let looked_up = RevocationOptionsBuilder::new(lists).ok().map(RevocationOptionsBuilder::build);
        let leaf = EndEntityCert::try_from(&der)?;
        let path = leaf.verify_for_usage(
            default_provider().signature_verification_algorithms.all,
            &living,
            &[],
            first_day,
            KeyUsage::required(CLIENT_AUTH),
            looked_up,
            None,
        )?;
        let found = living.iter().position(|anchor| anchor == path.anchor());
        found.map(|found| places[found]).ok_or(webpki::Error::UnknownIssuer)
    }
}

impl TrustedIssuer {
    /// It lives no longer than the root above it, where there is one.
    fn new(der: &[u8], root: Option<&X509Certificate<'_>>) -> Result<Self, UnfitIssuer> {
        let certificate = read_ca(der)?;
        check_for_clients(&certificate)?;
        let anchor = anchor_from_trusted_cert(&CertificateDer::from(der))
            .map_err(|_| UnfitIssuer::Unreadable)?
            .to_owned();
        let window = |certificate: &X509Certificate<'_>| {
            let validity = certificate.validity();
            (validity.not_before.timestamp(), validity.not_after.timestamp())
        };
        let (own_start, own_end) = window(&certificate);
        let (root_start, root_end) = root.map_or((own_start, own_end), window);
        Ok(Self {
            anchor,
            subject: DistinguishedName::from(certificate.subject().as_raw().to_vec()),
            not_before: Timestamp::from_seconds(own_start.max(root_start)),
            not_after: Timestamp::from_seconds(own_end.min(root_end)),
        })
    }

    fn lives_at(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now.whole_second())
    }
}

/// A moment at which the leaf is certainly within its life, so that webpki has nothing to say about it.
fn first_day(leaf: &[u8]) -> Option<UnixTime> {
    let seconds = read(leaf).ok()?.validity().not_before.timestamp();
    Some(UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).ok()?)))
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, UnfitIssuer> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(UnfitIssuer::Unreadable),
    }
}

/// An absent key usage allows everything in RFC 5280; ours is always there, so absence is refused.
fn read_ca(der: &[u8]) -> Result<X509Certificate<'_>, UnfitIssuer> {
    let certificate = read(der)?;
    let constraints = certificate.basic_constraints().map_err(|_| UnfitIssuer::Unreadable)?;
    if !constraints.is_some_and(|extension| extension.value.ca) {
        return Err(UnfitIssuer::NotACa);
    }
    let usage = certificate.key_usage().map_err(|_| UnfitIssuer::Unreadable)?;
    if !usage.is_some_and(|extension| extension.value.key_cert_sign()) {
        return Err(UnfitIssuer::MayNotSign);
    }
    Ok(certificate)
}

fn check_for_clients(certificate: &X509Certificate<'_>) -> Result<(), UnfitIssuer> {
    let usage = certificate.extended_key_usage().map_err(|_| UnfitIssuer::Unreadable)?;
    let allowed = usage.is_none_or(|extension| extension.value.client_auth || extension.value.any);
    if allowed { Ok(()) } else { Err(UnfitIssuer::NotForClients) }
}

fn is_signed_by(root: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == root.subject().as_raw()
        && certificate.verify_signature(Some(root.public_key())).is_ok()
}
