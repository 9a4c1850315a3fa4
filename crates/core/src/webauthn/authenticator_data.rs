//! What an authenticator signs beside the client's data (section 6.1).

use crate::cbor::CborItem;

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// The octets of the hash of the relying party's name, and of the authenticator's model.
const HASH: usize = 32;
const MODEL: usize = 16;

/// Authenticator data, whole and with nothing after it.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    /// SHA-256 of the relying party's name.
    pub(super) relying_party: &'a [u8],
    pub(super) is_present: bool,
    pub(super) is_verified: bool,
    pub(super) counter: u32,
    pub(super) attested: Option<AttestedCredential<'a>>,
}

/// A new credential (section 6.5.1).
#[derive(Debug)]
pub(super) struct AttestedCredential<'a> {
    pub(super) credential: &'a [u8],
    /// The COSE key, and nothing after it.
    pub(super) public_key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (relying_party, rest) = bytes.split_at_checked(HASH)?;
        let ([flags], rest) = rest.split_first_chunk()?;
        let (counter, mut rest) = rest.split_first_chunk()?;
        let has = |flag: u8| flags & flag != 0;
        // Nothing is backed up that cannot be (section 6.1.3).
        if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
            return None;
        }
        let attested = if has(ATTESTED) { Some(AttestedCredential::take(&mut rest)?) } else { None };
        if has(EXTENSIONS) {
            let (extensions, after) = CborItem::parse_first(rest)?;
            matches!(extensions, CborItem::Map(_)).then_some(())?;
            rest = after;
        }
        rest.is_empty().then_some(Self {
            relying_party,
            is_present: has(PRESENT),
            is_verified: has(VERIFIED),
            counter: u32::from_be_bytes(*counter),
            attested,
        })
    }
}

impl<'a> AttestedCredential<'a> {
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let (_, after) = rest.split_at_checked(MODEL)?;
        let (length, after) = after.split_first_chunk()?;
        let (credential, key) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (_, after) = CborItem::parse_first(key)?;
        let (public_key, _) = key.split_at_checked(key.len() - after.len())?;
        *rest = after;
        Some(Self { credential, public_key })
    }
}
