//! What somebody shows as a right to a certificate, parsed where it comes in.

use crate::ticket::PresentedTicket;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;
use tegata_core::ShortCode;
use tegata_core::id::InvitationCode;
use zeroize::Zeroizing;

/// A code of one of the forms that are handed out. It never prints itself.
#[derive(Debug)]
pub(crate) enum ShownCode {
    /// What follows `#` in a link.
    Link(InvitationCode),
    /// What was read out to somebody. Shared with the thread that hashes it.
    Short(Arc<ShortCode>),
    /// What stands in for another code.
    Ticket(PresentedTicket),
    /// Nothing that anybody was handed.
    Unknown,
}

impl ShownCode {
    /// From what was typed, followed or sent. The forms have different lengths, so that no text is of two.
    pub(crate) fn parse(text: &str) -> Self {
        ShortCode::parse(text)
            .map(|code| Self::Short(Arc::new(code)))
            .or_else(|| InvitationCode::parse(text).map(Self::Link))
            .or_else(|| PresentedTicket::parse(text).map(Self::Ticket))
            .unwrap_or(Self::Unknown)
    }

    /// The ticket, if it is one.
    pub(crate) const fn ticket(&self) -> Option<&PresentedTicket> {
        match self {
            Self::Ticket(ticket) => Some(ticket),
            Self::Link(_) | Self::Short(_) | Self::Unknown => None,
        }
    }

    /// The text, for a link or a seal. Of a code that nobody was handed there is none.
    pub(crate) fn reveal(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Link(code) => Some(Zeroizing::new(code.reveal().to_owned())),
            Self::Short(code) => Some(code.reveal()),
            Self::Ticket(ticket) => Some(Zeroizing::new(ticket.text())),
            Self::Unknown => None,
        }
    }
}

impl<'de> Deserialize<'de> for ShownCode {
    /// Of any text: which codes there are is not a matter of form to whoever guesses.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn a_code_is_known_by_its_form_and_shown_again_as_it_was() {
        let link = InvitationCode::random(&Seeded::new(1));
        let shown = ShownCode::parse(link.reveal());
        assert!(matches!(shown, ShownCode::Link(_)));
        assert_eq!(shown.reveal().unwrap().as_str(), link.reveal());
        let short = ShortCode::random(&Seeded::new(1)).reveal();
        let typed = format!("「{}」", short.to_lowercase().replace('-', " "));
        let shown = ShownCode::parse(&typed);
        assert!(matches!(shown, ShownCode::Short(_)));
        assert_eq!(shown.reveal().unwrap(), short);
        for nothing in ["", "7K3Q-9FM", "あ", &"0".repeat(31), &"A".repeat(500)] {
            assert!(ShownCode::parse(nothing).reveal().is_none(), "{nothing}");
        }
    }

    #[test]
    fn a_code_never_prints_itself() {
        let code = InvitationCode::random(&Seeded::new(1));
        assert!(!format!("{:?}", ShownCode::parse(code.reveal())).contains(code.reveal()));
    }
}
