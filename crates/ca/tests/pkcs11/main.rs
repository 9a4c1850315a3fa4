//! Keys on a token, tried on `SoftHSM`.
#![allow(clippy::unwrap_used)]

mod soft;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use soft::{LABEL, Other, PIN};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use tegata_ca::keys::pkcs11::{KeyName, Pkcs11Token, TokenKey, TokenPin};
use tegata_ca::{CaKey, CaKeyError};
use tegata_core::encoding::base64;

on_a_token![
    ring_and_openssl_verify_what_the_token_signed,
    a_key_is_found_by_its_whole_name_only,
    nobody_takes_the_key_out,
    a_key_that_came_to_nothing_is_gone,
    signing_goes_on_after_a_logout,
    signing_goes_on_after_the_library_was_finalised,
    signing_goes_on_after_all_sessions_were_closed,
    many_sign_at_once_while_sessions_are_lost,
    a_token_that_is_gone_is_named_and_used_again_when_it_is_back,
    a_wrong_pin_is_sent_once_in_the_life_of_a_process,
    a_token_that_is_not_there_is_told_with_those_that_are,
    a_library_that_is_none_is_told,
];

fn open(module: &Path) -> Arc<Pkcs11Token> {
    Pkcs11Token::open(module, LABEL, TokenPin::new(PIN).unwrap()).unwrap()
}

fn name(id: u8) -> KeyName {
    KeyName { label: "tegata issuing".into(), id: vec![id; 16] }
}

fn holds(key: &TokenKey, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_point()).verify(message, signature).is_ok()
}

fn signs(key: &TokenKey) {
    assert!(holds(key, b"message", &key.sign(b"message").unwrap()));
}

fn ring_and_openssl_verify_what_the_token_signed(module: &Path) {
    let key = TokenKey::generate(&open(module), name(1)).unwrap();
    assert!(key.blocks());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let pem = base64(&key.public_key_info());
    let public =
        file("key", format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n").as_bytes());
    // One half in 128 begins with a zero octet.
    for number in 0..400_u32 {
        let message = number.to_be_bytes().repeat(1000);
        let signature = key.sign(&message).unwrap();
        assert!(holds(&key, &message, &signature));
        assert!(!holds(&key, b"another message", &signature));
        if number % 20 == 0 {
            let (message, signature) = (file("message", &message), file("signature", &signature));
            let mut openssl = Command::new("openssl");
            openssl.args(["dgst", "-sha256", "-verify"]).arg(&public).arg("-signature").arg(signature);
            let output = openssl.arg(message).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "Verified OK");
        }
    }
}

fn a_key_is_found_by_its_whole_name_only(module: &Path) {
    let token = open(module);
    let made = TokenKey::generate(&token, name(1)).unwrap();
    let other = TokenKey::generate(&token, name(2)).unwrap();
    assert_ne!(made.public_point(), other.public_point());
    let found = TokenKey::find(&open(module), name(1)).unwrap();
    assert_eq!((found.public_point(), found.name()), (made.public_point(), &name(1)));
    assert!(holds(&made, b"message", &found.sign(b"message").unwrap()));

    let strangers = [name(3), KeyName { label: "tegata root".into(), ..name(1) }];
    for stranger in strangers {
        let error = TokenKey::find(&token, stranger).err().unwrap();
        assert!(matches!(error, CaKeyError::NoKey { count: 0, .. }), "{error}");
    }
    let again = TokenKey::generate(&token, name(1)).err().unwrap();
    assert!(matches!(again, CaKeyError::NoKey { count: 2, .. }), "no identifier is used twice: {again}");
}

fn nobody_takes_the_key_out(module: &Path) {
    let made = TokenKey::generate(&open(module), name(1)).unwrap();
    let session = Other::beside(module).session();
    let private = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(name(1).id)];
    let key = session.find_objects(&private).unwrap()[0];
    let value = session.get_attribute_info(key, &[AttributeType::Value]).unwrap();
    assert!(matches!(value[..], [AttributeInfo::Sensitive]), "{value:?}");
    let facts = [
        Attribute::Sensitive(true),
        Attribute::AlwaysSensitive(true),
        Attribute::Extractable(false),
        Attribute::NeverExtractable(true),
        Attribute::Local(true),
    ];
    assert_eq!(session.find_objects(&[&private[..], &facts].concat()).unwrap(), [key]);

    let wrapping = [Attribute::Wrap(true), Attribute::ValueLen(32.into()), Attribute::KeyType(KeyType::AES)];
    let wrapping = session.generate_key(&Mechanism::AesKeyGen, &wrapping).unwrap();
    let refused = session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key).unwrap_err();
    assert!(matches!(refused, Error::Pkcs11(RvError::KeyUnextractable, _)), "{refused}");
    let softened = session.update_attributes(key, &[Attribute::Extractable(true)]);
    assert!(softened.is_err(), "what cannot be exported stays so");
    signs(&made);
}

