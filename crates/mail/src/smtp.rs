//! The way to a mail server (RFC 5321), by STARTTLS (RFC 3207) or TLS from the beginning (RFC 8314), with a password (RFC 4954).
//!
//! What the server answers tells whether the mailbox is gone or only this attempt failed.

use crate::error::MailError;
use lettre::address::Envelope;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;

/// How long each step of the dialog may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Mails of a run share a connection: TLS and the password cost more than a mail does.
const CONNECTIONS: u32 = 1;

/// A connection that nobody has used for so long is closed.
const IDLE: Duration = Duration::from_secs(20);

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
            .timeout(Some(PATIENCE))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE));
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
            Err(error) => Err(judged(error.status().map(u16::from), &error.to_string())),
        }
    }
}

/// What an answer means, or what went wrong without one. Of an answer only its codes are kept: its words may name the recipient.
fn judged(code: Option<u16>, text: &str) -> MailError {
    let Some(code) = code else { return MailError::Later(plain(text)) };
    let Some(enhanced) = enhanced_code(text) else {
        let why = code.to_string();
        return if matches!(code, 550 | 551 | 553) {
            MailError::PerhapsBounced(why)
        } else {
            MailError::Later(why)
        };
    };
    let why = format!("{code} {enhanced}");
    if is_about_the_mailbox(enhanced) { MailError::Bounced(why) } else { MailError::Later(why) }
}

fn parameters(config: &SmtpConfig) -> Result<TlsParameters, String> {
    let with = |trusted: &[Certificate]| {
        let mut builder =
            TlsParameters::builder(config.host.clone()).certificate_store(CertificateStore::None);
        for certificate in trusted {
            builder = builder.add_root_certificate(certificate.clone());
        }
        builder.build()
    };
    // One odd certificate in a bundle of the system's must not cost all others.
    let known = certificates(&config.trust).into_iter().filter(|one| with(std::slice::from_ref(one)).is_ok());
    let known: Vec<_> = known.collect();
    if known.is_empty() {
        return Err("no certificate in it can be used to verify a mail server".into());
    }
    with(&known).map_err(|error| error.to_string())
}

/// The certificates of a PEM file, each by itself.
fn certificates(pem: &[u8]) -> Vec<Certificate> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let blocks = text.split_inclusive(END).filter_map(|block| {
        let begin = block.find("-----BEGIN CERTIFICATE-----")?;
        Some(format!("{}\n", &block[begin..]))
    });
    blocks.filter_map(|block| Certificate::from_pem(block.as_bytes()).ok()).collect()
}

/// The enhanced code of an answer (RFC 3463), if it has one.
fn enhanced_code(text: &str) -> Option<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let is_code = |word: &&str| {
        let parts: Vec<_> = word.split('.').collect();
        parts.len() == 3
            && ["2", "4", "5"].contains(&parts[0])
            && parts.iter().all(|part| (1..=3).contains(&part.len()))
    };
    words.map(|word| word.trim_matches('.')).find(is_code)
}

/// Whether a code says that the mailbox is gone. Whatever else is refused for good (the sender, the account, the size) is this
/// side's to mend, or goes well later.
pub(crate) fn is_about_the_mailbox(enhanced: &str) -> bool {
    ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"].contains(&enhanced)
}

/// At most so much of what went wrong is kept.
const LONGEST: usize = 200;

fn plain(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_gone_only_where_the_server_says_so() {
        let bounced = |why: &str| MailError::Bounced(why.into());
        let perhaps = |why: &str| MailError::PerhapsBounced(why.into());
        let later = |why: &str| MailError::Later(why.into());
        for (code, text, meaning) in [
            (550, "permanent error (550): 5.1.1 <hanako@example.jp> hanako unknown", bounced("550 5.1.1")),
            (550, "permanent error (550): No such user here", perhaps("550")),
            (553, "permanent error (553): mailbox name not allowed", perhaps("553")),
            (550, "permanent error (550): 5.7.1 Relaying denied", later("550 5.7.1")),
            (553, "permanent error (553): 5.1.8 Sender address rejected", later("553 5.1.8")),
            (535, "permanent error (535): 5.7.8 Authentication failed", later("535 5.7.8")),
            (554, "permanent error (554): Transaction failed, 10.0.0.1", later("554")),
            (552, "permanent error (552): 5.2.2 Mailbox full", later("552 5.2.2")),
            (421, "transient error (421): 4.3.2 try later", later("421 4.3.2")),
        ] {
            assert_eq!(judged(Some(code), text), meaning, "{text}");
        }
        assert_eq!(judged(None, "Connection error: refused\r\n宛先"), later("Connection error: refused"));
    }

    #[test]
    fn a_file_that_verifies_nobody_is_told_at_the_start() {
        for trust in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let config = SmtpConfig {
                host: "localhost".into(),
                port: 25,
                tls: SmtpTls::StartTls,
                trust: trust.into(),
                hello: "tegata.example.jp".into(),
                account: None,
            };
            assert!(SmtpServer::new(config).is_err(), "{trust:?}");
        }
    }
}
