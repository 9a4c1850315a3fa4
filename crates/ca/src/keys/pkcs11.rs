//! Keys on a PKCS#11 token: an HSM, a smart card, or `SoftHSM`.
//!
//! | to learn about | read |
//! |---|---|
//! | the library, the PIN, and why it is sent so rarely | [`module`] |
//! | sessions, and what happens when they are lost | [`token`], [`fault`] |
//! | a key that signs | [`TokenKey`] |

pub(crate) mod encoding;
mod fault;
mod generating;
pub mod module;
pub mod token;

pub use module::TokenPin;
pub use token::Pkcs11Token;

use super::{CaKey, CaKeyError, DigestKey, sha256};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use fault::Pkcs11Fault;
use std::sync::{Arc, Mutex, PoisonError};
use tegata_core::encoding::hex;

/// Which object on a token: its `CKA_LABEL` and `CKA_ID`, which private and public key share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyName {
    /// The `CKA_LABEL`, which people read in the vendor's tools.
    pub label: String,
    /// Random, 16 bytes for keys made here; never twice on one token.
    pub id: Vec<u8>,
}

/// A key on a token. It signs by `CKM_ECDSA` over a digest made here, so a long list never travels to the device.
pub struct TokenKey {
    token: Arc<Pkcs11Token>,
    name: KeyName,
    point: Vec<u8>,
    /// The private key's handle, and the generation of sessions it was found in.
    handle: Mutex<Option<(u64, ObjectHandle)>>,
}

impl TokenKey {
    /// Makes a P-256 key that cannot leave the token, and sees that it signs.
    ///
    /// # Errors
    /// [`CaKeyError`]; a key that was made nevertheless is of no use to anybody and may be deleted.
    pub fn generate(token: &Arc<Pkcs11Token>, name: KeyName) -> Result<Self, CaKeyError> {
        generating::generate(token, &name)?;
        let key = Self::find(token, name)?;
        generating::try_out(&key)?;
        Ok(key)
    }

    /// Finds a key by label and identifier, private and public half.
    pub fn find(token: &Arc<Pkcs11Token>, name: KeyName) -> Result<Self, CaKeyError> {
        let point = token.run(|session, _| {
            private_key(session, token, &name)?;
            public_point(session, token, &name)
        })?;
        Ok(Self { token: token.clone(), name, point, handle: Mutex::new(None) })
    }

    /// Destroys both halves, for ever: for a key that came to nothing.
    ///
    /// # Errors
    /// [`CaKeyError`]; the key is there still, or half of it.
    pub fn destroy(self) -> Result<(), CaKeyError> {
        self.token.run_writing(|session| {
            let name = &self.name;
            session.destroy_object(one_object(session, &self.token, name, ObjectClass::PRIVATE_KEY)?)?;
            Ok(session.destroy_object(one_object(session, &self.token, name, ObjectClass::PUBLIC_KEY)?)?)
        })
    }

    /// Which object it is.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// A handle holds as long as no session was lost: a token that comes back numbers its objects anew.
    fn handle(&self, session: &Session, generation: u64) -> Result<ObjectHandle, Pkcs11Fault> {
        let mut known = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, handle)) = *known
            && of == generation
        {
            return Ok(handle);
        }
        let handle = private_key(session, &self.token, &self.name)?;
        *known = Some((generation, handle));
        Ok(handle)
    }
}

impl CaKey for TokenKey {
    fn public_point(&self) -> &[u8] {
        &self.point
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CaKeyError> {
        self.sign_digest(&sha256(message))
    }

    fn by_digest(&self) -> Option<&dyn DigestKey> {
        Some(self)
    }

    fn blocks(&self) -> bool {
        true
    }
}

impl DigestKey for TokenKey {
    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Vec<u8>, CaKeyError> {
        let raw = self.token.run(|session, generation| {
            let key = self.handle(session, generation)?;
            Ok(session.sign(&Mechanism::Ecdsa, key, digest)?)
        })?;
        encoding::signature(&raw).ok_or_else(|| self.token.trouble("C_Sign gave no P-256 signature"))
    }
}

fn private_key(session: &Session, token: &Pkcs11Token, name: &KeyName) -> Result<ObjectHandle, Pkcs11Fault> {
    one_object(session, token, name, ObjectClass::PRIVATE_KEY)
}

/// The public half says on which curve the key is.
fn public_point(session: &Session, token: &Pkcs11Token, name: &KeyName) -> Result<Vec<u8>, Pkcs11Fault> {
    let object = one_object(session, token, name, ObjectClass::PUBLIC_KEY)?;
    let (mut curve, mut point) = (None, None);
    for attribute in session.get_attributes(object, &[AttributeType::EcParams, AttributeType::EcPoint])? {
        match attribute {
            Attribute::EcParams(found) => curve = Some(found),
            Attribute::EcPoint(found) => point = Some(found),
            _ => {}
        }
    }
    if curve.as_deref() != Some(encoding::P256) {
        return Err(CaKeyError::NotP256.into());
    }
    let point = point.as_deref().and_then(encoding::point).ok_or(CaKeyError::NotP256)?;
    Ok(point.to_vec())
}

fn one_object(
    session: &Session,
    token: &Pkcs11Token,
    name: &KeyName,
    class: ObjectClass,
) -> Result<ObjectHandle, Pkcs11Fault> {
    let wanted = [
        Attribute::Class(class),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(true),
        Attribute::Label(name.label.clone().into_bytes()),
        Attribute::Id(name.id.clone()),
    ];
    let found = session.find_objects(&wanted)?;
    match found.as_slice() {
        [object] => Ok(*object),
        [] => Err(Pkcs11Fault::Hidden(no_key(token, name, 0))),
        _ => Err(no_key(token, name, found.len()).into()),
    }
}

fn no_key(token: &Pkcs11Token, name: &KeyName, count: usize) -> CaKeyError {
    CaKeyError::NoKey { token: token.label().to_owned(), label: name.label.clone(), id: hex(&name.id), count }
}
