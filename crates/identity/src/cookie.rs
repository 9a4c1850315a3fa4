//! What a browser holds: the token of a session, and a random value that its forms are tied to.
//!
//! Both are `__Host-` cookies (RFC 6265bis section 4.1.3.2): of this very host, sent by HTTPS alone, and out of reach of
//! scripts. `SameSite=Lax` keeps them out of requests that other sites' pages make, and lets a link lead here.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use ring::digest::{SHA256, digest};
use ring::hmac;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::entropy::{Entropy, bytes};
use zeroize::Zeroizing;

/// A cookie of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CookieName {
    /// Of somebody who is signed in.
    Session,
    /// Of somebody who is about to.
    Form,
    /// Of a sign-in that was begun at the tenant's provider.
    Provider,
}

/// 256 random bits that only one browser has. It never prints itself.
pub(crate) struct BrowserSecret(Zeroizing<[u8; 32]>);

impl CookieName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "__Host-tegata-session",
            Self::Form => "__Host-tegata-form",
            Self::Provider => "__Host-tegata-provider",
        }
    }

    /// What a request carries by this name; nothing where there are two, because somebody else has set one of them.
    pub(crate) fn value(self, headers: &HeaderMap) -> Option<&str> {
        let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
        let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(found, _)| *found == self.as_str()).map(|(_, value)| value);
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Some(value)
    }

    /// The value that gives it to the browser, until it is closed.
    pub(crate) fn holding(self, value: &str) -> HeaderValue {
        set(&format!("{}={value}; Path=/; Secure; HttpOnly; SameSite=Lax", self.as_str()))
    }

    /// The value that takes it from the browser.
    pub(crate) fn taken_back(self) -> HeaderValue {
        set(&format!("{}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", self.as_str()))
    }
}

impl BrowserSecret {
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(bytes(entropy)))
    }

    /// From a request that carries exactly one such cookie.
    pub(crate) fn of(headers: &HeaderMap, name: CookieName) -> Option<Self> {
        let value: [u8; 32] = from_base64url(name.value(headers)?)?.try_into().ok()?;
        Some(Self(Zeroizing::new(value)))
    }

    /// The value that gives it to the browser, until it is closed.
    pub(crate) fn given(&self, name: CookieName) -> HeaderValue {
        name.holding(&base64url(self.0.as_ref()))
    }

    /// What the ledger keeps of a session. A plain hash suffices: 256 random bits cannot be searched.
    pub(crate) fn hash(&self) -> Vec<u8> {
        digest(&SHA256, self.0.as_ref()).as_ref().to_vec()
    }

    /// What a form of this browser carries. It tells nothing about the secret.
    pub(crate) fn form_token(&self) -> String {
        base64url(hmac::sign(&self.form_key(), FORM).as_ref())
    }

    /// Whether a form was made for this browser.
    pub(crate) fn made(&self, form_token: &str) -> bool {
        let token = from_base64url(form_token).unwrap_or_default();
        hmac::verify(&self.form_key(), FORM, &token).is_ok()
    }

    fn form_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref())
    }
}

const FORM: &[u8] = b"tegata form";

/// Every cookie here is written in ASCII.
fn set(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    fn sent(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, HeaderValue::from_str(cookie).unwrap())).collect()
    }

    #[test]
    fn a_browser_sends_back_what_it_was_given() {
        let secret = BrowserSecret::random(&Seeded::new(1));
        let given = secret.given(CookieName::Session);
        let (pair, attributes) = given.to_str().unwrap().split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
        let back = BrowserSecret::of(&sent(&[&format!("other=1; {pair}")]), CookieName::Session).unwrap();
        assert_eq!(back.hash(), secret.hash());
        assert!(BrowserSecret::of(&sent(&[pair]), CookieName::Form).is_none());
    }

    #[test]
    fn two_cookies_of_one_name_or_nonsense_are_none() {
        let pair = |seed| {
            let given = BrowserSecret::random(&Seeded::new(seed)).given(CookieName::Session);
            given.to_str().unwrap().split_once(';').unwrap().0.to_owned()
        };
        let (one, two) = (pair(1), pair(2));
        for cookies in
            [vec![format!("{one}; {two}")], vec![one.clone(), two], vec![format!("{one}x")], vec![]]
        {
            let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
            assert!(BrowserSecret::of(&sent(&cookies), CookieName::Session).is_none(), "{cookies:?}");
        }
    }

    #[test]
    fn a_form_fits_the_browser_it_was_made_for() {
        let [one, two] = [1, 2].map(|seed| BrowserSecret::random(&Seeded::new(seed)));
        assert!(one.made(&one.form_token()) && !one.made(&two.form_token()) && !one.made(""));
        assert_ne!(from_base64url(&one.form_token()).unwrap(), one.hash());
    }
}
