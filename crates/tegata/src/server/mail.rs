//! Mail as the configuration has it: the way out, and how mails are written.

use crate::client::SYSTEM_TRUST;
use crate::server::Server;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_ca::secret::read_private_file;
use tegata_core::MailAddress;
use tegata_installation::config::{MailConfig, MailTls};
use tegata_installation::{Config, Failure, FailureContext};
use tegata_mail::{MailTemplates, MailTransport, Maildir, SmtpConfig, SmtpServer, SmtpTls};
use tegata_scheduler::{BouncePass, DigestPass, MailPass, MailWriter, NoticePass, Scheduler};

/// What the passes about mail need.
pub struct MailServices {
    transport: Arc<MailTransport>,
    from: MailAddress,
    bounces: Option<PathBuf>,
    writer: Arc<MailWriter>,
}

impl MailServices {
    /// Reads the files that the configuration names; nothing is connected.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let mail = &config.mail;
        let transport = match &mail.server {
            Some(host) => MailTransport::Smtp(Box::new(smtp(config, mail, host)?)),
            None => MailTransport::Folder(Maildir::new(config.path(&mail.folder))),
        };
        let from = mail.sender(config.installation.name.as_str()).map_err(Failure::misuse)?;
        let bounces = mail.bounces.as_ref().map(|folder| config.path(folder));
        Ok(Self { transport: Arc::new(transport), from, bounces, writer: Arc::new(writer(config)) })
    }

    /// Begins the passes about mail.
    pub fn add_passes(self, scheduler: &Arc<Scheduler>, server: &Server) {
        let Self { transport, from, bounces, writer } = self;
        let context = &server.context;
        let (ledger, entropy) = (&context.ledger, &context.entropy);
        scheduler.add(NoticePass::new(ledger.clone(), context.renewal, entropy.clone(), writer.clone()));
        scheduler.add(DigestPass::new(ledger.clone(), entropy.clone(), writer));
        let installation = context.installation.as_str().to_owned();
        if let Some(folder) = bounces {
            scheduler.add(BouncePass::new(ledger.clone(), installation.clone(), folder));
        }
        scheduler.add(MailPass::new(ledger.clone(), transport, from, installation));
    }
}

/// How the mails of an installation are written.
fn writer(config: &Config) -> MailWriter {
    let device = &config.device.url;
    MailWriter {
        templates: MailTemplates::new(config.mail.templates.as_ref().map(|folder| config.path(folder))),
        sender_name: config.mail.sender_name.clone(),
        device_page: format!("{device}/"),
        console: format!("{device}/console"),
        contact: config.contact.clone(),
    }
}

fn smtp(config: &Config, mail: &MailConfig, host: &str) -> Result<SmtpServer, Failure> {
    let account = match (&mail.user, &mail.password) {
        (Some(user), Some(file)) => Some((user.clone(), password(&config.path(file))?)),
        _ => None,
    };
    let tls = match mail.tls {
        MailTls::Starttls => SmtpTls::StartTls,
        MailTls::Implicit => SmtpTls::Implicit,
        MailTls::None => SmtpTls::None,
    };
    let trust = match tls {
        SmtpTls::None => Vec::new(),
        SmtpTls::StartTls | SmtpTls::Implicit => {
            let file = mail.ca.as_ref().map_or_else(|| SYSTEM_TRUST.into(), |file| config.path(file));
            let what = format!("cannot read what verifies the mail server, {}", file.display());
            std::fs::read(&file).doing(what)?
        }
    };
    let hello = config.installation.name.as_str().to_owned();
    let smtp = SmtpConfig { host: host.to_owned(), port: mail.server_port(), tls, trust, hello, account };
    SmtpServer::new(smtp).map_err(|error| Failure::misuse(format!("mail.ca: {error}")))
}

/// On one line of a file that nobody but its owner may read.
fn password(file: &Path) -> Result<String, Failure> {
    let what = format!("cannot read mail.password, {}", file.display());
    let content = read_private_file(file).doing(what.clone())?;
    let text = std::str::from_utf8(&content).doing(what)?.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(['\r', '\n']) {
        let file = file.display();
        return Err(Failure::misuse(format!("{file} has to hold the password of mail.user, on one line")));
    }
    Ok(text.to_owned())
}
