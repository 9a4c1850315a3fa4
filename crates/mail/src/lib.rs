//! Mail: what it says, from templates that an installation may replace, and the way to a mail server or into a folder.
//!
//! It knows no ledger and keeps nothing. Whoever has a mail to send gives it an identifier, which is its Message-ID for ever, so that
//! a mail that is sent twice after a crash is one mail to whoever looks.

mod delivery_status;
mod error;
mod maildir;
mod message;
mod smtp;
mod templates;
mod transport;
mod views;

pub use delivery_status::{BouncedMail, bounced_mail};
pub use error::MailError;
pub use maildir::Maildir;
pub use message::{MailText, OutgoingMail};
pub use smtp::{SmtpConfig, SmtpServer, SmtpTls};
pub use templates::{MailTemplate, MailTemplates, TemplateFault};
pub use transport::MailTransport;
pub use views::{
    ContactView, DigestGroup, DigestItem, DigestView, PlaceCount, RenewalLine, RenewalState, RenewalView,
};
