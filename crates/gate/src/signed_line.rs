//! Signed lines longer than any token.
//!
//! A token is at most [`MAX_LENGTH`] bytes long, and `KeySet::verify` looks at nothing longer. The
//! snapshot of a large installation is: 10⁶ denials make a line of about 120 MB. It comes from
//! the authenticated feed only, never from a stranger, so here, and only here, a longer text is
//! checked by the same rules.

use rustls::SignatureScheme;
use serde::Deserialize;
use tegata_core::encoding::from_base64url;
use tegata_core::feed::FEED;
use tegata_core::jws::{Jwk, JwsError, KeySet, MAX_LENGTH};

/// The payload of a line signed as a feed message by a key of the set.
///
/// # Errors
/// [`JwsError`] says which check failed first.
pub(crate) fn verify(keys: &KeySet, line: &str) -> Result<Vec<u8>, JwsError> {
    if line.len() <= MAX_LENGTH { keys.verify(line, FEED) } else { verify_long(keys, line) }
}

fn verify_long(keys: &KeySet, line: &str) -> Result<Vec<u8>, JwsError> {
    let (signed, signature) = line.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwsError::Malformed)?;
    if header.alg != "ES256" {
        return Err(JwsError::Algorithm);
    }
    if header.crit.is_some() {
        return Err(JwsError::Critical);
    }
    if header.typ != FEED {
        return Err(JwsError::Type);
    }
    let jwks = keys.jwks();
    let key = jwks.keys.iter().find(|key| key.kid.as_deref() == Some(&header.kid));
    let point = key.and_then(point).ok_or(JwsError::UnknownKey)?;
    let signature = der_signature(&decode(signature)?).ok_or(JwsError::Signature)?;
    verify_p256(&point, signed.as_bytes(), &signature).ok_or(JwsError::Signature)?;
    decode(payload)
}

/// The platform's own header, exactly: other spellings of the type need no welcome here.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
    crit: Option<serde_json::Value>,
}

fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    from_base64url(part).ok_or(JwsError::Malformed)
}

fn point(key: &Jwk) -> Option<Vec<u8>> {
    let mut point = vec![4];
    point.extend(from_base64url(key.x.as_deref()?)?);
    point.extend(from_base64url(key.y.as_deref()?)?);
    Some(point)
}

fn verify_p256(point: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let provider = rustls::crypto::ring::default_provider();
    let mut schemes = provider.signature_verification_algorithms.mapping.iter();
    let (_, algorithms) = schemes.find(|(scheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256)?;
    let p256 = algorithms.first()?;
    p256.verify_signature(point, signed, signature).ok()
}

/// The two numbers of RFC 7518 section 3.4 as the DER that certificates use.
fn der_signature(fixed: &[u8]) -> Option<Vec<u8>> {
    if fixed.len() != 64 {
        return None;
    }
    let content = [der_integer(&fixed[..32]), der_integer(&fixed[32..])].concat();
    let mut der = vec![0x30, u8::try_from(content.len()).ok()?];
    der.extend(content);
    Some(der)
}

fn der_integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count().min(number.len() - 1);
    let digits = &number[zeros..];
    let sign = usize::from(digits[0] >= 0x80);
    let length = u8::try_from(digits.len() + sign).unwrap_or(u8::MAX);
    [&[2, length][..], &[0][..sign], digits].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::encoding::base64url;
    use tegata_core::jws::SigningKey;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_long_line_is_read_and_a_changed_one_is_not() {
        let key = key();
        let keys = KeySet::new([key.public().clone()]);
        let payload = vec![b'x'; 4 * MAX_LENGTH];
        let line = key.sign(FEED, &payload).unwrap();
        assert_eq!(verify(&keys, &line).unwrap(), payload);
        let mut changed = line.clone();
        changed.replace_range(
            MAX_LENGTH..=MAX_LENGTH,
            if &line[MAX_LENGTH..=MAX_LENGTH] == "A" { "B" } else { "A" },
        );
        assert_eq!(verify(&keys, &changed), Err(JwsError::Signature));
        let other = KeySet::new([self::key().public().clone()]);
        assert_eq!(verify(&other, &line), Err(JwsError::UnknownKey));
        assert_eq!(verify(&keys, &key.sign("at+jwt", &payload).unwrap()), Err(JwsError::Type));
    }

    #[test]
    fn long_and_short_lines_obey_the_same_rules() {
        let key = key();
        let keys = KeySet::new([key.public().clone()]);
        for round in 0..=u8::MAX {
            let line = key.sign(FEED, format!("{round}").as_bytes()).unwrap();
            assert_eq!(verify_long(&keys, &line), keys.verify(&line, FEED));
            let signature_at = line.rfind('.').unwrap() + 1;
            let forged = format!("{}{}", &line[..signature_at], base64url(&[round; 64]));
            assert!(verify_long(&keys, &forged).is_err());
            assert!(verify_long(&keys, &line[..line.len() - 4]).is_err());
        }
        let kid = key.public().kid();
        for header in [
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"{FEED}"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"{FEED}"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"{FEED}","crit":["x"]}}"#),
            format!(r#"{{"alg":"ES256","typ":"{FEED}"}}"#),
        ] {
            let line = format!("{}.e30.{}", base64url(header.as_bytes()), base64url(&[1; 64]));
            assert!(!matches!(verify_long(&keys, &line), Ok(_) | Err(JwsError::Signature)), "{header}");
        }
    }
}
