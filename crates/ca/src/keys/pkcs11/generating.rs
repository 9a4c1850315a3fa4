//! Generates a key on a token.

use super::fault::Pkcs11Fault;
use super::{KeyName, Pkcs11Token, TokenKey, encoding, no_key};
use crate::keys::{CaKey, CaKeyError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

/// A P-256 key pair whose private half never leaves the token.
pub(super) fn generate(token: &Pkcs11Token, name: &KeyName) -> Result<(), CaKeyError> {
    token.run_writing(|session| {
        let taken = session.find_objects(&[Attribute::Token(true), Attribute::Id(name.id.clone())])?;
        if !taken.is_empty() {
            return Err(no_key(token, name, taken.len()).into());
        }
        let (public, private) =
            session.generate_key_pair(&Mechanism::EccKeyPairGen, &public(name), &private(name))?;
        if !stays(session, private)? {
            session.destroy_object(private)?;
            session.destroy_object(public)?;
            return Err(CaKeyError::Exportable(token.label().to_owned()).into());
        }
        Ok(())
    })
}

/// A key whose signatures do not hold under its own public half would make a CA that nobody can use.
pub(super) fn try_out(key: &TokenKey) -> Result<(), CaKeyError> {
    let message = b"the first signature of a new key";
    let signature = key.sign(message)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_point())
        .verify(message, &signature)
        .map_err(|_| key.token.trouble("the new key's signature does not hold"))
}

fn public(name: &KeyName) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(encoding::P256.to_vec()),
        Attribute::Label(name.label.clone().into_bytes()),
        Attribute::Id(name.id.clone()),
    ]
}

fn private(name: &KeyName) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(name.label.clone().into_bytes()),
        Attribute::Id(name.id.clone()),
    ]
}

/// Whether the token applied the requested attributes: some ignore those that they do not know.
fn stays(session: &Session, private: ObjectHandle) -> Result<bool, Pkcs11Fault> {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable];
    let found = session.get_attributes(private, &asked)?;
    let is_sensitive = found.iter().any(|attribute| matches!(attribute, Attribute::Sensitive(true)));
    let stays = found.iter().any(|attribute| matches!(attribute, Attribute::Extractable(false)));
    Ok(is_sensitive && stays)
}