fn a_key_that_came_to_nothing_is_gone(module: &Path) {
    let token = open(module);
    let (kept, unwanted) =
        (TokenKey::generate(&token, name(1)).unwrap(), TokenKey::generate(&token, name(2)).unwrap());
    unwanted.destroy().unwrap();
    assert!(matches!(TokenKey::find(&token, name(2)), Err(CaKeyError::NoKey { count: 0, .. })));
    signs(&kept);
    signs(&TokenKey::generate(&token, name(2)).unwrap());
}

fn signing_goes_on_after_a_logout(module: &Path) {
    let key = TokenKey::generate(&open(module), name(1)).unwrap();
    for _ in 0..3 {
        Other::beside(module).log_out();
        signs(&key);
    }
}

fn signing_goes_on_after_the_library_was_finalised(module: &Path) {
    let key = TokenKey::generate(&open(module), name(1)).unwrap();
    for _ in 0..3 {
        Other::beside(module).finalize();
        signs(&key);
    }
}

/// Finalised and initialized anew, the library knows none of the sessions.
fn signing_goes_on_after_all_sessions_were_closed(module: &Path) {
    let token = open(module);
    let keys = [1, 2, 3].map(|id| TokenKey::generate(&token, name(id)).unwrap());
    for _ in 0..3 {
        Other::beside(module).finalize();
        drop(Other::beside(module));
        for key in &keys {
            signs(key);
            signs(key);
        }
    }
}

fn many_sign_at_once_while_sessions_are_lost(module: &Path) {
    let key = TokenKey::generate(&open(module), name(1)).unwrap();
    let other = Other::beside(module);
    thread::scope(|scope| {
        let signers: Vec<_> = (0..16_u8)
            .map(|signer| {
                let key = &key;
                scope.spawn(move || {
                    let signed = |round| key.sign(&[signer, round]).map(|signature| (round, signature));
                    (0..100).map(signed).collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..5 {
            thread::yield_now();
            // Whoever is logged out again in the second attempt is told so; nobody gets a wrong signature.
            let _ = other.session().logout();
        }
        for (signer, signed) in (0..16_u8).zip(signers) {
            let signed = signed.join().unwrap();
            assert!(signed.iter().filter(|result| result.is_ok()).count() >= 90);
            for result in signed {
                match result {
                    Ok((round, signature)) => assert!(holds(&key, &[signer, round], &signature)),
                    Err(error) => {
                        assert!(
                            matches!(error, CaKeyError::Token { .. } | CaKeyError::NoKey { .. }),
                            "{error}"
                        );
                    }
                }
            }
        }
    });
    signs(&key);
}

fn a_token_that_is_gone_is_named_and_used_again_when_it_is_back(module: &Path) {
    let key = TokenKey::generate(&open(module), name(1)).unwrap();
    let (here, away) = (soft::token_folder(), soft::token_folder().with_extension("away"));
    std::fs::rename(&here, &away).unwrap();
    std::fs::create_dir(&here).unwrap();
    Other::beside(module).finalize();
    let error = key.sign(b"message").unwrap_err();
    assert!(matches!(&error, CaKeyError::NoToken { token, count: 0, .. } if token == LABEL), "{error}");
    assert!(error.to_string().contains("connect the device"), "{error}");

    std::fs::remove_dir(&here).unwrap();
    std::fs::rename(&away, &here).unwrap();
    Other::beside(module).finalize();
    signs(&key);
}

fn a_wrong_pin_is_sent_once_in_the_life_of_a_process(module: &Path) {
    let wrong = "1111-1111";
    let open = |pin: &str| Pkcs11Token::open(module, LABEL, TokenPin::new(pin).unwrap()).err();
    let error = CaKeyError::PinRefused(LABEL.into());
    let text = error.to_string();
    let refused = Some(error);
    assert_eq!(open(wrong), refused);
    // Were it sent once more, it would be taken now.
    Other::beside(module).set_pin(wrong);
    assert_eq!(open(wrong), refused);
    let session = Other::beside(module).session();
    session.login(UserType::User, Some(&AuthPin::from(wrong))).unwrap();
    assert_eq!(open(wrong), refused, "not even when somebody else is logged in");
    assert!(text.contains("correct the PIN") && !text.contains(wrong), "{text}");
}

fn a_token_that_is_not_there_is_told_with_those_that_are(module: &Path) {
    let error = Pkcs11Token::open(module, "elsewhere", TokenPin::new(PIN).unwrap()).err().unwrap();
    let shown = CaKeyError::NoToken { token: "elsewhere".into(), count: 0, shown: LABEL.into() };
    assert_eq!(error, shown);
}

fn a_library_that_is_none_is_told(_: &Path) {
    for path in ["/nonexistent/libhsm.so", "/etc/passwd"] {
        let error = Pkcs11Token::open(Path::new(path), LABEL, TokenPin::new(PIN).unwrap()).err().unwrap();
        assert!(matches!(error, CaKeyError::Module { .. }), "{error}");
        assert!(error.to_string().contains(path), "{error}");
    }
}
