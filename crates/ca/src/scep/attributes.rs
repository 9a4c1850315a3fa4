//! The signed attributes by which a message says what it is (RFC 8894 section 3.2.1).

use super::{Address, Fault, ScepMessageType};
use crate::der::{self, DerReader, tag};
use crate::oid;
use crate::pkcs7::SignedAttributes;

const MESSAGE_TYPE: u8 = 2;
const PKI_STATUS: u8 = 3;
const FAIL_INFO: u8 = 4;
const SENDER_NONCE: u8 = 5;
const RECIPIENT_NONCE: u8 = 6;
const TRANSACTION: u8 = 7;

/// The types that clients write a transaction in; it is a `PrintableString` (RFC 8894 section 3.2.1.1).
const STRINGS: [u8; 3] = [tag::PRINTABLE_STRING, tag::UTF8_STRING, tag::IA5_STRING];

impl Address {
    /// None without a transaction, which an answer has to name.
    pub(super) fn read(attributes: &SignedAttributes) -> Option<Self> {
        let transaction = attributes.value(&oid::scep(TRANSACTION))?;
        string(transaction)?;
        let nonce = attributes.value(&oid::scep(SENDER_NONCE));
        let nonce = nonce.filter(|nonce| DerReader::single(nonce, tag::OCTET_STRING).is_ok());
        Some(Self { transaction: transaction.to_vec(), nonce: nonce.map(<[u8]>::to_vec) })
    }
}

/// The message type of a request whose transaction and nonce have their proper form, too.
pub(super) fn check(attributes: &SignedAttributes) -> Result<ScepMessageType, Fault> {
    let value = |name| attributes.value(&oid::scep(name));
    let kind = value(MESSAGE_TYPE).and_then(string).and_then(kind).ok_or(Fault::TYPE)?;
    if value(TRANSACTION).and_then(string).is_none_or(<[u8]>::is_empty) {
        return Err(Fault::TRANSACTION);
    }
    // A nonce has 16 octets (RFC 8894 section 3.2.1.5); there are clients with other ideas, and it is theirs.
    let nonce = value(SENDER_NONCE).and_then(|nonce| DerReader::single(nonce, tag::OCTET_STRING).ok());
    if nonce.is_none_or(|nonce| nonce.content.is_empty()) {
        return Err(Fault::NONCE);
    }
    Ok(kind)
}

fn string(value: &[u8]) -> Option<&[u8]> {
    STRINGS.into_iter().find_map(|tag| DerReader::single(value, tag).ok()).map(|string| string.content)
}

fn kind(number: &[u8]) -> Option<ScepMessageType> {
    match number {
        b"19" => Some(ScepMessageType::PkcsReq),
        b"17" => Some(ScepMessageType::RenewalReq),
        b"20" => Some(ScepMessageType::CertPoll),
        b"21" => Some(ScepMessageType::GetCert),
        b"22" => Some(ScepMessageType::GetCrl),
        _ => None,
    }
}

/// The attributes of a reply that all replies have: its kind, whom it answers, and a nonce of its own.
pub(super) struct ReplyAttributes(Vec<(Vec<u8>, Vec<u8>)>);

impl ReplyAttributes {
    /// `status` is 0 for success, 2 for failure, 3 for waiting.
    pub(super) fn new(status: char, address: &Address, nonce: [u8; 16]) -> Self {
        let name = |attribute| oid::scep(attribute).to_vec();
        let mut attributes = vec![
            (name(MESSAGE_TYPE), der::element(tag::PRINTABLE_STRING, &[b"3"])),
            (name(PKI_STATUS), digit(status)),
            (name(TRANSACTION), address.transaction.clone()),
            (name(SENDER_NONCE), der::element(tag::OCTET_STRING, &[&nonce])),
        ];
        attributes.extend(address.nonce.iter().map(|asked| (name(RECIPIENT_NONCE), asked.clone())));
        Self(attributes)
    }

    /// The attributes in the shape that [`ContentSigner::sign_with`](crate::pkcs7::ContentSigner) takes, followed by
    /// `more`, which only a failure has.
    pub(super) fn list<'a>(&'a self, more: &'a [(Vec<u8>, Vec<u8>)]) -> Vec<(&'a [u8], Vec<u8>)> {
        self.0.iter().chain(more).map(|(name, value)| (name.as_slice(), value.clone())).collect()
    }
}

/// The attributes that a failure has besides: `failInfo` for programs, `failInfoText` for people.
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
