//! A client of SCEP (RFC 8894) as a maker of devices would write it, or as an attacker would.

pub use tegata_testkit::scep::{CERT_POLL, GET_CERT, GET_CRL, Message, PKCS_REQ, RENEWAL_REQ, Reply, Scribe};

use crate::curl::{Curl, CurlAnswer, escaped};
use std::ops::Deref;
use std::path::PathBuf;

/// A client which knows one server.
#[derive(Debug)]
pub struct ScepClient {
    scribe: Scribe,
    url: String,
}

impl ScepClient {
    /// A client that has fetched the certificates.
    pub fn new(folder: PathBuf, url: &str) -> Self {
        Self::of_ca(folder, url, "tegata")
    }

    /// A client of one CA among several.
    pub fn of_ca(folder: PathBuf, url: &str, ca: &str) -> Self {
        let bag = Curl::to(&format!("{url}?operation=GetCACert&message={ca}")).send().expect(200);
        assert_eq!(bag.header("content-type"), "application/x-x509-ca-ra-cert");
        Self { scribe: Scribe::new(folder, &bag.body), url: url.to_owned() }
    }

    /// Sends a message and reads the answer.
    pub fn send(&self, message: &Message<'_>) -> Reply {
        let (bytes, nonce) = self.put_together(message);
        self.read_reply(message, &nonce, &self.post(&bytes).expect(200))
    }

    /// Posts any bytes.
    pub fn post(&self, bytes: &[u8]) -> CurlAnswer {
        let url = format!("{}?operation=PKIOperation", self.url);
        Curl::to(&url).body("application/x-pki-message", bytes).send()
    }

    /// Sends any bytes in a query.
    pub fn get(&self, bytes: &[u8]) -> CurlAnswer {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        Curl::to(&format!("{}?operation=PKIOperation&message={}", self.url, escaped(&text))).send()
    }

    /// An answer whose signature holds, for the holder of the signer's key.
    pub fn read_reply(&self, message: &Message<'_>, nonce: &[u8], answer: &CurlAnswer) -> Reply {
        assert_eq!(answer.header("content-type"), "application/x-pki-message");
        self.understand(message, nonce, &answer.body)
    }
}

impl Deref for ScepClient {
    type Target = Scribe;

    fn deref(&self) -> &Scribe {
        &self.scribe
    }
}
