//! Hashes of passwords that another product has made: Argon2, bcrypt and PBKDF2, in the forms of PHC, crypt(3), Django and
//! passlib.
//!
//! A hash says itself what it costs to check, and whoever signs in pays that price: a hash that costs more than the bounds
//! below is not taken, when it is imported and when it is checked.

#[cfg(test)]
mod vectors;

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use ring::digest::{SHA256, digest};
use ring::pbkdf2;
use std::num::NonZeroU32;
use tegata_core::Language;
use tegata_core::encoding::{from_base64, hex};

/// KiB of memory of Argon2: a little more than what Django asks for (100 MiB).
const MOST_MEMORY: u32 = 131_072;

/// Memory times passes, in KiB: about half a second.
const MOST_WORK: u64 = 524_288;

/// The most lanes of Argon2 that are taken.
const MOST_LANES: u32 = 16;

/// The binary logarithm of the rounds of bcrypt: about half a second. 31 would be a day.
const MOST_COST: u32 = 13;

/// Rounds of PBKDF2 in all blocks of its output: about half a second of SHA-256.
const MOST_ROUNDS: u32 = 1_500_000;

/// Fewer rounds are searched through as soon as somebody reads the ledger.
const FEWEST_ROUNDS: u32 = 1_000;

/// The longest text of a hash, in octets.
const LONGEST: usize = 512;

/// A hash that can be checked at a bounded cost. It never prints itself.
pub struct ForeignHash(ForeignScheme);

enum ForeignScheme {
    Argon2(String),
    Bcrypt(String),
    /// Django's: bcrypt of the hexadecimal digits of SHA-256, so that nothing is cut off.
    BcryptSha256(String),
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

/// Why a hash is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAForeignHash {
    /// It has none of the forms that are taken.
    Form,
    /// It costs too much to check.
    TooCostly,
    /// It costs so little that it protects nothing.
    TooCheap,
}

impl NotAForeignHash {
    /// What is wrong, for whoever imports it. It repeats nothing of the hash.
    pub const fn text(self, language: Language) -> &'static str {
        match self {
            Self::Form => language.pick(
                "Argon2・bcrypt・PBKDF2 のどの形式でもありません",
                "it is no hash of Argon2, bcrypt or PBKDF2",
            ),
            Self::TooCostly => language.pick(
                "照合に時間かメモリーがかかりすぎます（bcrypt はコスト13、PBKDF2 は出力全体で150万回、Argon2 は128 MiBまで）",
                "it takes too much time or memory to check (bcrypt: cost 13, PBKDF2: 1,500,000 rounds over all blocks of its output, Argon2: 128 MiB)",
            ),
            Self::TooCheap => language.pick(
                "計算の回数が少なすぎて安全ではありません",
                "it has so few rounds that it protects nothing",
            ),
        }
    }
}

impl ForeignHash {
    /// Reads a hash as another product wrote it.
    ///
    /// # Errors
    /// Says why it is not taken.
    pub fn parse(text: &str) -> Result<Self, NotAForeignHash> {
        let text = text.trim();
        if text.len() > LONGEST || !text.is_ascii() {
            return Err(NotAForeignHash::Form);
        }
        // Django puts the name of its hasher first.
        let (name, rest) = text.split_once('$').ok_or(NotAForeignHash::Form)?;
        let scheme = match name {
            "" => crypt(text)?,
            "argon2" => argon2_phc(&format!("${rest}"))?,
            "bcrypt" => ForeignScheme::Bcrypt(bounded_bcrypt(rest)?),
            "bcrypt_sha256" => ForeignScheme::BcryptSha256(bounded_bcrypt(rest)?),
            "pbkdf2_sha256" => django_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, rest)?,
            "pbkdf2_sha1" => django_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA1, rest)?,
            _ => return Err(NotAForeignHash::Form),
        };
        Ok(Self(scheme))
    }

    /// Whether a password has this hash. Takes as long as its maker wanted.
    pub(crate) fn fits(&self, password: &[u8]) -> bool {
        match &self.0 {
            ForeignScheme::Argon2(text) => PasswordHash::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            ForeignScheme::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
            ForeignScheme::BcryptSha256(text) => {
                let digits = hex(digest(&SHA256, password).as_ref());
                bcrypt::verify(digits.as_bytes(), text).unwrap_or(false)
            }
            ForeignScheme::Pbkdf2 { algorithm, rounds, salt, hash } => {
                pbkdf2::verify(*algorithm, *rounds, salt, password, hash).is_ok()
            }
        }
    }
}

