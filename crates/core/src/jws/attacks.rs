//! Tokens that an attacker without the key might try.

use super::*;
use ring::hmac;
use serde_json::{Value, json};

const TYPE: &str = "at+jwt";
const PAYLOAD: &[u8] = br#"{"sub":"device:x"}"#;

/// The order of P-256, big-endian (SEC 2 version 2, section 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

struct AttackSetup {
    key: SigningKey,
    set: KeySet,
    token: String,
}

impl AttackSetup {
    fn new() -> Self {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let set = KeySet::new([key.public().clone()]);
        let token = key.sign(TYPE, PAYLOAD).unwrap();
        assert_eq!(set.verify(&token, TYPE).as_deref(), Ok(PAYLOAD));
        Self { key, set, token }
    }

    fn check(&self, text: &str) -> Result<Vec<u8>, JwsError> {
        self.set.verify(text, TYPE)
    }

    /// The token as it is, with another signature.
    fn signed_by(&self, signature: &[u8]) -> String {
        let (signed, _) = self.token.rsplit_once('.').unwrap();
        format!("{signed}.{}", base64url(signature))
    }

    fn signature(&self) -> [u8; 64] {
        let (_, signature) = self.token.rsplit_once('.').unwrap();
        from_base64url(signature).unwrap().try_into().unwrap()
    }

    /// A header of one's own choice, signed by somebody.
    fn under(header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let signed = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(PAYLOAD));
        let signature = sign(signed.as_bytes());
        format!("{signed}.{}", base64url(&signature))
    }
}

fn by(key: &SigningKey) -> impl Fn(&[u8]) -> Vec<u8> + '_ {
    |text| key.pair.sign(&key.random, text).unwrap().as_ref().to_vec()
}

#[test]
fn a_signature_is_two_numbers_below_the_order_and_above_zero() {
    let setup = AttackSetup::new();
    let good = setup.signature();
    let (r, s) = good.split_at(32);
    let (zero, one) = ([0; 32], [&[0; 31][..], &[1]].concat());
    let above = [&ORDER[..31], &[ORDER[31] + 1]].concat();
    for (r, s) in [
        (&zero[..], &zero[..]),
        (&zero, s),
        (r, &zero),
        (&zero, &one),
        (&one, &zero),
        (&one, &one),
        (&ORDER, s),
        (r, &ORDER),
        (&ORDER, &ORDER),
        (&ORDER, &zero),
        (&above, s),
        (r, &above),
        (&[0xff; 32], &[0xff; 32]),
        (s, r),
        (r, r),
    ] {
        assert_eq!(
            setup.check(&setup.signed_by(&[r, s].concat())),
            Err(JwsError::Signature),
            "{r:x?} {s:x?}"
        );
    }
}

#[test]
fn a_signature_has_sixty_four_bytes_and_no_other_form() {
    let setup = AttackSetup::new();
    let good = setup.signature();
    let (r, s) = good.split_at(32);
    let integer = |number: &[u8]| [&[2, 33, 0], number].concat();
    let der = [&[0x30, 70][..], &integer(r), &integer(s)].concat();
    let wide = |number: &[u8]| [&[0], number].concat();
    for signature in [
        &[][..],
        &good[..63],
        &good[1..],
        &good[..32],
        &[&good[..], &[0]].concat(),
        &[&[0], &good[..]].concat(),
        &[wide(r), wide(s)].concat(),
        &[&good[..], &good[..]].concat(),
        &der,
    ] {
        let length = signature.len();
        assert_eq!(setup.check(&setup.signed_by(signature)), Err(JwsError::Signature), "{length} bytes");
    }
}

/// ECDSA takes s and its negative alike, and RFC 7518 forbids neither: whoever has a token can write it in two ways.
/// Nothing may depend on there being one; what is taken back is taken back by what is signed.
#[test]
fn the_other_writing_of_a_signature_says_the_same() {
    let setup = AttackSetup::new();
    let good = setup.signature();
    let (r, s) = good.split_at(32);
    let text = setup.signed_by(&[r, &negative(s)].concat());
    assert_ne!(text, setup.token);
    assert_eq!(setup.check(&text).as_deref(), Ok(PAYLOAD));
}

