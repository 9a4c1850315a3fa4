//! The way to a mail server (RFC 5321), by STARTTLS (RFC 3207) or TLS from the beginning (RFC 8314), with a password (RFC 4954).
//!
//! What the server answers tells whether the mailbox is gone or only this attempt failed. Its words may name the recipient: what is
//! kept of them has no addresses in it.

use crate::error::MailError;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;

/// How long each step of the dialog may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a connection becomes a secret one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SmtpTls {
    /// After STARTTLS, and not at all without it.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
    /// Not at all: to a server on this machine.
    None,
}

/// Where a server is, and who comes to it.
pub struct SmtpConfig {
    /// Its name, which its certificate must have.
    pub host: String,
    /// The port on which it listens.
    pub port: u16,
    /// How the connection becomes a secret one.
    pub tls: SmtpTls,
    /// PEM: who may have signed its certificate.
    pub trust: Vec<u8>,
    /// What this side calls itself.
    pub hello: String,
    /// The account at the server and its password.
    pub account: Option<(String, String)>,
}

/// A mail server and the way to it.
pub struct SmtpServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl SmtpServer {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// What verifies the server cannot be read.
    pub fn new(config: SmtpConfig) -> Result<Self, String> {
        let tls = match config.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters(&config)?),
            SmtpTls::Implicit => Tls::Wrapper(parameters(&config)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host)
            .port(config.port)
            .tls(tls)
            .hello_name(ClientId::Domain(config.hello))
            .timeout(Some(PATIENCE));
        if let Some((user, password)) = config.account {
            builder = builder
                .credentials(Credentials::new(user, password))
                .authentication(vec![Mechanism::Plain, Mechanism::Login]);
        }
        Ok(Self { transport: builder.build() })
    }

    pub(crate) async fn send(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), MailError> {
        match self.transport.send_raw(envelope, bytes).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let text = without_addresses(&error.to_string());
                let code = error.status().map(u16::from);
                if code.is_some_and(|code| is_about_the_mailbox(code, &text)) {
                    Err(MailError::Bounced(text))
                } else {
                    Err(MailError::Later(text))
                }
            }
        }
    }
}

fn parameters(config: &SmtpConfig) -> Result<TlsParameters, String> {
    let trust = Certificate::from_pem(&config.trust).map_err(|error| error.to_string())?;
    TlsParameters::builder(config.host.clone())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(trust)
        .build()
        .map_err(|error| error.to_string())
}

/// Whether an answer says that the mailbox is gone: by its enhanced code (RFC 3463), or where there is none, by the codes that
/// RFC 5321 has for it. Whatever else is refused for good (the sender, the account, the size) is this side's to mend, and no reason to
/// believe that nobody is there.
fn is_about_the_mailbox(code: u16, text: &str) -> bool {
    let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let enhanced = words.filter(|word| word.split('.').count() == 3).find(|word| word.starts_with("5."));
    match enhanced {
        Some(enhanced) => {
            ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"].contains(&enhanced.trim_end_matches('.'))
        }
        None => matches!(code, 550 | 551 | 553),
    }
}

/// At most so much of an answer is kept.
const LONGEST: usize = 200;

fn without_addresses(text: &str) -> String {
    let words = text.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(char::is_ascii_graphic_or_space)
        .take(LONGEST)
        .collect()
}

trait Kept {
    fn is_ascii_graphic_or_space(&self) -> bool;
}

impl Kept for char {
    /// Answers are ASCII (RFC 5321), and what is not goes into no log; the sign of what was left out stays.
    fn is_ascii_graphic_or_space(&self) -> bool {
        self.is_ascii_graphic() || matches!(self, ' ' | '…')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_gone_only_where_the_server_says_so() {
        for (code, text, is_gone) in [
            (550, "permanent error (550): 5.1.1 … No such user", true),
            (550, "permanent error (550): No such user here", true),
            (553, "permanent error (553): mailbox name not allowed", true),
            (550, "permanent error (550): 5.7.1 Relaying denied", false),
            (553, "permanent error (553): 5.1.8 Sender address rejected", false),
            (535, "permanent error (535): 5.7.8 Authentication failed", false),
            (554, "permanent error (554): Transaction failed", false),
            (552, "permanent error (552): 5.2.2 Mailbox full", false),
            (421, "transient error (421): 4.3.2 try later", false),
        ] {
            assert_eq!(is_about_the_mailbox(code, text), is_gone, "{text}");
        }
    }

    #[test]
    fn what_is_kept_of_an_answer_names_nobody() {
        let kept =
            without_addresses("permanent error (550): 5.1.1 <hanako@example.jp>: 宛先 unknown\r\nuser");
        assert_eq!(kept, "permanent error (550): 5.1.1 …  unknown user");
        assert!(without_addresses(&"a ".repeat(500)).chars().count() <= LONGEST);
    }
}
