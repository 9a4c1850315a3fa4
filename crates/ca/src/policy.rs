//! Certificate policies (RFC 5280 section 4.2.1.4): the rules a certificate was issued under, as a profile names them.

use crate::der::{self, tag};
use crate::oid;
use crate::subject::is_invisible;

/// The longest explicit text, in characters (RFC 5280 section 4.2.1.4).
pub(crate) const LONGEST_NOTICE: usize = 200;

/// The longest address of a practice statement. No RFC bounds it, but every certificate carries it.
const LONGEST_CPS: usize = 200;

/// A policy that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificatePolicy {
    /// The policy's OBJECT IDENTIFIER in dotted form.
    oid: String,
    cps: Option<String>,
    notice: Option<String>,
}

impl CertificatePolicy {
    /// From an OID in dotted form.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if encoded(text).is_none() {
            return Err(format!(
                "{text:?} is not an object identifier: use numbers with dots such as 1.3.6.1.4.1.32473.1, of which the \
                 first is 0, 1 or 2 and under 0 and 1 the second is below 40 (ITU-T X.660)"
            ));
        }
        if text == ANY_POLICY || text.starts_with(&format!("{ANY_POLICY}.")) {
            return Err(
                "anyPolicy is for the certificates of CAs: name the policy itself (RFC 5280 section 4.2.1.4)"
                    .into(),
            );
        }
        Ok(Self { oid: text.to_owned(), cps: None, notice: None })
    }

    /// From the content octets of an OID's DER.
    pub(crate) fn of_identifier(octets: &[u8]) -> Option<Self> {
        Self::new(&decoded(octets)?).ok()
    }

    /// With the address of the practice statement.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn with_cps(self, uri: &str) -> Result<Self, String> {
        let host = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://")).unwrap_or_default();
        let is_host = host.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'[');
        if is_host && uri.len() <= LONGEST_CPS && uri.bytes().all(is_uri_character) {
            Ok(Self { cps: Some(uri.to_owned()), ..self })
        } else {
            Err(format!(
                "cps is an http or https address of at most {LONGEST_CPS} ASCII characters (RFC 5280 section 4.2.1.4, \
                 CPSuri; RFC 3986)"
            ))
        }
    }

    /// With a text that software may show to whoever relies on the certificate.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub(crate) fn with_notice(self, text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if !(1..=LONGEST_NOTICE).contains(&length) {
            return Err(format!(
                "notice has {length} characters: use 1 to {LONGEST_NOTICE} (RFC 5280 section 4.2.1.4, explicitText)"
            ));
        }
        if text.trim() != text || text.chars().any(is_invisible) {
            return Err(
                "notice is one line of visible characters (RFC 5280 section 4.2.1.4: no control characters)"
                    .into(),
            );
        }
        Ok(Self { notice: Some(text.to_owned()), ..self })
    }

    /// Its object identifier in dotted form.
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// Where its practice statement is.
    pub fn cps(&self) -> Option<&str> {
        self.cps.as_deref()
    }

    /// What may be shown to whoever relies on the certificate.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// The `PolicyInformation` with its qualifiers (RFC 5280 section 4.2.1.4).
    pub(crate) fn der(&self) -> Vec<u8> {
        let qualifier = |id: &[u8], value: &[u8]| der::sequence(&[&der::element(tag::OID, &[id]), value]);
        let cps = self
            .cps
            .as_ref()
            .map(|uri| qualifier(oid::QUALIFIER_CPS, &der::element(tag::IA5_STRING, &[uri.as_bytes()])));
        // explicitText in UTF8String, the form RFC 5280 prefers; no noticeRef, which it advises against.
        let notice = self.notice.as_ref().map(|text| {
            let text = der::element(tag::UTF8_STRING, &[text.as_bytes()]);
            qualifier(oid::QUALIFIER_NOTICE, &der::sequence(&[&text]))
        });
        let qualifiers = [cps, notice].into_iter().flatten().collect::<Vec<_>>().concat();
        let qualifiers = if qualifiers.is_empty() { qualifiers } else { der::sequence(&[&qualifiers]) };
        der::sequence(&[&der::element(tag::OID, &[&encoded(&self.oid).unwrap_or_default()]), &qualifiers])
    }
}

