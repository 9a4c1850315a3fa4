//! Guidance on pages, by tenant and site: whom staff call, and where they go on.

use crate::name::Name;
use serde::{Deserialize, Serialize};

/// The longest name, in characters: it stands on one line of a telephone's screen or two.
const LONGEST_NAME: usize = 60;
const LONGEST_PHONE: usize = 30;
const LONGEST_URL: usize = 500;

/// Whom staff call when a page says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "WrittenContact")]
pub struct Contact {
    name: String,
    phone: String,
}

/// Where staff go once their certificate works.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "WrittenProductLink")]
pub struct ProductLink {
    name: String,
    url: String,
}

/// The guidance on pages for the staff of a site beyond what they say to everybody.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Guidance {
    /// Whom a person at a device may call.
    pub contact: Option<Contact>,
    /// Where to go on.
    pub product: Option<ProductLink>,
}

/// Why something cannot be shown to staff.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnfitGuidance {
    /// It is empty, too long, or has characters that nobody sees.
    #[error("a name has 1 to 60 characters, all of which can be seen")]
    Name,
    /// Nobody can dial it.
    #[error(
        "a telephone number has at least 3 digits, and otherwise only + - ( ) and spaces, such as 03-1234-5678"
    )]
    Phone,
    /// A link could lead elsewhere than it seems to.
    #[error("an address begins with https:// and a host name, without a user name, spaces or quotes")]
    Url,
}

impl Contact {
    /// Checks both. Full-width digits of a Japanese keyboard are taken as digits.
    ///
    /// # Errors
    /// [`UnfitGuidance`] says which of them cannot be shown.
    pub fn new(name: &str, phone: &str) -> Result<Self, UnfitGuidance> {
        let phone: String = phone.chars().map(half_width).collect();
        let digits = phone.chars().filter(char::is_ascii_digit).count();
        let dialable = phone.chars().all(|sign| sign.is_ascii_digit() || "+-() ".contains(sign));
        if digits < 3 || !dialable || phone.len() > LONGEST_PHONE || phone.trim() != phone {
            return Err(UnfitGuidance::Phone);
        }
        Ok(Self { name: readable(name)?, phone })
    }

    /// Who answers, such as `本部システム担当`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number as people write it.
    pub fn phone(&self) -> &str {
        &self.phone
    }

    /// The number as a `tel:` link takes it (RFC 3966).
    pub fn tel(&self) -> String {
        let digits = self.phone.chars().filter(char::is_ascii_digit);
        let plus = if self.phone.starts_with('+') { "+" } else { "" };
        plus.chars().chain(digits).collect()
    }
}

impl ProductLink {
    /// Checks that the name can be shown and that the address is an `https` URL.
    ///
    /// # Errors
    /// [`UnfitGuidance`] says which of them cannot be shown.
    pub fn new(name: &str, url: &str) -> Result<Self, UnfitGuidance> {
        if !is_plain_https(url) {
            return Err(UnfitGuidance::Url);
        }
        Ok(Self { name: readable(name)?, url: url.to_owned() })
    }

    /// What staff call the product.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `https` URL behind the name.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Guidance {
    /// This guidance, completed by `wider` where it is silent.
    #[must_use]
    pub fn or(self, wider: Self) -> Self {
        Self { contact: self.contact.or(wider.contact), product: self.product.or(wider.product) }
    }
}

fn readable(name: &str) -> Result<String, UnfitGuidance> {
    Name::parse(name, LONGEST_NAME).map(|name| name.as_str().to_owned()).map_err(|_| UnfitGuidance::Name)
}

fn half_width(sign: char) -> char {
    match sign {
        '０'..='９' | '（' | '）' | '＋' | '－' => {
            char::from_u32(u32::from(sign) - 0xfee0).unwrap_or(sign)
        }
        '−' | '‐' | '‑' | '–' | 'ー' => '-',
        '\u{3000}' => ' ',
        _ => sign,
    }
}

fn is_plain_https(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "443"));
    let is_name = |name: &str| {
        name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    url.len() <= LONGEST_URL
        && is_name(name)
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenContact {
    name: String,
    phone: String,
}

impl TryFrom<WrittenContact> for Contact {
    type Error = UnfitGuidance;

    fn try_from(written: WrittenContact) -> Result<Self, UnfitGuidance> {
        Self::new(&written.name, &written.phone)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProductLink {
    name: String,
    url: String,
}

impl TryFrom<WrittenProductLink> for ProductLink {
    type Error = UnfitGuidance;

    fn try_from(written: WrittenProductLink) -> Result<Self, UnfitGuidance> {
        Self::new(&written.name, &written.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_can_dial_what_an_operator_wrote() {
        for (written, phone, tel) in [
            ("03-1234-5678", "03-1234-5678", "0312345678"),
            ("０３（１２３４）５６７８", "03(1234)5678", "0312345678"),
            ("+81 3 1234 5678", "+81 3 1234 5678", "+81312345678"),
            ("119", "119", "119"),
        ] {
            let contact = Contact::new("本部 システム担当", written).unwrap();
            assert_eq!((contact.phone(), contact.tel().as_str()), (phone, tel));
        }
        for wrong in
            ["", "12", "tel:0312345678", "03-1234-5678;x", "03\n1234", " 03-1234-5678", &"1".repeat(31)]
        {
            assert_eq!(Contact::new("本部", wrong), Err(UnfitGuidance::Phone), "{wrong:?}");
        }
        for wrong in ["", " ", "本\u{202e}部", "本\u{200b}部", "a\nb", &"長".repeat(61)] {
            assert_eq!(Contact::new(wrong, "119"), Err(UnfitGuidance::Name), "{wrong:?}");
        }
    }

    #[test]
    fn a_product_link_leads_where_it_says() {
        for url in ["https://yakureki.example.jp", "https://a.example.jp:8443/login?from=tegata#top"] {
            assert_eq!(ProductLink::new("電子薬歴", url).unwrap().url(), url);
        }
        for wrong in [
            "http://a.example.jp",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "https://a.example.jp@b.example.jp/",
            "https://a.example.jp/\" onclick=",
            "https://a..b/",
            "https://a:b/",
            "https://a\\b/",
            "https://あおば.jp/",
            "//a.example.jp",
        ] {
            assert_eq!(ProductLink::new("電子薬歴", wrong), Err(UnfitGuidance::Url), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_site_says_goes_before_what_its_tenant_says() {
        let contact = |phone| Contact::new("本部", phone).ok();
        let product = ProductLink::new("薬歴", "https://a.example.jp").ok();
        let tenant = Guidance { contact: contact("111"), product: product.clone() };
        let site = Guidance { contact: contact("222"), product: None };
        assert_eq!(site.or(tenant), Guidance { contact: contact("222"), product });
    }
}