/// The order less `s`.
fn negative(s: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference = vec![0; 32];
    for place in (0..32).rev() {
        let digit = i16::from(ORDER[place]) - i16::from(s[place]) - borrow;
        borrow = i16::from(digit < 0);
        difference[place] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    difference
}

#[test]
fn the_published_key_is_no_secret_to_make_a_mac_with() {
    let setup = AttackSetup::new();
    let public = setup.key.public();
    let jwk = serde_json::to_vec(&public.jwk()).unwrap();
    let jwks = serde_json::to_vec(&setup.set.jwks()).unwrap();
    for secret in [&public.point[..], &public.point[1..], public.kid().as_bytes(), &jwk, &jwks, b""] {
        for alg in ["HS256", "HS384", "ES256"] {
            let header = json!({ "alg": alg, "typ": TYPE, "kid": public.kid() });
            let mac =
                |text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text).as_ref().to_vec();
            let text = AttackSetup::under(&header, mac);
            let expected = if alg == "ES256" { JwsError::Signature } else { JwsError::Algorithm };
            assert_eq!(setup.check(&text), Err(expected), "{alg}");
        }
    }
}

#[test]
fn no_other_name_of_an_algorithm_will_do_even_under_the_right_signature() {
    let setup = AttackSetup::new();
    let kid = setup.key.public().kid();
    for alg in
        ["none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "ES256K", "ES384", "ES512", "RS256", "EdDSA"]
    {
        let header = json!({ "alg": alg, "typ": TYPE, "kid": kid });
        for text in [AttackSetup::under(&header, by(&setup.key)), AttackSetup::under(&header, |_| Vec::new())]
        {
            assert_eq!(setup.check(&text), Err(JwsError::Algorithm), "{alg:?}");
        }
    }
    for alg in [json!(["ES256"]), json!(null), json!(0), json!({ "ES256": true })] {
        let text = AttackSetup::under(&json!({ "alg": alg, "typ": TYPE, "kid": kid }), by(&setup.key));
        assert_eq!(setup.check(&text), Err(JwsError::Malformed), "{alg}");
    }
}

#[test]
fn a_key_that_the_token_brings_along_is_not_looked_at() {
    let setup = AttackSetup::new();
    let thief = AttackSetup::new();
    let (own, theirs) = (setup.key.public(), thief.key.public());
    for bait in [
        json!({ "jwk": theirs.jwk() }),
        json!({ "jku": "https://evil.example/jwks" }),
        json!({ "x5u": "https://evil.example/chain.pem" }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "jwk": theirs.jwk(), "jku": "https://evil.example/jwks", "x5u": "file:///dev/null" }),
    ] {
        for (kid, error) in [(own.kid(), JwsError::Signature), (theirs.kid(), JwsError::UnknownKey)] {
            let mut header = bait.clone();
            header["alg"] = json!(ALGORITHM);
            header["typ"] = json!(TYPE);
            header["kid"] = json!(kid);
            assert_eq!(setup.check(&AttackSetup::under(&header, by(&thief.key))), Err(error), "{header}");
        }
    }
}

#[test]
fn a_name_of_a_key_is_compared_and_never_interpreted() {
    let setup = AttackSetup::new();
    let own = setup.key.public().kid();
    for kid in [
        format!("{own} "),
        own.to_ascii_uppercase() + "x",
        String::new(),
        "../../../../dev/null".into(),
        "' OR '1'='1".into(),
        "https://evil.example/key".into(),
        format!("{own}\0"),
    ] {
        let header = json!({ "alg": ALGORITHM, "typ": TYPE, "kid": kid });
        assert_eq!(
            setup.check(&AttackSetup::under(&header, by(&setup.key))),
            Err(JwsError::UnknownKey),
            "{kid:?}"
        );
    }
    for kid in [json!(7), json!([own]), json!({ "kid": own })] {
        let header = json!({ "alg": ALGORITHM, "typ": TYPE, "kid": kid });
        assert_eq!(
            setup.check(&AttackSetup::under(&header, by(&setup.key))),
            Err(JwsError::Malformed),
            "{kid}"
        );
    }
}