const ANY_POLICY: &str = "2.5.29.32.0";

/// RFC 3986 appendix A.
fn is_uri_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// The content octets of an object identifier (ITU-T X.690 section 8.19).
fn encoded(text: &str) -> Option<Vec<u8>> {
    let arcs: Vec<u128> = text.split('.').map(arc).collect::<Option<_>>()?;
    let [root, second, rest @ ..] = arcs.as_slice() else { return None };
    if *root > 2 || (*root < 2 && *second > 39) {
        return None;
    }
    let first = second.checked_add(root * 40)?;
    let mut octets = Vec::new();
    for arc in std::iter::once(&first).chain(rest) {
        let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
        octets.extend((0..groups).rev().map(|group| {
            let bits = (arc >> (7 * group)).to_le_bytes()[0] & 0x7f;
            if group == 0 { bits } else { bits | 0x80 }
        }));
    }
    Some(octets)
}

/// The dotted form of the content octets of an object identifier.
fn decoded(octets: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc: u128 = 0;
    for octet in octets {
        arc = arc.checked_mul(128)? | u128::from(octet & 0x7f);
        if *octet < 0x80 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let [first, rest @ ..] = arcs.as_slice() else { return None };
    let root = (*first / 40).min(2);
    let arcs = [root, first - root * 40].into_iter().chain(rest.iter().copied());
    Some(arcs.map(|arc| arc.to_string()).collect::<Vec<_>>().join("."))
}

/// One number without a sign or leading zeros.
fn arc(text: &str) -> Option<u128> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::tools::openssl;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_object_identifier_is_refused() {
        for wrong in [
            "", "1", "1.", ".1", "1..2", "3.1", "0.40", "1.40", "01.2", "1.02", "1.-2", "1.+2", "1.2 ",
            "one.two",
        ] {
            assert!(CertificatePolicy::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(
            CertificatePolicy::new("2.25.340282366920938463463374607431768211456").is_err(),
            "2^128 is no arc"
        );
        assert!(CertificatePolicy::new("2.5.29.32.0").is_err(), "anyPolicy");
        assert!(
            CertificatePolicy::new("2.25.340282366920938463463374607431768211455").is_ok(),
            "an UUID is one"
        );
        assert!(CertificatePolicy::new("0.39").is_ok() && CertificatePolicy::new("2.999").is_ok());
    }

    #[test]
    fn an_address_that_is_none_and_a_text_that_hides_are_refused() {
        let policy = || CertificatePolicy::new("2.999.1").unwrap();
        for wrong in [
            "",
            "pki",
            "ftp://a.jp",
            "https://",
            "https:///cps",
            "https://a b",
            "https://薬局.jp",
            "http://a\n",
        ] {
            assert!(policy().with_cps(wrong).is_err(), "{wrong:?}");
        }
        assert!(policy().with_cps(&format!("https://{}", "a".repeat(193))).is_err());
        for wrong in ["", " ", "a\nb", "a\u{202e}b", &"字".repeat(201)] {
            assert!(policy().with_notice(wrong).is_err(), "{wrong:?}");
        }
        assert!(policy().with_notice(&"字".repeat(200)).is_ok());
    }

    #[test]
    fn openssl_writes_the_same_identifiers() {
        for text in [
            "0.0",
            "0.39.1",
            "1.2.840.113549",
            "2.0",
            "2.47",
            "2.48.127.128",
            "2.999.1",
            "2.999.18446744073709551615",
        ] {
            let generated =
                openssl(["asn1parse", "-genstr", &format!("OID:{text}"), "-noout", "-out", "/dev/stdout"]);
            assert_eq!(generated.stdout, der::element(tag::OID, &[&encoded(text).unwrap()]), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_identifier_is_read_back(
            root in 0..3u128, second in 0..40u128, rest in prop::collection::vec(any::<u128>(), 0..6),
        ) {
            let arcs = [vec![root, second], rest].concat();
            let text = arcs.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            prop_assert_eq!(decoded(&encoded(&text).unwrap()), Some(text));
        }
    }
}
