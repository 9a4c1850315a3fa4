//! Addresses of mail, as the operator writes them down.

use serde::Serialize;
use std::fmt;

/// The longest address that goes through every server (RFC 5321 section 4.5.3.1).
const LONGEST: usize = 254;

/// `somebody@host.example`, in the letters that every mail server takes: no quoted parts, no comments, no names around it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct MailAddress(Box<str>);

/// The text is no address that every mail server takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a mail address is like hanako@example.co.jp: letters, digits and . _ % + - before the @, and a host name after it"
)]
pub struct NotAMailAddress;

impl MailAddress {
    /// From its text. The host is written in small letters; what stands before the @ is the host's own matter.
    ///
    /// # Errors
    /// [`NotAMailAddress`] where some mail server would not take it.
    pub fn parse(text: &str) -> Result<Self, NotAMailAddress> {
        let (local, host) = text.rsplit_once('@').ok_or(NotAMailAddress)?;
        let is_local = (1..=64).contains(&local.len())
            && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_local_byte));
        let is_host = !host.is_empty()
            && host.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            });
        if text.len() > LONGEST || !is_local || !is_host {
            return Err(NotAMailAddress);
        }
        Ok(Self(format!("{local}@{}", host.to_ascii_lowercase()).into()))
    }

    /// The address as mail servers take it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_local_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_%+-/=~!#$&'*?^`{|}".contains(&byte)
}

impl fmt::Display for MailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for MailAddress {
    type Err = NotAMailAddress;

    fn from_str(text: &str) -> Result<Self, NotAMailAddress> {
        Self::parse(text)
    }
}

impl TryFrom<String> for MailAddress {
    type Error = NotAMailAddress;

    fn try_from(text: String) -> Result<Self, NotAMailAddress> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_where_every_server_takes_it() {
        for (text, written) in [
            ("hanako@example.co.jp", "hanako@example.co.jp"),
            ("Hanako.T+pc@EXAMPLE.jp", "Hanako.T+pc@example.jp"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(MailAddress::parse(text).unwrap().as_str(), written);
        }
        let long = format!("{}@example.jp", "a".repeat(65));
        for wrong in [
            "",
            "hanako",
            "@example.jp",
            "hanako@",
            "a@b@c",
            "a b@example.jp",
            "a..b@example.jp",
            ".a@example.jp",
            "a@example..jp",
            "a@-example.jp",
            "花子@example.jp",
            "a@例.jp",
            "a@example.jp\r\nBcc: x@y.jp",
            "<a@example.jp>",
            "\"a\"@example.jp",
            "a@example.jp,b@example.jp",
            &long,
        ] {
            assert_eq!(MailAddress::parse(wrong), Err(NotAMailAddress), "{wrong:?}");
        }
    }
}