/// `$name$…`, as PHC, crypt(3) and passlib write it.
fn crypt(text: &str) -> Result<ForeignScheme, NotAForeignHash> {
    let name = text.split('$').nth(1).unwrap_or_default();
    match name {
        "argon2d" | "argon2i" | "argon2id" => argon2_phc(text),
        "2a" | "2b" | "2y" => bounded_bcrypt(text).map(ForeignScheme::Bcrypt),
        "pbkdf2" | "pbkdf2-sha1" => modular_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA1, text),
        "pbkdf2-sha256" => modular_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, text),
        "pbkdf2-sha512" => modular_pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, text),
        _ => Err(NotAForeignHash::Form),
    }
}

fn argon2_phc(text: &str) -> Result<ForeignScheme, NotAForeignHash> {
    let hash = PasswordHash::new(text).map_err(|_| NotAForeignHash::Form)?;
    let params = Params::try_from(&hash).map_err(|_| NotAForeignHash::Form)?;
    if hash.hash.is_none() || hash.salt.is_none() {
        return Err(NotAForeignHash::Form);
    }
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if params.m_cost() > MOST_MEMORY || work > MOST_WORK || params.p_cost() > MOST_LANES {
        return Err(NotAForeignHash::TooCostly);
    }
    Ok(ForeignScheme::Argon2(text.to_owned()))
}

/// `$2b$12$` and 53 characters.
fn bounded_bcrypt(text: &str) -> Result<String, NotAForeignHash> {
    let parts: Vec<_> = text.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, rest] = parts[..] else { return Err(NotAForeignHash::Form) };
    let is_of_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    let cost: u32 = cost.parse().map_err(|_| NotAForeignHash::Form)?;
    if rest.len() != 53 || !rest.bytes().all(is_of_alphabet) || cost < 4 {
        return Err(NotAForeignHash::Form);
    }
    if cost > MOST_COST { Err(NotAForeignHash::TooCostly) } else { Ok(text.to_owned()) }
}

/// `rounds$salt$hash`: the salt as it stands, the hash in base 64.
fn django_pbkdf2(algorithm: pbkdf2::Algorithm, rest: &str) -> Result<ForeignScheme, NotAForeignHash> {
    let parts: Vec<_> = rest.split('$').collect();
    let [rounds, salt, hash] = parts[..] else { return Err(NotAForeignHash::Form) };
    bounded_pbkdf2(algorithm, rounds, salt.as_bytes().to_vec(), from_base64(hash))
}

/// `$pbkdf2-sha256$i=600000,l=32$salt$hash` (PHC), or with the rounds alone (passlib, which writes `.` for `+`).
fn modular_pbkdf2(algorithm: pbkdf2::Algorithm, text: &str) -> Result<ForeignScheme, NotAForeignHash> {
    let parts: Vec<_> = text.split('$').collect();
    let ["", _, parameters, salt, hash] = parts[..] else { return Err(NotAForeignHash::Form) };
    let named = parameters.split(',').find_map(|parameter| parameter.strip_prefix("i="));
    let rounds = named.unwrap_or(parameters);
    let decoded = |text: &str| {
        let padding = "=".repeat((4 - text.len() % 4) % 4);
        from_base64(&format!("{}{padding}", text.replace('.', "+")))
    };
    bounded_pbkdf2(algorithm, rounds, decoded(salt).ok_or(NotAForeignHash::Form)?, decoded(hash))
}

