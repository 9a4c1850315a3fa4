//! An OCSP client of few words.
#![allow(dead_code)]

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::sync::Arc;
use tegata_ca::ocsp::OcspError;
use tegata_ca::{IssuingCa, OcspRequest, OcspResponders, OcspResponse};
use tegata_core::{Serial, Timestamp};
use tegata_storage::StatusCache;
use tegata_testkit::ca::CaFixture;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The OCSP responders of an installation with their status cache, which follows the feed only when told to.
pub struct OcspFixture {
    pub status: Arc<StatusCache>,
    pub responders: OcspResponders,
}

impl OcspFixture {
    pub async fn open(fixture: &CaFixture, now: Timestamp) -> Self {
        let status = StatusCache::load(fixture.ledger.clone(), now).await.unwrap();
        Self { responders: OcspResponders::new(status.clone(), fixture.entropy.clone()), status }
    }

    /// What the responder says of a serial after the cache has heard of everything.
    pub async fn ask(&self, authority: &IssuingCa, serial: &Serial, now: Timestamp) -> OcspReading {
        self.status.catch_up(now).await.unwrap();
        status(&self.answer(authority, serial, now).await.der, serial)
    }

    /// The answer as it leaves, by the cache as it is.
    pub async fn answer(&self, authority: &IssuingCa, serial: &Serial, now: Timestamp) -> OcspResponse {
        self.responders.answer(authority, ask_for(authority, serial), now).await
    }
}

/// A request of RFC 6960 section 4.1.1 for one certificate, with SHA-1 as clients send it.
pub fn ask_for(authority: &IssuingCa, serial: &Serial) -> Result<OcspRequest, OcspError> {
    let (_, issuer) = X509Certificate::from_der(authority.issuer().certificate()).unwrap();
    let hash = |bytes: &[u8]| tlv(0x04, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
    let sha1 = tlv(0x30, &[&[0x06, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0]]);
    let (name, key) = (hash(issuer.subject().as_raw()), hash(&issuer.public_key().subject_public_key.data));
    let id = tlv(0x30, &[&sha1, &name, &key, &tlv(0x02, &[serial.as_bytes()])]);
    OcspRequest::parse(&tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&id])])])]))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OcspReading {
    Good,
    Revoked(Option<u8>),
    Unknown,
}

/// The certStatus, which follows the serial in the only `SingleResponse` (RFC 6960 section 4.2.1).
pub fn status(response: &[u8], serial: &Serial) -> OcspReading {
    let serial = serial.as_bytes();
    let at = response.windows(serial.len()).position(|window| window == serial);
    match &response[at.expect("an answer about this serial") + serial.len()..] {
        [0x80, 0, ..] => OcspReading::Good,
        [0x82, 0, ..] => OcspReading::Unknown,
        // A GeneralizedTime of 17 octets, then [0] { ENUMERATED reason } of 5.
        [0xa1, 22, rest @ ..] => OcspReading::Revoked(Some(rest[21])),
        [0xa1, 17, ..] => OcspReading::Revoked(None),
        other => panic!("no status: {:02x?}", &other[..4]),
    }
}

/// One element of DER, shorter than 128 octets.
fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&[tag, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
}
