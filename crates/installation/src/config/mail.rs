//! `[mail]`: how mails are sent, and by whom they say they are.

use serde::Deserialize;
use std::path::PathBuf;
use tegata_core::{MailAddress, Name};

/// What `tegata init` writes about it.
pub const TEMPLATE: &str = r#"# Notices of renewals and the day's work go by mail to whom `tegata notices add` names. Without a server they are written into a
# folder, which any mail program reads as a Maildir. See docs/notices.md.
# [mail]
# from = "tegata@example.co.jp"
# sender_name = "端末証明書係"
# server = "smtp.example.co.jp"
# port = 587
# tls = "starttls"
# user = "tegata"
# password = "mail-password"
# bounces = "/var/mail/tegata"
"#;

/// The longest name of a sender, in characters.
pub const LONGEST_SENDER_NAME: usize = 40;

/// The section `[mail]`: how mails are sent, and by whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// The address of the sender, to which also comes what cannot be delivered.
    pub from: Option<String>,
    /// What the sender is called where a tenant has no name of its own for it.
    pub sender_name: String,
    /// The host name of the mail server; without it mails go into `folder`.
    pub server: Option<String>,
    /// Its port: 587 and with `tls = "implicit"` 465, unless it is said.
    pub port: Option<u16>,
    /// How the connection becomes a secret one.
    pub tls: MailTls,
    /// PEM: who signed its certificate, where the system does not trust them.
    pub ca: Option<PathBuf>,
    /// The account at the server.
    pub user: Option<String>,
    /// A file with its password, mode 0600.
    pub password: Option<PathBuf>,
    /// The Maildir into which mails go without a server.
    pub folder: PathBuf,
    /// A Maildir with what came back to `from`: reports of mail that could not be delivered.
    pub bounces: Option<PathBuf>,
    /// A folder with templates that replace those of the program.
    pub templates: Option<PathBuf>,
}

/// How the connection to a mail server becomes a secret one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS; a server without it gets no mail.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all: for a server on this machine alone.
    None,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            from: None,
            sender_name: "Tegata".into(),
            server: None,
            port: None,
            tls: MailTls::default(),
            ca: None,
            user: None,
            password: None,
            folder: "mail".into(),
            bounces: None,
            templates: None,
        }
    }
}

impl MailConfig {
    /// Whatever could not work is said before the first mail.
    pub fn check(&self) -> Result<(), String> {
        if let Some(from) = &self.from {
            MailAddress::parse(from).map_err(|error| format!("mail.from {from:?}: {error}"))?;
        }
        Name::parse(&self.sender_name, LONGEST_SENDER_NAME).map_err(|_| {
            format!("mail.sender_name has 1 to {LONGEST_SENDER_NAME} characters, all of which can be seen")
        })?;
        let Some(server) = &self.server else {
            return match (&self.user, &self.password, &self.ca, self.port) {
                (None, None, None, None) => Ok(()),
                _ => {
                    Err("mail: which server? Say mail.server, or leave user, password, ca and port out"
                        .into())
                }
            };
        };
        if self.from.is_none() {
            return Err("mail.server needs mail.from: a mail server asks who sends".into());
        }
        if self.user.is_some() != self.password.is_some() {
            return Err("mail.user and mail.password go together; password names a file".into());
        }
        if server.is_empty()
            || !server.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        {
            return Err(format!("mail.server {server:?}: a host name, and the port in mail.port"));
        }
        if self.tls == MailTls::None && !["localhost", "127.0.0.1"].contains(&server.as_str()) {
            return Err(
                "mail.tls = \"none\" is for a server on this machine: what is said to any other is secret"
                    .into(),
            );
        }
        Ok(())
    }

    /// The port of the server.
    pub fn server_port(&self) -> u16 {
        let usual = match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        };
        self.port.unwrap_or(usual)
    }

    /// Who sends; into a folder, somebody at the installation.
    pub fn sender(&self, installation: &str) -> Result<MailAddress, String> {
        let from = self.from.clone().unwrap_or_else(|| format!("tegata@{installation}"));
        MailAddress::parse(&from).map_err(|error| format!("mail.from {from:?}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_that_could_not_be_sent_is_refused_at_the_start() {
        let read = |text: &str| -> Result<MailConfig, String> {
            let config: MailConfig = toml::from_str(text).map_err(|error| error.to_string())?;
            config.check().map(|()| config)
        };
        let whole = "from = \"a@example.jp\"\nserver = \"mail.example.jp\"";
        assert_eq!(read(whole).unwrap().server_port(), 587);
        assert_eq!(read(&format!("{whole}\ntls = \"implicit\"")).unwrap().server_port(), 465);
        assert!(read("").is_ok() && read("templates = \"t\"").is_ok());
        assert_eq!(
            read("").unwrap().sender("tegata.example.jp").unwrap().as_str(),
            "tegata@tegata.example.jp"
        );
        for wrong in [
            "server = \"mail.example.jp\"",
            "from = \"nobody\"",
            "sender_name = \"\"",
            "user = \"a\"",
            &format!("{whole}\nuser = \"a\""),
            &format!("{whole}\npassword = \"a\""),
            &format!("{whole}\ntls = \"none\""),
            "from = \"a@example.jp\"\nserver = \"mail.example.jp:25\"",
            "host = \"x\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