fn digest_length(algorithm: pbkdf2::Algorithm) -> usize {
    if algorithm == pbkdf2::PBKDF2_HMAC_SHA1 {
        ring::digest::SHA1_OUTPUT_LEN
    } else if algorithm == pbkdf2::PBKDF2_HMAC_SHA512 {
        ring::digest::SHA512_OUTPUT_LEN
    } else {
        ring::digest::SHA256_OUTPUT_LEN
    }
}

fn bounded_pbkdf2(
    algorithm: pbkdf2::Algorithm,
    rounds: &str,
    salt: Vec<u8>,
    hash: Option<Vec<u8>>,
) -> Result<ForeignScheme, NotAForeignHash> {
    let rounds: u32 = rounds.parse().map_err(|_| NotAForeignHash::Form)?;
    let hash = hash.filter(|hash| (16..=64).contains(&hash.len())).ok_or(NotAForeignHash::Form)?;
    // Each block of output takes all rounds anew (RFC 8018 section 5.2).
    let blocks = hash.len().div_ceil(digest_length(algorithm));
    if u64::from(rounds) * blocks as u64 > u64::from(MOST_ROUNDS) {
        return Err(NotAForeignHash::TooCostly);
    }
    if rounds < FEWEST_ROUNDS || salt.is_empty() {
        return Err(NotAForeignHash::TooCheap);
    }
    let rounds = NonZeroU32::new(rounds).ok_or(NotAForeignHash::TooCheap)?;
    Ok(ForeignScheme::Pbkdf2 { algorithm, rounds, salt, hash })
}

#[cfg(test)]
mod tests {
    use super::vectors::{PASSWORD, VECTORS};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_other_products_have_hashed_fits_its_password_and_no_other() {
        for (name, text) in VECTORS {
            let hash = ForeignHash::parse(text).unwrap_or_else(|why| panic!("{name}: {why:?}"));
            assert!(hash.fits(PASSWORD.as_bytes()), "{name}");
            assert!(!hash.fits(b"another password"), "{name}");
        }
    }

    #[test]
    fn a_hash_that_would_take_hours_or_all_memory_is_not_taken() {
        let rest = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
        for (text, why) in [
            (format!("$2b$31${rest}"), NotAForeignHash::TooCostly),
            (format!("$2a$14${rest}"), NotAForeignHash::TooCostly),
            (format!("bcrypt_sha256$$2b$31${rest}"), NotAForeignHash::TooCostly),
            (format!("$2b$99${rest}"), NotAForeignHash::TooCostly),
            (format!("$2b$03${rest}"), NotAForeignHash::Form),
            (format!("$2x$12${rest}"), NotAForeignHash::Form),
            (
                "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
                    .into(),
                NotAForeignHash::TooCostly,
            ),
            (
                "$argon2id$v=19$m=65536,t=100,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
                    .into(),
                NotAForeignHash::TooCostly,
            ),
            ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".into(), NotAForeignHash::Form),
            (
                "pbkdf2_sha256$999999999$salt$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=".into(),
                NotAForeignHash::TooCostly,
            ),
            // 64 octets of SHA-1 are four blocks, and cost four times as much.
            (format!("$pbkdf2$i=400000${}${}", "c2FsdHNhbHQ", "A".repeat(86)), NotAForeignHash::TooCostly),
            (
                "pbkdf2_sha256$1$salt$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=".into(),
                NotAForeignHash::TooCheap,
            ),
            (
                "pbkdf2_sha256$600000$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=".into(),
                NotAForeignHash::TooCheap,
            ),
            ("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99".into(), NotAForeignHash::Form),
            ("{SSHA}nonsense".into(), NotAForeignHash::Form),
            ("password".into(), NotAForeignHash::Form),
            (String::new(), NotAForeignHash::Form),
        ] {
            assert_eq!(ForeignHash::parse(&text).err(), Some(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[$a-z0-9=,./+_-]{0,80}", name in "(\\$2b|\\$argon2id|\\$pbkdf2-sha256|pbkdf2_sha256|bcrypt)") {
            let _ = (ForeignHash::parse(&text).is_ok(), ForeignHash::parse(&format!("{name}${text}")).is_ok());
        }
    }
}
