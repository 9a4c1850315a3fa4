//! The CAs of registered clients, with their revocation lists.
//!
//! Their certificates are in no ledger. Where the operator names their revocation lists, each certificate is looked up
//! in them at every request; without a list that is still in force nobody of theirs is let in.

use crate::trust_verdict::{TrustedIssuers, UnfitIssuer};
use arc_swap::ArcSwap;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use tegata_core::{Refusal, Timestamp};
use thiserror::Error;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// CAs that issue certificates of registered clients. They say nothing about devices.
#[derive(Debug)]
pub struct ClientCas {
    ders: Vec<Vec<u8>>,
    issuers: TrustedIssuers,
    lists: Option<ArcSwap<RevocationLists>>,
}

/// One list of each CA.
#[derive(Debug)]
pub struct RevocationLists {
    lists: Vec<CertRevocationList<'static>>,
    revoked: usize,
    until: Timestamp,
}

/// Why revocation lists cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UnfitLists {
    /// Neither PEM nor DER of a list of all certificates of a CA.
    #[error("it is not a revocation list: {0}")]
    Unreadable(String),
    /// No trusted CA signed it.
    #[error("a list is signed by none of the CAs")]
    Foreign,
    /// Its CA may sign certificates and no lists (RFC 5280 sections 4.2.1.3 and 6.3.3).
    #[error(
        "the CA of a list may not sign lists: the keyUsage of its certificate lacks cRLSign. Let the CA be renewed with it, or \
         take the list out of the configuration"
    )]
    MayNotSign,
    /// A CA without a list: its certificates could never be looked up.
    #[error("one of the CAs has no list")]
    Missing,
    /// A list that never ends could never be missed.
    #[error("a list does not say when the next one comes")]
    Endless,
}

impl ClientCas {
    /// Reads the certificates of the CAs, each in DER.
    ///
    /// # Errors
    /// [`UnfitIssuer`] when one of them cannot be a CA of clients.
    pub fn new(ders: Vec<Vec<u8>>) -> Result<Self, UnfitIssuer> {
        let issuers = TrustedIssuers::of_clients(ders.iter().map(Vec::as_slice))?;
        Ok(Self { ders, issuers, lists: None })
    }

    /// These CAs, whose certificates are looked up in the given revocation lists.
    #[must_use]
    pub fn with_lists(self, lists: RevocationLists) -> Self {
        Self { lists: Some(ArcSwap::from_pointee(lists)), ..self }
    }

    /// Newer lists, from the next request on. Where none were needed, none are.
    pub fn replace_lists(&self, lists: RevocationLists) {
        if let Some(known) = &self.lists {
            known.store(lists.into());
        }
    }

    /// Reads lists, PEM or one in DER.
    ///
    /// # Errors
    /// [`UnfitLists`] when they do not fit the CAs.
    pub fn read_lists(&self, bytes: &[u8]) -> Result<RevocationLists, UnfitLists> {
        RevocationLists::read(bytes, &self.ders)
    }

    /// The CAs that clients' certificates must lead to.
    pub fn issuers(&self) -> &TrustedIssuers {
        &self.issuers
    }

    /// Whether a leaf is of one of the CAs, for client authentication, and not revoked.
    ///
    /// # Errors
    /// [`Refusal::ForeignCertificate`], [`Refusal::CertificateRevoked`], or [`Refusal::Unavailable`] where no list in
    /// force says which.
    pub fn judge(&self, leaf: &[u8], now: Timestamp) -> Result<(), Refusal> {
        let Some(known) = &self.lists else {
            return self.issuers.verify(leaf, now, &[]).map_err(|_| Refusal::ForeignCertificate);
        };
        let known = known.load();
        let lists: Vec<_> = known.lists.iter().collect();
        match self.issuers.verify(leaf, now, &lists) {
            Ok(()) if now < known.until => Ok(()),
            Ok(()) | Err(webpki::Error::UnknownRevocationStatus) => {
                tracing::error!(until = %known.until, "no revocation list in force knows a client's certificate");
                Err(Refusal::Unavailable)
            }
            Err(webpki::Error::CertRevoked) => Err(Refusal::CertificateRevoked),
            Err(_) => Err(Refusal::ForeignCertificate),
        }
    }
}

impl RevocationLists {
    /// How many certificates are revoked.
    pub fn revoked(&self) -> usize {
        self.revoked
    }

    /// When the first of them ends.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    fn read(bytes: &[u8], cas: &[Vec<u8>]) -> Result<Self, UnfitLists> {
        let unreadable = |why: &dyn std::fmt::Display| UnfitLists::Unreadable(why.to_string());
        let ders = ders_of(bytes).map_err(|error| unreadable(&error))?;
        let (mut lists, mut revoked, mut ends) = (Vec::new(), 0, Vec::new());
        let mut missing: Vec<_> = cas.iter().collect();
        for der in &ders {
            let Ok(([], list)) = CertificateRevocationList::from_der(der) else {
                return Err(unreadable(&"not DER"));
            };
            if !cas.iter().any(|ca| is_signed_by(ca, &list)) {
                return Err(UnfitLists::Foreign);
            }
            if !cas.iter().any(|ca| is_signed_by(ca, &list) && may_sign_lists(ca)) {
                return Err(UnfitLists::MayNotSign);
            }
            missing.retain(|ca| !(is_signed_by(ca, &list) && may_sign_lists(ca)));
            let end = list.next_update().ok_or(UnfitLists::Endless)?.timestamp();
            ends.push(Timestamp::from_seconds(end));
            revoked += list.iter_revoked_certificates().count();
            if list.version().is_none() {
                return Err(unreadable(&"it is of version 1, where RFC 5280 section 5.1.2.1 asks for 2"));
            }
            let owned = OwnedCertRevocationList::from_der(der).map_err(|error| unreadable(&error))?;
            let owned = CertRevocationList::from(owned);
            // One with a scope could be silent about what is revoked in another.
            if owned.issuing_distribution_point().is_some() {
                return Err(unreadable(&"it is for a part of the certificates only"));
            }
            lists.push(owned);
        }
        match ends.into_iter().min() {
            Some(until) if missing.is_empty() => Ok(Self { lists, revoked, until }),
            _ => Err(UnfitLists::Missing),
        }
    }
}

fn ders_of(bytes: &[u8]) -> Result<Vec<Vec<u8>>, rustls_pki_types::pem::Error> {
    const SEQUENCE: u8 = 0x30;
    if bytes.first() == Some(&SEQUENCE) {
        return Ok(vec![bytes.to_vec()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(bytes);
    lists.map(|list| list.map(|list| list.as_ref().to_vec())).collect()
}

fn is_signed_by(ca: &[u8], list: &CertificateRevocationList<'_>) -> bool {
    let Ok(([], ca)) = X509Certificate::from_der(ca) else { return false };
    ca.subject().as_raw() == list.issuer().as_raw() && list.verify_signature(ca.public_key()).is_ok()
}

fn may_sign_lists(ca: &[u8]) -> bool {
    let Ok(([], ca)) = X509Certificate::from_der(ca) else { return false };
    ca.key_usage().ok().flatten().is_some_and(|usage| usage.value.crl_sign())
}
