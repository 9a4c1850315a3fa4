//! Names of header fields, as the programs that read them see them.

use std::borrow::Cow;

/// Headers that say something about a client's certificate, to some proxy or some product.
const CERTIFICATE_HEADERS: [&str; 6] = [
    "client-cert",
    "client-cert-chain",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x-arr-clientcert",
    "x-ssl-cert",
];

/// Beginnings of such headers.
const CERTIFICATE_PREFIXES: [&str; 6] = [
    "ssl-client-",
    "x-ssl-client-",
    "x-client-cert-",
    "x-amzn-mtls-",
    "x-forwarded-tls-client-cert",
    "x-goog-client-cert",
];

/// A name as the most forgetful reader sees it: letters and digits in lower case, and everything else as `-`.
///
/// CGI (RFC 3875 section 4.1.18) and what descends from it keep letters and digits of a name alone, so to such a
/// program `Tegata.Device`, `Tegata_Device` and `Tegata-Device` are one header.
pub fn as_seen(name: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.bytes().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let seen = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    Cow::Owned(name.chars().map(seen).collect())
}

/// Whether this is a token (RFC 9110 section 5.6.2), which every name of a field must be.
pub fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

/// Whether some reader takes this name for one that is known to speak of a client's certificate.
pub fn is_about_certificates(name: &str) -> bool {
    let seen = as_seen(name);
    CERTIFICATE_HEADERS.contains(&&*seen)
        || CERTIFICATE_PREFIXES.iter().any(|prefix| seen.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_cgi_program_cannot_tell_apart_are_one_name() {
        for name in ["tegata-device", "Tegata.Device", "TEGATA_DEVICE", "tegata~device", "tegata|device"] {
            assert_eq!(as_seen(name), "tegata-device");
        }
        assert_eq!(as_seen("tegata-device2"), "tegata-device2");
    }

    #[test]
    fn a_name_about_certificates_is_known_in_every_spelling() {
        for separator in "!#$%&'*+-.^_`|~".chars() {
            for name in ["X-Client-Cert", "ssl-client-verify", "X-AMZN-MTLS-Clientcert-Leaf", "client-cert"] {
                let spelled: String =
                    name.chars().map(|letter| if letter == '-' { separator } else { letter }).collect();
                assert!(is_token(&spelled) && is_about_certificates(&spelled), "{spelled}");
            }
        }
        for name in ["accept", "x-client-certain", "client-certificate", "ssl", "x.real.ip"] {
            assert!(!is_about_certificates(name), "{name}");
        }
    }

    #[test]
    fn a_name_outside_of_the_alphabet_of_tokens_is_none() {
        for name in ["", "a b", "a\"b", "a(b", "a:b", "a/b", "a\u{e9}", "a\n", "a,b", "a@b", "a{b"] {
            assert!(!is_token(name), "{name}");
        }
    }
}
