//! A mail as it goes over the wire (RFC 5322): text and HTML side by side.

use crate::error::MailError;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use std::time::{Duration, UNIX_EPOCH};
use tegata_core::{MailAddress, MailId, Timestamp};

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailText {
    /// What its reader sees first, on one line.
    pub subject: String,
    /// For readers without HTML.
    pub plain: String,
    /// The mail as most see it.
    pub html: String,
}

/// A mail that is to be sent.
#[derive(Clone, Debug)]
pub struct OutgoingMail<'a> {
    /// Its name for ever.
    pub id: &'a MailId,
    /// What makes its Message-ID unlike that of any other installation.
    pub installation: &'a str,
    /// Where answers and bounces go.
    pub from: &'a MailAddress,
    /// What the sender is called.
    pub sender_name: &'a str,
    /// Whom it is for.
    pub to: &'a MailAddress,
    /// What it is to say.
    pub text: &'a MailText,
    /// When it was written.
    pub written_at: Timestamp,
}

impl OutgoingMail<'_> {
    /// The mail and its envelope.
    ///
    /// # Errors
    /// Something in it cannot be written as mail.
    pub(crate) fn formatted(&self) -> Result<(Envelope, Vec<u8>), MailError> {
        let (from, to) = (address(self.from)?, address(self.to)?);
        let written = u64::try_from(self.written_at.millis()).unwrap_or_default();
        let message = Message::builder()
            .from(Mailbox::new(Some(self.sender_name.to_owned()), from.clone()))
            .to(Mailbox::new(None, to.clone()))
            .subject(self.text.subject.clone())
            .message_id(Some(format!("<{}@{}>", self.id, self.installation)))
            .date(UNIX_EPOCH + Duration::from_millis(written))
            // RFC 3834: nobody's absence answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(self.text.plain.clone(), self.text.html.clone()))
            .map_err(|_| MailError::Unfit)?;
        let envelope = Envelope::new(Some(from), vec![to]).map_err(|_| MailError::Unfit)?;
        Ok((envelope, message.formatted()))
    }
}

fn address(address: &MailAddress) -> Result<Address, MailError> {
    address.as_str().parse().map_err(|_| MailError::Unfit)
}