#[test]
fn a_header_with_a_member_twice_or_an_unknown_critical_one_is_refused() {
    let setup = AttackSetup::new();
    let kid = setup.key.public().kid();
    let sign = |header: &str| {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(PAYLOAD));
        let signature = by(&setup.key)(signed.as_bytes());
        format!("{signed}.{}", base64url(&signature))
    };
    for twice in [
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"other","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}","alg":"ES256"}}"#),
        format!(r#"{{"alg":"ES256","typ":"JWT","typ":"at+jwt","kid":"{kid}"}}"#),
    ] {
        assert_eq!(setup.check(&sign(&twice)), Err(JwsError::Malformed), "{twice}");
    }
    for crit in [r#"["exp"]"#, r#"["b64"],"b64":false"#, "[]", r#""b64""#, "{}", r#"["alg"]"#] {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","crit":{crit}}}"#);
        assert_eq!(setup.check(&sign(&header)), Err(JwsError::Critical), "{crit}");
    }
}

#[test]
fn a_set_believes_no_key_of_another_curve_or_purpose_and_no_name_twice() {
    let setup = AttackSetup::new();
    let good = setup.key.public().jwk();
    let other = AttackSetup::new().key.public().jwk();
    let with =
        |keys: &[&Jwk]| KeySet::from_jwks(&Jwks { keys: keys.iter().map(|key| (*key).clone()).collect() });
    let p384 = Jwk { crv: Some("P-384".into()), kid: Some("p384".into()), ..other.clone() };
    let secret = Jwk { kty: "oct".into(), kid: Some("oct".into()), ..other.clone() };
    let for_encryption = Jwk { use_: Some("enc".into()), ..other.clone() };
    let for_another = Jwk { alg: Some("ES384".into()), ..other.clone() };
    for passed_over in [&p384, &secret, &for_encryption, &for_another] {
        assert_eq!(with(&[passed_over]), Err(JwkError));
        let set = with(&[&good, passed_over]).unwrap();
        let header = json!({ "alg": ALGORITHM, "typ": TYPE, "kid": passed_over.kid });
        let text = AttackSetup::under(&header, by(&setup.key));
        assert_eq!(set.verify(&text, TYPE), Err(JwsError::UnknownKey));
    }
    let impostor = Jwk { kid: good.kid.clone(), ..other };
    assert_eq!(with(&[&good, &impostor]), Err(JwkError));
    assert_eq!(with(&[&impostor, &good]), Err(JwkError));
}

#[test]
fn a_token_has_three_parts_of_strict_base64url() {
    let setup = AttackSetup::new();
    let [header, payload, signature] =
        <[&str; 3]>::try_from(setup.token.split('.').collect::<Vec<_>>()).unwrap();
    let general =
        json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] });
    let flattened = json!({ "payload": payload, "protected": header, "signature": signature });
    for text in [
        String::new(),
        "..".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}.{signature}."),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{header}.{payload}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{header}=.{payload}.{signature}"),
        format!(" {header}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}\n"),
        format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+") + "+"),
        general.to_string(),
        flattened.to_string(),
    ] {
        assert!(setup.check(&text).is_err(), "{text:?}");
    }
}

/// 64 bytes leave four bits over in the last character: only zeros are the signature's own writing.
#[test]
fn unused_bits_are_no_second_encoding_of_a_token() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let setup = AttackSetup::new();
    let (rest, last) = setup.token.split_at(setup.token.len() - 1);
    let place = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    for left_over in 1..16 {
        let text = format!("{rest}{}", char::from(ALPHABET[place + left_over]));
        assert_eq!(setup.check(&text), Err(JwsError::Malformed), "{left_over}");
    }
}
