//! What a lint may find.

use std::fmt;

/// What a finding is measured by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LintKind {
    /// RFC 5280, or what Tegata demands of every certificate.
    Rule,
    /// What was intended, and recorded in the ledger.
    Record,
    /// Today's profile and public address: a certificate from before they were changed may differ and be sound.
    Settings,
}

macro_rules! findings {
    ($($kind:ident { $($name:ident $text:literal)* })*) => {
        /// Something the certificate should have and has not.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum Finding { $($($name),*),* }

        impl Finding {
            /// All that there can be.
            pub const ALL: &'static [Self] = &[$($(Self::$name),*),*];

            /// What it is measured by.
            pub fn kind(self) -> LintKind {
                match self { $($(Self::$name => LintKind::$kind),*),* }
            }

            /// What the certificate should have, with the section of RFC 5280 that wants it if there is one.
            pub fn text(self) -> &'static str {
                match self { $($(Self::$name => $text),*),* }
            }
        }
    };
}

findings! {
    Rule {
        Encoding "one X.509 certificate in DER (4.1)"
        Version "version 3 (4.1.2.1)"
        SerialForm "a positive serial of at most 20 octets (4.1.2.2)"
        Algorithm "ecdsa-with-SHA256 inside and outside (4.1.1.2)"
        IssuerName "the issuer's subject, byte by byte (4.1.2.4)"
        TimeForm "UTCTime through 2049 and GeneralizedTime from 2050, to the second, in Z (4.1.2.5)"
        Order "an end that is not before the begin (4.1.2.5)"
        IssuersLife "a life within the issuer's"
        SubjectMissing "a subject, because SubjectAltName is not critical (4.1.2.6)"
        SubjectForm "subject values of 1 to 64 visible characters in UTF8String or PrintableString (4.1.2.4, A.1)"
        SubjectTypes "one common name, at most one organization and one country, each alone in its place"
        KeyForm "a sound key in its one form (4.1.2.7)"
        UniqueIdentifiers "no unique identifiers (4.1.2.8)"
        ExtensionTwice "no extension twice (4.2)"
        OtherExtension "no extensions but those of a profile"
        AuthorityKey "AuthorityKeyIdentifier with the issuer's key identifier alone, not critical (4.2.1.1)"
        SubjectKey "SubjectKeyIdentifier by RFC 7093 method 1, not critical (4.2.1.2)"
        KeyUsage "critical KeyUsage with digitalSignature, and at most keyEncipherment for RSA (4.2.1.3)"
        Policies "CertificatePolicies, not critical: every policy once, its qualifiers in their form (4.2.1.4)"
        AlternativeName "SubjectAltName with one https URI, not critical (4.2.1.6)"
        BasicConstraints "critical BasicConstraints with CA:FALSE (4.2.1.9)"
        ExtendedKeyUsage "ExtendedKeyUsage with clientAuth alone, not critical (4.2.1.12)"
        DistributionPoint "one CRL distribution point with one URL, not critical (4.2.1.13)"
        InformationAccess "AuthorityInfoAccess with OCSP and caIssuers of the issuer, not critical (4.2.2.1)"
        Signature "a signature of the issuer's (4.1.1.3)"
    }
    Record {
        Intended "the bytes that were recorded before signing"
        Serial "the reserved serial"
        Validity "the intended validity"
        Key "the requested key, byte by byte"
        CommonName "the intended common name"
        Holder "the holder's URI"
        Shard "the CRL of its shard"
    }
    Settings {
        Life "a life no longer than the profile's"
        KeyType "a key that the profile allows"
        KeyEncipherment "keyEncipherment if the profile wants it"
        ProfileSubject "the profile's organization and country"
        ProfilePolicies "the profile's policies"
        Address "URLs at the public address"
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// Whether it holds, and what to say otherwise.
pub(super) type LintCheck = (bool, Finding);
