//! The signed attributes by which a message says what it is (RFC 8894 section 3.2.1).

use super::MessageType;
use crate::der::{self, Reader, tag};
use crate::oid;
use crate::pkcs7::SignedMessage;

const MESSAGE_TYPE: u8 = 2;
const PKI_STATUS: u8 = 3;
const FAIL_INFO: u8 = 4;
const SENDER_NONCE: u8 = 5;
const RECIPIENT_NONCE: u8 = 6;
const TRANSACTION: u8 = 7;

/// Clients take a hash of their key in hexadecimal, or a UUID.
const LONGEST_TRANSACTION: usize = 128;

/// Nonces have 16 octets (RFC 8894 section 3.2.1.5); there are clients with other ideas.
const LONGEST_NONCE: usize = 64;

/// What a request says of itself.
pub(super) struct Named {
    pub(super) kind: MessageType,
    /// Whole elements.
    pub(super) transaction: Vec<u8>,
    pub(super) nonce: Vec<u8>,
}

impl Named {
    pub(super) fn read(signed: &SignedMessage) -> Option<Self> {
        let value = |name| signed.attribute(&oid::scep(name));
        let kind = match Reader::single(value(MESSAGE_TYPE)?, tag::PRINTABLE_STRING).ok()?.content {
            b"19" => MessageType::PkcsReq,
            b"17" => MessageType::RenewalReq,
            b"20" => MessageType::CertPoll,
            b"21" => MessageType::GetCert,
            b"22" => MessageType::GetCrl,
            _ => return None,
        };
        let transaction = value(TRANSACTION)?;
        let text = [tag::PRINTABLE_STRING, tag::UTF8_STRING, tag::IA5_STRING]
            .into_iter()
            .find_map(|tag| Reader::single(transaction, tag).ok())?;
        let is_plain = text.content.iter().all(u8::is_ascii_graphic);
        if !is_plain || !(1..=LONGEST_TRANSACTION).contains(&text.content.len()) {
            return None;
        }
        let nonce = value(SENDER_NONCE)?;
        let octets = Reader::single(nonce, tag::OCTET_STRING).ok()?.content;
        if !(1..=LONGEST_NONCE).contains(&octets.len()) {
            return None;
        }
        Some(Self { kind, transaction: transaction.to_vec(), nonce: nonce.to_vec() })
    }
}

/// The attributes of a reply that all replies have: its kind, whom it answers, and a nonce of its own.
pub(super) struct Said([(Vec<u8>, Vec<u8>); 5]);

impl Said {
    /// `status` is 0 for success, 2 for failure, 3 for waiting.
    pub(super) fn new(status: char, transaction: &[u8], asked: &[u8], nonce: [u8; 16]) -> Self {
        let name = |attribute| oid::scep(attribute).to_vec();
        Self([
            (name(MESSAGE_TYPE), der::element(tag::PRINTABLE_STRING, &[b"3"])),
            (name(PKI_STATUS), digit(status)),
            (name(TRANSACTION), transaction.to_vec()),
            (name(RECIPIENT_NONCE), asked.to_vec()),
            (name(SENDER_NONCE), der::element(tag::OCTET_STRING, &[&nonce])),
        ])
    }

    /// As the signer takes them, with what a failure has besides.
    pub(super) fn list<'a>(&'a self, more: &'a [(Vec<u8>, Vec<u8>)]) -> Vec<(&'a [u8], Vec<u8>)> {
        self.0.iter().chain(more).map(|(name, value)| (name.as_slice(), value.clone())).collect()
    }
}

/// What a failure says besides, for programs and for people.
pub(super) fn failure(info: char, text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![
        (oid::scep(FAIL_INFO).to_vec(), digit(info)),
        (oid::SCEP_FAIL_INFO_TEXT.to_vec(), der::element(tag::UTF8_STRING, &[text.as_bytes()])),
    ]
}

fn digit(digit: char) -> Vec<u8> {
    let mut octets = [0; 4];
    der::element(tag::PRINTABLE_STRING, &[digit.encode_utf8(&mut octets).as_bytes()])
}
