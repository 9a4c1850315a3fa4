//! What an OCSP answer says of the first certificate asked about (RFC 6960 section 4.2.1).

use x509_parser::der_parser::asn1_rs::{Any, Class, FromDer};

/// `good`, `revoked`, `unknown`, or the name of the error; nothing for what is no answer.
pub fn status_of_answer(der: &[u8]) -> Option<&'static str> {
    let (_, response) = Any::from_der(der).ok()?;
    let (rest, status) = Any::from_der(response.data).ok()?;
    match status.data {
        [0] => {}
        [1] => return Some("malformed_request"),
        [2] => return Some("internal_error"),
        [3] => return Some("try_later"),
        [6] => return Some("unauthorized"),
        _ => return None,
    }
    let (_, tagged) = Any::from_der(rest).ok()?;
    let (_, bytes) = Any::from_der(tagged.data).ok()?;
    let (rest, _kind) = Any::from_der(bytes.data).ok()?;
    let (_, basic) = Any::from_der(rest).ok()?;
    let (_, basic) = Any::from_der(basic.data).ok()?;
    let (_, data) = Any::from_der(basic.data).ok()?;
    let (mut rest, first) = Any::from_der(data.data).ok()?;
    // An explicit version comes before the responder.
    if first.class() == Class::ContextSpecific && first.tag().0 == 0 {
        (rest, _) = Any::from_der(rest).ok()?;
    }
    let (rest, _produced_at) = Any::from_der(rest).ok()?;
    let (_, responses) = Any::from_der(rest).ok()?;
    let (_, single) = Any::from_der(responses.data).ok()?;
    let (rest, _certificate) = Any::from_der(single.data).ok()?;
    let (_, status) = Any::from_der(rest).ok()?;
    match (status.class(), status.tag().0) {
        (Class::ContextSpecific, 0) => Some("good"),
        (Class::ContextSpecific, 1) => Some("revoked"),
        (Class::ContextSpecific, 2) => Some("unknown"),
        _ => None,
    }
}
