//! Why a mail was not taken.

/// Why a mail was not taken. No text here has an address in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MailError {
    /// There is no such mailbox, or it takes nothing: trying again is of no use.
    #[error("{0}")]
    Bounced(String),
    /// The server refuses it for good and does not say whether it is for the mailbox.
    #[error("{0}")]
    PerhapsBounced(String),
    /// It may go well later.
    #[error("{0}")]
    Later(String),
    /// It cannot be written as mail.
    #[error("it cannot be written as mail")]
    Unfit,
}
