//! What must hold for whatever a stranger sends. libFuzzer calls these functions with what it invents, and an ordinary
//! test with the seeds and thousands of fixed changes to them, so that they stay true between two hunts.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use rcgen::PublicKeyData;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tegata_ca::scep::ScepMessage;
use tegata_ca::{KeyType, OcspRequest, ParsedRequest, PublicKey};
use tegata_core::dpop::{ALGORITHMS, DpopProof, PROOF_LIFETIME, ProofError, ProofTarget, UsedProofs};
use tegata_core::encoding::{base64, from_base64url};
use tegata_core::feed::{Denials, FEED, FeedClaims, FeedMessage};
use tegata_core::jws::{Jwks, KeySet};
use tegata_core::webauthn::{AssertionResponse, RegistrationResponse, RelyingParty};
use tegata_core::{HttpUrl, Refusal, Timestamp};
use tegata_gate::session::{
    CallbackParameters, CookieSealer, SessionFacts, SessionKeys, SignInFlow, own_cookies, without_own_cookies,
};

/// A certificate request, or the key in one.
pub fn csr(data: &[u8]) {
    match ParsedRequest::parse(data) {
        Ok(request) => {
            let info = request.public_key_info();
            assert!(contains(data, info), "the key is the requester's");
            assert_eq!(request.key_hash(), digest(&SHA256, info).as_ref());
            is_sound(request.key());
            let padded = [data, &[0]].concat();
            assert!(ParsedRequest::parse(&padded).is_err(), "one request and nothing after it");
        }
        Err(refusal) => assert!(
            [Refusal::CsrTooLarge, Refusal::CsrMalformed, Refusal::KeyNotAllowed, Refusal::CsrNotSigned]
                .contains(&refusal),
            "{refusal:?}"
        ),
    }
    if let Ok(key) = PublicKey::read(data) {
        assert_eq!(key.info(), data, "the key is the whole of it");
        is_sound(&key);
    }
}

/// What a certificate says of a key is what came, octet by octet.
fn is_sound(key: &PublicKey) {
    assert_eq!(key.subject_public_key_info(), key.info());
    assert_eq!(PublicKey::read(key.info()).as_ref(), Ok(key));
    match key.key_type() {
        KeyType::P256 | KeyType::Ed25519 => assert_eq!(key.bits(), 256),
        KeyType::P384 => assert_eq!(key.bits(), 384),
        KeyType::Rsa => assert!((2048..=4096).contains(&key.bits())),
    }
}

