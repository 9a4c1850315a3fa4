//! The link of an invitation, as people pass it on.

use tegata_core::HttpOrigin;
use tegata_core::encoding::percent_decoded;
use tegata_core::id::InvitationCode;
use tegata_core::name::composed_narrow;
use tegata_installation::Failure;

/// A link of an invitation, or of kitting.
#[derive(Debug)]
pub struct EnrollmentLink {
    pub portal: String,
    pub code: InvitationCode,
    pub kitting: bool,
}

impl EnrollmentLink {
    /// From a link with whatever a mail, a chat or a sentence put around it: brackets, a full stop, words behind that,
    /// full-width letters, escapes, the end of a line within the code.
    pub fn read(text: &str) -> Result<Self, Failure> {
        Self::found(text).ok_or_else(|| {
            Failure::misuse(
                "that is no invitation link: it looks like https://HOST/enroll#CODE or https://HOST/kitting#CODE",
            )
        })
    }

    fn found(text: &str) -> Option<Self> {
        let text = composed_narrow(&unescaped(text));
        let link = &text[text.find("https://")?..];
        let (address, fragment) = link.split_once('#')?;
        let (portal, page) = address.rsplit_once('/')?;
        let kitting = match page {
            "enroll" => false,
            "kitting" => true,
            _ => return None,
        };
        let portal = HttpOrigin::parse_https(portal).ok()?.to_string();
        let code = code_at_start(fragment).or_else(|| {
            let joined: String = fragment.split_whitespace().collect();
            code_at_start(&joined)
        });
        Some(Self { portal, code: code?, kitting })
    }
}

/// Mail programs escape what stands behind the `#`, and the sign itself.
fn unescaped(text: &str) -> String {
    let decoded = percent_decoded(text).and_then(|octets| String::from_utf8(octets).ok());
    decoded.unwrap_or_else(|| text.to_owned())
}

/// The code that a text begins with, and that ends where letters and digits do.
fn code_at_start(text: &str) -> Option<InvitationCode> {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(text.len());
    InvitationCode::parse(&text[..end].to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "7k3q9fm07k3q9fm07k3q9fm07k3q9fm0";

    #[test]
    fn a_link_is_read_with_what_a_sentence_puts_around_it() {
        let plain = format!("https://portal.example:8443/enroll#{CODE}");
        let wide: String =
            plain.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)).collect();
        for written in [
            plain.clone(),
            format!(" {plain}\n"),
            format!("{plain}。"),
            format!("{plain}、次に進んでください"),
            format!("「{plain}」"),
            format!("<{plain}>"),
            format!("({plain})です。"),
            format!("こちら: {plain} を開いてください"),
            format!("{plain}%E3%80%82"),
            format!("{plain}%20"),
            plain.replace('#', "%23"),
            plain.replace('#', "＃"),
            wide,
            format!("{}\r\n {}", &plain[..50], &plain[50..]),
            plain.replace(CODE, &CODE.to_uppercase()),
        ] {
            let link = EnrollmentLink::read(&written).unwrap_or_else(|_| panic!("{written}"));
            assert_eq!((link.portal.as_str(), link.code.reveal()), ("https://portal.example:8443", CODE));
            assert!(!link.kitting);
        }
        assert!(EnrollmentLink::read(&format!("https://a.example/kitting#{CODE}。")).unwrap().kitting);
    }

    #[test]
    fn what_is_no_link_is_none() {
        for wrong in [
            "",
            CODE,
            "https://a.example/enroll",
            "https://a.example/enroll#",
            &format!("http://a.example/enroll#{CODE}"),
            &format!("https://a.example/elsewhere#{CODE}"),
            &format!("https://a.example/enroll#{CODE}x"),
            &format!("https://a.example/enroll#{}", &CODE[1..]),
            &format!("https://a b/enroll#{CODE}"),
        ] {
            assert!(EnrollmentLink::read(wrong).is_err(), "{wrong}");
        }
    }
}
