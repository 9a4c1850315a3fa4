//! Cheap checks for weak RSA public keys (small factors, ROCA).

use crate::der::{DerReader, MalformedDer, tag};
use std::sync::LazyLock;

/// Lengths of a modulus that are accepted, in bits.
pub(crate) const BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The length in bits of an `RSAPublicKey` (RFC 8017 appendix A.1.1), if it is sound: 2048 to 4096 bits, an odd
/// exponent from 65537 to 2^32 - 1, no small factor, and not from a generator that is known to be broken.
pub(crate) fn sound_bits(key: &[u8]) -> Result<Option<usize>, MalformedDer> {
    let mut fields = DerReader::new(DerReader::single(key, tag::SEQUENCE)?.content);
    let modulus = magnitude(fields.expect(tag::INTEGER)?.content)?;
    let exponent = magnitude(fields.expect(tag::INTEGER)?.content)?;
    fields.end()?;
    let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|octet| octet & 1 == 1);
    let large_enough = exponent.len() == 4 || (exponent.len() == 3 && exponent >= [1, 0, 1].as_slice());
    let fits = BITS.contains(&bits) && is_odd(modulus) && is_odd(exponent) && large_enough;
    Ok((fits && is_sound(modulus)).then_some(bits))
}

/// The octets of a positive INTEGER in its shortest form, without the sign octet.
fn magnitude(content: &[u8]) -> Result<&[u8], MalformedDer> {
    match content {
        [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => Ok(rest),
        [1..=0x7f, ..] => Ok(content),
        _ => Err(MalformedDer),
    }
}

/// Primes are looked at below this (NIST SP 800-89 section 5.3.3 asks for no factor below 752).
const SIEVE: u32 = 752;

/// Primes that the broken generator's numbers betray themselves by.
const TELLING: u32 = 168;

/// The generator of CVE-2017-15361 (ROCA), in the TPMs and cards of one maker: modulo every small prime its moduli are
/// powers of 65537. Of other moduli about one in a hundred million is.
fn is_sound(modulus: &[u8]) -> bool {
    let mut is_roca = true;
    for group in GROUPS.iter() {
        let rest = remainder(modulus, group.product);
        for prime in &group.primes {
            let residue = rest % prime.value;
            if residue == 0 {
                return false;
            }
            is_roca &= prime.powers.as_ref().is_none_or(|powers| powers[residue as usize]);
        }
    }
    !is_roca
}

fn remainder(number: &[u8], divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let head = number.len() % 4;
    let first = number[..head].iter().fold(0, |rest, octet| rest << 8 | u64::from(*octet));
    let rest = number[head..].chunks_exact(4).fold(first % divisor, |rest, word| {
        let word = word.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
        (rest << 32 | word) % divisor
    });
    u32::try_from(rest).unwrap_or_default()
}

/// Odd primes whose product fits in a word, so that a long modulus is divided once for several of them.
struct PrimeGroup {
    product: u32,
    primes: Vec<Prime>,
}

struct Prime {
    value: u32,
    /// Which residues are powers of 65537.
    powers: Option<Vec<bool>>,
}

static GROUPS: LazyLock<Vec<PrimeGroup>> = LazyLock::new(|| {
    let mut groups: Vec<PrimeGroup> = Vec::new();
    let is_prime =
        |number: &u32| (3..).step_by(2).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d));
    for value in (3..SIEVE).step_by(2).filter(is_prime) {
        let prime = Prime { value, powers: (value < TELLING).then(|| powers_of_65537(value)) };
        match groups.last_mut().map(|group| (group.product.checked_mul(value), group)) {
            Some((Some(product), group)) => {
                group.product = product;
                group.primes.push(prime);
            }
            _ => groups.push(PrimeGroup { product: value, primes: vec![prime] }),
        }
    }
    groups
});

fn powers_of_65537(prime: u32) -> Vec<bool> {
    let mut is_power = vec![false; prime as usize];
    let mut power = 1;
    while !is_power[power as usize] {
        is_power[power as usize] = true;
        power = power * 65537 % prime;
    }
    is_power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tegata_core::entropy::{Entropy, Seeded};

    /// 256 octets with the highest and the lowest bit set.
    fn modulus(seed: u64) -> Vec<u8> {
        let mut number = vec![0; 256];
        Seeded::new(seed).fill(&mut number);
        number[0] |= 0x80;
        number[255] |= 1;
        number
    }

    /// `number += addend * times`
    fn add(number: &mut [u8], addend: &[u8], times: u32) {
        let mut carry = 0;
        let padded = addend.iter().rev().chain(std::iter::repeat(&0));
        for (octet, add) in number.iter_mut().rev().zip(padded) {
            carry += u32::from(*octet) + u32::from(*add) * times;
            *octet = carry.to_le_bytes()[0];
            carry >>= 8;
        }
    }

    fn primes() -> impl Iterator<Item = &'static Prime> {
        GROUPS.iter().flat_map(|group| &group.primes)
    }

    #[test]
    fn the_sieve_holds_every_odd_prime_below_752() {
        let values: Vec<_> = primes().map(|prime| prime.value).collect();
        assert_eq!(values.len(), 132);
        assert_eq!((values[0], values[131]), (3, 751));
    }

    /// Raises `number` in steps of `step` until it leaves `wanted` when divided by `prime`.
    fn leave(number: &mut [u8], step: &[u8], prime: u32, wanted: u32) {
        while remainder(number, prime) != wanted {
            add(number, step, 1);
        }
    }

    #[test]
    fn a_modulus_of_the_broken_generator_is_noticed_and_its_neighbor_not() {
        // Chinese remainders: 65537^5 modulo every telling prime at once.
        let mut number = modulus(7);
        let mut step = vec![2];
        number[0] = 0x80;
        for prime in primes().filter(|prime| prime.value < TELLING) {
            let power = (0..5).fold(1, |power, _| power * 65537 % prime.value);
            leave(&mut number, &step, prime.value, power);
            let mut next = vec![0; step.len() + 1];
            add(&mut next, &step, prime.value);
            step = next;
        }
        let is_caught_for_its_form = |number: &[u8]| {
            primes()
                .filter_map(|prime| Some((prime, prime.powers.as_ref()?)))
                .all(|(prime, powers)| powers[remainder(number, prime.value) as usize])
        };
        assert!(is_caught_for_its_form(&number));
        assert!(!is_sound(&number));
        add(&mut number, &[2], 1);
        assert!(!is_caught_for_its_form(&number));
    }

    proptest! {
        #[test]
        fn a_modulus_with_a_small_factor_is_weak(seed: u64, at in any::<prop::sample::Index>()) {
            let all: Vec<_> = primes().collect();
            let prime = at.get(&all).value;
            let mut number = modulus(seed);
            leave(&mut number, &[2], prime, 0);
            prop_assert!(!is_sound(&number));
        }

        #[test]
        fn a_word_at_a_time_divides_like_an_octet_at_a_time(
            number in prop::collection::vec(any::<u8>(), 0..40), divisor in 1..u32::MAX,
        ) {
            let slow = number.iter().fold(0, |rest, octet| (rest << 8 | u64::from(*octet)) % u64::from(divisor));
            prop_assert_eq!(u64::from(remainder(&number, divisor)), slow);
        }
    }
}
