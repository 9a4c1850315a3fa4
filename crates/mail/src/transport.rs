//! The way of a mail: to a server, or into a folder.

use crate::error::MailError;
use crate::maildir::Maildir;
use crate::message::OutgoingMail;
use crate::smtp::SmtpServer;

/// Where mails of an installation go.
pub enum MailTransport {
    /// To a server that takes them on.
    Smtp(Box<SmtpServer>),
    /// Into a folder of this installation.
    Folder(Maildir),
}

impl MailTransport {
    /// Hands a mail over. Done twice, it is the same mail.
    ///
    /// # Errors
    /// [`MailError`] says whether trying again is of use.
    pub async fn send(&self, mail: &OutgoingMail<'_>) -> Result<(), MailError> {
        let (envelope, bytes) = mail.formatted()?;
        match self {
            Self::Smtp(server) => server.send(&envelope, &bytes).await,
            Self::Folder(folder) => folder.put(mail, &bytes).await,
        }
    }
}