/// A DPoP proof: it is believed for what it says, once, and brings no private key along.
pub fn dpop(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(proof) = DpopProof::verify(text) else { return };
    let part = |place| from_base64url(text.split('.').nth(place)?);
    let read = |place| serde_json::from_slice::<Value>(&part(place)?).ok();
    let (header, claims) = (read(0).expect("a header"), read(1).expect("claims"));
    let jwk = header["jwk"].as_object().expect("a key");
    assert!(["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().all(|name| !jwk.contains_key(*name)));
    assert!(ALGORITHMS.contains(&header["alg"].as_str().expect("an algorithm")));
    let used = UsedProofs::default();
    let now = Timestamp::from_seconds(claims["iat"].as_i64().expect("a time"));
    assert_eq!(used.take(&proof, "device", now), Ok(()));
    assert_eq!(used.take(&proof, "device", now), Err(ProofError::Used));
    let address = claims["htu"].as_str().expect("an address");
    let Ok(url) = HttpUrl::parse(address.split(['?', '#']).next().unwrap_or_default()) else { return };
    let origins = [url.origin().clone()];
    let method = claims["htm"].as_str().expect("a method");
    let target = ProofTarget { method, origins: &origins, path: url.path(), access_token: None };
    assert_eq!(proof.check(&target, now), Ok(()));
    let later = now.plus(PROOF_LIFETIME * 2);
    assert!(later <= now || proof.check(&target, later) == Err(ProofError::Time));
    for (method, path, origins) in
        [("", url.path(), &origins[..]), (method, "/of/another", &origins), (method, url.path(), &[])]
    {
        let other = ProofTarget { method, origins, path, access_token: None };
        assert!(proof.check(&other, now).is_err() || (method, path) == (target.method, target.path));
    }
}

/// An OCSP request, by POST and by GET.
pub fn ocsp(data: &[u8]) {
    let by_post = OcspRequest::parse(data);
    let path = base64(data).replace('+', "%2B").replace('/', "%2F").replace('=', "%3d");
    assert_eq!(OcspRequest::from_path(&path), by_post, "both ways ask the same");
    if let Ok(text) = str::from_utf8(data) {
        let _ = OcspRequest::from_path(text);
    }
    let Ok(request) = by_post else { return };
    let ids: Vec<&[u8]> = request.certificate_ids().collect();
    assert!((1..=32).contains(&ids.len()));
    assert!(ids.iter().all(|id| contains(data, id)), "the answer repeats what was asked");
    assert!(OcspRequest::parse(&[data, &[0]].concat()).is_err(), "one request and nothing after it");

    let list: Vec<u8> = ids.iter().flat_map(|id| sequence(id)).collect();
    let again = sequence(&sequence(&sequence(&list)));
    let again = OcspRequest::parse(&again).expect("the same question without its ornaments");
    assert!(again.is_cacheable() && again.certificate_ids().eq(ids));
}

/// A message of SCEP, in DER or BER.
pub fn scep(data: &[u8]) {
    let Ok(message) = ScepMessage::parse(data) else { return };
    assert!(ScepMessage::parse(&[data, &[0]].concat()).is_err(), "one message and nothing after it");
    assert!(message.recipients().count() <= 8);
    assert!(message.signer_der().len() <= data.len());
    if let Ok(verified) = message.verify() {
        assert_eq!(verified.key().key_type(), KeyType::Rsa, "it can be answered");
        assert!(contains(message.signer_der(), verified.key().info()), "by whoever has signed");
    }
}

/// A signed text, believed only if the key's holder signed exactly it.
pub fn jws(data: &[u8]) {
    let signed = include_str!("../seeds/jws/signed").trim_end();
    let keys: Jwks = serde_json::from_str(include_str!("../seeds/feed/jwks")).expect("the seed");
    let keys = KeySet::from_jwks(&keys).expect("the seed's key");
    let Ok(text) = str::from_utf8(data) else { return };
    if keys.verify(text, FEED).is_ok() {
        assert_eq!(text, signed, "nobody else has the key");
    }
}

/// JSON of the feed and of its keys.
pub fn feed(data: &[u8]) {
    if let Ok(jwks) = serde_json::from_slice::<Jwks>(data)
        && let Ok(keys) = KeySet::from_jwks(&jwks)
    {
        assert_eq!(KeySet::from_jwks(&keys.jwks()), Ok(keys), "keys travel");
    }
    let Ok(claims) = serde_json::from_slice::<FeedClaims>(data) else { return };
    let text = serde_json::to_vec(&claims).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<FeedClaims>(&text).ok().as_ref(), Some(&claims), "messages travel");
    let mut denials = Denials::default();
    match claims.message {
        FeedMessage::Snapshot(snapshot) => {
            let (seq, at) = (snapshot.seq, snapshot.at);
            denials = Denials::from(snapshot);
            assert_eq!(denials.seq(), seq);
            assert_eq!(Denials::from(denials.snapshot(at)).seq(), seq);
            denials.forget(at);
            denials.pack();
        }
        FeedMessage::Event(event) => {
            let follows = event.seq <= 1;
            assert_eq!(denials.apply(&event).is_ok(), follows, "an event after a gap is not applied");
        }
        FeedMessage::Heartbeat { .. } => {}
    }
}

/// What a browser sends a gate with sessions: cookies, and what it brings back from a sign-in.
pub fn session(data: &[u8]) {
    if let Some(facts) = SessionFacts::from_bytes(data) {
        assert_eq!(facts.to_bytes(), data, "a session is written in one way");
    }
    if let Some(flow) = SignInFlow::from_bytes(data) {
        assert_eq!(flow.to_bytes(), data, "and so is a sign-in");
    }
    if let Ok(cookies) = HeaderValue::from_bytes(data) {
        let left = without_own_cookies(&HeaderMap::from_iter([(COOKIE, cookies)]));
        let left = HeaderMap::from_iter(left.map(|left| (COOKIE, left)));
        assert_eq!(own_cookies(&left).count(), 0, "the product sees none of the gate's");
        assert_eq!(without_own_cookies(&left).as_ref(), left.get(COOKIE));
    }
    let Ok(text) = str::from_utf8(data) else { return };
    let keys = SessionKeys::parse(include_str!("../seeds/session/keys")).expect("the seed");
    let sealer = CookieSealer::new(keys, "rezept", &"https://rezept.example.jp".parse().expect("an origin"));
    if sealer.open_session(text).is_some() {
        assert_eq!(text, include_str!("../seeds/session/cookie"), "nobody else has the key");
    }
    if let Some(told) = CallbackParameters::parse(text) {
        let texts = [Some(&told.state), Some(&told.issuer), told.outcome.as_ref().ok()];
        assert!(texts.into_iter().flatten().all(|text| text.bytes().all(|byte| byte.is_ascii_graphic())));
    }
    let _ = SessionKeys::parse(text);
}

/// What a browser says of a passkey, new or old.
pub fn webauthn(data: &[u8]) {
    const CLIENT: &[u8] = include_bytes!("../seeds/webauthn/client");
    const KEY: &[u8] = include_bytes!("../seeds/webauthn/es256");
    let site = RelyingParty::of("https://device.example").expect("an origin").expect("a name");
    let registered = |client_data: &[u8], attestation: &[u8]| {
        site.register(&RegistrationResponse { client_data, attestation }, |challenge| {
            challenge == b"a challenge"
        })
    };
    if let Ok(new) = registered(CLIENT, data) {
        assert!((1..=1023).contains(&new.credential.len()) && contains(data, &new.credential));
        assert!(contains(data, &new.public_key), "the key is kept as it came");
        assert!(registered(CLIENT, &[data, &[0]].concat()).is_err(), "one passkey and nothing after it");
    }
    if registered(data, KEY).is_ok() {
        let client: serde_json::Value = serde_json::from_slice(data).expect("it was read");
        assert_eq!(
            (&client["origin"], &client["type"]),
            (&"https://device.example".into(), &"webauthn.create".into())
        );
    }
    let key = registered(CLIENT, KEY).expect("the seed").public_key;
    let client_data = str::from_utf8(CLIENT).expect("the seed").replace(".create", ".get");
    let response =
        AssertionResponse { client_data: client_data.as_bytes(), authenticator_data: data, signature: data };
    assert!(site.authenticate(&response, &key, false, |_| true).is_err(), "nobody has the key");
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A DER SEQUENCE.
fn sequence(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[content.len().leading_zeros() as usize / 8..];
    let header = match content.len() {
        short @ 0..0x80 => vec![0x30, short.to_le_bytes()[0]],
        _ => [&[0x30, 0x80 | significant.len().to_le_bytes()[0]], significant].concat(),
    };
    [&header, content].concat()
}
